"""A pipeline between a real broker and a real database, for as long as a block runs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from ingest.catalog import load_catalogue
from ingest.clock import system_clock
from ingest.embedded import EmbeddedBroker
from ingest.model import Nature, Sink
from ingest.mqtt import BrokerSettings, Subscriber
from ingest.normalise import Normaliser
from ingest.pipeline import Pipeline
from ingest.store import codec_memory, connect
from ingest.store.datastreams import register
from ingest.store.write import Writer
from tests.support.databases import Database

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


@asynccontextmanager
async def running(
    broker: EmbeddedBroker, database: Database, folder: Path, sink: Sink, city: str = CITY
) -> AsyncIterator[Pipeline]:
    """A pipeline that runs to the end of the block, without the process around it."""
    (folder / "city.yaml").write_text(city, encoding="utf-8")
    catalogue = load_catalogue(folder)
    with connect(database.url, application_name="test") as connection:
        ids = register(connection, [key for key, _, _ in catalogue.datastreams()], Nature.EXERCISE)
        remembered = codec_memory.load(connection)
    writer = Writer(database.url, "hue", "test", 100)
    writer.claim()
    writer.rebuild([])  # what an earlier one has left undecided
    normaliser = Normaliser(catalogue, ids, Nature.EXERCISE)
    normaliser.recall(remembered)
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
