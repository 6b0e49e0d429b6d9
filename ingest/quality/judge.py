"""One step judged: the flags of its rows, and of the row before that one of them decides.

A row is judged once, when it comes, against the rows before it that were there then; the one exception is
the spike test, which waits for the next row (QARTOD manual, 3.3.1). What fails by its own value (`UNSOUND`)
is compared with nothing and is nobody's neighbour. Rate and spike are taken against readings that have not
failed, so that the good reading after a spike passes, and a jump that stays goes on failing until it is slow
enough or `RATE_LOOK` readings have failed: "verify now" tells of it. Pure; used by `appraiser`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ingest.model import Quality
from ingest.quality import qartod
from ingest.quality.flags import Flags, Test, calibrating, failed, mask, not_evaluated, with_flags
from ingest.quality.flat_line import find_lines, lasted
from ingest.quality.limits import RATE_LOOK, REACH_CADENCES, SPIKE_LOOK, Limits
from ingest.quality.lookback import NOTHING, UNSOUND, WRONG, Lookback, Step
from ingest.quality.neighbours import Neighbours
from ingest.quality.resets import Resets
from ingest.quality.rings import Lines, Rings
from ingest.quality.spikes import Spikes

Index = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LOOK = max(RATE_LOOK, 2 * SPIKE_LOOK)  # how many rows back spike and rate look
OUTLIER = mask(Test.GROSS_RANGE, Test.RATE_OF_CHANGE)
COVERAGE = 0.8  # of the window's readings, and of its time but for one cadence, must be there


@dataclass(frozen=True, slots=True)
class Judged:
    """The step's flags in the end, and as they were when each row came (`arrived`: a later row of the step
    may have decided a spike); which rows in memory (`address`) were decided and now have which flags; and
    the lines that end with the step's rows."""

    tests: Index
    arrived: Index
    address: Index
    decided: Index
    lines: Lines


class Judge:
    """One step against memory; `place` counts each row within its run."""

    def __init__(self, rings: Rings, limits: Limits, resets: Resets, step: Step, place: Index) -> None:
        self._limits, self._step, self._rings = limits, step, rings
        self._back = Lookback(rings, limits, resets, step, place)
        self._sound = ~failed(step.tests, UNSOUND) & ~calibrating(step.tests)
        self._lines = Lines.unknown(len(step))

    def judge(self) -> Judged:
        """All tests of all rows."""
        with np.errstate(invalid="ignore", over="ignore"):  # of values that are not finite nothing is said
            return self._judge()

    def _judge(self) -> Judged:
        back = self._back
        tests = self._gap(self._flat_line(self._step.tests))
        spikes = Spikes(back, self._limits, self._step, self._asked(self._limits.spike_on))
        tests, address, decided = self._spike_and_rate(tests, spikes)
        back.tests = tests
        tests = self._attenuated(tests)
        tests = Neighbours(self._rings, back, self._limits, self._step).judge(tests, self._sound)
        back.tests = tests
        tests = self._verify(tests)
        return Judged(tests, spikes.at_arrival(tests), address, decided, self._lines)

    def _asked(self, on: Mask, sound: bool = True) -> Index:
        asked = on[self._step.series]
        return np.flatnonzero(asked & self._sound if sound else asked)

    # -- tests that depend on no other row's flags

    def _gap(self, tests: Index) -> Index:
        rows = self._asked(self._limits.gap_on, sound=False)
        if not len(rows):
            return tests
        vantage, series = self._back.all.take(rows), self._step.series[rows]
        newest = vantage.newer == 0  # however long ago the one before is
        vantage = replace(vantage, floor=np.where(newest, self._step.floor[rows], vantage.floor))
        seconds = self._back.seconds(vantage, self._back.at(vantage, 1))
        limits = self._limits
        flags = qartod.gap(seconds, limits.cadence[series], limits.late[series], limits.missing[series])
        return with_flags(tests, rows, Test.GAP, flags)

    def _flat_line(self, tests: Index) -> Index:
        limits, step, back = self._limits, self._step, self._back
        rows = self._asked(limits.flat_on, sound=False)
        if not len(rows):
            return tests
        series, value = step.series[rows], step.value[rows]
        tested = self._sound[rows] & ~step.doubted[rows] & (value >= limits.above[series])
        seconds = np.full(len(rows), np.nan)
        vantage = back.all.take(rows[tested])
        lines = find_lines(back, limits, vantage, value[tested])
        seconds[tested] = lasted(back, vantage, lines)
        self._lines.put(rows[tested], lines)
        flags = qartod.flat_line(value, seconds, limits.flat_suspect[series], limits.flat_fail[series])
        return with_flags(tests, rows, Test.FLAT_LINE, flags)

    # -- spike and rate: each depends on which rows before have failed

    def _spike_and_rate(self, tests: Index, spikes: Spikes) -> tuple[Index, Index, Index]:
        """Judges all, then again the rows that look back on one that has since failed, or no longer has.

        That ends, since a row's flags depend on earlier rows' alone.
        """
        back, rated = self._back, self._asked(self._limits.rate_on)
        rate, flagged = not_evaluated(len(rated)), tests
        address = decided = np.empty(0, np.int64)
        asked, back.tests = np.ones(len(tests), np.bool_), tests
        while (len(spikes.rows) or len(rated)) and asked.any():
            spikes.judge(asked)
            again = asked[rated]
            rate[again] = self._rate(rated[again])
            before = address[failed(decided)]
            flagged, address, decided = spikes.put(tests)
            flagged = with_flags(flagged, rated, Test.RATE_OF_CHANGE, rate)
            asked = self._looking_back_on(failed(flagged) != failed(back.tests))
            if not np.array_equal(before, address[failed(decided)]):
                asked |= back.all.place < LOOK
            back.tests = flagged
            back.revise(address, decided)
        return self._unsound(flagged), address, decided

    def _looking_back_on(self, rows: Mask) -> Mask:
        """The rows that may look back on one of these."""
        edges = np.zeros(len(rows) + LOOK + 1, np.int64)
        at = np.flatnonzero(rows)
        edges[at + 1] += 1
        edges[at + LOOK + 1] -= 1
        return np.asarray(np.cumsum(edges)[: len(rows)] > 0, np.bool_)

    def _unsound(self, tests: Index) -> Index:
        """Rows that failed by their own value were not compared with others."""
        for test, on in ((Test.SPIKE, self._limits.spike_on), (Test.RATE_OF_CHANGE, self._limits.rate_on)):
            rows = np.flatnonzero(on[self._step.series] & ~self._sound)
            if len(rows):
                tests = with_flags(tests, rows, test, not_evaluated(len(rows)))
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
        tested = self._sound[rows] & ~self._step.doubted[rows]
        spread[tested] = self._spread(rows[tested])
        flags = qartod.attenuated_signal(self._step.value[rows], spread, limits.least_spread[series])
        return with_flags(tests, rows, Test.ATTENUATED_SIGNAL, flags)

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
            flags = back.flags(address)
            counted = ~failed(flags, WRONG) & ~calibrating(flags)
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
        return with_flags(
            tests, rows[agree], Test.VERIFY, np.full(int(agree.sum()), Quality.SUSPECT, np.int8)
        )
