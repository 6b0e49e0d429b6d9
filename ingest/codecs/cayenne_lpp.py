"""Cayenne Low Power Payload: frames of any device that sends `[channel][type][data]`, big-endian.

| type | bytes | name | meaning |
|---|---|---|---|
| 0, 1 | 1 | `digital_in`, `digital_out` | a number |
| 2, 3 | 2 | `analog_in`, `analog_out` | signed, 0.01 of whatever it is |
| 100 | 4 | `generic` | a number |
| 101 | 2 | `luminosity` | lx |
| 102 | 1 | `presence` | 0 or 1 |
| 103 | 2 | `temperature` | signed, 0.1 degC |
| 104 | 1 | `relative_humidity` | 0.5 % |
| 113 | 6 | `accelerometer_x`, `_y`, `_z` | signed, 0.001 g |
| 115 | 2 | `barometric_pressure` | 0.1 hPa |
| 116 | 2 | `voltage` | 0.01 V |
| 117 | 2 | `current` | 0.001 A |
| 120 | 1 | `percentage` | % |
| 125 | 2 | `concentration` | ppm |
| 130 | 4 | `distance` | 0.001 m |
| 133 | 4 | | unixtime, see below |
| 136 | 9 | `latitude`, `longitude`, `altitude` | signed, 0.0001 deg twice, 0.01 m |

A channel here is the name and the frame's channel number, `temperature_3`. Numbers without a unit of their
own are in the catalogue's `source.unit`.

- Profile name `CayenneLPP`; any port.
- An unknown type refuses the whole frame, since nobody knows where the next one begins.
- Unixtime (seconds since 1970) dates every value of its frame, wherever it stands; two that differ refuse the
  frame, as does a channel that comes twice: it would be unsaid which is meant.
- A decoded object gives the same channels: The Things Stack names them so already (`temperature_3`, and
  `gps_1`, `accelerometer_1` with parts), ChirpStack has a map by channel number (`temperatureSensor`).

Source: sizes and scales of the header CayenneLPP.h (ElectronicCats/CayenneLPP, MIT), names of The Things
Stack. Voltage and current are unsigned as the header's comments say; its encoder lets them be negative. Not
verified against a captured message: the names of ChirpStack's maps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ingest.codecs.base import MAX_WORD, Undecodable
from ingest.codecs.device import Device, Measured, at, measured
from ingest.model import RejectReason


class _Part(NamedTuple):
    """One value of a type: its name, its bytes, its unit (None: the catalogue's), and how many make one."""

    name: str
    size: int
    unit: str | None
    per: int = 1
    signed: bool = False

    def read(self, channel: int, data: bytes) -> Measured:
        raw = int.from_bytes(data, signed=self.signed)
        return Measured(f"{self.name}_{channel}", raw / self.per, self.unit)


_UNIXTIME = 133
_UNIXTIME_SIZE = 4

_TYPES: Mapping[int, tuple[_Part, ...]] = MappingProxyType(
    {
        0: (_Part("digital_in", 1, None),),
        1: (_Part("digital_out", 1, None),),
        2: (_Part("analog_in", 2, None, 100, signed=True),),
        3: (_Part("analog_out", 2, None, 100, signed=True),),
        100: (_Part("generic", 4, None),),
        101: (_Part("luminosity", 2, "lx"),),
        102: (_Part("presence", 1, "1"),),
        103: (_Part("temperature", 2, "degC", 10, signed=True),),
        104: (_Part("relative_humidity", 1, "%", 2),),
        113: tuple(_Part(f"accelerometer_{axis}", 2, "g", 1000, signed=True) for axis in "xyz"),
        115: (_Part("barometric_pressure", 2, "hPa", 10),),
        116: (_Part("voltage", 2, "V", 100),),
        117: (_Part("current", 2, "A", 1000),),
        120: (_Part("percentage", 1, "%"),),
        125: (_Part("concentration", 2, "ppm"),),
        130: (_Part("distance", 4, "m", 1000),),
        136: (
            _Part("latitude", 3, "deg", 10_000, signed=True),
            _Part("longitude", 3, "deg", 10_000, signed=True),
            _Part("altitude", 3, "m", 100, signed=True),
        ),
    }
)


def _read_frame(frame: bytes) -> tuple[Measured, ...]:
    values: dict[str, Measured] = {}
    times: set[int] = set()
    place = 0
    while place < len(frame):
        if place + 1 == len(frame):
            raise Undecodable(RejectReason.UNDECODABLE, "frame ends after a channel number")
        channel, kind = frame[place], frame[place + 1]
        if kind == _UNIXTIME:
            times.add(int.from_bytes(_data(frame, place, _UNIXTIME_SIZE)))
            place += 2 + _UNIXTIME_SIZE
            continue
        parts = _TYPES.get(kind)
        if parts is None:
            raise Undecodable(RejectReason.UNDECODABLE, f"unknown type {kind} at byte {place + 1}")
        data = _data(frame, place, sum(part.size for part in parts))
        for value in _values(parts, channel, data):
            if values.setdefault(value.channel, value) is not value:
                raise Undecodable(RejectReason.UNDECODABLE, f"channel {value.channel} comes twice")
        place += 2 + len(data)
    return _dated(tuple(values.values()), times)


def _data(frame: bytes, place: int, size: int) -> bytes:
    """The data behind channel and type at `place`."""
    data = frame[place + 2 : place + 2 + size]
    if len(data) < size:
        raise Undecodable(RejectReason.UNDECODABLE, f"frame ends within type {frame[place + 1]}")
    return data


def _values(parts: Sequence[_Part], channel: int, data: bytes) -> Iterator[Measured]:
    start = 0
    for part in parts:
        yield part.read(channel, data[start : start + part.size])
        start += part.size


def _dated(values: tuple[Measured, ...], times: set[int]) -> tuple[Measured, ...]:
    if len(times) > 1:
        raise Undecodable(RejectReason.UNDECODABLE, f"{len(times)} unixtimes that differ")
    return tuple(at(value, seconds) for seconds in times for value in values) or values


_UNITS = {part.name: part.unit for parts in _TYPES.values() for part in parts}
_NUMBERED = re.compile(r"([a-z_]{1,32})_(\d{1,3})", re.ASCII)
_LOCATION = "gps"  # its parts have names that need no "gps_" before them
_CHIRPSTACK = MappingProxyType(
    {
        "digitalInput": "digital_in",
        "digitalOutput": "digital_out",
        "analogInput": "analog_in",
        "analogOutput": "analog_out",
        "illuminanceSensor": "luminosity",
        "presenceSensor": "presence",
        "temperatureSensor": "temperature",
        "humiditySensor": "relative_humidity",
        "accelerometer": "accelerometer",
        "barometer": "barometric_pressure",
        "gpsLocation": _LOCATION,
    }
)


def _read_object(fields: Mapping[str, Any]) -> Iterator[Measured]:
    return (value for name, field in fields.items() for value in _of_field(name, field))


def _of_field(name: str, field: object) -> Iterator[Measured]:
    """What one field says: ChirpStack's map by channel number, or The Things Stack's numbered name."""
    numbered = _NUMBERED.fullmatch(name)
    if name in _CHIRPSTACK and isinstance(field, dict):
        for number, value in field.items():
            yield from _of_type(_CHIRPSTACK[name], number, value)
    elif numbered is not None:
        yield from _of_type(numbered[1], numbered[2], field)
    else:
        yield measured(name, field, None)


def _of_type(name: str, number: str, value: object) -> Iterator[Measured]:
    number = number[: MAX_WORD + 1]  # too long for any channel, and repeated in each part's name
    if not isinstance(value, dict):
        yield measured(f"{name}_{number}", value, _UNITS.get(name))
        return
    for key, part in value.items():
        own = key if name == _LOCATION else f"{name}_{key}"
        yield measured(f"{own}_{number}", part, _UNITS.get(own))


CAYENNE_LPP = Device(
    profile="CayenneLPP",
    frame=_read_frame,
    ports=frozenset(),
    fields={},
    auxiliary=frozenset(),
    read_object=_read_object,
)
