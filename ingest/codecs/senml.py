"""SenML (RFC 8428): a pack of records resolved into readings, for the JSON and the CBOR notation alike.

`pack_reader` makes the reader of a route; it takes the topic's address and the decoded pack (a list of
mappings with the labels of JSON). It promises the RFC's rules for base fields, and refuses a pack, by
`Undecodable`, where the RFC says that an error must be generated: a later version, an unknown label that ends
in `_`, a name of other characters, no or several values in a record. Called by the two SenML codecs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal

from pydantic import Field

from ingest.clock import MICROS_PER_SECOND
from ingest.codecs.base import (
    MAX_READINGS,
    MAX_WORD,
    Address,
    CodecSettings,
    Decoded,
    NoReadings,
    Undecodable,
    quoted,
)
from ingest.model import Reading, RejectReason

PACK = """
- Identity is the topic's alone. The channel is the resolved name (base name + name). Without settings, a name
  that begins with the topic's device and one of `: / _ .` loses that beginning:
  `radar-1:level` of device radar-1 is the channel `level`. With the setting `prefix`, such as
  `urn:dev:mac:{device}:`, every name must begin so, or the message is quarantined as `identity_mismatch`;
  what follows is the channel. A name that is the prefix alone is a channel as it stands.
- `v`, with the base value added in decimal, is the value. `true` and `false` of `vb` are 1 and 0. `vs`, and
  a `v` that is a text or null, is a word: quarantined as `sentinel` or `not_a_number`. A record that has
  only a sum (`s`) is the word "sum only": an integral is no sample. Binary values (`vd`) are passed over;
  sums beside values, base sums and update times too.
- A record that has nothing but base fields sets them. Otherwise it must have exactly one value.
- `u`, or the base unit: `Cel` is degC, `/` is 1, `/100` is %, `kg/m3` is g/L; any other is taken as it is
  written, so that one that Huewatch does not know is quarantined. That includes `%EL`, the charge of a
  battery, which may share its name with a humidity in `%RH`.
- Time: base time + time, in seconds, to the nearest microsecond. From 2^28 on it is absolute. Below, it is
  relative to the time of arrival: 0 (also when both are absent) is the arrival, -300 five minutes before.
- Versions up to 10, and 26 (RFC 9100: with secondary units). At most 1,000 records.
"""

_RELATIVE_BELOW = 2**28  # seconds; RFC 8428, 4.5.3
_LONGEST_AGE = 2**61  # microseconds, 73,000 years: what the columns can still hold, far too old to be stored
_LONGEST_TEXT = (
    512  # of a name, twice the longest prefix and channel; a base name is read anew in each record
)
_VERSION = 10
_VERSION_WITH_SECONDARY_UNITS = 26  # RFC 9100: 10 and the bit of feature 4
_PER_SECOND = Decimal(MICROS_PER_SECOND)
_DECIMAL = Context(prec=700, traps=[])  # digits: the sum of the largest and the least float64 has 633
_VALUES = ("v", "vs", "vb", "vd")
_BASES = frozenset({"bver", "bn", "bt", "bu", "bv", "bs"})
_SEPARATORS = ":/_."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*")
_UNITS = {"Cel": "degC", "/": "1", "/100": "%", "kg/m3": "g/L"}

PackReader = Callable[[Address, object], Decoded]


class SenmlSettings(CodecSettings):
    """`prefix`: how every name of a device begins; `{device}` stands for the topic's device."""

    prefix: str | None = Field(default=None, min_length=1, max_length=128)


@dataclass(slots=True)
class _Base:
    """The base fields in force."""

    name: str = ""
    time: Decimal = Decimal(0)
    unit: str | None = None
    value: Decimal = Decimal(0)

    def update(self, record: Mapping[object, object]) -> None:
        if "bn" in record:
            self.name = _text(record, "bn")
        if "bt" in record:
            self.time = _exact(record, "bt")
        if "bu" in record:
            self.unit = _text(record, "bu")
        if "bv" in record:
            self.value = _exact(record, "bv")


def pack_reader(settings: SenmlSettings) -> PackReader:
    """The reader of a route's packs."""
    return lambda address, pack: _read(address, settings.prefix, pack)


def _read(address: Address, prefix: str | None, pack: object) -> Decoded:
    if not isinstance(pack, list) or not pack:
        raise _unreadable("not an array of records")
    if len(pack) > MAX_READINGS:
        raise _unreadable(f"{len(pack)} records")
    named = address.device if prefix is None else prefix.replace("{device}", address.device)
    base, readings = _Base(), []
    for record in pack:
        if not isinstance(record, dict):
            raise _unreadable("a record is not a map")
        _check_labels(record)
        base.update(record)
        value = _value(record, base)
        if value is not None:
            channel = _channel(_name(record, base), named, required=prefix is not None)
            time, age = _time(record, base)
            readings.append(Reading(address.device, channel, value, _unit(record, base), time, age=age))
    if not readings:
        raise NoReadings("no record with a number or a word")
    return Decoded(readings)


