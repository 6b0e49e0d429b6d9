"""Quantities as rules write them ("0.10 m", "15 cm/h") in the unit of the series they are compared with.

A bare number is in the series' own unit. Only lengths are converted: every other unit must be written as
the series has it, since a wrong conversion would be a wrong alarm level.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

METRES = {"mm": 0.001, "cm": 0.01, "m": 1.0}
PER_HOUR = {"h": 1.0, "min": 60.0, "s": 3_600.0}
SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)?(h|min|s)")  # "30min", or "h" for one
NUMBER = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?) ?(\S{0,16})")


class Quantity(tuple[float, str]):
    """A number and its unit, "" where none was written."""

    def text(self) -> str:
        return f"{self[0]:g} {self[1]}".strip()

    def in_unit(self, unit: str) -> float:
        """The number in `unit`; `ValueError` when its own unit cannot be converted."""
        value, own = self
        if own in ("", unit):
            return value
        if own in METRES and unit in METRES:
            return round(value * METRES[own] / METRES[unit], 9)  # 8 cm is 0.08 m and not 0.08000000000000002
        raise ValueError(f"{self.text()} cannot be compared with a series in {unit}")

    def per_hour(self, unit: str) -> float:
        """A rate in `unit` per hour; `ValueError` when it is not a rate or cannot be converted."""
        value, own = self
        numerator, slash, time = own.rpartition("/")
        span = SPAN.fullmatch(time)
        if not slash or span is None or float(span[1] or 1) == 0:
            raise ValueError(f"{self.text()} is not a rate such as 15 cm/h or 15 cm/30min")
        share = PER_HOUR[span[2]] / float(span[1] or 1)
        return round(Quantity((value, numerator)).in_unit(unit) * share, 9)


def parse_quantity(value: Any) -> Quantity:
    """ "0.10 m", "15 cm/h", 0.1; `ValueError` for anything else, NaN and booleans included."""
    if isinstance(value, Quantity):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return Quantity((float(value), ""))
    match = NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a quantity such as 0.10 m or 15 cm/h")
    return Quantity((float(match[1]), match[2]))


QuantityField = Annotated[
    Any,
    BeforeValidator(parse_quantity),
    PlainSerializer(Quantity.text),
    WithJsonSchema({"type": ["string", "number"], "examples": ["0.10 m", "15 cm/h", 0.2]}),
]
