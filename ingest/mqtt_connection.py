"""One MQTT 5 connection: bytes to packets, acknowledgements, keepalive, and why it ended.

Promises: messages are handed over in the order of arrival; PUBACKs leave in that order, on this connection
only; a peer that is silent for 1.5 keepalives is given up; a broker that breaks the protocol is told so and
left; one that sends more than Receive Maximum, or more than `IN_FLIGHT_BYTES` within it, is not read until
enough is acknowledged. Does not promise
to reconnect, to bound a queue, or to send a publish again: that is the owner's.

Called by `ingest.mqtt.Subscriber` alone. The `mqtt5` codec does no I/O: `read` raises IndexError while a
packet is incomplete, ValueError when it is malformed, and panics on text that is not UTF-8.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import struct
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import Protocol

from mqtt5 import (
    ConnAckPacket,
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    Packet,
    PingReqPacket,
    PingRespPacket,
    PubAckPacket,
    PubAckReasonCode,
    PublishPacket,
    QoS,
    RetainHandling,
    SubAckPacket,
    SubAckReasonCode,
    SubscribePacket,
    TopicFilter,
    UnsubAckPacket,
    UnsubscribePacket,
    read,
)

from ingest.clock import Clock
from ingest.model import RawMessage

log = logging.getLogger("huewatch.mqtt")

DAY_SECONDS = 24 * 3600
ANSWER_SECONDS = 10.0  # a broker that needs longer for TCP, TLS or CONNACK is as good as away
CLOSE_SECONDS = 2.0  # how long a farewell may take before the socket is dropped
BUFFER_BYTES = 256 * 1024  # some 2,500 messages: few calls under load, under 10 ms between two keepalives
# Unacknowledged at a time: 8,000 readings take 2 MB, 8,000 of the largest packets of our broker 512 MB.
IN_FLIGHT_BYTES = 64 * 1024 * 1024
SUBSCRIBE_ID, UNSUBSCRIBE_ID, FIRST_OTHER_ID, LAST_ID = 1, 2, 3, 65_535
PUBACK_SUCCESS = 0x4002_0000  # a PUBACK without reason: type 4, remaining length 2, packet id (MQTT 5, 3.4)
CONNACK_OF_MQTT_3 = b"\x20\x02"  # remaining length 2: no property length, so not MQTT 5


class Reaction(Enum):
    """What the subscriber does about a connection that ended."""

    RETRY = "retry"
    RETRY_SLOWLY = "retry slowly"  # a person must mend something first
    GIVE_UP = "give up"  # the same attempt can never succeed


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended, and what a person can do about it if one is needed."""

    reaction: Reaction
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """How to reach the broker and which session is ours there; ValueError when it cannot hold the promise."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    keepalive: int = 30
    receive_maximum: int = 8_000
    session_expiry: int = 7 * DAY_SECONDS

    def __post_init__(self) -> None:
        if not self.client_id or set(self.client_id) & set("+#\0"):
            raise ValueError("client_id: a session needs a fixed id, and + # NUL cannot be in a topic")
        # 65,535 is the default, so it is not sent, and mosquitto 2.0 then falls back to 20
        if not 1 <= self.receive_maximum <= 65_534:
            raise ValueError("receive_maximum: between 1 and 65534")
        if not 1 <= self.keepalive <= 65_535:
            raise ValueError("keepalive: between 1 and 65535 seconds")
        if self.session_expiry < 1:
            raise ValueError("session_expiry: without it the broker forgets us at each disconnect")


class Violation(Exception):
    """The broker broke the protocol; `reason` is what it is told."""

    def __init__(
        self, reason: DisconnectReasonCode, detail: str, reaction: Reaction = Reaction.RETRY
    ) -> None:
        super().__init__(detail)
        self.reason, self.reaction = reason, reaction


class Owner(Protocol):
    """What a connection reports to."""

    def session_began(self, present: bool) -> tuple[int, Callable[[RawMessage], None]]:
        """CONNACK came: returns the connection's epoch and where its messages go."""

    def arrived(self, qos1: int, qos0: int, qos0_bytes: int, wire_bytes: int) -> None:
        """One read of the socket was decoded; counts of the messages in it."""

    def subscribed(self) -> None:
        """All filters are granted."""

    def violated(self) -> None:
        """The broker broke the protocol; the connection is being left."""


