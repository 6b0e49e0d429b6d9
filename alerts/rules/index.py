"""`index`: the bands of Vietnam's air quality index, by their names (Quyết định 1459/QĐ-TCMT of 12-11-2019).

A band opens when `confirm.samples` of the newest `confirm.of` hourly values lie in it or above, the newest
among them; it ends when the index has been more than `clear.below` under the band for `clear.hold`. The
scheme of 2011 (878/QĐ-TCMT) had other bands under like names, and is not this one.
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
    micros,
    rows_needed,
)
from ingest.config_model import Duration, Model
from ingest.yaml_lines import Place, Problem

BANDS = {"Trung bình": 51, "Kém": 101, "Xấu": 151, "Rất xấu": 201, "Nguy hại": 301}  # from which index on


class BandLevel(Model):
    """A band of the index; the rank is its place in the list."""

    band: Literal["Trung bình", "Kém", "Xấu", "Rất xấu", "Nguy hại"]
    severity: Severity


class Clear(Model):
    below: Annotated[float, Field(ge=0)]
    hold: Duration


class Settings(RuleSettings):
    kind: Literal["index"]
    levels: Annotated[tuple[BandLevel, ...], Field(min_length=1)]
    confirm: Samples = Samples(samples=2, of=3)
    clear: Clear
    accept: Accept = ("pass", "suspect", "not_evaluated")


class Index(OfValues):
    name: ClassVar[str] = "index"
    settings: ClassVar[type[RuleSettings]] = Settings
    needs_zero: ClassVar[bool] = False

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        bands = tuple(
            Band(
                rank, level.band, level.severity, BANDS[level.band], BANDS[level.band] - settings.clear.below
            )
            for rank, level in enumerate(settings.levels, start=1)
        )
        cadence, counted = target.datastream.cadence, settings.confirm.of or settings.confirm.samples
        span = settings.clear.hold + counted * cadence
        return Plan(
            bands=bands,
            unit=target.datastream.unit,
            hold=micros(settings.clear.hold),
            samples=settings.confirm.samples,
            verified_samples=settings.confirm.samples,
            quiet_below=bands[0].raise_at,
            memory=max(MEMORY_BOUND, micros(span)),
            rows=rows_needed(span, cadence),
            evidence=counted,
            of=settings.confirm.of or 0,
        )

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        for target, plan in plans:
            if plan.unit != "1":
                yield place.at("select").problem(
                    f"{target.key} is in {plan.unit}: it is no index.",
                    "Select an index, such as vn_aqi_hourly.",
                )


KIND = Index()
