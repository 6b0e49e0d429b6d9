"""Which sensor a datastream had when: dated installations, their zeros, and what a corrected zero changes.

A reading belongs to the installation that is valid at its phenomenon time: a late reading of the old sensor
keeps the old zero. `history` works a datastream's written entries out, `corrections` compares the zeros that
stored levels were computed with to those of today. Pure; called by the catalogue, its lint, the table of
series and, for the corrections, by the service at its start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from ingest.clock import to_datetime, to_micros
from ingest.config_model import Model, TopicLevel

if TYPE_CHECKING:  # the catalogue's models hold these
    from ingest.catalog import Catalogue, Datastream, Source

BEGINNING, END = -(2**63), 2**63 - 1  # of an undated installation: before and after every time
EXERCISE = "exercise"  # by whom a zero is known that holds for simulated sensors alone
ZERO_DECIMALS = 9  # a nanometre, as levels are rounded

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)", re.ASCII)

Identity = tuple[str, str, str]  # gateway, device, channel


def parse_time(value: Any, info: ValidationInfo) -> Any:
    """ "2025-03-01T09:00+07:00" in microseconds since 1970. A number is taken in code, refused in a file."""
    if isinstance(value, str) and TIME.fullmatch(value):
        try:
            return to_micros(datetime.fromisoformat(value))
        except ValueError:  # the 31st of June
            pass
    elif info.mode == "python":
        return value
    raise ValueError(f"{value!r} is not a time with its offset, such as 2025-03-01T09:00:00+07:00")


Time = Annotated[
    int,
    BeforeValidator(parse_time),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2025-03-01T09:00:00+07:00"]}),
]


class Ranging(Model):
    """A sensor whose reading is a length from its own height: down to the water, or up through it.

    All in metres. `distance`: level = zero_elevation - reading. At or below `blanking` the sensor is
    saturated: level >= zero_elevation - blanking; at or above `max_range` it sees no water surface and the
    reading fails. `depth`, of a probe in the water: level = zero_elevation + reading; at or above `max_range`
    it is saturated, and `blanking` is 0.
    """

    zero_elevation: float
    blanking: float = Field(ge=0)
    max_range: float = Field(gt=0)
    measures: Literal["distance", "depth"] = "distance"

    @property
    def highest(self) -> float:
        """The highest level that the sensor can tell."""
        if self.measures == "depth":
            return self.zero_elevation + self.max_range
        return self.zero_elevation - self.blanking

    def reading_of(self, level: float) -> float:
        """What the sensor said, metres, for the water to stand at `level`."""
        return (level - self.zero_elevation) * (1 if self.measures == "depth" else -1)


class Installation(Model):
    """A sensor in its place from `valid_from` on, until the next one or `valid_until`.

    What is not written is as in the datastream's `source` and `ranging`. `by`: who measured the zero.
    """

    valid_from: Time | None = None  # None, of the first alone: since ever
    valid_until: Time | None = None
    gateway: TopicLevel | None = None
    device: TopicLevel | None = None
    channel: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    unit: str | None = None
    sentinels: tuple[float | str, ...] | None = None
    zero_elevation: float | None = None
    blanking: Annotated[float, Field(ge=0)] | None = None
    max_range: Annotated[float, Field(gt=0)] | None = None
    measures: Literal["distance", "depth"] | None = None
    datum: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    surveyed: bool = False
    by: Annotated[str, Field(max_length=128)] | None = None


RANGING_FIELDS = tuple(Ranging.model_fields)
SOURCE_FIELDS = ("gateway", "device", "channel", "unit", "sentinels")


@dataclass(frozen=True, slots=True)
class Installed:
    """An installation worked out; valid at times from `since` (included) to `until` (not), microseconds."""

    since: int
    until: int
    source: Source
    ranging: Ranging | None
    datum: str | None
    surveyed: bool
    by: str | None

    @property
    def identity(self) -> Identity:
        return self.source.gateway, self.source.device, self.source.channel


def history(
    source: Source, ranging: Ranging | None, installations: Sequence[Installation]
) -> tuple[Installed, ...]:
    """The installations in order of time; without a written one, the one that `source` and `ranging` are.

    `ValueError` when a dated entry has some, but not all, of what a ranging sensor needs.
    """
    if not installations:
        return (Installed(BEGINNING, END, source, ranging, None, False, None),)
    dated = sorted(installations, key=_since)
    ends = [_since(entry) for entry in dated[1:]] + [END]
    return tuple(
        Installed(
            _since(entry),
            min(end, END if entry.valid_until is None else entry.valid_until),
            _source(source, entry),
            _ranging(ranging, entry),
            entry.datum,
            entry.surveyed,
            entry.by,
        )
        for entry, end in zip(dated, ends, strict=True)
    )


def _since(entry: Installation) -> int:
    return BEGINNING if entry.valid_from is None else entry.valid_from


def _source(source: Source, entry: Installation) -> Source:
    written = _written(entry, SOURCE_FIELDS)
    return source.model_copy(update=written) if written else source


def _ranging(ranging: Ranging | None, entry: Installation) -> Ranging | None:
    written = _written(entry, RANGING_FIELDS)
    if ranging is not None:
        return ranging.model_copy(update=written) if written else ranging
    missing = {"zero_elevation", "blanking", "max_range"} - written.keys()
    if written and missing:
        raise ValueError(f"an installation of a ranging sensor needs {' and '.join(sorted(missing))}")
    return Ranging(**written) if written else None


def _written(entry: Installation, fields: Iterable[str]) -> dict[str, Any]:
    found = ((name, getattr(entry, name)) for name in fields)
    return {name: value for name, value in found if value is not None}


class Reference(StrEnum):
    """What a level is measured from."""

    NOT_A_LEVEL = "not_a_level"  # rain, discharge, air: there is no zero
    DEPTH = "depth"  # of water above a street
    REFERENCED = "referenced"  # a surveyed zero in the station's datum: may be compared with BĐ
    EXERCISE = "exercise"  # a zero that holds for simulated sensors alone
    UNREFERENCED = "unreferenced"  # "chưa quy chiếu": no zero, or none in the station's datum


def reference(installed: Installed, datum: str | None) -> Reference:
    """What the levels of a height are measured from, at a station whose levels are in `datum`."""
    if not installed.surveyed or installed.datum is None or installed.datum != datum:
        return Reference.UNREFERENCED
    return Reference.EXERCISE if installed.by == EXERCISE else Reference.REFERENCED


@dataclass(frozen=True, slots=True)
class Zero:
    """A zero that levels were computed with, as the database has it or is to have it.

    `valid_from`: microseconds, `BEGINNING` where the catalogue gives no date. `source`: gateway, device and
    channel. Of several revisions of one date the highest holds; with `zero_elevation` None it is withdrawn,
    since the catalogue has this date no more.
    """

    datastream: str
    valid_from: int
    zero_elevation: float | None
    source: str
    revision: int


@dataclass(frozen=True, slots=True)
class Correction:
    """Levels from `since` (included) to `until` (not) move by `offset` metres, under this revision.

    It is added to each level *as it stands now*, corrected ones included: every stored level is in the zero
    that was registered last, those stored since an earlier correction too.
    """

    datastream: str
    since: int
    until: int
    offset: float
    revision: int

    def __str__(self) -> str:
        since = "" if self.since == BEGINNING else f" from {to_datetime(self.since):%Y-%m-%dT%H:%MZ}"
        until = "" if self.until == END else f" until {to_datetime(self.until):%Y-%m-%dT%H:%MZ}"
        return f"{self.datastream}{since}{until}: {self.offset:+g} m, revision {self.revision}"


@dataclass(frozen=True, slots=True)
class Rezeroed:
    """What a start must do about zeros: write the rows `register` and apply `corrections`, in one transaction
    and before the first reading is stored. Both are empty when nothing has changed."""

    register: tuple[Zero, ...]
    corrections: tuple[Correction, ...]


_Zeros = Mapping[int, tuple[float, str]]  # valid_from -> zero and source


def rezero(registered: Iterable[Zero], catalogue: Catalogue) -> Rezeroed:
    """Compare the zeros of the database with the catalogue's, datastream by datastream.

    Corrected are the spans in which both know a zero of the same sensor and the two differ, whether the zero,
    its date or the list of dates was changed. What another sensor measured is left as it was: the new zero
    says nothing of it. So is a datastream that the catalogue no longer has, and one that no zero was ever
    registered for, whose first levels are still to come.
    """
    before: dict[str, list[Zero]] = {}
    for zero in registered:
        before.setdefault(zero.datastream, []).append(zero)
    rows: list[Zero] = []
    moves: list[Correction] = []
    for key, _, datastream in catalogue.datastreams():
        known, today = before.get(key, []), _today(datastream)
        revision = max((zero.revision for zero in known), default=0) + 1
        held = _in_force(known)
        rows += _changed(key, held, today, revision)
        moves += _moves(key, held, today, revision)
    return Rezeroed(tuple(rows), tuple(moves))


def _today(datastream: Datastream) -> _Zeros:
    return {
        one.since: (one.ranging.zero_elevation, "/".join(one.identity))
        for one in datastream.history()
        if one.ranging is not None
    }


def _in_force(known: Iterable[Zero]) -> _Zeros:
    newest = {zero.valid_from: zero for zero in sorted(known, key=lambda zero: zero.revision)}
    return {
        since: (zero.zero_elevation, zero.source)
        for since, zero in newest.items()
        if zero.zero_elevation is not None
    }


def _changed(key: str, held: _Zeros, today: _Zeros, revision: int) -> Iterator[Zero]:
    """The rows that bring the register to today's zeros; all of one change carry one revision."""
    for since in sorted(held.keys() | today.keys()):
        if held.get(since) != today.get(since):
            zero, source = today.get(since, (None, ""))
            yield Zero(key, since, zero, source, revision)


def _moves(key: str, held: _Zeros, today: _Zeros, revision: int) -> Iterator[Correction]:
    edges = sorted(held.keys() | today.keys())
    for since, until in pairwise([*edges, END]):
        old, new = _at(held, since), _at(today, since)
        if old is not None and new is not None and old[1] == new[1] and old[0] != new[0]:
            yield Correction(key, since, until, round(new[0] - old[0], ZERO_DECIMALS), revision)


def _at(zeros: _Zeros, time: int) -> tuple[float, str] | None:
    """The zero that is valid at a time."""
    since = max((since for since in zeros if since <= time), default=None)
    return None if since is None else zeros[since]
