"""The pipeline between a real broker and a real database: what it tells of its own sight."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg

from ingest.catalog import load_catalogue
from ingest.clock import system_clock
from ingest.embedded import EmbeddedBroker
from ingest.model import BlindReason, Nature
from ingest.mqtt import BrokerSettings, Subscriber
from ingest.normalise import Normaliser
from ingest.pipeline import Pipeline
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.write import Writer
from tests.support.databases import Database
from tests.support.mqtt import Client
from tests.support.store import TellingSink, prepare, stored, told

CITY = """\
stations:
  - id: HUE-WL-TRY
    name: {vi: Thử, en: Try}
    kind: river
    nature: Exercise
    location: {lat: 16.45, lon: 107.56}
    datastreams:
      - {name: water_level, property: water_level, unit: m, cadence: 5min,
         source: {gateway: gw, device: dev, channel: level}}
routes:
  - {filter: hue/v1/+/+/readings, codec: huewatch-json, gateway_level: 3, device_level: 4}
"""
TOPIC = "hue/v1/gw/dev/readings"


class BreakableSink(TellingSink):
    """Fails for as long as it is `broken`."""

    broken = False

    def persist(self, cursor: psycopg.Cursor[Any], outcome: Any) -> None:
        if self.broken:
            raise ValueError("broken")
        super().persist(cursor, outcome)


@asynccontextmanager
async def running(
    broker: EmbeddedBroker, database: Database, folder: Path, sink: TellingSink
) -> AsyncIterator[Pipeline]:
    """A pipeline that runs to the end of the block, without the process around it."""
    (folder / "city.yaml").write_text(CITY, encoding="utf-8")
    catalogue = load_catalogue(folder)
    with connect(database.url, application_name="test") as connection:
        ids = register(connection, [key for key, _, _ in catalogue.datastreams()], Nature.EXERCISE)
    writer = Writer(database.url, "hue", "test", 100)
    writer.claim()
    normaliser = Normaliser(catalogue, ids, Nature.EXERCISE)
    settings = BrokerSettings("127.0.0.1", broker.port, "ingest", "ingest", broker.accounts["ingest"])
    filters = [route.filter for route in catalogue.routes]
    subscriber = Subscriber(
        settings, filters, system_clock(), random.Random(0), gateway_of=normaliser.gateway_of
    )
    with ThreadPoolExecutor(1) as worker:
        pipeline = Pipeline(subscriber, normaliser, writer, [sink], system_clock(), worker, random.Random(0))
        receiving = asyncio.create_task(subscriber.run())
        committing = asyncio.create_task(pipeline.run())
        try:
            yield pipeline
        finally:
            pipeline.stop()
            await committing
            await subscriber.stop()
            await receiving
            await asyncio.get_running_loop().run_in_executor(worker, writer.close)


async def until(holds: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - the state under test has no event of its own
        await asyncio.sleep(0.02)


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
        await until(lambda: len(told(database.url)) == 1)
    assert [value for _, _, value in stored(database.url)] == [1.0, 2.0]
    assert sink.rebuilt >= 1
