"""Maintenance and silences over HTTP: made, listed and ended as by command, by whoever may."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from alerts.access import Scope
from alerts.api.serve import Feed, running_feed
from tests.support.access import headers
from tests.support.databases import Database
from tests.support.feed import KIMLONG, NATURE, Connection, catalogue, commit, happening, prepare, tell

CITY = catalogue()


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        tell(connection, happening(1))
        yield connection


@pytest.fixture
async def feed(plain_database: Database, table: Connection) -> AsyncIterator[Feed]:
    async with running_feed(plain_database.url, None, CITY, NATURE) as found:
        yield found


@pytest.fixture
async def asks(plain_database: Database, feed: Feed) -> AsyncIterator[httpx.AsyncClient]:
    shown = headers(plain_database.url, Scope.ADMINISTER, name="Chi")
    async with httpx.AsyncClient(base_url=f"{feed.url}/api/v1", headers=shown, timeout=20.0) as client:
        yield client


WORK = {"subject": KIMLONG, "reason": "cleaning", "for": "2h"}
QUIET = {"rule": "river-level", "station": KIMLONG, "reason": "roadworks", "for": "30min"}


@pytest.mark.parametrize(("path", "body"), [("maintenance", WORK), ("silences", QUIET)])
async def test_what_is_made_is_listed_with_its_owner_and_ended(
    asks: httpx.AsyncClient, table: Connection, path: str, body: dict[str, str]
) -> None:
    (made,) = (await asks.post(f"/{path}", json=body)).json()[path]
    assert (made["owner"], made["reason"]) == ("Chi", body["reason"])
    assert (await asks.get(f"/{path}")).json()[path] == [made]
    assert (await asks.get("/handover")).json()[path] == [made]
    ended = await asks.post(f"/{path}/{made['id']}/end", json={})
    assert (ended.status_code, ended.json()[path]) == (200, [])
    again = await asks.post(f"/{path}/{made['id']}/end", json={})
    assert (again.status_code, again.headers["content-type"]) == (404, "application/problem+json")
    rows = table.execute("SELECT what, outcome FROM audit WHERE what LIKE '%.end' ORDER BY id").fetchall()
    assert [outcome for _, outcome in rows] == ["done", "refused"]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("maintenance", WORK | {"subject": "HUE-NONE"}, "No sensors are at"),
        ("maintenance", WORK | {"for": "9h"}, "8 h"),
        ("maintenance", WORK | {"reason": " "}, "a reason"),
        ("maintenance", WORK | {"reason": "a\0b"}, "control characters"),
        ("silences", QUIET | {"station": "HUE-NONE"}, "no station"),
        ("silences", QUIET | {"rule": "river-levels"}, "river-levels"),
        ("silences", {"reason": "quiet please", "for": "1h"}, "names a rule"),
        ("silences", QUIET | {"for": "9h"}, "8 h"),
    ],
)
async def test_what_would_keep_quiet_nothing_or_too_much_is_refused(
    asks: httpx.AsyncClient, path: str, body: dict[str, object], says: str
) -> None:
    answer = await asks.post(f"/{path}", json=body)
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["detail"]
    assert (await asks.get(f"/{path}")).json()[path] == []


@pytest.mark.parametrize(
    ("path", "body", "least"),
    [
        ("/maintenance", WORK, Scope.ACKNOWLEDGE),
        ("/silences", QUIET, Scope.ADMINISTER),
        ("/maintenance/99/end", {}, Scope.ACKNOWLEDGE),
        ("/silences/99/end", {}, Scope.ACKNOWLEDGE),
    ],
)
async def test_each_act_asks_for_its_scope(
    plain_database: Database, feed: Feed, path: str, body: dict[str, object], least: Scope
) -> None:
    async with httpx.AsyncClient(base_url=f"{feed.url}/api/v1", timeout=20.0) as client:
        for scope in Scope:
            shown = headers(plain_database.url, scope, name=scope)
            answer = await client.post(path, json=body, headers=shown)
            assert (answer.status_code == 403) is (least not in scope.held), answer.text
