"""What the API tells for the console's pages: when alerts stood, when readings came, which sensor it is."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from alerts.api.serve import running_feed
from alerts.model import EventKind
from tests.support.access import headers
from tests.support.contract import checked
from tests.support.databases import Database
from tests.support.feed import (
    HOUR,
    KIMLONG,
    MINUTE,
    NATURE,
    NOW,
    PHUOC,
    Connection,
    commit,
    happening,
    prepare,
    tell,
)
from tests.support.pages import CITY, LEVEL, Row, store


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


@pytest_asyncio.fixture
async def client(plain_database: Database, table: Connection) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        running_feed(plain_database.url, None, CITY, NATURE) as feed,
        checked(feed.url, headers=headers(plain_database.url)) as found,
    ):
        yield found


async def test_an_alert_says_from_when_to_when_it_stood(table: Connection, client: httpx.AsyncClient) -> None:
    tell(table, happening(1, alert=1, level=1, time=NOW - 20 * HOUR))
    tell(table, happening(2, alert=1, level=2, time=NOW - HOUR, kind=EventKind.ESCALATED))
    tell(table, happening(3, alert=2, station=PHUOC, time=NOW - 30 * HOUR))
    tell(table, happening(4, alert=2, station=PHUOC, time=NOW - 26 * HOUR, kind=EventKind.CLEARED))
    listed = (await client.get("/api/v1/alerts?state=all")).json()["alerts"]
    stood = {each["newest"]["station"]: (each["began_at"], each["ended_at"]) for each in listed}
    assert stood == {
        KIMLONG: ("2025-10-26T04:00:00.000Z", None),
        PHUOC: ("2025-10-25T18:00:00.000Z", "2025-10-25T22:00:00.000Z"),
    }
    for each in listed:
        one = (await client.get(f"/api/v1/alerts/{each['alert_id']}")).json()
        assert (one["began_at"], one["ended_at"]) == (each["began_at"], each["ended_at"])


async def test_a_reading_says_when_it_came(table: Connection, client: httpx.AsyncClient) -> None:
    store(table, LEVEL, [Row(NOW - 5 * MINUTE, 3.5, delay=2 * HOUR), Row(NOW, 3.58)])
    rows = (await client.get(f"/api/v1/datastreams/{LEVEL}/observations")).json()["observations"]
    assert [row["received_at"] for row in rows] == ["2025-10-27T01:55:00.000Z", "2025-10-27T00:00:00.000Z"]


async def test_a_station_tells_of_its_sensors_and_their_zero(client: httpx.AsyncClient) -> None:
    told = (await client.get(f"/api/v1/stations/{KIMLONG}")).json()
    assert told["datum"] == "Hòn Dấu"
    assert told["sensors"] == {
        LEVEL: {
            "gateway": "gw",
            "device": "hue-wl-kimlong",
            "channel": "water_level",
            "since": None,
            "datum": "Hòn Dấu",
            "surveyed": True,
            "by": "exercise",
            "zero_elevation": None,
            "highest": None,
        }
    }
