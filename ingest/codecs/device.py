"""What a LoRaWAN device type is: how its frames, and the objects that others decoded from them, are read.

Network servers (ChirpStack, The Things Stack) carry the same device frames; a device type is described
once, in its own module, and `ingest.codecs.lorawan` lists them. Pure; raises `Undecodable` only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from ingest.codecs.base import MAX_WORD

# "1208 mm", "3.173 V", "25.10 °C": a number, and a unit that does not begin with a digit or an exponent.
_NUMBER_WITH_UNIT = re.compile(r"([+-]?\d{1,15}(?:\.\d{1,15})?)\s*([^\d\s.,:+-]\S{0,7})", re.ASCII)

LARGEST_INTEGER = 10**300  # a longer one would not fit a float64; no sensor means it


class Measured(msgspec.Struct, frozen=True, gc=False):
    """One value of a frame. `value` is a text for words such as "No Sensor".

    `time`: microseconds since 1970, UTC, by the device's own clock; None when the frame does not say.
    """

    channel: str
    value: float | str
    unit: str | None
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A device type.

    `profile` is the name of its device profile in the network server. `frame` reads a frame's bytes as sent
    on `ports` (empty: the frame describes itself and the port is the owner's choice). `fields` says which
    field of a decoded object is which channel and in which unit; `other_fields` are known and of no
    interest; `repair` gives a value of an object the meaning that the same value has in a frame.
    `auxiliary` are channels that the catalogue need not list.
    """

    profile: str
    frame: Callable[[bytes], tuple[Measured, ...]]
    ports: frozenset[int]
    fields: Mapping[str, tuple[str, str]]
    other_fields: frozenset[str] = frozenset()
    repair: Callable[[Measured], Measured] = lambda value: value
    auxiliary: frozenset[str] = frozenset({"battery"})


def measured(channel: str, value: object, unit: str | None) -> Measured:
    """One field of a decoded object: a number in `unit`, a text "1208 mm" in its own unit, or a word.

    What is neither a number nor a text becomes a word ("null", "true", "(list)", "(dict)") for the
    normaliser to refuse by itself, so that one odd field does not take the others with it.
    """
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
