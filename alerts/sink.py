"""The alert engine in the observations' own transaction: what the pipeline is given as a `Sink`.

Promises that conditions, the judged record and told events are written by the cursor that stores the rows
they come from, the events last. Reads its state back from the database at start and whenever a commit's
outcome was in doubt. What fails in the judge stops no alert: the record then stands still until the next
start. Called by the writer, from one thread at a time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import psycopg
from prometheus_client import Counter

from alerts import episode_store, store
from alerts.engine import Engine
from alerts.judge_state import Judgement, in_order
from alerts.judged import Judge
from alerts.model import Condition, Event
from alerts.staging import Outcome
from ingest.model import Changes
from ingest.store import read

log = logging.getLogger(__name__)

EVENTS = Counter("huewatch_alert_events", "Told alert events, committed.", ["kind"])
RULE_FAILURES = Counter(
    "huewatch_alert_rule_failures", "Evaluations that a rule failed in, committed.", ["rule"]
)
ENTRIES = Counter("huewatch_judged_entries", "Entries of the judged record, committed.", ["kind"])
TOO_LATE = Counter("huewatch_judged_rows_too_late", "Readings that came too late for the judged record.")
JUDGE_FAILURES = Counter("huewatch_judge_failures", "Times that the judged record came to stand still.")
METRICS = (EVENTS, RULE_FAILURES, ENTRIES, TOO_LATE, JUDGE_FAILURES)


@dataclass(frozen=True, slots=True)
class Decided:
    """What a batch came to: all events in the order of their rows, and what engine and judge adopt."""

    events: tuple[Event, ...]
    told: Outcome
    judged: Judgement | None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.told.conditions


class AlertSink:
    """`ingest.model.Sink` over one engine, and the judge beside it if any; the rules of both are numbered for
    this database."""

    def __init__(self, engine: Engine, judge: Judge | None = None) -> None:
        self._engine = engine
        self._judge = judge
        self._judging = judge is not None
        for rule in engine.rules:  # a count that begins with its first 1 is no rise to whoever watches it
            RULE_FAILURES.labels(rule)

    def rebuild(self, connection: psycopg.Connection[Any]) -> None:
        """Read the windows and the conditions; everything held in memory is forgotten."""
        engine = self._engine
        stored = read.recent(connection, engine.numbers.tolist(), engine.memory_span, engine.memory_rows)
        conditions = store.conditions(connection)
        orphans = [one.alert_id for one in engine.orphans(conditions) if one.alert_id]
        engine.load(stored, conditions, store.last_told(connection, orphans))
        if self._judge is not None:
            held = episode_store.held(connection)
            judge = self._judge
            wanted = (judge.numbers.tolist(), judge.memory_span, judge.memory_rows)
            judge.load(read.recent_standing(connection, *wanted), held, conditions)
            self._judging = True

    def evaluate(self, changes: Changes) -> Decided:
        """Pure: see `Engine.evaluate` and `Judge.evaluate`."""
        told = self._engine.evaluate(changes)
        if self._judge is None or not self._judging:
            return Decided(told.events, told, None)
        try:
            judged = self._judge.evaluate(changes, self._engine.numbers[told.judged], told.told)
        except Exception as error:
            self._judging = False  # it has missed rows: only a start brings it back
            JUDGE_FAILURES.inc()
            log.error("the judged record stands still until the next start", exc_info=error)
            return Decided(told.events, told, None)
        return Decided(in_order(told.told, judged.verdicts), told, judged)

    def persist(self, cursor: psycopg.Cursor[Any], decided: Decided) -> None:
        """Write what has changed; the events come last, since they lock the one sequence."""
        if decided.conditions:
            store.upsert_conditions(cursor, decided.conditions)
        if decided.judged is not None and decided.judged.entries:
            episode_store.append_entries(cursor, decided.judged.entries)
        if decided.judged is not None and decided.judged.conditions:
            episode_store.upsert_held(cursor, decided.judged.conditions)
        if decided.events:
            store.append_events(cursor, decided.events)

    def adopt(self, decided: Decided) -> None:
        """After COMMIT: the outcome becomes the state, is counted, and failures are said once."""
        told = decided.told
        self._engine.adopt(told)
        for event in decided.events:
            EVENTS.labels(event.kind.value).inc()
        for rule, reason in told.faults:
            RULE_FAILURES.labels(rule).inc()
            if rule in told.ours:
                log.error(
                    "a rule failed; its targets stay as they were", extra={"rule": rule, "reason": reason}
                )
        if self._judge is not None and decided.judged is not None:
            self._judge.adopt(decided.judged)
            _count(decided.judged)


def _count(judged: Judgement) -> None:
    TOO_LATE.inc(judged.too_late)
    for entry in judged.entries:
        ENTRIES.labels(entry.kind.value).inc()
    for rule, _ in judged.faults:
        RULE_FAILURES.labels(rule).inc()
