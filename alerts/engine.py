"""The alert engine: stored rows and the passing of time in, told events and changed conditions out.

Promises:

- The events are a function of the rows in the order in which they were stored, and of the ticks between
  them: how the rows were batched, and where the service was restarted, changes nothing.
- `evaluate` changes nothing either; `adopt` makes its outcome the state, after COMMIT.
- Only a row that is newer than all before in its series moves a condition. A late one joins the memory; where
  it completes what the newest row shows, an alert is raised as learnt late. It never lowers or ends one.
- A rule that fails leaves its targets as they were, is told of once, and stops no other rule.

It does no I/O and reads no clock. Most rows are *quiet*: no rule could change its mind on them; they cost a
few array operations. The others are judged in rounds: see `alerts.evaluation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alerts.changed import end_orphans, revise_versions
from alerts.evaluation import Evaluation
from alerts.links import Links
from alerts.model import SIGHT, Condition, Event
from alerts.rules.book import RESERVED, Rule
from alerts.rules.kind import HOUR, ArrivalKind
from alerts.rules.table import RuleTable
from alerts.staging import EngineState, Outcome
from alerts.ticks import Tick
from ingest.memory import Rows, SeriesMemory
from ingest.model import Changes, ObservationBatch

LEAST_ROWS = 8  # of memory, for the evidence that events carry


class Engine:
    """The rules of a catalogue over its datastreams; `rules` must be numbered by the database."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        watched = _led([rule for rule in rules if rule.plans])
        plans = [plan for rule in watched for _, plan in rule.plans]
        numbers = sorted({target.number for rule in watched for target, _ in rule.plans})
        self.numbers = np.array(numbers, np.int64)  # the datastreams that any rule looks at
        self.memory_rows = max((plan.rows for plan in plans), default=LEAST_ROWS)
        self.memory_rows = max(self.memory_rows, LEAST_ROWS)
        self.memory_span = max((plan.memory for plan in plans), default=HOUR)
        series_of = {number: series for series, number in enumerate(numbers)}
        self._tables = tuple(RuleTable(rule, series_of) for rule in watched)
        self._places = {
            (table.rule.id, key): (place, pair)
            for place, table in enumerate(self._tables)
            for key, pair in table.pairs.items()
        }
        self._links = Links.of(self._tables, len(numbers))
        self._state = self._blank()

    @property
    def rules(self) -> set[str]:
        """The ids of the rules that watch anything."""
        return {table.rule.id for table in self._tables}

    def load(
        self,
        stored: ObservationBatch,
        conditions: Sequence[Condition] = (),
        last_events: Mapping[str, Event] | None = None,
    ) -> None:
        """Forget all state and take it from the store: each series' newest rows, and every condition.

        `last_events`: the newest event of each of the `orphans`, by alert id.
        """
        state = self._blank()
        rows, _ = self._rows(stored)
        state.memory.load(rows)
        for condition in conditions:
            place = self._places.get((condition.rule, condition.target))
            if place is not None:
                self._resume(state, *place, condition)
            elif self._still_ours(condition):
                state.ours[condition.target] = condition
            elif condition.alert_id is not None:
                state.orphans.append((condition, (last_events or {})[condition.alert_id]))
        self._state = state

    def orphans(self, conditions: Iterable[Condition]) -> list[Condition]:
        """Those of open alerts whose rule or target is gone; `load` must be given their newest events."""
        return [
            one
            for one in conditions
            if one.alert_id is not None
            and (one.rule, one.target) not in self._places
            and not self._still_ours(one)
        ]

    def evaluate(self, changes: Changes) -> Outcome:
        """What the rows and the moment come to; nothing is changed."""
        rows, index = self._rows(changes.inserted)
        rejudged = np.flatnonzero(np.isin(self.numbers, changes.rejudged)) if changes.rejudged else None
        evaluation = Evaluation(self._state, changes.moment, rows, index, rejudged)
        end_orphans(evaluation.staging)
        revise_versions(evaluation.staging, evaluation.window)
        evaluation.rejudge()
        evaluation.take()
        if changes.moment.tick:
            Tick(evaluation).judge()
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
        return EngineState(self._tables, memory, [table.columns() for table in self._tables], self._links)

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
        """Whether an alert about ourselves still speaks of what there is: our sight, or a rule as it
        stands."""
        if condition.rule != RESERVED:
            return False
        return condition.target == SIGHT or any(
            table.rule.id == condition.target and table.version == condition.rule_version
            for table in self._tables
        )


def _led(rules: Sequence[Rule]) -> list[Rule]:
    """The rules, those of silence with the gateways of their targets before them, each gateway once for a
    rule."""
    found: list[Rule] = []
    known: set[tuple[str, str]] = set()
    for rule in rules:
        if isinstance(rule.kind, ArrivalKind):
            gateways = [one for one in rule.kind.gateways(rule.plans) if (rule.id, one[0].key) not in known]
            known.update((rule.id, target.key) for target, _ in gateways)
            versions = (*rule.versions[:1] * len(gateways), *rule.versions)
            rule = replace(rule, plans=(*gateways, *rule.plans), versions=versions)
        found.append(rule)
    return found
