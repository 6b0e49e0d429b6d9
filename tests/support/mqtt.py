"""A blocking MQTT client for tests: every answer of the broker is returned, none is acted upon.

Not a client to build on: no keepalive, no reconnect, one request at a time.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Self, TypeVar

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
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
    read,
)

from ingest.embedded import HOST, EmbeddedBroker

SECONDS = 10.0
WITH_WILL = DisconnectReasonCode.DISCONNECT_WITH_WILL_MESSAGE
AnyPacket = TypeVar("AnyPacket")


class Refused(Exception):
    """The broker did not accept the connection; `reason` is its code."""

    def __init__(self, reason: ConnAckReasonCode) -> None:
        super().__init__(reason.name)
        self.reason = reason


class Client:
    """One connection. `received` holds what came meanwhile, acknowledged at once where it `acknowledges`."""

    def __init__(
        self,
        port: int,
        connect: ConnectPacket,
        tls: ssl.SSLContext | None = None,
        *,
        acknowledges: bool = True,
    ) -> None:
        plain = socket.create_connection((HOST, port), timeout=SECONDS)
        self._socket = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self._buffer = b""
        self._packet_id = 0
        self._acknowledges = acknowledges
        self.received: list[PublishPacket] = []
        try:
            self.connack = self._request(connect.write(), ConnAckPacket)
            if self.connack.reason_code is not ConnAckReasonCode.SUCCESS:
                raise Refused(self.connack.reason_code)
        except BaseException:
            self._socket.close()
            raise

    @classmethod
    def login(
        cls, broker: EmbeddedBroker, user: str, client_id: str | None = None, *, session: int = 0
    ) -> Self:
        """A service of `broker` by its account; its session outlives the connection by `session` seconds."""
        connect = ConnectPacket(
            client_id or f"test-{user}",
            username=user,
            password=broker.accounts[user].encode(),
            clean_start=session == 0,
            session_expiry_interval=session,
            keep_alive=60,
        )
        return cls(broker.port, connect)

    def publish(
        self, topic: str, payload: bytes = b"1", *, qos: QoS = QoS.AT_LEAST_ONCE, retain: bool = False
    ) -> PubAckReasonCode:
        """Publish and wait for the acknowledgement's reason."""
        packet = PublishPacket(topic, payload, qos=qos, retain=retain, packet_id=self._next())
        return self._request(packet.write(), PubAckPacket).reason_code

    def publish_many(self, topic: str, payloads: list[bytes], window: int = 500) -> None:
        """Publish with up to `window` in flight; return when all are acknowledged."""
        waiting = 0
        for payload in payloads:
            self._socket.sendall(
                PublishPacket(topic, payload, qos=QoS.AT_LEAST_ONCE, packet_id=self._next()).write()
            )
            waiting += 1
            if waiting == window:
                self._await(PubAckPacket)
                waiting -= 1
        for _ in range(waiting):
            self._await(PubAckPacket)

    def subscribe(self, *patterns: str) -> list[int]:
        """Subscribe at QoS 1; the broker's code for each filter."""
        filters = [TopicFilter(pattern, max_qos=QoS.AT_LEAST_ONCE) for pattern in patterns]
        return list(self._request(SubscribePacket(self._next(), filters).write(), SubAckPacket).reason_codes)

    def settle(self) -> list[PublishPacket]:
        """Everything that the broker had for us by now: it answers a ping behind what it has queued."""
        self._request(PingReqPacket().write(), PingRespPacket)
        return self.received

    def receive(self, count: int) -> list[PublishPacket]:
        """Wait until `count` messages have come."""
        while len(self.received) < count:
            self._take(self._next_packet())
        return self.received

    def disconnect(self) -> None:
        """Leave in good order, so that no will is published."""
        with suppress(OSError):
            self._socket.sendall(DisconnectPacket().write())
        self._socket.close()

    def disconnect_with_will(self) -> None:
        """Leave so that the will is published, and wait until the broker is done with us."""
        self._socket.sendall(DisconnectPacket(reason_code=WITH_WILL).write())
        while self._socket.recv(65_536):
            pass
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def _next(self) -> int:
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id

    def _request(self, data: bytes, answer: type[AnyPacket]) -> AnyPacket:
        self._socket.sendall(data)
        return self._await(answer)

    def _await(self, kind: type[AnyPacket]) -> AnyPacket:
        while True:
            packet = self._next_packet()
            if isinstance(packet, kind):
                return packet
            self._take(packet)

    def _take(self, packet: Packet) -> None:
        if isinstance(packet, DisconnectPacket):
            raise ConnectionError(packet.reason_code.name)
        if isinstance(packet, PublishPacket):
            self.received.append(packet)
            if self._acknowledges and packet.packet_id is not None:
                self._socket.sendall(PubAckPacket(packet.packet_id).write())

    def _next_packet(self) -> Packet:
        while True:
            with suppress(IndexError):  # the codec's word for: not a whole packet yet
                packet, size = read(memoryview(self._buffer))
                self._buffer = self._buffer[size:]
                return packet
            more = self._socket.recv(65_536)
            if not more:
                raise ConnectionError("the broker closed the connection")
            self._buffer += more
