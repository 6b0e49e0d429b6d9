"""The spike test of a step: of its rows, and of the row before each. Pure; used by `judge`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.model import Quality
from ingest.quality import qartod
from ingest.quality.flags import Flags, Test, not_evaluated, set_flag, unpack, with_flags
from ingest.quality.limits import SPIKE_LOOK, Limits
from ingest.quality.lookback import AFTER, NOTHING, Lookback, Step

Index = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Spikes:
    """The spike test of a step: of its rows, and of the row before each, for which it is the next one."""

    def __init__(self, back: Lookback, limits: Limits, step: Step, rows: Index) -> None:
        self.rows = rows
        self._back, self._limits, self._step = back, limits, step
        self._vantage = back.all.take(rows)
        self._reach = limits.reach[step.series[rows]]
        before, self._lag = back.first(self._vantage, SPIKE_LOOK, back.sound)
        near = (before != NOTHING) & (self._vantage.time - back.time(before) <= self._reach)
        pending = unpack(back.flags(before), Test.SPIKE) == Quality.NOT_EVALUATED
        self._deciding = np.flatnonzero(near & (pending | (before >= len(back.rings))))
        self._before = before[self._deciding]
        self._own, self._verdict = not_evaluated(len(rows)), not_evaluated(len(self._deciding))

    def judge(self, asked: Mask) -> None:
        """Judge those rows of the step that are asked for, and the rows before them."""
        rows = np.flatnonzero(asked[self.rows])
        self._own[rows] = self._of_rows(rows)
        deciding = np.flatnonzero(asked[self.rows[self._deciding]])
        self._verdict[deciding] = self._of_before(deciding)

    def put(self, tests: Index) -> tuple[Index, Index, Index]:
        """The step's flags with those of this test; addresses and flags of decided rows in memory."""
        rings = self._back.rings
        tests = with_flags(tests, self.rows, Test.SPIKE, self._own)
        made = self._verdict != Quality.NOT_EVALUATED
        address, verdict = self._before[made], self._verdict[made]
        fresh = address >= len(rings)
        tests = with_flags(tests, address[fresh] - len(rings), Test.SPIKE, verdict[fresh])
        stored = address[~fresh]
        return tests, stored, set_flag(rings.tests[stored], Test.SPIKE, verdict[~fresh])

    def at_arrival(self, tests: Index) -> Index:
        """The step's flags as they were before a later row decided."""
        return with_flags(tests, self.rows, Test.SPIKE, self._own)

    def _of_rows(self, rows: Index) -> Flags:
        """Each row itself: late ones have a next row; `differential` passes what has not jumped at once."""
        back, limits, series = self._back, self._limits, self._step.series[self.rows[rows]]
        vantage, value = self._vantage.take(rows), self._step.value[self.rows[rows]]
        before, _ = back.first(vantage, SPIKE_LOOK, back.good)
        before[(before != NOTHING) & (vantage.time - back.time(before) > self._reach[rows])] = NOTHING
        jump = np.abs(value - back.value(before))
        calm = limits.differential[series] & (jump <= limits.spike_suspect[series])
        flags = np.where(calm, Quality.PASS, Quality.NOT_EVALUATED).astype(np.int8)
        late = np.flatnonzero(vantage.newer > 0)
        if len(late):
            after = self._after(rows[late])
            decided = self._flags(series[late], before[late], value[late], vantage.time[late], after)
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

    def _of_before(self, which: Index) -> Flags:
        """The row before each, for which this one is the next."""
        back, rows, address = self._back, self._deciding[which], self._before[which]
        vantage, time = self._vantage.take(rows), back.time(address)
        earlier, _ = back.first(vantage, SPIKE_LOOK, back.good, self._lag[rows])
        earlier[(earlier != NOTHING) & (time - back.time(earlier) > self._reach[rows])] = NOTHING
        own = len(back.rings) + vantage.index
        return self._flags(vantage.series, earlier, back.value(address), time, own)

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
