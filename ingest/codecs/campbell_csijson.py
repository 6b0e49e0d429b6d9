"""Campbell Scientific loggers: the CSIJSON of `MQTTPublishTable`, fields once and then rows.

Topic `<base>/data/<device>/<table>/cj` with the base `cs/v1` or `cs/v2`; the device as for
`campbell-geojson`: its UID, or `<model>/<serial>`.

    {"head": {"environment": {"table_name": "gauge", "model": "CR1000X", "serial_no": "24833"},
              "fields": [{"name": "level_Avg", "type": "xsd:float", "units": "m", "process": "Avg"}]},
     "data": [{"time": "2025-10-27T20:00:00", "no": 7, "vals": [5.05]}]}

- Each field is a channel; each row has a value for every field, or the message is unreadable.
- The times have no zone: the route's `zone` is required, such as "+07:00". It is the zone that the logger's
  clock is set to, which Campbell recommends to be standard time and never summer time.
- `units` is free text of the logger's program ("Volts", "DegC"). A unit that is known holds; others must be
  spelled out in the route, `units: { Volts: V, DegC: degC }`, or are quarantined. Without one, or an empty
  one, the catalogue's `source.unit` holds.
- `environment.serial_no` must be the topic's device where it is there. `device: station_name` compares that
  instead, `device: unchecked` nothing: a UID in the topic is neither.
- `booleans` and `channels` as for `campbell-geojson`; "NAN" and other texts are words.

Source: Campbell Scientific, CR1000 and LoggerNet manuals (CSIJSON; no `head` around the fields in the first);
the topic and `head` over MQTT from messages of CR1000X OS 8.2 and 8.5 in public repositories.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import Field

from ingest.codecs.base import Address, Codec, Decode, Decoded, Undecodable, needs_settings, parse, quoted
from ingest.codecs.campbell_geojson import (
    CampbellSettings,
    channel_names,
    check_size,
    record,
    refuse_empty_kinds,
)
from ingest.codecs.local_time import Zone, parse_local
from ingest.codecs.mapping import Spellings, same_device, word
from ingest.model import Reading, RejectReason


class Identity(StrEnum):
    SERIAL_NO = "serial_no"
    STATION_NAME = "station_name"
    UNCHECKED = "unchecked"


class CsiJsonSettings(CampbellSettings):
    zone: Zone
    units: Spellings = Field(default_factory=dict)
    device: Identity = Identity.SERIAL_NO


class _Field(msgspec.Struct, gc=False):
    name: str
    units: str = ""


class _Environment(msgspec.Struct, frozen=True, gc=False):
    serial_no: str | UnsetType = UNSET
    station_name: str | UnsetType = UNSET


class _Head(msgspec.Struct, gc=False):
    fields: list[_Field]
    environment: _Environment = _Environment()


class _Row(msgspec.Struct, gc=False):
    time: str
    vals: list[Any]


class _Message(msgspec.Struct, gc=False):
    """The fields stand in `head`, or beside `data` where a logger writes none."""

    data: list[_Row]
    head: _Head | UnsetType = UNSET
    fields: list[_Field] | UnsetType = UNSET
    environment: _Environment = _Environment()


_DECODER: Final = msgspec.json.Decoder(_Message)


def _decode(settings: CsiJsonSettings, address: Address, payload: bytes) -> Decoded:
    refuse_empty_kinds(address)
    message = parse(_DECODER, payload)
    head = _head(message)
    _check_identity(settings, address, head.environment)
    channels = channel_names(settings, address, [field.name for field in head.fields])
    units = [_unit(settings, field.units.strip()) for field in head.fields]
    check_size(len(channels), len(message.data))
    readings: list[Reading] = []
    for row in message.data:
        time = parse_local(row.time, settings.zone)
        readings += record(settings, address, channels, row.vals, time, units)
    return Decoded(readings)


def _head(message: _Message) -> _Head:
    if isinstance(message.head, _Head):
        return message.head
    if isinstance(message.fields, list):
        return _Head(message.fields, message.environment)
    raise Undecodable(RejectReason.UNDECODABLE, "needs `head.fields`")


def _check_identity(settings: CsiJsonSettings, address: Address, environment: _Environment) -> None:
    if settings.device is Identity.UNCHECKED:
        return
    said = getattr(environment, settings.device.value)
    if isinstance(said, str) and not same_device(said, address.device):
        detail = f"{settings.device.value} {quoted(said)} is not the topic's device"
        raise Undecodable(RejectReason.IDENTITY_MISMATCH, detail)


def _unit(settings: CsiJsonSettings, units: str) -> str | None:
    return settings.units.get(units, word(units)) if units else None


def _configure(settings: CsiJsonSettings) -> Decode:
    return partial(_decode, settings)


CODEC = Codec(
    name="campbell-csijson",
    version=1,
    decode=needs_settings,
    auxiliary=frozenset(),
    documentation=__doc__,
    settings=CsiJsonSettings,
    configure=_configure,
)
