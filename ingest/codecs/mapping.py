"""What the mapped formats share: how a route says what a number, a unit and a time look like in a message.

Only what is declared is read: a number in quotes is a text unless `numbers` says otherwise, a comma is no
decimal sign unless `decimal` says so, a time is of the one `format` given, and one without an offset needs
`zone`. What cannot be read becomes a word, which the normaliser refuses by itself (or knows as a sentinel),
so that one odd field does not take its neighbours with it. Pure. Used by `mapped_json` and `mapped_csv`;
`word_of` and `check_unit` by other codecs too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from ingest.clock import MICROS_PER_SECOND
from ingest.codecs.base import MAX_WORD, CodecSettings, Undecodable, parse_time, quoted
from ingest.codecs.local_time import Zone, parse_format, parse_local
from ingest.model import Quality, RejectReason, TimeSource
from ingest.units import UNITS

ABSENT_WORD: Final = "absent"  # the value of what a route wants and a message does not have
MAX_RULES: Final = 200  # readings that one route may describe: more than the fields of any known gateway

# At most 15 digits a side and an exponent of two: always finite, and as exact as a float64 can be.
_NUMBER: Final = r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?(?:[eE][+-]?[0-9]{1,2})?"
_NUMBER_AND_UNIT: Final = re.compile(rf"({_NUMBER})(?:\s*([^\d\s.,:+-]\S{{0,15}}))?", re.ASCII)
_UNIX_TIME: Final = re.compile(r"[0-9]{1,19}(?:\.[0-9]{1,9})?")
_LARGEST_INTEGER: Final = 10**300  # a longer one would not fit a float64; no sensor means it

_PER_UNIT: Final = {"unix_s": MICROS_PER_SECOND, "unix_ms": 1_000, "unix_us": 1}
_OF_THEIR_OWN: Final = ("rfc3339", *_PER_UNIT)  # formats that need no zone
_LOCAL: Final = "iso_local"


class Numbers(StrEnum):
    """How a gateway writes numbers."""

    STRICT = "strict"  # 12.5
    IN_STRINGS = "in_strings"  # 12.5 or "12.5"
    WITH_UNITS = "with_units"  # 12.5 or "12.5" or "12.5 cm"


class DecimalSign(StrEnum):
    POINT = "point"
    COMMA = "comma"


class Absent(StrEnum):
    """What a value is that is not in a message: a word in quarantine, or nothing because it is optional."""

    WORD = "word"
    SKIP = "skip"


class Clock(StrEnum):
    """Whose clock wrote a time."""

    DEVICE = "device"
    GATEWAY = "gateway"  # one held by GPS or NTP
    SERVER = "server"

    @property
    def source(self) -> TimeSource:
        """The same in the words of the model."""
        return TimeSource[self.name]


class Untimed(StrEnum):
    """What holds where a message has no time: nothing (it is refused), or when it arrived."""

    REFUSE = "refuse"
    ARRIVAL = "arrival"


def check_unit(unit: str) -> str:
    """A unit of `ingest.units`; `ValueError` for any other."""
    if unit not in UNITS:
        raise ValueError(f"unit {unit!r} is not known: use one of {', '.join(UNITS)}")
    return unit


def _check_format(text: str) -> str:
    if text in (*_OF_THEIR_OWN, _LOCAL):
        return text
    if "%" not in text:
        known = ", ".join((*_OF_THEIR_OWN, _LOCAL))
        raise ValueError(f'{text!r} is neither one of {known} nor a pattern such as "%Y-%m-%d %H:%M:%S"')
    with suppress(Undecodable):  # a pattern that checks does not fit this text
        parse_format("", text, 0)
    return text


Word = Annotated[str, Field(min_length=1, max_length=MAX_WORD)]
KnownUnit = Annotated[str, AfterValidator(check_unit)]
Spellings = dict[Word, KnownUnit]  # how a gateway writes a unit -> the unit
TimeFormat = Annotated[str, AfterValidator(_check_format)]


class Given(CodecSettings):
    """Something constant, written as plain text, or said by the message, at a place that a codec adds."""

    constant: Word | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain_text(cls, given: Any) -> Any:
        return {"constant": given} if isinstance(given, str) else given


class TimeSettings(CodecSettings):
    """How a time is written. The place where it stands is added by each codec."""

    format: TimeFormat
    zone: Zone | None = None
    clock: Clock = Clock.DEVICE
    absent: Untimed = Untimed.REFUSE

    @model_validator(mode="after")
    def _zone_where_none_is_said(self) -> Self:
        if self.format in _OF_THEIR_OWN and self.zone is not None:
            raise ValueError(f"{self.format} needs no zone: leave `zone` out")
        if self.format not in _OF_THEIR_OWN and self.zone is None:
            raise ValueError(f'{self.format} says no zone: add `zone`, such as "+07:00"')
        return self

    def reader(self, numbers: Numbers) -> Callable[[object], int]:
        """What reads a value of this form as microseconds UTC; it raises `Undecodable`."""
        if self.format in _PER_UNIT:
            return partial(_unix_time, self.format, numbers is not Numbers.STRICT)
        if self.format == "rfc3339":
            return lambda value: parse_time(_text(value))
        zone = self.zone or 0
        if self.format == _LOCAL:
            return lambda value: parse_local(_text(value), zone)
        return lambda value: parse_format(_text(value), self.format, zone)


def _text(value: object) -> str:
    """The text of a time: %Y%m%d may come as a number; anything else than the two is no time."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int and abs(value) < _LARGEST_INTEGER else f"({type(value).__name__})"


