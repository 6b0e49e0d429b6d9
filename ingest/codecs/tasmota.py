"""Tasmota: sensors on ESP8266 and ESP32 boards with this open firmware.

Topic `tele/<topic>/<kind>`, as the firmware's default full topic makes it; `<topic>` is the gateway and the
device at once (both level 2). Kinds: `SENSOR` carries readings, `STATE` the health of the board, `LWT` its
last word; `INFO1` to `INFO3`, `HASS_STATE` and `UPTIME` carry none. The payload names no device.

    {"Time":"2019-11-03T19:34:28","BME280":{"Temperature":21.7,"Pressure":988.6},
     "PressureUnit":"hPa","TempUnit":"C"}

- Settings: `zone` (required), the offset that the board's `Timezone` is set to, such as "+07:00": `Time` is
  local and has none. Daylight saving must be off. `Epoch`, or a number as `Time` (command `Time 2` or `3`),
  is seconds since 1970 UTC and counts when present. Without any of them the time of arrival holds.
- Channels are `<sensor>.<field>`, e.g. `SR04.Distance`, deeper ones `ENERGY.Power[2]`; a field outside an
  object is one by its name (`Switch1`). Sensors of one kind are numbered (`DS18B20-1`) in the order in
  which they were found, which changes when one of them dies: with `sensors: id` those that tell their `Id`
  are channels by it (`DS18B20:01131B123456.Temperature`).
- Units: temperatures by `TempUnit`, pressures by `PressureUnit`, speeds by `SpeedUnit`, humidity in %,
  light in lx, PM in ug/m3, CO2 and TVOC in ppm and ppb; distances in cm from ultrasonic sensors (SR04) and
  in mm from laser sensors (VL53L0X, VL53L1X). Any other field is in the catalogue's `source.unit`.
- `ON` and `OFF` of a switch or relay are 1 and 0. `null`, which a sensor that does not answer has, and any
  other text or boolean is no value and is quarantined by itself, and so is a sensor without any field.
- Health (may go unlisted): `Vcc`, `UptimeSec`, `MqttCount`, `Wifi.RSSI` (per cent), `Wifi.Signal` (dBm),
  `Wifi.LinkCount`, the relays `POWER`, `POWER1`, ..., and `online` (1 or 0) from `LWT`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

import msgspec

from ingest.clock import MICROS_PER_SECOND
from ingest.codecs.base import (
    MAX_WORD,
    Address,
    Codec,
    CodecSettings,
    Decoded,
    NoReadings,
    Undecodable,
    needs_settings,
    parse,
    quoted,
)
from ingest.codecs.fields import Path, channel_name, leaves, scalar
from ingest.codecs.local_time import Zone, parse_local
from ingest.model import Reading, RejectReason

_WITHOUT_READINGS: Final = frozenset({"INFO1", "INFO2", "INFO3", "HASS_STATE", "UPTIME"})
_LAST_WORDS: Final = {b"Online": 1.0, b"Offline": 0.0}
_SWITCHED: Final = {"ON": 1.0, "OFF": 0.0}
_SWITCH: Final = re.compile(r"(Switch|POWER)\d{0,2}", re.ASCII)
_RELAYS: Final = ("POWER", *(f"POWER{number}" for number in range(1, 33)))  # the firmware has at most 32

_TIME_KEYS: Final = frozenset({"Time", "Epoch"})
_UNIT_KEYS: Final = {"TempUnit": {"C": "degC", "F": "degF"}, "PressureUnit": {}, "SpeedUnit": {}}
_BY_UNIT_KEY: Final = {
    "Temperature": "TempUnit",
    "DewPoint": "TempUnit",
    "Pressure": "PressureUnit",
    "SeaPressure": "PressureUnit",
    "Speed": "SpeedUnit",
}
_UNITS: Final = {
    "Humidity": "%",
    "Illuminance": "lx",
    "CarbonDioxide": "ppm",
    "eCO2": "ppm",
    "TVOC": "ppb",
    **dict.fromkeys(("PM1", "PM2.5", "PM10", "CF1", "CF2.5", "CF10"), "ug/m3"),
}
_DISTANCE_UNITS: Final = {"SR04": "cm", "VL53L0X": "mm", "VL53L1X": "mm"}
_NUMBER_OF_SENSOR: Final = re.compile(r"[-_][0-9A-F]{1,4}\Z")  # `-` or, by SetOption4, `_`

_HEALTH: Final[Mapping[str, str | None]] = {
    "Vcc": "V",
    "UptimeSec": "s",
    "MqttCount": "1",
    "Wifi.RSSI": "%",
    "Wifi.Signal": "dBm",
    "Wifi.LinkCount": "1",
    **dict.fromkeys(_RELAYS, "1"),
}

_DECODER = msgspec.json.Decoder(dict[str, Any])


class TasmotaSettings(CodecSettings):
    """`zone`: the offset of the board's clock. `sensors`: whether those with an `Id` are named by it."""

    zone: Zone
    sensors: Literal["number", "id"] = "number"


