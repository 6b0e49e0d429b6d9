"""One MQTT 5 connection of the load generator, over the sans-I/O codec: fast, and nothing but publishing.

Promises: never more in flight than the broker's Receive Maximum; a row is confirmed only when the broker took
it for at least one subscriber. No keepalive, no reconnect: `load` makes a new connection. Called by `load`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mqtt5 import (
    ConnAckPacket,
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    PubAckPacket,
    PubAckReasonCode,
    read,
)


class Connection(asyncio.Protocol):
    """Publishes numbered rows: `packet(row, packet_id)` makes a PUBLISH, `confirm(row)` hears its PUBACK."""

    def __init__(
        self,
        connect: ConnectPacket,
        packet: Callable[[int, int], bytes],
        confirm: Callable[[int], None],
    ) -> None:
        self._connect, self._packet, self._confirm = connect, packet, confirm
        self._buffer = bytearray()
        self._rows: dict[int, int] = {}
        self._free: list[int] = []
        self._transport: asyncio.Transport | None = None
        self._writable = True
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.progress = asyncio.Event()
        self.lost = False
        self.failure: Exception | None = None  # a mistake on this side, not a network's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._connect.write())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        used = 0
        with memoryview(self._buffer) as view:
            while used < len(view):
                try:
                    packet, size = read(view[used:])
                except IndexError:
                    break  # the rest of this packet is on its way
                used += size
                self._take(packet)
        del self._buffer[:used]
        self.progress.set()

    def _take(self, packet: object) -> None:
        match packet:
            case PubAckPacket():
                row = self._rows.pop(packet.packet_id)
                self._free.append(packet.packet_id)
                if packet.reason_code is PubAckReasonCode.SUCCESS:
                    self._confirm(row)
            case ConnAckPacket(reason_code=ConnAckReasonCode.SUCCESS):
                self._free = list(range(min(packet.receive_max, 65_535), 0, -1))
                self.ready.set_result(None)
            case ConnAckPacket():
                self.ready.set_exception(ConnectionError(f"the broker refused us: {packet.reason_code.name}"))
            case DisconnectPacket():
                self.lost = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.failure = None if isinstance(exc, OSError) else exc
        self.progress.set()
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"the broker closed the connection: {exc}"))

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self.progress.set()

    @property
    def room(self) -> int:
        """How many more may be sent now."""
        return 0 if self.lost or not self._writable else len(self._free)

    @property
    def unconfirmed(self) -> list[int]:
        """Rows sent on this connection that the broker has not confirmed, oldest first."""
        return list(self._rows.values())

    def send(self, rows: list[int]) -> None:
        """Publish these rows; no more than `room`."""
        assert self._transport is not None
        packets = []
        for row in rows:
            packet_id = self._free.pop()
            self._rows[packet_id] = row
            packets.append(self._packet(row, packet_id))
        self._transport.write(b"".join(packets))

    def close(self) -> None:
        """Leave in good order."""
        if self._transport is not None and not self.lost:
            self._transport.write(DisconnectPacket().write())
            self._transport.close()
