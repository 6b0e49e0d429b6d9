"""Nights and shifts through the feed, on a real database: what one shift hands to the next, who answers for a
text that tells people what to do, and that each of these happens once."""

import asyncio
import threading
import unicodedata
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import psycopg
import pytest

from alerts import handling_store, handover_store, reminder_store, silence_store, store
from alerts.access import Scope
from alerts.api.feed_settings import FeedSettings
from alerts.api.serve import Feed, running_feed
from alerts.handling import Action, Refused, Until
from alerts.handover_store import Outdated
from alerts.model import Event, EventKind, Severity
from alerts.receivers.book import Escalation, ReceiverBook
from alerts.silence_store import Matcher
from alerts.store import alert_events
from alerts.unanswered_store import Ladder
from alerts.watching import Watch
from ingest.catalog import Station
from ingest.clock import system_clock
from ingest.installation import Installation
from ingest.store import connect, maintenance
from tests.support.access import headers, session_cookie
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

K = EventKind
THUONGNHAT = "HUE-WL-THUONGNHAT"


def surveyed(station: Station) -> Station:
    """The station with a zero that lets its heights be compared with its levels."""
    zero = Installation(datum="Hòn Dấu", surveyed=True, by="Sở NN&MT")
    (level,) = station.datastreams
    level = level.model_copy(update={"installations": (zero,)})
    return station.model_copy(update={"datum": "Hòn Dấu", "datastreams": (level,)})


CITY = catalogue(river(THUONGNHAT, "Thượng Nhật", "Tả Trạch", (59.0, 61.0, 63.0)))
CITY = CITY.model_copy(update={"stations": tuple(map(surveyed, CITY.stations))})
LEVEL = f"{KIMLONG}/water_level"
LADDER = Escalation(steps=(("shift-leader",), ("chief",)))
RAISED = happening(1, level=3)
ALERT = RAISED.alert_id
WORDS = {
    "response": ["Evacuate"],
    "vi": "Rời khỏi nhà ven sông ngay.",
    "en": "Leave houses by the river now.",
}


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


@pytest.fixture
async def feed(plain_database: Database, table: Connection) -> AsyncIterator[Feed]:
    async with running_feed(plain_database.url, None, CITY, NATURE) as found:
        yield found


