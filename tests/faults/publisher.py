"""A gateway that keeps a ledger: what it published, and what the broker acknowledged.

It holds a session at the broker and sends again, first and in order, what a lost connection left
unacknowledged. Values are unique within a channel, so that every stored row can be traced to the one message
it came from. Not paho, which takes as much of the processor for 2,000 messages/s as the whole service, and
lets new messages overtake repeated ones.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, islice

from mqtt5 import (
    ConnAckPacket,
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    PubAckPacket,
    PubAckReasonCode,
    PublishPacket,
    QoS,
    read,
)

GATEWAY = "load"
LOW, HIGH = 0.5, 1.5
PHASE_READINGS = 10  # of each low and high phase of the wave: in most commits some device crosses
STEP = timedelta(seconds=1)
ACKNOWLEDGED_SECONDS = 60
TICK_SECONDS = 0.005
RETRY_SECONDS = 0.2
SESSION_SECONDS = 3600
LAST_ID = 65_535


@dataclass(frozen=True, slots=True)
class Sent:
    device: str
    value: float
    time: datetime | None


@dataclass
class Ledger:
    """Everything published, and how many of it the broker acknowledged, which it does in the same order.

    `repeated`: readings that a lost connection left unacknowledged, so that the broker may have taken them
    twice. Those without a time of their own are then two readings to whoever gets them.
    """

    sent: list[Sent] = field(default_factory=list)
    acknowledged: int = 0
    repeated: set[tuple[str, float]] = field(default_factory=set)

    @property
    def settled(self) -> bool:
        return self.acknowledged == len(self.sent)


def device_name(index: int, *, timeless: bool) -> str:
    return f"{'timeless' if timeless else 'wave'}-{index:03d}"


def wave(start: datetime, waves: int, timeless: int) -> Iterator[Sent]:
    """Readings in turn: `waves` devices that cross a level back and forth, `timeless` ones without a time.

    Each device is a reading ahead of the one before it, so that at any moment some are about to cross.
    """
    for reading in count():
        for index in range(waves):
            level = HIGH if (reading + index) // PHASE_READINGS % 2 else LOW
            value = round(level + reading * 1e-6, 6)
            yield Sent(device_name(index, timeless=False), value, start + reading * STEP)
        for index in range(timeless):
            yield Sent(device_name(index, timeless=True), round(reading * 1e-4, 4), None)


class Publisher:
    """Publishes a stream of readings at a rate from a thread of its own until stopped."""

    def __init__(
        self, port: int, username: str, password: str, readings: Iterator[Sent], rate: float
    ) -> None:
        self.ledger = Ledger()
        self.failure: BaseException | None = None
        self._address = ("127.0.0.1", port)
        self._connect = ConnectPacket(
            "huewatch-load",
            username=username,
            password=password.encode(),
            session_expiry_interval=SESSION_SECONDS,
        ).write()
        self._readings = readings
        self._rate = rate
        self._due = 0.0
        self._publishing = threading.Event()
        self._ending = threading.Event()
        self._seconds = 0.0  # spent publishing
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> Publisher:
        self._publishing.set()
        self._thread.start()
        return self

    def pause(self) -> Ledger:
        """Publish no more until `resume`; the ledger, when the broker has acknowledged all of it."""
        self._publishing.clear()
        time.sleep(10 * TICK_SECONDS)  # whatever is being sent is in the ledger
        deadline = time.monotonic() + ACKNOWLEDGED_SECONDS
        while not self.ledger.settled:
            assert self.failure is None, self.failure
            assert time.monotonic() < deadline, "the broker did not acknowledge every publish"
            time.sleep(TICK_SECONDS)
        newest = next((sent.time for sent in reversed(self.ledger.sent) if sent.time is not None), None)
        assert newest is None or newest < datetime.now(UTC), (
            "the stream ran ahead of the clock: start earlier"
        )
        return self.ledger

    def resume(self) -> None:
        self._publishing.set()

    def end(self) -> None:
        """Leave, whatever is unacknowledged."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def rate(self) -> float:
        """Messages per second while it published."""
        return len(self.ledger.sent) / self._seconds if self._seconds else 0.0

    def _run(self) -> None:
        unacknowledged: dict[int, PublishPacket] = {}
        try:
            while not self._ending.is_set():
                try:
                    with socket.create_connection(self._address, timeout=10) as broker:
                        self._converse(_Line(broker), unacknowledged)
                except OSError:
                    sent, acknowledged = self.ledger.sent, self.ledger.acknowledged
                    self.ledger.repeated.update((s.device, s.value) for s in sent[acknowledged:])
                    self._ending.wait(RETRY_SECONDS)
        except BaseException as failure:
            self.failure = failure
            raise

    def _converse(self, line: _Line, unacknowledged: dict[int, PublishPacket]) -> None:
        line.send(self._connect)
        answer = line.next()
        assert isinstance(answer, ConnAckPacket)
        assert answer.reason_code is ConnAckReasonCode.SUCCESS
        window = answer.receive_max
        line.send(b"".join(_again(packet) for packet in unacknowledged.values()))
        last = time.monotonic()
        while not self._ending.is_set():
            for packet in line.received(TICK_SECONDS):
                self._take(packet, unacknowledged)
            now = time.monotonic()
            if self._publishing.is_set():
                self._seconds += now - last
                self._due += (now - last) * self._rate
                self._publish(line, window, unacknowledged)
            last = now
        line.send(DisconnectPacket().write())

    def _publish(self, line: _Line, window: int, unacknowledged: dict[int, PublishPacket]) -> None:
        """All that is due and fits into the broker's window; the rest stays due."""
        readings = list(islice(self._readings, min(int(self._due), window - len(unacknowledged))))
        self._due -= len(readings)
        packets = []
        for reading in readings:
            packet_id = len(self.ledger.sent) % LAST_ID + 1
            assert packet_id not in unacknowledged
            self.ledger.sent.append(reading)
            unacknowledged[packet_id] = packet = _message(reading, packet_id)
            packets.append(packet.write())
        line.send(b"".join(packets))

    def _take(self, packet: object, unacknowledged: dict[int, PublishPacket]) -> None:
        assert isinstance(packet, PubAckPacket), f"the broker said {packet}"
        assert packet.reason_code is PubAckReasonCode.SUCCESS, f"the broker refused a reading: {packet}"
        assert packet.packet_id == next(iter(unacknowledged)), "the broker acknowledged out of order"
        del unacknowledged[packet.packet_id]
        self.ledger.acknowledged += 1


