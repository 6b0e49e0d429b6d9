"""Campbell Scientific loggers (CR1000X, CR6, CR300, GRANITE): the GeoJSON of `MQTTPublishTable`.

Topic `<base>/<kind>/<device>[/<table>]`, where the base is a setting of the logger (`cs/v2`, formerly
`cs/v1`), the device its UID, or `<model>/<serial>` where it has none, and the kind `data` or `status` for
readings; `state`, `metadata`, `cc` (commands) and `cr` (answers) carry none. One level names both the
gateway and the device: the UID, or the serial number.

    {"type": "Feature", "geometry": {...}, "properties": {"loggerID": "CR1000X_400",
     "observationNames": ["level", "flag"], "observations": {"2025-10-01T09:21:00Z": [5.05, false]}}}

- Each name is a channel, each key of `observations` a time (RFC 3339) with one value per name; a record
  of another length makes the message unreadable. Firmware writes `properties` or `Properties`.
- Numbers are values, in the catalogue's `source.unit`. Texts ("NAN", a message of the program) and booleans
  are words: list a channel's "NAN" in `sentinels`, and the channels that are none in the route's `ignore`.
  `booleans: numbers` makes 1 and 0 of true and false.
- `loggerID` must be the topic's device, alone or after its model (`CR1000X_400`). It is the logger's MQTT
  client id, which its owner may have chosen freely: then `logger_id: unchecked`.
- `channels: tables_and_fields` names channels `<table>.<field>`, for loggers whose tables share names.
- Position and `publish_ts` are not read.

Source: Campbell Scientific, Data Logger MQTT API (topic structure, JSON data formats, status), and the
CRBasic help on GeoJSON, whose two pages spell `properties` differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from ingest.codecs.base import (
    MAX_READINGS,
    Address,
    Codec,
    CodecSettings,
    Decode,
    Decoded,
    NoReadings,
    Undecodable,
    parse,
    parse_time,
    quoted,
)
from ingest.codecs.mapping import same_device, word, word_of
from ingest.model import Reading, RejectReason

_EMPTY_KINDS: Final = frozenset({"state", "metadata", "cc", "cr"})
_KINDS: Final = _EMPTY_KINDS | {"data", "status", "pr"}

# What the status table says of the logger itself; some once, some per scan or port.
STATUS: Final = frozenset(
    {
        *("WatchdogErrors", "PanelTemp", "Battery", "LithiumBattery", "Low12VCount", "CompileResults"),
        *("SkippedScan", "SkippedSystemScan", "CommsMemFree", "CardStatus"),
        *("MaxProcTime", "MaxBuffDepth", "MaxSystemProcTime"),
        *(f"{name}({scan})" for name in ("SkippedSlowScan", "MaxSlowProcTime") for scan in range(1, 5)),
        *(f"PortStatus({port})" for port in range(1, 5)),
        *(f"SW12Volts({port})" for port in range(1, 3)),
    }
)


class Booleans(StrEnum):
    WORDS = "words"
    NUMBERS = "numbers"


class Channels(StrEnum):
    FIELDS = "fields"
    TABLES_AND_FIELDS = "tables_and_fields"


class LoggerId(StrEnum):
    DEVICE = "device"
    UNCHECKED = "unchecked"


class CampbellSettings(CodecSettings):
    """What both formats of Campbell's loggers can be told."""

    booleans: Booleans = Booleans.WORDS
    channels: Channels = Channels.FIELDS


class GeoJsonSettings(CampbellSettings):
    logger_id: LoggerId = LoggerId.DEVICE


class _Properties(msgspec.Struct, rename="camel", gc=False):
    observation_names: list[str]
    observations: dict[str, list[Any]]
    logger_id: str | UnsetType = msgspec.field(default=UNSET, name="loggerID")


class _Feature(msgspec.Struct, gc=False):
    properties: _Properties | UnsetType = UNSET
    capital: _Properties | UnsetType = msgspec.field(default=UNSET, name="Properties")


