"""Dragino LDDS75, ultrasonic distance: its uplink frames on port 2, big-endian, fixed layout.

| bytes | meaning |
|---|---|
| 0-1 | battery, mV, lower 14 bits (the upper two are flags) |
| 2-3 | distance, mm; 0: no sensor found, below 20: invalid |
| 4 | 1 when an interrupt pin caused the uplink |
| 5-6 | temperature of an external DS18B20, signed, 0.1 degC |
| 7 | 1 when a sensor is attached |

Older firmware ends after byte 4. Any other length is refused. The two distances that are none are given as
the words of the vendor's decoder, "No Sensor" and "Invalid Reading", whichever way they came.
The vendor's three decoders give one field as number, as text with a unit ("1208 mm") or as such a word.
"""

from __future__ import annotations

import struct

from ingest.codecs.base import Undecodable
from ingest.codecs.device import Device, Measured
from ingest.model import RejectReason

NO_SENSOR = "No Sensor"
INVALID_READING = "Invalid Reading"
SHORTEST_DISTANCE = 20  # mm; the vendor's mark for "nearer than the sensor can see"

_SHORT = struct.Struct(">HHB")
_FULL = struct.Struct(">HHBhB")


def read_frame(frame: bytes) -> tuple[Measured, ...]:
    """Battery (V), distance (mm or a word) and, when the frame has one, the external temperature (degC)."""
    if len(frame) == _SHORT.size:
        battery, distance, _ = _SHORT.unpack(frame)
        return _battery(battery), _distance(distance)
    if len(frame) == _FULL.size:
        battery, distance, _, temperature, _ = _FULL.unpack(frame)
        return _battery(battery), _distance(distance), Measured("temperature", temperature / 10, "degC")
    raise Undecodable(
        RejectReason.UNDECODABLE, f"LDDS75 frame of {len(frame)} bytes, not {_SHORT.size} or {_FULL.size}"
    )


def _battery(raw: int) -> Measured:
    return Measured("battery", (raw & 0x3FFF) / 1000, "V")


def _distance(millimetres: int) -> Measured:
    return with_words(Measured("distance", float(millimetres), "mm"))


def with_words(value: Measured) -> Measured:
    """A distance in mm that is none as the vendor's word for it; every other value as it is."""
    if value.channel != "distance" or value.unit != "mm" or isinstance(value.value, str):
        return value
    if value.value == 0:
        return Measured("distance", NO_SENSOR, "mm")
    if 0 < value.value < SHORTEST_DISTANCE:
        return Measured("distance", INVALID_READING, "mm")
    return value


LDDS75 = Device(
    profile="LDDS75",
    frame=read_frame,
    ports=frozenset({2}),
    fields={
        "Bat": ("battery", "V"),
        "Distance": ("distance", "mm"),
        "TempC_DS18B20": ("temperature", "degC"),
    },
    other_fields=frozenset({"Node_type", "Interrupt_flag", "Interrupt_status", "Sensor_flag"}),
    repair=with_words,
    auxiliary=frozenset({"battery", "temperature"}),
)
