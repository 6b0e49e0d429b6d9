"""What a rule kind is: settings, a plan for each target, and a signal from the newest observations.

A kind is pure. It turns a series' recent rows into a *signal*; the shared machine of `alerts.condition`
turns signals into phases and events. A new kind is one new file beside this one and a line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, astuple, dataclass, fields
from typing import Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from alerts.condition import Signal
from alerts.model import Severity
from alerts.rules.quantity import Quantity, QuantityField
from alerts.rules.standing import Active, EscalateAfter, Remind
from ingest.catalog import Datastream, Station
from ingest.config_model import Identifier, Model, Text
from ingest.memory import Windows
from ingest.model import Quality
from ingest.yaml_lines import Place, Problem

MICROS = 1_000_000
HOUR = 3_600 * MICROS
MEMORY_BOUND = 24 * HOUR  # what a start reads back for every series; retention never cuts into it
ROWS_BOUND = 128  # rows kept for each series, an hour of 30 s readings: 10,000 series stay below 40 MB
ROWS_SPARE = 4  # room for jitter of the cadence and for late rows

Accept = Annotated[tuple[Literal["pass", "suspect", "not_evaluated"], ...], Field(min_length=1)]
FLAGS = {"pass": Quality.PASS, "suspect": Quality.SUSPECT, "not_evaluated": Quality.NOT_EVALUATED}


class Select(Model):
    """Which datastreams a rule looks at; every line given must hold, and of each line any one word.

    Derived ones only by their property. `other_than`: properties that are left out. `rivers` and `wards` by
    either language's name. `if_any`: that nothing is selected is no mistake, since the rule waits for the
    first sensor of its kind.
    """

    property: Identifier | None = None
    other_than: Annotated[tuple[Identifier, ...], Field(min_length=1)] | None = None
    kind: Literal["river", "street", "rain", "reservoir", "barrage", "tide", "air", "water"] | None = None
    stations: Annotated[tuple[Identifier, ...], Field(min_length=1)] | None = None
    rivers: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    wards: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    tags: Annotated[tuple[Identifier, ...], Field(min_length=1)] | None = None
    if_any: bool = False


class Override(Model):
    """Settings that are other for some stations: whatever decides, merged over the rule's own and checked as
    they are."""

    model_config = ConfigDict(extra="allow")

    stations: Annotated[tuple[Identifier, ...], Field(min_length=1)]


class RuleSettings(Model):
    """What every rule has.

    `shadow`: on trial; its events are recorded, compared in scorecards and never notified. `active`: when it
    may raise and escalate (`RuleTable.limits_at`). `remind` and `escalate`: see `alerts.rules.standing`.
    """

    id: Identifier
    kind: Identifier
    title: Text
    select: Select
    shadow: bool = False
    active: Active | None = None
    remind: Remind | None = None
    escalate: Annotated[tuple[EscalateAfter, ...], Field(min_length=1)] | None = None
    overrides: Annotated[tuple[Override, ...], Field(min_length=1)] | None = None

    @property
    def sign(self) -> int:
        """-1 where low values raise: signal and bands are then negated, so that one machine judges both."""
        return 1

    def deciding(self) -> dict[str, Any]:
        """All that decides, for the rule's version: words for people and the choice of stations do not.

        What is off says nothing: a rule that is older than an option keeps its version.
        """
        found: dict[str, Any] = _without_what_is_off(
            self.model_dump(mode="json", exclude={"title", "select", "overrides"})
        )
        return found


def _without_what_is_off(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: one for name, one in value.items() if one is not None and one is not False}
        return {name: _without_what_is_off(one) for name, one in kept.items()}
    return [_without_what_is_off(one) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Target:
    """One datastream under a rule, with the number that the database gave it (-1 while only linting).

    Of a gateway, which is a target of silence, `behind` are the sensors that only it hears; the rest is that
    of the first.
    """

    key: str
    station: Station
    datastream: Datastream
    number: int = -1
    derived: bool = False
    behind: tuple[Target, ...] = ()

    @property
    def place(self) -> str:
        """The id of its station; "" for a gateway that serves several."""
        stations = {target.station.id for target in self.behind}
        return self.station.id if len(stations) < 2 else ""


@dataclass(frozen=True, slots=True)
class Band:
    """A level in the signal's unit: raised at or above `raise_at`, held while at or above `clear_at`.

    Both are negated where the rule's `sign` is -1.
    """

    rank: int
    name: str
    severity: Severity
    raise_at: float
    clear_at: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A rule's settings worked out for one target. Times in microseconds.

    `samples`: how many of the newest `of` usable rows (0: of as many) raise a level, standing at or above it
    in an unbroken run for `sustain` (0: for any time); `verified_samples`: how many make it verified.
    `quiet_below`: an observation, times the rule's `sign`, below it cannot change a target without an alert.
    `memory` and `rows`: how far back, and how many rows, the signal looks. `evidence`: how many rows, at
    most, a raise is told with. `neighbours`: whether one of the catalogue's `neighbours` of the datastream
    that stands at its level of the same rank confirms a sample here: the engine makes the signal `sure`.
    `own`: numbers of this target that its kind's signal asks for, as many for each target of a rule.
    `remind`: (rank, every), `escalate`: (rank, after, severity), worked out from the settings by `standing`.
    """

    bands: tuple[Band, ...]
    unit: str
    hold: int
    samples: int
    verified_samples: int
    quiet_below: float
    memory: int
    rows: int
    evidence: int
    of: int = 0
    sustain: int = 0
    neighbours: bool = False
    own: tuple[float, ...] = ()
    remind: tuple[tuple[int, int], ...] = ()
    escalate: tuple[tuple[int, int, Severity], ...] = ()

    def deciding(self) -> str:
        """All of it as text, for a version. What is not used is left out: what plans learn later changes no
        version of a plan that does without."""
        first = sum(field.default is MISSING for field in fields(self))
        later = [
            (field.name, getattr(self, field.name))
            for field in fields(self)[first:]
            if getattr(self, field.name) != field.default
        ]
        return repr(astuple(self)[:first]) + (repr(later) if later else "")


