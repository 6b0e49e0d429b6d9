"""The event stream: resumed without a gap, reset when a number means nothing, slow clients let go."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager

import httpx
import pytest

from alerts.api.hub import QUEUE, Client, Hub, everything
from alerts.api.reader import Reader
from alerts.api.serve import Feed, running_feed
from alerts.api.stream import frames as frames_of
from alerts.model import NumberedEvent
from ingest.clock import system_clock
from tests.support.access import reading
from tests.support.crowd import CUT, last_words
from tests.support.databases import Database
from tests.support.feed import (
    KIMLONG,
    NATURE,
    PHUOC,
    Connection,
    Frame,
    catalogue,
    commit,
    first,
    happening,
    listening,
    prepare,
    tell,
    until,
)

CITY = catalogue()


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


@pytest.fixture
async def feed(plain_database: Database, table: Connection) -> AsyncIterator[Feed]:
    async with running_feed(plain_database.url, None, CITY, NATURE) as found:
        yield found


def tell_many(connection: Connection, numbers: range) -> None:
    """Events one after the other, each in a transaction of its own, as ingest commits them."""
    for number in numbers:
        tell(connection, happening(number, alert=number), open_alert=False)


async def collect(frames: AsyncIterator[Frame], last: int) -> list[int]:
    """Numbers of the alert events up to `last`."""
    found: list[int] = []
    async with asyncio.timeout(20):
        while not found or found[-1] < last:
            frame = await first(frames, "alert")
            assert frame.seq is not None
            found.append(frame.seq)
    return found


async def test_an_event_reaches_a_live_client_within_a_second(feed: Feed, table: Connection) -> None:
    async with listening(feed.url, headers=reading(feed)) as frames:
        assert (await first(frames, "status")).data["as_of"] is not None
        await until(lambda: joined(feed))
        async with asyncio.timeout(1.0):
            await asyncio.to_thread(tell, table, happening(1))
            frame = await first(frames, "alert")
    assert (frame.seq, frame.data["seq"], frame.data["kind"]) == (1, 1, "raised")


async def joined(feed: Feed) -> bool:
    return bool(feed.hub._clients)


async def test_a_client_that_returns_gets_every_event_once_while_others_are_appended(
    feed: Feed, table: Connection
) -> None:
    await asyncio.to_thread(tell_many, table, range(1, 301))
    appending = asyncio.create_task(asyncio.to_thread(tell_many, table, range(301, 701)))
    found: list[int] = []
    while not found or found[-1] < 700:  # breaks off again and again, also within the replay
        last = str(found[-1]) if found else "0"
        async with listening(feed.url, headers=reading(feed), last_event_id=last) as frames:
            async with asyncio.timeout(20):
                for _ in range(min(97, 700 - len(found))):
                    frame = await first(frames, "alert")
                    assert frame.seq is not None
                    found.append(frame.seq)
    await appending
    assert found == list(range(1, 701))


async def test_an_event_told_before_the_hubs_first_look_is_not_lost(
    plain_database: Database, table: Connection
) -> None:
    reader = Reader(plain_database.url, CITY, NATURE)
    reader.open()
    hub = Hub(reader, system_clock())
    read = reader.events_since

    def overtaken(seq: int, limit: int) -> list[NumberedEvent]:
        page = read(seq, limit)
        if not page:  # the hub's first look finds the event told already, and only then the page arrives
            hub.head = tell(table, happening(1), open_alert=False)
        return page

    reader.events_since = overtaken  # type: ignore[method-assign]
    async with aclosing(frames_of(hub, "0")) as sent:
        async with asyncio.timeout(5):
            async for data in sent:
                if b"event: alert" in data:
                    break
    await asyncio.to_thread(reader.close)
    assert data.startswith(b"id: 1\n")


async def test_after_in_the_query_serves_clients_that_cannot_set_the_header(
    feed: Feed, table: Connection
) -> None:
    await asyncio.to_thread(tell_many, table, range(1, 6))
    async with listening(feed.url, headers=reading(feed), query="?after=3") as frames:
        assert await collect(frames, 5) == [4, 5]


async def test_a_first_connection_starts_at_the_present(feed: Feed, table: Connection) -> None:
    await asyncio.to_thread(tell_many, table, range(1, 6))
    async with listening(feed.url, headers=reading(feed)) as frames:
        await until(lambda: joined(feed))
        await asyncio.to_thread(tell_many, table, range(6, 7))
        assert await collect(frames, 6) == [6]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("1000", "ahead_of_sequence"),
        ("9" * 5_000, "ahead_of_sequence"),
        ("0" * 30, "ahead_of_sequence"),
        ("-1", "not_a_number"),
        ("x", "not_a_number"),
        ("٣", "not_a_number"),
    ],
)
async def test_a_number_without_meaning_here_is_answered_with_reset(
    feed: Feed, table: Connection, given: str, reason: str
) -> None:
    await asyncio.to_thread(tell_many, table, range(1, 4))
    async with listening(feed.url, headers=reading(feed), query=f"?after={given}") as frames:
        frame = await first(frames, "reset")
        assert (frame.seq, frame.data) == (3, {"reason": reason, "head": 3})
        await asyncio.to_thread(tell_many, table, range(4, 5))
        assert await collect(frames, 4) == [4]


def at(number: int) -> str:
    return (KIMLONG, PHUOC)[number % 2]


def tell_at_both(connection: Connection, numbers: range) -> None:
    """Events of two rivers in turn, every fifth of them severe."""
    for number in numbers:
        level = 3 if number % 5 == 0 else 1
        told = happening(number, alert=number, station=at(number), level=level)
        tell(connection, told, open_alert=False)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (f"station={PHUOC}", lambda number: number % 2 == 1),
        ("river=sông Hương", lambda number: number % 2 == 0),
        ("severity=Severe&severity=Extreme", lambda number: number % 5 == 0),
        (f"severity=Severe&station={PHUOC}", lambda number: number % 10 == 5),
        ("rule=river-level", lambda number: True),
        ("ward=nowhere", lambda number: False),
    ],
)
async def test_a_filtered_stream_told_again_and_again_where_it_broke_off_misses_and_repeats_nothing(
    feed: Feed, table: Connection, query: str, wanted: Callable[[int], bool]
) -> None:
    """What is passed over moves the position: it is never read again, and what is wanted never skipped."""
    await asyncio.to_thread(tell_at_both, table, range(1, 41))
    appending = asyncio.create_task(asyncio.to_thread(tell_at_both, table, range(41, 81)))
    position, told = 0, list[int]()
    while position < 80:
        async with numbers(feed, position, query) as frames, asyncio.timeout(20):
            for _ in range(7):
                number, event = await anext(frames)
                assert number > position
                told += [number] if event == "alert" else []
                position = number
                if position == 80:
                    break
    await appending
    assert told == [number for number in range(1, 81) if wanted(number)]


@asynccontextmanager
async def numbers(feed: Feed, last: int, query: str) -> AsyncIterator[AsyncIterator[tuple[int, str | None]]]:
    """The (id, event) of each frame with a number, as the protocol has it: also of those without an event."""
    async with (
        httpx.AsyncClient(timeout=20.0, headers=reading(feed) | {"Last-Event-ID": str(last)}) as client,
        client.stream("GET", f"{feed.url}/api/v1/events/stream?{query}") as response,
        aclosing(_numbered(response)) as found,
    ):
        yield found


async def _numbered(response: httpx.Response) -> AsyncGenerator[tuple[int, str | None], None]:
    number, event = None, None
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            number = int(value)
        elif name == "event":
            event = value
        elif not line:
            if number is not None:
                yield number, event
            number, event = None, None


async def test_a_line_on_which_nothing_comes_is_kept_open_by_comments(
    feed: Feed, table: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.api.stream.KEEP_ALIVE_S", 0.05)
    async with (
        httpx.AsyncClient(timeout=10.0, headers=reading(feed)) as client,
        client.stream("GET", f"{feed.url}/api/v1/events/stream") as response,
        asyncio.timeout(5),
    ):
        async for line in response.aiter_lines():
            if line.startswith(":"):
                break
    assert line == ": still here"


async def test_a_sequence_that_starts_again_resets_every_client(feed: Feed, table: Connection) -> None:
    await asyncio.to_thread(tell_many, table, range(1, 4))
    async with listening(feed.url, headers=reading(feed), last_event_id="0") as frames:
        assert await collect(frames, 3) == [1, 2, 3]
        await until(lambda: joined(feed))
        table.execute("DELETE FROM alert_event WHERE seq > 1")  # as a restored backup would look
        table.execute("UPDATE event_head SET seq = 1")
        assert (await first(frames, "reset")).data == {"reason": "sequence_restarted", "head": 1}


async def test_status_turns_unknown_by_itself_when_commits_grow_old(feed: Feed, table: Connection) -> None:
    async with listening(feed.url, headers=reading(feed)) as frames:
        await until(lambda: sees(feed, "current"))
        commit(table, ago_s=58.0)
        async with asyncio.timeout(10):
            while (await first(frames, "status")).data["as_of"]["state"] != "unknown":
                pass


async def sees(feed: Feed, state: str) -> bool:
    return feed.hub.as_of.state == state


async def test_a_client_that_does_not_read_is_let_go_while_others_get_everything(
    feed: Feed, table: Connection
) -> None:
    """It finds `dropped`; or a stream that breaks off, where it had taken nothing for 10 s before its queue
    was full, which is a matter of how fast the machine is."""
    many = 1500
    with slow_client(feed) as asleep:
        async with listening(feed.url, headers=reading(feed)) as frames:
            await until(lambda: clients(feed, 2))
            appending = asyncio.create_task(asyncio.to_thread(tell_many, table, range(1, many + 1)))
            assert await collect(frames, many) == list(range(1, many + 1))
            await appending
            assert await asyncio.to_thread(last_words, asleep) in ("dropped", CUT)
            await until(lambda: clients(feed, 1))


async def clients(feed: Feed, count: int) -> bool:
    return len(feed.hub._clients) == count


def slow_client(feed: Feed) -> socket.socket:
    """A client that asks for the stream and does not read it, with hardly any buffer of its own."""
    host, _, port = feed.url.removeprefix("http://").partition(":")
    sleeper = socket.socket()
    sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sleeper.settimeout(20.0)
    sleeper.connect((host, int(port)))
    token = reading(feed)["Authorization"].encode()
    sleeper.sendall(
        b"GET /api/v1/events/stream HTTP/1.1\r\nHost: feed\r\nAuthorization: " + token + b"\r\n\r\n"
    )
    return sleeper


def test_the_queue_of_a_client_is_bounded() -> None:
    client = Client(everything)
    for number in range(QUEUE + 1):
        client.put(number, b"x")
    told = client.frames.get_nowait()
    assert told is not None
    assert b"dropped" in told[1]
    assert client.frames.get_nowait() is None
    client.put(1, b"x")
    assert client.frames.empty()


async def test_a_feed_takes_connections_from_its_first_moment(
    plain_database: Database, table: Connection
) -> None:
    """Its address is in the log as it starts: who follows it at once is not refused."""
    async with running_feed(plain_database.url, None, CITY, NATURE) as feed:
        socket.create_connection(("127.0.0.1", int(feed.url.rpartition(":")[2])), timeout=5.0).close()
        async with httpx.AsyncClient(timeout=10.0, headers=reading(feed)) as client:
            assert (await client.get(f"{feed.url}/api/v1/stations")).is_success


async def test_a_feed_that_stops_tells_its_clients_and_ends_within_seconds(
    plain_database: Database, table: Connection
) -> None:
    async with asyncio.timeout(10):
        async with running_feed(plain_database.url, None, CITY, NATURE) as feed:
            client = httpx.AsyncClient(timeout=10.0)
            request = client.build_request("GET", f"{feed.url}/api/v1/events/stream", headers=reading(feed))
            response = await client.send(request, stream=True)
            await until(lambda: joined(feed))
        text = "".join([part async for part in response.aiter_text()])
        await client.aclose()
    assert text.rpartition("event: ")[2].startswith("dropped")
