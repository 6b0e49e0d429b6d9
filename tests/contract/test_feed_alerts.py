"""Alerts and events over HTTP: who looks for some finds them, page by page, while others open and end."""

import random

import httpx
import msgspec
import pytest

from alerts.model import EventKind, Severity
from tests.support.fed import RAIN, city, client, get, pages, refusal, table
from tests.support.feed import HOUR, KIMLONG, NOW, PHUOC, Connection, commit, happening, tell

__all__ = ["city", "client", "table"]


def numbers(page: dict[str, list[dict[str, dict[str, int]]]]) -> list[int]:
    return [each["newest"]["seq"] for each in page["alerts"]]


async def test_alerts_are_found_by_how_they_stand(client: httpx.AsyncClient, table: Connection) -> None:
    tell(table, happening(1))
    tell(table, happening(2, alert=2, station=PHUOC))
    tell(table, happening(3, alert=2, station=PHUOC, kind=EventKind.CLEARED))
    commit(table)
    assert numbers(await get(client, "/api/v1/alerts")) == [1]
    assert numbers(await get(client, "/api/v1/alerts", state="ended")) == [3]
    assert numbers(await get(client, "/api/v1/alerts", state="all")) == [3, 1]


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"station": KIMLONG}, [1]),
        ({"station": [KIMLONG, PHUOC]}, [2, 1]),
        ({"river": "sông Bồ"}, [2]),
        ({"river": "Bồ River"}, [2]),
        ({"ward": "phường Thuận Hóa"}, []),
        ({"rule": "river-level"}, [1]),
        ({"rule": ["river-level", "rise"]}, [2, 1]),
        ({"severity": "Severe"}, [2]),
        ({"severity": "Moderate", "station": PHUOC}, []),
        ({"station": "NOBODY"}, []),
        ({"until": "2025-10-26T23:30:00Z"}, [2]),
        ({"since": "2030-01-01T00:00:00Z"}, [2, 1]),  # what is open lasts
    ],
    ids=str,
)
@pytest.mark.parametrize("state", ["open", "all"])
async def test_alerts_are_found_by_place_rule_severity_and_time(
    client: httpx.AsyncClient,
    table: Connection,
    parameters: dict[str, str],
    found: list[int],
    state: str,
) -> None:
    tell(table, happening(1, level=2))
    tell(table, happening(2, alert=2, level=3, station=PHUOC, rule="rise", time=NOW - HOUR))
    commit(table)
    assert numbers(await get(client, "/api/v1/alerts", state=state, **parameters)) == found


async def test_an_ended_alert_is_found_in_the_time_in_which_it_lasted(
    client: httpx.AsyncClient, table: Connection
) -> None:
    tell(table, happening(1, time=NOW - 2 * HOUR))
    tell(table, happening(2, kind=EventKind.CLEARED, time=NOW))
    commit(table)
    for since, until, found in (("21:00", "21:59", []), ("22:30", "22:40", [2]), ("23:59", "23:59", [2])):
        span = {"since": f"2025-10-26T{since}:00Z", "until": f"2025-10-26T{until}:30Z"}
        assert numbers(await get(client, "/api/v1/alerts", state="ended", **span)) == found
    assert numbers(await get(client, "/api/v1/alerts", state="all", since="2025-10-27T00:00:01Z")) == []


async def test_pages_of_open_alerts_miss_none_while_they_open_worsen_and_end(
    client: httpx.AsyncClient, table: Connection, rng: random.Random
) -> None:
    for number in range(1, 21):
        told = happening(number, alert=number, level=rng.choice((1, 2)))
        tell(table, msgspec.structs.replace(told, target=f"{KIMLONG}/{number}"))
    commit(table)
    first = await get(client, "/api/v1/alerts", limit=5)
    found, following, extra = numbers(first), first["next"], 100
    assert first["head"] == 20
    while following:
        for kind, level in ((EventKind.ESCALATED, 3), (EventKind.CLEARED, 1), (EventKind.RAISED, 1)):
            alert = rng.randrange(1, 21) if kind is not EventKind.RAISED else extra
            told = happening(extra, alert=alert, kind=kind, level=level)
            tell(table, msgspec.structs.replace(told, target=f"{KIMLONG}/{alert}"))
            extra += 1
        page = await get(client, following)
        assert page["head"] == 20
        found, following = found + numbers(page), page["next"]
    assert sorted(found) == list(range(1, 21))


async def test_the_history_of_alerts_is_paged_without_one_lost(
    client: httpx.AsyncClient, table: Connection
) -> None:
    for number in range(1, 12):
        tell(
            table,
            happening(2 * number - 1, alert=number),
            happening(2 * number, alert=number, kind=EventKind.CLEARED),
        )
    commit(table)
    found = await pages(client, "/api/v1/alerts", state="ended", limit=3)
    assert [number for page in found for number in numbers(page)] == list(range(22, 0, -2))