def _decode(settings: TasmotaSettings, address: Address, payload: bytes) -> Decoded:
    kind = address.levels[-1]
    if kind in _WITHOUT_READINGS:
        raise NoReadings(kind)
    if kind == "LWT":
        return Decoded((Reading(address.device, "online", _last_word(payload), "1"),))
    if kind not in ("SENSOR", "STATE"):
        raise Undecodable(RejectReason.UNDECODABLE, f"unknown kind of telemetry {quoted(kind)}")
    message = parse(_DECODER, payload)
    if not message:
        raise Undecodable(RejectReason.UNDECODABLE, "an empty object")
    time = _time(message, settings.zone)
    read = _sensors if kind == "SENSOR" else _health
    readings = [Reading(address.device, *value, time) for value in read(settings, message)]
    if not readings:
        raise NoReadings(f"{kind} without values")
    return Decoded(readings)


def _last_word(payload: bytes) -> float:
    if not payload:
        raise NoReadings("a retained last word was cleared")
    if payload not in _LAST_WORDS:
        raise Undecodable(RejectReason.UNDECODABLE, "a last word is `Online` or `Offline`")
    return _LAST_WORDS[payload]


def _time(message: Mapping[str, Any], zone: int) -> int | None:
    epoch, time = message.get("Epoch"), message.get("Time")
    if epoch is None and isinstance(time, str):
        return parse_local(time, zone)
    seconds = time if epoch is None else epoch
    if seconds is None:
        return None
    if type(seconds) is int:  # not a boolean, which is an int of its own kind
        return seconds * MICROS_PER_SECOND
    raise Undecodable(RejectReason.UNDECODABLE, "`Time` is neither a local time nor whole seconds since 1970")


def _sensors(
    settings: TasmotaSettings, message: Mapping[str, Any]
) -> Sequence[tuple[str, float | str, str | None]]:
    named: dict[str, Any] = {}
    for name, value in message.items():
        if name in _TIME_KEYS or name in _UNIT_KEYS:
            continue
        sensor = _sensor_name(settings, name, value)
        if sensor in named:
            raise Undecodable(RejectReason.UNDECODABLE, f"two sensors are {quoted(sensor)}")
        named[sensor] = _without_id(value)
    return [(channel_name(path), _value(path, value), _unit(path, message)) for path, value in leaves(named)]


def _sensor_name(settings: TasmotaSettings, name: str, value: Any) -> str:
    identity = value.get("Id") if isinstance(value, dict) else None
    if settings.sensors == "number" or not isinstance(identity, str):
        return name
    return f"{_NUMBER_OF_SENSOR.sub('', name)}:{identity}"


def _without_id(value: Any) -> Any:
    return {name: one for name, one in value.items() if name != "Id"} if isinstance(value, dict) else value


def _value(path: Path, value: Any) -> float | str:
    if isinstance(value, str) and len(path) == 1 and _SWITCH.fullmatch(path[0]):
        return _SWITCHED.get(value, scalar(value))
    return scalar(value)


def _unit(path: Path, message: Mapping[str, Any]) -> str | None:
    """The unit of the innermost field that has a known one: `Speed.Act` is a speed."""
    for name in reversed(path[1:]):
        if name == "Distance":
            return _DISTANCE_UNITS.get(_NUMBER_OF_SENSOR.sub("", path[0].partition(":")[0]))
        if name in _UNITS:
            return _UNITS[name]
        if name in _BY_UNIT_KEY:
            return _unit_of_key(_BY_UNIT_KEY[name], message)
    return None


def _unit_of_key(key: str, message: Mapping[str, Any]) -> str | None:
    """What the board says; a word that is no unit is passed on, so that the reading is refused for it."""
    said = message.get(key)
    if said is None:
        return None
    return _UNIT_KEYS[key].get(said, said)[: MAX_WORD + 1] if isinstance(said, str) else str(scalar(said))


def _health(
    _settings: TasmotaSettings, message: Mapping[str, Any]
) -> Sequence[tuple[str, float | str, str | None]]:
    found = [(channel_name(path), path, value) for path, value in leaves(message)]
    return [(name, _value(path, value), _HEALTH[name]) for name, path, value in found if name in _HEALTH]


CODEC = Codec(
    name="tasmota",
    version=1,
    decode=needs_settings,
    auxiliary=frozenset({*_HEALTH, "online"}),
    documentation=__doc__,
    settings=TasmotaSettings,
    configure=lambda settings: partial(_decode, settings),
)
