"""Mapped JSON: any gateway whose messages are JSON, by a few lines of YAML in its route.

Topic: whatever the gateway has, as long as one level names it and one the device (a gateway with one device
may use one level for both). The route's `settings` say where things stand, by the paths of
`ingest.codecs.mapped_path`:

    settings:
      time: { path: payload.ts, format: unix_ms }
      readings:
        - { channel: level, value: payload.level, unit: cm }
        - { channel: battery, value: payload.bat, unit: V, absent: skip }

- `readings`: one entry per value. `channel` and `unit` are constants, or `{ path: ... }` where the message
  says them; without `unit` the catalogue's `source.unit` holds. `each: sensors[*]` repeats an entry for every
  element of a list (or member of an object), and its other paths are relative to that element.
- A value that is not there becomes the word "absent", which is quarantined under its channel; with
  `absent: skip` it is optional. When no path of any entry leads to a value the message is unreadable, however
  optional all are: a gateway that renamed its fields must not look like one with nothing to say. Where `each`
  goes over lists in lists, an inner one that is empty or missing is such a value too.
- `time`, of the message and of an entry (which wins): `format` is `rfc3339`, `unix_s`, `unix_ms`, `unix_us`,
  `iso_local` or a pattern such as "%d/%m/%Y %H:%M:%S"; the last two need `zone`. A time that is not there
  makes the message unreadable, or the entry's values words, unless `absent: arrival`. Without `time` the time
  of arrival holds. `clock: gateway` or `server` says who wrote it, when not the device.
- `numbers`: `strict`, `in_strings` ("12.5" is a number too) or `with_units` ("12.5 cm" as well).
- `units`: how the gateway spells units, e.g. `{ Volts: V }`; another that is not known is quarantined.
- `device`, of the message and of an entry: a path to the device's own name, which must be the topic's.
- `quality: { path: q, good: [192], suspect: [64] }` of an entry: what the device says of the value itself.
  Any other word, and none, calls it bad: it is stored, flagged as failed, and counts for nothing.
- `status`: a path to `Actual`, `Exercise` or `Test`.
- `without_readings: { path: type, is: [heartbeat] }`: messages that are known to carry none.

Fields that no path leads to are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

import msgspec
from pydantic import AfterValidator, Field, model_validator

from ingest.codecs.base import (
    MAX_READINGS,
    Address,
    Codec,
    CodecSettings,
    Decode,
    Decoded,
    NoReadings,
    Undecodable,
    needs_settings,
    parse,
    quoted,
)
from ingest.codecs.mapped_path import ABSENT, Item, Path, find, items, parse_path
from ingest.codecs.mapping import (
    ABSENT_WORD,
    MAX_RULES,
    Absent,
    Given,
    Numbers,
    QualitySettings,
    Spellings,
    TimeSettings,
    Untimed,
    Values,
    Word,
    check_unit,
    name_of,
    same_device,
    word,
)
from ingest.model import Quality, Reading, RejectReason, TimeSource

MAX_LOOKUPS: Final = 10 * MAX_READINGS  # items times entries: a full message of ten optional fields each

_ANY: Final = msgspec.json.Decoder(Any)


def _check_path(text: str) -> str:
    parse_path(text)
    return text


def _check_each(text: str) -> str:
    parse_path(text, every=True)
    return text


PathText = Annotated[str, AfterValidator(_check_path)]
EachText = Annotated[str, AfterValidator(_check_each)]


class GivenByPath(Given):
    path: PathText | None = None

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.constant is None) == (self.path is None):
            raise ValueError("write a plain text, or { path: ... } to where the message says it")
        return self


class JsonTime(TimeSettings):
    path: PathText


class JsonQuality(QualitySettings):
    path: PathText


class JsonReading(CodecSettings):
    channel: GivenByPath
    value: PathText
    unit: GivenByPath | None = None
    each: EachText | None = None
    time: JsonTime | None = None
    device: PathText | None = None
    quality: JsonQuality | None = None
    absent: Absent = Absent.WORD

    @model_validator(mode="after")
    def _unit_is_known(self) -> Self:
        if self.unit is not None and self.unit.constant is not None:
            check_unit(self.unit.constant)
        return self


class WithoutReadings(CodecSettings):
    path: PathText
    values: tuple[Word, ...] = Field(alias="is", min_length=1)


class JsonSettings(CodecSettings):
    readings: tuple[JsonReading, ...] = Field(min_length=1, max_length=MAX_RULES)
    time: JsonTime | None = None
    numbers: Numbers = Numbers.STRICT
    units: Spellings = Field(default_factory=dict)
    device: PathText | None = None
    status: PathText | None = None
    without_readings: WithoutReadings | None = None


@dataclass(frozen=True, slots=True)
class _When:
    """Where a time stands and how it is read."""

    path: Path
    read: Callable[[object], int]
    source: TimeSource
    absent: Untimed

    @classmethod
    def of(cls, settings: JsonTime, numbers: Numbers) -> _When:
        path = parse_path(settings.path)
        return cls(path, settings.reader(numbers), settings.clock.source, settings.absent)

    def at(self, item: Item) -> tuple[int | None, TimeSource]:
        """The time of an item, None where that of arrival holds, and whose it is. Raises `Undecodable`."""
        value = find(self.path, item)
        if value is not ABSENT:
            return self.read(value), self.source
        if self.absent is Untimed.ARRIVAL:
            return _ARRIVAL
        raise Undecodable(RejectReason.UNDECODABLE, f"there is no time at {quoted(self.path.text)}")


_ARRIVAL: tuple[int | None, TimeSource] = (None, TimeSource.DEVICE)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of `readings`, made ready."""

    channel: str | Path
    value: Path
    unit: str | Path | None
    each: Path | None
    when: _When | None
    device: Path | None
    quality: tuple[Path, QualitySettings] | None
    absent: Absent
    values: Values
    units: Spellings

    @classmethod
    def of(cls, entry: JsonReading, settings: JsonSettings) -> _Entry:
        return cls(
            _given(entry.channel),
            parse_path(entry.value),
            None if entry.unit is None else _given(entry.unit),
            None if entry.each is None else parse_path(entry.each, every=True),
            None if entry.time is None else _When.of(entry.time, settings.numbers),
            None if entry.device is None else parse_path(entry.device),
            None if entry.quality is None else (parse_path(entry.quality.path), entry.quality),
            entry.absent,
            Values(settings.numbers),
            settings.units,
        )

    def items(self, root: Item) -> Iterator[Item]:
        """Where this entry looks for a value."""
        return iter((root,)) if self.each is None else items(self.each, root)

    def read(
        self, device: str, item: Item, common: tuple[int | None, TimeSource]
    ) -> tuple[Reading | None, bool]:
        """The reading of an item, and whether its value is there; what cannot be read is a word in it."""
        raw = find(self.value, item)
        if raw is ABSENT and self.absent is Absent.SKIP:
            return None, False
        value, own_unit = (ABSENT_WORD, None) if raw is ABSENT else self.values.read(raw)
        time, source = common
        if self.when is not None:
            try:
                time, source = self.when.at(item)
            except Undecodable as error:
                value, (time, source) = word(f"({error.detail})"), _ARRIVAL
        unit = self._unit(item) if own_unit is None else self.units.get(own_unit, own_unit)
        channel = self.channel if isinstance(self.channel, str) else _name(self.channel, item)
        who = device if self.device is None else _device(self.device, item, device)
        quality = self._quality(item)
        return Reading(who, channel, value, unit, time, source, quality=quality), raw is not ABSENT

    def nowhere(self, device: str) -> Reading:
        """What stands for this entry when its `each` leads to no item at all."""
        where = "" if self.each is None else word(self.each.text)
        return Reading(device, self.channel if isinstance(self.channel, str) else where, ABSENT_WORD)

    def _quality(self, item: Item) -> Quality:
        if self.quality is None:
            return Quality.NOT_EVALUATED
        path, settings = self.quality
        said = find(path, item)
        return Quality.FAIL if said is ABSENT else settings.flag(said)

    def _unit(self, item: Item) -> str | None:
        if not isinstance(self.unit, Path):
            return self.unit
        unit = _name(self.unit, item)
        return self.units.get(unit, unit)


