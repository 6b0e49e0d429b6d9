"""The MQTT 5 subscriber: one session at the broker, kept over reconnects, and what came from it.

Promises: messages in order of arrival per connection; a gathering never spans a session's start; PUBACKs
only when told, in order, on the connection the message came on; memory bounded by Receive Maximum (QoS 1)
and by a count and size beyond which the oldest QoS 0 messages are dropped and counted. Does not promise
QoS 0 delivery, nor that a publish of ours survives a reconnect.

Called by the pipeline (`gather`, `acknowledge`, `marker_seen`, `publish`, `admit`, `settle_on`) and by `run`,
which starts and stops it. `ingest.mqtt_connection` is its one connection at a time.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ingest.clock import Clock
from ingest.model import RawMessage
from ingest.mqtt_connection import (
    ANSWER_SECONDS,
    IN_FLIGHT_BYTES,
    BrokerSettings,
    Connection,
    Ending,
    Reaction,
    ending_of,
)
from ingest.topics import MARKER_PREFIX

__all__ = [
    "BrokerSettings",
    "Gathered",
    "Limits",
    "NotAdmitted",
    "Refused",
    "SessionStarted",
    "Statistics",
    "Subscriber",
    "tls_context",
]

log = logging.getLogger("huewatch.mqtt")

BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_LAST_SECONDS = 30.0  # a broker that returned is noticed within this time
QOS0_MESSAGES = 20_000  # some seconds at the highest rate we can store
QOS0_BYTES = 32 * 1024 * 1024
ADMIT_SECONDS = 5.0  # for the broker's word on new filters, while readings wait
SHED_TO = 7 / 8  # a shed reads the whole queue once, so it makes room for many


class Refused(Exception):
    """Fatal: the broker will never take us as we are; says why and what a person can do."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(f"The broker does not take us: {detail}. Remedy: {remedy}.")


