"""A broker that does what a test tells it, over the `mqtt5` codec: also what no real broker would.

`FakeBroker` accepts connections, `Peer` is one of them, driven line by line from the test. `running` runs a
`Subscriber` for the length of a block. Used by tests of the subscriber only; whatever a real mosquitto can
show is tested on a real one.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from mqtt5 import (
    ConnAckPacket,
    ConnectPacket,
    Packet,
    PingReqPacket,
    PingRespPacket,
    PubAckPacket,
    PublishPacket,
    QoS,
    SubAckPacket,
    SubAckReasonCode,
    SubscribePacket,
    read,
)

from ingest.clock import Clock, system_clock
from ingest.model import RawMessage
from ingest.mqtt import BrokerSettings, Gathered, Subscriber

AnyPacket = TypeVar("AnyPacket")
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds


class Peer:
    """The broker's end of one connection. Pings are answered by the way, unless `mute`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._buffer = b""
        self.mute = False
        self.connect: ConnectPacket | None = None
        self.subscribe: SubscribePacket | None = None
        self.marker: PublishPacket | None = None

    def send(self, *packets: Packet | bytes) -> None:
        """Write packets, or raw bytes, in one go."""
        self._writer.write(b"".join(p if isinstance(p, bytes) else p.write() for p in packets))

    async def packet(self) -> Packet:
        """The client's next packet; EOFError when it hung up."""
        while True:
            with suppress(IndexError):
                packet, size = read(memoryview(self._buffer))
                self._buffer = self._buffer[size:]
                if isinstance(packet, PingReqPacket) and not self.mute:
                    self.send(PingRespPacket())
                    continue
                return packet
            more = await self._reader.read(65_536)
            if not more:
                raise EOFError
            self._buffer += more

    async def expect(self, kind: type[AnyPacket]) -> AnyPacket:
        """The client's next packet, which must be of this kind."""
        packet = await self.packet()
        assert isinstance(packet, kind), f"expected {kind.__name__}, got {packet}"
        return packet

    async def greet(self, present: bool = False, **connack: Any) -> Self:
        """Take CONNECT, SUBSCRIBE and the marker, and answer each with success."""
        await self.accept(present, **connack)
        await self.grant()
        self.marker = await self.expect(PublishPacket)
        assert self.marker.packet_id is not None
        self.send(PubAckPacket(self.marker.packet_id))
        return self

    async def accept(self, present: bool = False, **connack: Any) -> ConnectPacket:
        """Take CONNECT and answer it."""
        self.connect = await self.expect(ConnectPacket)
        self.send(ConnAckPacket(session_present=present, **connack))
        return self.connect

    async def grant(self) -> SubscribePacket:
        """Take SUBSCRIBE and grant all at QoS 1."""
        self.subscribe = await self.expect(SubscribePacket)
        granted = [SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * len(self.subscribe.topic_filters)
        self.send(SubAckPacket(self.subscribe.packet_id, granted))
        return self.subscribe

    async def acknowledged(self, count: int) -> list[int]:
        """The ids of the next `count` PUBACKs."""
        return [(await self.expect(PubAckPacket)).packet_id for _ in range(count)]

    async def gone(self) -> None:
        """Wait until the client hung up, whatever it says before."""
        with suppress(EOFError, ConnectionError):
            while True:
                await self.packet()

    def reset(self) -> None:
        """End with a TCP reset."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._writer.transport.abort()

    def close(self) -> None:
        """End without a word."""
        self._writer.close()


class FakeBroker:
    """Listens on a free loopback port; `connection()` is the next client."""

    def __init__(self) -> None:
        self._accepted: asyncio.Queue[Peer] = asyncio.Queue()
        self._peers: list[Peer] = []
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._on_client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for peer in self._peers:
            peer.close()
        await self._server.wait_closed()

    def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self._peers.append(peer)
        self._accepted.put_nowait(peer)

    async def connection(self) -> Peer:
        """The next client that connects."""
        return await self._accepted.get()


class Impatient(random.Random):
    """Chance that waits next to nothing and keeps the bounds that it was asked for."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.asked: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        """The bounds are kept; the answer is a hundredth of a second at most."""
        self.asked.append((a, b))
        return min(b, 0.01)


@asynccontextmanager
async def running(
    port: int,
    filters: Sequence[str] = ("hue/v1/#",),
    *,
    chance: random.Random | None = None,
    withdrawn: Sequence[str] = (),
    gateway_of: Callable[[str], str] = lambda topic: topic,
    clock: Clock | None = None,
    **settings: Any,
) -> AsyncIterator[Subscriber]:
    """A subscriber that runs until the end of the block."""
    subscriber = Subscriber(
        BrokerSettings("127.0.0.1", port, **({"client_id": "ingest"} | settings)),
        filters,
        clock or system_clock(),
        chance or Impatient(),
        gateway_of=gateway_of,
        withdrawn=withdrawn,
    )
    task = asyncio.create_task(subscriber.run(), name="subscriber")
    try:
        yield subscriber
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def reading(
    packet_id: int, payload: bytes | None = None, topic: str = "hue/v1/gw/d/readings"
) -> PublishPacket:
    """A PUBLISH at QoS 1; its payload names its packet id unless given."""
    data = b"%d" % packet_id if payload is None else payload
    return PublishPacket(topic, data, qos=QoS.AT_LEAST_ONCE, packet_id=packet_id)


async def gather_messages(subscriber: Subscriber, count: int) -> list[RawMessage]:
    """Exactly `count` messages, over as many gatherings as it takes; starts of sessions are passed over."""
    messages: list[RawMessage] = []
    while len(messages) < count:
        messages += (await subscriber.gather()).messages
    assert len(messages) == count
    return messages


async def gather_session(subscriber: Subscriber) -> Gathered:
    """The gathering that tells of the next session start; messages before it are passed over."""
    while (gathered := await subscriber.gather()).session is None:
        pass
    return gathered


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds; the test's time limit is the only other end."""
    while not holds():  # noqa: ASYNC110 - no event is told of what the code under test has not promised
        await asyncio.sleep(0.001)


async def settle(peer: Peer, subscriber: Subscriber, packet_id: int = 65_000) -> None:
    """Send one more reading and return once it was received, and with it all that was sent before."""
    expected = subscriber.statistics().received_qos1 + 1
    peer.send(reading(packet_id, b"", "hue/v1/last"))
    await until(lambda: subscriber.statistics().received_qos1 >= expected)
