"""A feed over a city with two rivers and a rain gauge: fixtures that the tests of its endpoints share.

Import the fixtures by name: `from tests.support.fed import city, client, table`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from alerts.access import Scope
from alerts.api.serve import running_feed
from ingest.catalog import Catalogue, Station
from ingest.clock import to_datetime
from ingest.store.datastreams import register
from tests.support.access import headers
from tests.support.contract import checked
from tests.support.databases import Database
from tests.support.feed import KIMLONG, NATURE, NOW, Connection, catalogue, prepare

LEVEL = f"{KIMLONG}/water_level"
RAIN = "HUE-RN-TEST"
RAIN_1H = f"{RAIN}/rain_1h"


def rain_gauge() -> Station:
    """A gauge of 10 minutes that derives the rain of an hour."""
    return Station.model_validate(
        {
            "id": RAIN,
            "name": {"vi": "Mưa thử", "en": "Rain"},
            "kind": "rain",
            "location": {"lat": 16.4, "lon": 107.5},
            "ward": {"vi": "phường Thuận Hóa", "en": "Thuan Hoa ward"},
            "nature": NATURE,
            "datastreams": (
                {
                    "name": "rainfall",
                    "property": "rainfall",
                    "unit": "mm",
                    "cadence": 600.0,
                    "source": {"gateway": "gw-rain", "device": "rain", "channel": "rainfall"},
                },
            ),
            "derived": (
                {
                    "name": "rain_1h",
                    "property": "rain_1h",
                    "unit": "mm",
                    "cadence": 600.0,
                    "derive": {"kind": "window_sum", "of": "rainfall", "window": 3_600.0},
                },
            ),
        }
    )


@pytest.fixture
def city() -> Catalogue:
    return catalogue(rain_gauge())


@pytest.fixture
def table(plain_database: Database, city: Catalogue) -> Iterator[Connection]:
    with prepare(plain_database.url, city) as connection:
        register(connection, [key for key, _, _ in city.derived()], NATURE)
        yield connection


@pytest.fixture
async def client(
    plain_database: Database, city: Catalogue, table: Connection
) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        running_feed(plain_database.url, None, city, NATURE) as feed,
        checked(feed.url, headers=headers(plain_database.url, Scope.READ)) as found,
    ):
        yield found


def derive(
    connection: Connection, key: str, time: int, value: float | None, coverage: float = 1.0, revision: int = 1
) -> None:
    """Store one derived row as ingest would."""
    at = to_datetime(time)
    connection.execute(
        "INSERT INTO derived (time, inputs_until, value, datastream, coverage, quality, revision)"
        " SELECT %s, %s, %s, id, %s, %s, %s FROM datastream WHERE key = %s",
        (at, at, value, coverage, 9 if value is None else 1, revision, key),
    )


async def get(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    """The JSON of a 200."""
    response = await client.get(path, params=parameters or None)
    assert response.status_code == 200, response.text
    return response.json()


async def pages(client: httpx.AsyncClient, path: str, **parameters: Any) -> list[Any]:
    """Every page, by its `next`, which the `Link` header says too."""
    response = await client.get(path, params=parameters or None)
    found = [response.json()]
    while found[-1]["next"]:
        assert response.headers["link"] == f'<{found[-1]["next"]}>; rel="next"'
        response = await client.get(found[-1]["next"])
        assert response.status_code == 200, response.text
        found.append(response.json())
        assert len(found) < 1_000
    assert "link" not in response.headers
    return found


async def refusal(client: httpx.AsyncClient, path: str, **parameters: Any) -> tuple[int, str]:
    """Status and detail of an error."""
    response = await client.get(path, params=parameters or None)
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["detail"]


__all__ = ["KIMLONG", "LEVEL", "NOW", "RAIN", "RAIN_1H", "city", "client", "derive", "get", "pages", "table"]
