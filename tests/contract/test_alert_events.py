"""`append_events`: one sequence in commit order, told to whoever listens."""

from __future__ import annotations

from importlib.resources import files

import psycopg
import pytest

from alerts import store
from alerts.events import event_identity
from alerts.model import Condition, Event, EventKind, Evidence, Phase, Severity
from ingest.model import Nature
from ingest.store import connect
from ingest.store.migrate import INGEST, migrate
from tests.support.databases import Database

AT = 1_761_523_200_123_457  # microseconds that a double of seconds would blur


def event(ordinal: int) -> Event:
    return Event(
        event_id=event_identity("rule", "S/level", EventKind.RAISED, AT, ordinal),
        alert_id="5f0f5d3e-3f0c-5c0b-9d0a-6b1d2f3e4a57",
        rule="rule",
        rule_version="v",
        rule_kind="threshold",
        target="S/level",
        station="S",
        kind=EventKind.RAISED,
        level=1,
        level_name="BĐ I",
        previous_level=0,
        severity=Severity.MINOR,
        nature="Exercise",
        event_time=AT,
        detected_at=AT + 1,
        value=1.0,
        unit="m",
        threshold=1.0,
        observed=0.1 + 0.2,
        observed_at=AT,
        rate_per_hour=None,
        verified=True,
        evidence=(Evidence(AT, 1e-7, 1),),
    )


@pytest.fixture
def url(database: Database) -> str:
    with connect(database.url, application_name="test") as connection:
        migrate(connection, [INGEST, ("alerts", files("alerts") / "migrations")], Nature.EXERCISE)
    return database.url


def test_an_event_comes_back_as_it_was_written(url: str) -> None:
    with connect(url, application_name="test") as connection, connection.transaction():
        assert store.append_events(connection.cursor(), [event(1), event(2)]) == 2
    with connect(url, application_name="test") as connection:
        found = store.events_since(connection, 0, 10)
        assert [each.event for each in found] == [event(1), event(2)]
        assert store.head(connection) == 2
        query = "SELECT (extract(epoch from event_time) * 1000000)::bigint FROM alert_event WHERE seq = 1"
        row = connection.execute(query).fetchone()
        assert row is not None
        assert row[0] == AT
        assert store.events_since(connection, 1, 10) == found[1:]
        assert store.events_since(connection, 0, 1) == found[:1]


def test_a_listener_is_given_the_newest_number_after_the_commit(url: str) -> None:
    with connect(url, application_name="listen") as listener, connect(url, application_name="test") as writer:
        listener.execute(f"LISTEN {store.CHANNEL}")
        with writer.transaction():
            store.append_events(writer.cursor(), [event(1), event(2)])
            assert list(listener.notifies(timeout=0.2)) == []
        notes = list(listener.notifies(timeout=10, stop_after=1))
    assert [note.payload for note in notes] == ["2"]


def test_a_rolled_back_event_leaves_no_hole(url: str) -> None:
    with connect(url, application_name="test") as connection:
        with connection.transaction(force_rollback=True):
            store.append_events(connection.cursor(), [event(1)])
        with connection.transaction():
            assert store.append_events(connection.cursor(), [event(2)]) == 1
        assert [each.seq for each in store.events_since(connection, 0, 10)] == [1]


def test_a_second_writer_waits_so_that_numbers_follow_commits(url: str) -> None:
    with connect(url, application_name="one") as one, connect(url, application_name="two") as two:
        two.execute("SET lock_timeout = '300ms'")
        with one.transaction():
            store.append_events(one.cursor(), [event(1)])
            with pytest.raises(psycopg.errors.LockNotAvailable), two.transaction():
                store.append_events(two.cursor(), [event(2)])
        with two.transaction():
            assert store.append_events(two.cursor(), [event(2)]) == 2


def test_the_same_event_is_refused_a_second_time(url: str) -> None:
    with connect(url, application_name="test") as connection:
        with connection.transaction():
            store.append_events(connection.cursor(), [event(1)])
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            store.append_events(connection.cursor(), [event(1)])
        assert store.head(connection) == 1


def test_no_events_tell_nobody(url: str) -> None:
    with connect(url, application_name="test") as connection:
        connection.execute(f"LISTEN {store.CHANNEL}")
        with connection.transaction():
            assert store.append_events(connection.cursor(), []) == 0
        assert list(connection.notifies(timeout=0.2)) == []


def test_a_condition_comes_back_as_it_was_written_and_is_overwritten(url: str) -> None:
    held = Condition("rule", "S/level", Phase.CLEARING, 2, AT, 3, AT + 1, event(1).alert_id, AT - 1, 7, "v")
    ended = Condition("rule", "S/level", Phase.INACTIVE, 0, AT + 2, 0, None, None, None, 8, "v")
    with connect(url, application_name="test") as connection:
        for condition in (held, ended):
            with connection.transaction():
                store.upsert_conditions(connection.cursor(), [condition])
            assert store.conditions(connection) == [condition]
