"""A witness on the wire between a real broker and a client under test: forwards all, and counts.

It knows what the broker has delivered at QoS 1 and what was acknowledged in which order, of each connection
by itself, also when the client is killed in the middle. It changes nothing and delays little, until it is
told to `lose_acknowledgements`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Self

from mqtt5 import Packet, PubAckPacket, PublishPacket, QoS, read

CHUNK = 262_144
PATIENCE_SECONDS = 60.0


class MqttWitness:
    """Forwards `port` on loopback to the broker on `broker_port`, for any number of connections."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.delivered = 0  # PUBLISH at QoS 1 to the client
        self.redelivered = 0  # of them with DUP set
        self.acknowledged = 0
        self.disorderly = 0  # PUBACKs that were not for the oldest unacknowledged message of the connection
        self.deaf = False
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, name="mqtt-witness", daemon=True)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for one in self._open:
            _close(one)

    def lose_acknowledgements(self, seconds: float) -> None:
        """For a while forward nothing of the client's, then cut the connection: the broker never heard it.

        The while lasts until something was acknowledged in it, however slow the client.
        """
        self.deaf = True
        heard = self.acknowledged
        time.sleep(seconds)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.acknowledged == heard:
            assert time.monotonic() < deadline, "the client acknowledges nothing"
            time.sleep(0.01)
        while self._open:
            _close(self._open.pop())
        self.deaf = False

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self._broker_port))
            except OSError:
                _close(client)
                continue
            for one in (client, broker):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += (client, broker)
            _Link(self, client, broker).start()


class _Link:
    """One connection, both ways. What the client has not acknowledged is noted before it can be."""

    def __init__(self, witness: MqttWitness, client: socket.socket, broker: socket.socket) -> None:
        self._witness = witness
        self._client = client
        self._broker = broker
        self._unacknowledged: deque[int] = deque()

    def start(self) -> None:
        for pump in (self._to_client, self._to_broker):
            threading.Thread(target=pump, name="mqtt-witness-link", daemon=True).start()

    def _to_client(self) -> None:
        with suppress(OSError):
            for data in _noted(self._broker, self._from_broker):
                self._client.sendall(data)
        self._close()

    def _to_broker(self) -> None:
        with suppress(OSError):
            for data in _noted(self._client, self._from_client):
                if not self._witness.deaf:
                    self._broker.sendall(data)
        self._close()

    def _close(self) -> None:
        _close(self._client)
        _close(self._broker)

    def _from_broker(self, packet: Packet) -> None:
        if isinstance(packet, PublishPacket) and packet.qos is QoS.AT_LEAST_ONCE and packet.packet_id:
            self._witness.delivered += 1
            self._witness.redelivered += packet.duplicate
            self._unacknowledged.append(packet.packet_id)

    def _from_client(self, packet: Packet) -> None:
        if isinstance(packet, PubAckPacket):
            self._witness.acknowledged += 1
            if self._unacknowledged[0] == packet.packet_id:
                self._unacknowledged.popleft()
            else:
                self._witness.disorderly += 1
                self._unacknowledged.remove(packet.packet_id)


def _noted(source: socket.socket, note: Callable[[Packet], None]) -> Iterator[bytes]:
    """What comes, after every whole packet in it was noted."""
    rest = b""
    while data := _received(source):
        rest += data
        view, start = memoryview(rest), 0
        while start < len(rest):
            try:
                packet, size = read(view[start:])
            except IndexError:
                break
            start += size
            note(packet)
        rest = rest[start:]
        yield data


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(CHUNK)
    except OSError:
        return b""


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
