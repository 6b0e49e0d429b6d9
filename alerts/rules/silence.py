"""`silence`: nothing was heard from a datastream for longer than it may be quiet.

The limit is `after.cadences` times the declared cadence, at least `after.at_least`. Judged on ticks, by time
of arrival, from the later of the last arrival and the end of our own blindness; never while we are blind, and
never before the first reading. Ends with the next arrival, whatever its quality. It closes no other alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alerts.model import Severity
from alerts.rules.kind import MICROS, Band, Plan, RuleSettings, Target, micros
from ingest.config_model import Duration, Model
from ingest.yaml_lines import Place, Problem


class After(Model):
    cadences: Annotated[float, Field(gt=1)]
    at_least: Duration


class SilenceLevel(Model):
    name: Annotated[str, Field(min_length=1)]
    severity: Severity


class Settings(RuleSettings):
    kind: Literal["silence"]
    after: After
    level: SilenceLevel


class Silence:
    name: ClassVar[str] = "silence"
    settings: ClassVar[type[RuleSettings]] = Settings

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        limit = max(settings.after.cadences * target.datastream.cadence, settings.after.at_least)
        limit = micros(limit) / MICROS
        band = Band(1, settings.level.name, settings.level.severity, limit, limit)
        return Plan(
            bands=(band,),
            unit="s",
            hold=0,
            samples=1,
            verified_samples=1,
            quiet_below=float("inf"),
            memory=0,
            rows=1,
            evidence=1,
        )

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        return ()


KIND = Silence()
