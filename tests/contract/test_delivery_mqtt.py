"""Alerts over a real broker: in order, at least once, the newest state kept, and a Will when we die."""

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from alerts.api.serve import Feed, running_feed
from alerts.model import EventKind, NumberedEvent
from alerts.proof_store import test_event as proof
from alerts.receivers import Notice
from alerts.receivers.mqtt import MqttReceiver, MqttSettings
from alerts.receivers.registry import Surroundings, probe
from ingest.clock import system_clock
from ingest.embedded import HOST, EmbeddedBroker
from ingest.embedded_server import free_port
from ingest.mqtt import BrokerSettings
from tests.support.databases import Database
from tests.support.feed import (
    KIMLONG,
    NATURE,
    NOW,
    PHUOC,
    Connection,
    catalogue,
    commit,
    happening,
    prepare,
    tell,
    until,
)
from tests.support.ioc import Ioc, heard, kept, listening_ioc, ours, status

CITY = catalogue()
STATE = f"ioc/alerts/state/{KIMLONG}/water_level/river-level"
HOUR_S = 3600.0


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


@pytest.fixture
async def feed(plain_database: Database, table: Connection, broker: EmbeddedBroker) -> AsyncIterator[Feed]:
    async with running_feed(plain_database.url, ours(broker), CITY, NATURE) as found:
        yield found


@pytest.fixture
async def ioc(broker: EmbeddedBroker) -> AsyncIterator[Ioc]:
    async with listening_ioc(broker) as found:
        yield found


def outcomes(connection: Connection) -> list[tuple[int, str, int | None]]:
    return connection.execute(
        "SELECT seq, outcome, superseded_by FROM delivery_outcome WHERE receiver = 'mqtt' ORDER BY seq"
    ).fetchall()


async def test_an_alert_is_told_kept_and_cleared(feed: Feed, ioc: Ioc, table: Connection) -> None:
    tell(table, happening(1))
    tell(table, happening(2, kind=EventKind.ESCALATED, level=2))
    await kept(ioc, STATE, 2)
    assert [(event["seq"], event["kind"], event["silent"]) for event in ioc.events] == [
        (1, "raised", False),
        (2, "escalated", False),
    ]
    assert ioc.events[0]["event_id"] == happening(1).event_id
    assert ioc.events[0]["nature"] == "Exercise"
    tell(table, happening(3, kind=EventKind.CLEARED))
    await kept(ioc, STATE, None)
    await until(lambda: settled(table, 3))
    assert [outcome for _, outcome, _ in outcomes(table)] == ["delivered"] * 3


async def settled(connection: Connection, last: int) -> bool:
    return bool(outcomes(connection)) and outcomes(connection)[-1][0] == last


async def test_the_status_is_kept_and_follows_our_sight(feed: Feed, ioc: Ioc, table: Connection) -> None:
    newest = await status(ioc, "current")
    assert newest["nature"] == "Exercise"
    commit(table, sighted=False, reason="no_broker")
    await status(ioc, "blind", "no_broker")
    commit(table, ago_s=61)
    await status(ioc, "unknown", "commit_too_old")


async def test_a_message_from_beside_the_feed_leaves_its_status(
    feed: Feed, ioc: Ioc, broker: EmbeddedBroker
) -> None:
    await status(ioc, "current")
    beside = replace(ours(broker), client_id="huewatch-test")
    tested = Notice(NumberedEvent(0, NOW, proof(NOW, "by hand")), silent=True)
    around = Surroundings(beside, CITY, "", system_clock())
    async with probe(MqttSettings(name="mqtt"), around).connect() as session:
        await session.deliver(tested)
    await heard(ioc, 0)
    await asyncio.sleep(0.5)  # a status that the end of the connection would leave
    assert ioc.events[-1]["kind"] == "tested"
    assert {said["state"] for said in ioc.statuses} <= {"current", "unknown"}
    assert ioc.statuses[-1]["state"] == "current"
    assert "feed_stopped" not in {said["as_of"]["reason"] for said in ioc.statuses}


