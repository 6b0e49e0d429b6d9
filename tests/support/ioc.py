"""The centre as a client of the broker: what it heard, what is kept for it, and waits for both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.embedded import HOST, EmbeddedBroker
from ingest.mqtt import BrokerSettings
from tests.support.feed import until

EVENTS, STATUS = "ioc/alerts/events", "ioc/alerts/status"


def ours(broker: EmbeddedBroker) -> BrokerSettings:
    return BrokerSettings(HOST, broker.port, "huewatch-feed", "feed", broker.accounts["feed"], keepalive=10)


class Ioc:
    """The centre's own client, with a session that outlives its connections; it reconnects by itself."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.events: list[dict[str, Any]] = []
        self.kept: dict[str, dict[str, Any] | None] = {}
        self.statuses: list[dict[str, Any]] = []
        self.subscribed = asyncio.Event()
        self._broker = broker

    async def run(self) -> None:
        while True:
            with suppress(aiomqtt.MqttError):
                await self._listen()
            await asyncio.sleep(0.1)

    async def _listen(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        client = aiomqtt.Client(
            HOST,
            self._broker.port,
            identifier="test-ioc",
            username="ioc",
            password=self._broker.accounts["ioc"],
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
            timeout=5,
        )
        async with client:
            await client.subscribe("ioc/alerts/#", qos=1)
            self.subscribed.set()
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                self._take(str(message.topic), message.payload)

    def _take(self, topic: str, payload: bytes) -> None:
        if topic == EVENTS:
            self.events.append(json.loads(payload))
        elif topic == STATUS:
            self.statuses.append(json.loads(payload))
        else:
            self.kept[topic] = json.loads(payload) if payload else None

    @property
    def numbers(self) -> list[int]:
        return [event["seq"] for event in self.events]

    @property
    def in_first_order(self) -> list[int]:
        """Numbers in the order in which each was first heard: at least once allows repeats."""
        return list(dict.fromkeys(self.numbers))


@asynccontextmanager
async def listening_ioc(broker: EmbeddedBroker) -> AsyncIterator[Ioc]:
    ioc = Ioc(broker)
    task = asyncio.create_task(ioc.run())
    try:
        async with asyncio.timeout(10):
            await ioc.subscribed.wait()
        yield ioc
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def heard(ioc: Ioc, last: int) -> None:
    async def there() -> bool:
        return last in ioc.numbers

    await until(there, 30)


async def kept(ioc: Ioc, topic: str, level: int | None) -> None:
    """Wait until the retained state has that level; None: until it was cleared."""

    async def there() -> bool:
        state = ioc.kept.get(topic)
        return topic in ioc.kept and (state["level"] if state else None) == level

    await until(there)


async def status(ioc: Ioc, state: str, reason: str | None = None) -> dict[str, Any]:
    async def there() -> bool:
        newest = ioc.statuses[-1] if ioc.statuses else None
        if newest is None or newest["state"] != state:
            return False
        return reason is None or newest["as_of"]["reason"] == reason

    await until(there)
    return ioc.statuses[-1]
