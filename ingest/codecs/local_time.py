"""Times that a device writes without a zone, read by the zone that its route declares.

A codec of such a format has a required setting `zone: Zone` and gives it to `parse_local` (ISO 8601) or to
`parse_format` (a pattern of the route). Both return microseconds since 1970 UTC and raise `Undecodable`
only. Nothing is guessed: a zone is a fixed offset, never a name whose rules a device may not follow; a text
must have exactly the form that was declared. Whether a time can be believed is the normaliser's question.
Pure. Used by the codecs of zone-less formats.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from ingest.clock import MICROS_PER_SECOND, to_micros
from ingest.codecs.base import Undecodable, parse_time, quoted
from ingest.model import RejectReason

_ZONE: Final = re.compile(r"([+-])(\d\d):([0-5]\d)", re.ASCII)
_ZONE_AT_THE_END: Final = re.compile(r"(Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_FURTHEST_WEST, _FURTHEST_EAST = -12 * 60, 14 * 60  # minutes: the offsets that exist
_MAX_PATTERN: Final = 64  # characters; the longest documented form has 26
_PATTERNS_REMEMBERED: Final = 256  # more than the routes of a city that declare one

# Widths are exact: "1" for a January would make 2025-111 two days at once. Years have four digits, since
# two need a guess at the century.
_DIRECTIVES: Final = {
    "Y": r"(?P<Y>\d{4})",
    "m": r"(?P<m>\d\d)",
    "d": r"(?P<d>\d\d)",
    "H": r"(?P<H>\d\d)",
    "M": r"(?P<M>\d\d)",
    "S": r"(?P<S>\d\d)",
    "f": r"(?P<f>\d{1,9})",
    "%": "%",
}
_COARSER: Final = {"H": "d", "M": "H", "S": "M", "f": "S"}  # what must stand beside each finer part


def _zone(value: Any) -> int:
    """ "+07:00" or "Z" as microseconds east; `ValueError` when it is anything else."""
    east = _east(value) if isinstance(value, str) else None
    if east is None:
        raise ValueError(f'{value!r} is not an offset such as "+07:00" (in quotes) or "Z"')
    return east


def _east(text: str) -> int | None:
    """ "-00:00" is none: RFC 3339 gives it to times whose zone is not known."""
    if text == "Z":
        return 0
    match = _ZONE.fullmatch(text)
    if match is None or text == "-00:00":
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    minutes = minutes if match[1] == "+" else -minutes
    known = _FURTHEST_WEST <= minutes <= _FURTHEST_EAST
    return minutes * 60 * MICROS_PER_SECOND if known else None


def _pattern(value: str) -> str:
    _compiled(value)
    return value


Zone = Annotated[  # written "+07:00" or "Z"; in code microseconds east of Greenwich
    int,
    BeforeValidator(_zone),
    WithJsonSchema({"type": "string", "pattern": r"^(Z|[+-][01]\d:[0-5]\d)$", "examples": ["+07:00", "Z"]}),
]
TimePattern = Annotated[  # written "%Y%m%d%H%M%S"; what `parse_format` takes
    str,
    AfterValidator(_pattern),
    WithJsonSchema({"type": "string", "examples": ["%Y%m%d%H%M%S", "%d/%m/%Y %H:%M:%S"]}),
]


def parse_local(text: str, zone: int) -> int:
    """ "2025-10-27T20:00:00" or with a fraction (cut to microseconds), in the zone, as microseconds UTC.

    A text that names its zone after all is taken when the zone is the declared one. Any other is refused:
    one of the two is wrong, and seven hours are a flood's whole rise.
    """
    match = _ZONE_AT_THE_END.search(text)
    if match is None:
        return _without_zone(text) - zone
    if _east(match[1]) != zone:
        raise _undecodable(f"time {quoted(text)} names another zone than the route's setting")
    return parse_time(text)


def _without_zone(text: str) -> int:
    try:
        return parse_time(f"{text}Z")
    except Undecodable:
        detail = f"time {quoted(text)} is not an ISO 8601 local time, such as 2025-10-27T20:00:00"
        raise _undecodable(detail) from None


def parse_format(text: str, pattern: str, zone: int) -> int:
    """A local time of exactly the pattern's form, in the zone, as microseconds UTC.

    `%Y %m %d %H %M %S` have all their digits (4, then 2 each), `%f` one to nine (cut to microseconds), `%%`
    is a per cent sign, everything else is itself. Parts that the pattern leaves out are zero. A pattern
    that does not check (see `TimePattern`) raises `ValueError`.
    """
    match = _compiled(pattern).fullmatch(text)
    parts = {} if match is None else match.groupdict()
    try:
        year, month, day = (int(parts[name]) for name in "Ymd")
        hour, minute, second = (int(parts.get(name, 0)) for name in "HMS")
        fraction = int(parts.get("f", "")[:6].ljust(6, "0"))
        moment = datetime(year, month, day, hour, minute, second, fraction, UTC)
    except (KeyError, ValueError):
        detail = f"time {quoted(text)} is not of the form {quoted(pattern)}"
        raise _undecodable(detail) from None
    return to_micros(moment) - zone


@lru_cache(_PATTERNS_REMEMBERED)
def _compiled(pattern: str) -> re.Pattern[str]:
    """The expression of a pattern; `ValueError` says what is wrong with it."""
    if len(pattern) > _MAX_PATTERN:
        raise ValueError(f"a time pattern has at most {_MAX_PATTERN} characters")
    used: list[str] = []
    expression = re.sub(r"%(.?)|([^%]+)", lambda match: _piece(match, used), pattern, flags=re.DOTALL)
    names = [name for name in used if name != "%"]
    missing = [name for name in "Ymd" if name not in names]
    missing += [_COARSER[name] for name in names if _COARSER.get(name, name) not in names]
    if missing:
        raise ValueError(f"the time pattern {pattern!r} lacks %{missing[0]}")
    if len(set(names)) < len(names):
        raise ValueError(f"the time pattern {pattern!r} has a part twice")
    return re.compile(expression, re.ASCII)


def _piece(match: re.Match[str], used: list[str]) -> str:
    if match[2] is not None:
        return re.escape(match[2])
    if match[1] not in _DIRECTIVES:
        known = ", ".join(f"%{name}" for name in _DIRECTIVES)
        raise ValueError(f"%{match[1]} in a time pattern is not one of {known}")
    used.append(match[1])
    return _DIRECTIVES[match[1]]


def _undecodable(detail: str) -> Undecodable:
    return Undecodable(RejectReason.UNDECODABLE, detail)
