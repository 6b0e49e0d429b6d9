"""Many receivers at once: none delays another, each gets everything in order, and a change of the book is
taken up while the feed runs."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.api.serve import running_feed
from alerts.model import EventKind, Severity
from alerts.receivers.book import ReceiverBook
from alerts.receivers.wants import Wants
from ingest.embedded_server import free_port
from tests.fakes.hook import Answer, Hook
from tests.support.databases import Database
from tests.support.feed import (
    NATURE,
    Connection,
    catalogue,
    commit,
    happening,
    prepare,
    tell,
)
from tests.support.receivers import book, comes, outcomes, reached, secret_in, settled, webhook

CITY = catalogue()
MANY = 120


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return secret_in(tmp_path)


async def test_one_that_hangs_and_one_that_refuses_delay_nobody(
    plain_database: Database, table: Connection, secret: Path
) -> None:
    with Hook().serving() as well, Hook().serving() as hanging:
        hanging.answer = lambda request: Answer(after_s=30.0)
        chosen = book(
            webhook("hanging", hanging.port, secret),
            webhook("refusing", free_port(), secret),
            webhook("well", well.port, secret),
        )
        async with running_feed(plain_database.url, None, CITY, NATURE, book=chosen):
            for number in range(1, MANY + 1):
                tell(table, happening(number, alert=number), open_alert=False)
            await settled(table, "well", MANY)
            assert well.numbers == list(range(1, MANY + 1))
            assert (reached(table, "hanging"), reached(table, "refusing")) == (0, 0)
            row = table.execute("SELECT attempts, last_error FROM delivery WHERE receiver = 'refusing'")
            attempts, error = row.fetchone() or (0, None)
            assert attempts > 0
            assert "ConnectError" in error


async def test_a_receiver_that_was_away_gets_each_event_once_in_order_when_it_is_back(
    plain_database: Database, table: Connection, secret: Path, rng: random.Random
) -> None:
    port = free_port()
    for number in range(1, MANY + 1):
        tell(table, happening(number, alert=number), open_alert=False)
    async with running_feed(plain_database.url, None, CITY, NATURE, book=book(webhook("app", port, secret))):
        hook = Hook()
        hook.answer = lambda request: Answer(rng.choice([204, 204, 204, 500, 503]))
        with hook.serving(port):
            await settled(table, "app", MANY, 100)
    assert hook.numbers == list(range(1, MANY + 1))
    assert len(hook.unique) == MANY
    print(f"{len(hook.seen) - MANY} repeats")


async def test_410_stops_it_and_is_an_alert_about_ourselves_until_it_takes_something(
    plain_database: Database, table: Connection, secret: Path
) -> None:
    with Hook().serving() as gone, Hook().serving() as duty:
        gone.answer = lambda request: Answer(410)
        both = book(webhook("app", gone.port, secret), webhook("duty", duty.port, secret), on_call="duty")
        async with running_feed(plain_database.url, None, CITY, NATURE, book=both) as feed:
            tell(table, happening(1))
            await comes(lambda: any(one["target"] == "@receiver/app" for one in duty.unique.values()))
            (alert,) = (one for one in duty.unique.values() if one["target"] == "@receiver/app")
            assert "wants nothing more" in alert["reason"]
            assert alert["severity"] == Severity.UNKNOWN
            gone.answer = lambda request: Answer()
            moved = webhook("app", gone.port, secret, wants=Wants(severity=Severity.MINOR))
            feed.use(CITY, replace(both, receivers=(moved, both.receivers[1])))
            await comes(lambda: [one["kind"] for one in duty.unique.values()].count("cleared") == 1)
            assert gone.numbers[0] == 1


async def test_receivers_appear_change_and_vanish_while_the_feed_runs(
    plain_database: Database, table: Connection, secret: Path
) -> None:
    with Hook().serving() as first, Hook().serving() as second:
        one, two = webhook("one", first.port, secret), webhook("two", second.port, secret)
        async with running_feed(plain_database.url, None, CITY, NATURE, book=book(one)) as feed:
            tell(table, happening(1), open_alert=False)
            await settled(table, "one", 1)
            feed.use(CITY, book(one, two))
            await settled(table, "two", 1)  # what came within the last hour
            severe = webhook("two", second.port, secret, wants=Wants(severity=Severity.SEVERE))
            feed.use(CITY, book(severe))
            tell(table, happening(2, alert=2), open_alert=False)
            tell(table, happening(3, alert=3, level=3), open_alert=False)
            await settled(table, "two", 3)
        assert first.numbers == [1]
        assert second.numbers == [1, 3]
        assert outcomes(table, "two") == [(1, "delivered"), (3, "delivered")]
        assert reached(table, "one") == 1


async def test_a_book_that_cannot_be_built_changes_nothing(
    plain_database: Database, table: Connection, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hook().serving() as hook:
        one = webhook("one", hook.port, secret)
        async with running_feed(plain_database.url, None, CITY, NATURE, book=book(one)) as feed:

            def broken(*_: object) -> None:
                raise ValueError("no such thing")

            monkeypatch.setattr("alerts.crew.build", broken)
            with pytest.raises(ValueError, match="no such thing"):
                feed.use(CITY, book(webhook("other", hook.port, secret)))
            tell(table, happening(1), open_alert=False)
            await settled(table, "one", 1)
        assert hook.numbers == [1]


async def test_a_new_receiver_is_not_told_the_past(
    plain_database: Database, table: Connection, secret: Path
) -> None:
    tell(table, happening(1), happening(2, kind=EventKind.CLEARED))
    table.execute("UPDATE alert_event SET created_at = clock_timestamp() - interval '2 hours'")
    with Hook().serving() as hook:
        chosen: ReceiverBook = book(webhook("new", hook.port, secret))
        async with running_feed(plain_database.url, None, CITY, NATURE, book=chosen):
            await comes(lambda: reached(table, "new") == 2)
            tell(table, happening(3, alert=3))
            await settled(table, "new", 3)
    assert hook.numbers == [3]
