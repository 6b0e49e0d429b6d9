"""The alert engine: stored rows and the passing of time in, told events and changed conditions out.

Promises:

- The events are a function of the rows in the order in which they were stored, and of the ticks between
  them: how the rows were batched, and where the service was restarted, changes nothing.
- `evaluate` changes nothing either; `adopt` makes its outcome the state, after COMMIT.
- Only a row that is newer than all before in its series is judged. A late one joins the memory and is silent.
- A rule that fails leaves its targets as they were, is told of once, and stops no other rule.

It does no I/O and reads no clock. Most rows are *quiet*: no rule could change its mind on them; they cost a
few array operations. The others are judged in rounds: the first such row of each series, then the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from alerts.evaluation import EngineState, Evaluation, Outcome
from alerts.model import Condition, Event
from alerts.rules.book import RESERVED, Rule
from alerts.rules.kind import HOUR
from alerts.rules.table import RuleTable
from ingest.memory import Rows, SeriesMemory
from ingest.model import Changes, ObservationBatch

LEAST_ROWS = 8  # of memory, for the evidence that events carry


class Engine:
    """The rules of a catalogue over its datastreams; `rules` must be numbered by the database."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        watched = [rule for rule in rules if rule.plans]
        plans = [plan for rule in watched for _, plan in rule.plans]
        numbers = sorted({target.number for rule in watched for target, _ in rule.plans})
        self.numbers = np.array(numbers, np.int64)  # the datastreams that any rule looks at
        self.memory_rows = max((plan.rows for plan in plans), default=LEAST_ROWS)
        self.memory_rows = max(self.memory_rows, LEAST_ROWS)
        self.memory_span = max((plan.memory for plan in plans), default=HOUR)
        series_of = {number: series for series, number in enumerate(numbers)}
        self._tables = tuple(RuleTable(rule, series_of) for rule in watched)
        self._state = self._blank()

    def load(
        self,
        stored: ObservationBatch,
        conditions: Sequence[Condition] = (),
        last_events: Mapping[str, Event] | None = None,
    ) -> None:
        """Forget all state and take it from the store: each series' newest rows, and every condition.

        `last_events`: the newest event of each open alert, by alert id.
        """
        state = self._blank()
        rows, _ = self._rows(stored)
        state.memory.load(rows)
        held = {
            (table.rule.id, target): (place, pair)
            for place, table in enumerate(state.tables)
            for target, pair in table.pairs.items()
        }
        for condition in conditions:
            found = held.get((condition.rule, condition.target))
            if found is not None:
                self._resume(state, *found, condition)
            elif condition.rule == RESERVED and self._still_ours(condition):
                state.ours[condition.target] = condition
            elif condition.alert_id is not None:
                state.orphans.append((condition, (last_events or {})[condition.alert_id]))
        self._state = state

    def evaluate(self, changes: Changes) -> Outcome:
        """What the rows and the moment come to; nothing is changed."""
        rows, index = self._rows(changes.inserted)
        rejudged = np.flatnonzero(np.isin(self.numbers, changes.rejudged)) if changes.rejudged else None
        evaluation = Evaluation(self._state, changes.moment, rows, index, rejudged)
        evaluation.revise()
        evaluation.rejudge()
        evaluation.take()
        if changes.moment.tick:
            evaluation.tick()
        return evaluation.outcome()

    def adopt(self, outcome: Outcome) -> None:
        """Make an outcome the state; only the outcome of the newest `evaluate`, and once."""
        state = self._state
        state.memory.append(outcome.quiet, outcome.quiet_occurrence)
        state.memory.replace(outcome.judged, outcome.windows)
        for place, columns in outcome.columns.items():
            state.columns[place] = columns
        state.ours.update(outcome.ours)
        state.revisions.clear()
        state.orphans.clear()

    def _blank(self) -> EngineState:
        memory = SeriesMemory(len(self.numbers), self.memory_rows, self.memory_span)
        return EngineState(self._tables, memory, [table.columns() for table in self._tables])

    def _rows(self, batch: ObservationBatch) -> tuple[Rows, NDArray[np.int64]]:
        """The rows of watched series, and their places in the batch."""
        if not len(self.numbers):
            return Rows.of(batch, np.empty(0, np.int64), np.empty(0, np.int64)), np.empty(0, np.int64)
        series = np.searchsorted(self.numbers, batch.datastream)
        series[series == len(self.numbers)] = 0
        index = np.flatnonzero(self.numbers[series] == batch.datastream)
        return Rows.of(batch, series[index], index), index

    def _resume(self, state: EngineState, place: int, pair: int, condition: Condition) -> None:
        state.columns[place].put(pair, condition)
        if condition.level and condition.rule_version != state.tables[place].rule.versions[pair]:
            state.revisions.append((place, pair))

    def _still_ours(self, condition: Condition) -> bool:
        """Whether an alert about a rule still speaks of the rule as it is."""
        return any(
            table.rule.id == condition.target and table.version == condition.rule_version
            for table in self._tables
        )
