"""Quality, gateways and forecasts over HTTP, against rows whose worth is known."""

import httpx
import msgspec
import pytest

from alerts.forecast import store as forecasts
from alerts.forecast.outlook import Withheld
from alerts.forecast.records import Due, Made, Scored
from ingest.clock import to_datetime
from ingest.model import Quality
from ingest.quality import Test
from tests.support.fed import LEVEL, RAIN, city, client, get, pages, refusal, table
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
    observe,
    tell,
)

__all__ = ["city", "client", "table"]

DAY = 24 * HOUR


def flag(connection: Connection, key: str, time: int, **tests: Quality) -> None:
    """Say what each test found of a stored reading."""
    packed = sum(int(quality) << Test[name.upper()].shift for name, quality in tests.items())
    connection.execute(
        "UPDATE observation SET tests = %s WHERE time = %s AND datastream ="
        " (SELECT id FROM datastream WHERE key = %s)",
        (packed, to_datetime(time), key),
    )


def arrived(connection: Connection, key: str, time: int, received: int) -> None:
    """Say when a stored reading came."""
    connection.execute(
        "UPDATE observation SET received_at = %s WHERE time = %s AND datastream ="
        " (SELECT id FROM datastream WHERE key = %s)",
        (to_datetime(received), to_datetime(time), key),
    )


async def quality_of(client: httpx.AsyncClient, key: str, **parameters: str) -> dict[str, object]:
    (found,) = (await get(client, "/api/v1/quality", datastream=key, **parameters))["quality"]
    assert isinstance(found, dict)
    return found


async def test_quality_counts_flags_tests_gaps_and_late_readings(
    client: httpx.AsyncClient, table: Connection
) -> None:
    start = NOW - HOUR
    for step, quality in ((0, 1), (1, 3), (2, 4), (6, 1), (7, 1), (8, 1)):  # three missing in between
        observe(table, LEVEL, start + step * 5 * MINUTE, 1.0, quality)
    flag(table, LEVEL, start + 5 * MINUTE, spike=Quality.SUSPECT, gross_range=Quality.PASS)
    arrived(table, LEVEL, start, start + 7 * MINUTE)  # after the next one
    commit(table)
    found = await quality_of(client, LEVEL, since="2025-10-26T23:00:00Z", until="2025-10-27T00:00:00Z")
    assert found["readings"] == 6
    assert found["flags"] == {"passed": 4, "not_evaluated": 0, "suspect": 1, "failed": 1, "missing": 0}
    assert set(found["tests"]) == {"spike", "gross_range"}  # type: ignore[call-overload]
    assert found["tests"]["spike"]["suspect"] == 1  # type: ignore[index]
    assert (found["present"], found["longest_gap_s"]) == (0.5, 1_200)
    assert (found["gap_since"], found["late"]) == ("2025-10-26T23:10:00.000Z", 0.1667)


async def test_a_datastream_without_readings_is_one_gap_and_never_perfect(
    client: httpx.AsyncClient, table: Connection
) -> None:
    commit(table)
    found = await quality_of(client, LEVEL)
    assert (found["readings"], found["present"], found["late"], found["newest"]) == (0, 0.0, None, None)
    assert found["longest_gap_s"] == 24 * 3_600


async def test_nothing_is_expected_of_the_future(client: httpx.AsyncClient, table: Connection) -> None:
    for step in range(12):
        observe(table, LEVEL, NOW - HOUR + step * 5 * MINUTE, 1.0)
    commit(table)
    found = await quality_of(client, LEVEL, since="2025-10-26T23:00:00Z", until="2025-10-28T00:00:00Z")
    assert found["present"] == 1.0
    status, _ = await refusal(client, "/api/v1/quality", since="2025-10-28T00:00:00Z")
    assert status == 422


async def test_quality_is_paged_by_key_over_one_and_the_same_time(
    client: httpx.AsyncClient, table: Connection
) -> None:
    commit(table)
    found = []
    for page in await pages(client, "/api/v1/quality", limit=1):
        found += [(each["datastream"], page["since"]) for each in page["quality"]]
        commit(table, now=NOW + HOUR)  # time goes on while somebody reads
    assert found == [
        (key, "2025-10-26T00:00:00.000Z") for key in (f"{RAIN}/rainfall", LEVEL, f"{PHUOC}/water_level")
    ]


