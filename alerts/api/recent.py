"""The newest stretch of every measured series, kept from one look at the city to the next.

Promises: a series whose newest row is another, or has another flag or level, is read anew at once; everything
else that may have changed of it (a late row, a flag that a later row decided) within `ANEW_S`. So a look
reads what has come since the last one, and not ninety minutes of 10,000 series. Called by the board, one look
at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from alerts import feed_store
from alerts.api.reader import Connection
from alerts.trend import WINDOW_US
from ingest.store.read import Latest, Observed

ANEW_S = 60.0  # late rows bear on a trend over 90 minutes, and on nothing else that is shown
AT_ONCE = 1_000  # series of one statement: far within the statement timeout, also where the machine is busy


class Recent:
    """What was read last; `read` brings it up to the view of a connection."""

    def __init__(self) -> None:
        self._rows: dict[str, Sequence[Observed]] = {}
        self._marks: dict[str, Latest] = {}
        self._read_at: float | None = None
        self._next = 0

    def read(
        self, connection: Connection, nature: str, keys: Sequence[str], monotonic: float
    ) -> Mapping[str, Sequence[Observed]]:
        """Per series of these keys that has a row: those of the last 90 minutes before its newest, oldest
        first. `monotonic` in seconds."""
        newest = feed_store.newest(connection, nature)
        there = [key for key in keys if key in newest]
        due = {key: None for key in there if newest[key] != self._marks.get(key)}
        due |= dict.fromkeys(self._turn(there, monotonic))
        waiting = iter(due)
        while part := list(islice(waiting, AT_ONCE)):
            self._rows |= feed_store.windows(connection, nature, part, WINDOW_US)
            self._marks |= {key: newest[key] for key in part}
        self._read_at = monotonic
        return {key: self._rows[key] for key in there if key in self._rows}

    def _turn(self, keys: Sequence[str], monotonic: float) -> Sequence[str]:
        """The series whose turn it is: all of them in `ANEW_S`, some at each look."""
        elapsed = ANEW_S if self._read_at is None else monotonic - self._read_at
        if elapsed >= ANEW_S:
            return keys
        begin = self._next % max(1, len(keys))
        self._next = begin + 1 + int(len(keys) * elapsed / ANEW_S)
        return keys[begin : self._next]
