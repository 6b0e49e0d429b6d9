"""The IOC over MQTT 5, at QoS 1, JSON: a stream, retained states and a retained status.

`ioc/alerts/events`: each notice. `ioc/alerts/state/<station>/<datastream>/<rule>`: retained, the newest event
that tells an open alert's condition, and what people have done with it, also where no notice was given of it;
cleared by an empty payload after its end. `ioc/alerts/status`: retained, how far the feed
can see; a Will turns it to *unknown* when this process dies. At every connect all retained states are written
anew, since a broker may have forgotten them or brought back old ones from its disk. No session is kept at the
broker: what must be sent again is known from the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import ClassVar, Literal

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from alerts import wire
from alerts.handling import Story
from alerts.receivers import Notice, ReceiverSettings, Session, Unreachable, notice_json
from alerts.sight import UnknownReason, unknown
from ingest.catalog import Catalogue
from ingest.mqtt import BrokerSettings

EVENTS = "ioc/alerts/events"
STATE = "ioc/alerts/state"
STATUS = "ioc/alerts/status"
TIMEOUT_S = 5.0  # for one answer of the broker; then we connect again


class MqttSettings(ReceiverSettings):
    """No settings of its own: the broker is the one of the services."""

    ours: ClassVar[bool] = True

    kind: Literal["mqtt"] = "mqtt"


class MqttReceiver:
    """Publishes to one broker under a fixed client id. `keeps_status`: it writes the retained status."""

    def __init__(
        self,
        settings: ReceiverSettings,
        broker: BrokerSettings | None,
        catalogue: Catalogue,
        *,
        keeps_status: bool = True,
    ) -> None:
        assert broker is not None  # who builds receivers leaves this kind out where there is none
        self.settings = settings
        self._broker = broker
        self._catalogue = catalogue
        self._keeps_status = keeps_status

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Session]:
        """A connection with its Will; at its orderly end the status says that nothing is known any more."""
        lost = self._unknown(UnknownReason.FEED_LOST)
        will = aiomqtt.Will(STATUS, lost, qos=1, retain=True, properties=_json())
        client = aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            identifier=self._broker.client_id,
            username=self._broker.username,
            password=self._broker.password,
            tls_context=self._broker.tls,
            keepalive=self._broker.keepalive,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            timeout=TIMEOUT_S,
            will=will if self._keeps_status else None,
        )
        try:
            async with client:
                try:
                    heed_cancellation()
                    yield MqttSession(client, lambda: self._catalogue)
                finally:
                    if self._keeps_status:
                        with suppress(aiomqtt.MqttError):
                            stopped = self._unknown(UnknownReason.FEED_STOPPED)
                            await _publish(client, STATUS, stopped, retain=True)
        except aiomqtt.MqttError as error:
            raise Unreachable(str(error)) from error

    def use(self, catalogue: Catalogue) -> None:
        """See `Receiver`; the Will of an open connection keeps the stations that it was given."""
        self._catalogue = catalogue

    def _unknown(self, reason: UnknownReason) -> bytes:
        as_of = unknown(None, reason, self._catalogue)
        return wire.encode({"state": as_of.state.value, "as_of": wire.as_of_json(as_of)})


class MqttSession:
    """One connection. Publishes one message after the other, so that their order is ours."""

    def __init__(self, client: aiomqtt.Client, catalogue: Callable[[], Catalogue]) -> None:
        self._client = client
        self._catalogue = catalogue

    async def restore(self, standing: Sequence[Story]) -> None:
        for story in standing:
            await self.keep(story)

    async def deliver(self, notice: Notice) -> None:
        await self._publish(EVENTS, wire.encode(notice_json(notice, self._catalogue())))

    async def keep(self, story: Story) -> None:
        """An alert that is over, hidden as issued in error or of a rule on trial leaves no state."""
        event = story.event
        shown = story.open and not story.hidden and not event.shadow
        payload = wire.encode(wire.state_json(story, self._catalogue())) if shown else b""
        await self._publish(f"{STATE}/{event.target}/{event.rule}", payload, retain=True)

    async def report(self, status: wire.Json) -> None:
        await self._publish(STATUS, wire.encode({"state": status["as_of"]["state"], **status}), retain=True)

    async def lost(self) -> None:
        """aiomqtt tells of a lost connection to whoever reads its messages; there are none."""
        try:
            async for _ in self._client.messages:
                pass
        except aiomqtt.MqttError as error:
            raise Unreachable(str(error)) from error

    async def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        try:
            await _publish(self._client, topic, payload, retain=retain)
        except aiomqtt.MqttError as error:
            raise Unreachable(str(error)) from error
        heed_cancellation()


async def _publish(client: aiomqtt.Client, topic: str, payload: bytes, *, retain: bool) -> None:
    await client.publish(topic, payload, qos=1, retain=retain, properties=_json(PacketTypes.PUBLISH))


def heed_cancellation() -> None:
    """aiomqtt waits with `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that comes
    together with the answer (cpython#86296); a worker would then go on for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _json(packet: int = PacketTypes.WILLMESSAGE) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    properties.ContentType = "application/json"
    return properties
