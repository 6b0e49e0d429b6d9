"""One step judged: the flags of its rows, and of the row before that one of them decides.

A row is judged once, when it comes, against the rows before it that were there then; the one exception is
the spike test, which waits for the next row (QARTOD manual, 3.3.1). What fails by its own value (`UNSOUND`)
is compared with nothing and is nobody's neighbour. Rate and spike are taken against readings that have not
failed, so that the good reading after a spike passes, and a jump that stays goes on failing until it is slow
enough or `RATE_LOOK` readings have failed: "verify now" tells of it. Pure; used by `appraiser`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.model import Quality
from ingest.quality import qartod
from ingest.quality.flags import Flags, Test, failed, mask, set_flag, unpack, worst
from ingest.quality.flat_line import find_lines, lasted
from ingest.quality.limits import RATE_LOOK, REACH_CADENCES, SPIKE_LOOK, Limits
from ingest.quality.lookback import AFTER, NOTHING, UNSOUND, Lookback, Step, Vantage
from ingest.quality.resets import Resets
from ingest.quality.rings import Lines, Rings

Index = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WRONG = mask(Test.GROSS_RANGE, Test.SENSOR, Test.SPIKE, Test.RATE_OF_CHANGE)  # the value is not the water's
OUTLIER = mask(Test.GROSS_RANGE, Test.RATE_OF_CHANGE)
BEFORE_SPIKE = mask(Test.GROSS_RANGE, Test.SENSOR, Test.RATE_OF_CHANGE, Test.FLAT_LINE)
COVERAGE = 0.8  # of the window's readings, and of its time but for one cadence, must be there
TREND_SLACK = 1.5  # a trend over 1 h may be taken over up to 1.5 h, where readings are late


@dataclass(frozen=True, slots=True)
class Judged:
    """The step's flags, which rows in memory (`address`) were decided and now have which flags, and the
    lines that end with the step's rows."""

    tests: Index
    address: Index
    decided: Index
    lines: Lines


