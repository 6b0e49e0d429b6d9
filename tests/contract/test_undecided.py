"""What was stored while nothing could be decided is decided on later: once, in order, before newer rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest

from alerts import store
from alerts.engine import Engine
from alerts.model import Event, EventKind
from alerts.rules.book import parse_rules
from alerts.sink import AlertSink
from ingest.catalog import load_catalogue
from ingest.embedded import EmbeddedBroker
from ingest.model import Changes, Intake, Moment, Nature
from ingest.pipeline import Pipeline
from ingest.store import connect, undecided
from ingest.store.datastreams import register
from ingest.store.errors import SinkFailed
from ingest.store.migrate import INGEST, migrate
from ingest.store.read import recent
from ingest.store.write import Writer
from tests.support.databases import Database
from tests.support.mqtt import Client
from tests.support.pipeline import CITY, TOPIC, running, until
from tests.support.store import HOUR, NOW, SECOND, TellingSink, claimed, prepare, says, stored, table, told

ALERTS = ("alerts", files("alerts") / "migrations")
RULES = """
rules:
  - id: level
    kind: threshold
    title: {vi: Mực nước, en: Level}
    select: {property: water_level}
    levels:
      - {name: BĐ I, value: 1 m, severity: Minor}
      - {name: BĐ II, value: 2 m, severity: Moderate}
      - {name: BĐ III, value: 3.5 m, severity: Severe}
    confirm: {samples: 1}
    clear: {below: 0.1 m, hold: 5min}
"""
BROKEN = Moment(NOW, False, None)


class Breakable(TellingSink):
    """Fails while it is `broken`, and whenever it is given one of the `refused` values."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.broken = False
        self.refused: set[float] = set()

    def evaluate(self, changes: Changes) -> Any:
        if self.broken or self.refused.intersection(changes.inserted.value.tolist()):
            raise ValueError("broken")
        return super().evaluate(changes)


def decide(writer: Writer, sink: TellingSink, rows: int) -> None:
    writer.commit(Intake.empty(), BROKEN, [sink], "test", again=rows)


def values(database: Database) -> list[float]:
    return [value for _, _, value in told(database.url)]


@pytest.mark.every_database
def test_marked_rows_are_decided_on_in_order_of_arrival_and_no_more(database: Database) -> None:
    series = prepare(database.url)
    writer, sink = claimed(database.url), Breakable(database.url)
    writer.commit(says((series[2], NOW, 0.0)), BROKEN, [sink], "test")
    writer.commit(says((series[2], NOW + 1, 1.0), (series[0], NOW + 9, 2.0)), BROKEN, None, "test")
    writer.commit(says((series[1], NOW, 3.0), (series[0], NOW + 3, 4.0)), BROKEN, None, "test")
    assert writer.undecided == 4
    with connect(database.url, application_name="test") as connection:
        assert recent(connection, series, HOUR, 9).value.tolist() == [0.0]
        assert recent(connection, series, HOUR, 9, revised=True).value.tolist() == [4.0, 2.0, 3.0, 0.0, 1.0]
    decide(writer, sink, 3)
    assert writer.undecided == 1
    writer.commit(says((series[0], NOW + 20, 5.0)), BROKEN, [sink], "test", again=3)
    assert values(database) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert writer.undecided == 0
    assert table(database.url, "SELECT FROM undecided") == []
    with connect(database.url, application_name="test") as connection:
        assert len(recent(connection, series, HOUR, 9)) == 6
    writer.close()


def test_decision_that_fails_leaves_the_marks_and_a_new_process_finds_them(database: Database) -> None:
    series = prepare(database.url)
    writer, sink = claimed(database.url), Breakable(database.url)
    writer.commit(says((series[0], NOW, 1.0)), BROKEN, None, "test")
    sink.broken = True
    with pytest.raises(SinkFailed):
        decide(writer, sink, 1)
    assert writer.undecided == 1
    writer.close()
    again = claimed(database.url)
    again.rebuild([sink])
    assert again.undecided == 1
    sink.broken = False
    decide(again, sink, 1)
    assert values(database) == [1.0]
    again.close()


def test_beyond_the_bound_the_oldest_are_only_remembered(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undecided, "MOST", 3)
    series = prepare(database.url)
    writer, sink = claimed(database.url), Breakable(database.url)
    for place in range(5):
        writer.commit(says((series[0], NOW + place * SECOND, float(place))), BROKEN, None, "test")
    assert writer.undecided == 3
    with connect(database.url, application_name="test") as connection:
        assert recent(connection, series, HOUR, 9).value.tolist() == [0.0, 1.0]
    decide(writer, sink, 9)
    assert values(database) == [2.0, 3.0, 4.0]
    writer.close()


def publish(broker: EmbeddedBroker, *levels: float, ago: timedelta | None = None) -> None:
    """Readings of one instant each, a second apart, the last of them `ago` (now without it)."""
    with Client.login(broker, "simulator") as gateway:
        for place, level in enumerate(levels, start=1 - len(levels)):
            time = datetime.now(UTC) + timedelta(seconds=place) - (ago or timedelta())
            payload = b'{"channel": "level", "value": %g, "time": "%s"}'
            gateway.publish(TOPIC, payload % (level, time.isoformat().encode()))