def _unix_time(unit: str, in_strings: bool, value: object) -> int:
    """Seconds, milliseconds or microseconds since 1970 as microseconds, fractions rounded to them."""
    if isinstance(value, str) and in_strings and _UNIX_TIME.fullmatch(value):
        value = int(value) if value.isdecimal() else float(value)
    if type(value) is int and abs(value) < _LARGEST_INTEGER:
        return value * _PER_UNIT[unit]
    if isinstance(value, float):
        whole = int(value)
        return whole * _PER_UNIT[unit] + round((value - whole) * _PER_UNIT[unit])
    detail = f"time {quoted(str(word_of(value)))} is not a number ({unit})"
    raise Undecodable(RejectReason.UNDECODABLE, detail)


class QualitySettings(CodecSettings):
    """Which words of a gateway call a value good or suspect; every other one, and none, calls it bad.

    Good is not our pass: the value is then judged as every other.
    """

    good: tuple[bool | int | Word, ...] = Field(min_length=1)
    suspect: tuple[bool | int | Word, ...] = ()

    def flag(self, said: object) -> Quality:
        """The device's own verdict on a value."""
        name = verdict(said)
        if name in map(verdict, self.good):
            return Quality.NOT_EVALUATED
        return Quality.SUSPECT if name in map(verdict, self.suspect) else Quality.FAIL


def verdict(said: object) -> str:
    """A word, a number or true and false as one text, so that 192 in JSON and "192" in CSV are the same."""
    return str(said).lower() if isinstance(said, bool) else name_of(said)


@dataclass(frozen=True, slots=True)
class Values:
    """How values are read: numbers as they are declared, everything else as words."""

    numbers: Numbers
    decimal: DecimalSign = DecimalSign.POINT

    def read(self, value: object) -> tuple[float | str, str | None]:
        """A number or a word, and the unit where the text itself has one."""
        if not isinstance(value, str) or self.numbers is Numbers.STRICT:
            return word_of(value), None
        text = value.strip()
        if self.decimal is DecimalSign.COMMA:
            text = text.translate(_SWAPPED)
        match = _NUMBER_AND_UNIT.fullmatch(text)
        if match is None or (match[2] and self.numbers is not Numbers.WITH_UNITS):
            return word(value.strip()), None
        return float(match[1]), match[2]


_SWAPPED: Final = str.maketrans(",.", ".,")  # so that the other sign is none


def word_of(value: object) -> float | str:
    """A JSON value as a finite number, or as the word that says what it is instead."""
    if isinstance(value, str):
        return word(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < _LARGEST_INTEGER):
        return float(value)
    return f"({type(value).__name__})"


def word(text: str) -> str:
    """Foreign text within a word's length; what is longer is marked, lest its head be taken for the whole."""
    return text if len(text) <= MAX_WORD else f"{text[: MAX_WORD - 3]}..."


def name_of(value: object) -> str:
    """A channel, unit or device that a message gives: text, or a whole number; else a word that is none."""
    if isinstance(value, str):
        return word(value) or "(empty)"
    if type(value) is int and abs(value) < _LARGEST_INTEGER:
        return word(str(value))
    return f"({type(value).__name__})"


def same_device(said: str, device: str) -> bool:
    """Whether a message names the topic's device; hexadecimal identities are written in either case."""
    return said.lower() == device.lower()