class Judge:
    """One step against memory; `place` counts each row within its run."""

    def __init__(self, rings: Rings, limits: Limits, resets: Resets, step: Step, place: Index) -> None:
        self._limits, self._step, self._rings = limits, step, rings
        self._back = Lookback(rings, limits, resets, step, place)
        self._sound = ~failed(step.tests, UNSOUND)
        self._lines = Lines.unknown(len(step))

    def judge(self) -> Judged:
        """All tests of all rows."""
        with np.errstate(invalid="ignore", over="ignore"):  # of values that are not finite nothing is said
            return self._judge()

    def _judge(self) -> Judged:
        tests = self._gap(self._flat_line(self._step.tests))
        tests, address, decided = self._spike_and_rate(tests)
        self._back.tests = tests
        tests = self._attenuated(tests)
        tests = self._neighbour(tests)
        self._back.tests = tests
        return Judged(self._verify(tests), address, decided, self._lines)

    def _asked(self, on: Mask, sound: bool = True) -> Index:
        asked = on[self._step.series]
        return np.flatnonzero(asked & self._sound if sound else asked)

    # -- tests that depend on no other row's flags

    def _gap(self, tests: Index) -> Index:
        rows = self._asked(self._limits.gap_on, sound=False)
        if not len(rows):
            return tests
        vantage, series = self._back.all.take(rows), self._step.series[rows]
        seconds = self._back.seconds(vantage, self._back.at(vantage, 1))
        limits = self._limits
        flags = qartod.gap(seconds, limits.cadence[series], limits.late[series], limits.missing[series])
        return _with(tests, rows, Test.GAP, flags)

    def _flat_line(self, tests: Index) -> Index:
        limits, step, back = self._limits, self._step, self._back
        rows = self._asked(limits.flat_on, sound=False)
        if not len(rows):
            return tests
        series, value = step.series[rows], step.value[rows]
        tested = self._sound[rows] & ~step.saturated[rows] & (value >= limits.above[series])
        seconds = np.full(len(rows), np.nan)
        vantage = back.all.take(rows[tested])
        lines = find_lines(back, limits, vantage, value[tested])
        seconds[tested] = lasted(back, vantage, lines)
        self._lines.put(rows[tested], lines)
        flags = qartod.flat_line(value, seconds, limits.flat_suspect[series], limits.flat_fail[series])
        return _with(tests, rows, Test.FLAT_LINE, flags)

    # -- spike and rate: each depends on which rows before have failed

    def _spike_and_rate(self, tests: Index) -> tuple[Index, Index, Index]:
        """Repeats until nothing changes, which it does: a row's flags depend on earlier rows' alone."""
        spikes = _Spikes(self._back, self._limits, self._step, self._asked(self._limits.spike_on))
        rated = self._asked(self._limits.rate_on)
        empty = np.empty(0, np.int64)
        if not len(spikes.rows) and not len(rated):
            return self._unsound(tests), empty, empty
        self._back.tests, known = tests, (empty, empty)
        while True:
            flagged, address, decided = spikes.decide(tests)
            flagged = _with(flagged, rated, Test.RATE_OF_CHANGE, self._rate(rated))
            same = np.array_equal(flagged, self._back.tests)
            if same and np.array_equal(address, known[0]) and np.array_equal(decided, known[1]):
                return self._unsound(flagged), address, decided
            self._back.tests, known = flagged, (address, decided)
            self._back.revise(address, decided)

    def _unsound(self, tests: Index) -> Index:
        """Rows that failed by their own value were not compared with others."""
        for test, on in ((Test.SPIKE, self._limits.spike_on), (Test.RATE_OF_CHANGE, self._limits.rate_on)):
            rows = np.flatnonzero(on[self._step.series] & ~self._sound)
            if len(rows):
                tests = _with(tests, rows, test, _not_evaluated(len(rows)))
        return tests

    def _rate(self, rows: Index) -> Flags:
        back, limits = self._back, self._limits
        vantage, series = back.all.take(rows), self._step.series[rows]
        reference, _ = back.first(vantage, RATE_LOOK, back.good)
        return qartod.rate_of_change(
            self._step.value[rows],
            back.value(reference),
            back.seconds(vantage, reference),
            limits.rate_suspect[series],
            limits.rate_fail[series],
            limits.rate_least[series],
        )

    # -- tests that leave out what has failed

    def _attenuated(self, tests: Index) -> Index:
        limits = self._limits
        rows = self._asked(limits.quiet_on, sound=False)
        if not len(rows):
            return tests
        series, spread = self._step.series[rows], np.full(len(rows), np.nan)
        tested = self._sound[rows] & ~self._step.saturated[rows]
        spread[tested] = self._spread(rows[tested])
        flags = qartod.attenuated_signal(self._step.value[rows], spread, limits.least_spread[series])
        return _with(tests, rows, Test.ATTENUATED_SIGNAL, flags)

    def _spread(self, rows: Index) -> Floats:
        """Range or standard deviation over (time - window, time]; NaN when too few readings are there."""
        back, limits = self._back, self._limits
        vantage, series, value = back.all.take(rows), self._step.series[rows], self._step.value[rows]
        high, low, count = np.zeros(len(rows)), np.zeros(len(rows)), np.ones(len(rows))
        total, squares = np.zeros(len(rows)), np.zeros(len(rows))  # of differences from the row itself
        oldest = vantage.time.copy()
        left, lag = np.arange(len(rows)), 0
        while len(left):
            lag += 1
            address = back.at(vantage.take(left), lag)
            inside = (address != NOTHING) & (
                back.time(address) > (vantage.time - limits.window[series])[left]
            )
            left, address = left[inside], address[inside]
            counted = ~failed(back.flags(address), WRONG)
            some, apart = left[counted], (back.value(address) - value[left])[counted]
            high[some], low[some] = np.maximum(high[some], apart), np.minimum(low[some], apart)
            total[some] += apart
            squares[some] += apart * apart
            count[some] += 1
            oldest[some] = back.time(address[counted])
        deviation = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0.0))
        window = limits.window[series]
        enough = (count >= COVERAGE * window / 1e6 / limits.cadence[series]) & (count > 1)
        enough &= vantage.time - oldest >= COVERAGE * window - limits.reach[series] / REACH_CADENCES
        spread = np.where(limits.by_std[series], deviation, high - low)
        enough |= ~limits.by_std[series] & (
            spread >= limits.least_spread[series]
        )  # it has moved enough already
        return np.where(enough, spread, np.nan)

    # -- other series

    def _neighbour(self, tests: Index) -> Index:
        limits, step = self._limits, self._step
        rows = self._asked(limits.neighbour_on, sound=False)
        if not len(rows):
            return tests
        flags = _not_evaluated(len(rows))
        sound = np.flatnonzero(self._sound[rows])
        asking = rows[sound]
        other, address = self._newest_of_neighbour(asking)
        near = (address != NOTHING) & (
            np.abs(other.time - step.time[asking]) <= limits.apart[step.series[asking]]
        )
        near &= ~failed(self._back.flags(address), BEFORE_SPIKE)
        sound, asking, other, address = sound[near], asking[near], other.take(near), address[near]
        series, value = step.series[asking], step.value[asking]
        by_value = np.isfinite(limits.difference[series])
        different = qartod.neighbour_difference(value, self._back.value(address), limits.difference[series])
        different[~by_value] = Quality.NOT_EVALUATED
        here = self._trend(self._back.all.take(asking), value, limits.over[series])
        there = self._trend(other, self._back.value(address), limits.over[series])
        opposite = qartod.neighbour_trend(here, there, limits.trend[series])
        opposite[~np.isfinite(limits.trend[series])] = Quality.NOT_EVALUATED
        flags[sound] = worst(different, opposite)
        return _with(tests, rows, Test.NEIGHBOUR, flags)

    def _newest_of_neighbour(self, rows: Index) -> tuple[Vantage, Index]:
        """The newest row of each row's neighbour when the row came: in this step, or in memory."""
        step, back, size = self._step, self._back, len(self._rings)
        of = self._limits.of[step.series[rows]]
        most = int(step.order.max()) + 1
        in_order = np.flatnonzero(back.all.newer == 0)  # a late row is not the newest
        known = step.series[in_order] * most + step.order[in_order]
        place = np.searchsorted(known, of * most + step.order[rows]) - 1
        index = in_order[np.maximum(place, 0)] if len(in_order) else np.zeros(len(rows), np.int64)
        fresh = (place >= 0) & (step.series[index] == of)
        memory = back.newest(of)
        mine = back.all.take(index)
        vantage = Vantage(
            of,
            np.where(fresh, mine.place, memory.place),
            np.where(fresh, mine.newer, memory.newer),
            np.where(fresh, mine.index, memory.index),
            np.where(fresh, mine.time, memory.time),
            np.where(fresh, mine.floor, memory.floor),
        )
        stored = np.where(self._rings.count[of] > 0, self._rings.address(of, memory.newer), NOTHING)
        return vantage, np.where(fresh, size + index, stored)

    def _trend(self, vantage: Vantage, value: Floats, over: Index) -> Floats:
        """Change per hour since the newest reading at least `over` before, NaN when that is too long ago."""
        back = self._back
        found, left, lag = np.full(len(vantage), NOTHING), np.arange(len(vantage)), 0
        while len(left):
            lag += 1
            address = back.at(vantage.take(left), lag)
            left, address = left[address != NOTHING], address[address != NOTHING]
            old = (back.time(address) <= (vantage.time - over)[left]) & ~failed(back.flags(address), WRONG)
            found[left[old]] = address[old]
            left = left[~old]
        seconds = back.seconds(vantage, found)
        seconds[seconds > TREND_SLACK * over / 1e6] = np.nan
        return np.asarray((value - back.value(found)) / seconds * qartod.HOUR, np.float64)

    def _verify(self, tests: Index) -> Index:
        """The third reading in a row that fails range or rate and agrees with the two before it."""
        limits, back, step = self._limits, self._back, self._step
        rows = np.flatnonzero(limits.rate_on[step.series] & failed(tests, OUTLIER))
        if not len(rows):
            return tests
        vantage, series = back.all.take(rows), step.series[rows]
        limit = np.where(np.isfinite(limits.rate_fail), limits.rate_fail, limits.rate_suspect)[series]
        agree = np.ones(len(rows), np.bool_)
        value, time = step.value[rows], vantage.time
        for lag in (1, 2):
            address = back.at(vantage, lag)
            before, at = back.value(address), back.time(address)
            agree &= failed(back.flags(address), OUTLIER) & (time - at <= limits.reach[series])
            agree &= qartod.consistent(value, before, (time - at) / 1e6, limit, limits.rate_least[series])
            value, time = before, at
        return _with(tests, rows[agree], Test.VERIFY, np.full(int(agree.sum()), Quality.SUSPECT, np.int8))


