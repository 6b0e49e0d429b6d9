"""CAP over a real database, with the real worker: made once, kept for ever, renewed in time, read by all."""

import asyncio
import dataclasses
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from lxml import etree
from msgspec.structs import replace
from typer.testing import CliRunner, Result

import huewatch
from alerts import delivery
from alerts.access import Scope
from alerts.api.serve import Feed, running_feed
from alerts.cap import document
from alerts.cap import store as cap_store
from alerts.cap.document import children, text
from alerts.cap.message import Message
from alerts.cap.signature import Unverified, certificates, verify
from alerts.cap.store import NumberTaken
from alerts.delivery import Worker
from alerts.handling import Action
from alerts.handling_store import act
from alerts.model import Approval, EventKind
from alerts.receivers.cap import CapReceiver, CapSettings, cap_receiver
from alerts.receivers.registry import KINDS
from alerts.receivers.wants import Wishes
from alerts.store import append_events
from alerts.suppression import Limits
from ingest.catalog import Area, Catalogue
from ingest.clock import Clock
from ingest.config_model import Text
from tests.support.access import headers
from tests.support.cap import ISSUER, Life, flood
from tests.support.cap_reader import ATOM, AtomReader
from tests.support.certificates import Authority
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

K = EventKind
CITY = catalogue()
NAMES = {"vi": "Trung tâm điều hành", "en": "Operations Centre"}
SETTINGS = CapSettings(
    name="cap",
    natures=frozenset({NATURE}),
    sender="ioc@example.vn",
    sender_name=Text(**NAMES),
    web="https://ioc.example.vn",
    contact="19001075",
)


REPORT_S, SOON_S = 0.2, 1.0  # between two reports, and time for some of them


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "REPORT_S", REPORT_S)


class Hands:
    """A clock that can be moved on."""

    def __init__(self) -> None:
        self.ahead = 0
        self.clock = Clock(self.now, time.monotonic, asyncio.sleep)

    def now(self) -> int:
        return time.time_ns() // 1_000 + self.ahead


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


@pytest.fixture
async def feed(plain_database: Database, table: Connection) -> AsyncIterator[Feed]:
    async with running_feed(plain_database.url, None, CITY, NATURE) as found:
        yield found


@asynccontextmanager
async def serving(
    feed: Feed,
    url: str,
    hands: Hands,
    city: Catalogue = CITY,
    limits: Limits | None = None,
    settings: CapSettings = SETTINGS,
) -> AsyncIterator[CapReceiver]:
    """The receiver's own worker, as the feed would run it."""
    receiver = cap_receiver(settings, url, city, hands.clock)
    wishes = Wishes(settings.name, settings.natures)
    rng = random.Random(1)
    worker = Worker(receiver, wishes, url, feed.hub, "test", Hands().clock, rng, limits or Limits())
    task = asyncio.create_task(worker.run())
    try:
        yield receiver
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def worker(feed: Feed, plain_database: Database, hands: Hands) -> AsyncIterator[CapReceiver]:
    async with serving(feed, plain_database.url, hands) as found:
        yield found


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT number, kind, final, xml FROM cap_message ORDER BY number").fetchall()


def alerts(connection: Connection) -> list[etree._Element]:
    return [document.read(bytes(row[3])) for row in rows(connection)]


async def stored(connection: Connection, count: int) -> list[etree._Element]:
    async def there() -> bool:
        return len(rows(connection)) >= count

    await until(there)
    return alerts(connection)


async def settled(connection: Connection, seq: int) -> None:
    async def there() -> bool:
        row = connection.execute("SELECT seq FROM delivery WHERE receiver = 'cap'").fetchone()
        return row is not None and row[0] >= seq

    await until(there)


def headline(alert: etree._Element) -> str:
    return text(children(alert, "info")[0], "headline")


async def test_the_registry_knows_the_kind() -> None:
    assert CapSettings in KINDS


