"""What a LoRaWAN device type is: how its frames, and the objects that others decoded from them, are read.

Network servers (ChirpStack, The Things Stack) carry the same device frames; a device type is described
once, in its own module, and `ingest.codecs.lorawan` lists them. Pure; raises `Undecodable` and, for a frame
of a known kind without a reading, `NoReadings`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ingest.clock import MICROS_PER_SECOND
from ingest.codecs.base import MAX_WORD, channel_word

# "1208 mm", "3.173 V", "25.10 °C": a number, and a unit that does not begin with a digit or an exponent.
_NUMBER_WITH_UNIT = re.compile(r"([+-]?\d{1,15}(?:\.\d{1,15})?)\s*([^\d\s.,:+-]\S{0,7})", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?", re.ASCII)

LARGEST_INTEGER = 10**300  # a longer one would not fit a float64; no sensor means it
_END_OF_CLOCK = 2**32  # seconds: the device types here count them in 32 bits


class Measured(msgspec.Struct, frozen=True, gc=False):
    """One value of a frame. `value` is a text for words such as "No Sensor".

    `time`: microseconds since 1970, UTC, by the device's own clock; None when the frame does not say.
    """

    channel: str
    value: float | str
    unit: str | None
    time: int | None = None


Frame = Callable[[bytes], tuple[Measured, ...]]
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Device:
    """A device type.

    `profile` is the name of its device profile in the network server. `frame` reads a frame's bytes as sent
    on `ports` (empty: the frame describes itself and the port is the owner's choice); `other_frames` are the
    layouts that it sends on ports of their own. `auxiliary` are channels that the catalogue need not list.

    Of a decoded object: `fields` says which field is which channel and in which unit (None: the catalogue's),
    `other_fields` are known and of no interest, `texts` give a number as a text without a unit, `lists` hold
    several values of one moment (channels `<name>_1`, `<name>_2`, ...), `history` names the list of earlier
    values with a `timestamp` each. A field of `doubtful` is no number beside the field named for it.
    `repair` gives a value the meaning that the same value has in a frame. `read_object` replaces all that.
    """

    profile: str
    frame: Frame
    ports: frozenset[int]
    fields: Mapping[str, tuple[str, str | None]]
    other_fields: frozenset[str] = frozenset()
    repair: Callable[[Measured], Measured] = lambda value: value
    auxiliary: frozenset[str] = frozenset({"battery"})
    other_frames: Mapping[int, Frame] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    lists: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    history: str = ""
    doubtful: Mapping[str, str] = field(default_factory=dict)
    read_object: Callable[[Fields], Iterable[Measured]] | None = None


def object_values(device: Device, fields: Fields) -> Iterator[Measured]:
    """The values of an object that somebody decoded from a frame of this device type."""
    for name, value in fields.items():
        if name == device.history and isinstance(value, list):
            for record in value:
                yield from _record(device, record)
        elif name in device.lists and isinstance(value, list):
            channel, unit = device.lists[name]
            for number, item in enumerate(value, start=1):
                yield device.repair(measured(f"{channel}_{number}", item, unit))
        elif name not in device.other_fields:
            yield _field(device, name, value, fields)


def _record(device: Device, record: object) -> Iterator[Measured]:
    """The values of one entry of a history, or one word where it is no such entry."""
    fields = record if isinstance(record, dict) else {}
    seconds = fields.get("timestamp")
    if type(seconds) is not int or not 0 <= seconds < _END_OF_CLOCK:
        yield measured(device.history, record, None)
        return
    for name, value in fields.items():
        if name != "timestamp" and name not in device.other_fields:
            yield at(_field(device, name, value, fields), seconds)


def _field(device: Device, name: str, value: object, fields: Fields) -> Measured:
    channel, unit = device.fields.get(name, (name, None))
    if device.doubtful.get(name) in fields:
        return Measured(channel, f"doubtful beside {device.doubtful[name]}", unit)
    if name in device.texts and isinstance(value, str) and _NUMBER.fullmatch(value):
        return device.repair(Measured(channel, float(value), unit))
    return device.repair(measured(channel, value, unit))


def at(value: Measured, seconds: int) -> Measured:
    """The same value with the device's time, in seconds since 1970."""
    return Measured(value.channel, value.value, value.unit, seconds * MICROS_PER_SECOND)


def measured(channel: str, value: object, unit: str | None) -> Measured:
    """One field of a decoded object: a number in `unit`, a text "1208 mm" in its own unit, or a word.

    What is neither a number nor a text becomes a word ("null", "true", "(list)", "(dict)") for the
    normaliser to refuse by itself, so that one odd field does not take the others with it.
    """
    channel = channel_word(channel)
    if isinstance(value, str):
        match = _NUMBER_WITH_UNIT.fullmatch(value)
        if match:
            return Measured(channel, float(match[1]), match[2])
        return Measured(channel, value[:MAX_WORD], unit)
    if isinstance(value, bool) or value is None:
        return Measured(channel, {True: "true", False: "false", None: "null"}[value], unit)
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < LARGEST_INTEGER):
        return Measured(channel, float(value), unit)
    return Measured(channel, f"({type(value).__name__})", unit)
