"""What whoever runs the service must see and only the database or the broker knows, as metrics.

Promises that a database or a broker which is away changes nothing but what is shown, and that the labels are
severities. Called by the feed, which scrapes read.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiomqtt

from alerts import store
from alerts.api.reader import Reader, Unavailable
from alerts.feed_metrics import BROKER_DROPPED, DATABASE_BYTES, DATABASE_UP, OPEN_ALERTS
from alerts.model import Severity
from alerts.receivers.mqtt import heed_cancellation
from ingest.clock import Clock
from ingest.mqtt import BrokerSettings
from ingest.store import read
from ingest.store.errors import StoreError

LOOK_S = 15.0  # as often as Prometheus scrapes
RETRY_S = 5.0
DROPPED = "$SYS/broker/publish/messages/dropped"  # mosquitto's; a broker without it leaves the metric NaN


async def measure_database(reader: Reader, clock: Clock) -> None:
    """Look until cancelled."""
    while True:
        try:
            await asyncio.to_thread(_measure, reader)
            DATABASE_UP.set(1)
        except (Unavailable, StoreError):
            DATABASE_UP.set(0)
        await clock.sleep(LOOK_S)


def _measure(reader: Reader) -> None:
    with reader.snapshot() as connection:
        opened = store.open_by_severity(connection)
        size = read.database_bytes(connection)
    for severity in Severity:
        OPEN_ALERTS.labels(severity.value).set(opened.get(severity.value, 0))
    DATABASE_BYTES.set(size)


async def watch_broker(broker: BrokerSettings, clock: Clock) -> None:
    """Follow what the broker says of itself, until cancelled."""
    while True:
        with suppress(aiomqtt.MqttError):
            await _follow(broker)
        await clock.sleep(RETRY_S)


async def _follow(broker: BrokerSettings) -> None:
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=f"{broker.client_id}-watch",
        username=broker.username,
        password=broker.password,
        tls_context=broker.tls,
        keepalive=broker.keepalive,
        protocol=aiomqtt.ProtocolVersion.V5,
    )
    async with client:
        await client.subscribe(DROPPED)
        heed_cancellation()
        async for message in client.messages:
            if (said := str(message.payload, "ascii", "replace")).isdecimal():
                BROKER_DROPPED.set(int(said))