async def test_each_notice_of_a_hazard_is_one_message(worker: CapReceiver, table: Connection) -> None:
    tell(table, happening(1))
    tell(table, happening(2, kind=K.ESCALATED, level=2))
    tell(table, happening(3, alert=2, station=PHUOC, rule="battery", kind=K.RAISED))
    tell(table, happening(4, kind=K.CLEARED))
    await settled(table, 4)
    found = await stored(table, 4)
    assert [row[1:3] for row in rows(table)] == [
        ("Alert", False),
        ("Update", False),
        ("Alert", False),
        ("Update", True),
    ]
    sent = [",".join(text(one, name) for name in ("sender", "identifier", "sent")) for one in found]
    assert text(found[3], "references").split() == sent[:2]


async def test_what_is_suppressed_or_about_ourselves_makes_none(
    worker: CapReceiver, table: Connection
) -> None:
    shadow = replace(happening(1), shadow=True)
    silence = replace(happening(2, alert=2, rule="silence"), rule_kind="silence")
    other = replace(happening(3, alert=3, station=PHUOC), nature="Test")
    tell(table, shadow, silence, other)
    await settled(table, 3)
    assert rows(table) == []


async def test_a_crash_before_the_record_makes_no_second_message(
    feed: Feed, plain_database: Database, table: Connection, hands: Hands
) -> None:
    async with serving(feed, plain_database.url, hands):
        tell(table, happening(1), happening(2, kind=K.ESCALATED, level=2))
        await settled(table, 2)
        before = [bytes(row[3]) for row in rows(table)]
    table.execute("DELETE FROM delivery_outcome")
    table.execute("UPDATE delivery SET seq = 0")
    async with serving(feed, plain_database.url, hands):
        await settled(table, 2)
        tell(table, happening(3, alert=2, station=PHUOC))
        await stored(table, 3)
    assert [bytes(row[3]) for row in rows(table)][:2] == before
    assert len(rows(table)) == 3


async def test_a_message_is_never_edited(worker: CapReceiver, table: Connection) -> None:
    tell(table, happening(1))
    await stored(table, 1)
    with pytest.raises(psycopg.errors.RaiseException, match="never edited"):
        table.execute("UPDATE cap_message SET scope = 'Public'")


async def test_of_a_digest_each_opening_has_its_message(
    feed: Feed, plain_database: Database, table: Connection, hands: Hands
) -> None:
    limits = Limits(storm_first=2, storm_digest_s=0.5)
    openings = [happening(at, alert=at, station=KIMLONG, rule=f"r{at}") for at in range(1, 7)]
    tell(table, *openings)
    async with serving(feed, plain_database.url, hands, limits=limits):
        await settled(table, 6)
    grouped = table.execute("SELECT count(*) FROM delivery_outcome WHERE cause = 'storm'").fetchone()
    assert grouped == (3,)
    assert len(rows(table)) == 6


async def test_an_acknowledged_alert_is_renewed_before_its_message_expires(
    worker: CapReceiver, table: Connection, hands: Hands
) -> None:
    event = replace(happening(1), remind=HOUR)
    tell(table, event)
    (first,) = await stored(table, 1)
    act(table, event.alert_id, Action(K.ACKNOWLEDGED, "An"), hands.now())
    observe(table, f"{KIMLONG}/water_level", NOW, 1.23)
    hands.ahead = 89 * MINUTE
    await asyncio.sleep(SOON_S)
    assert len(rows(table)) == 1
    hands.ahead = 91 * MINUTE
    (_, renewed) = await stored(table, 2)
    assert text(renewed, "msgType") == "Update"
    assert text(first, "identifier") in text(renewed, "references")
    assert "NHẮC LẠI, 1,23 m lúc 07:00 27/10, TRÊN BĐ I 0,23 m" in headline(renewed)
    await asyncio.sleep(SOON_S)
    assert len(rows(table)) == 2


