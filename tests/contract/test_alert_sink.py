"""The engine inside the store's own transaction, on every kind of server."""

from __future__ import annotations

import random
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from alerts import store
from alerts.engine import Engine
from alerts.model import Event, EventKind, OpenAlert, Phase
from alerts.rules.book import Rule, parse_rules
from alerts.sink import AlertSink
from ingest.model import Intake, Moment, Nature
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.errors import SinkFailed
from ingest.store.migrate import INGEST, migrate
from ingest.store.write import Writer
from tests.property.engine_world import RULES, Item, Player, Row, Tick, city, columns, cut, random_stream
from tests.support.databases import Database
from tests.support.store import Said, claimed, intake_of

pytestmark = pytest.mark.every_database

ALERTS = ("alerts", files("alerts") / "migrations")


def prepare(url: str) -> list[Rule]:
    """Migrate both packages and number the small city's rules as this database does."""
    with connect(url, application_name="test") as connection:
        migrate(connection, [INGEST, ALERTS], Nature.EXERCISE)
        keys = [key for key, _, _ in city().datastreams()]
        numbers = register(connection, keys, Nature.EXERCISE)
    rules, problems = parse_rules(RULES, "rules.yaml", city())
    assert problems == []
    return [rule.numbered(numbers) for rule in rules]


def sink_over(url: str, rules: list[Rule]) -> AlertSink:
    sink = AlertSink(Engine(rules))
    with connect(url, application_name="test") as connection:
        sink.rebuild(connection)
    return sink


def intake(rows: list[Row]) -> Intake:
    """The rows as one message."""
    if not rows:
        return Intake.empty()
    one = intake_of(Said())
    return Intake(one.messages, columns(rows), (), one.gateway, one.gateway_names, one.fate)


def play(writer: Writer, sink: AlertSink, batch: list[Item]) -> None:
    rows = [item for item in batch if isinstance(item, Row)]
    tick = batch[-1] if isinstance(batch[-1], Tick) else None
    now = tick.now if tick else max(row.received for row in rows)
    moment = Moment(now, tick is not None, tick.sighted_since if tick else None)
    writer.commit(intake(rows), moment, [sink], "test")


def renumbered(items: list[Item], rules: list[Rule]) -> list[Item]:
    """The random city's rows under the numbers that this database gave."""
    numbers = sorted({target.number for rule in rules for target, _ in rule.plans})
    place = {10 * (index + 1): number for index, number in enumerate(numbers)}
    return [
        Row(place[item.number], item.time, item.value, item.quality, item.received)
        if isinstance(item, Row)
        else item
        for item in items
    ]


def all_events(url: str) -> list[Event]:
    with connect(url, application_name="test") as connection:
        numbered = store.events_since(connection, 0, 10_000)
    assert [each.seq for each in numbered] == list(range(1, len(numbered) + 1))
    return [each.event for each in numbered]


def test_stored_events_are_what_memory_alone_would_tell_across_restarts(database: Database) -> None:
    seed = 4
    print(f"seed {seed}")
    rules = prepare(database.url)
    items = renumbered(random_stream(seed, steps=80), rules)
    batches = cut(items, random.Random(seed), 25)
    expected = Player(rules)
    for batch in batches:
        expected.play(batch)
    writer, sink = claimed(database.url), sink_over(database.url, rules)
    for place, batch in enumerate(batches):
        if place % 9 == 8:
            sink = sink_over(database.url, rules)
        play(writer, sink, batch)
    writer.close()
    assert all_events(database.url) == expected.store.events
    assert len(expected.store.events) > 10
    with connect(database.url, application_name="test") as connection:
        held = {(condition.rule, condition.target): condition for condition in store.conditions(connection)}
    assert held == expected.store.conditions


class Failing(AlertSink):
    """Writes its outcome, and then the transaction breaks."""

    broken = True

    def persist(self, cursor: psycopg.Cursor[Any], outcome: Any) -> None:
        super().persist(cursor, outcome)
        if self.broken:
            raise ValueError("by design")


