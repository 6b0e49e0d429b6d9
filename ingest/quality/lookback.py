"""What each row of a step can see of the rows before it: those in memory and those in the step itself.

A *step* holds, of each series, either rows in time order that are newer than all before, or one late row.
An address below `len(rings)` is a place in memory, one above it a row of the step; -1 is nothing. Pure; used
by `judge`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.memory import NEVER
from ingest.quality.flags import Test, calibrating, failed, mask
from ingest.quality.limits import Limits
from ingest.quality.qartod import within
from ingest.quality.resets import Resets
from ingest.quality.rings import Lines, Rings

Index = NDArray[np.int64]
Times = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

NOTHING = -1
AFTER = 0  # the lag of the row after a late one
UNSOUND = mask(Test.GROSS_RANGE, Test.SENSOR)  # what a row's value alone, or its sensor, says
WRONG = mask(Test.GROSS_RANGE, Test.SENSOR, Test.SPIKE, Test.RATE_OF_CHANGE)  # the value is not the water's


@dataclass(frozen=True, slots=True)
class Step:
    """Rows sorted by series and, within it, in order of arrival.

    `order`: each row's place in the batch. `tests`: what a row's value alone says, packed. `doubted`: it is
    suspect already, as is what a sensor repeats that is under water. `floor` and `ceiling`: the installations
    before and after, which hide what lies beyond them.
    """

    series: Index
    time: Times
    value: Floats
    order: Index
    tests: Index
    doubted: Mask
    floor: Times
    ceiling: Times

    def __len__(self) -> int:
        return len(self.series)

    def take(self, rows: NDArray[np.int64] | Mask) -> Step:
        return Step(
            self.series[rows],
            self.time[rows],
            self.value[rows],
            self.order[rows],
            self.tests[rows],
            self.doubted[rows],
            self.floor[rows],
            self.ceiling[rows],
        )


@dataclass(frozen=True, slots=True)
class Vantage:
    """Points to look back from: `place` in its run, `newer` rows of memory that lie after it, `index` in the
    step, `floor`: how far back it may see."""

    series: Index
    place: Index
    newer: Index
    index: Index
    time: Times
    floor: Times

    def __len__(self) -> int:
        return len(self.series)

    def take(self, rows: NDArray[np.int64] | Mask) -> Vantage:
        return Vantage(
            self.series[rows],
            self.place[rows],
            self.newer[rows],
            self.index[rows],
            self.time[rows],
            self.floor[rows],
        )


class Lookback:
    """Memory and step as one. `tests` are the step's flags so far; `revise` changes some in memory's view."""

    def __init__(self, rings: Rings, limits: Limits, resets: Resets, step: Step, place: Index) -> None:
        self.rings, self._limits, self._resets, self._step = rings, limits, resets, step
        self.tests = step.tests
        self._revised = np.empty(0, np.int64)
        self._revision = np.empty(0, np.int64)
        self._runs = bool(place.any())
        series = step.series
        newer = rings.newer_than(series, step.time) if len(series) else np.empty(0, np.int64)
        floor = np.maximum(step.floor, np.maximum(rings.newest[series], step.time) - limits.span[series])
        self.all = Vantage(series, place, newer, np.arange(len(series)), step.time, floor)

    def newest(self, series: Index) -> Vantage:
        """The points of the newest rows in memory; whoever asks sees to it that there are any."""
        time = self.rings.newest[series]
        nothing = np.zeros(len(series), np.int64)
        span = self._limits.span[series]
        floor = np.maximum(self._resets.floor(series, time), np.maximum(time, NEVER + span) - span)
        return Vantage(series, nothing, nothing + 1, nothing - 1, time, floor)

    def revise(self, address: Index, tests: Index) -> None:
        """Look at rows in memory as if they had these flags."""
        order = np.argsort(address)
        self._revised, self._revision = address[order], tests[order]

    def at(self, vantage: Vantage, lag: Index | int) -> Index:
        """The row `lag` before each point, or `NOTHING`; lag 0 of a late row is the row after it."""
        series, rings = vantage.series, self.rings
        back = lag + vantage.newer  # in memory, 1 for the newest row there
        if self._runs:
            back = back - vantage.place
            of_step = back <= vantage.newer if lag is not AFTER else np.zeros(len(series), np.bool_)
            there = (lag + vantage.newer <= rings.rows[series]) & (of_step | (back <= rings.count[series]))
            address = np.where(of_step, len(rings) + vantage.index - lag, rings.address(series, back))
        else:
            there = back <= rings.count[series]
            address = rings.address(series, back)
        address[~there] = NOTHING
        address[self.time(address) < vantage.floor] = NOTHING
        return address

    def breaks_at_once(self, vantage: Vantage, value: Floats, tolerance: Floats) -> Mask:
        """The points whose row before is of their own run and differs from `value` by more than is tolerated.

        What `at` would say of them too, without a look at memory; most rows of a moving series are such.
        """
        inside = (vantage.place > 0) & (vantage.newer == 0)
        before = self._step.value[vantage.index - 1]
        return np.asarray(inside & ~within(np.abs(value - before), tolerance[vantage.series]), np.bool_)

    def block(self, vantage: Vantage, lag: int, size: int) -> Index:
        """The rows from `lag` on before each point, `size` of them: (size, points)."""
        return self.at(vantage, lag + np.arange(size)[:, None])

    def oldest(self, vantage: Vantage) -> Times:
        """The time of the oldest row that each point, at the start of its run, can see in memory."""
        rings, series = self.rings, vantage.series
        oldest = rings.time[rings.address(series, rings.count[series])]
        return np.asarray(np.maximum(oldest, vantage.floor), np.int64)

    def lines(self, series: Index) -> Lines:
        """What is remembered of the line that ends with the newest row in memory."""
        return self.rings.lines.take(series)

    def first(
        self, vantage: Vantage, lags: int, fit: Callable[[Index], Mask], after: Index | None = None
    ) -> tuple[Index, Index]:
        """Address and lag of the first row of the `lags` before (those beyond `after`) that fits."""
        found = np.full(len(vantage), NOTHING)
        lag = np.zeros(len(vantage), np.int64) if after is None else after.copy()
        left = np.arange(len(vantage))
        for _ in range(lags):
            lag[left] += 1
            address = self.at(vantage if len(left) == len(vantage) else vantage.take(left), lag[left])
            fits = (address != NOTHING) & fit(address)
            found[left[fits]] = address[fits]
            left = left[~fits & (address != NOTHING)]
            if not len(left):
                break
        return found, lag

    def time(self, address: Index) -> Times:
        """Times; arbitrary for `NOTHING`."""
        return self._column(self.rings.time, self._step.time, address)

    def value(self, address: Index) -> Floats:
        """Values; NaN for `NOTHING`."""
        value = self._column(self.rings.value, self._step.value, address)
        value[address == NOTHING] = np.nan
        return value

    def flags(self, address: Index) -> Index:
        """Packed flags; none for `NOTHING`."""
        tests = self._column(self.rings.tests, self.tests, address)
        tests[address == NOTHING] = 0
        if len(self._revised):
            at = np.minimum(np.searchsorted(self._revised, address), len(self._revised) - 1)
            tests = np.where(self._revised[at] == address, self._revision[at], tests)
        return tests

    def _column(self, memory: NDArray, fresh: NDArray, address: Index) -> NDArray:  # type: ignore[type-arg]
        size = len(self.rings)
        in_step = address >= size
        if not in_step.any():
            return memory.take(address, mode="clip") if size else np.zeros(address.shape, memory.dtype)
        if in_step.all():
            return fresh[address - size]
        column = memory.take(address, mode="clip")
        column[in_step] = fresh[address[in_step] - size]
        return column

    def seconds(self, vantage: Vantage, address: Index) -> Floats:
        """From a row to each point, in seconds; NaN for `NOTHING`."""
        seconds = (vantage.time - self.time(address)) / 1e6
        seconds[address == NOTHING] = np.nan
        return seconds

    def sound(self, address: Index) -> Mask:
        """Rows whose value alone does not fail, nor was measured while somebody worked on the sensor."""
        flags = self.flags(address)
        return ~failed(flags, UNSOUND) & ~calibrating(flags)

    def good(self, address: Index) -> Mask:
        """Rows that have not failed in any way, nor were measured while somebody worked on the sensor."""
        flags = self.flags(address)
        return ~failed(flags) & ~calibrating(flags)
