"""A pipeline takes up another configuration between two commits, or stays as it was."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest.catalog import load_catalogue
from ingest.embedded import EmbeddedBroker
from ingest.model import Nature
from ingest.normalise import Normaliser
from ingest.pipeline import NotTaken, Parts
from ingest.refine import Refiner
from ingest.store import connect
from ingest.store.datastreams import register
from tests.support.databases import Database
from tests.support.mqtt import Client
from tests.support.pipeline import CITY, TOPIC, running, until
from tests.support.store import TellingSink, prepare, stored, table, told

OTHER_TOPIC = "hue/v1/gw/dev/other"
OTHER = CITY.replace("hue/v1/+/+/readings", "hue/v1/+/+/other")


class Forgetful(TellingSink):
    """Cannot read its state."""

    def rebuild(self, connection: psycopg.Connection[Any]) -> None:
        raise ValueError("by design")


def parts(database: Database, folder: Path, sink: TellingSink, city: str) -> Parts:
    """What another city comes to."""
    (folder / "other").mkdir(exist_ok=True)
    (folder / "other" / "city.yaml").write_text(city, encoding="utf-8")
    catalogue = load_catalogue(folder / "other")
    with connect(database.url, application_name="test") as connection:
        ids = register(connection, [key for key, _, _ in catalogue.datastreams()], Nature.EXERCISE)
    filters = [route.filter for route in catalogue.routes]
    normaliser = Normaliser(catalogue, ids, Nature.EXERCISE)
    return Parts(catalogue, ids, normaliser, Refiner(catalogue, ids), [sink], filters)


def publish(broker: EmbeddedBroker, topic: str, value: float) -> None:
    with Client.login(broker, "simulator") as gateway:
        gateway.publish(topic, b'{"channel": "level", "value": %g}' % value)


async def test_configuration_whose_state_cannot_be_read_leaves_the_one_before(
    broker: EmbeddedBroker, database: Database, tmp_path: Path
) -> None:
    prepare(database.url)
    sink = TellingSink(database.url)
    async with running(broker, database, tmp_path, sink) as pipeline:
        await until(lambda: pipeline.sight.since is not None)
        since = pipeline.sight.since
        with pytest.raises(NotTaken, match="by design"):
            await pipeline.swap(parts(database, tmp_path, Forgetful(database.url), OTHER))
        assert pipeline.sight.since == since
        await asyncio.to_thread(publish, broker, TOPIC, 1.0)
        await until(lambda: len(told(database.url)) == 1)
        await asyncio.to_thread(publish, broker, OTHER_TOPIC, 2.0)  # nobody is subscribed to it
        await asyncio.to_thread(publish, broker, TOPIC, 3.0)
        await until(lambda: len(told(database.url)) == 2)
    assert table(database.url, "SELECT reason FROM quarantine") == []
    assert table(database.url, "SELECT filters FROM writer") == [(["hue/v1/+/+/readings"],)]


async def test_new_parts_are_in_force_together_and_only_a_new_route_blinds_for_a_moment(
    broker: EmbeddedBroker, database: Database, tmp_path: Path
) -> None:
    prepare(database.url)
    before, after, last = (TellingSink(database.url) for _ in range(3))
    async with running(broker, database, tmp_path, before) as pipeline:
        await until(lambda: pipeline.sight.since is not None)
        first = pipeline.sight.since
        await asyncio.to_thread(publish, broker, TOPIC, 1.0)
        await until(lambda: len(stored(database.url)) == 1)
        await pipeline.swap(parts(database, tmp_path, after, OTHER))
        await asyncio.to_thread(publish, broker, OTHER_TOPIC, 2.0)
        await until(lambda: len(stored(database.url)) == 2)
        await until(lambda: pipeline.sight.since is not None)
        second = pipeline.sight.since
        await pipeline.swap(parts(database, tmp_path, last, OTHER.replace("5min", "10min")))
        assert pipeline.sight.since == second
        await asyncio.to_thread(publish, broker, OTHER_TOPIC, 3.0)
        await until(lambda: len(stored(database.url)) == 3)
    assert first is not None
    assert second is not None
    assert second > first
    by_sink = [
        [value for changes in sink.evaluated for value in changes.inserted.value.tolist()]
        for sink in (before, after, last)
    ]
    assert by_sink == [[1.0], [2.0], [3.0]]
    assert (after.rebuilt, last.rebuilt) == (1, 1)
