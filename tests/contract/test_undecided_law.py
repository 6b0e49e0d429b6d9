"""Wherever deciding fails and whenever it works again, what is told of the rows is the same, but for when."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from importlib.resources import files
from typing import Any

import pytest
from msgspec import structs

from alerts import store
from alerts.engine import Engine
from alerts.model import Event
from alerts.rules.book import Rule, parse_rules
from alerts.sink import AlertSink
from ingest.model import Intake, Moment, Nature
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.migrate import INGEST, migrate
from ingest.store.write import Writer
from tests.property.engine_world import RULES, Item, Player, Row, city, columns, cut, random_stream
from tests.support.databases import Database
from tests.support.store import Said, claimed, intake_of

ALERTS = ("alerts", files("alerts") / "migrations")
PIECES = (1, 2, 7, 100)  # rows that are decided on again in one transaction


def prepare(url: str) -> list[Rule]:
    """Migrate both packages and number the small city's rules as this database does."""
    with connect(url, application_name="test") as connection:
        migrate(connection, [INGEST, ALERTS], Nature.EXERCISE)
        numbers = register(connection, [key for key, _, _ in city().datastreams()], Nature.EXERCISE)
    rules, _ = parse_rules(RULES, "rules.yaml", city())
    return [rule.numbered(numbers) for rule in rules]


def rows_of(seed: int, rules: list[Rule]) -> list[Row]:
    """Rows alone, under this database's numbers: ticks would tell by the clock."""
    numbers = sorted({target.number for rule in rules for target, _ in rule.plans})
    place = {10 * (index + 1): number for index, number in enumerate(numbers)}
    items = random_stream(seed, steps=80)
    return [dataclasses.replace(item, number=place[item.number]) for item in items if isinstance(item, Row)]


def intake(rows: list[Row]) -> Intake:
    one = intake_of(Said())
    return Intake(one.messages, columns(rows), (), one.gateway, one.gateway_names, one.fate)


class Service:
    """What the pipeline does with its writer and sink, where deciding fails as chance wants it."""

    def __init__(self, url: str, rules: list[Rule], rng: random.Random) -> None:
        self._url, self._rules, self._rng = url, rules, rng
        self.met: Counter[str] = Counter()
        self._writer: Writer | None = None
        self.start()

    def start(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = claimed(self._url)
        self.recover()

    def recover(self) -> None:
        assert self._writer is not None
        self._sink = AlertSink(Engine(self._rules))
        self._writer.rebuild([self._sink])

    def play(self, batch: list[Item]) -> None:
        assert self._writer is not None
        rows = [item for item in batch if isinstance(item, Row)]
        moment = Moment(rows[-1].received, False, None)
        if self._rng.random() < 0.4:
            self.met["failed"] += 1
            self._writer.commit(intake(rows), moment, None, "test")
            if self._rng.random() < 0.3:
                self.met["restarted"] += 1
                self.start()
            return
        if self._writer.undecided:
            self.met["caught up"] += 1
            self.recover()
        while self._writer.undecided:
            piece = self._rng.choice(PIECES)
            self._writer.commit(Intake.empty(), moment, [self._sink], "test", again=piece)
        self._writer.commit(intake(rows), moment, [self._sink], "test")

    def end(self) -> None:
        assert self._writer is not None
        self.recover()
        self._writer.commit(Intake.empty(), Moment(0, False, None), [self._sink], "test", again=100_000)
        self._writer.close()


def timeless(events: list[Event]) -> list[Any]:
    return [structs.replace(event, detected_at=0) for event in events]


@pytest.mark.parametrize("seed", range(4))
def test_failures_change_when_it_is_told_and_nothing_else(database: Database, seed: int) -> None:
    rules = prepare(database.url)
    batches = cut(list(rows_of(seed, rules)), random.Random(seed), 12)
    expected = Player(rules)
    for batch in batches:
        expected.play(batch)
    service = Service(database.url, rules, random.Random(seed))
    for batch in batches:
        service.play(batch)
    service.end()
    with connect(database.url, application_name="test") as connection:
        told = [each.event for each in store.events_since(connection, 0, 10_000)]
    print(f"seed {seed}: {len(batches)} batches, {len(told)} events, {dict(service.met)}")
    assert all(service.met[kind] for kind in ("failed", "restarted", "caught up"))
    assert told
    assert timeless(told) == timeless(expected.store.events)
