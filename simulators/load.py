"""Many gateways at once, for benchmarks and fault tests: QoS 1 at a rate, with a ledger of every publish.

Promises: what the ledger calls acknowledged the broker took for a subscriber; a lost connection is made again
and what was unconfirmed is sent again (`attempts` above 1, so that a reading without a time may then be
stored twice). Called by the benchmark and the fault tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import math

import numpy as np
from mqtt5 import ConnectPacket

from ingest.clock import Clock
from simulators.broker import Address
from simulators.load_connection import Connection
from simulators.load_sheet import LoadLedger, Sheet, Signal, calm, load_catalogue_yaml

__all__ = ["LoadLedger", "load_catalogue_yaml", "publish_load"]

BURST_SECONDS = 0.005  # how often a limited rate is topped up
CHUNK = 256  # packets in one write; keeps the event loop answering
CONNECT_SECONDS = 10.0
RETRY_SECONDS = 0.2
DRAIN_SECONDS = 60.0


async def publish_load(
    address: Address,
    clock: Clock,
    *,
    series: int,
    messages: int,
    seed: int,
    rate: float = math.inf,
    timeless_share: float = 0.0,
    signal: Signal = calm,
    prepared: bool = False,
    client_id: str = "huewatch-load",
    stop: asyncio.Event | None = None,
) -> LoadLedger:
    """Publish up to `messages` readings of `series` series at `rate` per second, round robin; end on `stop`.

    `prepared` makes all readings before the first is sent, so that sending costs least. Waits up to a minute
    for confirmations after the last send, and as long for a broker that went away; what is then unconfirmed
    stays so in the ledger. Raises `ConnectionError` when the broker refuses us.
    """
    sheet = Sheet(series, messages, clock, signal, timeless_share, np.random.default_rng(seed))
    if prepared:
        sheet.prepare()
    publisher = _Publisher(address, client_id, sheet, clock, rate, stop or asyncio.Event())
    return sheet.ledger(await publisher.run())


class _Publisher:
    """Sends a sheet at a rate over one connection at a time."""

    def __init__(
        self,
        address: Address,
        client_id: str,
        sheet: Sheet,
        clock: Clock,
        rate: float,
        stop: asyncio.Event,
    ) -> None:
        self._address, self._client_id, self._sheet = address, client_id, sheet
        self._clock, self._rate, self._stop = clock, rate, stop
        self._again: list[int] = []  # unconfirmed on a connection that was lost
        self._next = 0
        self._begun = 0.0

    async def run(self) -> float:
        """Seconds from the first send to the last confirmation."""
        connection: Connection | None = await self._connect()
        self._begun = self._clock.monotonic()
        finished: float | None = None
        while connection is not None:
            if connection.failure is not None:
                raise connection.failure
            if connection.lost:
                self._again = connection.unconfirmed + self._again
                connection = await self._reconnect()
                continue
            self._send_due(connection)
            if self._finished():
                finished = finished or self._clock.monotonic()
                if not connection.unconfirmed or self._clock.monotonic() > finished + DRAIN_SECONDS:
                    connection.close()
                    break
            await self._pause(connection)
        return self._clock.monotonic() - self._begun

    def _finished(self) -> bool:
        return not self._again and (self._stop.is_set() or self._next >= len(self._sheet))

    def _send_due(self, connection: Connection) -> None:
        room = min(connection.room, CHUNK)
        rows, self._again = self._again[:room], self._again[room:]
        if not self._stop.is_set():
            due = min(len(self._sheet), (self._clock.monotonic() - self._begun) * self._rate)
            fresh = min(room - len(rows), math.ceil(due) - self._next)
            rows += range(self._next, self._next + max(0, fresh))
            self._next += max(0, fresh)
        if rows:
            connection.send(rows)

    async def _pause(self, connection: Connection) -> None:
        """Until there is room or something is due; at full speed only long enough to read confirmations."""
        if math.isinf(self._rate) and connection.room and not self._finished():
            await asyncio.sleep(0)
            return
        connection.progress.clear()
        wait = RETRY_SECONDS if math.isinf(self._rate) or self._finished() else BURST_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await connection.progress.wait()

    async def _reconnect(self) -> Connection | None:
        """A new connection as soon as the broker is back; None when it stays away."""
        lost = self._clock.monotonic()
        while self._clock.monotonic() < lost + DRAIN_SECONDS:
            try:
                return await self._connect()
            except OSError:
                await self._clock.sleep(RETRY_SECONDS)
        return None

    async def _connect(self) -> Connection:
        password = self._address.password.encode() if self._address.password else None
        packet = ConnectPacket(
            self._client_id,
            username=self._address.username,
            password=password,
            clean_start=True,
        )
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(packet, self._sheet.send, self._sheet.confirm),
            self._address.host,
            self._address.port,
        )
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.shield(connection.ready)
        except TimeoutError as error:
            connection.close()
            raise ConnectionError("the broker does not answer CONNECT") from error
        return connection
