"""What rows say of the time before them, and how much of it lies in a window: sums, extremes, coverage.

An amount (rain since the reading before) and a difference of two counts both belong to an *interval* that
ends at a row. Windows add up whole intervals; of the one that a window's begin cuts, the share in time. No
result depends on rows outside its window, not even in the last bit. Pure; called by the kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.derive.kind import Bools, Floats, Ranks, Series, Times

Index = NDArray[np.intp]
# A reading half a cadence late has lost none before it; at twice the cadence one is missing.
REACH_IN_CADENCES = 1.5


@dataclass(frozen=True, slots=True)
class Segments:
    """Some runs of a column, `first` to before `last`; each is reduced by itself, so no run sees another."""

    first: Index
    last: Index

    def sums(self, values: Floats) -> Floats:
        """The sum of each run, 0 of an empty one."""
        return self._reduced(np.add, values, 0.0)

    def highest(self, values: Floats) -> Floats:
        """The highest of each run, NaN of an empty one."""
        return self._reduced(np.fmax, values, np.nan)

    def ranks(self, ranks: Ranks) -> Ranks:
        """The highest rank of each run, 0 of an empty one."""
        return self._reduced(np.maximum, ranks, np.int8(0))

    def _reduced(self, ufunc: np.ufunc, values: NDArray[Any], nothing: float | np.int8) -> NDArray[Any]:
        edges = np.empty(2 * len(self.first), np.intp)  # begin and end in turn, as reduceat takes them
        edges[::2], edges[1::2] = self.first, self.last
        padded = np.empty(len(values) + 1, values.dtype)  # an end may be the column's own
        padded[:-1], padded[-1] = values, nothing
        reduced = ufunc.reduceat(padded, edges)[::2]
        reduced[self.first >= self.last] = nothing
        return reduced


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals (start, end] in order, not overlapping. Times in microseconds.

    `rank`: of the rows behind it, 0 where it tells nothing; `sure`: what it tells is all that happened in it.
    `reach`: of an interval longer than this nobody can say what share lies in a part.
    """

    start: Times
    end: Times
    rank: Ranks
    sure: Bools
    reach: int

    def __len__(self) -> int:
        return len(self.end)

    def ends(self, index: Index) -> tuple[Index, Times, Times]:
        """The index kept within the column, and start and end there; an interval of no length for none."""
        if not len(self):
            return index, np.zeros(len(index), np.int64), np.zeros(len(index), np.int64)
        index = np.minimum(index, len(self) - 1)
        return index, self.start[index], self.end[index]

    def share(self, start: Times, end: Times, part: Times, cut: Bools) -> Floats:
        """Part by length where an interval is cut, else 0; 0 also of one that is longer than the reach."""
        length = end - start
        share = np.zeros(len(part))
        np.divide(part, length, out=share, where=cut & (length <= self.reach))
        return share

    @classmethod
    def before_each(cls, series: Series, ranks: Ranks, reach: int) -> Intervals:
        """Each row's own: since the row before it, counting or not, and at most `reach`."""
        end = series.time
        start = end - reach
        np.maximum(start[1:], end[:-1], out=start[1:])
        return cls(start, end, ranks, ranks > 0, reach)

    @classmethod
    def between(cls, time: Times, ranks: Ranks, sure: Bools, reach: int) -> Intervals:
        """From each row to the next; `ranks` and `sure` are those of the rows and of the intervals."""
        return cls(time[:-1], time[1:], np.maximum(ranks[:-1], ranks[1:]), sure, reach)


@dataclass(frozen=True, slots=True)
class Windows:
    """The intervals of some windows (begin, at]: those of `whole` lie wholly inside.

    `head` and `tail`: the shares of the intervals at `head_at` and `tail_at`, which the begin and the end
    cut; 0 where none is cut.
    """

    intervals: Intervals
    length: Times
    whole: Segments
    head: Floats
    head_at: Index
    tail: Floats
    tail_at: Index

    @classmethod
    def of(cls, intervals: Intervals, begin: Times, at: Times, closing: Bools | None = None) -> Windows:
        """Windows of `at - begin`; where `closing`, the interval that the end cuts takes part as well."""
        first = np.searchsorted(intervals.end, begin, "right")
        last = np.searchsorted(intervals.end, at, "right")
        head_at, start, end = intervals.ends(first)
        cut = (start < begin) & (begin < end) & (end <= at)
        head = intervals.share(start, end, end - begin, cut)
        tail_at, start, end = intervals.ends(last)
        if closing is None:
            tail = np.zeros(len(at))
        else:
            tail = intervals.share(
                start, end, at - np.maximum(start, begin), closing & (start < at) & (at < end)
            )
        whole = Segments(np.minimum(first + cut, last), last)
        return cls(intervals, at - begin, whole, head, head_at, tail, tail_at)

    def total(self, amount: Floats) -> Floats:
        """The sum of an amount per interval; those that tell nothing must have 0."""
        return self.whole.sums(amount) + self._parts(amount)

    def covered(self) -> Floats:
        """How much of each window sure intervals tell of, as a share."""
        sure = np.where(self.intervals.sure, self.intervals.end - self.intervals.start, 0)
        return np.asarray((self.whole.sums(sure) + self._parts(sure)) / self.length, np.float64)

    def rank(self) -> Ranks:
        """The highest rank of the intervals that took part."""
        ranks = self.intervals.rank
        if not len(ranks):
            return np.zeros(len(self.length), np.int8)
        head = ranks[self.head_at] * (self.head > 0)
        tail = ranks[self.tail_at] * (self.tail > 0)
        return np.maximum(self.whole.ranks(ranks), np.maximum(head, tail))

    def _parts(self, amount: NDArray[Any]) -> Floats | float:
        if not len(amount):
            return 0.0
        return np.asarray(amount[self.head_at] * self.head + amount[self.tail_at] * self.tail, np.float64)