async def test_order_is_kept_across_a_broker_restart(
    feed: Feed, ioc: Ioc, table: Connection, broker: EmbeddedBroker
) -> None:
    many = 200

    def append() -> None:
        for number in range(1, many + 1):
            tell(table, happening(number, alert=number), open_alert=False)

    tell_all = asyncio.create_task(asyncio.to_thread(append))
    await heard(ioc, 20)
    await asyncio.to_thread(broker.restart)
    await tell_all
    await heard(ioc, many)
    assert ioc.in_first_order == list(range(1, many + 1))
    assert {event["event_id"] for event in ioc.events} == {
        happening(number).event_id for number in range(1, many + 1)
    }


async def test_states_are_written_again_for_a_broker_that_forgot_everything(
    feed: Feed, ioc: Ioc, table: Connection, broker: EmbeddedBroker
) -> None:
    tell(table, happening(1), happening(2, alert=2, station=PHUOC))
    tell(table, happening(3, alert=2, station=PHUOC, kind=EventKind.CLEARED))
    await kept(ioc, STATE, 1)
    await until(lambda: settled(table, 3))
    await asyncio.to_thread(broker.kill)
    (broker.folder / "mosquitto.db").unlink(missing_ok=True)
    ioc.kept.clear()
    ioc.statuses.clear()
    await asyncio.to_thread(broker.start)
    await kept(ioc, STATE, 1)
    await status(ioc, "current")
    assert ioc.numbers == [1, 2, 3]  # what was told is not told again


async def test_a_state_that_came_back_from_the_brokers_disk_is_cleared(
    feed: Feed, ioc: Ioc, table: Connection, broker: EmbeddedBroker
) -> None:
    tell(table, happening(1))
    await kept(ioc, STATE, 1)
    await asyncio.to_thread(broker.stop)
    saved = broker.folder / "mosquitto.db"
    shutil.copy2(saved, saved.with_suffix(".old"))
    await asyncio.to_thread(broker.start)
    tell(table, happening(2, kind=EventKind.CLEARED))
    await kept(ioc, STATE, None)
    await until(lambda: settled(table, 2))
    await asyncio.to_thread(broker.kill)
    shutil.copy2(saved.with_suffix(".old"), saved)
    shutil.chown(saved, broker.user)
    ioc.kept.clear()
    await asyncio.to_thread(broker.start)
    await kept(ioc, STATE, None)


async def test_of_an_old_backlog_only_the_head_notifies(feed: Feed, ioc: Ioc, table: Connection) -> None:
    tell(
        table,
        happening(1, late_s=HOUR_S),
        happening(2, kind=EventKind.ESCALATED, level=2, late_s=HOUR_S),
        happening(3, kind=EventKind.ESCALATED, level=3, late_s=HOUR_S),
    )
    await kept(ioc, STATE, 3)
    await until(lambda: settled(table, 3))
    assert ioc.numbers == [3]
    assert outcomes(table) == [(1, "superseded", 3), (2, "superseded", 3), (3, "delivered", None)]


async def test_steps_that_drain_in_over_two_seconds_are_still_one_notice(
    feed: Feed, ioc: Ioc, table: Connection
) -> None:
    commit(table, sighted=False, reason="backlog_unread")
    await status(ioc, "blind")
    tell(table, happening(1, late_s=HOUR_S))
    await asyncio.sleep(1.2)  # longer than an event settles when nothing more can come
    tell(table, happening(2, kind=EventKind.ESCALATED, level=2, late_s=HOUR_S))
    commit(table)
    await heard(ioc, 2)
    assert ioc.numbers == [2]


async def test_a_rise_and_fall_missed_entirely_is_one_silent_entry(
    feed: Feed, ioc: Ioc, table: Connection
) -> None:
    tell(table, happening(1, late_s=HOUR_S), happening(2, kind=EventKind.CLEARED, late_s=HOUR_S))
    await heard(ioc, 2)
    assert [(event["seq"], event["silent"]) for event in ioc.events] == [(2, True)]
    await kept(ioc, STATE, None)


async def test_what_waited_while_no_feed_ran_is_delivered_by_the_next(
    plain_database: Database, table: Connection, broker: EmbeddedBroker, ioc: Ioc
) -> None:
    async with running_feed(plain_database.url, ours(broker), CITY, NATURE):
        tell(table, happening(1))
        await heard(ioc, 1)
    await status(ioc, "unknown", "feed_stopped")
    tell(table, happening(2, alert=2))
    async with running_feed(plain_database.url, ours(broker), CITY, NATURE):
        await heard(ioc, 2)
    assert ioc.numbers == [1, 2]


