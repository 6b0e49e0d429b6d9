"""Readings as files: the same rows as in JSON, whatever the format, and days that say when they are final."""

import csv
import io
import random
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
import pyarrow.parquet
import pytest

from alerts.access import Scope
from alerts.api import files
from alerts.api.feed_settings import FeedSettings
from alerts.api.open_data import Publication
from alerts.api.reader import Unavailable
from alerts.api.serve import running_feed
from ingest.catalog import Catalogue
from ingest.clock import to_datetime
from ingest.model import Quality
from tests.support.access import headers
from tests.support.contract import checked
from tests.support.databases import Database
from tests.support.fed import LEVEL, RAIN_1H, city, client, derive, get, pages, refusal, table
from tests.support.feed import HOUR, KIMLONG, MINUTE, NATURE, NOW, PHUOC, Connection, commit, observe, until

__all__ = ["city", "client", "table"]

PATH = f"/api/v1/datastreams/{LEVEL}/observations"
DAY = 24 * HOUR
MIDNIGHT = NOW - 7 * HOUR
CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"


def rows_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The rows of a file, texts as CSV has them."""
    assert response.status_code == 200
    if response.headers["content-type"].startswith(CSV):
        return list(csv.DictReader(io.StringIO(response.text, newline="")))
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(response.content)).to_pylist()
    return found


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_a_file_holds_every_reading_once_in_order_however_many_runs_it_takes(
    client: httpx.AsyncClient,
    table: Connection,
    rng: random.Random,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("alerts.observation_store.RUN", 7)
    monkeypatch.setattr("alerts.api.files.RUN", 7)
    times = sorted(rng.sample(range(3_000), 40))
    for minute in times:
        observe(table, LEVEL, NOW - minute * MINUTE, float(minute))
    commit(table)
    rows = rows_of(await client.get(PATH, params={"format": form}))
    assert [float(row["value"]) for row in rows] == [float(minute) for minute in reversed(times)]
    assert {row["datastream"] for row in rows} == {LEVEL}
    assert {(row["nature"], row["unit"]) for row in rows} == {("Exercise", "m")}


async def test_a_file_is_cut_by_since_and_until(client: httpx.AsyncClient, table: Connection) -> None:
    for step in range(6):
        observe(table, LEVEL, NOW + step * MINUTE, float(step))
    commit(table)
    span = {"since": "2025-10-27T00:01:00Z", "until": "2025-10-27T00:03:00Z", "format": "csv"}
    rows = rows_of(await client.get(PATH, params=span))
    assert [(row["time"], row["value"]) for row in rows] == [
        ("2025-10-27T00:01:00.000Z", "1.0"),
        ("2025-10-27T00:02:00.000Z", "2.0"),
    ]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv", CSV),
        ("application/json;q=0.5, text/csv;q=0.9", CSV),
        ("text/csv;q=0.5, application/vnd.apache.parquet", PARQUET),
        ("text/csv;q=0.5, */*", "application/json"),
        ("text/html", "application/json"),
        ("text/csv;q=x", "application/json"),
        ("", "application/json"),
    ],
)
async def test_the_format_is_as_accept_prefers(
    client: httpx.AsyncClient, table: Connection, accept: str, media: str
) -> None:
    commit(table)
    response = await client.get(PATH, headers={"Accept": accept})
    assert response.headers["content-type"].partition(";")[0] == media
    response = await client.get(PATH, headers={"Accept": accept}, params={"format": "csv"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert response.headers["content-disposition"] == f'attachment; filename="{KIMLONG}_water_level.csv"'


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_buckets_as_a_file_are_those_of_json(
    client: httpx.AsyncClient,
    table: Connection,
    rng: random.Random,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("alerts.api.observations.BUCKETS", 5)
    for hour in rng.sample(range(400), 30):
        observe(table, LEVEL, NOW - hour * HOUR, 1.0 + hour, rng.choice((1, 3, 4)))
    commit(table)
    rows = rows_of(await client.get(PATH, params={"format": form, "bucket": "1h"}))
    told = [
        each for page in reversed(await pages(client, PATH, bucket="1h", limit=7)) for each in page["buckets"]
    ]
    assert [row["max"] or None for row in rows] == [
        each["max"] and (str(each["max"]) if form == "csv" else each["max"]) for each in told
    ]
    assert [int(row["failed"]) for row in rows] == [each["failed"] for each in told]


async def test_what_is_unknown_is_an_empty_field(client: httpx.AsyncClient, table: Connection) -> None:
    derive(table, RAIN_1H, NOW, None)
    derive(table, RAIN_1H, NOW + MINUTE, 4.5)
    commit(table)
    rows = rows_of(await client.get(f"/api/v1/datastreams/{RAIN_1H}/observations?format=csv"))
    assert [(row["value"], row["quality"]) for row in rows] == [("", "9"), ("4.5", "1")]


async def test_a_file_of_nothing_has_its_header(client: httpx.AsyncClient, table: Connection) -> None:
    commit(table)
    assert (await client.get(PATH, params={"format": "csv"})).text.startswith("datastream,station,")
    assert rows_of(await client.get(PATH, params={"format": "parquet"})) == []


@pytest.mark.parametrize("parameters", [{"limit": 5}, {"cursor": "AAAA"}])
async def test_a_file_has_no_pages(
    client: httpx.AsyncClient, table: Connection, parameters: dict[str, Any]
) -> None:
    commit(table)
    assert (await refusal(client, PATH, format="csv", **parameters))[0] == 422


async def test_a_file_that_breaks_off_does_not_look_whole(
    client: httpx.AsyncClient, table: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.observation_store.RUN", 5)
    monkeypatch.setattr("alerts.api.files.RUN", 5)
    for step in range(20):
        observe(table, LEVEL, NOW + step * MINUTE, 1.0)
    commit(table)
    real, asked = files.observation_store.run, []

    def fails_later(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) > 2:
            raise Unavailable("the database has gone")
        return real(*arguments)

    monkeypatch.setattr(files.observation_store, "run", fails_later)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(PATH, params={"format": "csv"})


async def test_only_so_many_files_are_made_at_once_and_a_reader_who_left_frees_its_place(
    plain_database: Database, city: Catalogue, table: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.observation_store.RUN", 5)
    monkeypatch.setattr("alerts.api.files.RUN", 5)
    for step in range(2_000):
        observe(table, LEVEL, NOW + step * MINUTE, 1.0)
    commit(table)
    who = headers(plain_database.url, Scope.READ)
    async with (
        running_feed(plain_database.url, None, city, NATURE) as feed,
        httpx.AsyncClient(base_url=feed.url, headers=who, timeout=20.0) as client,
    ):
        async with AsyncExitStack() as stack:
            for _ in range(files.AT_ONCE):
                await stack.enter_async_context(client.stream("GET", PATH, params={"format": "csv"}))
            refused = await client.get(PATH, params={"format": "csv"})
        assert refused.status_code == 503
        assert refused.headers["retry-after"]

        async def freed() -> bool:
            return (await client.get(PATH, params={"format": "csv"})).status_code == 200

        await until(freed)
        assert len(rows_of(await client.get(PATH, params={"format": "csv"}))) == 2_000


async def test_a_day_of_open_data_has_every_datastream_and_is_one_of_hue(
    client: httpx.AsyncClient, table: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.observation_store.RUN", 3)
    monkeypatch.setattr("alerts.api.files.RUN", 3)
    observe(table, LEVEL, MIDNIGHT - MINUTE, 99.0)
    for step in range(5):
        observe(table, LEVEL, MIDNIGHT + step * MINUTE, float(step), Quality.SUSPECT)
        observe(table, f"{PHUOC}/water_level", MIDNIGHT + DAY - (step + 1) * MINUTE, float(step))
    observe(table, LEVEL, MIDNIGHT + DAY, 99.0)
    commit(table, now=MIDNIGHT + DAY)
    for form in ("csv", "parquet"):
        rows = rows_of(await client.get(f"/api/v1/open-data/observations/2025-10-27.{form}"))
        assert [(row["datastream"], float(row["value"]), int(row["quality"])) for row in rows] == [
            *((LEVEL, float(step), 3) for step in range(5)),
            *((f"{PHUOC}/water_level", float(step), 1) for step in reversed(range(5))),
        ]


async def test_the_index_lists_the_days_that_there_are_and_how_final_they_are(
    client: httpx.AsyncClient, table: Connection
) -> None:
    days = (0, 1, 2, 30, 300)
    for ago in days:
        observe(table, LEVEL, NOW - ago * DAY, 1.0)
    commit(table)
    found = await pages(client, "/api/v1/open-data", limit=2)
    told = [each for page in found for each in page["days"]]
    assert [each["day"] for each in told] == [
        (to_datetime(NOW) - timedelta(days=ago)).date().isoformat() for ago in days
    ]
    assert [each["state"] for each in told] == ["partial", "settling", "settling", "settling", "final"]
    assert (found[0]["publisher"], found[0]["licence"]) == (None, None)
    response = await client.get(told[0]["csv"])
    assert (response.headers["huewatch-day"], response.headers["cache-control"]) == ("partial", "no-store")
    assert response.headers["content-disposition"].endswith('huewatch-exercise-2025-10-27-partial.csv"')
    assert (await client.get(told[0]["parquet"])).status_code == 200


async def test_publisher_and_licence_are_those_of_the_settings(
    plain_database: Database, city: Catalogue, table: Connection
) -> None:
    observe(table, LEVEL, NOW - 300 * DAY, 1.0)
    commit(table)
    said = Publication("Thành phố Huế", "CC-BY-4.0")
    who = headers(plain_database.url, Scope.READ)
    async with (
        running_feed(plain_database.url, None, city, NATURE, settings=FeedSettings(publication=said)) as feed,
        checked(feed.url, headers=who) as client,
    ):
        index = await get(client, "/api/v1/open-data")
        assert (index["publisher"], index["licence"]) == ("Thành phố Huế", "CC-BY-4.0")
        file = await client.get(index["days"][0]["parquet"])
        about = pyarrow.parquet.read_schema(io.BytesIO(file.content)).metadata
        assert (about[b"licence"], about[b"state"]) == (b"CC-BY-4.0", b"final")


async def test_a_final_day_is_not_sent_again_until_something_of_long_ago_changes(
    client: httpx.AsyncClient, table: Connection
) -> None:
    observe(table, LEVEL, NOW - 300 * DAY, 1.0)
    commit(table)
    path = "/api/v1/open-data/observations/2024-12-31.csv"
    first = await client.get(path)
    tag = {"If-None-Match": first.headers["etag"]}
    assert not first.headers["etag"].startswith("W/")
    commit(table)
    again = await client.get(path, headers=tag)
    assert (again.status_code, again.headers["huewatch-as-of"][:13]) == (304, "state=current")
    assert (await client.get(path.replace("csv", "parquet"), headers=tag)).status_code == 200
    table.execute("INSERT INTO installation VALUES (1, '-infinity', 2, 4.0, 'gw/a/b')")  # a corrected zero
    assert (await client.get(path, headers=tag)).status_code == 200


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ("2025-10-26.csv", 404),
        ("1899-01-01.csv", 404),
        ("2200-01-01.csv", 404),
        ("2025-02-30.csv", 422),
        ("2025-10-27.xls", 422),
        ("x.csv", 422),
        ("..%2f..%2fetc%2fpasswd.csv", 404),
    ],
)
async def test_a_day_that_is_not_there(
    client: httpx.AsyncClient, table: Connection, file: str, status: int
) -> None:
    observe(table, LEVEL, NOW, 1.0)
    commit(table)
    assert (await refusal(client, f"/api/v1/open-data/observations/{file}"))[0] == status
