"""Huewatch's own JSON, for gateways that can be programmed.

Topic `hue/v1/<gateway>/<device>/readings`. One reading:

    {"channel": "level", "value": 1.23, "unit": "m", "time": "2025-10-27T20:00:00+07:00"}

or one to 1,000 of them:

    {"time": "2025-10-27T20:00:00+07:00", "status": "Exercise",
     "readings": [{"channel": "level", "value": 1.23, "unit": "m"},
                  {"channel": "rain", "value": 0.4, "time": "2025-10-27T19:55:00+07:00"}]}

- `channel`: text of 1 to 64 characters, as the catalogue's `source.channel` names it.
- `value`: a finite JSON number. A text or `null` says that there is no value: it is quarantined, as
  `sentinel` when the catalogue lists the word for this sensor (`null` is the word "null"), otherwise as
  `not_a_number`. Numbers in quotes are texts. `true` and `false` make the message unreadable.
- `unit` (optional): a unit of `ingest.units`; without one, the catalogue's `source.unit` holds.
- `time` (optional): RFC 3339 with an offset, rounded to microseconds. In `readings` it
  overrides the message's own. Without any time the time of arrival holds.
- `status` (optional): `Actual`, `Exercise` or `Test`; when it is not what the catalogue says of the
  station, the message is quarantined.

Nothing else may stand in the message: an unknown field is a mistake of somebody, and is refused.
When a key occurs twice the last one holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ingest.clock import EPOCH, MICROS_PER_SECOND
from ingest.codecs.base import MAX_READINGS, MAX_WORD, Address, Codec, Decoded, Undecodable, parse
from ingest.model import Reading, RejectReason

_Word = Annotated[str, Meta(min_length=1, max_length=MAX_WORD)]
_Value = float | Annotated[str, Meta(max_length=MAX_WORD)] | None


_Time = Annotated[datetime, Meta(tz=True)]


class _Item(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    channel: _Word
    value: _Value
    unit: _Word | UnsetType = UNSET
    time: _Time | UnsetType = UNSET


class _Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Both shapes in one, since their keys tell them apart; `_decode` refuses a mixture."""

    channel: _Word | UnsetType = UNSET
    value: _Value | UnsetType = UNSET
    unit: _Word | UnsetType = UNSET
    time: _Time | UnsetType = UNSET
    status: _Word | UnsetType = UNSET
    readings: Annotated[list[_Item], Meta(min_length=1, max_length=MAX_READINGS)] | UnsetType = UNSET


_DECODER = msgspec.json.Decoder(_Message)


def _decode(address: Address, payload: bytes) -> Decoded:
    message = parse(_DECODER, payload)
    nature = None if message.status is UNSET else message.status
    time = None if message.time is UNSET else _micros(message.time)
    if message.readings is UNSET:
        return Decoded((_single(address.device, message, time),), nature)
    if message.channel is not UNSET or message.value is not UNSET or message.unit is not UNSET:
        raise Undecodable(RejectReason.UNDECODABLE, "`readings` and a single reading in one message")
    return Decoded([_reading(address.device, item, time) for item in message.readings], nature)


def _single(device: str, message: _Message, time: int | None) -> Reading:
    if message.channel is UNSET or message.value is UNSET:
        raise Undecodable(RejectReason.UNDECODABLE, "needs `channel` and `value`, or `readings`")
    unit = None if message.unit is UNSET else message.unit
    return Reading(device, message.channel, _value(message.value), unit, time)


def _reading(device: str, item: _Item, time: int | None) -> Reading:
    own = time if item.time is UNSET else _micros(item.time)
    unit = None if item.unit is UNSET else item.unit
    return Reading(device, item.channel, _value(item.value), unit, own)


def _micros(time: datetime) -> int:
    since = time - EPOCH
    return (since.days * 86_400 + since.seconds) * MICROS_PER_SECOND + since.microseconds


def _value(value: _Value) -> float | str:
    return "null" if value is None else value


CODEC = Codec(
    name="huewatch-json",
    version=1,
    decode=_decode,
    auxiliary=frozenset({"battery", "rssi", "snr"}),
    documentation=__doc__,
)