_DECODER: Final = msgspec.json.Decoder(_Feature)


def _decode(settings: GeoJsonSettings, address: Address, payload: bytes) -> Decoded:
    """One table's new records, or the logger's own status."""
    refuse_empty_kinds(address)
    feature = parse(_DECODER, payload)
    if isinstance(feature.properties, _Properties) == isinstance(feature.capital, _Properties):
        raise Undecodable(RejectReason.UNDECODABLE, "needs either `properties` or `Properties`")
    said = feature.properties if isinstance(feature.properties, _Properties) else feature.capital
    assert isinstance(said, _Properties)  # one of the two is
    if settings.logger_id is LoggerId.DEVICE and isinstance(said.logger_id, str):
        _check_logger(address, said.logger_id)
    channels = channel_names(settings, address, said.observation_names)
    check_size(len(channels), len(said.observations))
    readings: list[Reading] = []
    for moment, values in said.observations.items():
        readings += record(settings, address, channels, values, parse_time(moment))
    return Decoded(readings)


def _check_logger(address: Address, said: str) -> None:
    place = device_level(address)
    model = address.levels[place - 1] if place else ""
    if not (same_device(said, address.device) or same_device(said, f"{model}_{address.device}")):
        detail = f"loggerID {quoted(said)} is not the topic's device"
        raise Undecodable(RejectReason.IDENTITY_MISMATCH, detail)


def device_level(address: Address) -> int:
    """Which level of the topic, from 0, is the device; the last of that name, since a table comes after."""
    places = [place for place, level in enumerate(address.levels) if level == address.device]
    return places[-1] if places else 0


def refuse_empty_kinds(address: Address) -> None:
    """End with `NoReadings` where the topic says that the message is of a kind that carries none."""
    before = address.levels[: device_level(address)]
    kind = next((level for level in reversed(before[-2:]) if level in _KINDS), "")
    if kind in _EMPTY_KINDS:
        raise NoReadings(kind)


def channel_names(settings: CampbellSettings, address: Address, fields: Sequence[str]) -> list[str]:
    """The channels of a table's fields, in their order."""
    after = address.levels[device_level(address) + 1 :]
    prefix = f"{after[0]}." if after and settings.channels is Channels.TABLES_AND_FIELDS else ""
    return [word(f"{prefix}{field}") or "(empty)" for field in fields]


def check_size(fields: int, records: int) -> None:
    """Refuse a message without any value, and one of too many."""
    if fields * records == 0:
        raise Undecodable(RejectReason.UNDECODABLE, f"{records} records of {fields} fields: no value at all")
    if fields * records > MAX_READINGS:
        raise Undecodable(RejectReason.UNDECODABLE, f"more than {MAX_READINGS} readings")


def record(
    settings: CampbellSettings,
    address: Address,
    channels: Sequence[str],
    values: Sequence[Any],
    time: int,
    units: Sequence[str | None] | None = None,
) -> list[Reading]:
    """The readings of one record, which has a value for each channel."""
    if len(values) != len(channels):
        detail = f"a record has {len(values)} values for {len(channels)} fields"
        raise Undecodable(RejectReason.UNDECODABLE, detail)
    units = units or [None] * len(channels)
    return [
        Reading(address.device, channel, _value(settings, value), unit, time)
        for channel, value, unit in zip(channels, values, units, strict=True)
    ]


def _value(settings: CampbellSettings, value: Any) -> float | str:
    if isinstance(value, bool) and settings.booleans is Booleans.NUMBERS:
        return float(value)
    return word_of(value)


def _configure(settings: GeoJsonSettings) -> Decode:
    return partial(_decode, settings)


CODEC = Codec(
    name="campbell-geojson",
    version=1,
    decode=_configure(GeoJsonSettings()),
    auxiliary=STATUS,
    documentation=__doc__,
    settings=GeoJsonSettings,
    configure=_configure,
)
