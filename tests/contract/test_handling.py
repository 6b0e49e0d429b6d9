"""What people do with alerts, on a real database and broker: seen everywhere, refused when outdated, and over
when its time is, said exactly once."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import psycopg
import pytest

from alerts import handling_store, reminder_store, silence_store
from alerts.api.feed_settings import FeedSettings
from alerts.api.serve import Feed, running_feed
from alerts.handling import Action, Refused, Until
from alerts.handling_store import NoSuchAlert, Outdated, act, find
from alerts.model import Event, EventKind
from alerts.silence_store import Matcher
from alerts.store import alert_events, open_alerts
from alerts.suppression import Limits
from ingest.clock import system_clock, to_datetime
from ingest.embedded import EmbeddedBroker
from ingest.store import connect, maintenance
from tests.support.access import reading
from tests.support.databases import Database
from tests.support.feed import (
    KIMLONG,
    MINUTE,
    NATURE,
    NOW,
    PHUOC,
    Connection,
    catalogue,
    commit,
    first,
    happening,
    listening,
    observe,
    prepare,
    river,
    tell,
    until,
)
from tests.support.ioc import Ioc, heard, kept, listening_ioc, ours

K = EventKind
CITY = catalogue(*(river(f"HUE-WL-{n}", f"Trạm {n}", "Hương", (1.0, 2.0, 3.5)) for n in range(12)))
LEVEL = f"{KIMLONG}/water_level"
STATE = f"ioc/alerts/state/{LEVEL}/river-level"
RAISED = happening(1, level=2)
ALERT = RAISED.alert_id
QUICK = Limits(storm_digest_s=1.0)


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


@pytest.fixture
async def feed(plain_database: Database, table: Connection, broker: EmbeddedBroker) -> AsyncIterator[Feed]:
    async with running_feed(
        plain_database.url, ours(broker), CITY, NATURE, settings=FeedSettings(limits=QUICK)
    ) as found:
        yield found


@pytest.fixture
async def ioc(broker: EmbeddedBroker) -> AsyncIterator[Ioc]:
    async with listening_ioc(broker) as found:
        yield found


def do(connection: Connection, kind: EventKind, seen: int | None = None, **more: object) -> Event:
    action = Action(kind, **({"by": "An"} | more))  # type: ignore[arg-type]
    return act(connection, ALERT, action, system_clock().now(), seen)


def why(connection: Connection) -> list[tuple[int, str, str | None, str | None]]:
    """What became of each event at the centre."""
    return connection.execute(
        "SELECT seq, outcome, cause, reference FROM delivery_outcome WHERE receiver = 'mqtt' ORDER BY seq"
    ).fetchall()


async def settled(connection: Connection, last: int) -> None:
    async def there() -> bool:
        return bool(why(connection)) and why(connection)[-1][0] >= last

    await until(there)


# -- actions


def test_each_action_is_one_event_and_one_version(table: Connection) -> None:
    tell(table, RAISED)
    do(table, K.ACKNOWLEDGED, until=Until.RESOLVED)
    do(table, K.ASSIGNED, assign_to="Bình")
    do(table, K.COMMENTED, comment="looked at it")
    do(table, K.SHELVED, shelve_s=600.0)
    events = alert_events(table, ALERT)
    assert [each.event.kind for each in events] == [
        K.RAISED,
        K.ACKNOWLEDGED,
        K.ASSIGNED,
        K.COMMENTED,
        K.SHELVED,
    ]
    story = handling_store.story_of(table, ALERT)
    assert story is not None
    assert story.handling.version == 4
    assert (story.level, story.handling.assigned_to) == (2, "Bình")
    rows = table.execute("SELECT version, shelved_until IS NOT NULL FROM alert_handling").fetchall()
    assert rows == [(4, True)]


def test_the_engine_reads_back_its_own_last_event_whatever_people_have_said(table: Connection) -> None:
    tell(table, RAISED)
    do(table, K.CANCELLED, comment="a boat")
    (alert,) = open_alerts(table)
    assert alert.newest.event == RAISED


def test_who_saw_an_older_version_is_refused_and_told_what_has_changed(table: Connection) -> None:
    tell(table, RAISED)
    do(table, K.ACKNOWLEDGED, seen=0, by="Bình")
    with pytest.raises(Outdated, match=r"Bình: acknowledged.*version 1") as refused:
        do(table, K.CANCELLED, seen=0, comment="a boat")
    assert [each.event.by for each in refused.value.since] == ["Bình"]
    assert len(alert_events(table, ALERT)) == 2
    do(table, K.CANCELLED, seen=1, comment="a boat")


def test_of_two_at_once_who_saw_the_same_one_is_refused(plain_database: Database, table: Connection) -> None:
    tell(table, RAISED)
    results: list[object] = []
    gate = threading.Barrier(2)

    def acknowledge(by: str) -> None:
        with connect(plain_database.url, application_name="test") as connection:
            gate.wait()
            try:
                results.append(do(connection, K.ACKNOWLEDGED, seen=0, by=by))
            except (Outdated, Refused) as error:
                results.append(error)

    both = [threading.Thread(target=acknowledge, args=(name,)) for name in ("An", "Bình")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(type(result).__name__ for result in results) == ["Event", "Outdated"]
    assert len(alert_events(table, ALERT)) == 2


def test_who_stops_amid_an_action_does_not_keep_the_engine_waiting(
    plain_database: Database, table: Connection
) -> None:
    turned, told = threading.Event(), threading.Event()
    ended: list[BaseException] = []

    def stop_amid_it() -> None:
        with connect(plain_database.url, application_name="test") as connection:
            try:
                with handling_store.turn(connection):
                    turned.set()
                    told.wait(60)
            except psycopg.Error as error:
                ended.append(error)

    stopped = threading.Thread(target=stop_amid_it)
    stopped.start()
    assert turned.wait(60)
    tell(table, RAISED)  # waits for the sequence until the server ends the other's transaction
    told.set()
    stopped.join()
    assert len(ended) == 1


def test_an_alert_is_found_by_the_beginning_of_its_id(table: Connection) -> None:
    twin = ALERT[:9] + "0000" + ALERT[13:]
    tell(table, RAISED)
    assert find(table, ALERT[:8]) == find(table, ALERT.upper()) == ALERT
    for prefix, says in (
        ("1234567", "at least its first 8"),
        ("zzzzzzzz", "no alert's id"),
        ("0" * 8, "no alert"),
    ):
        with pytest.raises(NoSuchAlert, match=says):
            find(table, prefix)
    other = happening(2, alert=2, station=PHUOC)
    table.execute("UPDATE event_head SET seq = seq + 1")
    table.execute(
        "INSERT INTO alert_event SELECT 2, %s, %s, rule, rule_version, rule_kind, 'other', station, kind,"
        " level, previous_level, severity, nature, event_time, detected_at, created_at, body"
        " FROM alert_event",
        (other.event_id, twin),
    )
    with pytest.raises(NoSuchAlert, match=f"several alerts.*{twin}"):
        find(table, ALERT[:8])


# -- everywhere the same


async def test_what_one_process_does_is_seen_on_every_feed(
    plain_database: Database, feed: Feed, ioc: Ioc, table: Connection
) -> None:
    tell(table, RAISED)
    await kept(ioc, STATE, 2)
    async with (
        running_feed(plain_database.url, None, CITY, NATURE) as other,
        listening(other.url, headers=reading(other)) as frames,
    ):
        await first(frames, "status")
        with connect(plain_database.url, application_name="test") as elsewhere:
            do(elsewhere, K.ACKNOWLEDGED, comment="on my way")
        told = (await first(frames, "alert")).data
        assert (told["kind"], told["by"], told["comment"]) == ("acknowledged", "An", "on my way")
        assert "An" in told["headline"]["vi"]
        for each in (feed, other):
            (alert,) = (await answer(each, "/api/v1/alerts"))["alerts"]
            assert alert["newest"]["kind"] == "raised"
            assert alert["handling"]["acknowledged"]["by"] == "An"
            assert alert["handling"]["version"] == 1
    await heard(ioc, 2)
    assert ioc.events[-1]["silent"]
    state = ioc.kept[STATE]
    assert state is not None
    assert (state["kind"], state["handling"]["acknowledged"]["by"]) == ("raised", "An")


async def answer(feed: Feed, path: str) -> dict[str, object]:
    async with httpx.AsyncClient(headers=reading(feed)) as client:
        found: dict[str, object] = (await client.get(feed.url + path)).json()
        return found


async def test_a_cancelled_alert_is_hidden_until_it_is_worse(feed: Feed, ioc: Ioc, table: Connection) -> None:
    tell(table, RAISED)
    await kept(ioc, STATE, 2)
    do(table, K.CANCELLED, comment="a boat on the sensor")
    await kept(ioc, STATE, None)
    assert (await answer(feed, "/api/v1/alerts"))["alerts"] == []
    everything = (await answer(feed, "/api/v1/alerts?state=all"))["alerts"]
    assert [each["state"] for each in everything] == ["cancelled"]  # type: ignore[attr-defined]
    tell(table, happening(2, kind=K.LOWERED, level=1))
    tell(table, happening(3, kind=K.ESCALATED, level=3))
    await kept(ioc, STATE, 3)
    await settled(table, 4)
    assert [event["kind"] for event in ioc.events] == ["raised", "cancelled", "escalated"]
    assert why(table)[2] == (3, "suppressed", "cancelled", "An")


async def test_a_shelved_alert_that_gets_worse_speaks(feed: Feed, ioc: Ioc, table: Connection) -> None:
    tell(table, happening(1, level=1))
    do(table, K.SHELVED, shelve_s=3600.0)
    tell(table, happening(2, kind=K.REMINDED, level=1))
    tell(table, happening(3, kind=K.ESCALATED, level=2))
    await settled(table, 4)
    assert [(event["kind"], event["silent"]) for event in ioc.events] == [
        ("raised", False),
        ("shelved", True),
        ("escalated", False),
    ]
    assert why(table)[2] == (3, "suppressed", "shelved", "An")
    await kept(ioc, STATE, 2)


async def test_a_shelving_that_is_over_speaks_once_with_two_feeds(
    plain_database: Database, feed: Feed, ioc: Ioc, table: Connection
) -> None:
    async with running_feed(plain_database.url, None, CITY, NATURE):
        tell(table, RAISED)
        do(table, K.SHELVED, shelve_s=1.0)
        await heard(ioc, 3)
        await asyncio.sleep(2.5)  # both feeds have looked again
    assert [(event["kind"], event["silent"]) for event in ioc.events[1:]] == [
        ("shelved", True),
        ("unshelved", False),
    ]
    assert table.execute("SELECT version, shelved_until FROM alert_handling").fetchall() == [(2, None)]


# -- maintenance


async def test_the_end_of_a_window_is_told_once_with_two_feeds_racing(
    plain_database: Database, feed: Feed, ioc: Ioc, table: Connection
) -> None:
    tell(table, RAISED, happening(2, alert=2, station=PHUOC))
    await heard(ioc, 2)
    window = maintenance.start(table, KIMLONG, [LEVEL], "An", "cleaning", 3600.0)
    tell(table, happening(3, kind=K.ESCALATED, level=3))
    tell(table, happening(4, alert=2, station=PHUOC, kind=K.ESCALATED, level=2))
    await heard(ioc, 4)  # a neighbour is never covered
    await settled(table, 4)
    assert ioc.numbers == [1, 2, 4]
    assert (3, "suppressed", "maintenance", str(window.id)) in why(table)
    async with running_feed(plain_database.url, None, CITY, NATURE):
        maintenance.end(table, window.id, "An")
        await heard(ioc, 5)
        await asyncio.sleep(2.5)  # both feeds have looked again
    assert ioc.numbers == [1, 2, 4, 5]
    assert (ioc.events[-1]["kind"], ioc.events[-1]["level"]) == ("reminded", 3)
    assert ioc.events[-1]["reason"] == "maintenance ended"
    assert ioc.events[-1]["headline"]["en"].startswith("EXERCISE: Kim Long (Hương River): maintenance ended")


async def test_an_alert_that_ended_while_somebody_worked_is_told_as_ended_afterwards(
    feed: Feed, ioc: Ioc, table: Connection
) -> None:
    tell(table, RAISED)
    await heard(ioc, 1)
    window = maintenance.start(table, KIMLONG, [LEVEL], "An", "cleaning", 3600.0)
    tell(table, happening(2, kind=K.CLEARED, level=2))
    await settled(table, 2)
    assert ioc.numbers == [1]
    await kept(ioc, STATE, None)
    maintenance.end(table, window.id, "An")
    await heard(ioc, 3)
    assert (ioc.events[-1]["kind"], ioc.events[-1]["level"]) == ("reminded", 0)
    await kept(ioc, STATE, None)


def test_what_opened_and_ended_within_a_window_is_not_told_afterwards(table: Connection) -> None:
    window = maintenance.start(table, KIMLONG, [LEVEL], "An", "cleaning", 3600.0)
    tell(table, RAISED, happening(2, kind=K.CLEARED, level=2))
    maintenance.end(table, window.id, "An")
    assert reminder_store.tell_ended_windows(table, NOW) == 0
    assert reminder_store.tell_ended_windows(table, NOW) == 0
    tell(table, happening(3, alert=3))
    assert reminder_store.tell_ended_windows(table, NOW) == 0


async def test_a_station_that_is_worked_on_is_not_monitored_and_never_normal(
    feed: Feed, ioc: Ioc, table: Connection
) -> None:
    surveyed = NOW - 5 * MINUTE
    observe(table, LEVEL, surveyed, 0.5)
    window = maintenance.start(table, KIMLONG, [LEVEL], "An", "cleaning", 3600.0)

    async def shown() -> dict[str, object]:
        stations = (await answer(feed, "/api/v1/stations"))["stations"]
        return next(each for each in stations if each["id"] == KIMLONG)  # type: ignore[attr-defined]

    station = await shown()
    assert (station["state"], station["not_monitored"]) == ("not_monitored", ["water_level"])
    assert [each["id"] for each in station["maintenance"]] == [window.id]  # type: ignore[attr-defined]

    async def published() -> bool:
        return bool(ioc.statuses) and ioc.statuses[-1]["as_of"]["stations_not_monitored"] == [KIMLONG]

    await until(published)
    maintenance.end(table, window.id, "An")
    assert (await shown())["state"] != "not_monitored"


async def test_what_a_silence_kept_back_and_is_open_at_its_end_is_told_once_with_two_feeds(
    plain_database: Database, feed: Feed, ioc: Ioc, table: Connection
) -> None:
    silence = silence_store.start(table, Matcher(station=KIMLONG), "An", "roadworks", 3600.0)
    tell(table, RAISED)
    tell(table, happening(2, alert=2, station=PHUOC))
    await settled(table, 2)
    assert why(table)[0] == (1, "suppressed", "silence", str(silence.id))
    async with running_feed(plain_database.url, None, CITY, NATURE):
        silence_store.end(table, silence.id, "An")
        await heard(ioc, 3)
        await asyncio.sleep(2.5)  # both feeds have looked again
    assert ioc.numbers == [2, 3]
    assert (ioc.events[-1]["kind"], ioc.events[-1]["reason"]) == ("reminded", "silence ended")


# -- storms and flapping


async def test_a_storm_gives_one_digest(feed: Feed, ioc: Ioc, table: Connection) -> None:
    many = [happening(n, alert=n, station=f"HUE-WL-{n}") for n in range(12)]
    tell(table, *many)
    await settled(table, 12)
    assert ioc.numbers == [1, 2, 3, 4, 5, 12]
    digest = ioc.events[-1]["digest"]
    assert digest["count"] == 7
    assert [each["station"] for each in digest["alerts"]] == [f"HUE-WL-{n}" for n in range(5, 12)]
    assert digest["headline"]["vi"].startswith("DIỄN TẬP: 7 cảnh báo cùng lúc: Trạm 5 BĐ I, Trạm 6 BĐ I")
    assert why(table)[5:11] == [(seq, "suppressed", "storm", "12") for seq in range(6, 12)]
    assert len([state for state in ioc.kept.values() if state]) == 12  # each has its state
    tell(table, happening(20, alert=6, station="HUE-WL-6", kind=K.CLEARED))
    await heard(ioc, 13)  # whoever heard of it by the digest hears of its end


async def test_a_storm_over_a_thousand_stations_is_one_message_that_a_broker_takes(
    feed: Feed, ioc: Ioc, table: Connection
) -> None:
    many = [happening(n, alert=n, station=f"HUE-X-{n}", level=1 + n % 2) for n in range(1000)]
    tell(table, *many)
    await kept(ioc, "ioc/alerts/state/HUE-X-999/water_level/river-level", 2)  # the last of all
    assert ioc.numbers == [1, 2, 3, 4, 5, 1000]
    digest = ioc.events[-1]["digest"]
    assert (digest["count"], len(digest["alerts"])) == (995, 100)
    assert {each["severity"] for each in digest["alerts"]} == {"Moderate"}  # the worst are named
    assert len([state for state in ioc.kept.values() if state]) == 1000


async def test_what_flapped_and_is_stable_is_said_once_as_it_stands(
    feed: Feed, ioc: Ioc, table: Connection
) -> None:
    for turn in range(5):
        at = NOW + turn * 5 * MINUTE
        tell(table, happening(10 * turn, alert=turn, time=at))
        tell(table, happening(10 * turn + 1, alert=turn, time=at + 2 * MINUTE, kind=K.CLEARED))
    await settled(table, 10)
    assert [cause for _, _, cause, _ in why(table)] == [None] * 7 + ["flapping"] * 3
    assert [event["flaps"] for event in ioc.events] == [False] * 6 + [True]
    assert reminder_store.tell_stable(table, Limits(), NOW) == 0  # the water has not been quiet for an hour
    table.execute("UPDATE writer SET now_at = %s", (to_datetime(NOW + 90 * MINUTE),))
    said = [reminder_store.tell_stable(table, Limits(), NOW) for _ in range(2)]
    assert sum(said) <= 1  # the feed's own housekeeping may have been first
    await heard(ioc, 11)
    assert [(event["kind"], event["level"], event["reason"]) for event in ioc.events[7:]] == [
        ("reminded", 0, "stable again")
    ]
