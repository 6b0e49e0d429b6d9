"""Who gets in at a running feed over a real database, who does not, and what they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from alerts.access import Scope
from alerts.api.serve import Feed, running_feed
from tests.support import access
from tests.support.databases import Database
from tests.support.feed import NATURE, Connection, catalogue, commit, happening, prepare, tell

CITY = catalogue()


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        tell(connection, happening(1, level=2))
        yield connection


@pytest.fixture
async def feed(plain_database: Database, table: Connection) -> AsyncIterator[Feed]:
    async with running_feed(plain_database.url, None, CITY, NATURE) as found:
        yield found


@pytest.fixture
async def nobody(feed: Feed) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=feed.url, timeout=10.0) as found:
        yield found


async def test_a_token_opens_what_its_scope_holds(
    plain_database: Database, nobody: httpx.AsyncClient, table: Connection
) -> None:
    reader = access.headers(plain_database.url, Scope.READ, name="reader")
    chief = access.headers(plain_database.url, Scope.ADMINISTER, name="chief")
    for path in ("/api/v1/stations", "/api/v1/openapi.json", "/api/v1/session"):
        assert (await nobody.get(path)).status_code == 401
        assert (await nobody.get(path, headers=reader)).status_code == 200, path
        assert (await nobody.get(path, headers=chief)).status_code == 200
    refused = await nobody.get("/api/v1/audit", headers=reader)
    assert (refused.status_code, refused.json()["scope"]) == (403, "administer")
    assert (await nobody.get("/api/v1/audit", headers=chief)).status_code == 200


async def test_an_act_is_done_by_whom_the_token_was_made_for(
    plain_database: Database, nobody: httpx.AsyncClient, table: Connection
) -> None:
    an = access.headers(plain_database.url, Scope.ACKNOWLEDGE, name="An")
    path = f"/api/v1/alerts/{happening(1).alert_id}/acknowledge"
    done = await nobody.post(path, json={"until": "resolved", "seen": 0}, headers=an)
    assert done.status_code == 200, done.text
    assert done.json()["handling"]["acknowledged"]["by"] == "An"
