"""Uplinks that a gateway held back and sent all at once, stamped by the network server as if they were new.

While its way to the network server is cut, a LoRaWAN gateway may keep what it hears. Without a clock of its
own the server gives each frame the time at which it came: readings of hours then stand within seconds. Three
or more server-stamped readings of a datastream within half a minute of each other are such a burst. None of
their times can be believed: the third and later ones are SUSPECT when they come, the two before them by a
revision. Pure; called by the refiner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.clock import MICROS_PER_SECOND
from ingest.memory import NEVER
from ingest.model import ObservationBatch, TimeSource

CLOSE = 30 * MICROS_PER_SECOND  # a held-back frame follows the one before at once; an alarm's uplinks do not
SHARE_OF_CADENCE = 4  # where readings are expected often, closer than this part of a cadence


@dataclass(frozen=True, slots=True)
class Burst:
    """What a batch showed. `rows`: places of rows that are of a burst when they come. `datastream`, `time`:
    keys of the rows before them that turn out to be of it, too. `touched`, `last`: what `adopt` remembers."""

    rows: NDArray[np.intp]
    datastream: NDArray[np.int32]
    time: NDArray[np.int64]
    touched: NDArray[np.int64]
    last: NDArray[np.int64]


class Bursts:
    """The last two server-stamped times of each datastream; `cadences` in seconds by datastream id."""

    def __init__(self, cadences: Mapping[int, float]) -> None:
        self.datastreams = tuple(sorted(cadences))
        size = max(cadences, default=0) + 1
        self._close = np.zeros(size, np.int64)
        for number, cadence in cadences.items():
            self._close[number] = min(CLOSE, int(cadence * MICROS_PER_SECOND) // SHARE_OF_CADENCE)
        self._last = np.full((size, 2), NEVER)

    def forget(self) -> None:
        """Remember nothing."""
        self._last[:] = NEVER

    def recall(self, stored: ObservationBatch) -> None:
        """Remember the newest of these rows, of datastreams that nothing is remembered of."""
        server = np.flatnonzero(stored.time_source == TimeSource.SERVER)
        order = server[np.argsort(stored.time[server], kind="stable")]
        for number, time in zip(stored.datastream[order].tolist(), stored.time[order].tolist(), strict=True):
            self._last[number] = self._last[number, 1], time

    def find(self, rows: ObservationBatch) -> Burst:
        """The bursts that new rows, in order of arrival, begin or go on with."""
        server = np.flatnonzero(rows.time_source == TimeSource.SERVER)
        touched = np.unique(rows.datastream[server]).astype(np.int64)
        # each datastream's two remembered times, then its rows
        number = np.concatenate((np.repeat(touched, 2), rows.datastream[server].astype(np.int64)))
        time = np.concatenate((self._last[touched].reshape(-1), rows.time[server]))
        place = np.concatenate((np.full(2 * len(touched), -1), server))
        order = np.argsort(number, kind="stable")
        number, time, place = number[order], time[order], place[order]
        after = np.full(len(time), False)
        after[1:] = (number[1:] == number[:-1]) & (time[:-1] != NEVER)
        gap = np.zeros(len(time), np.int64)
        gap[1:] = np.where(after[1:], time[1:] - time[:-1], 0)
        near = after & (gap > 0) & (gap < self._close[number])
        burst = np.flatnonzero((place >= 0) & near & np.r_[False, near[:-1]])
        before = np.unique(np.concatenate((burst - 1, burst - 2)))
        before = before[~np.isin(before, burst)]
        ends = np.flatnonzero(np.r_[number[1:] != number[:-1], True]) if len(number) else np.empty(0, int)
        last = np.column_stack((time[ends - 1], time[ends]))
        return Burst(place[burst], number[before].astype(np.int32), time[before], touched, last)

    def adopt(self, burst: Burst) -> None:
        """After COMMIT: remember the last two times of what was touched."""
        self._last[burst.touched] = burst.last
