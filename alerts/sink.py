"""The alert engine in the observations' own transaction: what the pipeline is given as a `Sink`.

Promises that conditions and told events are written by the cursor that stores the rows they come from, the
events last. Reads its state back from the database at start and whenever a commit's outcome was in doubt.
Called by the writer, from one thread at a time.
"""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from prometheus_client import Counter

from alerts import store
from alerts.engine import Engine
from alerts.staging import Outcome
from ingest.model import Changes
from ingest.store import read

log = logging.getLogger(__name__)

EVENTS = Counter("huewatch_alert_events", "Told alert events, committed.", ["kind"])
RULE_FAILURES = Counter(
    "huewatch_alert_rule_failures", "Evaluations that a rule failed in, committed.", ["rule"]
)
METRICS = (EVENTS, RULE_FAILURES)


class AlertSink:
    """`ingest.model.Sink` over one engine, whose rules are numbered for this database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rebuild(self, connection: psycopg.Connection[Any]) -> None:
        """Read the windows and the conditions; everything held in memory is forgotten."""
        engine = self._engine
        stored = read.recent(connection, engine.numbers.tolist(), engine.memory_span, engine.memory_rows)
        last_events = {
            alert.newest.event.alert_id: alert.newest.event for alert in store.open_alerts(connection)
        }
        engine.load(stored, store.conditions(connection), last_events)

    def evaluate(self, changes: Changes) -> Outcome:
        """Pure: see `Engine.evaluate`."""
        return self._engine.evaluate(changes)

    def persist(self, cursor: psycopg.Cursor[Any], outcome: Outcome) -> None:
        """Write what has changed; the events come last, since they lock the one sequence."""
        if outcome.conditions:
            store.upsert_conditions(cursor, outcome.conditions)
        if outcome.events:
            store.append_events(cursor, outcome.events)

    def adopt(self, outcome: Outcome) -> None:
        """After COMMIT: the outcome becomes the state, is counted, and failures are said once."""
        self._engine.adopt(outcome)
        for event in outcome.events:
            EVENTS.labels(event.kind.value).inc()
        for rule, reason in outcome.faults:
            RULE_FAILURES.labels(rule).inc()
            if rule in outcome.ours:
                log.error(
                    "a rule failed; its targets stay as they were", extra={"rule": rule, "reason": reason}
                )
