"""The API over a real database: what it says, and what it says when it cannot know."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from alerts.api.serve import running_feed, serve_feed
from alerts.model import EventKind
from ingest.catalog import Catalogue
from ingest.embedded import HOST, EmbeddedPostgres
from ingest.embedded_server import free_port
from ingest.model import Nature
from ingest.store.errors import Fatal
from tests.support.databases import Database
from tests.support.feed import (
    HOUR,
    KIMLONG,
    MINUTE,
    NATURE,
    NOW,
    PHUOC,
    Connection,
    catalogue,
    commit,
    happening,
    observe,
    prepare,
    tell,
    until,
)

LEVEL = f"{KIMLONG}/water_level"


@pytest.fixture
def city() -> Catalogue:
    return catalogue()


@pytest.fixture
def table(plain_database: Database, city: Catalogue) -> Iterator[Connection]:
    with prepare(plain_database.url, city) as connection:
        yield connection


@pytest.fixture
async def client(
    plain_database: Database, city: Catalogue, table: Connection
) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        running_feed(plain_database.url, None, city, NATURE) as feed,
        httpx.AsyncClient(base_url=feed.url, timeout=10.0) as found,
    ):
        yield found


def rise(connection: Connection) -> None:
    """Kim Long rising 10 cm/h through BĐ III until now."""
    for step in range(19):
        observe(connection, LEVEL, NOW - step * 5 * MINUTE, 3.58 - 0.10 * step / 12)


async def test_stations_carry_level_margin_trend_and_freshness(
    client: httpx.AsyncClient, table: Connection
) -> None:
    rise(table)
    commit(table)
    answer = (await client.get("/api/v1/stations")).json()
    kimlong, phuoc = answer["stations"]
    stream = kimlong["datastreams"][0]
    assert stream["level"] == {
        "rank": 3,
        "name": "BĐ III",
        "above": 0.08,
        "next_name": None,
        "to_next": None,
    }
    assert stream["trend_per_hour"] == pytest.approx(0.10, abs=1e-3)
    assert (stream["newest"]["time"], stream["newest"]["age_s"]) == ("2025-10-27T00:00:00.000Z", 0)
    assert (kimlong["freshness"], kimlong["state"], kimlong["nature"]) == ("fresh", "normal", "Exercise")
    assert (phuoc["freshness"], phuoc["state"]) == ("never", "unknown")
    assert answer["as_of"]["stations_unknown"] == [PHUOC]


async def test_a_failed_reading_is_shown_and_not_believed(
    client: httpx.AsyncClient, table: Connection
) -> None:
    observe(table, LEVEL, NOW - 5 * MINUTE, 1.20)
    observe(table, LEVEL, NOW, 9.5, quality=4)
    commit(table)
    stream = (await client.get("/api/v1/stations")).json()["stations"][0]["datastreams"][0]
    assert (stream["newest"]["value"], stream["newest_usable"]["value"]) == (9.5, 1.20)
    assert (stream["level"]["rank"], stream["level"]["to_next"]) == (1, 0.80)


async def test_a_station_silent_for_40_minutes_has_no_data_and_keeps_its_level(
    client: httpx.AsyncClient, table: Connection
) -> None:
    rise(table)
    commit(table, now=NOW + 40 * MINUTE)
    station = (await client.get("/api/v1/stations")).json()["stations"][0]
    assert (station["state"], station["freshness"]) == ("unknown", "no_data")
    assert station["datastreams"][0]["level"]["rank"] == 3


async def test_open_alerts_are_listed_and_ended_ones_only_when_asked_for(
    client: httpx.AsyncClient, table: Connection
) -> None:
    commit(table)
    tell(table, happening(1), happening(2, alert=2, station=PHUOC))
    tell(table, happening(3, alert=2, station=PHUOC, kind=EventKind.CLEARED))
    opened = (await client.get("/api/v1/alerts")).json()
    assert [(each["state"], each["newest"]["seq"]) for each in opened["alerts"]] == [("open", 1)]
    assert opened["head"] == 3
    everything = (await client.get("/api/v1/alerts?state=all")).json()["alerts"]
    assert [(each["state"], each["newest"]["seq"]) for each in everything] == [("ended", 3), ("open", 1)]
    history = (await client.get(f"/api/v1/alerts/{everything[0]['alert_id']}")).json()["events"]
    assert [each["kind"] for each in history] == ["raised", "cleared"]
    assert history[0]["headline"]["vi"].startswith("DIỄN TẬP")


async def test_events_are_paged_by_number_without_a_hole(
    client: httpx.AsyncClient, table: Connection
) -> None:
    commit(table)
    for number in range(1, 8):
        tell(table, happening(number, alert=number), open_alert=False)
    found, after = [], 0
    while page := (await client.get(f"/api/v1/events?after={after}&limit=3")).json()["events"]:
        found += [each["seq"] for each in page]
        after = found[-1]
    assert found == [1, 2, 3, 4, 5, 6, 7]
    newest = (await client.get("/api/v1/events?limit=2")).json()
    assert ([each["seq"] for each in newest["events"]], newest["head"]) == ([6, 7], 7)


async def test_observations_are_cut_by_since_until_and_limit(
    client: httpx.AsyncClient, table: Connection
) -> None:
    rise(table)
    commit(table)
    path = f"/api/v1/datastreams/{LEVEL}/observations"
    since, until_ = "2025-10-27T06:30:00+07:00", "2025-10-27T00:00:00Z"
    inside = (await client.get(path, params={"since": since, "until": until_})).json()["observations"]
    assert [each["time"][11:16] for each in inside] == ["23:30", "23:35", "23:40", "23:45", "23:50", "23:55"]
    newest = (await client.get(path, params={"limit": 1})).json()["observations"]
    assert [each["value"] for each in newest] == [3.58]


async def test_a_commit_older_than_60_s_makes_every_state_unknown(
    client: httpx.AsyncClient, table: Connection
) -> None:
    rise(table)
    commit(table)
    tell(table, happening(1))
    assert (await client.get("/api/v1/alerts")).json()["alerts"][0]["state"] == "open"
    commit(table, ago_s=61)
    alerts = (await client.get("/api/v1/alerts")).json()
    assert (alerts["as_of"]["state"], alerts["as_of"]["reason"]) == ("unknown", "commit_too_old")
    assert (alerts["alerts"][0]["state"], alerts["alerts"][0]["last_known_state"]) == ("unknown", "open")
    stations = (await client.get("/api/v1/stations")).json()
    assert {(each["state"], each["freshness"]) for each in stations["stations"]} == {("unknown", "unknown")}

    async def unready() -> bool:
        return (await client.get("/readyz")).status_code == 503

    await until(unready)


async def test_ready_follows_the_commits_and_alive_does_not(
    client: httpx.AsyncClient, table: Connection
) -> None:
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/healthz")).status_code == 200
    commit(table)

    async def ready() -> bool:
        return (await client.get("/readyz")).status_code == 200

    await until(ready)


async def test_a_blind_writer_is_told_with_its_reason(client: httpx.AsyncClient, table: Connection) -> None:
    observe(table, LEVEL, NOW - HOUR, 1.0)
    commit(table, sighted=False, reason="no_broker")
    as_of = (await client.get("/api/v1/stations")).json()["as_of"]
    assert (as_of["state"], as_of["reason"], as_of["backlog_s"]) == (
        "blind",
        "no_broker",
        3600,
    )


async def test_ledger_and_gaps_are_open_to_everybody(client: httpx.AsyncClient, table: Connection) -> None:
    table.execute(
        "INSERT INTO ledger VALUES ('gw', '2025-10-27Z', 5, 4, 1, 0, 8, 5, 2, 0, 1),"
        " ('gw', '2025-10-27 00:01Z', 2, 2, 0, 0, 2, 2, 0, 0, 0)"
    )
    table.execute(
        "INSERT INTO gap (partition, session, topics, ended_at, reason)"
        " VALUES ('hue', 2, '{hue/v1/#}', '2025-10-27Z', 'session lost')"
    )
    (sums,) = (await client.get("/api/v1/ledger")).json()["gateways"]
    assert (sums["messages"], sums["decoded"], sums["stored"], sums["rejected"]) == (7, 10, 7, 1)
    (gap,) = (await client.get("/api/v1/gaps")).json()["gaps"]
    assert (gap["started_at"], gap["ended_at"], gap["topics"]) == (
        None,
        "2025-10-27T00:00:00.000Z",
        ["hue/v1/#"],
    )


REFUSED = {
    "/api/v1/alerts/not-a-uuid": 422,
    "/api/v1/alerts/00000000-0000-0000-0000-000000000000": 404,
    "/api/v1/datastreams/NOBODY/water_level/observations": 404,
    f"/api/v1/datastreams/{LEVEL}/observations?since=2025-10-27T07:00:00": 422,
    f"/api/v1/datastreams/{LEVEL}/observations?since=yesterday": 422,
    f"/api/v1/datastreams/{LEVEL}/observations?since=0001-01-01T00:00:00%2B14:00": 422,
    f"/api/v1/datastreams/{LEVEL}/observations?limit=0": 422,
    "/api/v1/events?after=-1": 422,
    "/api/v1/events?after=99999999999999999999": 422,
    "/api/v1/nothing": 404,
    "/console/..%2fwire.py": 404,
}


async def test_every_error_is_a_problem_document(client: httpx.AsyncClient) -> None:
    for path, status in REFUSED.items():
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (
            status,
            "application/problem+json",
        ), path
        body = answer.json()
        assert body["status"] == status
        assert body["as_of"]["state"] == "unknown"  # nothing was ever committed here


async def test_every_answer_carries_the_strict_policy(client: httpx.AsyncClient) -> None:
    for path in ("/", "/console/console.js", "/api/v1/stations", "/api/v1/nothing"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


async def test_writing_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/v1/alerts")).status_code == 405


async def test_the_openapi_document_is_served(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/events/stream" in document["paths"]


@pytest.fixture
def own_server(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that the test may stop."""
    with tempfile.TemporaryDirectory(dir=server_folder, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        with EmbeddedPostgres(Path(name) / "postgres") as server:
            yield server


async def test_a_database_that_is_away_is_a_503_that_says_unknown_and_recovers(
    own_server: EmbeddedPostgres, city: Catalogue
) -> None:
    with prepare(own_server.url, city) as connection:
        commit(connection)
    async with (
        running_feed(own_server.url, None, city, NATURE) as feed,
        httpx.AsyncClient(base_url=feed.url, timeout=10.0) as client,
    ):
        assert (await client.get("/api/v1/stations")).status_code == 200
        await asyncio.to_thread(own_server.stop)
        answer = await client.get("/api/v1/stations")
        assert (answer.status_code, answer.json()["as_of"]["state"]) == (503, "unknown")
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await client.get("/healthz")).status_code == 200
        await asyncio.to_thread(own_server.start)

        async def recovered() -> bool:
            return (await client.get("/api/v1/stations")).status_code == 200

        await until(recovered)


async def test_a_database_for_another_nature_is_refused(
    plain_database: Database, city: Catalogue, table: Connection
) -> None:
    with pytest.raises(Fatal, match="the database is for Exercise"):
        await serve_feed(plain_database.url, None, city, Nature.ACTUAL, HOST, free_port(), HOST, free_port())