async def test_quality_by_place_and_property(client: httpx.AsyncClient, table: Connection) -> None:
    commit(table)
    for parameters, stations in (
        ({"river": "sông Hương"}, [KIMLONG]),
        ({"property": "water_level"}, [KIMLONG, PHUOC]),
        ({"ward": "phường Thuận Hóa"}, [RAIN]),
        ({"station": [RAIN, PHUOC]}, [RAIN, PHUOC]),
        ({"river": "Hu"}, []),
    ):
        answer = await get(client, "/api/v1/quality", **parameters)
        assert [each["station"] for each in answer["quality"]] == stations


async def test_a_range_that_takes_too_long_is_refused(client: httpx.AsyncClient, table: Connection) -> None:
    commit(table)
    status, detail = await refusal(client, "/api/v1/quality", since="2020-01-01T00:00:00Z")
    assert (status, "shorter" in detail) == (422, True)


def account(connection: Connection, gateway: str, minute: int, *counts: int) -> None:
    marks = ", ".join(["%s"] * (2 + len(counts)))
    connection.execute(f"INSERT INTO ledger VALUES ({marks})", (gateway, to_datetime(minute), *counts))


async def test_gateways_say_when_they_were_heard_what_became_of_it_and_who_depends_on_them(
    client: httpx.AsyncClient, table: Connection
) -> None:
    account(table, "gw", NOW - 2 * DAY, 9, 9, 0, 0, 9, 9, 0, 0, 0)  # before the time that is asked for
    account(table, "gw", NOW - 2 * MINUTE, 5, 4, 0, 1, 8, 4, 2, 1, 1)
    account(table, "gw-stranger", NOW - HOUR, 1, 0, 0, 1, 0, 0, 0, 0, 0)
    table.execute(
        "INSERT INTO quarantine (digest, topic, payload, payload_size, reason, detail, codec, codec_version,"
        " gateway, count, first_seen, last_seen) VALUES ('a', 'hue/v1/gw/x', 'top secret', 10, 'undecodable',"
        " 'secret', 'c', 1, 'gw', 3, %(at)s, %(at)s), ('b', 'hue/v1/gw/x', 'x', 1, 'undecodable', '', 'c', 1,"
        " 'gw', 2, %(at)s, %(at)s)",
        {"at": to_datetime(NOW - MINUTE)},
    )
    commit(table)
    response = await client.get("/api/v1/gateways")
    gw, rain, stranger = response.json()["gateways"]
    assert (gw["state"], gw["last_heard"]) == ("heard", "2025-10-26T23:58:00.000Z")
    assert (gw["messages"], gw["readings"], gw["stored"], gw["unreadable"]) == (5, 8, 4, 1)
    assert (gw["duplicates"], gw["conflicts"], gw["rejected"]) == (2, 1, 1)
    assert (gw["stations"], gw["datastreams"], gw["known"]) == ([KIMLONG, PHUOC], 2, True)
    (reject,) = gw["rejects"]
    assert (reject["reason"], reject["count"], reject["kinds"]) == ("undecodable", 5, 2)
    assert (rain["gateway"], rain["state"], rain["last_heard"]) == ("gw-rain", "never", None)
    assert (stranger["gateway"], stranger["known"], stranger["state"]) == ("gw-stranger", False, "silent")
    assert "secret" not in response.text


async def test_a_gateway_of_whose_silence_an_alert_is_open_is_silent(
    client: httpx.AsyncClient, table: Connection
) -> None:
    account(table, "gw", NOW, 1, 1, 0, 0, 1, 1, 0, 0, 0)
    told = happening(1, rule="silence")
    tell(table, msgspec.structs.replace(told, target="@gateway/gw"))
    commit(table)
    gw = (await get(client, "/api/v1/gateways"))["gateways"][0]
    assert (gw["state"], gw["alerts"]) == ("silent", [told.alert_id])


async def test_of_gateways_nothing_is_claimed_while_the_feed_cannot_see(
    client: httpx.AsyncClient, table: Connection
) -> None:
    account(table, "gw", NOW, 1, 1, 0, 0, 1, 1, 0, 0, 0)
    commit(table, ago_s=100)
    states = {each["state"] for each in (await get(client, "/api/v1/gateways"))["gateways"]}
    assert states == {"unknown"}


async def test_the_ledger_may_be_asked_for_a_week_of_gateways(
    client: httpx.AsyncClient, table: Connection
) -> None:
    commit(table)
    await get(client, "/api/v1/gateways", since="2025-10-21T00:00:00Z")
    status, detail = await refusal(client, "/api/v1/gateways", since="2025-10-01T00:00:00Z")
    assert (status, "7 days" in detail) == (422, True)


