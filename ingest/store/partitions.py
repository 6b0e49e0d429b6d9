"""Makes room for rows before they are written: one partition for each seven days.

Runs in its own transaction, before the batch, so that a batch never waits inside for DDL. On
TimescaleDB the database's function does nothing. Called by the writer only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.clock import to_datetime
from ingest.store.connection import Connection
from ingest.store.errors import Poison

EARLIEST = -2_208_988_800_000_000  # 1900-01-01Z, microseconds; the table's CHECK says the same
LATEST = 7_258_118_400_000_000  # 2200-01-01Z, exclusive
WEEK = 7 * 24 * 3600 * 1_000_000  # microseconds; weeks count from 1970-01-01Z, as TimescaleDB's chunks do


class Partitions:
    """Remembers which weeks have been made."""

    def __init__(self) -> None:
        self._made: set[int] = set()

    def ensure(self, connection: Connection, time: NDArray[np.int64]) -> None:
        """Make the partitions for these times (microseconds); `Poison` for one outside 1900 to 2199."""
        if len(time) and (time.min() < EARLIEST or time.max() >= LATEST):
            raise Poison("a time lies outside the years 1900 to 2199; split the batch by message")
        for week in sorted(set(np.unique(time // WEEK).tolist()) - self._made):
            connection.execute("SELECT ensure_observation_partition(%s)", (to_datetime(week * WEEK),))
            self._made.add(week)

    def forget(self) -> None:
        """Ask again: a partition may have been dropped since."""
        self._made.clear()
