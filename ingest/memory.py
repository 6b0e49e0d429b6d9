"""The newest rows of every series: what rules may look back on.

Promises that the memory of a series is a function of the *set* of its stored rows (the newest `rows` of them
within `span` of the newest), so that memory rebuilt from the database equals memory that lived, late rows
included. `SeriesMemory` holds the adopted state; `Windows` is a copy for some series that a batch works on.
Pure; called by the alert engine and by streaming quality tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.model import ObservationBatch, Quality

NEVER = np.iinfo(np.int64).min  # the time of an empty place
CHUNK = 1_024  # windows copied at once: what is needed beside them stays small
MOST_NARROW = np.iinfo(np.uint16).max
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of known series as columns of one length: series index, times in microseconds, QARTOD flag."""

    series: NDArray[np.int64]
    time: Times
    value: NDArray[np.float64]
    quality: NDArray[np.int8]
    received: Times

    def __len__(self) -> int:
        return len(self.series)

    @classmethod
    def of(cls, batch: ObservationBatch, series: NDArray[np.int64], index: NDArray[np.int64]) -> Rows:
        """The rows of a batch at `index`, which belong to `series`."""
        return cls(
            series, batch.time[index], batch.value[index], batch.quality[index], batch.received_at[index]
        )

    def take(self, rows: NDArray[Any]) -> Rows:
        return Rows(
            self.series[rows], self.time[rows], self.value[rows], self.quality[rows], self.received[rows]
        )


