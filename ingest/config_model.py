"""What every configuration file is made of: strict models, durations with units, identifiers, texts.

Used by the catalogue, by the settings of quality tests and derived datastreams, and by rules.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|min|h|d)")


def parse_duration(value: Any, info: ValidationInfo) -> Any:
    """ "5min", "30 s" or "2h" in seconds. A number is taken as seconds in code, and refused in a file."""
    if isinstance(value, str):
        match = DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{value!r} is not a duration such as 30 s, 5min or 2h")
        return float(match[1]) * SECONDS_PER_UNIT[match[2]]
    if info.mode == "json":
        raise ValueError("a duration needs its unit, such as 30 s, 5min or 2h")
    return value


Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
# "<station id>/<datastream name>"
DatastreamKey = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}/[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
]
# A level of a topic that is an identity: what vendors write there, such as hue@city or Datastreams(7), too.
TopicLevel = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:()-]{0,63}$")]
Duration = Annotated[  # seconds; YAML writes "5min", "30 s", "2h"
    float,
    Field(gt=0),
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{DURATION.pattern}$", "examples": ["30 s", "5min", "2h"]}
    ),
]


_NOTHING: set[str] = set()


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def model_post_init(self, _context: Any) -> None:
        """Forget which fields were written: nobody asks, and of 10,000 stations it is 30 MB."""
        object.__setattr__(self, "__pydantic_fields_set__", _NOTHING)


class Text(Model):
    """One text in Vietnamese and English."""

    vi: str
    en: str


@lru_cache(1_024)
def shared(value: Hashable) -> Hashable:
    """One object for all that are equal: thousands of gauges are set alike, and models are large."""
    return value
