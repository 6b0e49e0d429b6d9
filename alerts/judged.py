"""The judge: what event time says of each alert, final once a series has passed it by the allowed lateness.

Promises:

- A row is *final* once its series' watermark has reached its time: the newest time less the lateness. Final
  rows are stepped through in the order of their times, with the machine that decides what is told, each with
  the window as of its own time and on its flag as it stands then. So the record is the same for any order of
  arrival within the lateness, for any cut into batches, and after any restart.
- A row that comes behind the watermark is too late for the record. It is remembered, may be part of later
  windows, is counted, and has nothing judged again.
- At most `waiting` rows of a series wait; one that sends so fast that more stand within the lateness (by the
  fastest cadence of the catalogue, doubled) has its oldest final before. Its lateness is shorter, and no row
  goes unjudged.
- Where the record and what was told differ, it says so by `late` and `revised` events: see `alerts.account`.
- A state that was held under another version of its rule begins again, and the record says so. A longer
  lateness takes nothing back; of a shorter one the rows between the two watermarks stay unjudged, once.

It does not judge silence or other rules of time, which have no event time, does no I/O and reads no clock.
Only values as they first came count: a derived result that is revised later is judged as first known.
A flag that a row decides of an earlier one counts from the earlier one's arrival within the same batch; that
cannot be told from its own place unless a gap of the lateness lies between the two.
Called by `alerts.sink`, beside the engine. Rows of series that neither the engine (`loud`) nor the judge
(`busy`) must look at one by one cost a few array operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from alerts.account import Account, JudgedCondition, Step
from alerts.episode import End
from alerts.judge_state import Judgement, JudgeState, Pair, opens
from alerts.judging import Judging
from alerts.model import Condition, Phase
from alerts.rules.book import Rule
from alerts.rules.kind import HOUR, MICROS, RowKind, rows_needed
from alerts.rules.table import RuleTable
from alerts.staging import Told
from ingest.memory import Rows, SeriesMemory, occurrences
from ingest.model import Changes, ObservationBatch

LEAST_ROWS = 8  # as the engine's windows have
WAITING_BOUND = 256  # rows of a series that wait: two hours of 30 s readings, 64 MB more at 10,000 series
CHUNK = 4_096  # series looked at together when state is loaded

Series = NDArray[np.int64]


class Judge:
    """The rules with an event time over their datastreams; `rules` must be numbered by the database.

    `lateness` in seconds, above 0.
    """

    def __init__(self, rules: Sequence[Rule], lateness: float) -> None:
        judged = [rule for rule in rules if rule.plans and isinstance(rule.kind, RowKind)]
        plans = [plan for rule in judged for _, plan in rule.plans]
        targets = [target for rule in judged for target, _ in rule.plans]
        self.numbers = np.array(sorted({target.number for target in targets}), np.int64)
        self.lateness = round(lateness * MICROS)
        self.rows = max([LEAST_ROWS, *(plan.rows for plan in plans)])  # of a window
        cadence = min((target.datastream.cadence for target in targets), default=lateness)
        self.waiting = min(WAITING_BOUND, 2 * rows_needed(lateness, cadence))
        self.memory_rows = self.rows + self.waiting
        self.memory_span = max((plan.memory for plan in plans), default=HOUR) + self.lateness
        places = {number: series for series, number in enumerate(self.numbers.tolist())}
        self._series_of = np.full(
            int(self.numbers.max(initial=-1)) + 2, -1
        )  # by number; the last is nobody's
        self._series_of[self.numbers] = np.arange(len(self.numbers))
        self._tables = tuple(RuleTable(rule, places) for rule in judged)
        self._state = self._blank()

    def load(
        self,
        stored: ObservationBatch,
        held: Iterable[JudgedCondition] = (),
        conditions: Iterable[Condition] = (),
    ) -> None:
        """Forget all state and take it from the store: rows with the flags that they have now, what the judge
        held, and the engine's conditions, by which open alerts are known that are older than the record."""
        state = self._blank()
        series = self._series(stored.datastream)
        index = np.flatnonzero(series >= 0)
        state.memory.load(Rows.of(stored, series[index], index))
        known = set()
        for condition in held:
            known.add((condition.rule, condition.target))
            self._resume(state, condition)
        for open_now in conditions:
            self._open(state, open_now, known)
        for first in range(0, len(self.numbers), CHUNK):
            chunk = np.arange(first, min(first + CHUNK, len(self.numbers)))
            windows = state.memory.gather(chunk)
            state.busy[chunk] = state.busy_among(chunk, windows, state.watermarks(windows), state.states)
        state.claims[[state.series_of(pair) for pair, one in state.accounts.items() if one.waiting]] = True
        state.busy |= state.claims
        self._state = state

    def evaluate(self, changes: Changes, loud: Series, told: Sequence[Told] = ()) -> Judgement:
        """What has become final with these rows, and what it says of what was told; nothing is changed.

        `loud`: the datastreams of rows that could change a target, or are not newer than all before in their
        series, and any others. `told`: the engine's events of this batch, with the place of the row that
        each came of.
        """
        batch, state = changes.inserted, self._state
        series = self._series(batch.datastream)
        own = self._judged_of(told)
        attended = np.append(state.busy, False)  # the last is nobody's
        asked = [
            state.series_of(pair) for pair in (*(pair for _, pair in own), *(p for p, _ in state.restarts))
        ]
        attended[asked] = True
        for numbers in (loud, changes.revised.datastream):
            attended[self._series(numbers)] = True
        judged = (series >= 0) & attended[series]
        quiet = np.flatnonzero((series >= 0) & ~judged)
        rows = Rows.of(batch, series[quiet], quiet)
        index = np.flatnonzero(judged)
        revised = self._series(changes.revised.datastream)
        others = np.array([*asked, *revised[revised >= 0].tolist()], np.int64)
        judging = Judging(state, changes.moment.now, Rows.of(batch, series[index], index), index, others)
        judging.revise(revised, changes.revised)
        judging.hear(own)
        judging.restart()
        judging.take()
        return judging.outcome(rows, _occurrences(rows.series))

    def adopt(self, judgement: Judgement) -> None:
        """Make a judgement the state; only that of the newest `evaluate`, and once."""
        state = self._state
        state.memory.append(judgement.quiet, judgement.quiet_occurrence)
        state.memory.replace(judgement.judged, judgement.windows)
        state.busy[judgement.judged] = judgement.busy
        state.claims[judgement.judged] = judgement.claims
        for rule, columns in judgement.states.items():
            state.states[rule] = columns
        state.ends.update(judgement.ends)
        for place, account in judgement.accounts.items():
            state.keep(place, account)
        state.restarts.clear()
        state.removed.clear()

    def _blank(self) -> JudgeState:
        count = len(self.numbers)
        memory = SeriesMemory(count, self.memory_rows, self.memory_span)
        states = [table.columns().state for table in self._tables]
        busy, claims = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        return JudgeState(self.lateness, self.rows, self._tables, memory, states, busy, claims)

    def _series(self, numbers: NDArray[np.integer]) -> Series:
        """The series of datastreams, -1 for those that no rule judges."""
        return np.asarray(self._series_of[np.minimum(numbers, len(self._series_of) - 1)], np.int64)

    def _place(self, rule: str, target: str) -> Pair | None:
        for place, table in enumerate(self._tables):
            if table.rule.id == rule and target in table.pairs:
                return place, table.pairs[target]
        return None

    def _judged_of(self, told: Iterable[Told]) -> list[tuple[Told, Pair]]:
        """What says at which level a target that is judged stands."""
        named = [(one, self._place(one.event.rule, one.event.target)) for one in told if opens(one.event)]
        return [(one, pair) for one, pair in named if pair is not None]

    def _resume(self, state: JudgeState, condition: JudgedCondition) -> None:
        place = self._place(condition.rule, condition.target)
        if place is None:
            if condition.phase is not Phase.INACTIVE:
                state.removed.append(condition)
            return
        rule, pair = place
        if condition.ordinal:
            state.ends[place] = End(condition.ordinal, condition.hash)
        state.keep(place, condition.account)
        if condition.rule_version == state.tables[rule].rule.versions[pair]:
            state.put(place, condition)
        elif condition.phase is not Phase.INACTIVE or condition.account.waiting:
            state.restarts.append((place, condition))

    def _open(self, state: JudgeState, condition: Condition, known: set[tuple[str, str]]) -> None:
        """An alert that was open before there was a record."""
        place = self._place(condition.rule, condition.target)
        if place is None or (condition.rule, condition.target) in known:
            return
        if condition.level and condition.opened_at is not None:
            step = Step(condition.opened_at, condition.level, condition.alert_id or "")
            state.accounts[place] = Account(told=(step,))


def _occurrences(series: Series) -> Series:
    """As `occurrences`, several times faster where each series has one row, as most batches have."""
    if np.bincount(series).max(initial=0) < 2:
        return np.zeros(len(series), np.int64)
    return occurrences(series)
