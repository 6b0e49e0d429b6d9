"""Which rows of a batch are new: pure arithmetic on columns, in arrival order.

The first row with a key (datastream, time) is new unless the table has the key; every other row is a
duplicate when its value equals the one that stands for the key (the table's, else the first row's),
and a conflict when it does not. A row newer than its series' high-water mark cannot be in the table,
so only the rest is asked for (`to_ask`), and the verdict is the same however a stream is split.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

NEVER = np.iinfo(np.int64).min  # the mark of a series that has no row
_UNKNOWN = np.iinfo(np.int64).max  # the mark of a series that was not looked up


class Verdict(IntEnum):
    """What a row is, against the table and the rows before it."""

    NEW = 0
    DUPLICATE = 1
    CONFLICT = 2


def first_of_key(datastream: NDArray[np.int32], time: NDArray[np.int64]) -> NDArray[np.intp]:
    """For each row the index of the first row that has its (datastream, time)."""
    order = np.lexsort((time, datastream))  # stable: arrival order stays within a key
    by_datastream, by_time = datastream[order], time[order]
    opens = np.ones(len(order), np.bool_)
    opens[1:] = (by_datastream[1:] != by_datastream[:-1]) | (by_time[1:] != by_time[:-1])
    first = np.empty(len(order), np.intp)
    first[order] = order[opens][np.cumsum(opens) - 1]
    return first


def to_ask(first: NDArray[np.intp], time: NDArray[np.int64], mark: NDArray[np.int64]) -> NDArray[np.intp]:
    """The rows to look up: first of their key and not newer than their series' `mark` (one per row)."""
    return np.flatnonzero((first == np.arange(len(first))) & (time <= mark))


def settle(
    first: NDArray[np.intp],
    value: NDArray[np.float64],
    found: NDArray[np.intp],
    found_value: NDArray[np.float64],
) -> NDArray[np.int8]:
    """The `Verdict` of each row, when the table has the keys of the rows `found` with `found_value`."""
    standing = value.copy()
    standing[found] = found_value
    new = first == np.arange(len(first))
    new[found] = False
    repeated = np.where(value == standing[first], Verdict.DUPLICATE, Verdict.CONFLICT)
    return np.where(new, np.int8(Verdict.NEW), repeated).astype(np.int8)


class Marks:
    """The newest stored time of each series, by datastream id; grows with the ids it is asked about.

    Memory is 8 bytes for each id up to the highest. Adopt after COMMIT only.
    """

    def __init__(self) -> None:
        self._marks = np.empty(0, np.int64)

    def unknown(self, datastream: NDArray[np.int32]) -> NDArray[np.int32]:
        """The ids among these whose mark must be read first."""
        self._reach(datastream)
        return np.unique(datastream[self._marks[datastream] == _UNKNOWN])

    def learn(self, datastream: NDArray[np.int32], time: NDArray[np.int64]) -> None:
        """Take marks as the table has them (`NEVER` for a series without rows)."""
        self._reach(datastream)
        self._marks[datastream] = time

    def of(self, datastream: NDArray[np.int32]) -> NDArray[np.int64]:
        """The mark of each row's series; none may be unknown."""
        return self._marks[datastream]

    def adopt(self, datastream: NDArray[np.int32], time: NDArray[np.int64]) -> None:
        """Move the marks past rows that were committed."""
        np.maximum.at(self._marks, datastream, time)

    def forget(self) -> None:
        """Unknown again: the table was changed by someone else."""
        self._marks = np.empty(0, np.int64)

    def _reach(self, datastream: NDArray[np.int32]) -> None:
        missing = int(datastream.max(initial=-1)) + 1 - len(self._marks)
        if missing > 0:
            self._marks = np.concatenate((self._marks, np.full(missing, _UNKNOWN, np.int64)))