def foretell(connection: Connection, *made: Made) -> int:
    """Store forecasts of Kim Long; the number of its datastream."""
    number = forecasts.number_of(connection, LEVEL, NATURE)
    assert number is not None
    with connection.transaction(), connection.cursor() as cursor:
        forecasts.add(cursor, list(made))
    return number


def made(number: int, origin: int, withheld: Withheld | None = None) -> Made:
    if withheld:
        return Made(number, origin, origin, 1.0, withheld)
    return Made(
        number,
        origin,
        origin + MINUTE,
        3.2,
        None,
        (1.0, 3.0),
        (3.3, 3.45),
        (3.2, 3.3),
        (3.4, 3.7),
        3.5,
        (0.05, 0.4),
        (1.5, 3.6, None),
    )


@pytest.fixture
def number(table: Connection) -> int:
    found = forecasts.number_of(table, LEVEL, NATURE)
    assert found is not None
    return found


async def test_the_newest_forecast_comes_with_its_interval_its_words_and_its_record(
    client: httpx.AsyncClient, table: Connection, number: int
) -> None:
    foretell(table, made(number, NOW - HOUR), made(number, NOW))
    with table.transaction(), table.cursor() as cursor:
        due = Due(NOW, number, NOW - HOUR, 1.0, 3.0, 3.3, 3.2, 3.4)
        forecasts.add_scores(cursor, [Scored(due, 3.35)])
    commit(table)
    (found,) = (await get(client, "/api/v1/forecasts"))["forecasts"]
    assert (found["datastream"], found["state"], found["age_s"], found["mark"]) == (LEVEL, "current", 0, 3.5)
    assert found["horizons"][0] == {
        "hours": 1.0,
        "time": "2025-10-27T01:00:00.000Z",
        "expected": 3.3,
        "low": 3.2,
        "high": 3.4,
        "chance": 0.05,
    }
    assert found["passes_h"] == [1.5, 3.6, None]
    assert "không phải bản tin" in found["notice"]["vi"]
    (skill,) = found["skill"]
    assert (skill["hours"], skill["scored"], skill["coverage"]) == (1.0, 1, 1.0)
    assert (skill["mean_error"], skill["ratio"]) == (pytest.approx(0.05), pytest.approx(0.05 / 0.35))


async def test_a_forecast_from_an_old_reading_is_past_and_none_is_current_while_the_feed_cannot_see(
    client: httpx.AsyncClient, table: Connection, number: int
) -> None:
    foretell(table, made(number, NOW - HOUR))
    commit(table)
    assert (await get(client, "/api/v1/forecasts"))["forecasts"][0]["state"] == "past"
    commit(table, ago_s=100, now=NOW - HOUR)
    assert (await get(client, "/api/v1/forecasts"))["forecasts"][0]["state"] == "unknown"


async def test_the_forecasts_of_a_datastream_are_paged_with_those_withheld(
    client: httpx.AsyncClient, table: Connection, number: int
) -> None:
    told = [made(number, NOW - step * 10 * MINUTE) for step in range(4)]
    foretell(table, *told, made(number, NOW - HOUR, Withheld.TIDE))
    commit(table)
    path = f"/api/v1/datastreams/{LEVEL}/forecasts"
    found = [each for page in reversed(await pages(client, path, limit=2)) for each in page["forecasts"]]
    assert [each["withheld"] for each in found] == ["tide", None, None, None, None]
    assert [each["origin"] for each in found] == sorted(each["origin"] for each in found)
    assert (found[0]["horizons"], found[0]["passes_h"]) == ([], [])
    within = await get(client, path, since="2025-10-27T00:00:00Z")
    assert len(within["forecasts"]) == 1
    derived = await get(client, f"/api/v1/datastreams/{RAIN}/rain_1h/forecasts")
    assert derived["forecasts"] == []


async def test_gaps_since_a_time(client: httpx.AsyncClient, table: Connection) -> None:
    table.execute(
        "INSERT INTO gap (partition, session, topics, ended_at, reason)"
        " VALUES ('hue', 2, '{hue/v1/#}', '2025-10-27Z', 'session lost')"
    )
    commit(table)
    assert len((await get(client, "/api/v1/gaps"))["gaps"]) == 1
    assert (await get(client, "/api/v1/gaps", since="2025-10-28T00:00:00Z"))["gaps"] == []