async def test_lost_data_and_lost_sight_are_said_and_the_alert_stays_in_force(
    feed: Feed, plain_database: Database, table: Connection, hands: Hands
) -> None:
    observe(table, f"{KIMLONG}/water_level", NOW, 1.23)
    async with serving(feed, plain_database.url, hands):
        tell(table, replace(happening(1), remind=HOUR))
        await stored(table, 1)
    commit(table, now=NOW + HOUR)  # the gauge has said nothing for an hour
    await until(lambda: _clock(feed, NOW + HOUR))
    hands.ahead = 95 * MINUTE
    async with serving(feed, plain_database.url, hands):  # and another process has to know what was told
        found = await stored(table, 2)
        assert "MẤT TÍN HIỆU, mực nước cuối 1,23 m lúc 07:00 27/10, chưa hết BĐ I" in headline(found[1])
        commit(table, now=NOW, ago_s=120)
        await until(lambda: _sight(feed, "unknown"))
        hands.ahead = 190 * MINUTE
        found = await stored(table, 3)
        assert "MẤT TÍN HIỆU" in headline(found[2])


async def _clock(feed: Feed, now: int) -> bool:
    return feed.hub.as_of.now == now


async def _sight(feed: Feed, state: str) -> bool:
    return feed.hub.as_of.state.value == state


async def test_what_was_never_told_is_not_renewed_and_a_cancelled_alert_neither(
    worker: CapReceiver, table: Connection, hands: Hands
) -> None:
    tell(table, replace(happening(1), shadow=True))
    told = happening(2, alert=2, station=PHUOC)
    tell(table, told)
    await stored(table, 1)
    act(table, told.alert_id, Action(K.CANCELLED, "An", comment="a boat"), hands.now())
    found = await stored(table, 2)
    assert text(found[1], "msgType") == "Cancel"
    hands.ahead = 100 * HOUR
    await asyncio.sleep(SOON_S)
    assert len(rows(table)) == 2


async def test_a_receiver_that_is_new_to_an_old_database_tells_only_what_stands(
    feed: Feed, plain_database: Database, table: Connection, hands: Hands
) -> None:
    tell(table, replace(happening(1), remind=HOUR))
    tell(table, replace(happening(2, kind=K.CLEARED), remind=None))
    standing = replace(happening(3, alert=2, station=PHUOC, level=2), remind=HOUR)
    tell(table, standing)
    hands.ahead = 30 * 24 * HOUR
    async with serving(feed, plain_database.url, hands):
        (alert,) = await stored(table, 1)
        await asyncio.sleep(SOON_S)
    assert len(rows(table)) == 1
    assert (text(alert, "msgType"), text(alert, "incidents")) == ("Alert", standing.alert_id)


async def test_an_approved_text_goes_out_and_stays_in_the_renewal(
    worker: CapReceiver, table: Connection, hands: Hands
) -> None:
    event = replace(happening(1, level=3), remind=HOUR)
    tell(table, event)
    await stored(table, 1)
    text_ = Approval(("Evacuate",), "Di dời.", "Leave.")
    approved = replace(event, event_id=an_id(1), kind=K.APPROVED, by="Bình", approval=text_)
    with table.transaction(), table.cursor() as cursor:
        append_events(cursor, [approved])
    await stored(table, 2)
    hands.ahead = 100 * MINUTE
    found = await stored(table, 3)
    for one in found[1:]:
        info = children(one, "info")[0]
        assert (text(one, "scope"), text(info, "responseType")) == ("Public", "Evacuate")
        assert text(info, "instruction") == "Di dời."
        assert b"B\xc3\xacnh" not in document.written(one)


def an_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


async def test_a_message_that_cannot_be_sent_holds_up_no_other(
    feed: Feed, plain_database: Database, table: Connection, hands: Hands
) -> None:
    crossing = Area(polygon=((16.4, 107.5), (16.5, 107.6), (16.4, 107.6), (16.5, 107.5), (16.4, 107.5)))
    kimlong, phuoc = CITY.stations
    city = CITY.model_copy(update={"stations": (kimlong.model_copy(update={"area": crossing}), phuoc)})
    async with serving(feed, plain_database.url, hands, city) as receiver:
        tell(table, happening(1))
        tell(table, happening(2, alert=2, station=PHUOC))
        await settled(table, 2)
        assert len(rows(table)) == 1
        faults = table.execute("SELECT seq, faults FROM cap_fault").fetchall()
        assert [(seq, "crosses itself" in words) for seq, words in faults] == [(1, True)]
        receiver.use(CITY)  # mended: what is told next has its message
        tell(table, happening(3, kind=K.ESCALATED, level=2))
        found = await stored(table, 2)
        assert text(found[1], "msgType") == "Alert"