class _Line:
    """Packets over a blocking socket."""

    def __init__(self, broker: socket.socket) -> None:
        self._broker = broker
        self._rest = b""

    def send(self, data: bytes) -> None:
        if data:
            self._broker.sendall(data)

    def next(self) -> object:
        while True:
            for packet in self.received(1.0):
                return packet

    def received(self, seconds: float) -> Iterator[object]:
        """The packets that come within that time, if any; OSError at the end of the connection."""
        if select.select([self._broker], [], [], seconds)[0]:
            data = self._broker.recv(65_536)
            if not data:
                raise ConnectionResetError("the broker closed the connection")
            self._rest += data
        while self._rest:
            try:
                packet, size = read(memoryview(self._rest))
            except IndexError:
                return
            self._rest = self._rest[size:]
            if isinstance(packet, DisconnectPacket):
                raise ConnectionResetError("the broker said goodbye")
            yield packet


def _message(reading: Sent, packet_id: int) -> PublishPacket:
    at = "" if reading.time is None else f',"time":"{reading.time.isoformat()}"'
    payload = (
        f'{{"status":"Exercise","readings":[{{"channel":"level","value":{reading.value},"unit":"m"}}]{at}}}'
    )
    topic = f"hue/v1/{GATEWAY}/{reading.device}/readings"
    return PublishPacket(topic, payload.encode(), qos=QoS.AT_LEAST_ONCE, packet_id=packet_id)


def _again(packet: PublishPacket) -> bytes:
    return PublishPacket(
        packet.topic, packet.payload, qos=packet.qos, packet_id=packet.packet_id, duplicate=True
    ).write()
