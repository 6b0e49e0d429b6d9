"""`saturation`: water at or above the highest that its sensor can see, as at the peak of a flood.

The level is then at least what is told, and it may still rise: no slope is told with it. Watches every sensor
with a ranging; opens when `confirm` says so within `within` of the highest level that it can tell, and ends
when the value has been more than `clear.below` under that for `clear.hold`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alerts.model import Severity
from alerts.rules.confirm import Samples
from alerts.rules.kind import (
    MEMORY_BOUND,
    Accept,
    Band,
    OfValues,
    Plan,
    RuleSettings,
    Target,
    Told,
    micros,
    rows_needed,
)
from alerts.rules.quantity import QuantityField
from ingest.config_model import Duration, Model
from ingest.yaml_lines import Place, Problem


class Level(Model):
    name: Annotated[str, Field(min_length=1)]
    severity: Severity


class Clear(Model):
    below: QuantityField
    hold: Duration


class Settings(RuleSettings):
    kind: Literal["saturation"]
    level: Level
    within: QuantityField = Field(default="1 cm", validate_default=True)
    confirm: Samples = Samples()
    clear: Clear
    accept: Accept = ("pass", "suspect", "not_evaluated")


class Saturation(OfValues):
    name: ClassVar[str] = "saturation"
    settings: ClassVar[type[RuleSettings]] = Settings
    needs_zero: ClassVar[bool] = False  # where the sensor is blind does not depend on what zero is called

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        datastream, ranging = target.datastream, target.datastream.current().ranging
        if ranging is None:
            return None
        highest = round(ranging.highest, 9)
        raise_at = round(highest - settings.within.in_unit(datastream.unit), 9)
        clear_at = round(highest - settings.clear.below.in_unit(datastream.unit), 9)
        counted = settings.confirm.of or settings.confirm.samples
        span = settings.clear.hold + counted * datastream.cadence
        return Plan(
            bands=(Band(1, settings.level.name, settings.level.severity, raise_at, clear_at),),
            unit=datastream.unit,
            hold=micros(settings.clear.hold),
            samples=settings.confirm.samples,
            verified_samples=settings.confirm.samples,
            quiet_below=raise_at,
            memory=max(MEMORY_BOUND, micros(span)),
            rows=rows_needed(span, datastream.cadence),
            evidence=counted,
            of=settings.confirm.of or 0,
            own=(highest,),
        )

    def told(self, settings: Settings, plan: Plan, band: Band, signal: float, observed: float) -> Told:
        """The level that the water has at least, and no slope."""
        return Told(signal, plan.own[0], "above", steady=True)

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        for target, plan in plans:
            gross = target.datastream.gross_range
            if gross is not None and gross.fail[1] < plan.bands[0].raise_at:
                yield place.at("select").problem(
                    f"{target.key} fails values above {gross.fail[1]:g} {plan.unit}, below the "
                    f"{plan.own[0]:g} {plan.unit} that its sensor can see: it is never seen under water.",
                    "Widen the gross range, or leave the station out.",
                )


KIND = Saturation()