def test_a_transaction_that_breaks_tells_nothing_and_the_retry_tells_once(database: Database) -> None:
    rules = prepare(database.url)
    rows = [item for item in renumbered(random_stream(4), rules) if isinstance(item, Row)][:150]
    writer, sink = claimed(database.url), Failing(Engine(rules))
    with pytest.raises(SinkFailed):
        writer.commit(intake(rows), Moment(rows[-1].received, False, None), [sink], "test")
    assert all_events(database.url) == []
    sink.broken = False
    play(writer, sink, list(rows))
    first = all_events(database.url)
    assert first
    play(writer, sink, list(rows))  # the broker sends them again
    assert all_events(database.url) == first
    writer.close()


def test_open_alerts_are_listed_worst_first_with_their_first_and_newest_event(database: Database) -> None:
    rules = prepare(database.url)
    numbers = {target.key: target.number for rule in rules for target, _ in rule.plans}
    minute, start = 60_000_000, 1_761_523_200_000_000
    rows = [
        Row(
            numbers[f"R{gauge}/water_level"], start + place * 5 * minute, value, 1, start + place * 5 * minute
        )
        for place in range(4)
        for gauge, value in ((1, 1.2), (2, 2.1 + place))
    ]
    writer, sink = claimed(database.url), sink_over(database.url, rules)
    play(writer, sink, list(rows))
    writer.close()
    with connect(database.url, application_name="test") as connection:
        listed = [alert for alert in store.open_alerts(connection) if alert.condition.rule == "level"]
        assert [(alert.condition.target, alert.condition.level) for alert in listed] == [
            ("R2/water_level", 3),
            ("R1/water_level", 1),
        ]
        worst = listed[0]
        assert (worst.first.event.kind, worst.newest.event.kind) == (EventKind.RAISED, EventKind.ESCALATED)
        assert worst.condition.phase is Phase.FIRING
        assert worst.condition.alert_id is not None
        chain = store.alert_events(connection, worst.condition.alert_id)
        assert [each.event.kind for each in chain] == [EventKind.RAISED, EventKind.ESCALATED]
        assert store.newest_events(connection, 1) == store.newest_events(connection, 9)[:1]
        only = store.newest_events(connection, 9, station="R1", rule="level")
        assert [each.event.station for each in only] == ["R1"]
        before = store.newest_events(connection, 9, before=only[0].seq)
        assert all(each.seq < only[0].seq for each in before)


def test_a_start_reads_events_only_of_alerts_that_have_lost_their_rule(database: Database) -> None:
    """In a flood thousands of alerts are open, and their events would be most of a start."""
    rules = prepare(database.url)
    rows = [item for item in renumbered(random_stream(4, steps=80), rules) if isinstance(item, Row)]
    writer = claimed(database.url)
    play(writer, sink_over(database.url, rules), list(rows))
    lost = next(rule for rule in rules if rule.id == "level")
    left = [rule for rule in rules if rule.id != lost.id]
    with connect(database.url, application_name="test") as connection:
        ended = {alert.condition.alert_id for alert in store.open_alerts(connection) if of(alert, lost)}
        held = {alert.condition.alert_id for alert in store.open_alerts(connection) if not of(alert, lost)}
        connection.execute(
            "UPDATE alert_event SET body = '{}' WHERE alert_id = ANY(%s::uuid[])", (list(held),)
        )
    assert ended
    assert held
    before = len(numbers_of_events(database.url))
    play(writer, sink_over(database.url, left), [Tick(rows[-1].received, None)])
    writer.close()
    with connect(database.url, application_name="test") as connection:
        told = store.events_since(connection, before, 10_000)
    cancelled = {one.event.alert_id for one in told if one.event.reason == "rule removed"}
    assert cancelled == ended


def of(alert: OpenAlert, rule: Rule) -> bool:
    return alert.condition.rule == rule.id


def numbers_of_events(url: str) -> list[int]:
    with connect(url, application_name="test") as connection:
        return [row[0] for row in connection.execute("SELECT seq FROM alert_event ORDER BY seq")]