async def test_a_refused_alert_is_tried_again_after_the_time_of_a_reminder(
    feed: Feed, plain_database: Database, table: Connection, hands: Hands
) -> None:
    crossing = Area(polygon=((16.4, 107.5), (16.5, 107.6), (16.4, 107.6), (16.5, 107.5), (16.4, 107.5)))
    kimlong, phuoc = CITY.stations
    city = CITY.model_copy(update={"stations": (kimlong.model_copy(update={"area": crossing}), phuoc)})
    async with serving(feed, plain_database.url, hands, city) as receiver:
        tell(table, replace(happening(1), remind=HOUR))
        await settled(table, 1)
        receiver.use(CITY)
        await asyncio.sleep(SOON_S)
        assert rows(table) == []
        hands.ahead = 61 * MINUTE
        (alert,) = await stored(table, 1)
        assert text(alert, "msgType") == "Alert"


async def test_a_number_that_another_has_taken_is_not_used_again(table: Connection) -> None:
    one, other = (next(flood(Life(name=name))) for name in "12")
    cap_store.append(table, one, an_id(1), b"<x/>")
    with pytest.raises(NumberTaken):
        cap_store.append(table, other, an_id(2), b"<x/>")


def test_who_may_not_read_sees_what_is_public_and_how_far_that_goes(table: Connection) -> None:
    public = dataclasses.replace(ISSUER, public=True)
    for at, issuer in enumerate((ISSUER, public, ISSUER), start=1):
        message = next(flood(Life(issuer=issuer, name=str(at))))
        cap_store.append(table, _renumbered(message, at), an_id(at), b"<x/>")
    assert [one.number for one in cap_store.page(table, 1, 3, restricted=False)] == [2]
    assert cap_store.head(table, restricted=False).number == 2
    assert cap_store.head(table, restricted=True).number == 3


# -- the documents


def get(feed: Feed, url: str, path: str, **asked: str) -> httpx.Response:
    return httpx.get(f"{feed.url}/api/v1/cap/{path}", headers=headers(url, Scope.READ) | asked)


def reader(feed: Feed, url: str, client: httpx.Client) -> AtomReader:
    return AtomReader(client, f"{feed.url}/api/v1/cap/feed.atom", headers(url, Scope.READ))


def fill(table: Connection, count: int, name: str = "1") -> None:
    """So many messages of one alert."""
    life = Life(name=name)
    numbers = table.execute("SELECT coalesce(max(number), 0) FROM cap_message").fetchone()
    assert numbers is not None
    for at in range(count):
        life.wait(MINUTE)
        message = life.step(K.REMINDED if at else K.RAISED, 1)
        assert message is not None
        message = _renumbered(message, numbers[0] + at + 1)
        xml = document.written(document.build(message))
        cap_store.append(table, message, life.events[-1].event.event_id, xml)


def _renumbered(message: Message, number: int) -> Message:
    return dataclasses.replace(
        message, number=number, identifier=f"{message.identifier[:16]}{number:06d}.x", references=()
    )


async def test_messages_are_served_as_they_were_stored(
    worker: CapReceiver, feed: Feed, plain_database: Database, table: Connection
) -> None:
    tell(table, happening(1))
    await stored(table, 1)
    identifier, xml = table.execute("SELECT identifier, xml FROM cap_message").fetchone() or ("", b"")
    answer = await asyncio.to_thread(get, feed, plain_database.url, f"{identifier}.xml")
    assert (answer.content, answer.headers["content-type"]) == (bytes(xml), "application/cap+xml")
    asked = {"If-None-Match": answer.headers["etag"]}
    assert (
        await asyncio.to_thread(get, feed, plain_database.url, f"{identifier}.xml", **asked)
    ).status_code == 304
    asked = {"If-Modified-Since": answer.headers["last-modified"]}
    assert (
        await asyncio.to_thread(get, feed, plain_database.url, f"{identifier}.xml", **asked)
    ).status_code == 304
    missing = await asyncio.to_thread(get, feed, plain_database.url, "nothing.xml")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")