class Connection(asyncio.BufferedProtocol):
    """One connection from CONNECT to its end; `closed` then holds the `Ending`."""

    def __init__(
        self,
        settings: BrokerSettings,
        filters: Sequence[str],
        withdrawn: Sequence[str],
        marker_topic: str,
        owner: Owner,
        clock: Clock,
        jitter: random.Random,
        stamped: int,
    ) -> None:
        """`stamped`: the last time of arrival that the connection before gave."""
        self._settings, self._owner, self._clock, self._random = settings, owner, clock, jitter
        self._filters, self._withdrawn, self._marker_topic = (*filters, marker_topic), withdrawn, marker_topic
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[Ending] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._ending: Ending | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = self._loop.time()
        self._keepalive = float(settings.keepalive)
        self._patience = ANSWER_SECONDS
        self._view = memoryview(bytearray(BUFFER_BYTES))
        self._filled = 0
        self.epoch = 0
        self.subscribed = False
        self.heard_at: int | None = None
        self.stamped = stamped
        self._append: Callable[[RawMessage], None] = _publish_before_connack
        self._unacknowledged: deque[int] = deque()
        self._sizes: deque[int] = deque()  # of their packets
        self._unacknowledged_bytes = 0
        self._acknowledged = 0
        self._paused = self._warned = False
        self._publishing: dict[int, str] = {}
        self._publish_window = 0
        self._last_id = LAST_ID
        self._pings_before_suback = 0
        self._adding: dict[int, tuple[Sequence[str], asyncio.Future[Mapping[str, str]]]] = {}
        self._marker = b""
        self._marker_rank: int | None = None
        self.marker_pending = True

    # -- the transport's calls ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket (and TLS) is up: say CONNECT and start to watch for silence."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        settings = self._settings
        self._write(
            ConnectPacket(
                settings.client_id,
                username=settings.username,
                password=None if settings.password is None else settings.password.encode(),
                clean_start=False,
                keep_alive=settings.keepalive,
                session_expiry_interval=settings.session_expiry,
                receive_max=settings.receive_maximum,
                # no Maximum Packet Size: the broker would acknowledge larger messages and drop them
            ).write()
        )
        self._heard = self._loop.time()
        self._arm()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Free room for the next read; doubles for a packet larger than the buffer."""
        if self._filled == len(self._view):
            larger = memoryview(bytearray(2 * len(self._view)))
            larger[: self._filled] = self._view
            self._view = larger
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Decode what came; the rest of an incomplete packet stays at the front of the buffer."""
        self._heard = self._loop.time()
        self._filled += nbytes
        if self._ending is not None:  # only waiting for the other side to close
            self._filled = 0
            return
        try:
            self._keep_from(self._decode(self._view[: self._filled], nbytes))
            self._regulate()
        except Violation as violation:
            self._owner.violated()
            self._leave(violation.reason, Ending(violation.reaction, f"protocol violation: {violation}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, whoever closed it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._ending is None:
            self._ending = ending_of(exc)
        if not self.closed.done():
            self.closed.set_result(self._ending)

    # -- decoding -------------------------------------------------------------------------------

    def _decode(self, view: memoryview, wire_bytes: int) -> int:
        """Hand over every whole packet; returns how many bytes were used. The service's hottest loop.

        Each message gets a microsecond of its own, since for some the arrival is the only time they have:
        of two with the same time in one series the second would be a conflict.
        """
        self.heard_at = self._clock.now()
        received_at = max(self.heard_at - 1, self.stamped)
        append, epoch, unacknowledged = self._append, self.epoch, self._unacknowledged
        sizes, qos1_bytes = self._sizes, 0
        marker_topic, at_least_once, at_most_once = self._marker_topic, QoS.AT_LEAST_ONCE, QoS.AT_MOST_ONCE
        before, qos0, qos0_bytes, start, end = len(unacknowledged), 0, 0, 0, len(view)
        try:
            while start < end:
                try:
                    packet, size = read(view[start:])
                except IndexError:
                    break  # the rest of this packet is still to come
                except BaseException as error:
                    if (violation := _as_violation(error, view[start:])) is None:
                        raise
                    raise violation from error
                start += size
                received_at += 1
                if type(packet) is not PublishPacket:
                    self._handle(packet)
                    if self._ending is not None:
                        break
                    append, epoch = self._append, self.epoch
                    continue
                qos, topic, payload = packet.qos, packet.topic, packet.payload
                if qos is at_least_once:
                    if not (packet_id := packet.packet_id):
                        raise Violation(DisconnectReasonCode.PROTOCOL_ERROR, "QoS 1 without a packet id")
                    append(
                        RawMessage(
                            topic, payload, 1, packet.retain, packet.duplicate, received_at, epoch, packet_id
                        )
                    )
                    unacknowledged.append(packet_id)
                    sizes.append(size)
                    qos1_bytes += size
                    if topic == marker_topic:
                        self._marker_arrived(payload)
                elif qos is at_most_once:
                    append(RawMessage(topic, payload, 0, packet.retain, False, received_at, epoch, 0))
                    qos0 += 1
                    qos0_bytes += len(payload)
                else:
                    raise Violation(DisconnectReasonCode.QOS_NOT_SUPPORTED, "QoS 2 was never asked for")
        finally:
            self.stamped = received_at
            self._unacknowledged_bytes += qos1_bytes
            self._owner.arrived(len(unacknowledged) - before, qos0, qos0_bytes, wire_bytes)
        return start

    def _regulate(self) -> None:
        """Stop reading while the broker has more in flight than Receive Maximum, or than we have room for.

        mosquitto 2.0.11 exceeds the first: each PUBACK of the head releases up to a window of queued messages
        (its issue 2301), and after a reconnect it delivers what was in flight under a larger window. Leaving
        it for that, as MQTT 5 (4.9) has it, would only make it deliver the same again.
        """
        if self._transport is None or self._ending is not None:
            return
        excess = len(self._unacknowledged) > self._settings.receive_maximum
        if excess and not self._warned:
            log.warning("the broker ignores Receive Maximum; reading waits for acknowledgements")
            self._warned = True
        full = excess or self._unacknowledged_bytes > IN_FLIGHT_BYTES
        if full and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        elif self._paused and not full:
            self._resume(self._transport)

    def _resume(self, transport: asyncio.Transport) -> None:
        self._paused = False
        self._heard = self._loop.time()  # the silence was ours
        transport.resume_reading()

    def _keep_from(self, used: int) -> None:
        rest = self._filled - used
        if len(self._view) > BUFFER_BYTES >= 2 * rest:
            smaller = memoryview(bytearray(BUFFER_BYTES))
            smaller[:rest] = self._view[used : self._filled]
            self._view = smaller
        elif used and rest:
            self._view[:rest] = self._view[used : self._filled]
        self._filled = rest

    def _handle(self, packet: Packet) -> None:
        """Every packet that is not a PUBLISH."""
        match packet:
            case ConnAckPacket() if not self.epoch:
                self._on_connack(packet)
            case SubAckPacket() if self.epoch and packet.packet_id == SUBSCRIBE_ID:
                self._on_suback(packet)
            case SubAckPacket() if packet.packet_id in self._adding:
                self._on_added(packet)
            case PubAckPacket():
                self._on_puback(self._publishing.pop(packet.packet_id, ""), packet.reason_code)
            case UnsubAckPacket():
                pass  # 17, no such subscription, is what a second connect hears
            case PingRespPacket():
                self._on_pong()
            case DisconnectPacket():
                self._on_disconnect(packet)
            case _:
                raise Violation(DisconnectReasonCode.PROTOCOL_ERROR, f"unexpected {type(packet).__name__}")

    # -- the session ----------------------------------------------------------------------------

    def _on_connack(self, packet: ConnAckPacket) -> None:
        if packet.reason_code is not ConnAckReasonCode.SUCCESS:
            self._close(_refusal(packet))
            return
        asked, granted = self._settings.session_expiry, packet.session_expiry_interval
        if granted is not None and granted < asked:
            log.warning("the broker keeps our session for less", extra={"asked": asked, "granted": granted})
        self._keepalive = min(self._keepalive, packet.server_keep_alive or self._keepalive)
        self._patience = 1.5 * self._keepalive
        self._publish_window = packet.receive_max
        self.epoch, self._append = self._owner.session_began(packet.session_present)
        self._subscribe()
        self._arm()

    def _subscribe(self) -> None:
        """At each connect, since routes can have changed; harmless where the session still has them."""
        self.unsubscribe(self._withdrawn)
        self._write(SubscribePacket(SUBSCRIBE_ID, _topic_filters(self._filters)).write())

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Take these out of the session; harmless where it does not have them."""
        if filters:
            self._write(UnsubscribePacket(UNSUBSCRIBE_ID, list(filters)).write())

    def subscribe(self, filters: Sequence[str]) -> asyncio.Future[Mapping[str, str]]:
        """Ask for more filters; the answer is those that were refused, each with the broker's reason."""
        packet_id, refused = self._free_id(), self._loop.create_future()
        self._adding[packet_id] = filters, refused
        self._write(SubscribePacket(packet_id, _topic_filters(filters)).write())
        return refused

    def _on_added(self, packet: SubAckPacket) -> None:
        filters, refused = self._adding.pop(packet.packet_id)
        refused.set_result(_refused(filters, packet))

    def _on_suback(self, packet: SubAckPacket) -> None:
        refused = _refused(self._filters, packet)
        if refused or len(packet.reason_codes) != len(self._filters):
            detail = f"the broker did not grant at QoS 1: {refused or 'all filters'}"
            remedy = f"allow {self._settings.username or 'anonymous'} to read these topics"
            self._leave(DisconnectReasonCode.NORMAL_DISCONNECTION, Ending(Reaction.GIVE_UP, detail, remedy))
            return
        self.subscribed = True
        self._owner.subscribed()
        self.publish_marker()

    def _on_puback(self, topic: str, reason: PubAckReasonCode) -> None:
        """A marker that reaches nobody does not reach us either, and without it we stay blind."""
        if reason.value >= 0x80 or (topic == self._marker_topic and reason.value):
            remedy = f"allow {self._settings.username or 'anonymous'} to write and read {topic}"
            log.error("the broker refused a publish", extra={"reason": reason.name, "remedy": remedy})

    def _on_disconnect(self, packet: DisconnectPacket) -> None:
        code = packet.reason_code
        detail = f"broker said {code.name}" + (f": {packet.reason_str}" if packet.reason_str else "")
        if code is DisconnectReasonCode.SESSION_TAKEN_OVER:
            remedy = f"another client uses the id {self._settings.client_id}: stop it or give it its own"
            self._close(Ending(Reaction.RETRY_SLOWLY, detail, remedy))
        else:
            self._close(Ending(Reaction.RETRY, detail))

    # -- acknowledging and publishing -----------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """QoS 1 messages received here and not yet acknowledged."""
        return len(self._unacknowledged) if self.usable else 0

    @property
    def usable(self) -> bool:
        """Whether a session is open here and nobody has said goodbye."""
        return self.epoch > 0 and self._ending is None

    def acknowledge(self, packet_ids: list[int]) -> None:
        """PUBACK these, which must be the oldest unacknowledged ones in order ([MQTT-4.6.0-2])."""
        waiting = self._unacknowledged
        if list(islice(waiting, len(packet_ids))) != packet_ids:
            raise RuntimeError("acknowledgements must follow the order of arrival")
        for _ in packet_ids:
            waiting.popleft()
            self._unacknowledged_bytes -= self._sizes.popleft()
        self._acknowledged += len(packet_ids)
        if self._marker_rank is not None and self._acknowledged >= self._marker_rank:
            self.marker_pending = False
        self._write(
            struct.pack(f">{len(packet_ids)}I", *[PUBACK_SUCCESS | packet_id for packet_id in packet_ids])
        )
        self._regulate()

    def publish(self, topic: str, payload: bytes, qos: int) -> bool:
        """Send once, at QoS 0 or 1; False when the broker's window for us is full."""
        if qos == 0:
            self._write(PublishPacket(topic, payload).write())
            return True
        if len(self._publishing) >= min(self._publish_window, LAST_ID - FIRST_OTHER_ID):
            return False
        packet_id = self._free_id()
        self._publishing[packet_id] = topic
        self._write(PublishPacket(topic, payload, qos=QoS.AT_LEAST_ONCE, packet_id=packet_id).write())
        return True

    def _free_id(self) -> int:
        while True:
            self._last_id = self._last_id + 1 if self._last_id < LAST_ID else FIRST_OTHER_ID
            if self._last_id not in self._publishing and self._last_id not in self._adding:
                return self._last_id

    def publish_marker(self) -> None:
        """Send a new marker; once it came back and is acknowledged, all that was before it is too.

        Its payload is unique, so that a marker left in the backlog by an earlier connection or process
        is not taken for it.
        """
        self._marker = f"{self.epoch} {self._clock.now()} {self._random.getrandbits(64):016x}".encode()
        self._marker_rank, self.marker_pending = None, True
        self.publish(self._marker_topic, self._marker, 1)

    def _marker_arrived(self, payload: bytes) -> None:
        if payload == self._marker and self._marker_rank is None:
            self._marker_rank = self._acknowledged + len(self._unacknowledged)

    # -- keepalive and the end ------------------------------------------------------------------

    def _watch(self) -> None:
        """Ping at half the keepalive, give up after 1.5 of them without a byte."""
        silence = self._silence()
        if silence >= self._patience:
            self._close(Ending(Reaction.RETRY, f"no traffic for {silence:.1f} s"))
            self.abort()
            return
        if self.epoch:
            self._write(PingReqPacket().write())
        if self.subscribed and self.marker_pending and self._marker_rank is None:
            # a full queue drops the marker like any other message; one in flight at a time is enough
            self.publish(self._marker_topic, self._marker, 1)
        self._arm()

    def _arm(self) -> None:
        left = max(0.0, self._patience - self._silence())
        self._schedule(min(self._keepalive / 2, left), self._watch)

    def _silence(self) -> float:
        """Seconds since the last byte; none while we do not listen."""
        return 0.0 if self._paused else self._loop.time() - self._heard

    def _schedule(self, seconds: float, action: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, action)

    def _on_pong(self) -> None:
        """A broker that answers two pings but not the SUBSCRIBE before them will never answer it."""
        self._pings_before_suback += not self.subscribed
        if self._pings_before_suback > 2:
            raise Violation(DisconnectReasonCode.PROTOCOL_ERROR, "SUBSCRIBE was not answered")

    def abort(self) -> None:
        """Drop the socket now; what is not acknowledged will be delivered again."""
        if self._transport is not None:
            self._transport.abort()

    async def finish(self) -> None:
        """Say DISCONNECT behind all acknowledgements written so far, and wait for the broker to close."""
        if self._ending is None and self._transport is not None:
            self._ending = Ending(Reaction.RETRY, "stopped")
            self._write(DisconnectPacket().write())
            if self._paused:
                self._resume(self._transport)
            # closing first, with unread bytes in our socket, would be a reset that can overtake the PUBACKs
            self._schedule(CLOSE_SECONDS, self.abort)
        if self._transport is not None:
            await asyncio.wait([self.closed])

    def _leave(self, reason: DisconnectReasonCode, ending: Ending) -> None:
        if self._ending is None:
            self._write(DisconnectPacket(reason_code=reason).write())
        self._close(ending)

    def _close(self, ending: Ending) -> None:
        if self._ending is None and self._transport is not None:
            self._ending = ending
            self._transport.close()
            self._schedule(CLOSE_SECONDS, self.abort)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def ending_of(error: Exception | None) -> Ending:
    """What an error of the socket means; None is an end without one."""
    if isinstance(error, ssl.SSLError):
        remedy = "check the broker's certificate, our CA file and our own certificate"
        return Ending(Reaction.RETRY_SLOWLY, f"TLS: {error}", remedy)
    why = "closed by the broker" if error is None else str(error) or type(error).__name__
    return Ending(Reaction.RETRY, f"no connection: {why}")


def _topic_filters(patterns: Sequence[str]) -> list[TopicFilter]:
    return [
        TopicFilter(
            pattern,
            max_qos=QoS.AT_LEAST_ONCE,
            retain_handling=RetainHandling.SEND_NEVER,
            retain_as_published=False,  # so the flag means: from the store, not: asked to be stored
        )
        for pattern in patterns
    ]


def _refused(patterns: Sequence[str], packet: SubAckPacket) -> dict[str, str]:
    """The filters that were not granted at QoS 1, each with the broker's reason."""
    return {
        pattern: code.name
        for pattern, code in zip(patterns, packet.reason_codes, strict=False)
        if code is not SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE
    }


def _publish_before_connack(message: RawMessage) -> None:
    raise Violation(DisconnectReasonCode.PROTOCOL_ERROR, "PUBLISH before CONNACK")


def _as_violation(error: BaseException, view: memoryview) -> Violation | None:
    """What the codec's error means; None for errors that are not about the packet."""
    # pyo3's PanicException is no Exception; the codec raises it for text that is not UTF-8
    if not isinstance(error, ValueError) and type(error).__name__ != "PanicException":
        return None
    if bytes(view[:2]) == CONNACK_OF_MQTT_3:
        detail = "a CONNACK of MQTT 3: the broker must speak MQTT 5"
        return Violation(DisconnectReasonCode.UNSPECIFIED_ERROR, detail, Reaction.GIVE_UP)
    return Violation(DisconnectReasonCode.MALFORMED_PACKET, f"malformed packet: {error}")


# by number: the codec's codes look like enums in its stubs, but have no hash and no order
_REMEDIES: dict[int, str] = {
    ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD.value: "check the broker's user name and password",
    ConnAckReasonCode.NOT_AUTHORIZED.value: "check user name, password or certificate, and the broker's ACL",
    ConnAckReasonCode.BANNED.value: "ask the broker's operator why we are banned",
    ConnAckReasonCode.BAD_AUTHENTICATION_METHOD.value: "let the broker accept a user name and password",
    ConnAckReasonCode.USE_ANOTHER_SERVER.value: "set the broker's new address",
    ConnAckReasonCode.SERVER_MOVED.value: "set the broker's new address",
}
_HOPELESS: dict[int, str] = {
    ConnAckReasonCode.CLIENT_ID_NOT_VALID.value: "choose a client id that the broker accepts",
    ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION.value: "use a broker that speaks MQTT 5",
}


def _refusal(packet: ConnAckPacket) -> Ending:
    """What to do about a CONNACK that refuses us."""
    code = packet.reason_code.value
    detail = f"connection refused: {packet.reason_code.name}" + (
        f": {packet.reason_str}" if packet.reason_str else ""
    )
    if code in _HOPELESS:
        return Ending(Reaction.GIVE_UP, detail, _HOPELESS[code])
    if code in _REMEDIES:
        return Ending(Reaction.RETRY_SLOWLY, detail, _REMEDIES[code])
    return Ending(Reaction.RETRY, detail)