async def test_a_row_that_breaks_every_decision_is_given_up_alone(
    broker: EmbeddedBroker, database: Database, tmp_path: Path
) -> None:
    prepare(database.url)
    sink = Breakable(database.url)
    sink.refused = {3.0}
    async with running(broker, database, tmp_path, sink) as pipeline:
        await until(lambda: pipeline.sight.since is not None)
        await asyncio.to_thread(publish, broker, 1.0, 2.0, 3.0, 4.0, 5.0)
        await until(lambda: len(stored(database.url)) == 5 and len(told(database.url)) == 4)
        await until(lambda: pipeline.sight.since is not None)
    assert values(database) == [1.0, 2.0, 4.0, 5.0]


class Interrupted(AlertSink):
    """The real sink, which fails while it is `broken`: before it has decided, or with all of it written."""

    broken = ""

    def evaluate(self, changes: Changes) -> Any:
        if self.broken == "evaluate":
            raise ValueError("by design")
        return super().evaluate(changes)

    def persist(self, cursor: psycopg.Cursor[Any], outcome: Any) -> None:
        super().persist(cursor, outcome)
        if self.broken == "persist":
            raise ValueError("by design")


def alert_sink(url: str, folder: Path) -> Interrupted:
    """Over the pipeline's small city; as a start makes it, with its state read."""
    (folder / "city.yaml").write_text(CITY, encoding="utf-8")
    catalogue = load_catalogue(folder)
    with connect(url, application_name="test") as connection:
        migrate(connection, [INGEST, ALERTS], Nature.EXERCISE)
        ids = register(connection, [key for key, _, _ in catalogue.datastreams()], Nature.EXERCISE)
        rules, problems = parse_rules(RULES, "rules.yaml", catalogue)
        assert problems == []
        sink = Interrupted(Engine([rule.numbered(ids) for rule in rules]))
        sink.rebuild(connection)
    return sink


def events(url: str) -> list[Event]:
    with connect(url, application_name="test") as connection:
        return [each.event for each in store.events_since(connection, 0, 1_000)]


@asynccontextmanager
async def seeing(
    broker: EmbeddedBroker, database: Database, folder: Path, sink: Any
) -> AsyncIterator[Pipeline]:
    async with running(broker, database, folder, sink) as pipeline:
        await until(lambda: pipeline.sight.since is not None)
        yield pipeline


@pytest.mark.parametrize("broken", ["evaluate", "persist"])
@pytest.mark.parametrize("killed", [False, True])
async def test_crossing_of_the_highest_level_while_the_sink_failed_is_told_once(
    broker: EmbeddedBroker, database: Database, tmp_path: Path, broken: str, *, killed: bool
) -> None:
    sink = alert_sink(database.url, tmp_path)
    ago = timedelta(minutes=20)
    async with seeing(broker, database, tmp_path, sink):
        await asyncio.to_thread(publish, broker, 2.5, 2.6, ago=ago + timedelta(minutes=5))
        await until(lambda: len(events(database.url)) == 1)
        sink.broken = broken
        await asyncio.to_thread(publish, broker, 3.4, 3.6, 3.7, ago=ago)
        await until(lambda: len(stored(database.url)) == 5)
        if not killed:
            sink.broken = ""
            await until(lambda: len(events(database.url)) == 2)
            await asyncio.to_thread(publish, broker, 3.8)
            await until(lambda: len(stored(database.url)) == 6)
    if killed:  # nothing of the first process's memory is left; the state before is all in the database
        async with seeing(broker, database, tmp_path, alert_sink(database.url, tmp_path)):
            await until(lambda: len(events(database.url)) == 2)
            await asyncio.to_thread(publish, broker, 3.8)
            await until(lambda: len(stored(database.url)) == 6)
    _, crossing = events(database.url)
    assert (crossing.kind, crossing.level, crossing.observed) == (EventKind.ESCALATED, 3, 3.6)
    assert crossing.detected_at - crossing.event_time > 19 * 60 * SECOND  # with its own time
    assert table(database.url, "SELECT FROM undecided") == []


async def test_crossing_and_fall_within_the_failure_are_both_told(
    broker: EmbeddedBroker, database: Database, tmp_path: Path
) -> None:
    sink = alert_sink(database.url, tmp_path)
    async with seeing(broker, database, tmp_path, sink):
        sink.broken = "evaluate"
        await asyncio.to_thread(publish, broker, 3.6, ago=timedelta(minutes=30))
        await asyncio.to_thread(publish, broker, 0.2, ago=timedelta(minutes=20))
        await asyncio.to_thread(publish, broker, 0.2, ago=timedelta(minutes=10))
        await until(lambda: len(stored(database.url)) == 3)
        sink.broken = ""
        await until(lambda: len(events(database.url)) == 2)
    assert [event.kind for event in events(database.url)] == [EventKind.RAISED, EventKind.CLEARED]