Plans = tuple[tuple[Target, Plan], ...]


class Kind(Protocol):
    """A rule kind: a `RowKind`, an `ArrivalKind`, or the compound of other rules' conditions.

    A kind whose signal is not what people know may also have `told(settings, plan, band, signal, observed)`,
    as the function `told` here uses it, and `words(settings, plan, band)`: how `rule test` says that a level
    is reached, and that it is left.
    """

    name: ClassVar[str]
    settings: ClassVar[type[RuleSettings]]

    def plan(self, settings: Any, target: Target) -> Plan | None:
        """The settings worked out for a target, None when it has no level; `ValueError` says why not."""

    def lint(self, settings: Any, plans: Sequence[tuple[Target, Plan]], place: Place) -> Iterable[Problem]:
        """What cannot be right, beyond what holds for every kind."""


@runtime_checkable
class RowKind(Kind, Protocol):
    """A kind that is judged by each usable row that is newer than all before in its series."""

    def accepted(self, settings: Any) -> frozenset[Quality]:
        """The flags of rows that may take part."""

    def signal(
        self,
        settings: Any,
        windows: Windows,
        usable: NDArray[np.bool_],
        floor: NDArray[np.float64],
        own: NDArray[np.float64],
    ) -> Signal:
        """The signal of n series, times the rule's `sign`, newest last.

        `usable` marks the rows (n, k) that may take part; `own` (n, m) is what their plans say under that
        name.

        Where the newest sample is below `floor` (n), NaN may stand for it: it would change nothing.
        """


@runtime_checkable
class ArrivalKind(Kind, Protocol):
    """A kind that is judged on ticks, on the seconds since its target was last heard of, and by each
    arrival."""

    def gateways(self, plans: Plans) -> Plans:
        """The gateways that several of a rule's targets have, as targets themselves."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an event says of the signal that decided: its value and the limit as people know them, and on
    which side of the limit the alert stands. `steady`: its slope says nothing of water, and is left out."""

    value: float
    threshold: float | None
    direction: str
    steady: bool = False


