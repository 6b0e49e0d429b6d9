"""One reader of the event sequence for all live clients, and the feed's sight.

Promises: every client that joins at number n is given every event after n, in order, or is told that it was
dropped; memory per client is bounded; `as_of` can be asked at any time, database or not, and turns *unknown*
by itself. NOTIFY makes it quick, a poll each second makes it certain. Called by the stream endpoint (clients)
and by delivery (`bell`). It does not replay: that is the stream's, from the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from alerts import wire
from alerts.api.board import Board, View
from alerts.api.reader import Reader, Unavailable
from alerts.feed_metrics import AS_OF_AGE, CAN_SEE, EVENTS_SEEN, SSE_CLIENTS, SSE_DROPPED
from alerts.model import Event, NumberedEvent
from alerts.sight import AsOf, UnknownReason, aged, unknown
from alerts.store import CHANNEL
from ingest.catalog import Catalogue
from ingest.clock import Clock

QUEUE = 256  # frames a client may lie behind before it is dropped
PAGE = 200
POLL_S = 1.0
STATUS_S = 5.0
STALLED_AFTER_S = 10.0  # our own look at the database is this old: something of ours hangs
LISTEN_RETRY_S = 1.0

Wants = Callable[[Event], bool]

log = logging.getLogger("huewatch.feed")


def frame(event: str, data: wire.Json, seq: int | None = None) -> bytes:
    """One server-sent event. Only frames with `seq` move the client's Last-Event-ID."""
    number = "" if seq is None else f"id: {seq}\n"
    return f"{number}event: {event}\ndata: ".encode() + wire.encode(data) + b"\n\n"


def passed_frame(seq: int) -> bytes:
    """An event that this client does not want: its number alone, which no listener is told of, but from which
    the client goes on when it returns."""
    return f"id: {seq}\n\n".encode()


def event_frame(numbered: NumberedEvent, catalogue: Catalogue) -> bytes:
    """A told event for live clients."""
    return frame("alert", wire.event_json(numbered, catalogue), numbered.seq)


def everything(event: Event) -> bool:
    """Who filters nothing wants this."""
    return True


class Client:
    """A live client's queue: (number or None, frame), and None at its end. `wants`: which events it is
    told."""

    def __init__(self, wants: Wants) -> None:
        self.wants = wants
        self.frames: asyncio.Queue[tuple[int | None, bytes] | None] = asyncio.Queue(QUEUE)
        self.ended = False

    def put(self, seq: int | None, data: bytes) -> None:
        """Add a frame; a full queue ends the client, and the last thing in it says why."""
        if self.ended:
            return
        try:
            self.frames.put_nowait((seq, data))
        except asyncio.QueueFull:
            SSE_DROPPED.inc()
            self.end(frame("dropped", {"reason": "slow", "remedy": "reconnect with Last-Event-ID"}))

    def end(self, last: bytes) -> None:
        """Replace what waits by one last frame."""
        if self.ended:
            return
        self.ended = True
        while not self.frames.empty():
            self.frames.get_nowait()
        self.frames.put_nowait((None, last))
        self.frames.put_nowait(None)