@dataclass(frozen=True, slots=True)
class Windows:
    """The memory of n series as arrays (n, k), sorted by time, newest last; empty places come first."""

    span: int
    time: Times
    value: NDArray[np.float64]
    quality: NDArray[np.int8]
    received: Times

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def empty(cls, series: int, rows: int, span: int) -> Windows:
        """Windows without a row."""
        shape = (series, rows)
        return cls(
            span,
            np.full(shape, NEVER),
            np.full(shape, np.nan),
            np.full(shape, Quality.MISSING, np.int8),
            np.full(shape, NEVER),
        )

    @classmethod
    def unwritten(cls, series: int, rows: int, span: int) -> Windows:
        """Windows whose every place is about to be written."""
        shape = (series, rows)
        time, received = np.empty(shape, np.int64), np.empty(shape, np.int64)
        return cls(span, time, np.empty(shape), np.empty(shape, np.int8), received)

    def columns(self) -> tuple[NDArray[Any], ...]:
        """The arrays, in the order in which they are declared."""
        return self.time, self.value, self.quality, self.received

    def part(self, series: slice) -> Windows:
        """Some neighbouring windows; they share its memory."""
        return Windows(
            self.span, self.time[series], self.value[series], self.quality[series], self.received[series]
        )

    def take(self, series: NDArray[Any]) -> Windows:
        """A copy of the windows named by an index or boolean array."""
        return Windows(
            self.span, self.time[series], self.value[series], self.quality[series], self.received[series]
        )

    def last(self, rows: int) -> Windows:
        """The newest `rows` of each window, to be read at once: they share its memory."""
        if rows >= self.time.shape[1]:
            return self
        return Windows(
            self.span,
            self.time[:, -rows:],
            self.value[:, -rows:],
            self.quality[:, -rows:],
            self.received[:, -rows:],
        )

    def view(self, series: NDArray[np.int64]) -> Windows:
        """The windows named by an index, to be read at once: they themselves when they are all in order."""
        return self if _is_every(series, len(self)) else self.take(series)

    def arrival(self) -> Times:
        """When each series was last heard of; `NEVER` when its window is empty."""
        return np.asarray(self.received.max(axis=1), np.int64)

    def push(self, at: NDArray[np.int64], rows: Rows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Insert one row into each window `at` (no index twice), in place; (newer than all, was taken in).

        A row that is older than the memory reaches, or than all rows of a full window, is not taken in.
        """
        newest, oldest = self.time[at, -1], self.time[at, 0]
        fresh = rows.time > newest
        if fresh.all() and _is_every(at, len(self)):
            self._append_all(rows)
            return fresh, fresh
        self._append(at[fresh], rows.take(fresh))
        late = ~fresh & (rows.time > oldest) & (rows.time >= newest - self.span)
        late &= ~(self.time[at] == rows.time[:, None]).any(axis=1)
        if late.any():
            self._insert(at[late], rows.take(late))
        return fresh, fresh | late

    def _append_all(self, rows: Rows) -> None:
        """`_append` to every window in its order, without the cost of an index."""
        for column, new in self._columns(rows):
            column[:, :-1] = column[:, 1:].copy()
            column[:, -1] = new
        self._forget(np.arange(len(self)))

    def _append(self, at: NDArray[np.int64], rows: Rows) -> None:
        for column, new in self._columns(rows):
            column[at, :-1] = column[at, 1:]
            column[at, -1] = new
        self._forget(at)

    def _insert(self, at: NDArray[np.int64], rows: Rows) -> None:
        order = np.argsort(np.column_stack((self.time[at], rows.time)), axis=1, kind="stable")[:, 1:]
        for column, new in self._columns(rows):
            column[at] = np.take_along_axis(np.column_stack((column[at], new)), order, axis=1)

    def _columns(self, rows: Rows) -> tuple[tuple[NDArray[Any], NDArray[Any]], ...]:
        new = (rows.time, rows.value, rows.quality, rows.received)
        return tuple(zip(self.columns(), new, strict=True))

    def _forget(self, at: NDArray[np.int64]) -> None:
        """Empty the places that have fallen out of the memory's span."""
        time = self.time[at]
        old = (time != NEVER) & (time < time[:, -1:] - self.span)
        if old.any():
            which, place = np.nonzero(old)
            which = at[which]
            self.time[which, place] = self.received[which, place] = NEVER
            self.value[which, place] = np.nan
            self.quality[which, place] = Quality.MISSING


def _is_every(series: NDArray[np.int64], count: int) -> bool:
    """Whether an index names each of `count` windows, in order."""
    return len(series) == count and bool((series == np.arange(count)).all())


class SeriesMemory:
    """The adopted memory of all series: ring buffers, so that a row in order costs one write.

    `newest` is each series' newest time and `arrival` when it was last heard of (`NEVER` before the first).
    """

    def __init__(self, series: int, rows: int, span: int) -> None:
        self._ring = Windows.empty(series, rows, span)
        self._head = np.zeros(series, np.int64)  # the oldest place, which the next row overwrites
        self.newest = np.full(series, NEVER)
        self.arrival = np.full(series, NEVER)
        self.rows = rows
        self.span = span

    def gather(self, series: NDArray[np.int64]) -> Windows:
        """A copy of some series' windows."""
        windows = Windows.unwritten(len(series), self.rows, self.span)
        for first in range(0, len(series), CHUNK):
            part = slice(first, first + CHUNK)
            self._copy(series[part], windows.part(part))
        return windows

    def _copy(self, series: NDArray[np.int64], windows: Windows) -> None:
        place = (self._head[series, None] + np.arange(self.rows)) % self.rows
        place += series[:, None] * self.rows  # one flat index for all columns: several times faster
        for column, copy in zip(self._ring.columns(), windows.columns(), strict=True):
            column.reshape(-1).take(place, out=copy, mode="clip")  # "raise" would copy once more
        windows._forget(np.arange(len(series)))

    def append(self, rows: Rows, occurrence: NDArray[np.int64]) -> None:
        """Take in rows that are each newer than all before in their series; `occurrence` counts within it."""
        series = rows.series
        place = (self._head[series] + occurrence) % self.rows
        flat = series * self.rows + place  # one flat index for all columns
        for column, new in self._ring._columns(rows):
            column.reshape(-1)[flat] = new  # of a place written twice the last one stays, as numpy promises
        self._head[series] = (place + 1) % self.rows
        self.newest[series] = rows.time
        np.maximum.at(self.arrival, series, rows.received)

    def replace(self, series: NDArray[np.int64], windows: Windows) -> None:
        """Put whole windows in the place of some series' memory."""
        ring = self._ring
        ring.time[series] = windows.time
        ring.value[series] = windows.value
        ring.quality[series] = windows.quality
        ring.received[series] = windows.received
        self._head[series] = 0
        self.newest[series] = windows.time[:, -1]
        self.arrival[series] = windows.arrival()

    def load(self, rows: Rows) -> None:
        """Fill an empty memory with stored rows in any order."""
        order = np.lexsort((rows.time, rows.series))
        ordered = rows.take(order)
        self.append(ordered, occurrences(ordered.series))


def grouped_order(numbers: NDArray[Any]) -> NDArray[np.intp]:
    """An order by these whole numbers, from 0, that keeps equal ones as they stand.

    In 16 bits wherever they fit: numpy then sorts by radix, ten times faster.
    """
    narrow = numbers.astype(np.uint16) if numbers.max(initial=0) <= MOST_NARROW else numbers
    return np.argsort(narrow, kind="stable")


def occurrences(series: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row, how many rows of its series come before it."""
    order = grouped_order(series)
    grouped = series[order]
    starts = (
        np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]]) if len(series) else np.empty(0, np.int64)
    )
    lengths = np.diff(np.r_[starts, len(series)])
    result = np.empty(len(series), np.int64)
    result[order] = np.arange(len(series)) - np.repeat(starts, lengths)
    return result
