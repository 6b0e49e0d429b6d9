"""What the feed says of itself to whoever runs it: readiness that tests delivery, and what only the database
and the broker know."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from alerts.api.gauges import measure_database
from alerts.api.reader import Reader
from alerts.api.serve import running_feed
from alerts.feed_metrics import BROKER_DROPPED, DATABASE_UP
from alerts.model import EventKind
from ingest.clock import Clock, system_clock
from ingest.embedded import EmbeddedBroker
from tests.support.databases import Database
from tests.support.feed import NATURE, PHUOC, Connection, catalogue, commit, happening, prepare, tell, until
from tests.support.ioc import ours

CITY = catalogue()


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_a_feed_that_reaches_no_receiver_is_not_ready(
    plain_database: Database, table: Connection, broker: EmbeddedBroker
) -> None:
    async with running_feed(plain_database.url, ours(broker), CITY, NATURE) as feed:

        async def ready() -> bool:
            commit(table)
            return feed.readiness()[0] and metric("huewatch_delivery_reached", receiver="mqtt") == 1

        async def unreached() -> bool:
            commit(table)
            return feed.readiness()[1]["reasons"] == ["no receiver is reached: mqtt"]

        await until(ready)
        broker.kill()
        await until(unreached)
        assert metric("huewatch_delivery_reached", receiver="mqtt") == 0
        assert not feed.readiness()[0]
        broker.start()
        await until(ready, seconds=60.0)


async def test_a_feed_without_receivers_is_ready_when_it_can_see(
    plain_database: Database, table: Connection
) -> None:
    async with running_feed(plain_database.url, None, CITY, NATURE) as feed:

        async def ready() -> bool:
            return feed.readiness()[0]

        await until(ready)


async def test_open_alerts_and_what_the_broker_dropped_are_shown(
    plain_database: Database, table: Connection, broker: EmbeddedBroker
) -> None:
    tell(table, happening(1, alert=1, level=1))
    tell(table, happening(2, alert=1, level=3, kind=EventKind.ESCALATED))
    tell(table, happening(3, alert=2, level=1, station=PHUOC))
    tell(table, happening(4, alert=2, kind=EventKind.CLEARED, station=PHUOC))
    tell(table, happening(5, alert=3, level=2, station=PHUOC, rule="other"))
    BROKER_DROPPED.set(math.nan)
    async with running_feed(plain_database.url, ours(broker), CITY, NATURE):

        async def delivered() -> bool:
            row = table.execute("SELECT count(*) FROM delivery_outcome").fetchone()
            return row == (5,)

        async def told_by_the_broker() -> bool:
            return not math.isnan(metric("huewatch_broker_dropped") or 0.0)

        await until(delivered)
        await until(told_by_the_broker)
    await look_once(plain_database.url)
    found = {name: metric("huewatch_open_alerts", severity=name) for name in ("Severe", "Moderate", "Minor")}
    assert found == {"Severe": 1, "Moderate": 1, "Minor": 0}
    assert (metric("huewatch_database_bytes") or 0) > 1_000_000


async def test_a_database_that_is_away_is_shown(plain_database: Database, table: Connection) -> None:
    await look_once(plain_database.url)
    assert metric("huewatch_feed_database_up") == 1
    DATABASE_UP.set(1)
    await look_once("postgresql://nobody@127.0.0.1:1/none")
    assert metric("huewatch_feed_database_up") == 0


class Enough(Exception):
    """One look is enough."""


async def look_once(url: str) -> None:
    async def stop(_seconds: float) -> None:
        raise Enough

    real = system_clock()
    reader = Reader(url, CITY, NATURE)
    reader.open()
    try:
        with pytest.raises(Enough):
            await measure_database(reader, Clock(real.now, real.monotonic, stop))
    finally:
        reader.close()