class Hub:
    """Follows the sequence and the writer for everybody. `run` until cancelled."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self.reader = reader
        self.head: int | None = None  # None until the database has been read once
        self.streams = 0
        self.board = Board(reader, clock.monotonic)
        self._clock = clock
        self._clients: set[Client] = set()
        self._as_of = unknown(None, UnknownReason.STARTING, reader.catalogue)
        self._looked_at = clock.monotonic()
        self._wake = asyncio.Event()
        self._listening: bool | None = None  # None until the first attempt has ended
        self._bells: set[asyncio.Event] = set()

    @property
    def as_of(self) -> AsOf:
        """The last look, aged to this moment."""
        elapsed = self._clock.monotonic() - self._looked_at
        older = aged(self._as_of, elapsed, self.reader.catalogue)
        if elapsed > STALLED_AFTER_S and self._as_of.known:
            return unknown(older, UnknownReason.FEED_STALLED, self.reader.catalogue)
        return older

    def now(self) -> int:
        """The machine's time, microseconds: for who must name a time before anything was committed."""
        return self._clock.now()

    def look(self) -> tuple[View, AsOf]:
        """The whole city, shared by who asks within a second; anew as soon as anything is not as before."""
        if not self.as_of.known:
            self.board.forget()
        return self.board.look(self.head)

    def status(self) -> wire.Json:
        """What the `status` event and the status answer say."""
        return {
            "as_of": wire.as_of_json(self.as_of),
            "nature": self.reader.nature.value,
            "head": self.head,
        }

    def status_frame(self) -> bytes:
        return frame("status", self.status())

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Counts one open stream, whether it replays or is live."""
        self.streams += 1
        SSE_CLIENTS.set(self.streams)
        try:
            yield
        finally:
            self.streams -= 1
            SSE_CLIENTS.set(self.streams)

    def join(self, wants: Wants) -> Client:
        """A client that is given every event after the present `head`, or its number where it is not
        wanted."""
        client = Client(wants)
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        self._clients.discard(client)

    @contextmanager
    def bell(self) -> Iterator[asyncio.Event]:
        """Set at each new event and at each change of sight; its holder clears it."""
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    def end_all(self) -> None:
        """Let every live client go: the server stops."""
        for client in self._clients:
            client.end(frame("dropped", {"reason": "stopping", "remedy": "reconnect with Last-Event-ID"}))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="feed listen")
            group.create_task(self._follow(), name="feed follow")
            group.create_task(self._watch(), name="feed watch")

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (psycopg.Error, OSError) as error:
                if self._listening is not False:
                    log.info("listen_lost", extra={"error": str(error)})
                self._listening = False
            await self._clock.sleep(LISTEN_RETRY_S)

    async def _listen_once(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self.reader.conninfo, autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._listening = True
            while True:
                async for _ in connection.notifies(timeout=STATUS_S):
                    self._wake.set()
                await connection.execute("SELECT 1")  # a dead connection hears nothing and says nothing

    async def _follow(self) -> None:
        while True:
            with suppress(Unavailable):
                await self._advance()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()
            self._wake.clear()

    async def _advance(self) -> None:
        if self.head is None:
            self.head = await asyncio.to_thread(self.reader.head)
        events = await asyncio.to_thread(self.reader.events_since, self.head, PAGE)
        if not events:
            await self._notice_reset(self.head)
        for event in events:
            self._tell(event)
        if len(events) == PAGE:  # there may be more; what comes after a shorter page rings by itself
            self._wake.set()

    async def _notice_reset(self, head: int) -> None:
        """A restored database has a shorter sequence: numbers given out before mean nothing now."""
        stored = await asyncio.to_thread(self.reader.head)
        if stored < head:
            self.head = stored
            for client in self._clients:
                client.end(reset_frame("sequence_restarted", stored))

    def _tell(self, numbered: NumberedEvent) -> None:
        EVENTS_SEEN.inc()
        self.head = numbered.seq
        told, passed = event_frame(numbered, self.reader.catalogue), passed_frame(numbered.seq)
        for client in tuple(self._clients):
            client.put(numbered.seq, told if client.wants(numbered.event) else passed)
        self._ring()

    async def _watch(self) -> None:
        rounds = 0
        while True:
            before = self.as_of
            everything = rounds % round(STATUS_S / POLL_S) == 0
            await self._look(everything)
            after = self.as_of
            changed = (before.state, before.reason) != (after.state, after.reason)
            if everything or changed:
                self._broadcast(self.status_frame())
            if changed:
                log.info("sight_changed", extra={"state": after.state.value, "reason": after.reason})
                self._ring()
            CAN_SEE.set(after.known)
            AS_OF_AGE.set(after.age_s or 0.0)
            rounds += 1
            await self._clock.sleep(POLL_S)

    async def _look(self, everything: bool) -> None:
        look = self.reader.look_around if everything else self.reader.glance
        try:
            seen = await asyncio.to_thread(look)
        except Unavailable:
            seen = unknown(self.as_of, UnknownReason.DATABASE_UNREACHABLE, self.reader.catalogue)
        self._as_of, self._looked_at = seen, self._clock.monotonic()

    def _broadcast(self, data: bytes) -> None:
        for client in tuple(self._clients):
            client.put(None, data)

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()


def reset_frame(reason: str, head: int) -> bytes:
    """Tells a client that its number has no meaning here: read the present state, go on from `head`."""
    return frame("reset", {"reason": reason, "head": head}, head)
