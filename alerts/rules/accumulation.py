"""`accumulation`: rain that has fallen within a window, told as soon as it is known.

Looks at derived sums (`window_sum`, `rain_day`), each a lower bound: a sum opens at once, a partial one
too. A sum whose window is covered by less than `complete` of its derivation is suspect: it may open an
alert and hold one, and it neither starts nor ends clearing, since what was not seen may have been rain.

A level is left when the sum has been below `clear.fraction` of its limit for `clear.hold`, or below the next
lower limit where that is more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from alerts.rules.kind import (
    MEMORY_BOUND,
    Accept,
    Band,
    ExplicitLevel,
    OfValues,
    Plan,
    RuleSettings,
    Target,
    micros,
    ranked,
    rows_needed,
)
from ingest.config_model import Duration, Model
from ingest.yaml_lines import Place, Problem

SUMS = ("window_sum", "rain_day")  # derivations of lower bounds with a coverage


class Clear(Model):
    fraction: Annotated[float, Field(gt=0, le=1)]
    hold: Duration


class Settings(RuleSettings):
    kind: Literal["accumulation"]
    levels: Annotated[tuple[ExplicitLevel, ...], Field(min_length=1)]
    clear: Clear
    accept: Accept = ("pass", "suspect", "not_evaluated")


class Accumulation(OfValues):
    name: ClassVar[str] = "accumulation"
    settings: ClassVar[type[RuleSettings]] = Settings
    needs_zero: ClassVar[bool] = False  # a sum of rain is of no height

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        cadence, hold = target.datastream.cadence, settings.clear.hold
        return Plan(
            bands=tuple(_bands(settings, target.datastream.unit)),
            unit=target.datastream.unit,
            hold=micros(hold),
            samples=1,  # a sum is made of many readings, and it is a lower bound
            verified_samples=1,
            quiet_below=min(
                (value.in_unit(target.datastream.unit) for _, _, value in ranked(settings.levels)),
                default=np.inf,
            ),
            memory=max(MEMORY_BOUND, micros(hold + cadence)),
            rows=rows_needed(hold + cadence, cadence),
            evidence=1,
        )

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        for target, _ in plans:
            if not any(
                one.name == target.datastream.name and one.derive.kind in SUMS
                for one in target.station.derived
            ):
                yield place.at("select").problem(
                    f"{target.key} is no sum with a coverage ({', '.join(SUMS)}).",
                    "Select a derived sum, or use a `threshold`.",
                )


def _bands(settings: Settings, unit: str) -> Iterator[Band]:
    below = 0.0
    for rank, level, value in ranked(settings.levels):
        limit = value.in_unit(unit)
        yield Band(
            rank, level.name, level.severity, limit, round(max(settings.clear.fraction * limit, below), 9)
        )
        below = limit


KIND = Accumulation()
