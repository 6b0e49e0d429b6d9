"""The daily test reaches every receiver whatever it wants, once; who is not reached is told to who is on
call; and the commands that ask and replay."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import huewatch
from alerts import proof_store, store
from alerts.api.serve import running_feed
from alerts.audit_store import after
from alerts.headline import headline
from alerts.model import RECEIVER, EventKind, Severity
from alerts.receivers import Notice, Undeliverable
from alerts.receivers.wants import Wants
from alerts.receivers.webhook import WebhookSession
from alerts.wire import parse_stamp
from ingest.clock import system_clock
from ingest.embedded_server import free_port
from ingest.model import Nature
from ingest.new_station import copy_shipped_config
from tests.fakes.hook import Answer, Hook
from tests.support.databases import Database
from tests.support.feed import MINUTE, Connection, catalogue, commit, happening, prepare, tell
from tests.support.receivers import book, comes, outcomes, reached, secret_in, settled, webhook

CITY = catalogue()
EIGHT = 8 * 60
DAY = 24 * 60 * MINUTE


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return secret_in(tmp_path)


def now_minute() -> int:
    """This minute of the local day: a test at it is due."""
    return (system_clock().now() // MINUTE + 7 * 60) % (24 * 60)


def served(table: Connection, name: str, since: str = "2 days") -> None:
    """A receiver that first appeared so long ago."""
    table.execute(
        "INSERT INTO delivery (receiver, since) VALUES (%s, clock_timestamp() - %s::interval)", (name, since)
    )


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2025-10-27T08:00+07:00", "2025-10-27T08:00+07:00"),
        ("2025-10-27T07:59+07:00", "2025-10-26T08:00+07:00"),
        ("2025-10-27T23:59+07:00", "2025-10-27T08:00+07:00"),
        ("2025-10-28T00:01+07:00", "2025-10-27T08:00+07:00"),
    ],
)
def test_a_test_is_due_at_its_local_time(now: str, due: str) -> None:
    assert proof_store.due(EIGHT, parse_stamp(now)) == parse_stamp(due)


def test_one_test_is_told_for_each_day(table: Connection) -> None:
    now = system_clock().now()
    assert not proof_store.tell_test(table, EIGHT, now)  # nobody is there yet
    served(table, "duty")
    assert proof_store.tell_test(table, EIGHT, now)
    assert not proof_store.tell_test(table, EIGHT, now + MINUTE - MINUTE)
    assert proof_store.tell_test(table, EIGHT, now + DAY)
    first, second = (each.event for each in store.events_since(table, 0, 10))
    assert first.kind is EventKind.TESTED
    assert first.nature == Nature.TEST
    assert first.event_id != second.event_id
    assert headline(first).vi == "THỬ NGHIỆM: Huewatch: tin thử hằng ngày, không có gì xảy ra"
    assert store.open_alerts(table) == []


def test_nobody_is_tested_before_the_first_time_that_comes_after_their_start(table: Connection) -> None:
    served(table, "duty", "0 seconds")
    now = system_clock().now()
    soon = (now_minute() + 60) % (24 * 60)
    assert not proof_store.tell_test(table, soon, now)
    assert proof_store.tell_test(table, soon, now + DAY)


async def test_it_reaches_every_receiver_whatever_it_wants_and_proves_it(
    plain_database: Database, table: Connection, secret: Path
) -> None:
    served(table, "picky")
    served(table, "last")
    table.execute("UPDATE delivery SET seq = 0")
    with Hook().serving() as hook:
        picky = webhook(
            "picky", hook.port, secret, wants=Wants(unanswered_only=True), natures=frozenset({Nature.ACTUAL})
        )
        last = webhook("last", free_port(), secret, wants=Wants(severity=Severity.EXTREME))
        chosen = book(picky, last, daily_test=now_minute())
        async with running_feed(plain_database.url, None, CITY, Nature.EXERCISE, book=chosen):
            await comes(lambda: bool(hook.seen))
            await settled(table, "picky", 1)
    (told,) = hook.unique.values()
    assert (told["kind"], told["nature"], told["silent"]) == ("tested", "Test", True)
    states = {state.receiver: state for state in proof_store.states(table)}
    assert not states["picky"].unproven
    assert states["picky"].succeeded_at == states["picky"].proven_at
    assert states["last"].unproven
    assert outcomes(table, "picky") == [(1, "delivered")]


def told_of(
    table: Connection, *names: str, tested: bool = True, settled: bool = True
) -> list[tuple[str, str]]:
    head = store.head(table)
    states = proof_store.states(table)
    proof_store.tell_of_receivers(
        table, states, set(names), system_clock().now(), tested=tested, settled=settled
    )
    return [(each.event.kind.value, each.event.reason) for each in store.events_since(table, head, 10)]


def test_a_receiver_unproven_for_25_hours_is_an_alert_until_it_is_proven(table: Connection) -> None:
    served(table, "duty", "24 hours")
    assert told_of(table, "duty") == []
    table.execute("UPDATE delivery SET since = since - interval '2 hours', last_error = 'answered 500'")
    assert told_of(table, "duty", settled=False) == []
    assert told_of(table, "duty", tested=False) == []
    assert told_of(table, "duty") == [("raised", "never proven; answered 500")]
    assert told_of(table, "duty") == []
    assert told_of(table, "duty", settled=False) == []  # a start ends nothing
    table.execute("UPDATE delivery SET proven_at = clock_timestamp()")
    assert told_of(table, "duty") == [("cleared", "it is reached again")]


def test_a_receiver_that_leaves_the_book_ends_its_alert(table: Connection) -> None:
    served(table, "duty", "2 days")
    assert told_of(table, "duty") == [("raised", "never proven")]
    assert told_of(table, "other") == [("cleared", "it is no receiver any more")]


async def test_what_is_refused_for_good_is_let_go_and_is_an_alert_about_ourselves(
    plain_database: Database, table: Connection, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = WebhookSession.deliver

    async def refuse(session: WebhookSession, notice: Notice) -> None:
        if notice.numbered.seq == 1:
            raise Undeliverable("550 no such user")
        await deliver(session, notice)

    monkeypatch.setattr(WebhookSession, "deliver", refuse)
    with Hook().serving() as hook:
        chosen = book(webhook("duty", hook.port, secret), on_call="duty")
        async with running_feed(plain_database.url, None, CITY, Nature.EXERCISE, book=chosen):
            tell(table, happening(1))
            await comes(lambda: any(one["kind"] == "cleared" for one in hook.unique.values()))
    rows = table.execute("SELECT outcome, error FROM delivery_outcome ORDER BY seq").fetchall()
    assert rows == [("failed", "550 no such user"), ("delivered", None), ("delivered", None)]
    raised, cleared = hook.unique.values()
    assert (raised["target"], raised["reason"]) == (f"{RECEIVER}duty", "550 no such user")
    assert cleared["alert_id"] == raised["alert_id"]


# -- the commands


def run(database: Database, folder: Path, *words: str) -> Result:
    environment = {
        "HUEWATCH_DATABASE_URL": database.url,
        "HUEWATCH_BROKER_HOST": "127.0.0.1",
        "HUEWATCH_NATURE": "Exercise",
        "COLUMNS": "200",
    }
    line = ["--config", str(folder), "receivers", *words]
    found = CliRunner().invoke(huewatch.app, line, env=environment)
    print(found.output)
    return found


@pytest.fixture
def configured(tmp_path: Path, secret: Path) -> Path:
    copy_shipped_config(tmp_path / "city")
    return tmp_path / "city"


def configure(folder: Path, secret: Path, port: int) -> None:
    text = (
        "receivers:\n  - name: app\n    kind: webhook\n    natures: [Exercise]\n"
        f"    url: http://127.0.0.1:{port}/hook\n    secret_file: {secret}\n"
        "    allow_private: true\n    insecure: true\n"
    )
    (folder / "receivers.yaml").write_text(text, encoding="utf-8")


def test_list_says_how_each_receiver_is_doing(
    plain_database: Database, table: Connection, configured: Path, secret: Path
) -> None:
    configure(configured, secret, 1)
    found = run(plain_database, configured, "list")
    assert found.exit_code == 1
    assert "no feed has served it yet" in found.stdout
    served(table, "app", "2 days")
    table.execute("UPDATE delivery SET attempts = 3, last_error = 'answered 500'")
    tell(table, happening(1))
    found = run(plain_database, configured, "list")
    assert found.exit_code == 1
    assert "answered 500" in found.stdout
    assert "1 receivers, 1 not reached." in found.stdout
    table.execute("UPDATE delivery SET attempts = 0, last_error = NULL, proven_at = clock_timestamp()")
    assert run(plain_database, configured, "list").exit_code == 0


def test_test_says_what_happened(
    plain_database: Database, table: Connection, configured: Path, secret: Path
) -> None:
    with Hook().serving() as hook:
        configure(configured, secret, hook.port)
        found = run(plain_database, configured, "test", "app")
        assert (found.exit_code, found.stdout) == (0, "app: taken.\n")
        (told,) = hook.unique.values()
        assert told["kind"] == "tested"
        hook.answer = lambda request: Answer(401)
        refused = run(plain_database, configured, "test", "app")
        assert refused.exit_code == 1
        assert "app: answered 401" in refused.output
        assert "There is no receiver 'ap'. Remedy: Write `app` instead." in run(
            plain_database, configured, "test", "ap"
        ).output.replace("\n", " ")


async def test_replay_tells_again_from_a_number_on_and_under_the_same_ids(
    plain_database: Database, table: Connection, configured: Path, secret: Path
) -> None:
    with Hook().serving() as hook:
        configure(configured, secret, hook.port)
        chosen = book(webhook("app", hook.port, secret))
        async with running_feed(plain_database.url, None, CITY, Nature.EXERCISE, book=chosen):
            for number in range(1, 6):
                tell(table, happening(number, alert=number), open_alert=False)
            await settled(table, "app", 5)
            again, beyond = (("--from", str(number), "--by", "An") for number in (3, 99))
            done = await asyncio.to_thread(run, plain_database, configured, "replay", "app", *again)
            assert done.stdout == "app: was at event 5, goes on after event 2.\n"
            await comes(lambda: len(hook.seen) == 8)
            await settled(table, "app", 5)
            skip = await asyncio.to_thread(run, plain_database, configured, "replay", "app", *beyond)
            assert skip.stdout == "app: was at event 5, goes on after event 5.\n"
    assert [int(request.body.split(b'"seq":')[1].split(b",")[0]) for request in hook.seen] == [
        *range(1, 6),
        *range(3, 6),
    ]
    assert len(hook.unique) == 5
    assert reached(table, "app") == 5
    deeds = [(entry.deed.who, entry.deed.what, entry.deed.detail) for entry in after(table, 0, 10)]
    assert deeds == [("An", "receiver.replay", "from 3"), ("An", "receiver.replay", "from 99")]
    assert len(outcomes(table, "app")) == 5
