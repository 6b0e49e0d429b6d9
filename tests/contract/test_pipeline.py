"""The pipeline between a real broker and a real database: what it tells of its own sight."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg

from ingest.embedded import EmbeddedBroker
from ingest.model import BlindReason
from tests.support.databases import Database
from tests.support.mqtt import Client
from tests.support.pipeline import TOPIC, running, until
from tests.support.store import TellingSink, prepare, stored, told


class BreakableSink(TellingSink):
    """Fails for as long as it is `broken`."""

    broken = False

    def persist(self, cursor: psycopg.Cursor[Any], outcome: Any) -> None:
        if self.broken:
            raise ValueError("broken")
        super().persist(cursor, outcome)


async def test_rows_that_could_not_be_decided_on_blind_us_until_they_can(
    broker: EmbeddedBroker, database: Database, tmp_path: Path
) -> None:
    prepare(database.url)
    sink = BreakableSink(database.url)

    def publish(value: float) -> None:
        with Client.login(broker, "simulator") as gateway:
            gateway.publish(TOPIC, b'{"channel": "level", "value": %g}' % value)

    async with running(broker, database, tmp_path, sink) as pipeline:
        await until(lambda: pipeline.sight.since is not None)
        sink.broken = True
        await asyncio.to_thread(publish, 1.0)
        await until(lambda: len(stored(database.url)) == 1)
        await until(lambda: pipeline.sight.reason is BlindReason.UNDECIDED)
        assert told(database.url) == []
        sink.broken = False
        await until(lambda: pipeline.sight.since is not None)
        await asyncio.to_thread(publish, 2.0)
        await until(lambda: len(told(database.url)) == 2)
    assert [value for _, _, value in stored(database.url)] == [1.0, 2.0]
    assert [value for _, _, value in told(database.url)] == [1.0, 2.0]
    assert sink.rebuilt >= 1
