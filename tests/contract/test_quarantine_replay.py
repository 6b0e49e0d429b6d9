"""What was refused can be read again by today's configuration, once, while live readings go on."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

import huewatch
from ingest.embedded import EmbeddedBroker
from ingest.store import connect, quarantine, read
from ingest.store.quarantine import Wanted
from tests.support.databases import Database
from tests.support.mqtt import Client
from tests.support.pipeline import CITY, TOPIC, running, until
from tests.support.store import TellingSink, prepare, stored, table

NEW_TOPIC = "hue/v1/gw/new/readings"
NEW_STREAM = """      - {name: depth, property: water_level, unit: m, cadence: 5min,
         source: {gateway: gw, device: new, channel: depth}}
routes:"""
WITH_NEW = CITY.replace("routes:", NEW_STREAM)
EVERYTHING = Wanted(None, None, None)


def publish(broker: EmbeddedBroker, *messages: tuple[str, bytes]) -> None:
    with Client.login(broker, "simulator") as gateway:
        for topic, payload in messages:
            gateway.publish(topic, payload)


def rows(database: Database, *, resolved: bool = True) -> list[read.Quarantined]:
    with connect(database.url, application_name="test") as connection:
        return read.quarantine(connection, resolved=resolved)


def ask(database: Database, wanted: Wanted = EVERYTHING) -> tuple[int, int]:
    """How many rows were asked for, and how many of them are cut short."""
    with connect(database.url, application_name="test") as connection:
        asked, cut = quarantine.request_replay(connection, wanted)
        return len(asked), cut


async def quarantined(broker: EmbeddedBroker, database: Database, folder: Path, *payloads: bytes) -> None:
    """Let a city that does not know the device refuse these."""
    prepare(database.url, series=0)
    async with running(broker, database, folder, TellingSink(database.url)) as pipeline:
        await until(lambda: pipeline.sight.since is not None)
        await asyncio.to_thread(publish, broker, *((NEW_TOPIC, payload) for payload in payloads))
        await until(lambda: len(rows(database)) == len(payloads))


@pytest.mark.every_database
async def test_readings_of_a_device_are_stored_once_it_is_known(
    broker: EmbeddedBroker, database: Database, tmp_path: Path
) -> None:
    timed = b'{"channel": "depth", "value": 1.5, "time": "%s"}'
    first_seen = b'{"channel": "depth", "value": 2.5}'
    with connect(database.url, application_name="test") as connection:
        row = connection.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')").fetchone()
    assert row is not None
    await quarantined(broker, database, tmp_path, timed % f"{row[0]}T00:00:00Z".encode(), first_seen)
    arrival = {row.payload: row.first_seen for row in rows(database)}[first_seen]
    assert ask(database) == (2, 0)
    async with running(broker, database, tmp_path, TellingSink(database.url), WITH_NEW):
        await until(lambda: len(stored(database.url)) == 2)
        await asyncio.to_thread(publish, broker, (TOPIC, b'{"channel": "level", "value": 0.5}'))
        await until(lambda: len(stored(database.url)) == 3)
    values = {value: time for _, time, value in stored(database.url)}
    assert values[2.5] == arrival  # without a time of its own it keeps that of its first arrival
    assert rows(database, resolved=False) == []
    assert [row.count for row in rows(database)] == [1, 1]
    sums = "SELECT sum(messages)::int, sum(stored)::int FROM ledger WHERE gateway = '(replay)'"
    assert table(database.url, sums) == [(2, 2)]


async def test_replaying_again_stores_nothing_twice(
    broker: EmbeddedBroker, database: Database, tmp_path: Path
) -> None:
    await quarantined(broker, database, tmp_path, b'{"channel": "depth", "value": 1.5}')
    for _ in range(2):
        table(database.url, "UPDATE quarantine SET resolved_at = NULL RETURNING 1")
        assert ask(database) == (1, 0)
        async with running(broker, database, tmp_path, TellingSink(database.url), WITH_NEW):
            await until(lambda: rows(database, resolved=False) == [])
    assert len(stored(database.url)) == 1


async def test_what_is_refused_again_stays_and_is_not_counted_again(
    broker: EmbeddedBroker, database: Database, tmp_path: Path
) -> None:
    await quarantined(broker, database, tmp_path, b"{}")
    assert ask(database) == (1, 0)
    async with running(broker, database, tmp_path, TellingSink(database.url)):
        await until(lambda: rows(database)[0].replayed_at is not None)
    (row,) = rows(database, resolved=False)
    assert (row.reason, row.count, row.resolved_at) == ("unknown_device", 1, None)


async def test_refused_for_another_reason_is_a_row_of_its_own(
    broker: EmbeddedBroker, database: Database, tmp_path: Path
) -> None:
    await quarantined(broker, database, tmp_path, b'{"channel": "depth", "value": "x"}')
    assert ask(database) == (1, 0)
    async with running(broker, database, tmp_path, TellingSink(database.url), WITH_NEW):
        await until(lambda: len(rows(database)) == 2)
    assert {row.reason: row.resolved_at is not None for row in rows(database)} == {
        "unknown_device": True,
        "not_a_number": False,
    }


async def test_message_whose_end_was_not_kept_is_not_replayed(
    broker: EmbeddedBroker, database: Database, tmp_path: Path
) -> None:
    await quarantined(broker, database, tmp_path, b'{"channel": "depth", "value": 1.5}' + b" " * 9_000)
    assert ask(database) == (0, 1)


async def test_command_asks_follows_and_says_what_came_of_it(
    broker: EmbeddedBroker, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUEWATCH_DATABASE_URL", database.url)
    runner = CliRunner()
    await quarantined(broker, database, tmp_path, b'{"channel": "depth", "value": 1.5}', b"{}")
    digest = next(row for row in rows(database) if row.payload == b"{}").digest.hex()
    shown = runner.invoke(huewatch.app, ["quarantine", "show", digest[:8]])
    assert shown.exit_code == 0
    assert "000000  7b 7d" in shown.stdout
    assert runner.invoke(huewatch.app, ["quarantine", "show", ""]).exit_code == 1
    assert runner.invoke(huewatch.app, ["quarantine", "replay"]).exit_code == 1
    async with running(broker, database, tmp_path, TellingSink(database.url), WITH_NEW):
        words = ["quarantine", "replay", "--reason", "unknown_device", "--since", "1h"]
        done = await asyncio.to_thread(runner.invoke, huewatch.app, words)
    assert done.exit_code == 0, done.output
    assert "2 resolved, 0 refused again, 0 waiting." in done.output  # "{}" is refused for another reason now
