"""Forecasts in the store's own transaction, on every kind of server."""

from __future__ import annotations

import logging
import random
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from alerts.forecast import store
from alerts.forecast.records import Made
from alerts.forecast.sink import FAILURES, ForecastSink
from alerts.forecast.tracker import Gauge, Tracked, Tracker
from ingest.model import Changes, Intake, Moment, Nature, ObservationBatch
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.migrate import INGEST, migrate
from ingest.store.write import Writer
from tests.support.databases import Database
from tests.support.gauges import city, cut, made_of, play, scored_of, stream
from tests.support.store import Said, claimed, intake_of, table

pytestmark = pytest.mark.every_database

ALERTS = ("alerts", files("alerts") / "migrations")


def prepare(url: str) -> list[Gauge]:
    """Migrate both packages; the small city's gauges as this database numbers them."""
    with connect(url, application_name="test") as connection:
        migrate(connection, [INGEST, ALERTS], Nature.EXERCISE)
        keys = [f"{one.station.id}/{one.datastream.name}" for one in city()]
        numbers = register(connection, keys, Nature.EXERCISE)
    places = zip(city(), numbers.values(), strict=True)
    return [Gauge(number, one.station, one.datastream) for one, number in places]


def renumbered(rows: ObservationBatch, gauges: list[Gauge]) -> ObservationBatch:
    numbers = np.array([gauge.number for gauge in gauges], np.int32)
    fields = {name: getattr(rows, name) for name in ObservationBatch.__slots__}
    return ObservationBatch(**(fields | {"datastream": numbers[rows.datastream // 10 - 1]}))


def started(url: str, gauges: list[Gauge]) -> ForecastSink:
    sink = ForecastSink(Tracker(gauges))
    with connect(url, application_name="test") as connection:
        sink.rebuild(connection)
    return sink


def commit(writer: Writer, sink: ForecastSink, batch: ObservationBatch) -> None:
    one = intake_of(Said())
    intake = Intake(one.messages, batch, (), one.gateway, one.gateway_names, one.fate)
    writer.commit(intake, Moment(int(batch.received_at.max()), False, None), [sink], "test")


def stored_forecasts(url: str, gauges: list[Gauge]) -> list[Made]:
    with connect(url, application_name="test") as connection:
        return [one for gauge in gauges for one in store.newest(connection, gauge.number, 10_000)[::-1]]


def test_what_is_stored_is_what_the_rows_say_across_restarts(database: Database) -> None:
    seed = 3
    gauges = prepare(database.url)
    rows = renumbered(stream(seed), gauges)
    dice, restarts = random.Random(seed), 0
    expected = play(Tracker(gauges), [rows])
    writer, sink = claimed(database.url), started(database.url, gauges)
    for batch in cut(rows, dice, 40):
        if dice.random() < 0.2:
            restarts += 1
            sink = started(database.url, gauges)
        commit(writer, sink, batch)
    writer.close()
    print(f"seed {seed}: {restarts} restarts, {len(made_of(expected))} forecasts")
    assert stored_forecasts(database.url, gauges) == made_of(expected)
    scores = table(
        database.url,
        "SELECT datastream, (extract(epoch FROM origin) * 1000000)::int8, hours, truth, covered"
        " FROM forecast_score ORDER BY 1, 2, 3",
    )
    assert scores == [
        (one.due.datastream, one.due.origin, one.due.hours, one.truth, one.covered)
        for one in scored_of(expected)
    ]


def test_the_running_sums_are_those_of_the_scores(database: Database) -> None:
    gauges = prepare(database.url)
    writer, sink = claimed(database.url), started(database.url, gauges)
    for batch in cut(renumbered(stream(5), gauges), random.Random(5), 60):
        commit(writer, sink, batch)
    writer.close()
    sums = table(
        database.url,
        "SELECT datastream, hours, scored, covered, error_um, persistence_error_um FROM forecast_skill"
        " ORDER BY 1, 2",
    )
    scores = table(
        database.url,
        "SELECT datastream, hours, count(*), count(*) FILTER (WHERE covered),"
        " sum(round(abs(error) * 1e6))::int8, sum(round(abs(persistence_error) * 1e6))::int8"
        " FROM forecast_score WHERE truth IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
    )
    assert sums == scores
    assert len(sums) == 5 * len(gauges)
    with connect(database.url, application_name="test") as connection:
        skill = store.skill(connection, gauges[0].number)
    assert [one.hours for one in skill] == [1, 2, 3, 6, 12]
    assert all(0 <= one.coverage <= 1 and one.error > 0 for one in skill)


def test_a_forecast_that_was_rolled_back_is_made_again(database: Database) -> None:
    gauges = prepare(database.url)
    rows = renumbered(stream(2), gauges)
    sink = started(database.url, gauges)
    outcome = sink.evaluate(_changes(rows))
    assert isinstance(outcome, Tracked)
    with connect(database.url, application_name="test") as connection:
        with connection.cursor() as cursor, connection.transaction(force_rollback=True):
            sink.persist(cursor, outcome)
        assert store.newest(connection, gauges[0].number, 10) == []
    again = sink.evaluate(_changes(rows))
    assert isinstance(again, Tracked)
    assert (again.made, again.scored) == (outcome.made, outcome.scored)


def test_a_fault_of_the_forecasts_costs_neither_rows_nor_alerts(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gauges = prepare(database.url)
    writer, sink = claimed(database.url), started(database.url, gauges)
    batches = cut(renumbered(stream(4), gauges), random.Random(4), 100)
    before = FAILURES._value.get()

    def fails(*_: Any) -> None:
        raise ZeroDivisionError("planted")

    with monkeypatch.context() as planted, caplog.at_level(logging.ERROR):
        planted.setattr(Tracker, "evaluate", fails)
        commit(writer, sink, batches[0])
    commit(writer, sink, batches[1])
    writer.close()
    assert FAILURES._value.get() == before + 1
    assert "none is made until the next start" in caplog.text
    (stored,) = table(database.url, "SELECT count(*) FROM observation")
    assert stored[0] == len(batches[0]) + len(batches[1])
    assert stored_forecasts(database.url, gauges) == []


def test_a_forecast_that_the_database_refuses_costs_neither_rows_nor_alerts(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    gauges = prepare(database.url)
    with connect(database.url, application_name="test") as connection:
        connection.execute("ALTER TABLE forecast ADD CONSTRAINT planted CHECK (false) NOT VALID")
    writer, sink = claimed(database.url), started(database.url, gauges)
    batches = cut(renumbered(stream(4), gauges), random.Random(4), 100)
    before = FAILURES._value.get()
    with caplog.at_level(logging.ERROR):
        for batch in batches:
            commit(writer, sink, batch)
    writer.close()
    assert FAILURES._value.get() == before + 1
    (stored,) = table(database.url, "SELECT count(*) FROM observation")
    assert stored[0] == sum(len(batch) for batch in batches)
    assert stored_forecasts(database.url, gauges) == []


def _changes(rows: ObservationBatch) -> Changes:
    return Changes(rows, Moment(int(rows.received_at.max()), False, None))