async def test_what_is_served_is_what_the_city_signed(
    feed: Feed, plain_database: Database, table: Connection, tmp_path: Path, hands: Hands
) -> None:
    Authority(tmp_path).gateway("city")
    files = {"key_file": tmp_path / "gateways/city.key", "certificate_file": tmp_path / "gateways/city.crt"}
    settings = SETTINGS.model_copy(update=files)
    async with serving(feed, plain_database.url, hands, settings=settings):
        tell(table, happening(1))
        (alert,) = await stored(table, 1)
    served = await asyncio.to_thread(get, feed, plain_database.url, f"{text(alert, 'identifier')}.xml")
    found = verify(served.content, certificates(tmp_path / "ca.crt"))
    assert (found.name, found.trusted) == ("CN=city", True)
    with pytest.raises(Unverified):
        verify(served.content.replace(b"Minor", b"Severe"), certificates(tmp_path / "ca.crt"))


async def test_agencies_judge_a_message_by_its_address(
    worker: CapReceiver, feed: Feed, plain_database: Database, table: Connection, tmp_path: Path
) -> None:
    tell(table, happening(1))
    (alert,) = await stored(table, 1)
    url = f"{feed.url}/api/v1/cap/{text(alert, 'identifier')}.xml"
    token = tmp_path / "token"
    token.write_text(headers(plain_database.url, Scope.READ)["Authorization"].removeprefix("Bearer "))

    def ask(verb: str, address: str) -> Result:
        return CliRunner().invoke(huewatch.app, ["cap", verb, address, f"--token-file={token}"])

    judged = await asyncio.to_thread(ask, "validate", url)
    assert (judged.exit_code, judged.output) == (0, "0 errors, 0 warnings.\n")
    unsigned = await asyncio.to_thread(ask, "verify", url)
    assert (unsigned.exit_code, "it is not signed" in unsigned.output) == (1, True)
    missing = await asyncio.to_thread(ask, "verify", f"{feed.url}/api/v1/cap/nothing.xml")
    assert (missing.exit_code, "404" in missing.output) == (1, True)


async def test_a_reader_gets_each_message_once_whenever_it_polls(
    feed: Feed, plain_database: Database, table: Connection
) -> None:
    with httpx.Client() as client:
        atom = reader(feed, plain_database.url, client)
        assert await asyncio.to_thread(atom.poll) == 0
        for at, count in enumerate((1, 0, 3, 120, 220, 0, 6)):
            if count:
                fill(table, count, str(at))
            assert await asyncio.to_thread(atom.poll) == count
        assert atom.unchanged == 2
        assert atom.fetched == 350
    identifiers = [text(document.read(xml), "identifier") for xml in atom.messages.values()]
    assert identifiers == sorted(identifiers, key=lambda name: name.split(".")[1])


async def test_an_entry_has_what_aggregators_look_for(
    worker: CapReceiver, feed: Feed, plain_database: Database, table: Connection
) -> None:
    tell(table, happening(1, level=3))
    await stored(table, 1)
    answer = await asyncio.to_thread(get, feed, plain_database.url, "feed.atom")
    feed_ = etree.fromstring(answer.content)
    (entry,) = feed_.findall(f"{ATOM}entry")
    (link,) = entry.findall(f"{ATOM}link")
    assert link.get("type") == "application/cap+xml"
    found = {
        etree.QName(child).localname: child.text for child in entry if child.tag.startswith("{urn:oasis")
    }
    assert found["severity"] == "Severe"
    assert found["circle"] == "16.45,107.56 2"
    assert found["msgType"] == "Alert"
    assert entry.findtext(f"{ATOM}id").startswith("tag:ioc@example.vn,")
    assert entry.findtext(f"{ATOM}updated") == found["sent"]


