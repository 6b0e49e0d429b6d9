"""Milesight EM500-UDL, ultrasonic distance: its uplink frames, little-endian `[channel][type][data]`.

From the vendor's byte table (README of the device, payload definition):

| channel, type | bytes | meaning |
|---|---|---|
| 01 75 | 1 | battery, % |
| 03 82 | 2 | distance, mm |
| 83 E9 | 2+2+1 | distance alarm: distance and its sudden change, mm, and a code; sent when water moves fast |
| FF .. | 1, 2 or 8 | attributes sent after power-on (versions, serial number): no readings |

Type 82 has 2 bytes here and 4 in Cayenne LPP; so an unknown pair refuses the whole frame, since a guessed
length would frame everything behind it wrongly. History blocks (20 CE) are not read and refused as well.
"""

from __future__ import annotations

from ingest.codecs.base import Undecodable
from ingest.codecs.device import Device, Measured
from ingest.model import RejectReason

_BATTERY = (0x01, 0x75)
_DISTANCE = (0x03, 0x82)
_DISTANCE_ALARM = (0x83, 0xE9)

_LENGTH = {
    _BATTERY: 1,
    _DISTANCE: 2,
    _DISTANCE_ALARM: 5,
    (0xFF, 0x01): 1,  # protocol version
    (0xFF, 0x09): 2,  # hardware version
    (0xFF, 0x0A): 2,  # firmware version
    (0xFF, 0x0B): 1,  # power on
    (0xFF, 0x0F): 1,  # LoRaWAN class
    (0xFF, 0x16): 8,  # serial number
    (0xFF, 0xFE): 1,  # reset
    (0xFF, 0xFF): 2,  # TSL version
}


def read_frame(frame: bytes) -> tuple[Measured, ...]:
    """The frame's battery and distance; the first of each, since an alarm repeats the distance it is of."""
    found: dict[str, Measured] = {}
    at = 0
    while at < len(frame):
        kind = (frame[at], frame[at + 1]) if at + 1 < len(frame) else (frame[at], -1)
        if kind not in _LENGTH:
            raise Undecodable(RejectReason.UNDECODABLE, f"unknown channel {_name(frame, at)} at byte {at}")
        data = frame[at + 2 : at + 2 + _LENGTH[kind]]
        if len(data) < _LENGTH[kind]:
            raise Undecodable(RejectReason.UNDECODABLE, f"frame ends within channel {_name(frame, at)}")
        value = _measured(kind, data)
        if value is not None:
            found.setdefault(value.channel, value)
        at += 2 + len(data)
    return tuple(found.values())


def _measured(kind: tuple[int, int], data: bytes) -> Measured | None:
    if kind == _BATTERY:
        return Measured("battery", float(data[0]), "%")
    if kind in (_DISTANCE, _DISTANCE_ALARM):
        return Measured("distance", float(int.from_bytes(data[:2], "little")), "mm")
    return None


def _name(frame: bytes, at: int) -> str:
    return frame[at : at + 2].hex(" ").upper()


EM500_UDL = Device(
    profile="EM500-UDL",
    frame=read_frame,
    ports=frozenset(),
    fields={"battery": ("battery", "%"), "distance": ("distance", "mm")},
    # what the vendor's own decoders add after power-on and in an alarm
    other_fields=frozenset(
        {
            "ipso_version",
            "protocol_version",
            "hardware_version",
            "firmware_version",
            "tsl_version",
            "sn",
            "device_status",
            "power_status",
            "lorawan_class",
            "reset_event",
            "distance_mutation",
            "distance_alarm",
        }
    ),
)
