"""What a codec is: the contract between a gateway's payload format and the normaliser.

A codec turns one message of a known gateway into readings, or raises `Undecodable` (quarantine the
message) or `NoReadings` (a join or a status: nothing is wrong). It is pure: no I/O, no clock, no state.
What a format spreads over messages (the names in a Sparkplug birth) it asks to be remembered: it is given
back as `Address.memory`, after a restart too. What a route must declare (the zone of local times) is the
codec's `settings`. It never judges identity beyond the payload's own claim, nor times, units or values;
`ingest.normalise` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.clock import MICROS_PER_SECOND, to_micros
from ingest.model import Reading, RejectReason, Request

MAX_READINGS = 1_000  # of one message: ten times the longest history block of a known device
MAX_WORD = 64  # characters of a channel, unit or value word; the catalogue's own bound for channels
MAX_DETAIL = 200  # characters of a reason in words: enough to act on, too few to fill a disk with
_MAX_QUOTED = 130  # characters of foreign text in one, escapes included: two of them fit

T = TypeVar("T")

# RFC 3339 with an offset, in pieces. Python's own parser alone also takes week dates and dates without a
# zone; `re.ASCII` because `\d` would match the digits of every script.
_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)
_SECOND = {f":{second:02}": second * MICROS_PER_SECOND for second in range(60)}  # no leap second
_FRACTION_AND_ZONE = re.compile(r"(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII)
_TIMES_REMEMBERED = 4_096  # minutes, and zones: sensors of one city report the same ones


Memory = Mapping[str, bytes]
NOTHING: Memory = MappingProxyType({})


class Undecodable(Exception):
    """The message cannot be read; it goes to quarantine whole, with `reason` and a `detail` for people.

    `remember` and `requests` as in `Decoded`: a codec that lacks a birth asks for it all the same.
    """

    def __init__(
        self,
        reason: RejectReason,
        detail: str,
        *,
        remember: Memory = NOTHING,
        requests: Sequence[Request] = (),
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.remember = remember
        self.requests = requests


class NoReadings(Exception):
    """The message is of a kind known to carry no reading, e.g. a join; nothing is wrong with it."""


class Address(msgspec.Struct, frozen=True):
    """Who sent a message, from the topic alone: its levels and the identities that the route names.

    `memory`: what the codec asked to remember of this gateway, by its own keys; it changes under the codec's
    feet only between two messages.
    """

    levels: tuple[str, ...]
    gateway: str
    device: str
    memory: Memory = NOTHING


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """What a message said. `nature` is the CAP status that it claims for itself, None when it claims none.

    `remember`: what the codec wants to find in `Address.memory` from the next message of this gateway on; an
    empty value forgets the key. `requests`: messages for the gateway, sent after the commit.
    """

    readings: Sequence[Reading]
    nature: str | None = None
    remember: Memory = NOTHING
    requests: Sequence[Request] = ()


class CodecSettings(BaseModel):
    """What a route must say so that its codec can read it; each codec derives its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Decode = Callable[[Address, bytes], Decoded]


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload format.

    `version` rises whenever the same payload would decode differently (it is part of a quarantine row's
    key). `auxiliary` names channels that may go unlisted in the catalogue without being an error, such as
    a battery; an unlisted channel outside it is refused, so that a renamed channel cannot vanish unseen.
    `documentation` is Markdown for people. A format that a route must describe has `settings`, its model,
    and `configure`, which makes the decoder from it; its `decode` is the one with nothing described.
    """

    name: str
    version: int
    decode: Decode
    auxiliary: frozenset[str]
    documentation: str
    settings: type[CodecSettings] = CodecSettings
    configure: Callable[[Any], Decode] | None = None

    def decoder(self, settings: Mapping[str, Any]) -> Decode:
        """The decoder for a route with these settings; `ValueError` says what is wrong with them."""
        try:
            given = self.settings.model_validate_json(msgspec.json.encode(settings))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "settings"
            raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
        return self.decode if self.configure is None else self.configure(given)


def needs_settings(_address: Address, _payload: bytes) -> Decoded:
    """The `decode` of a format that cannot be read without a description."""
    raise Undecodable(RejectReason.UNDECODABLE, "the route has no settings for this codec")


def refuse_event(event: str, empty: Container[str]) -> NoReturn:
    """For an event that is not read: `NoReadings` where it is one of `empty`, else `Undecodable`."""
    if event in empty:
        raise NoReadings(event)
    raise Undecodable(RejectReason.UNDECODABLE, f"unknown event {quoted(event)}")


def quoted(text: str) -> str:
    """Foreign text made safe to print: its first 64 characters as quoted ASCII with escapes, fewer of those
    that need long ones."""
    shown = ascii(text[:MAX_WORD])
    return shown if len(shown) <= _MAX_QUOTED else f"{shown[: _MAX_QUOTED - 4]}...{shown[0]}"


def printable(text: str) -> str:
    """An error's own words, which may repeat foreign ones, within `MAX_DETAIL` characters of ASCII."""
    return ascii(text[:MAX_DETAIL])[1:-1][:MAX_DETAIL]


def channel_word(name: str) -> str:
    """A foreign name as a channel. It is cut one character beyond the longest that the catalogue can have,
    so that no part of a longer name is taken for a channel, and a message of long names stays small."""
    return name[: MAX_WORD + 1] or "(empty)"


def parse(decoder: msgspec.json.Decoder[T], payload: bytes | msgspec.Raw) -> T:
    """Decode JSON by a typed decoder; whatever is wrong with it raises `Undecodable`."""
    try:
        return decoder.decode(payload)
    except UnicodeDecodeError as error:
        raise Undecodable(RejectReason.UNDECODABLE, f"not UTF-8 at byte {error.start} of a text") from None
    except msgspec.DecodeError as error:
        raise Undecodable(RejectReason.UNDECODABLE, printable(str(error))) from None
    except RecursionError:
        raise Undecodable(RejectReason.UNDECODABLE, "nested too deeply") from None


def parse_time(text: str) -> int:
    """An RFC 3339 time with an offset as microseconds since 1970, cut (not rounded) to whole microseconds."""
    try:
        return _minute(text[:16]) + _SECOND[text[16:19]] + _fraction_and_zone(text[19:])
    except (KeyError, ValueError):
        detail = f"time {quoted(text)} is not RFC 3339 with an offset, such as 2025-10-27T20:00:00+07:00"
        raise Undecodable(RejectReason.UNDECODABLE, detail) from None


@lru_cache(_TIMES_REMEMBERED)
def _minute(text: str) -> int:
    if not _MINUTE.fullmatch(text):
        raise ValueError(text)
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


@lru_cache(_TIMES_REMEMBERED)
def _fraction_and_zone(text: str) -> int:
    match = _FRACTION_AND_ZONE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    fraction, sign, hours, minutes = match.groups()
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    if sign is None:
        return micros
    east = (int(hours) * 60 + int(minutes)) * 60 * MICROS_PER_SECOND
    return micros - east if sign == "+" else micros + east