def _given(given: GivenByPath) -> str | Path:
    return (
        given.constant if given.path is None and given.constant is not None else parse_path(given.path or "")
    )


def _name(path: Path, item: Item) -> str:
    value = find(path, item)
    return ABSENT_WORD if value is ABSENT else name_of(value)


def _device(path: Path, item: Item, device: str) -> str:
    """The topic's device where the message says the same, else what it says."""
    said = _name(path, item)
    return device if same_device(said, device) else said


@dataclass(frozen=True, slots=True)
class _Plan:
    """A route's settings, made ready."""

    entries: Sequence[_Entry]
    when: _When | None
    device: Path | None
    status: Path | None
    empty: Path | None
    empty_words: frozenset[str]

    @classmethod
    def of(cls, settings: JsonSettings) -> _Plan:
        empty = settings.without_readings
        return cls(
            tuple(_Entry.of(entry, settings) for entry in settings.readings),
            None if settings.time is None else _When.of(settings.time, settings.numbers),
            None if settings.device is None else parse_path(settings.device),
            None if settings.status is None else parse_path(settings.status),
            None if empty is None else parse_path(empty.path),
            frozenset() if empty is None else frozenset(empty.values),
        )

    def decode(self, address: Address, payload: bytes) -> Decoded:
        root = Item(parse(_ANY, payload))
        if self.device is not None:
            self._check_device(self.device, root, address.device)
        if self.empty is not None and (kind := _name(self.empty, root)) in self.empty_words:
            raise NoReadings(kind)
        common = _ARRIVAL
        if self.when is not None and any(entry.when is None for entry in self.entries):
            common = self.when.at(root)
        readings = self._read(address.device, root, common)
        status = ABSENT if self.status is None else find(self.status, root)
        return Decoded(readings, None if status is ABSENT else name_of(status))

    def _check_device(self, path: Path, root: Item, device: str) -> None:
        said = _name(path, root)
        if not same_device(said, device):
            detail = f"{quoted(path.text)} is {quoted(said)}, not the topic's device"
            raise Undecodable(RejectReason.IDENTITY_MISMATCH, detail)

    def _read(self, device: str, root: Item, common: tuple[int | None, TimeSource]) -> list[Reading]:
        readings: list[Reading] = []
        lookups, found = 0, False
        for entry in self.entries:
            before = lookups
            for item in entry.items(root):
                lookups += 1
                reading, there = entry.read(device, item, common)
                found = found or there
                if reading is not None:
                    readings.append(reading)
                if lookups > MAX_LOOKUPS or len(readings) > MAX_READINGS:
                    detail = f"more than {MAX_READINGS} readings or {MAX_LOOKUPS} places to look for them"
                    raise Undecodable(RejectReason.UNDECODABLE, detail)
            if lookups == before and entry.absent is Absent.WORD:
                readings.append(entry.nowhere(device))
        if not found:
            paths = quoted(", ".join(entry.value.text for entry in self.entries))
            raise Undecodable(RejectReason.UNDECODABLE, f"none of the route's values is there: {paths}")
        return readings


def _configure(settings: JsonSettings) -> Decode:
    return _Plan.of(settings).decode


CODEC = Codec(
    name="mapped-json",
    version=1,
    decode=needs_settings,
    auxiliary=frozenset(),
    documentation=__doc__,
    settings=JsonSettings,
    configure=_configure,
)
