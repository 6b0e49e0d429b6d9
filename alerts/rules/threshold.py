"""`threshold`: a value at or above a level, the level of the catalogue or one that the rule names.

Opens when `confirm.samples` usable samples in a row stand at or above the level. Where the cadence is longer
than `confirm.at_once_above`, one sample opens at once and the alert is told as not verified. Ends when the
value has been more than `clear.below` under the level for `clear.hold` of event time.

With `direction: below` it is the other way round, as for a battery: at or below a level, the levels from high
to low, and `clear.above`. Inside, values and bands are then negated; whatever is told is the value itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag, model_validator

from alerts.condition import Signal
from alerts.model import Severity
from alerts.rules.kind import (
    MEMORY_BOUND,
    Accept,
    Band,
    ExplicitLevel,
    Plan,
    RuleSettings,
    Target,
    flags,
    micros,
    rows_needed,
)
from alerts.rules.quantity import QuantityField
from ingest.catalog import Datastream
from ingest.config_model import Duration, Model
from ingest.memory import Windows
from ingest.model import Quality
from ingest.yaml_lines import Place, Problem


class Confirm(Model):
    samples: Annotated[int, Field(ge=1, le=10)] = 2
    at_once_above: Duration = 600.0
    neighbours: bool = False


class ClearBelow(Model):
    below: QuantityField
    hold: Duration


class ClearAbove(Model):
    above: QuantityField
    hold: Duration


def _which_clear(clear: Any) -> str:
    wanted = "above" in clear if isinstance(clear, dict) else isinstance(clear, ClearAbove)
    return "ends_above" if wanted else "ends_below"


Clear = Annotated[
    Annotated[ClearBelow, Tag("ends_below")] | Annotated[ClearAbove, Tag("ends_above")],
    Discriminator(_which_clear),
]


def _which_levels(levels: Any) -> str:
    return "list" if isinstance(levels, list | tuple) else "word"


Levels = Annotated[
    Annotated[Literal["catalogue"], Tag("word")] | Annotated[tuple[ExplicitLevel, ...], Tag("list")],
    Discriminator(_which_levels),
]


class Settings(RuleSettings):
    kind: Literal["threshold"]
    direction: Literal["above", "below"] = "above"
    levels: Levels
    severities: dict[str, Severity] = Field(default_factory=dict)
    confirm: Confirm = Confirm()
    clear: Clear
    accept: Accept = ("pass", "suspect", "not_evaluated")

    @model_validator(mode="after")
    def _opposite(self) -> Settings:
        if (self.direction == "below") is not isinstance(self.clear, ClearAbove):
            raise ValueError("`clear` has `below` where `direction` is above, and `above` where it is below")
        return self

    @property
    def sign(self) -> int:
        return -1 if self.direction == "below" else 1

    @property
    def hysteresis(self) -> QuantityField:
        """How far back over its level a value must go."""
        return self.clear.above if isinstance(self.clear, ClearAbove) else self.clear.below

    def deciding(self) -> dict[str, Any]:
        """Without what says nothing new: rules that are older than `direction` keep their version."""
        found = super().deciding()
        if self.direction == "above":
            del found["direction"]
        return found


class Threshold:
    name: ClassVar[str] = "threshold"
    settings: ClassVar[type[RuleSettings]] = Settings
    across_installations: ClassVar[bool] = True  # a level is a level, whichever sensor says so

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        bands = _bands(settings, target.datastream)
        if not bands:
            return None
        cadence = target.datastream.cadence
        confirm = settings.confirm
        samples = 1 if cadence > confirm.at_once_above else confirm.samples
        span = settings.clear.hold + confirm.samples * cadence
        return Plan(
            bands=bands,
            unit=target.datastream.unit,
            hold=micros(settings.clear.hold),
            samples=samples,
            verified_samples=confirm.samples,
            quiet_below=min(band.raise_at for band in bands),
            # Samples further apart than this do not confirm one another.
            memory=max(MEMORY_BOUND, micros(span)),
            rows=rows_needed(span, cadence),
            evidence=confirm.samples,
            neighbours=confirm.neighbours and bool(target.datastream.neighbours),
        )

    def accepted(self, settings: Settings) -> frozenset[Quality]:
        return flags(settings.accept)

    def signal(
        self, settings: Settings, windows: Windows, usable: NDArray[np.bool_], floor: NDArray[np.float64]
    ) -> Signal:
        """The values themselves, in the datastream's unit, with the rule's sign."""
        suspect = usable & (windows.quality == Quality.SUSPECT)
        return Signal(np.where(usable, settings.sign * windows.value, np.nan), windows.time, suspect)

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        sign = settings.sign
        for target, plan in plans:
            end, why = (highest_possible if sign > 0 else lowest_possible)(target.datastream)
            for band in plan.bands:
                if band.raise_at > sign * end:
                    yield place.at("levels").problem(
                        f"Level {band.name} ({sign * band.raise_at:g} {plan.unit}) of {target.key} can never "
                        f"be reached: {why} {end:g} {plan.unit}.",
                        "Correct the level, the gross range or the sensor's height.",
                    )


def highest_possible(datastream: Datastream) -> tuple[float, str]:
    """The highest value that can reach a rule, and what sets it."""
    top, why = np.inf, ""
    if datastream.gross_range is not None:
        top, why = datastream.gross_range.fail[1], "the gross range fails values above"
    ranging = datastream.current().ranging
    if ranging is not None and ranging.highest < top:
        top, why = ranging.highest, "the sensor sees no higher than"
    return round(top, 9), why


def lowest_possible(datastream: Datastream) -> tuple[float, str]:
    """The lowest value that can reach a rule, and what sets it."""
    bottom, why = -np.inf, ""
    if datastream.gross_range is not None:
        bottom, why = datastream.gross_range.fail[0], "the gross range fails values below"
    ranging = datastream.current().ranging
    if ranging is not None:
        seen = ranging.zero_elevation - (ranging.max_range if ranging.measures == "distance" else 0.0)
        if seen > bottom:
            bottom, why = seen, "the sensor sees no lower than"
    return round(bottom, 9), why


def _bands(settings: Settings, datastream: Datastream) -> tuple[Band, ...]:
    sign, back = settings.sign, settings.hysteresis.in_unit(datastream.unit)
    if settings.levels == "catalogue":
        named = [(level.rank, level.name, level.value) for level in datastream.levels]
        unknown = [name for _, name, _ in named if name not in settings.severities]
        if unknown:
            raise ValueError(f"no severity is given for the level {unknown[0]!r}")
        return tuple(
            Band(rank, name, settings.severities[name], sign * value, round(sign * value - back, 9))
            for rank, name, value in named
        )
    levels = [
        (rank, level, level.value.in_unit(datastream.unit))
        for rank, level in enumerate(settings.levels, start=1)
        if level.value is not None
    ]
    return tuple(
        Band(rank, level.name, level.severity, sign * value, round(sign * value - back, 9))
        for rank, level, value in levels
    )


KIND = Threshold()