async def test_sight_is_said_in_the_feed_and_turns_with_its_etag_while_messages_stay(
    worker: CapReceiver, feed: Feed, plain_database: Database, table: Connection
) -> None:
    tell(table, happening(1))
    await stored(table, 1)
    await until(lambda: _sight(feed, "current"))
    first = await asyncio.to_thread(get, feed, plain_database.url, "feed.atom")
    assert b'term="current"' in first.content
    asked = {"If-None-Match": first.headers["etag"]}
    assert (await asyncio.to_thread(get, feed, plain_database.url, "feed.atom", **asked)).status_code == 304
    commit(table, ago_s=90)
    await until(lambda: _sight(feed, "unknown"))
    second = await asyncio.to_thread(get, feed, plain_database.url, "feed.atom", **asked)
    assert second.status_code == 200
    assert b'state="unknown" reason="commit_too_old"' in second.content
    assert second.content.count(b"<entry>") == 1


async def test_dates_are_given_only_once_nothing_of_their_second_can_come(
    feed: Feed, plain_database: Database, table: Connection
) -> None:
    fill(table, 1)
    young = await asyncio.to_thread(get, feed, plain_database.url, "feed.atom")
    assert "last-modified" not in young.headers
    await asyncio.sleep(2.2)
    old = await asyncio.to_thread(get, feed, plain_database.url, "feed.atom")
    asked = {"If-Modified-Since": old.headers["last-modified"]}
    assert (await asyncio.to_thread(get, feed, plain_database.url, "feed.atom", **asked)).status_code == 304
    fill(table, 1, "2")
    assert (await asyncio.to_thread(get, feed, plain_database.url, "feed.atom", **asked)).status_code == 200


async def test_an_archive_page_is_full_stays_and_knows_its_neighbours(
    feed: Feed, plain_database: Database, table: Connection
) -> None:
    fill(table, 310)
    page = await asyncio.to_thread(get, feed, plain_database.url, "feed.atom?page=1")
    archived = etree.fromstring(page.content)
    assert len(archived.findall(f"{ATOM}entry")) == 100
    assert archived.find("{http://purl.org/syndication/history/1.0}archive") is not None
    links = {link.get("rel"): link.get("href").rpartition("/")[2] for link in archived.findall(f"{ATOM}link")}
    assert links == {"self": "feed.atom?page=1", "current": "feed.atom", "next-archive": "feed.atom?page=2"}
    asked = {"If-None-Match": page.headers["etag"]}
    commit(table, ago_s=90)
    fill(table, 5, "2")
    await until(lambda: _sight(feed, "unknown"))
    again = await asyncio.to_thread(get, feed, plain_database.url, "feed.atom?page=1", **asked)
    assert again.status_code == 304
    assert (await asyncio.to_thread(get, feed, plain_database.url, "feed.atom?page=4")).status_code == 404


async def test_open_alerts_are_features_with_how_far_we_see(
    worker: CapReceiver, feed: Feed, plain_database: Database, table: Connection
) -> None:
    tell(table, happening(1, level=2))
    tell(table, replace(happening(2, alert=2, rule="silence"), rule_kind="silence"))
    await stored(table, 1)
    await until(lambda: _sight(feed, "current"))
    answer = await asyncio.to_thread(get, feed, plain_database.url, "alerts.geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    found = answer.json()
    (feature,) = found["features"]
    assert found["as_of"]["state"] == "current"
    assert feature["geometry"] == {"type": "Point", "coordinates": [107.56, 16.45]}
    properties = feature["properties"]
    assert (properties["state"], properties["hazard"], properties["newest"]["level"]) == (
        "open",
        "river-flood",
        2,
    )
    assert properties["cap"] == text(alerts(table)[0], "identifier")
    asked = {"If-None-Match": answer.headers["etag"]}
    again = await asyncio.to_thread(get, feed, plain_database.url, "alerts.geojson", **asked)
    assert again.status_code == 304
    commit(table, ago_s=90)
    await until(lambda: _sight(feed, "unknown"))
    unknown = await asyncio.to_thread(get, feed, plain_database.url, "alerts.geojson", **asked)
    assert (unknown.status_code, unknown.json()["as_of"]["state"]) == (200, "unknown")
    assert unknown.json()["features"][0]["properties"]["state"] == "unknown"