class NotAdmitted(Exception):
    """New filters are not subscribed, and those before stay; says why and what a person can do."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(f"{detail}. Remedy: {remedy}.")
        self.detail, self.remedy = detail, remedy


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A connection was accepted. `present`: the broker still had our session.

    `at` is when; `lost_at` is when the connection before it was last heard, None for the first of this
    process (both microseconds UTC).
    """

    epoch: int
    present: bool
    at: int
    lost_at: int | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """Messages of one connection in order of arrival, and its start when they are the first of it."""

    session: SessionStarted | None
    messages: list[RawMessage]


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a gathering ends, besides half the Receive Maximum."""

    messages: int = 20_000
    payload_bytes: int = 8 * 1024 * 1024


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Statistics:
    """Totals since the start, but for `in_flight` (QoS 1, not acknowledged) and `queued` (not gathered)."""

    received_qos0: int
    received_qos1: int
    received_bytes: int
    dropped_qos0: Mapping[str, int]
    abandoned_qos1: int
    connections: int
    violations: int
    in_flight: int
    queued: int


def tls_context(ca: Path | None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Verify the broker against `ca` (None: the system's), show `certificate` if given; or OSError."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


class _Visit:
    """What one connection brought and nobody has gathered yet. `started` is None once it was told."""

    __slots__ = ("messages", "started")

    def __init__(self, started: SessionStarted) -> None:
        self.started: SessionStarted | None = started
        self.messages: deque[RawMessage] = deque()


class _Inbox:
    """Messages between the socket and the pipeline, connection by connection, bounded."""

    def __init__(self, qos1_limit: int, gateway_of: Callable[[str], str]) -> None:
        self._visits: deque[_Visit] = deque()
        self._qos1_limit, self._gateway_of = qos1_limit, gateway_of
        self._qos0 = self._qos0_bytes = 0
        self._arrived = asyncio.Event()
        self.dropped_qos0: Counter[str] = Counter()
        self.abandoned_qos1 = 0

    def __len__(self) -> int:
        return sum(len(visit.messages) for visit in self._visits)

    def begin(self, started: SessionStarted) -> Callable[[RawMessage], None]:
        """Open the queue of a new connection; returns what appends to it.

        Messages of earlier connections stay: where the session was lost they are the only copy. No more than
        one window of them, in number and in size, or a database that is down under a flapping broker would
        fill the memory.
        """
        if (last := self._untold()) is not None:
            started = _merged(last, started)
            self._visits.pop()
        self._abandon_beyond_limit()
        self._visits.append(_Visit(started))
        self._arrived.set()
        return self._visits[-1].messages.append

    def _untold(self) -> SessionStarted | None:
        """The last connection's start, if it brought nothing and nobody has heard of it."""
        return self._visits[-1].started if self._visits and not self._visits[-1].messages else None

    def _abandon_beyond_limit(self) -> None:
        waiting = [[len(m.payload) for m in visit.messages if m.qos] for visit in self._visits]
        for place, visit in enumerate(self._visits):
            sizes = list(chain.from_iterable(waiting[place:]))
            if len(sizes) <= self._qos1_limit and sum(sizes) <= IN_FLIGHT_BYTES:
                return
            self.abandoned_qos1 += len(waiting[place])
            # its connection is gone: nobody appends to it any more
            visit.messages = deque(message for message in visit.messages if not message.qos)

    def added(self, qos0: int, qos0_bytes: int) -> None:
        """Messages were appended, `qos0` of them unprotected: keep these bounded, wake the gatherer."""
        self._qos0 += qos0
        self._qos0_bytes += qos0_bytes
        if self._qos0 > QOS0_MESSAGES or self._qos0_bytes > QOS0_BYTES:
            self._shed()
        self._arrived.set()

    def _shed(self) -> None:
        """Drop the oldest QoS 0 messages; the others keep their order. Rotates each queue once, in place."""
        for visit in self._visits:
            messages = visit.messages
            for _ in range(len(messages)):
                message = messages.popleft()
                if message.qos or not self._over(SHED_TO):
                    messages.append(message)
                else:
                    self._forget_qos0(message)
                    self.dropped_qos0[self._gateway_of(message.topic)] += 1

    def _over(self, share: float) -> bool:
        return self._qos0 > share * QOS0_MESSAGES or self._qos0_bytes > share * QOS0_BYTES

    def _forget_qos0(self, message: RawMessage) -> None:
        self._qos0 -= 1
        self._qos0_bytes -= len(message.payload)

    async def take(self, limits: Limits, qos1_limit: int) -> Gathered:
        """Wait for a session's start or a message, then take what is there of one connection."""
        while not self._advance():
            self._arrived.clear()
            await self._arrived.wait()
        visit = self._visits[0]
        started, visit.started = visit.started, None
        return Gathered(started, self._take_messages(visit.messages, limits, qos1_limit))

    def _advance(self) -> bool:
        """Leave behind connections that have nothing more to tell; whether the first one has."""
        while self._visits:
            visit = self._visits[0]
            if visit.started is not None or visit.messages:
                return True
            if len(self._visits) == 1:
                return False
            self._visits.popleft()
        return False

    def _take_messages(
        self, messages: deque[RawMessage], limits: Limits, qos1_limit: int
    ) -> list[RawMessage]:
        taken: list[RawMessage] = []
        room, popleft, append = limits.payload_bytes, messages.popleft, taken.append
        for _ in range(min(len(messages), limits.messages)):
            message = messages[0]
            room -= len(message.payload)
            if (room < 0 and taken) or (message.qos and not qos1_limit):
                break
            append(popleft())
            if message.qos:
                qos1_limit -= 1
            else:
                self._forget_qos0(message)
        return taken


def _merged(earlier: SessionStarted, later: SessionStarted) -> SessionStarted:
    """Two starts with nothing between them, as one: a lost session stays lost, since the earliest loss."""
    lost_at = later.lost_at if earlier.present else earlier.lost_at
    return SessionStarted(later.epoch, earlier.present and later.present, later.at, lost_at)


