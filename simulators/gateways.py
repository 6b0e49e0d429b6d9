"""Payloads as the vendors' gateways send them, written from their formats alone.

Shares nothing with `ingest.codecs`: shared code would hide shared mistakes. Every payload says that it is an
exercise, unless its caller (`publish_test`) says otherwise. Pure; `plan` gives readings, `replay` publishes
what comes back.

Formats: Huewatch JSON; ChirpStack v4 uplink events with a Milesight EM500-UDL (`01 75` battery, `03 82`
distance in mm, little-endian) or a Dragino LDDS75 (battery in mV and distance in mm, big-endian), each as
bytes alone or with the object of the vendor's decoder.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.catalog import Catalogue, Datastream, Source
from ingest.clock import to_datetime
from simulators.scenario import SeriesSpec

STATUS = "Exercise"
GATEWAYS = ("0016c001f153a14c", "0016c001f153a14d")  # that hear each frame, the nearer one first
UPLINK = ("battery", "rssi", "snr", "gateways", "f_cnt")  # what an uplink tells beside the distance
LDDS75_INVALID = 14  # mm: below 20 the vendor's decoders say "Invalid Reading"
BATTERY_PERCENT = 92
BATTERY_MILLIVOLT = 3173


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading to be sent: `value` in the datastream's unit, or `invalid`.

    `frame`: how many its device sent before it, where that is known.
    """

    spec: SeriesSpec
    datastream: Datastream
    time: int
    value: float
    invalid: bool = False
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One PUBLISH: how many readings in it the catalogue lists, and how many of those must be refused."""

    topic: str
    payload: bytes
    readings: int
    refused: int


class Topics:
    """Topic names, filled in from the catalogue's routes, and which channels it lists."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._routes = {route.filter.split("/")[0]: route for route in catalogue.routes}
        sources = (stream.source for _, _, stream in catalogue.datastreams())
        self._listed = {(source.gateway, source.device, source.channel) for source in sources}

    def listed(self, source: Source, channels: Sequence[str]) -> int:
        """How many of a device's channels the catalogue has a datastream for."""
        return sum((source.gateway, source.device, channel) in self._listed for channel in channels)

    def of(self, source: Source, first: str, last: str) -> str:
        """The filter that begins with `first`, with gateway, device and `last` in its wildcards.

        Raises `KeyError` when the catalogue has no such route.
        """
        route = self._routes[first]
        levels = route.filter.split("/")
        levels[route.gateway_level - 1] = source.gateway
        levels[route.device_level - 1] = source.device
        return "/".join(last if level == "+" else level for level in levels)


def rfc3339(micros: int) -> str:
    """UTC with an offset written out, as ChirpStack does."""
    return to_datetime(micros).isoformat()


def encode(samples: Sequence[Sample], topics: Topics, counter: int, status: str = STATUS) -> list[Message]:
    """The messages in which one device sends these readings, oldest first; `counter` is its frame counter.

    `status` is what they are for, as CAP names it.
    """
    if samples[0].spec.device == "json":
        return [_json_message(samples, topics, status)]
    return [
        _uplink(sample, topics, counter + index if sample.frame is None else sample.frame, status)
        for index, sample in enumerate(samples)
    ]


def _json_message(samples: Sequence[Sample], topics: Topics, status: str) -> Message:
    first = samples[0]
    one_time = all(sample.time == first.time for sample in samples)
    body: dict[str, object] = {"status": status}
    if one_time:
        body["time"] = rfc3339(first.time)
    body["readings"] = [_json_reading(sample, with_time=not one_time) for sample in samples]
    topic = topics.of(first.datastream.source, "hue", "readings")
    return Message(topic, _compact(body), len(samples), 0)


def _json_reading(sample: Sample, with_time: bool) -> dict[str, object]:
    source = sample.datastream.source
    reading: dict[str, object] = {"channel": source.channel, "value": _rounded(sample)}
    if source.unit:
        reading["unit"] = source.unit
    if with_time:
        reading["time"] = rfc3339(sample.time)
    return reading


def _rounded(sample: Sample) -> float:
    steps = round(sample.value / sample.spec.resolution)
    return round(steps * sample.spec.resolution, 6)


def _uplink(sample: Sample, topics: Topics, counter: int, status: str) -> Message:
    """One ChirpStack v4 `up` event; its id depends on the reading alone, as for a repeated event."""
    source = sample.datastream.source
    device = _em500_udl if sample.spec.device == "em500-udl" else _ldds75
    frame = device(distance_mm(sample), sample.invalid)
    digest = hashlib.sha256(f"{source.device} {sample.time}".encode()).digest()
    body: dict[str, object] = {
        "deduplicationId": str(uuid.UUID(bytes=digest[:16])),
        "time": rfc3339(sample.time),
        "deviceInfo": {
            "tenantId": str(uuid.UUID(bytes=hashlib.sha256(b"tenant").digest()[:16])),
            "tenantName": "hue",
            "applicationId": source.gateway,
            "applicationName": "hue",
            "deviceProfileName": frame.profile,
            "deviceName": source.device,
            "devEui": source.device,
            "tags": {"status": status},
        },
        "devAddr": digest[16:20].hex(),
        "adr": True,
        "dr": 2,
        "fCnt": counter,
        "fPort": frame.port,
        "confirmed": False,
        "data": base64.b64encode(frame.data).decode(),
        "rxInfo": [
            {"gatewayId": gateway, "uplinkId": 4217106255 + far, "rssi": -88 - 9 * far, "snr": 6.5 - 4 * far}
            for far, gateway in enumerate(GATEWAYS)
        ],
        "txInfo": {"frequency": 921400000},
    }
    if sample.spec.server_decodes:
        body["object"] = frame.decoded
    readings = 1 + topics.listed(source, UPLINK)
    return Message(topics.of(source, "application", "up"), _compact(body), readings, int(sample.invalid))


def distance_mm(sample: Sample) -> int:
    """What an ultrasonic sensor measures, whole millimetres, never below its blanking distance."""
    ranging = sample.datastream.ranging
    assert ranging is not None, "an ultrasonic device without a zero elevation"
    distance = ranging.zero_elevation - sample.value
    return round(min(max(distance, ranging.blanking), ranging.max_range) * 1000)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a LoRaWAN device sends, and the object that its vendor's decoder makes of it."""

    profile: str
    port: int
    data: bytes
    decoded: dict[str, object]


def _em500_udl(distance: int, invalid: bool) -> Frame:
    """Milesight: channel 01 type 75 battery %, channel 03 type 82 distance mm (u16 little-endian)."""
    assert not invalid, "this device has no word for an invalid reading"
    data = struct.pack("<BBBBBH", 0x01, 0x75, BATTERY_PERCENT, 0x03, 0x82, distance)
    return Frame("EM500-UDL", 85, data, {"battery": BATTERY_PERCENT, "distance": distance})


def _ldds75(distance: int, invalid: bool) -> Frame:
    """Dragino: battery mV, distance mm (u16 big-endian), interrupt flag; the decoder writes units out."""
    data = struct.pack(">HHB", BATTERY_MILLIVOLT, LDDS75_INVALID if invalid else distance, 0)
    word = "Invalid Reading" if invalid else f"{distance} mm"
    decoded = {"Node_type": "LDDS75", "Bat": f"{BATTERY_MILLIVOLT / 1000} V", "Distance": word}
    return Frame("LDDS75", 2, data, dict(decoded))


def _compact(body: dict[str, object]) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
