"""The spike test of a step: of its rows, and of the row before each. Pure; used by `judge`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.model import Quality
from ingest.quality import qartod
from ingest.quality.flags import Flags, Test, set_flag, unpack, with_flags
from ingest.quality.limits import SPIKE_LOOK, Limits
from ingest.quality.lookback import AFTER, NOTHING, Lookback, Step

Index = NDArray[np.int64]
Floats = NDArray[np.float64]


class Spikes:
    """The spike test of a step: of its rows, and of the row before each, for which it is the next one."""

    def __init__(self, back: Lookback, limits: Limits, step: Step, rows: Index) -> None:
        self.rows = rows
        self._back, self._limits, self._step = back, limits, step
        self._vantage = back.all.take(rows)
        self._reach = limits.reach[step.series[rows]]
        self._late = np.flatnonzero(self._vantage.newer > 0)
        before, self._lag = back.first(self._vantage, SPIKE_LOOK, back.sound)
        near = (before != NOTHING) & (self._vantage.time - back.time(before) <= self._reach)
        pending = unpack(back.flags(before), Test.SPIKE) == Quality.NOT_EVALUATED
        self._deciding = np.flatnonzero(near & (pending | (before >= len(back.rings))))
        self._before = before[self._deciding]

    def decide(self, tests: Index) -> tuple[Index, Index, Index]:
        """Flags of the step's rows, then addresses and flags of rows in memory that are now decided."""
        back, size = self._back, len(self._back.rings)
        if not len(self.rows):
            return tests, np.empty(0, np.int64), np.empty(0, np.int64)
        flags = self._own()
        tests = with_flags(tests, self.rows, Test.SPIKE, flags)
        decision = self._of_before()
        made = decision != Quality.NOT_EVALUATED
        address, decision = self._before[made], decision[made]
        fresh = address >= size
        tests = with_flags(tests, address[fresh] - size, Test.SPIKE, decision[fresh])
        stored = address[~fresh]
        return tests, stored, set_flag(back.rings.tests[stored], Test.SPIKE, decision[~fresh])

    def _own(self) -> Flags:
        """Each row itself: late ones have a next row; `differential` passes what has not jumped at once."""
        back, limits, series = self._back, self._limits, self._step.series[self.rows]
        value, time = self._step.value[self.rows], self._vantage.time
        before, _ = back.first(self._vantage, SPIKE_LOOK, back.good)
        before[(before != NOTHING) & (time - back.time(before) > self._reach)] = NOTHING
        jump = np.abs(value - back.value(before))
        calm = limits.differential[series] & (jump <= limits.spike_suspect[series])
        flags = np.where(calm, Quality.PASS, Quality.NOT_EVALUATED).astype(np.int8)
        late = self._late
        if len(late):
            after = self._after(late)
            decided = self._flags(series[late], before[late], value[late], time[late], after)
            flags[late] = np.where(after != NOTHING, decided, flags[late])
        return flags

    def _after(self, rows: Index) -> Index:
        """The row after each late one, in memory, unless it is unsound or too far."""
        back, step = self._back, self._step
        vantage = self._vantage.take(rows)
        after = back.at(vantage, AFTER)
        time = back.time(after)
        near = (time - vantage.time <= self._reach[rows]) & (time < step.ceiling[self.rows[rows]])
        return np.where((after != NOTHING) & near & back.sound(after), after, NOTHING)

    def _of_before(self) -> Flags:
        """The row before each, for which this one is the next."""
        back, deciding = self._back, self._deciding
        series = self._step.series[self.rows[deciding]]
        vantage, time = self._vantage.take(deciding), back.time(self._before)
        earlier, _ = back.first(vantage, SPIKE_LOOK, back.good, self._lag[deciding])
        earlier[(earlier != NOTHING) & (time - back.time(earlier) > self._reach[deciding])] = NOTHING
        own = len(back.rings) + vantage.index
        return self._flags(series, earlier, back.value(self._before), time, own)

    def _flags(self, series: Index, before: Index, value: Floats, time: Index, after: Index) -> Flags:
        back, limits = self._back, self._limits
        first, last = back.value(before), back.value(after)
        start, end = back.time(before), back.time(after)
        share = (time - start) / np.maximum(end - start, 1)
        amount = np.where(
            limits.differential[series],
            qartod.spike_differential(first, value, last),
            qartod.spike_average(first, value, last, share),
        )
        return qartod.spike(value, amount, limits.spike_suspect[series], limits.spike_fail[series])