@pytest.fixture
async def asks(plain_database: Database, feed: Feed) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the feed by the name of Chi, who may do everything."""
    shown = headers(plain_database.url, Scope.ADMINISTER, name="Chi")
    async with httpx.AsyncClient(base_url=f"{feed.url}/api/v1", headers=shown, timeout=20.0) as client:
        yield client


def do(connection: Connection, kind: EventKind, alert: str = ALERT, **more: object) -> Event:
    action = Action(kind, **({"by": "An"} | more))  # type: ignore[arg-type]
    return handling_store.act(connection, alert, action, system_clock().now())


async def got(asks: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await asks.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# -- the report


async def test_a_report_has_everything_that_the_next_shift_must_know(
    asks: httpx.AsyncClient, table: Connection
) -> None:
    for minutes, level in ((120, 2.9), (60, 3.72), (5, 3.58)):
        observe(table, LEVEL, NOW - minutes * MINUTE, level)
    observe(table, f"{PHUOC}/water_level", NOW - 6 * HOUR, 1.91)
    observe(table, f"{PHUOC}/water_level", NOW - 5 * HOUR, 9.99, quality=4)  # a bad value is no last word
    ended = happening(4, alert=4, station=PHUOC, level=3, rule="other")
    tell(table, RAISED, happening(2, alert=2, station=PHUOC, level=1), happening(3, alert=3, rule="rate"))
    tell(table, ended, happening(5, alert=4, station=PHUOC, kind=K.CLEARED, level=3, rule="other"))
    do(table, K.ASSIGNED, assign_to="Bình", comment="he knows the place")
    do(table, K.ACKNOWLEDGED, until=Until.RESOLVED)
    do(table, K.SHELVED, happening(2, alert=2).alert_id, shelve_s=1800.0)
    do(table, K.CANCELLED, happening(3, alert=3).alert_id, comment="a boat on the sensor")
    window = maintenance.start(table, PHUOC, [f"{PHUOC}/water_level"], "Đội kỹ thuật", "cleaning", 3600.0)
    silence = silence_store.start(table, Matcher(rule="rate"), "An", "roadworks", 3600.0)
    report = await got(asks, "/handover")
    assert report["seq"] == 9
    assert [each["alert_id"] for each in report["open"]] == [ALERT, happening(2, alert=2).alert_id]
    first = report["open"][0]
    assert (first["handling"]["assigned_to"], first["handling"]["acknowledged"]["by"]) == ("Bình", "An")
    assert [(each["by"], each["comment"]) for each in first["comments"]] == [("An", "he knows the place")]
    assert [each["handling"]["cancelled"]["comment"] for each in report["cancelled"]] == [
        "a boat on the sensor"
    ]
    (shelved,) = report["shelved"]
    assert (shelved["by"], shelved["alert_id"]) == ("An", happening(2, alert=2).alert_id)
    assert shelved["until"]
    assert [(each["id"], each["owner"]) for each in report["maintenance"]] == [(window.id, "Đội kỹ thuật")]
    assert [(each["id"], each["rule"]) for each in report["silences"]] == [(silence.id, "rate")]
    silent = {each["station"]: each["datastreams"][0] for each in report["silent"]}
    assert silent.keys() == {PHUOC, THUONGNHAT}
    assert (silent[PHUOC]["newest"]["value"], silent[PHUOC]["level"]["name"]) == (1.91, "BĐ I")
    assert silent[PHUOC]["since"] == "2025-10-26T19:00:00.000Z"
    assert (silent[THUONGNHAT]["since"], silent[THUONGNHAT]["newest"]) == (None, None)
    highest = [(each["station"], each["value"], each["level"]["name"]) for each in report["highest"]]
    assert highest == [(KIMLONG, 3.72, "BĐ III"), (PHUOC, 1.91, "BĐ I")]
    assert report["highest"][0]["time"] == "2025-10-26T23:00:00.000Z"
    assert report["highest"][0]["level"]["above"] == 0.22
    assert report["events"] == {
        "acknowledged": 1, "assigned": 1, "cancelled": 1, "cleared": 1, "raised": 4, "shelved": 1
    }  # fmt: skip
    assert report["last"] is None


async def test_a_report_names_gaps_refusals_and_whom_no_message_reaches(
    asks: httpx.AsyncClient, table: Connection
) -> None:
    table.execute(
        "INSERT INTO gap (partition, session, topics, started_at, ended_at, reason)"
        " VALUES ('hue', 2, '{hue/#}', '2025-10-26T22:00Z', '2025-10-26T22:10Z', 'session lost')"
    )
    table.execute(
        "INSERT INTO ledger (gateway, minute, messages, readable, empty, unreadable, decoded, stored,"
        " duplicate, conflict, rejected) VALUES ('gw-1', '2025-10-26T22:05Z', 9, 5, 0, 4, 5, 2, 0, 0, 3),"
        " ('gw-1', '2025-10-26T23:05Z', 1, 1, 0, 0, 1, 0, 0, 0, 1),"
        " ('gw-2', '2025-10-26T23:05Z', 1, 1, 0, 0, 1, 1, 0, 0, 0)"
    )
    table.execute(
        "INSERT INTO quarantine (digest, topic, payload, payload_size, reason, detail, codec, codec_version,"
        " gateway, count, first_seen, last_seen) VALUES ('a', 't', 'p', 1, 'unknown_channel', '', 'c', 1,"
        " 'gw-1', 3, '2025-10-26T22:05Z', '2025-10-26T22:05Z')"
    )
    tell(table, RAISED)
    table.execute(
        "INSERT INTO delivery (receiver, seq, attempts, last_error) VALUES ('sms', 0, 7, 'timed out')"
    )
    report = await got(asks, "/handover")
    assert [(each["started_at"], each["reason"]) for each in report["gaps"]] == [
        ("2025-10-26T22:00:00.000Z", "session lost")
    ]
    assert report["refused"] == [
        {
            "gateway": "gw-1",
            "refused": 8,
            "peak": {"hour": "2025-10-26T22:00:00.000Z", "refused": 7},
            "reasons": ["unknown_channel"],
        }
    ]
    (failing,) = report["receivers"]
    assert (failing["receiver"], failing["attempts"], failing["error"], failing["behind"]) == (
        "sms", 7, "timed out", 1
    )  # fmt: skip


async def test_a_forecast_that_passes_a_level_is_in_the_report_while_it_is_fresh(
    asks: httpx.AsyncClient, table: Connection
) -> None:
    observe(table, LEVEL, NOW - 5 * MINUTE, 3.2)

    def foretell(origin: str, passes: str) -> None:
        table.execute("DELETE FROM forecast")
        table.execute(
            "INSERT INTO forecast (datastream, origin, model, made_at, level, hours, expected, low, high,"
            " mark, chance, passes) SELECT id, %s, 'm', %s, 3.2, '{1,3}', '{3.3,3.6}', '{3.2,3.4}',"
            " '{3.4,3.9}', 3.5, '{0.1,0.62}', %s FROM datastream WHERE key = %s",
            (origin, origin, passes, LEVEL),
        )

    foretell("2025-10-26T23:55Z", "{1.5,2,NULL}")
    (found,) = (await got(asks, "/handover"))["forecasts"]
    assert (found["station"], found["passes"], found["mark"]) == (KIMLONG, "BĐ III", 3.5)
    assert (found["earliest"], found["at"], found["latest"]) == (
        "2025-10-27T01:25:00.000Z", "2025-10-27T01:55:00.000Z", None
    )  # fmt: skip
    assert found["notice"]["vi"]
    foretell("2025-10-26T23:55Z", "{2.5,NULL,NULL}")  # less likely than not
    assert (await got(asks, "/handover"))["forecasts"] == []
    foretell("2025-10-26T20:00Z", "{1.5,2,NULL}")  # of yesterday
    assert (await got(asks, "/handover"))["forecasts"] == []


# -- a ladder that several feeds climb


def steps(connection: Connection, alert: str = ALERT) -> list[tuple[str, ...]]:
    events = alert_events(connection, alert)
    return [each.event.told_to for each in events if each.event.kind is K.UNANSWERED]


def later(connection: Connection, minutes: float) -> int:
    return store.now(connection) + round(minutes * MINUTE)


def test_each_step_is_one_event_however_many_feeds_look_at_once(
    plain_database: Database, table: Connection
) -> None:
    tell(table, RAISED, happening(2, alert=2, station=PHUOC, level=1))
    gate = threading.Barrier(4)
    ladders = [Ladder() for _ in range(4)]

    def climb(ladder: Ladder, now: int) -> int:
        with connect(plain_database.url, application_name="test") as connection:
            gate.wait()
            return ladder.climb(connection, LADDER, now)

    with ThreadPoolExecutor(4) as feeds:
        for taken in (1, 1, 1, 0):
            due = alert_events(table, ALERT)[-1].created_at + 5 * MINUTE
            assert sum(feeds.map(climb, ladders, [due - 1] * 4)) == 0
            assert sum(feeds.map(climb, ladders, [due] * 4)) == taken
    assert steps(table) == [("shift-leader",), ("chief",), ("*",)]
    assert steps(table, happening(2, alert=2).alert_id) == []
    assert table.execute("SELECT version FROM alert_handling").fetchall() == [(0,)]


def test_it_starts_anew_with_a_feed_that_has_just_started(table: Connection) -> None:
    tell(table, RAISED)
    assert Ladder().climb(table, LADDER, later(table, 4.9)) == 0
    assert Ladder().climb(table, LADDER, later(table, 5.1)) == 1
    assert Ladder().climb(table, LADDER, later(table, 4.9)) == 0  # counts from the step
    assert Ladder().climb(table, LADDER, later(table, 5.1)) == 1
    assert steps(table) == [("shift-leader",), ("chief",)]


def test_a_ladder_hears_of_every_answer_and_of_every_alert_that_becomes_severe(table: Connection) -> None:
    ladder = Ladder()
    tell(table, happening(1, level=2))
    assert ladder.climb(table, LADDER, later(table, 6)) == 0
    tell(table, happening(2, level=3, kind=K.ESCALATED))
    assert ladder.climb(table, LADDER, later(table, 6)) == 1
    do(table, K.ACKNOWLEDGED)
    assert ladder.climb(table, LADDER, later(table, 60)) == 0
    tell(table, happening(3, alert=3, station=PHUOC, level=3))
    assert ladder.climb(table, LADDER, later(table, 6)) == 1
    tell(table, happening(4, alert=3, station=PHUOC, level=3, kind=K.CLEARED))
    assert ladder.climb(table, LADDER, later(table, 60)) == 0


def test_a_changed_ladder_is_climbed_from_where_it_was(table: Connection) -> None:
    ladder = Ladder()
    tell(table, happening(1, level=2))
    assert ladder.climb(table, LADDER, later(table, 6)) == 0
    moderate = Escalation(severity=Severity.MODERATE)
    assert ladder.climb(table, moderate, later(table, 6)) == 1
    assert steps(table) == [("*",)]


def test_maintenance_keeps_the_ladder_still_until_its_end_is_told(table: Connection) -> None:
    ladder = Ladder()
    tell(table, RAISED)
    window = maintenance.start(table, KIMLONG, [LEVEL], "An", "cleaning", 3600.0)
    assert ladder.climb(table, LADDER, later(table, 30)) == 0
    maintenance.end(table, window.id, "An")
    assert ladder.climb(table, LADDER, later(table, 4.9)) == 0  # its end counts, also before it was told
    assert reminder_store.tell_ended_windows(table, NOW) == 1
    assert ladder.climb(table, LADDER, later(table, 4.9)) == 0
    assert ladder.climb(table, LADDER, later(table, 5.1)) == 1


def test_a_rate_beside_a_severe_level_has_no_ladder_of_its_own(table: Connection) -> None:
    rate = msgspec.structs.replace(happening(2, alert=2, level=3, rule="rate"), rule_kind="rate")
    tell(table, RAISED, rate)
    assert Ladder().climb(table, LADDER, later(table, 6)) == 1
    do(table, K.ACKNOWLEDGED)
    assert Ladder().climb(table, LADDER, later(table, 6)) == 0
    do(table, K.SHELVED, shelve_s=600.0)  # a level that is shelved speaks for nothing
    assert Ladder().climb(table, LADDER, later(table, 6)) == 1


async def test_a_feed_climbs_by_itself_and_shows_whom_it_has_called(
    plain_database: Database, table: Connection
) -> None:
    quick = ReceiverBook(escalation=Escalation(after=1.0, steps=(("shift-leader",),)))
    shown = headers(plain_database.url, Scope.READ)
    url = plain_database.url
    async with (
        running_feed(url, None, CITY, NATURE, book=quick) as one,
        running_feed(url, None, CITY, NATURE, book=quick),
        httpx.AsyncClient(base_url=f"{one.url}/api/v1", headers=shown, timeout=20.0) as client,
    ):
        tell(table, RAISED)

        async def at_the_top() -> bool:
            return len(steps(table)) == 2

        await until(at_the_top)
        await asyncio.sleep(2.5)  # both feeds have looked again
        assert steps(table) == [("shift-leader",), ("*",)]
        (alert,) = (await got(client, "/alerts"))["alerts"]
        assert [each["told_to"] for each in alert["handling"]["unanswered"]] == [["shift-leader"], ["*"]]
        report = await got(client, "/handover")
        (found,) = report["unanswered"]
        assert (found["alert_id"], found["still"], len(found["steps"])) == (ALERT, True, 2)
        assert found["headline"]["vi"].startswith("DIỄN TẬP: Kim Long (sông Hương): CHƯA AI TIẾP NHẬN")
        do(table, K.ACKNOWLEDGED)
        (answered,) = (await got(client, "/handover"))["unanswered"]
        assert not answered["still"]


# -- nobody watches

WATCHED = Watch(grace_s=2.0, idle_s=4.0)


def watch_events(connection: Connection) -> list[tuple[str, str]]:
    events = store.events_since(connection, 0, 100)
    return [(each.event.kind.value, each.event.reason) for each in events if each.event.target == "@watch"]


@pytest.fixture
async def watched_feed(plain_database: Database, table: Connection) -> AsyncIterator[Feed]:
    async with running_feed(
        plain_database.url, None, CITY, NATURE, settings=FeedSettings(watch=WATCHED)
    ) as found:
        yield found


async def test_without_a_console_somebody_is_called_once_something_is_open_and_released_by_a_touch(
    plain_database: Database, table: Connection, watched_feed: Feed
) -> None:
    await asyncio.sleep(6)
    assert watch_events(table) == []  # nothing is open: nobody need watch
    tell(table, RAISED)

    async def called() -> bool:
        return watch_events(table) == [("raised", "no console is open")]

    async with (
        running_feed(plain_database.url, None, CITY, NATURE, settings=FeedSettings(watch=WATCHED)),
        httpx.AsyncClient(base_url=f"{watched_feed.url}/api/v1", timeout=20.0) as client,
    ):
        await until(called, 30)
        client.headers.update(headers(plain_database.url, Scope.READ))
        opened = (await got(client, "/alerts"))["alerts"]
        assert {each["newest"]["target"] for each in opened} == {LEVEL, "@watch"}
        assert (await client.post("/presence", json={"active": False})).status_code == 200
        await asyncio.sleep(6)
        assert await called()  # a console that nobody touches is nobody
        await client.post("/presence", json={"active": True})

        async def released() -> bool:
            return watch_events(table)[1:2] == [("cleared", "somebody is active")]

        await until(released, 30)


async def test_a_console_that_nobody_touches_is_not_enough(
    plain_database: Database, table: Connection, watched_feed: Feed
) -> None:
    tell(table, RAISED)
    shown = headers(plain_database.url, Scope.READ)
    async with httpx.AsyncClient(base_url=f"{watched_feed.url}/api/v1", headers=shown) as client:
        await client.post("/presence", json={"active": True})

        async def called() -> bool:
            await client.post("/presence", json={"active": False})
            return watch_events(table) == [("raised", "nobody is active")]

        await until(called, 30)


async def test_each_browser_is_known_apart_and_none_by_what_it_shows_at_the_door(
    asks: httpx.AsyncClient, feed: Feed, table: Connection
) -> None:
    for _ in range(2):
        await asks.post("/presence", json={"active": True})
    cookie = session_cookie(feed, Scope.READ, name="Dũng")
    browser = {cookie["name"]: cookie["value"]}
    same_site = {"Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(base_url=f"{feed.url}/api/v1", cookies=browser, headers=same_site) as client:
        answer = await client.post("/presence", json={"active": False})
        assert answer.status_code == 200, answer.text
    rows = table.execute("SELECT principal, session, active_at IS NULL FROM presence ORDER BY 1").fetchall()
    assert [(name, idle) for name, _, idle in rows] == [("Chi", False), ("Dũng", True)]
    secret = cookie["value"].split("_")[2]
    assert all(secret not in kept for _, kept, _ in rows)


# -- taking over


async def test_who_takes_over_frees_the_leavers_alerts_once(
    asks: httpx.AsyncClient, table: Connection
) -> None:
    tell(table, RAISED, happening(2, alert=2, station=PHUOC))
    do(table, K.ASSIGNED, assign_to="Bình")
    do(table, K.ASSIGNED, happening(2, alert=2).alert_id, assign_to="Dũng")
    seq = (await got(asks, "/handover"))["seq"]
    body = {"leaver": "Bình", "seq": seq, "comment": "Kim Long needs eyes"}
    answers = [await asks.post("/handover/accept", json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    taken, again = (answer.json()["handover"] for answer in answers)
    assert taken == again
    assert (taken["leaver"], taken["seq"], taken["released"]) == ("Bình", seq, [ALERT])
    events = alert_events(table, ALERT)
    assert [each.event.kind for each in events] == [K.RAISED, K.ASSIGNED, K.ASSIGNED]
    last = events[-1].event
    assert (last.by, last.assigned_to, last.reason) == (taken["incoming"], "", "handover")
    report = await got(asks, "/handover")
    assert report["last"]["number"] == taken["number"]
    assert [each["handling"]["assigned_to"] for each in report["open"]] == [None, "Dũng"]
    assert report["events"] == {"assigned": 1}  # what has come since the report that was accepted
    assert [each["comment"] for each in (await got(asks, "/handovers"))["handovers"]] == [
        "Kim Long needs eyes"
    ]


async def test_a_report_that_something_severe_has_outdated_is_refused_with_what_is_new(
    asks: httpx.AsyncClient, table: Connection
) -> None:
    tell(table, happening(1, level=2))
    seq = (await got(asks, "/handover"))["seq"]
    tell(table, happening(2, alert=2, station=PHUOC, level=1))  # nothing severe: it may be accepted still
    tell(table, happening(3, level=3, kind=K.ESCALATED))
    refused = await asks.post("/handover/accept", json={"leaver": "Bình", "seq": seq})
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert [each["kind"] for each in refused.json()["since"]] == ["escalated"]
    assert (await got(asks, "/handovers"))["handovers"] == []
    fresh = (await got(asks, "/handover"))["seq"]
    assert (await asks.post("/handover/accept", json={"leaver": "Bình", "seq": fresh})).status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"leaver": " ", "seq": 0}, "who leaves"),
        ({"leaver": "An\nBình", "seq": 0}, "in one line"),
        ({"leaver": "Bình", "seq": 99}, "no report 99"),
        ({"leaver": "Bình"}, "seq"),
        ({"leaver": "Bình", "seq": -1}, "seq"),
    ],
)
async def test_what_is_no_acceptance_is_refused(
    asks: httpx.AsyncClient, body: dict[str, object], says: str
) -> None:
    answer = await asks.post("/handover/accept", json=body)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


def test_nobody_takes_over_from_himself(table: Connection) -> None:
    with pytest.raises(Refused, match="from himself"):
        handover_store.accept(table, "bình", "Bình", 0, "", NOW)


def test_of_two_who_take_over_at_once_one_frees_the_alerts(
    plain_database: Database, table: Connection
) -> None:
    tell(table, RAISED)
    do(table, K.ASSIGNED, assign_to=unicodedata.normalize("NFD", "bình"))  # as some keyboards send it
    with connect(plain_database.url, application_name="test") as other:
        first = handover_store.accept(table, "Chi", "Bình", 2, "", NOW)
        second = handover_store.accept(other, "Dũng", "Bình", 2, "", NOW)
    assert (first.released, second.released) == ((ALERT,), ())
    assert len(alert_events(table, ALERT)) == 3


def test_something_severe_that_comes_while_a_handover_is_accepted_waits_or_refuses_it(
    plain_database: Database, table: Connection
) -> None:
    """The acceptance holds the sequence: no event can come between its look and its row."""
    with handling_store.turn(table), connect(plain_database.url, application_name="test") as other:
        other.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            tell(other, RAISED)
    tell(table, RAISED)
    with pytest.raises(Outdated):
        handover_store.accept(table, "Chi", "Bình", 0, "", NOW)


@pytest.mark.parametrize("change", ["UPDATE handover SET leaver = 'x'", "DELETE FROM handover"])
def test_a_handover_is_never_changed(table: Connection, change: str) -> None:
    handover_store.accept(table, "Chi", "Bình", 0, "", NOW)
    with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
        table.execute(change)


# -- a name under a text


async def test_a_text_is_approved_by_name_and_void_once_the_water_is_higher(
    asks: httpx.AsyncClient, table: Connection
) -> None:
    tell(table, happening(1, level=2))
    answer = await asks.post(f"/alerts/{ALERT}/approve", json=WORDS | {"seen": 0})
    assert answer.status_code == 200, answer.text
    approval = answer.json()["handling"]["approval"]
    by = answer.json()["events"][-1]["by"]
    assert by
    assert (approval["by"], approval["level"], approval["void"]) == (by, 2, False)
    assert (approval["response"], approval["vi"]) == (WORDS["response"], WORDS["vi"])
    assert answer.json()["events"][-1]["approval"]["en"] == WORDS["en"]
    tell(table, happening(2, level=3, kind=K.ESCALATED))
    handling = (await got(asks, f"/alerts/{ALERT}"))["handling"]
    assert handling["approval"]["void"]


@pytest.mark.parametrize(
    ("body", "ended", "says"),
    [
        (WORDS | {"response": ["AllClear"]}, False, "when the alert has ended"),
        (WORDS, True, "is for an open one"),
        (WORDS | {"response": ["Flee"]}, False, "no response type"),
        (WORDS | {"response": []}, False, "one to 4 response types"),
        (WORDS | {"response": ["Avoid", "Avoid"]}, False, "each once"),
        (WORDS | {"vi": " "}, False, "in vi is empty"),
        (WORDS | {"en": "<b>Leave</b>"}, False, "plain text"),
        (WORDS | {"en": "Leave \u202enow"}, False, "plain text"),
        (WORDS | {"en": WORDS["vi"]}, False, "the same text"),
        (WORDS | {"en": "x" * 501}, False, "en"),
    ],
)
async def test_what_nobody_may_sign_is_refused(
    asks: httpx.AsyncClient, table: Connection, body: dict[str, object], ended: bool, says: str
) -> None:
    tell(table, RAISED, *([happening(2, kind=K.CLEARED, level=3)] if ended else []))
    answer = await asks.post(f"/alerts/{ALERT}/approve", json=body)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert [each.event.kind for each in alert_events(table, ALERT)][-1] is not K.APPROVED


async def test_who_signs_what_he_no_longer_knows_is_told_what_is_new(
    asks: httpx.AsyncClient, table: Connection
) -> None:
    tell(table, RAISED)
    do(table, K.COMMENTED, comment="the gauge is right")
    answer = await asks.post(f"/alerts/{ALERT}/approve", json=WORDS | {"seen": 0})
    assert answer.status_code == 409
    assert [each["comment"] for each in answer.json()["since"]] == ["the gauge is right"]
    unknown = happening(9, alert=9).alert_id
    assert (await asks.post(f"/alerts/{unknown}/approve", json=WORDS)).status_code == 404


async def test_all_clear_is_signed_after_the_end(asks: httpx.AsyncClient, table: Connection) -> None:
    tell(table, RAISED, happening(2, kind=K.CLEARED, level=3))
    clear = {"response": ["AllClear"], "vi": "Nước đã rút.", "en": "The water has gone."}
    answer = await asks.post(f"/alerts/{ALERT}/approve", json=clear)
    assert answer.status_code == 200
    assert answer.json()["handling"]["approval"]["void"] is False


@pytest.mark.parametrize(
    ("path", "body", "least"),
    [
        ("/presence", {"active": True}, Scope.READ),
        ("/handover/accept", {"leaver": "Bình", "seq": 1}, Scope.ACKNOWLEDGE),
        (f"/alerts/{ALERT}/approve", WORDS, Scope.ADMINISTER),
    ],
)
async def test_each_act_asks_for_its_scope(
    plain_database: Database, feed: Feed, table: Connection, path: str, body: dict[str, object], least: Scope
) -> None:
    tell(table, RAISED)
    async with httpx.AsyncClient(base_url=f"{feed.url}/api/v1", timeout=20.0) as client:
        assert (await client.post(path, json=body)).status_code == 401
        for scope in Scope:
            shown = headers(plain_database.url, scope, name=scope)
            answer = await client.post(path, json=body, headers=shown)
            assert answer.status_code == (200 if least in scope.held else 403), answer.text
