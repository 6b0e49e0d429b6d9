"""Readings over HTTP: pages that neither repeat nor skip, buckets that never make a gap look like a zero."""

import random

import httpx
import pytest

from ingest.model import Quality
from tests.support.fed import LEVEL, RAIN, RAIN_1H, city, client, derive, get, pages, refusal, table
from tests.support.feed import HOUR, MINUTE, NOW, Connection, commit, observe

__all__ = ["city", "client", "table"]

PATH = f"/api/v1/datastreams/{LEVEL}/observations"
DAY = 24 * HOUR
MIDNIGHT = NOW - 7 * HOUR  # of 27 October in Huế: 17:00Z of the 26th


async def test_pages_lead_back_through_every_reading_once(
    client: httpx.AsyncClient, table: Connection, rng: random.Random
) -> None:
    times = sorted(rng.sample(range(2_000), 57))
    for minute in times:
        observe(table, LEVEL, NOW - minute * MINUTE, float(minute))
    commit(table)
    found = await pages(client, PATH, limit=rng.choice((1, 7, 19, 56, 57)))
    values = [each["value"] for page in reversed(found) for each in page["observations"]]
    assert values == [float(minute) for minute in reversed(times)]


async def test_rows_that_arrive_between_two_pages_neither_shift_nor_repeat_what_is_to_come(
    client: httpx.AsyncClient, table: Connection
) -> None:
    for step in range(6):
        observe(table, LEVEL, NOW - step * 10 * MINUTE, float(step))
    commit(table)
    first = await get(client, PATH, limit=3)
    observe(table, LEVEL, NOW + MINUTE, 99.0)  # a newer one, and a late one within the page already seen
    observe(table, LEVEL, NOW - 15 * MINUTE, 98.0)
    second = await get(client, first["next"])
    assert [each["value"] for each in first["observations"]] == [2.0, 1.0, 0.0]
    assert ([each["value"] for each in second["observations"]], second["next"]) == ([5.0, 4.0, 3.0], None)


@pytest.mark.parametrize("cursor", ["x", "AAAAAAAAAAAAAAAA", "é", "%00", "A" * 500, "-_-_"])
async def test_a_cursor_that_was_not_given_out_is_refused(
    client: httpx.AsyncClient, table: Connection, cursor: str
) -> None:
    commit(table)
    status, detail = await refusal(client, PATH, cursor=cursor)
    assert (status, "cursor" in detail) == (422, True)


async def test_a_cursor_of_another_question_is_refused(client: httpx.AsyncClient, table: Connection) -> None:
    for step in range(4):
        observe(table, LEVEL, NOW - step * MINUTE, 1.0)
    commit(table)
    following = (await get(client, PATH, limit=2))["next"]
    cursor = httpx.URL(following).params["cursor"]
    for other in ({"since": "2020-01-01T00:00:00Z"}, {"bucket": "1h"}):
        status, detail = await refusal(client, PATH, cursor=cursor, **other)
        assert (status, "another question" in detail) == (422, True)
    status, _ = await refusal(client, f"/api/v1/datastreams/{RAIN}/rainfall/observations", cursor=cursor)
    assert status == 422


async def test_a_bucket_has_least_mean_and_greatest_of_what_counts(
    client: httpx.AsyncClient, table: Connection
) -> None:
    observe(table, LEVEL, NOW, 1.0)
    observe(table, LEVEL, NOW + 5 * MINUTE, 3.0, Quality.SUSPECT)
    observe(table, LEVEL, NOW + 10 * MINUTE, 50.0, Quality.FAIL)
    observe(table, LEVEL, NOW + 20 * MINUTE, 2.0)
    commit(table, now=NOW + HOUR)
    (bucket,) = (await get(client, PATH, bucket="1h"))["buckets"]
    assert (bucket["min"], bucket["mean"], bucket["max"]) == (1.0, 2.0, 3.0)
    assert (bucket["count"], bucket["suspect"], bucket["failed"]) == (3, 1, 1)
    assert (bucket["begins"], bucket["ends"]) == ("2025-10-27T00:00:00.000Z", "2025-10-27T01:00:00.000Z")
    assert (bucket["coverage"], bucket["partial"]) == (0.25, False)  # 3 of 12 intervals of 5 minutes