async def test_a_second_feed_leaves_the_receiver_to_the_first(
    plain_database: Database, feed: Feed, table: Connection, broker: EmbeddedBroker, ioc: Ioc
) -> None:
    await status(ioc, "current")
    table.execute("UPDATE delivery SET owner = 'another process'")
    async with running_feed(plain_database.url, ours(broker), CITY, NATURE):
        tell(table, happening(1))
        await asyncio.sleep(1.5)  # neither may deliver while the lease is the other's
        assert ioc.numbers == []
        table.execute("UPDATE delivery SET lease_until = clock_timestamp()")
        await heard(ioc, 1)


async def test_a_database_that_is_away_leaves_the_broker_told_unknown(
    plain_database: Database, feed: Feed, table: Connection, ioc: Ioc
) -> None:
    await status(ioc, "current")
    table.execute("ALTER TABLE writer RENAME TO writer_away")  # every look fails, connections live on
    await status(ioc, "unknown", "database_unreachable")
    table.execute("ALTER TABLE writer_away RENAME TO writer")
    await status(ioc, "current")


async def test_a_broker_that_is_down_delays_neither_page_nor_start(
    plain_database: Database, table: Connection
) -> None:
    nobody = BrokerSettings(HOST, free_port(), "huewatch-feed")
    async with running_feed(plain_database.url, nobody, CITY, NATURE) as feed:
        tell(table, happening(1))

        async def told() -> bool:
            return feed.hub.head == 1

        await until(told, 3)

        async def counted() -> bool:
            row = table.execute("SELECT attempts, last_error FROM delivery").fetchone()
            return row is not None and row[0] > 0 and bool(row[1])

        await until(counted)
    assert outcomes(table) == []


@pytest.mark.parametrize("answer", ["_on_connect", "_on_publish"])
async def test_a_stop_in_the_moment_of_an_answer_is_heeded(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    receiver = MqttReceiver(MqttSettings(name="mqtt"), ours(broker), CITY)
    take = getattr(aiomqtt.Client, answer)
    told = False

    def take_and_stop(client: aiomqtt.Client, *arguments: Any) -> None:
        nonlocal told
        take(client, *arguments)
        if not told:
            told = work.cancel()

    async def deliver_for_ever() -> None:
        async with receiver.connect() as session:
            while True:
                await session.report({"as_of": {"state": "current"}})

    monkeypatch.setattr(aiomqtt.Client, answer, take_and_stop)
    work = asyncio.create_task(deliver_for_ever())
    done, _ = await asyncio.wait({work}, timeout=10)
    monkeypatch.undo()
    work.cancel()
    assert told
    assert done == {work}


FEED = """
import asyncio, sys
from alerts.api.serve import serve_feed
from ingest.mqtt import BrokerSettings
from tests.support.feed import NATURE, catalogue

url, port, password, http, metrics = sys.argv[1:]
broker = BrokerSettings("127.0.0.1", int(port), "huewatch-feed", "feed", password)
asyncio.run(
    serve_feed(url, broker, catalogue, NATURE, "127.0.0.1", int(http), "127.0.0.1", int(metrics))
)
"""


@pytest.fixture
def process(
    plain_database: Database, table: Connection, broker: EmbeddedBroker
) -> Iterator[subprocess.Popen[bytes]]:
    """The feed as a process of its own."""
    ports = [str(free_port()), str(free_port())]
    found = subprocess.Popen(
        [sys.executable, "-c", FEED, plain_database.url, str(broker.port), broker.accounts["feed"], *ports],
        cwd=Path(__file__).parents[2],
    )
    yield found
    found.kill()
    found.wait()


async def test_a_killed_feed_leaves_its_will(process: subprocess.Popen[bytes], ioc: Ioc) -> None:
    await status(ioc, "current")
    process.kill()
    newest = await status(ioc, "unknown", "feed_lost")
    assert newest["as_of"]["stations_unknown"] == [KIMLONG, PHUOC]


async def test_a_feed_told_to_stop_ends_in_order_within_ten_seconds(
    process: subprocess.Popen[bytes], ioc: Ioc, table: Connection
) -> None:
    await status(ioc, "current")
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 10) == 0
    await status(ioc, "unknown", "feed_stopped")
    assert table.execute("SELECT owner FROM delivery").fetchone() == (None,)
