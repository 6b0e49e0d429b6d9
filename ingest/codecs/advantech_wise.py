"""Advantech WISE-4000 and ADAM-6000 input and output modules, JSON as they publish it.

Topic `Advantech/<MAC>/data`; the MAC is the gateway and the device at once (both level 2).
`Advantech/<MAC>/Device_Status` is the module's hello and its last will; `macid` there must agree.

    {"s":1,"t":"2014-07-11T15:26:37Z","q":192,"c":1,"ai1":-1.234567,"ai_st1":1,"di1":false}

- Channels are `ai1`, `di1`, `do1`, ... as in the payload, counted from 1 (the module's own labels count
  from 0), in the catalogue's `source.unit`. `true` and `false` of `di` and `do` are 1 and 0; a counter's
  number is itself. Anything else that is not a number is quarantined by itself.
- `ai_st1` says how the channel is: 0 disabled, 1 measuring, 2 to 5 beyond an alarm limit. The value of a
  disabled one, which is 9999.9999 as a rule, is the word "disabled"; with a status that the manual does not
  have it is the word "status 8" and so on.
- `q` is the quality of OPC: 192 and more good, 64 to 127 uncertain (the values are kept as suspect), any
  other bad (kept as failed). Without it nothing is said.
- `t` is RFC 3339 with an offset; 0 or none where the module has no clock: the time of arrival holds.
- Health: `online` from Device_Status, 1 for `connect` and 0 for `disconnect`; it may go unlisted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ingest.codecs.base import (
    MAX_READINGS,
    MAX_WORD,
    Address,
    Codec,
    Decoded,
    NoReadings,
    Undecodable,
    channel_word,
    parse,
    parse_time,
    quoted,
)
from ingest.codecs.fields import scalar
from ingest.model import Quality, Reading, RejectReason

_ENVELOPE: Final = frozenset({"s", "t", "q", "c"})
_ANALOG: Final = re.compile(r"ai(\d{1,2})", re.ASCII)
_DIGITAL: Final = re.compile(r"d[io]\d{1,2}", re.ASCII)
_STATUS: Final = re.compile(r"(ai|do)_st\d{1,2}", re.ASCII)

_MOST_FIELDS = MAX_READINGS  # of a message: a module has at most 32 channels and their statuses
_DISABLED = 9999.9999  # the manual's value of a disabled channel
_DISABLED_STATUS = 0
_MEASURING: Final = frozenset(range(1, 6))
_UNCERTAIN, _GOOD, _HIGHEST = 64, 192, 255  # the upper two of eight bits; the others say why
_CONNECTION: Final = {"connect": 1.0, "disconnect": 0.0}


class _DeviceStatus(msgspec.Struct, gc=False):
    status: str
    macid: str = ""


_DATA_DECODER = msgspec.json.Decoder(dict[str, Any])
_STATUS_DECODER = msgspec.json.Decoder(_DeviceStatus)


def _decode(address: Address, payload: bytes) -> Decoded:
    kind = address.levels[-1]
    if kind == "data":
        return _data(address.device, payload)
    if kind == "Device_Status":
        return _device_status(address.device, payload)
    raise Undecodable(RejectReason.UNDECODABLE, f"unknown topic {quoted(kind)}")


def _data(device: str, payload: bytes) -> Decoded:
    message = parse(_DATA_DECODER, payload)
    if not message:
        raise Undecodable(RejectReason.UNDECODABLE, "an empty object")
    time, quality = _time(message.get("t")), _quality(message.get("q"))
    if len(message) > _MOST_FIELDS:
        raise Undecodable(RejectReason.UNDECODABLE, f"{len(message)} fields")
    readings = [
        Reading(device, channel_word(name), _value(name, value, message), None, time, quality=quality)
        for name, value in message.items()
        if name not in _ENVELOPE and not _STATUS.fullmatch(name)
    ]
    if not readings:
        raise NoReadings("no channel is enabled")
    return Decoded(readings)


def _device_status(device: str, payload: bytes) -> Decoded:
    if not payload:
        raise NoReadings("a retained status was cleared")
    said = parse(_STATUS_DECODER, payload)
    if said.macid and said.macid.lower() != device.lower():
        raise Undecodable(
            RejectReason.IDENTITY_MISMATCH, f"macid {quoted(said.macid)} is not the topic's device"
        )
    if said.status not in _CONNECTION:
        raise Undecodable(RejectReason.UNDECODABLE, f"unknown status {quoted(said.status)}")
    return Decoded((Reading(device, "online", _CONNECTION[said.status], "1"),))


def _time(time: object) -> int | None:
    if isinstance(time, str):
        return parse_time(time)
    if time is None or (type(time) is int and time == 0):
        return None
    raise Undecodable(RejectReason.UNDECODABLE, "`t` is neither a time nor 0")


def _quality(quality: object) -> Quality:
    """What the module says of all its values; that they are good is no test of ours."""
    if quality is None:
        return Quality.NOT_EVALUATED
    if type(quality) is not int or not 0 <= quality <= _HIGHEST:
        raise Undecodable(RejectReason.UNDECODABLE, "`q` is not a quality of OPC, 0 to 255")
    if quality >= _GOOD:
        return Quality.NOT_EVALUATED
    return Quality.SUSPECT if _UNCERTAIN <= quality < 2 * _UNCERTAIN else Quality.FAIL


def _value(name: str, value: object, message: Mapping[str, Any]) -> float | str:
    if isinstance(value, bool) and _DIGITAL.fullmatch(name):
        return float(value)
    analog = _ANALOG.fullmatch(name)
    if analog is None:
        return scalar(value)
    status = message.get(f"ai_st{analog[1]}")
    if value == _DISABLED or (type(status) is int and status == _DISABLED_STATUS):
        return "disabled"
    if status is None or (type(status) is int and status in _MEASURING):
        return scalar(value)
    word = scalar(status)
    return f"status {word if isinstance(word, str) else format(word, 'g')}"[:MAX_WORD]


CODEC = Codec(
    name="advantech-wise",
    version=1,
    decode=_decode,
    auxiliary=frozenset({"online"}),
    documentation=__doc__,
)