async def test_alerts_unchanged_are_not_sent_again_and_say_how_far_the_feed_sees(
    client: httpx.AsyncClient, table: Connection
) -> None:
    tell(table, happening(1))
    commit(table)
    first = await client.get("/api/v1/alerts")
    tag = {"If-None-Match": first.headers["etag"]}
    assert first.headers["cache-control"] == "private, no-cache"
    commit(table)  # a commit that told nothing
    again = await client.get("/api/v1/alerts", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["huewatch-as-of"].startswith("state=current")
    assert (await client.get("/api/v1/alerts?station=X", headers=tag)).status_code == 200
    commit(table, ago_s=100)  # nobody may go on believing in what they hold
    blind = await client.get("/api/v1/alerts", headers=tag)
    assert (blind.status_code, blind.json()["alerts"][0]["state"]) == (200, "unknown")
    commit(table)
    tell(table, happening(2, kind=EventKind.ESCALATED, level=2))
    assert (await client.get("/api/v1/alerts", headers=tag)).status_code == 200


async def test_one_alert_is_told_with_all_its_events(client: httpx.AsyncClient, table: Connection) -> None:
    tell(table, happening(1))
    tell(table, happening(2, kind=EventKind.ESCALATED, level=2))
    commit(table)
    alert = await get(client, f"/api/v1/alerts/{happening(1).alert_id}")
    assert (alert["state"], alert["phase"], alert["newest"]["seq"]) == ("open", "firing", 2)
    assert [each["seq"] for each in alert["events"]] == [1, 2]
    assert alert["handling"]["version"] == 0
    assert (await refusal(client, "/api/v1/alerts/00000000-0000-0000-0000-000000000000"))[0] == 404
    assert (await refusal(client, "/api/v1/alerts/17"))[0] == 422


async def test_what_late_readings_tell_is_for_the_record(
    client: httpx.AsyncClient, table: Connection
) -> None:
    tell(table, happening(1, kind=EventKind.LATE), open_alert=False)
    commit(table)
    alert = await get(client, f"/api/v1/alerts/{happening(1).alert_id}")
    assert (alert["state"], alert["handling"], alert["newest"]["kind"]) == ("record", None, "late")
    assert (await get(client, "/api/v1/alerts", state="all"))["alerts"] == []


async def test_filtered_events_say_from_which_number_to_go_on(
    client: httpx.AsyncClient, table: Connection
) -> None:
    for number in range(1, 10):
        tell(table, happening(number, alert=number, station=(KIMLONG, PHUOC)[number % 2]), open_alert=False)
    commit(table)
    found = await pages(client, "/api/v1/events", after=0, station=PHUOC, limit=2)
    assert [[each["seq"] for each in page["events"]] for page in found] == [[1, 3], [5, 7], [9]]
    assert [page["position"] for page in found] == [3, 7, 9]
    none = await get(client, "/api/v1/events", after=3, station=RAIN)
    assert (none["events"], none["position"]) == ([], 9)
    newest = await get(client, "/api/v1/events", station=KIMLONG, limit=2)
    assert ([each["seq"] for each in newest["events"]], newest["position"]) == ([6, 8], 9)


async def test_events_are_found_by_kind_severity_and_time(
    client: httpx.AsyncClient, table: Connection
) -> None:
    tell(table, happening(1, time=NOW - HOUR))
    tell(table, happening(2, kind=EventKind.ESCALATED, level=3))
    commit(table)
    for parameters, found in (
        ({"kind": "escalated"}, [2]),
        ({"kind": ["raised", "escalated"]}, [1, 2]),
        ({"severity": Severity.SEVERE.value}, [2]),
        ({"since": "2025-10-27T00:00:00Z"}, [2]),
        ({"until": "2025-10-27T00:00:00Z"}, [1]),
    ):
        assert [
            each["seq"] for each in (await get(client, "/api/v1/events", **parameters))["events"]
        ] == found


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/api/v1/alerts", {"station": "a\x00b"}),
        ("/api/v1/alerts", {"station": ["A"] * 51}),
        ("/api/v1/alerts", {"rule": "'; DROP TABLE alert_event; --"}),
        ("/api/v1/alerts", {"severity": "Terrible"}),
        ("/api/v1/alerts", {"state": "closed"}),
        ("/api/v1/alerts", {"river": "x" * 65}),
        ("/api/v1/alerts", {"limit": 10**30}),
        ("/api/v1/alerts", {"colour": "red"}),
        ("/api/v1/events", {"after": 2**63}),
        ("/api/v1/events", {"after": -1}),
        ("/api/v1/events", {"kind": "exploded"}),
    ],
    ids=str,
)
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, table: Connection, path: str, parameters: dict[str, object]
) -> None:
    commit(table)
    status, detail = await refusal(client, path, **parameters)
    assert (status, detail != "") == (422, True)
