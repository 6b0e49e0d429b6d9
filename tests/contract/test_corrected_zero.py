"""A corrected zero notifies nothing of the past and has the current level judged at once."""

from __future__ import annotations

from importlib.resources import files

import pytest

from alerts import store
from alerts.engine import Engine
from alerts.model import Event, EventKind
from alerts.rules.book import parse_rules
from alerts.sink import AlertSink
from ingest.catalog import Catalogue
from ingest.model import Intake, Moment, Nature
from ingest.refine import Refiner
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.migrate import INGEST, migrate
from ingest.store.write import Writer
from tests.support.databases import Database
from tests.support.store import HOUR, MINUTE, NOW, WINDOW, says

pytestmark = pytest.mark.every_database
ALERTS = ("alerts", files("alerts") / "migrations")
RULES = """
rules:
  - id: level
    kind: threshold
    title: {vi: Mực nước, en: Level}
    select: {property: water_level}
    levels: [{name: I, value: 2 m, severity: Moderate}, {name: II, value: 3 m, severity: Severe}]
    confirm: {samples: 2}
    clear: {below: 0.1 m, hold: 30min}
"""


def city(zero: float) -> Catalogue:
    return Catalogue.model_validate(
        {
            "stations": (
                {
                    "id": "STREET",
                    "name": {"vi": "Phố", "en": "Street"},
                    "kind": "street",
                    "nature": Nature.EXERCISE,
                    "location": {"lat": 16.45, "lon": 107.56},
                    "datastreams": (
                        {
                            "name": "depth",
                            "property": "water_level",
                            "unit": "m",
                            "cadence": 300.0,
                            "source": {"gateway": "gw", "device": "dev", "channel": "distance"},
                            "ranging": {"zero_elevation": zero, "blanking": 0.5, "max_range": 10.0},
                        },
                    ),
                },
            ),
            "routes": (),
        }
    )


class Service:
    """What `run` does with its store at a start, over one zero after the other."""

    def __init__(self, url: str) -> None:
        self._url = url
        with connect(url, application_name="test") as connection:
            migrate(connection, [INGEST, ALERTS], Nature.EXERCISE)
            self._ids = register(connection, ["STREET/depth"], Nature.EXERCISE)

    def start(self, zero: float) -> None:
        rules, problems = parse_rules(RULES, "rules.yaml", city(zero))
        assert problems == []
        self._sink = AlertSink(Engine([rule.numbered(self._ids) for rule in rules]))
        self._writer = Writer(self._url, "city", "test", WINDOW, Refiner(city(zero), self._ids))
        self._writer.claim()
        self._writer.correct_zeros(city(zero), self._ids)
        self._writer.rebuild([self._sink])

    def commit(self, intake: Intake, now: int) -> None:
        self._writer.commit(intake, Moment(now, False, None), [self._sink], "test")

    def read(self, *levels: float, since: int) -> None:
        """Readings every five minutes, by the zero in force."""
        number = self._ids["STREET/depth"]
        rows = [(number, since + place * 5 * MINUTE, level) for place, level in enumerate(levels)]
        self.commit(says(*rows), rows[-1][1])

    def stop(self) -> list[Event]:
        self._writer.close()
        with connect(self._url, application_name="test") as connection:
            return [each.event for each in store.events_since(connection, 0, 100)]


def test_level_that_a_higher_zero_shows_is_raised_once_at_the_first_commit(database: Database) -> None:
    service = Service(database.url)
    service.start(4.0)
    # above level II by the higher zero for a while, then between I and II
    service.read(1.0, 1.0, 2.9, 2.9, 1.5, 1.5, since=NOW - HOUR)
    told = service.stop()
    assert [event.kind for event in told] == [EventKind.RAISED]  # 2.9 reached I by the old zero
    service.start(4.7)
    service.commit(Intake.empty(), NOW)
    told = service.stop()
    assert [event.kind for event in told] == [EventKind.RAISED]  # it stands at I still: nothing is new
    assert told[0].level == 1


def test_alert_of_nothing_but_a_wrong_zero_is_cancelled_at_once(database: Database) -> None:
    service = Service(database.url)
    service.start(4.6)
    service.read(2.5, 2.5, since=NOW - 5 * MINUTE)
    service.stop()
    service.start(3.6)
    service.commit(Intake.empty(), NOW)
    told = service.stop()
    assert [event.kind for event in told] == [EventKind.RAISED, EventKind.CANCELLED]
    assert told[1].reason == "zero corrected"


def test_current_level_alone_is_judged_and_not_what_passed(database: Database) -> None:
    service = Service(database.url)
    service.start(4.0)
    service.read(1.9, 1.9, 0.5, 0.5, since=NOW - HOUR)  # by the new zero: 2.9, then 1.5
    service.stop()
    service.start(5.0)
    service.commit(Intake.empty(), NOW)
    assert service.stop() == []
    service.start(6.0)  # 2.5 now
    service.commit(Intake.empty(), NOW)
    (event,) = service.stop()
    assert (event.kind, event.level) == (EventKind.RAISED, 1)
    assert event.event_time == NOW - HOUR + 15 * MINUTE


def test_process_that_ends_before_its_first_commit_leaves_the_judgement_to_the_next(
    database: Database,
) -> None:
    service = Service(database.url)
    service.start(4.0)
    service.read(1.5, 1.5, since=NOW - 5 * MINUTE)
    service.stop()
    service.start(5.0)  # 2.5 now
    assert service.stop() == []
    service.start(5.0)
    service.commit(Intake.empty(), NOW)
    service.commit(Intake.empty(), NOW)
    (event,) = service.stop()
    assert (event.kind, event.level) == (EventKind.RAISED, 1)