class Subscriber:
    """One fixed client id at one broker. `run` it in a task of its own; the rest is called beside it."""

    def __init__(
        self,
        settings: BrokerSettings,
        filters: Sequence[str],
        clock: Clock,
        random: random.Random,
        *,
        gateway_of: Callable[[str], str],
        withdrawn: Sequence[str] = (),
    ) -> None:
        """`gateway_of(topic)` names whose message was dropped; `withdrawn` filters are unsubscribed."""
        self.filters = tuple(filters)
        self.marker_topic = MARKER_PREFIX + settings.client_id
        self._settings, self._clock, self._random, self._withdrawn = settings, clock, random, withdrawn
        self._inbox = _Inbox(settings.receive_maximum, gateway_of)
        self._connection: Connection | None = None
        self._admitted: Connection | None = None
        self._stopping = asyncio.Event()
        self._epoch = self._received_qos0 = self._received_qos1 = self._received_bytes = 0
        self._violations = self._failures = 0
        self._lost_at: int | None = None
        self._stamped = 0  # the last time of arrival: none is given twice, though the clock may step back
        self._told: Ending | None = None

    # -- what the pipeline calls ----------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a connection is up and all filters are granted on it."""
        connection = self._connection
        return connection is not None and connection.usable and connection.subscribed

    @property
    def marker_pending(self) -> bool:
        """Whether messages older than this connection, or than the last marker, may still be on their way."""
        connection = self._connection
        return connection is None or not connection.usable or connection.marker_pending

    def marker_seen(self, epoch: int) -> bool:
        """Whether connection `epoch` is the present one and its last marker has been acknowledged.

        To be asked after `acknowledge`. Markers left in the backlog by earlier connections or processes
        do not count.
        """
        return epoch == self._epoch and not self.marker_pending

    async def gather(self, limits: Limits = DEFAULT_LIMITS) -> Gathered:
        """Wait for at least one message or session start, return at once with all that is there.

        Ends at half the Receive Maximum, so that the broker sends while we commit. Waits for ever while
        there is no connection; may be cancelled without loss.
        """
        return await self._inbox.take(limits, (self._settings.receive_maximum + 1) // 2)

    def acknowledge(self, messages: Sequence[RawMessage]) -> None:
        """PUBACK these in one write; they must be the oldest unacknowledged ones, or RuntimeError.

        Messages of an earlier connection are passed over: their ids mean nothing here, and the broker
        delivers them again.
        """
        connection, epoch = self._connection, self._epoch
        if connection is None or not connection.usable:
            return
        packet_ids = [m.packet_id for m in messages if m.packet_id and m.epoch == epoch]
        if packet_ids:
            connection.acknowledge(packet_ids)

    def publish(self, topic: str, payload: bytes, qos: int = 0) -> None:
        """Send at QoS 0 or 1; dropped when not connected."""
        if self._connection is not None and self._connection.usable:
            self._connection.publish(topic, payload, qos)

    def publish_marker(self) -> None:
        """Send a new marker behind what the broker holds now; `marker_pending` until it was acknowledged."""
        if self._connection is not None and self.connected:
            self._connection.publish_marker()

    async def admit(self, filters: Sequence[str]) -> None:
        """Subscribe what is new among `filters`, beside all that is there; `NotAdmitted` leaves it as it was.

        Call `settle_on` afterwards, with these or the old ones.
        """
        added = sorted(set(filters).difference(self.filters))
        connection = self._admitted = self._connection
        if not added:
            return
        if connection is None or not self.connected:
            remedy = "reload again when there is a connection"
            raise NotAdmitted("No connection to the broker to subscribe the new routes on", remedy)
        refused = connection.subscribe(added)
        answers: set[asyncio.Future[Any]] = {refused, connection.closed}
        await asyncio.wait(answers, timeout=ADMIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not refused.done():
            self.settle_on(self.filters, added)
            raise NotAdmitted("The broker did not answer the subscription of new routes", "reload again")
        if refused.result():
            self.settle_on(self.filters, added)
            remedy = f"allow {self._settings.username or 'anonymous'} to read these topics, then reload"
            raise NotAdmitted(f"The broker did not grant at QoS 1: {dict(refused.result())}", remedy)

    def settle_on(self, filters: Sequence[str], withdrawn: Sequence[str] = ()) -> None:
        """Go on with these filters; what else was subscribed is not any more, now and at each connect."""
        left = {*self._withdrawn, *withdrawn, *self.filters}.difference(filters, (self.marker_topic,))
        grown = not set(filters) <= set(self.filters)
        self.filters, self._withdrawn = tuple(filters), sorted(left)
        connection = self._connection
        if connection is None:
            return
        if grown and connection is not self._admitted:
            connection.abort()  # it began meanwhile, without the new ones
        elif connection.usable:
            connection.unsubscribe(self._withdrawn)

    def statistics(self) -> Statistics:
        """Counts for metrics."""
        return Statistics(
            received_qos0=self._received_qos0,
            received_qos1=self._received_qos1,
            received_bytes=self._received_bytes,
            dropped_qos0=dict(self._inbox.dropped_qos0),
            abandoned_qos1=self._inbox.abandoned_qos1,
            connections=self._epoch,
            violations=self._violations,
            in_flight=self._connection.in_flight if self._connection is not None else 0,
            queued=len(self._inbox),
        )

    # -- what `run` calls -----------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, receive, reconnect with back-off until stopped; raises `Refused` when that cannot help."""
        try:
            while not self._stopping.is_set():
                began = asyncio.get_running_loop().time()
                ending = await self._connect_once()
                if asyncio.get_running_loop().time() - began >= BACKOFF_LAST_SECONDS:
                    self._failures = 0
                if not self._stopping.is_set():
                    await self._pause(ending)
        finally:
            if self._connection is not None:
                self._connection.abort()

    async def stop(self) -> None:
        """Say goodbye after the acknowledgements given so far; `run` then returns. The session stays."""
        self._stopping.set()
        if self._connection is not None:
            await self._connection.finish()

    async def _connect_once(self) -> Ending:
        settings = self._settings
        connection = Connection(
            settings,
            self.filters,
            self._withdrawn,
            self.marker_topic,
            self,
            self._clock,
            self._random,
            self._stamped,
        )
        self._connection = connection  # before a byte can come: messages and acknowledgements meet there
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection, settings.host, settings.port, ssl=settings.tls
                )
        except OSError as error:
            return ending_of(error)
        if self._stopping.is_set():
            await connection.finish()
        ending = await connection.closed
        self._stamped = connection.stamped
        if connection.epoch:
            self._lost_at = connection.heard_at
        return ending

    async def _pause(self, ending: Ending) -> None:
        """Log a change of what is wrong, then wait; full jitter, or all clients would return at once."""
        if ending.reaction is Reaction.GIVE_UP:
            raise Refused(ending.detail, ending.remedy)
        delay = self._delay(ending.reaction)
        if ending != self._told:
            fields = {"detail": ending.detail, "retry_in": round(delay, 2)}
            if ending.remedy:
                log.error("the broker does not take us", extra=fields | {"remedy": ending.remedy})
            else:
                log.warning("no connection to the broker", extra=fields)
        self._told = ending
        try:
            async with asyncio.timeout(delay):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _delay(self, reaction: Reaction) -> float:
        if reaction is Reaction.RETRY_SLOWLY:
            return self._random.uniform(BACKOFF_LAST_SECONDS / 2, BACKOFF_LAST_SECONDS)
        ceiling = min(BACKOFF_LAST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(self._failures, 10))
        self._failures += 1
        return self._random.uniform(0, ceiling)

    # -- what the connection reports ------------------------------------------------------------

    def session_began(self, present: bool) -> tuple[int, Callable[[RawMessage], None]]:
        """CONNACK came: a new epoch, with a queue of its own."""
        self._epoch += 1
        started = SessionStarted(self._epoch, present, self._clock.now(), self._lost_at)
        if not present:
            log.warning("the broker had no session for us", extra={"lost_at": self._lost_at})
        return self._epoch, self._inbox.begin(started)

    def arrived(self, qos1: int, qos0: int, qos0_bytes: int, wire_bytes: int) -> None:
        """One read of the socket was decoded."""
        self._received_qos1 += qos1
        self._received_qos0 += qos0
        self._received_bytes += wire_bytes
        if qos1 or qos0:
            self._inbox.added(qos0, qos0_bytes)

    def subscribed(self) -> None:
        """All filters are granted: readings can reach us."""
        self._told = None
        log.info("subscribed", extra={"epoch": self._epoch, "filters": list(self.filters)})

    def violated(self) -> None:
        """The broker broke the protocol."""
        self._violations += 1
