"""Alerts about ourselves that the feed raises: once, whoever looks, apart from the engine's conditions."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from alerts import store
from alerts.headline import headline
from alerts.model import RECEIVER, EventKind
from alerts.self_alerts import close_self, is_open, open_self, open_targets
from ingest.store import connect
from tests.support.databases import Database
from tests.support.feed import MINUTE, NATURE, NOW, Connection, catalogue, happening, prepare, tell

DUTY = f"{RECEIVER}duty"
FEEDS = 4


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, catalogue()) as connection:
        yield connection


def told(table: Connection) -> list[tuple[EventKind, str, str]]:
    events = [each.event for each in store.events_since(table, 0, 100)]
    return [(event.kind, event.target, event.reason) for event in events]


def test_it_opens_and_ends_once_and_opens_anew_as_another_alert(table: Connection) -> None:
    assert open_self(table, DUTY, "not proven", NOW)
    assert not open_self(table, DUTY, "not proven", NOW + MINUTE)
    assert is_open(table, DUTY)
    assert close_self(table, DUTY, "proven", NOW + 2 * MINUTE)
    assert not close_self(table, DUTY, "proven", NOW + 3 * MINUTE)
    assert open_self(table, DUTY, "not proven", NOW + 4 * MINUTE)
    assert told(table) == [
        (EventKind.RAISED, DUTY, "not proven"),
        (EventKind.CLEARED, DUTY, "proven"),
        (EventKind.RAISED, DUTY, "not proven"),
    ]
    first, end, second = (each.event for each in store.events_since(table, 0, 100))
    assert first.alert_id == end.alert_id != second.alert_id
    assert len({first.event_id, end.event_id, second.event_id}) == 3
    assert {first.nature, end.nature} == {NATURE}


def test_it_stands_among_the_open_alerts_and_not_among_the_engines_conditions(table: Connection) -> None:
    tell(table, happening(1))
    open_self(table, DUTY, "not proven", NOW)
    assert {alert.newest.event.target for alert in store.open_alerts(table)} == {
        DUTY,
        happening(1).target,
    }
    assert [condition.target for condition in store.conditions(table)] == [happening(1).target]
    assert open_targets(table, RECEIVER) == [DUTY]
    close_self(table, DUTY, "proven", NOW)
    assert open_targets(table, RECEIVER) == []
    assert len(store.open_alerts(table)) == 1


def test_however_many_feeds_look_it_is_said_once(table: Connection, plain_database: Database) -> None:
    def look(number: int) -> int:
        with connect(plain_database.url, application_name=f"feed {number}") as connection:
            opened = open_self(connection, DUTY, "not proven", NOW)
            return opened + close_self(connection, DUTY, "proven", NOW + MINUTE)

    for _ in range(5):
        with ThreadPoolExecutor(FEEDS) as pool:
            said = sum(pool.map(look, range(FEEDS)))
        assert said == len(told(table))
        kinds = [kind for kind, _, _ in told(table)]
        assert kinds == [EventKind.RAISED, EventKind.CLEARED] * (len(kinds) // 2)
        table.execute("TRUNCATE delivery_outcome, alert_event CASCADE")


def test_it_names_the_receiver_for_people(table: Connection) -> None:
    open_self(table, DUTY, "no answer\nsince 07:00", NOW)
    close_self(table, DUTY, "proven", NOW)
    opened, ended = (headline(each.event) for each in store.events_since(table, 0, 2))
    assert opened.vi == ("DIỄN TẬP: Huewatch: NƠI NHẬN duty KHÔNG CHẮC NHẬN ĐƯỢC TIN, no answer since 07:00")
    assert ended.en == "EXERCISE: Huewatch: the receiver duty is reached again"
