"""Teltonika RUT and TRB routers: what their "Data to server" sends of the Modbus devices behind them.

Topic `<what the owner sets>`, e.g. `teltonika/<router>/modbus`; the route's levels say which of its
levels are the gateway and the device. The payload is the owner's template, filled in; the vendor's default
`{"ID":"%i", "TS":"%t","ST":"%s","VR":"%a"}` makes

    {"ID":"2", "TS":"1761570000","ST":"40001","VR":"[1208]"}

or an array of 1 to 10 of them ("segment count"). Everything is text, also the numbers.

- `settings.fields` names the template's keys: `channel` (default ["ID", "ST"]: the Modbus device and the
  first register, joined by a point: channel `2.40001`; a template with the request's name has that one
  key), `value` ("VR"), `time` ("TS"; null when the template has none: the time of arrival holds), `device`
  (none; a key that must repeat the topic's device). Keys that are not named are of no interest.
- `settings.time`: `unix_s` (default), or `{format: "%Y-%m-%d %H:%M:%S", zone: "+07:00"}` for a local time;
  `ingest.codecs.local_time` lists the directives.
- Values are numbers, or decimal numbers as text ("12.5", "-3", "1e3"; not "NaN", "0x1F", "1,5", "+1"),
  alone or as an array in brackets. One in brackets is the channel itself, several are `2.40001[1]`,
  `2.40001[2]`, ...; registers are as they are, in the catalogue's `source.unit`. Any other text, and an
  empty array, is no value and is quarantined by itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from pydantic import Field

from ingest.clock import MICROS_PER_SECOND
from ingest.codecs.base import (
    MAX_READINGS,
    MAX_WORD,
    Address,
    Codec,
    CodecSettings,
    Decoded,
    Undecodable,
    channel_word,
    parse,
    quoted,
)
from ingest.codecs.fields import scalar
from ingest.codecs.local_time import TimePattern, Zone, parse_format
from ingest.model import Reading, RejectReason

_Key = Annotated[str, Field(min_length=1, max_length=MAX_WORD)]


class TemplateFields(CodecSettings):
    """The keys of the owner's template."""

    channel: Annotated[tuple[_Key, ...], Field(min_length=1, max_length=4)] = ("ID", "ST")
    value: _Key = "VR"
    time: _Key | None = "TS"
    device: _Key | None = None


class LocalTime(CodecSettings):
    """The form of a time without a zone, and the zone that the router's clock is set to."""

    format: TimePattern
    zone: Zone


class TeltonikaSettings(CodecSettings):
    """How the owner's template is to be read; by default the vendor's own."""

    fields: TemplateFields = TemplateFields()
    time: Literal["unix_s"] | LocalTime = "unix_s"


_NUMBER: Final = re.compile(r"-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)
_UNIX_SECONDS: Final = re.compile(r"\d{1,11}", re.ASCII)
_ARRAY: Final = re.compile(r"\[(.*)\]", re.DOTALL)

_Segment = dict[str, Any]
_DECODER = msgspec.json.Decoder(
    _Segment | Annotated[list[_Segment], Meta(min_length=1, max_length=MAX_READINGS)]
)


def _decode(settings: TeltonikaSettings, address: Address, payload: bytes) -> Decoded:
    message = parse(_DECODER, payload)
    segments = message if isinstance(message, list) else [message]
    found = chain.from_iterable(_readings(settings, address.device, segment) for segment in segments)
    readings = list(islice(found, MAX_READINGS + 1))
    if len(readings) > MAX_READINGS:
        raise _undecodable(f"more than {MAX_READINGS} values")
    return Decoded(readings)


def _readings(settings: TeltonikaSettings, device: str, segment: Mapping[str, Any]) -> Iterator[Reading]:
    fields = settings.fields
    if fields.device is not None and _text(segment, fields.device) != device:
        detail = (
            f"{quoted(fields.device)} says {quoted(_text(segment, fields.device))}, not the topic's device"
        )
        raise Undecodable(RejectReason.IDENTITY_MISMATCH, detail)
    channel = channel_word(".".join(_text(segment, key) for key in fields.channel))
    time = None if fields.time is None else _time(settings, _text(segment, fields.time))
    values = _values(_field(segment, fields.value))
    for place, value in enumerate(values, start=1):
        name = channel if len(values) == 1 else channel_word(f"{channel}[{place}]")
        yield Reading(device, name, _number(value), None, time)


def _field(segment: Mapping[str, Any], key: str) -> Any:
    if key not in segment:
        raise _undecodable(f"the template's key {quoted(key)} is missing")
    return segment[key]


def _text(segment: Mapping[str, Any], key: str) -> str:
    """A text, or a whole number where the owner left the quotes out."""
    value = _field(segment, key)
    if isinstance(value, str) and value:
        return value
    if type(value) is int and value.bit_length() <= 64:  # not a boolean, which is an int of its own kind
        return str(value)
    raise _undecodable(f"{quoted(key)} is neither a text nor a whole number")


def _time(settings: TeltonikaSettings, text: str) -> int:
    if isinstance(settings.time, LocalTime):
        return parse_format(text, settings.time.format, settings.time.zone)
    if not _UNIX_SECONDS.fullmatch(text):
        raise _undecodable(f"time {quoted(text)} is not whole seconds since 1970")
    return int(text) * MICROS_PER_SECOND


def _values(value: Any) -> Sequence[Any]:
    """The values of one segment; never none, since a request without an answer must be seen."""
    if isinstance(value, str) and (match := _ARRAY.fullmatch(value)) is not None:
        value = [part.strip(" ") for part in match[1].split(",", MAX_READINGS)]
    return value or ["[]"] if isinstance(value, list) else [value]


def _number(value: Any) -> float | str:
    if isinstance(value, str) and _NUMBER.fullmatch(value) and math.isfinite(number := float(value)):
        return number
    return scalar(value)


def _undecodable(detail: str) -> Undecodable:
    return Undecodable(RejectReason.UNDECODABLE, detail)


CODEC = Codec(
    name="teltonika",
    version=1,
    decode=partial(_decode, TeltonikaSettings()),
    auxiliary=frozenset(),
    documentation=__doc__,
    settings=TeltonikaSettings,
    configure=lambda settings: partial(_decode, settings),
)
