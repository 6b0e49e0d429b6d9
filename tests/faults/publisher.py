"""A third-party gateway that keeps a ledger: what it published, and what the broker acknowledged.

paho-mqtt with a persistent session: it sends again what a lost connection left unacknowledged. Values are
unique within a channel, so that every stored row can be traced to the one message it came from.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

GATEWAY = "load"
LOW, HIGH = 0.5, 1.5
PHASE_READINGS = 20  # readings of each low and high phase of the wave
STEP = timedelta(seconds=1)


@dataclass(frozen=True)
class Sent:
    device: str
    value: float
    time: datetime | None


@dataclass
class Ledger:
    """Everything handed to the client, and how many of it the broker acknowledged."""

    sent: list[Sent] = field(default_factory=list)
    acknowledged: int = 0


def device_name(index: int, *, timeless: bool) -> str:
    return f"{'timeless' if timeless else 'wave'}-{index:03d}"


def wave(start: datetime, waves: int, timeless: int) -> Iterator[Sent]:
    """Readings in turn: `waves` devices that cross a level back and forth, `timeless` ones without a time."""
    reading = 0
    while True:
        level = HIGH if reading // PHASE_READINGS % 2 else LOW
        value = round(level + reading * 1e-6, 6)
        for index in range(waves):
            yield Sent(device_name(index, timeless=False), value, start + reading * STEP)
        for index in range(timeless):
            yield Sent(device_name(index, timeless=True), round(reading * 1e-4, 4), None)
        reading += 1


class Publisher:
    """Publishes a stream of readings at a rate from a thread of its own until stopped."""

    def __init__(
        self, port: int, username: str, password: str, readings: Iterator[Sent], rate: float
    ) -> None:
        self.ledger = Ledger()
        self._readings = readings
        self._rate = rate
        self._stopping = threading.Event()
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id="huewatch-load", protocol=mqtt.MQTTv5
        )
        self._client.username_pw_set(username, password)
        self._client.max_inflight_messages_set(1000)
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_publish = self._published
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, clean_start=True, properties=properties)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, name="publisher")

    def start(self) -> Publisher:
        self._thread.start()
        return self

    def stop(self) -> Ledger:
        """Publish no more, wait until the broker acknowledged all, and give the ledger."""
        self._stopping.set()
        self._thread.join()
        deadline = time.monotonic() + 60
        while self.ledger.acknowledged < len(self.ledger.sent):
            assert time.monotonic() < deadline, "the broker did not acknowledge every publish within 60 s"
            time.sleep(0.05)
        self._client.disconnect()
        self._client.loop_stop()
        return self.ledger

    def _run(self) -> None:
        started, count = time.monotonic(), 0
        while not self._stopping.is_set():
            due = int((time.monotonic() - started) * self._rate)
            while count < due:
                self._publish(next(self._readings))
                count += 1
            time.sleep(0.005)

    def _publish(self, reading: Sent) -> None:
        payload: dict[str, object] = {
            "status": "Exercise",
            "readings": [{"channel": "level", "value": reading.value, "unit": "m"}],
        }
        if reading.time is not None:
            payload["time"] = reading.time.astimezone(UTC).isoformat()
        topic = f"hue/v1/{GATEWAY}/{reading.device}/readings"
        self.ledger.sent.append(reading)
        self._client.publish(topic, json.dumps(payload), qos=1)

    def _published(self, *_: object) -> None:
        self.ledger.acknowledged += 1