def told(kind: Kind, settings: RuleSettings, plan: Plan, band: Band, signal: float, observed: float) -> Told:
    """How a signal is told beside a level, `observed` being the newest usable value: as the kind's own `told`
    says, else the signal and the level, without the rule's `sign`."""
    say = getattr(kind, "told", None)
    own: Told | None = say(settings, plan, band, signal, observed) if say else None
    sign = settings.sign
    plain = Told(sign * signal + 0.0, sign * band.raise_at + 0.0, "above" if sign > 0 else "below")
    return own or plain  # + 0.0: nothing is told as -0


def across_installations(kind: Kind) -> bool:
    """Whether a kind may look at samples of two installations together, as `across_installations` of it says.

    By default not: a slope between two sensors, or two zeros, is of no water.
    """
    return bool(getattr(kind, "across_installations", False))


def needs_zero(kind: Kind) -> bool:
    """Whether a kind compares heights with levels, so that a zero nobody surveyed makes it meaningless.

    Of a kind that looks at values this holds unless its `needs_zero` is False.
    """
    return isinstance(kind, RowKind) and bool(getattr(kind, "needs_zero", True))


class ExplicitLevel(Model):
    """A level that the rule itself names; its rank is its place in the list. Without a value there is none,
    and its rank stays free."""

    name: Annotated[str, Field(min_length=1)]
    value: QuantityField | None
    severity: Severity


def ranked(levels: Iterable[ExplicitLevel]) -> list[tuple[int, ExplicitLevel, Quantity]]:
    """The levels that have a value, with their ranks and values."""
    return [(rank, one, one.value) for rank, one in enumerate(levels, start=1) if one.value is not None]


def levels_at(
    datastream: Datastream,
    levels: Literal["catalogue"] | Iterable[ExplicitLevel],
    severities: Mapping[str, Severity],
) -> list[tuple[int, str, float, Severity]]:
    """(rank, name, value, severity) of each level that there is at a datastream: the rule's own, or those of
    the catalogue; `ValueError` for one of these that has no severity."""
    if not isinstance(levels, str):
        unit = datastream.unit
        return [(rank, one.name, value.in_unit(unit), one.severity) for rank, one, value in ranked(levels)]
    unknown = [level.name for level in datastream.levels if level.name not in severities]
    if unknown:
        raise ValueError(f"no severity is given for the level {unknown[0]!r}")
    return [(one.rank, one.name, one.value, severities[one.name]) for one in datastream.levels]


def as_measured(windows: Windows, usable: NDArray[np.bool_], sign: int = 1) -> Signal:
    """The values themselves, times a rule's `sign`."""
    suspect = usable & (windows.quality == Quality.SUSPECT)
    return Signal(np.where(usable, sign * windows.value, np.nan), windows.time, suspect)


class OfValues:
    """What the kinds share whose signal is the values themselves, in the datastream's unit."""

    def accepted(self, settings: Any) -> frozenset[Quality]:
        return flags(settings.accept)

    def signal(
        self,
        settings: Any,
        windows: Windows,
        usable: NDArray[np.bool_],
        floor: NDArray[np.float64],
        own: NDArray[np.float64],
    ) -> Signal:
        return as_measured(windows, usable)


def flags(accept: Iterable[str]) -> frozenset[Quality]:
    """The QARTOD flags behind the words of an `accept` list."""
    return frozenset(FLAGS[word] for word in accept)


def micros(seconds: float) -> int:
    """A duration of the configuration (seconds) in microseconds."""
    return round(seconds * MICROS)


def rows_needed(span: float, cadence: float) -> int:
    """How many rows a span (seconds) holds at a cadence (seconds), with room to spare."""
    return int(np.ceil(span / cadence)) + 1 + ROWS_SPARE
