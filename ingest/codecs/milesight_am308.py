"""Milesight AM308, ambience monitor: temperature, humidity, CO2, particles and what else a room has.

Its frames' own blocks, beside those common to the vendor (`ingest.codecs.milesight_frame`):

| channel, type | bytes | channel here | meaning |
|---|---|---|---|
| 03 67 | 2 | `temperature` | signed, 0.1 degC |
| 04 68 | 1 | `humidity` | 0.5 % |
| 05 00 | 1 | `pir` | 1: somebody moved |
| 06 CB | 1 | `light_level` | a level, no unit |
| 07 7D | 2 | `co2` | ppm |
| 08 7D | 2 | `tvoc` | 0.01 of an air quality index (unit "1") |
| 08 E6 | 2 | `tvoc` | ug/m3; which of the two is a setting of the device |
| 09 73 | 2 | `pressure` | 0.1 hPa |
| 0B 7D | 2 | `pm2_5` | ug/m3 |
| 0C 7D | 2 | `pm10` | ug/m3 |
| 0E 01 | 1 | | buzzer: no reading |
| 20 CE | 20 | all of them | history, see below; TVOC as 08 7D |
| 21 CE | 20 | all of them | history, TVOC as 08 E6 |

History: time (4, seconds since 1970), temperature (2, signed, 0.1 degC), humidity (2, 0.5 %), PIR (1), light
(1), CO2 (2), TVOC (2), pressure (2, 0.1 hPa), PM2.5 (2), PM10 (2).

Type 7D is ppm in Cayenne LPP and has four meanings here. An object's `tvoc` does not say which unit it is
in: it is in the catalogue's `source.unit`. The table names no value for "none"; whatever a device sends for
one is given as it is, for `sentinels`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

from ingest.codecs.device import Device, Measured
from ingest.codecs.milesight_frame import (
    ATTRIBUTES,
    UNKNOWN,
    Block,
    flag,
    frame_reader,
    history,
    no_reading,
    number,
    signed,
)

_EARLIER = struct.Struct("<hHBBHHHHH")
_MOVEMENT: Mapping[float | str, float] = MappingProxyType({"idle": 0.0, "trigger": 1.0})


def _temperature(data: bytes) -> tuple[Measured, ...]:
    return (Measured("temperature", signed(data) / 10, "degC"),)


def _earlier(tvoc_unit: str, tvoc_per: int) -> Block:
    def read(data: bytes) -> tuple[Measured, ...]:
        temperature, humidity, pir, light, co2, tvoc, pressure, fine, coarse = _EARLIER.unpack(data)
        return (
            Measured("temperature", temperature / 10, "degC"),
            Measured("humidity", humidity / 2, "%"),
            Measured("pir", float(pir) if pir < 2 else UNKNOWN, "1"),
            Measured("light_level", float(light), "1"),
            Measured("co2", float(co2), "ppm"),
            Measured("tvoc", tvoc / tvoc_per, tvoc_unit),
            Measured("pressure", pressure / 10, "hPa"),
            Measured("pm2_5", float(fine), "ug/m3"),
            Measured("pm10", float(coarse), "ug/m3"),
        )

    return history(_EARLIER.size, read)


def _movement(value: Measured) -> Measured:
    """The PIR state that an object gives as a word, as the number that it is in a frame."""
    if value.channel != "pir":
        return value
    return Measured("pir", _MOVEMENT.get(value.value, value.value), "1")


AM308 = Device(
    profile="AM308",
    frame=frame_reader(
        {
            (0x03, 0x67): Block(2, _temperature),
            (0x04, 0x68): Block(1, number("humidity", "%", 2)),
            (0x05, 0x00): Block(1, flag("pir")),
            (0x06, 0xCB): Block(1, number("light_level", "1")),
            (0x07, 0x7D): Block(2, number("co2", "ppm")),
            (0x08, 0x7D): Block(2, number("tvoc", "1", 100)),
            (0x08, 0xE6): Block(2, number("tvoc", "ug/m3")),
            (0x09, 0x73): Block(2, number("pressure", "hPa", 10)),
            (0x0B, 0x7D): Block(2, number("pm2_5", "ug/m3")),
            (0x0C, 0x7D): Block(2, number("pm10", "ug/m3")),
            (0x0E, 0x01): Block(1, no_reading),
            (0x20, 0xCE): _earlier("1", 100),
            (0x21, 0xCE): _earlier("ug/m3", 1),
        }
    ),
    ports=frozenset(),
    fields={
        "battery": ("battery", "%"),
        "temperature": ("temperature", "degC"),
        "humidity": ("humidity", "%"),
        "pir": ("pir", "1"),
        "light_level": ("light_level", "1"),
        "co2": ("co2", "ppm"),
        "tvoc": ("tvoc", None),
        "pressure": ("pressure", "hPa"),
        "pm2_5": ("pm2_5", "ug/m3"),
        "pm10": ("pm10", "ug/m3"),
    },
    other_fields=ATTRIBUTES | {"buzzer_status"},
    repair=_movement,
    history="history",
    # a room's comfort; particles are what the city asks of this device
    auxiliary=frozenset(
        {"battery", "temperature", "humidity", "pir", "light_level", "co2", "tvoc", "pressure"}
    ),
)
