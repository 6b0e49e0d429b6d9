"""The API over a real database: what it says, and what it says when it cannot know."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from alerts.api.serve import running_feed, serve_feed
from alerts.model import EventKind
from alerts.sight import AsOf, Sight
from alerts.station_view import Standing, station_json
from ingest.catalog import Catalogue, Station
from ingest.clock import to_datetime
from ingest.embedded import HOST, EmbeddedPostgres
from ingest.embedded_server import free_port
from ingest.installation import EXERCISE, Installation
from ingest.model import Nature
from ingest.quality import Test, pack
from ingest.store.datastreams import register
from ingest.store.errors import Fatal
from ingest.store.read import Observed
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
    catalogue,
    commit,
    happening,
    observe,
    prepare,
    river,
    tell,
    until,
)

LEVEL = f"{KIMLONG}/water_level"


MOVED, BARE, RAIN, AIR = "HUE-WL-MOVED", "HUE-WL-BARE", "HUE-RN-TEST", "HUE-AQ-TEST"


def referenced(station: Station, by: str = EXERCISE, since: int | None = None) -> Station:
    """The station with a surveyed zero in its datum, and with another sensor from `since` on."""
    zero = Installation(datum="Hòn Dấu", surveyed=True, by=by)
    later = () if since is None else (zero.model_copy(update={"valid_from": since, "device": "second"}),)
    (level,) = station.datastreams
    level = level.model_copy(update={"installations": (zero, *later)})
    return station.model_copy(update={"datum": "Hòn Dấu", "datastreams": (level,)})


def measuring(station: str, kind: str, streams: Sequence[tuple[str, str, float]], **derived: Any) -> Station:
    """A station that measures (name, unit, cadence) and derives by name (unit, cadence, settings)."""
    source = {"gateway": "gw", "device": station.lower()}
    return Station.model_validate(
        {
            "id": station,
            "name": {"vi": station, "en": station},
            "kind": kind,
            "location": {"lat": 16.4, "lon": 107.5},
            "nature": NATURE,
            "datastreams": tuple(
                {
                    "name": name,
                    "property": name,
                    "unit": unit,
                    "cadence": cadence,
                    "source": {**source, "channel": name},
                }
                for name, unit, cadence in streams
            ),
            "derived": tuple(
                {"name": name, "property": name, "unit": unit, "cadence": cadence, "derive": settings}
                for name, (unit, cadence, settings) in derived.items()
            ),
        }
    )


@pytest.fixture
def city() -> Catalogue:
    """Kim Long and Phú Ốc; a gauge with a new sensor, one without a zero; a rain gauge and an air station."""
    rivers = [referenced(station) for station in catalogue().stations]
    moved = referenced(river(MOVED, "Moved", "Hương", (1.0, 2.0)), since=NOW - 40 * MINUTE)
    bare = river(BARE, "Bare", "Hương", (1.0, 2.0))
    to_one = {"kind": "margin", "of": "water_level", "level": "BĐ I"}
    margin = {"name": "margin", "property": "margin", "unit": "m", "cadence": 300.0, "derive": to_one}
    bare = Station.model_validate(bare.model_dump() | {"derived": (margin,)})
    one_hour = {"kind": "window_sum", "of": "rainfall", "window": 3_600.0}
    rain = measuring(RAIN, "rain", [("rainfall", "mm", 600.0)], rain_1h=("mm", 600.0, one_hour))
    index = {"kind": "vn_aqi_hourly", "pm2_5": "pm2_5"}
    air = measuring(AIR, "air", [("pm2_5", "ug/m3", 300.0)], vn_aqi=("1", 3_600.0, index))
    return Catalogue(stations=(*rivers, moved, bare, rain, air), routes=())


@pytest.fixture
def table(plain_database: Database, city: Catalogue) -> Iterator[Connection]:
    with prepare(plain_database.url, city) as connection:
        register(connection, [key for key, _, _ in city.derived()], NATURE)
        yield connection


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


@pytest.fixture
async def client(
    plain_database: Database, city: Catalogue, table: Connection
) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        running_feed(plain_database.url, None, city, NATURE) as feed,
        checked(feed.url) as found,
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
    kimlong, phuoc, *others = answer["stations"]
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
    assert answer["as_of"]["stations_unknown"] == [PHUOC, *(each["id"] for each in others)]


async def the(client: httpx.AsyncClient, identifier: str) -> Any:
    """One station as the feed shows it."""
    stations = (await client.get("/api/v1/stations")).json()["stations"]
    return next(each for each in stations if each["id"] == identifier)


async def test_a_level_without_a_zero_has_no_margin_and_its_station_is_not_normal(
    client: httpx.AsyncClient, table: Connection
) -> None:
    observe(table, f"{BARE}/water_level", NOW, 9.5)
    derive(table, f"{BARE}/margin", NOW, 8.5)
    commit(table)
    station = await the(client, BARE)
    (stream,), (margin,) = station["datastreams"], station["derived"]
    assert (stream["reference"], stream["comparable"], stream["level"]) == ("unreferenced", False, None)
    assert stream["newest_usable"]["value"] == 9.5
    assert (margin["comparable"], margin["newest"]["value"]) == (False, None)
    assert station["state"] == "unknown"
    rows = (await client.get(f"/api/v1/datastreams/{BARE}/margin/observations")).json()["observations"]
    assert [row["value"] for row in rows] == [None]


@pytest.mark.parametrize(
    ("nature", "by", "rank"),
    [
        (Nature.ACTUAL, EXERCISE, None),
        (Nature.EXERCISE, EXERCISE, 3),
        (Nature.TEST, EXERCISE, 3),
        (Nature.ACTUAL, "Sở Xây dựng", 3),
    ],
)
def test_a_zero_that_holds_for_simulated_sensors_alone_judges_no_real_station(
    nature: Nature, by: str, rank: int | None
) -> None:
    station = referenced(catalogue().stations[0], by).model_copy(update={"nature": nature})
    as_of = AsOf(Sight.CURRENT, NOW, 0.0, NOW, NOW, "", None, ())
    shown = station_json(station, {LEVEL: [Observed(NOW, 3.58, 1, NOW)]}, {}, Standing(), as_of)
    level = shown["datastreams"][0]["level"]
    assert (level and level["rank"], shown["state"]) == (rank, "normal" if rank else "unknown")


async def test_the_trend_does_not_reach_back_beyond_a_new_sensor(
    client: httpx.AsyncClient, table: Connection
) -> None:
    for step in range(19):
        old = step > 8  # the old sensor stood 2 m higher
        value = 1.5 - 0.12 * step / 12 + (2.0 if old else 0.0)
        observe(table, f"{MOVED}/water_level", NOW - step * 5 * MINUTE, value)
    commit(table)
    (stream,) = (await the(client, MOVED))["datastreams"]
    assert stream["trend_per_hour"] == pytest.approx(0.12, abs=1e-3)


async def test_the_last_word_of_the_old_sensor_has_its_own_trend(
    client: httpx.AsyncClient, table: Connection
) -> None:
    for step in range(9):
        at = NOW - HOUR - step * 5 * MINUTE
        observe(table, f"{MOVED}/water_level", at, 3.5 - 0.12 * step / 12)
    commit(table)
    (stream,) = (await the(client, MOVED))["datastreams"]
    assert stream["trend_per_hour"] == pytest.approx(0.12, abs=1e-3)


async def test_datastreams_list_what_is_derived_and_from_what(
    client: httpx.AsyncClient, table: Connection
) -> None:
    found = {each["key"]: each for each in (await client.get("/api/v1/datastreams")).json()["datastreams"]}
    rain, air, level = found[f"{RAIN}/rain_1h"], found[f"{AIR}/vn_aqi"], found[LEVEL]
    assert (rain["derived"], rain["kind"], rain["window_s"]) == (True, "window_sum", 3_600.0)
    assert rain["inputs"] == [f"{RAIN}/rainfall"]
    assert rain["scheme"] is None
    assert (air["kind"], air["scheme"]) == ("vn_aqi_hourly", "VN_AQI QĐ 1459/QĐ-TCMT")
    assert (level["derived"], level["reference"], level["comparable"]) == (False, "exercise", True)
    assert found[f"{RAIN}/rainfall"]["reference"] == "not_a_level"


async def test_a_derived_row_says_what_it_covers_and_an_unknown_one_has_no_value(
    client: httpx.AsyncClient, table: Connection
) -> None:
    key = f"{RAIN}/rain_1h"
    derive(table, key, NOW - 10 * MINUTE, 12.4, coverage=0.6, revision=2)
    derive(table, key, NOW, None, coverage=0.0)
    commit(table)
    known, unknown = (await client.get(f"/api/v1/datastreams/{key}/observations")).json()["observations"]
    assert known == {
        "time": "2025-10-26T23:50:00.000Z",
        "since": "2025-10-26T22:50:00.000Z",
        "value": 12.4,
        "quality": 1,
        "coverage": 0.6,
        "inputs_until": "2025-10-26T23:50:00.000Z",
        "revision": 2,
        "age_s": 600,
    }
    assert (unknown["value"], unknown["quality"], unknown["coverage"]) == (None, 9, 0.0)
    params = {"until": "2025-10-27T00:00:00Z", "limit": 1}
    before = (await client.get(f"/api/v1/datastreams/{key}/observations", params=params)).json()
    assert [row["value"] for row in before["observations"]] == [12.4]
    (shown,) = (await the(client, RAIN))["derived"]
    assert (shown["newest"]["value"], shown["freshness"]) == (None, "fresh")  # not the older 12.4


async def test_a_derived_row_grows_old_like_any_other(client: httpx.AsyncClient, table: Connection) -> None:
    derive(table, f"{RAIN}/rain_1h", NOW - 3 * HOUR, 0.0)
    commit(table)
    (rain,), (air,) = [(await the(client, each))["derived"] for each in (RAIN, AIR)]
    assert (rain["freshness"], rain["newest"]["age_s"]) == ("no_data", 3 * 3_600)
    assert (air["freshness"], air["newest"]) == ("never", None)


async def test_observations_say_whose_clock_which_tests_and_what_was_revised(
    client: httpx.AsyncClient, table: Connection
) -> None:
    for step in range(3):
        observe(table, LEVEL, NOW + step * MINUTE, 1.0)
    first, second, third = (to_datetime(NOW + step * MINUTE) for step in range(3))
    packed = pack({Test.GROSS_RANGE: np.array([1], np.int8), Test.SPIKE: np.array([2], np.int8)}).item()
    table.execute("UPDATE observation SET time_source = 3, tests = %s WHERE time = %s", (packed, first))
    table.execute("UPDATE observation SET time_source = 1, tests = %s WHERE time = %s", (packed, second))
    flags = {Test.GROSS_RANGE: np.array([1], np.int8), Test.SPIKE: np.array([3], np.int8)}
    table.execute(
        "INSERT INTO quality_revision SELECT id, %s, 3, %s, 1, %s FROM datastream WHERE key = %s",
        (second, pack(flags).item(), third, LEVEL),
    )
    derive(table, LEVEL, NOW + 2 * MINUTE, 1.1)  # by a corrected zero
    commit(table)
    rows = (await client.get(f"/api/v1/datastreams/{LEVEL}/observations")).json()["observations"]
    assert [row["time_source"] for row in rows] == ["server", "device", None]
    assert [(row["value"], row["quality"], row["revised"]) for row in rows] == [
        (1.0, 1, False),
        (1.0, 3, True),
        (1.1, 1, True),
    ]
    assert [row["tests"] for row in rows] == [
        {"gross_range": 1, "spike": 2},
        {"gross_range": 1, "spike": 3},
        {},
    ]


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
        checked(feed.url) as client,
    ):
        assert (await client.get("/api/v1/stations")).status_code == 200
        await asyncio.to_thread(own_server.stop)

        async def lost() -> bool:
            return (await client.get("/api/v1/stations")).status_code == 503

        await until(lost)
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
        await serve_feed(
            plain_database.url, None, lambda: city, Nature.ACTUAL, HOST, free_port(), HOST, free_port()
        )