def _check_labels(record: Mapping[object, object]) -> None:
    """Refuse what the RFC says must be understood and is not."""
    for label in record:
        if isinstance(label, str) and label.endswith("_"):
            raise _unreadable(f"label {quoted(label)} must be understood, and is not")
    version = record.get("bver", _VERSION)
    known = type(version) is int and (0 < version <= _VERSION or version == _VERSION_WITH_SECONDARY_UNITS)
    if not known:
        shown = str(version) if type(version) is int and abs(version) < 2**31 else type(version).__name__
        raise _unreadable(f"version {quoted(shown)} is not known")


def _value(record: Mapping[object, object], base: _Base) -> float | str | None:
    """The record's value; None when it has none that is a number or a word."""
    given = [label for label in _VALUES if label in record]
    if len(given) > 1:
        raise _unreadable(f"a record with {given[0]} and {given[1]}")
    if given:
        return _given_value(given[0], record[given[0]], base)
    if "s" in record:
        return "sum only"
    if record and record.keys() <= _BASES:
        return None
    raise _unreadable("a record without a value")


def _given_value(label: str, value: object, base: _Base) -> float | str | None:
    if label == "vd":
        return None
    if label == "vb" and isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and label in ("v", "vs"):
        return value[:MAX_WORD]
    if label == "v" and value is None:
        return "null"
    if label == "v" and isinstance(value, int | float) and not isinstance(value, bool):
        return _sum(value, base)
    raise _unreadable(f"the value of {label} is of another type")


def _sum(value: float, base: _Base) -> float | str:
    """Value and base value, added as the decimals that were written: 1.1 and 2.2 are 3.3."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        total = float(_DECIMAL.add(_decimal(value), base.value)) if base.value else float(value)
    except OverflowError:
        return "inf"
    return total if math.isfinite(total) else str(total)


def _name(record: Mapping[object, object], base: _Base) -> str:
    name = base.name + (_text(record, "n") if "n" in record else "")
    if not _NAME.fullmatch(name):
        raise _unreadable(f"name {quoted(name)} is not one of SenML")
    return name


def _channel(name: str, prefix: str, *, required: bool) -> str:
    """What a name says beyond the prefix. It is cut one character beyond the longest channel that the
    catalogue can have, so that no part of a longer name is taken for one."""
    stem = prefix[:-1] if prefix[-1] in _SEPARATORS else prefix
    rest = name.removeprefix(stem)
    if required and not (name.startswith(stem) and rest[:1] in ("", *_SEPARATORS)):
        raise Undecodable(
            RejectReason.IDENTITY_MISMATCH, f"name {quoted(name)} does not begin with {quoted(prefix)}"
        )
    inner = rest[1:] if name.startswith(stem) and rest[:1] in (*_SEPARATORS,) else ""
    return (inner or name)[: MAX_WORD + 1]


def _unit(record: Mapping[object, object], base: _Base) -> str | None:
    unit = _text(record, "u") if "u" in record else base.unit
    return None if unit is None else _UNITS.get(unit, unit)[: MAX_WORD + 1]


def _time(record: Mapping[object, object], base: _Base) -> tuple[int | None, int]:
    """The absolute time, or None and how long before its arrival the record is from; microseconds."""
    seconds = _DECIMAL.add(base.time, _exact(record, "t")) if "t" in record else base.time
    micros = round(_DECIMAL.multiply(seconds, _PER_SECOND))
    return (micros, 0) if seconds >= _RELATIVE_BELOW else (None, min(-micros, _LONGEST_AGE))


def _exact(record: Mapping[object, object], label: str) -> Decimal:
    value = record[label]
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float) and math.isfinite(value):
        return _decimal(value)
    raise _unreadable(f"{label} is not a number")


def _decimal(value: float) -> Decimal:
    """A number as the decimal that was written."""
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))


def _text(record: Mapping[object, object], label: str) -> str:
    value = record[label]
    if not isinstance(value, str):
        raise _unreadable(f"{label} is not a text")
    if len(value) > _LONGEST_TEXT:
        raise _unreadable(f"{label} of {len(value)} characters")
    return value


def _unreadable(detail: str) -> Undecodable:
    return Undecodable(RejectReason.UNDECODABLE, detail)