class _Spikes:
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
        self._deciding = np.flatnonzero(near & (pending | (before >= len(back._rings))))
        self._before = before[self._deciding]

    def decide(self, tests: Index) -> tuple[Index, Index, Index]:
        """Flags of the step's rows, then addresses and flags of rows in memory that are now decided."""
        back, size = self._back, len(self._back._rings)
        if not len(self.rows):
            return tests, np.empty(0, np.int64), np.empty(0, np.int64)
        flags = self._own()
        tests = _with(tests, self.rows, Test.SPIKE, flags)
        decision = self._of_before()
        made = decision != Quality.NOT_EVALUATED
        address, decision = self._before[made], decision[made]
        fresh = address >= size
        tests = _with(tests, address[fresh] - size, Test.SPIKE, decision[fresh])
        stored = address[~fresh]
        return tests, stored, set_flag(back._rings.tests[stored], Test.SPIKE, decision[~fresh])

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
        own = len(back._rings) + vantage.index
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


def _with(tests: Index, rows: Index, test: Test, flags: Flags) -> Index:
    tests = tests.copy()
    tests[rows] = set_flag(tests[rows], test, flags)
    return tests


def _not_evaluated(rows: int) -> Flags:
    return np.full(rows, Quality.NOT_EVALUATED, np.int8)