async def test_a_bucket_in_which_nothing_counts_has_no_value_and_one_without_a_row_is_missing(
    client: httpx.AsyncClient, table: Connection
) -> None:
    observe(table, LEVEL, NOW, 1.0)
    observe(table, LEVEL, NOW + 2 * HOUR, 50.0, Quality.FAIL)
    commit(table, now=NOW + 3 * HOUR)
    found = (await get(client, PATH, bucket="1h"))["buckets"]
    assert [each["begins"][11:16] for each in found] == ["00:00", "02:00"]
    assert [(each["min"], each["count"], each["failed"], each["coverage"]) for each in found] == [
        (1.0, 1, 0, 0.0833),
        (None, 0, 1, 0.0),
    ]


async def test_a_day_is_one_of_hue(client: httpx.AsyncClient, table: Connection) -> None:
    for time, value in ((MIDNIGHT - MINUTE, 1.0), (MIDNIGHT, 2.0), (MIDNIGHT + DAY - MINUTE, 3.0)):
        observe(table, LEVEL, time, value)
    commit(table, now=MIDNIGHT + DAY + HOUR)
    found = (await get(client, PATH, bucket="1d"))["buckets"]
    assert [(each["begins"], each["min"], each["max"]) for each in found] == [
        ("2025-10-25T17:00:00.000Z", 1.0, 1.0),
        ("2025-10-26T17:00:00.000Z", 2.0, 3.0),
    ]


async def test_the_bucket_that_runs_is_partial_and_covers_the_time_that_has_passed(
    client: httpx.AsyncClient, table: Connection
) -> None:
    for step in range(3):
        observe(table, LEVEL, NOW + step * 5 * MINUTE, 1.0)
    commit(table, now=NOW + 15 * MINUTE)
    (bucket,) = (await get(client, PATH, bucket="1h"))["buckets"]
    assert (bucket["partial"], bucket["coverage"]) == (True, 1.0)


async def test_many_readings_at_once_hide_no_gap(client: httpx.AsyncClient, table: Connection) -> None:
    for second in range(12):  # as many as an hour should have, within one minute
        observe(table, LEVEL, NOW + second * 5_000_000, 1.0)
    commit(table, now=NOW + HOUR)
    (bucket,) = (await get(client, PATH, bucket="1h"))["buckets"]
    assert (bucket["count"], bucket["coverage"]) == (12, 0.0833)


async def test_buckets_are_paged_across_gaps_without_one_lost(
    client: httpx.AsyncClient, table: Connection, rng: random.Random
) -> None:
    hours = sorted(rng.sample(range(-3_000, 1), 40))
    for hour in hours:
        observe(table, LEVEL, NOW + hour * HOUR + rng.randrange(60) * MINUTE, float(hour))
    commit(table, now=NOW + HOUR)
    found = await pages(client, PATH, bucket="1h", limit=rng.choice((1, 5, 100, 1_000)))
    assert all(page["buckets"] for page in found)
    values = [each["max"] for page in reversed(found) for each in page["buckets"]]
    assert values == [float(hour) for hour in hours]


async def test_a_range_is_moved_out_to_whole_buckets(client: httpx.AsyncClient, table: Connection) -> None:
    for minute in (-30, 5, 55, 70):
        observe(table, LEVEL, NOW + minute * MINUTE, float(minute))
    commit(table, now=NOW + 2 * HOUR)
    within = {"since": "2025-10-27T00:30:00Z", "until": "2025-10-27T00:31:00Z"}
    (bucket,) = (await get(client, PATH, bucket="1h", **within))["buckets"]
    assert (bucket["min"], bucket["max"], bucket["count"]) == (5.0, 55.0, 2)


