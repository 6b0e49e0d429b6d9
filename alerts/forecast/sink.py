"""Forecasts in the observations' own transaction: what the pipeline is given as a second `Sink`.

Promises that forecasts and scores are stored with the rows that they follow from, and that nothing here can
cost a row or an alert: a failure is told in the log and counted, and no more forecasts are made until the
next rebuild. Stands before the alert engine among the sinks, whose events must be written last.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import psycopg
from prometheus_client import Counter

from alerts.forecast import store
from alerts.forecast.outlook import unsuited
from alerts.forecast.records import Scored
from alerts.forecast.tracker import Gauge, Tracked, Tracker
from ingest.catalog import Catalogue
from ingest.model import Changes
from ingest.store.errors import Poison, reaction_to

log = logging.getLogger(__name__)

FORECASTS = Counter(
    "huewatch_forecasts", "Forecasts of moving water, committed; by why they were withheld.", ["withheld"]
)
FAILURES = Counter("huewatch_forecast_failures", "Batches whose forecasts failed, committed without them.")
SCORED = Counter("huewatch_forecast_scored", "Forecasts that the truth has come to, by horizon.", ["hours"])
ERROR = Counter("huewatch_forecast_error_metres", "How far they were off, added up, by horizon.", ["hours"])
PERSISTENCE_ERROR = Counter(
    "huewatch_forecast_persistence_error_metres",
    "How far the level at the time of the forecast was off, added up, by horizon.",
    ["hours"],
)
METRICS = (FORECASTS, FAILURES, SCORED, ERROR, PERSISTENCE_ERROR)


def gauges_of(catalogue: Catalogue, ids: Mapping[str, int]) -> list[Gauge]:
    """The datastreams of a catalogue that may be forecast, with their numbers."""
    return [
        Gauge(ids[key], station, datastream)
        for key, station, datastream in catalogue.datastreams()
        if key in ids and unsuited(station, datastream) is None
    ]


class ForecastSink:
    """`ingest.model.Sink` over one tracker."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._failed = False

    def rebuild(self, connection: psycopg.Connection[Any]) -> None:
        """Read the last day of rows and the forecasts that wait for their truth; all else is forgotten."""
        numbers = self._tracker.numbers.tolist()
        self._tracker.load(store.last_day(connection, numbers), store.made_open(connection, numbers))
        self._failed = False

    def evaluate(self, changes: Changes) -> Tracked | Exception | None:
        """Pure. What the tracker says of the rows; the error, where it fails; None after it has failed."""
        if self._failed:
            return None
        try:
            return self._tracker.evaluate(changes.inserted)
        except Exception as error:
            return error

    def persist(self, cursor: psycopg.Cursor[Any], outcome: Tracked | Exception | None) -> None:
        """Write the forecasts made and the scores; what the database refuses of them costs nothing else."""
        if not isinstance(outcome, Tracked) or not (outcome.made or outcome.scored):
            return
        try:
            with cursor.connection.transaction():  # a savepoint of the rows' transaction
                if outcome.made:
                    store.add(cursor, outcome.made)
                if outcome.scored:
                    store.add_scores(cursor, outcome.scored)
        except psycopg.Error as error:
            if not isinstance(reaction_to(error), Poison):
                raise
            self._fail(error)

    def adopt(self, outcome: Tracked | Exception | None) -> None:
        """After COMMIT: the outcome becomes the state, and is counted."""
        if isinstance(outcome, Exception):
            self._fail(outcome)
        elif outcome is not None and not self._failed:
            self._tracker.adopt(outcome)
            for made in outcome.made:
                FORECASTS.labels(made.withheld.value if made.withheld else "").inc()
            for one in outcome.scored:
                _count(one)

    def _fail(self, error: Exception) -> None:
        self._failed = True
        FAILURES.inc()
        log.error("forecasts have failed; none is made until the next start", exc_info=error)


def _count(scored: Scored) -> None:
    if scored.error is None or scored.persistence_error is None:
        return  # the truth never came
    hours = f"{scored.due.hours:g}"
    SCORED.labels(hours).inc()
    ERROR.labels(hours).inc(abs(scored.error))
    PERSISTENCE_ERROR.labels(hours).inc(abs(scored.persistence_error))
