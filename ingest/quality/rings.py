"""The newest rows of every series that has tests, each series with as many places as its tests need.

Promises that what can be seen of a series is a function of the set of its stored rows, late ones included:
the newest `rows` of them. 24 bytes a place. An *address* is a place in the flat columns. Rows with the time
of a row that is there already are not expected: duplicates have left before. Pure; used by `appraiser`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.memory import NEVER, occurrences

Index = NDArray[np.int64]
Times = NDArray[np.int64]
Floats = NDArray[np.float64]

UNKNOWN = np.iinfo(np.int64).max  # when a line began


@dataclass(slots=True)
class Lines:
    """By row or by series: since when readings lie within the tolerance, and their highest and lowest."""

    start: Index
    high: Floats
    low: Floats

    @classmethod
    def unknown(cls, count: int) -> Lines:
        return cls(np.full(count, UNKNOWN), np.zeros(count), np.zeros(count))

    def take(self, rows: Index) -> Lines:
        return Lines(self.start[rows], self.high[rows], self.low[rows])

    def put(self, rows: Index, lines: Lines) -> None:
        self.start[rows], self.high[rows], self.low[rows] = lines.start, lines.high, lines.low


class Rings:
    """Ring buffers of different lengths in flat columns: `time` microseconds, `value`, packed `tests`.

    `newest` is each series' newest time (`NEVER` before the first), `count` how many rows it has.
    """

    def __init__(self, rows: Index, kept: Index | None = None) -> None:
        """Empty rings of `rows` places per series; only the series `kept` get places at all."""
        self.rows = rows
        places = rows if kept is None else np.zeros_like(rows)
        if kept is not None:
            places[kept] = rows[kept]
        self.base = np.cumsum(places) - places
        self.head = np.zeros(len(rows), np.int64)  # where the next row is written
        self.count = np.zeros(len(rows), np.int64)
        self.newest = np.full(len(rows), NEVER)
        self.lines = Lines.unknown(len(rows))
        size = int(places.sum())
        self.time = np.full(size, NEVER)
        self.value = np.full(size, np.nan)
        self.tests = np.zeros(size, np.int64)

    def __len__(self) -> int:
        """The number of places, which is the first address that is none."""
        return len(self.time)

    @property
    def nbytes(self) -> int:
        """The bytes that all columns take."""
        by_series = (self.rows, self.base, self.head, self.count, self.newest)
        cache = (self.lines.start, self.lines.high, self.lines.low)
        return sum(column.nbytes for column in (*self._columns(), *by_series, *cache))

    def _columns(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        return self.time, self.value, self.tests

    def address(self, series: Index, back: Index) -> Index:
        """Where the `back`-th newest row of each series is, 1 for the newest; anything when there is none."""
        place = self.head[series] - back
        return np.asarray(self.base[series] + place + self.rows[series] * (place < 0), np.int64)

    def append(
        self,
        series: Index,
        place: Index,
        time: Times,
        value: Floats,
        tests: Index,
        lines: Lines | None = None,
    ) -> None:
        """Take in runs of rows: sorted by series, in time order, newer than all before, `place` from 0."""
        length = np.bincount(series, minlength=len(self.rows))
        last = place >= length[series] - self.rows[series]  # the others would be overwritten at once
        kept = series[last]
        at = self.base[kept] + (self.head[kept] + place[last]) % self.rows[kept]
        for column, new in zip(self._columns(), (time, value, tests), strict=True):
            column[at] = new[last]
        self.head = (self.head + length) % self.rows
        self.count = np.minimum(self.count + length, self.rows)
        end = np.flatnonzero(np.r_[series[1:] != series[:-1], True]) if len(series) else np.empty(0, np.int64)
        self.newest[series[end]] = time[end]
        self.lines.put(series[end], lines.take(end) if lines else Lines.unknown(len(end)))

    def newer_than(self, series: Index, time: Times) -> Index:
        """How many rows of each series are newer than a time."""
        newer = np.zeros(len(series), np.int64)
        late = np.flatnonzero(self.newest[series] > time)
        low, high = newer[late] + 1, self.count[series[late]]  # at least one; bisect
        while (low < high).any():
            middle = (low + high + 1) // 2
            is_newer = self.time[self.address(series[late], middle)] > time[late]
            low, high = np.where(is_newer, middle, low), np.where(is_newer, high, middle - 1)
        newer[late] = low
        return newer

    def insert(self, series: Index, newer: Index, time: Times, value: Floats, tests: Index) -> None:
        """Take in one late row per series, of which `newer` rows are newer, unless it is out of reach."""
        reached = newer < self.rows[series]
        series, newer = series[reached], newer[reached]
        self.lines.put(series, Lines.unknown(len(series)))
        self.head[series] = (self.head[series] + 1) % self.rows[series]
        self.count[series] = np.minimum(self.count[series] + 1, self.rows[series])
        moving = np.repeat(series, newer)
        back = np.arange(len(moving)) - np.repeat(np.cumsum(newer) - newer, newer) + 1
        to, source = self.address(moving, back), self.address(moving, back + 1)
        at = self.address(series, newer + 1)
        for column, new in zip(self._columns(), (time, value, tests), strict=True):
            column[to] = column[source]  # read whole before it is written
            column[at] = new[reached]

    def load(self, series: Index, time: Times, value: Floats, tests: Index) -> None:
        """Fill empty rings with stored rows in any order."""
        order = np.lexsort((time, series))
        series = series[order]
        self.append(series, occurrences(series), time[order], value[order], tests[order])

    def copy_of(self, series: Index) -> Rings:
        """Rings of the same numbering that hold the rows of some series only."""
        copy = Rings(self.rows, series)
        to, source = copy._places(series), self._places(series)
        for mine, theirs in zip(copy._columns(), self._columns(), strict=True):
            mine[to] = theirs[source]
        for name in ("head", "count", "newest"):
            getattr(copy, name)[series] = getattr(self, name)[series]
        copy.lines.put(series, self.lines.take(series))
        return copy

    def replace(self, series: Index, other: Rings) -> None:
        """Put the rows that `other`, of the same numbering, has of some series in the place of ours."""
        to, source = self._places(series), other._places(series)
        for mine, theirs in zip(self._columns(), other._columns(), strict=True):
            mine[to] = theirs[source]
        for name in ("head", "count", "newest"):
            getattr(self, name)[series] = getattr(other, name)[series]
        self.lines.put(series, other.lines.take(series))

    def _places(self, series: Index) -> Index:
        """All addresses of some series, series after series."""
        rows = self.rows[series]
        within = np.arange(int(rows.sum())) - np.repeat(np.cumsum(rows) - rows, rows)
        return np.repeat(self.base[series], rows) + within