async def test_more_buckets_than_can_be_rolled_up_in_time_are_refused(
    client: httpx.AsyncClient, table: Connection
) -> None:
    commit(table)
    status, detail = await refusal(client, PATH, bucket="1d", limit=5_000)
    assert (status, "at most 1041 such buckets" in detail) == (422, True)


async def test_results_of_a_derived_datastream_are_rolled_up_without_the_unknown(
    client: httpx.AsyncClient, table: Connection
) -> None:
    derive(table, RAIN_1H, NOW, 4.0)
    derive(table, RAIN_1H, NOW + 10 * MINUTE, None, 0.2)
    commit(table, now=NOW + HOUR)
    answer = await get(client, f"/api/v1/datastreams/{RAIN_1H}/observations", bucket="1h")
    (bucket,) = answer["buckets"]
    assert (bucket["min"], bucket["count"], bucket["failed"]) == (4.0, 1, 1)
    raw = await pages(client, f"/api/v1/datastreams/{RAIN_1H}/observations", limit=1)
    assert [page["observations"][0]["value"] for page in raw] == [None, 4.0]


HOSTILE = [
    {"limit": 0},
    {"limit": 5_001},
    {"limit": "9" * 5_000},
    {"limit": "NaN"},
    {"since": "yesterday"},
    {"since": "2025-10-27T00:00:00"},
    {"since": "2025-10-27"},
    {"since": "0001-01-01T00:00:00+14:00"},
    {"until": "9999-12-31T23:59:59-14:00"},
    {"until": "2025-10-27T00:00:00Z\x00"},
    {"bucket": "2h"},
    {"untill": "2025-10-27T00:00:00Z"},
    {"cursor": ""},
]


@pytest.mark.parametrize("parameters", HOSTILE, ids=str)
async def test_what_makes_no_sense_is_refused_in_words(
    client: httpx.AsyncClient, table: Connection, parameters: dict[str, object]
) -> None:
    commit(table)
    status, detail = await refusal(client, PATH, **parameters)
    assert status == 422
    assert next(iter(parameters)) in detail


@pytest.mark.parametrize("key", ["x", "a/b", "%00/water_level", "HUE/" + "x" * 3_000, "..%2F..%2Fetc"])
async def test_a_key_that_is_not_there_is_a_404(
    client: httpx.AsyncClient, table: Connection, key: str
) -> None:
    response = await client.get(f"/api/v1/datastreams/{key}/observations")
    assert (response.status_code, response.json()["status"]) == (404, 404)


async def test_a_range_at_the_ends_of_time_is_answered(client: httpx.AsyncClient, table: Connection) -> None:
    observe(table, LEVEL, NOW, 1.0)
    commit(table)
    ever = {"since": "1900-01-01T00:00:00+14:00", "until": "2199-12-31T23:59:59-14:00"}
    assert len((await get(client, PATH, **ever))["observations"]) == 1
    for bucket in ("15min", "1h", "1d"):
        assert len((await get(client, PATH, bucket=bucket, **ever))["buckets"]) == 1
    backwards = {"since": ever["until"], "until": ever["since"]}
    assert (await get(client, PATH, **backwards))["observations"] == []
    assert (await get(client, PATH, bucket="1d", **backwards))["buckets"] == []


async def test_every_answer_says_in_a_header_how_far_it_sees(
    client: httpx.AsyncClient, table: Connection
) -> None:
    commit(table)
    seen = (await client.get(PATH)).headers["huewatch-as-of"]
    assert seen.startswith("state=current, time=")
    commit(table, ago_s=100)
    seen = (await client.get(PATH)).headers["huewatch-as-of"]
    assert (seen.startswith("state=unknown"), "reason=commit_too_old" in seen) == (True, True)
