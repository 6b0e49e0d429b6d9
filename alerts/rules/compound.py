"""`compound`: several conditions of other rules together: all of them, any, or at least so many.

A member is so while its rule's alert stands at the level named (the lowest unless named) or higher. Where it
does not and its series has been silent for as long as "no data" takes, it is unknown: a silent sensor says
nothing of safety. Enough members that are so raise the compound; where those that are unknown could make the
difference the compound is told as unknown, a level of its own below the other. What is unknown never ends an
alert. It ends when too few members are or could be so, for `clear.hold` of event time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from alerts.model import Severity
from alerts.rules.kind import Band, Plan, RuleSettings, Target, Told, micros
from ingest.config_model import DatastreamKey, Duration, Identifier, Model
from ingest.yaml_lines import Place, Problem

UNKNOWN, SO = 1, 2  # the ranks


class MemberSettings(Model):
    """A rule and one of its levels; at the compound's own datastream unless `target` names another."""

    rule: Identifier
    target: DatastreamKey | None = None
    level: Annotated[str, Field(min_length=1)] | None = None


class CompoundLevel(Model):
    name: Annotated[str, Field(min_length=1)]
    severity: Severity


class Clear(Model):
    hold: Duration


class Settings(RuleSettings):
    kind: Literal["compound"]
    of: Annotated[tuple[MemberSettings, ...], Field(min_length=2, max_length=32)]
    at_least: Literal["all", "any"] | Annotated[int, Field(ge=1)] = "all"
    level: CompoundLevel
    unknown: CompoundLevel
    clear: Clear

    @property
    def needed(self) -> int:
        """How many members must be so."""
        if isinstance(self.at_least, int):
            return self.at_least
        return len(self.of) if self.at_least == "all" else 1

    @model_validator(mode="after")
    def _possible(self) -> Settings:
        if self.needed > len(self.of):
            raise ValueError(f"at_least {self.needed} of {len(self.of)} members can never be")
        return self


class Compound:
    name: ClassVar[str] = "compound"
    settings: ClassVar[type[RuleSettings]] = Settings

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        return Plan(
            bands=(
                Band(UNKNOWN, settings.unknown.name, settings.unknown.severity, UNKNOWN, UNKNOWN),
                Band(SO, settings.level.name, settings.level.severity, SO, UNKNOWN),
            ),
            unit="",
            hold=micros(settings.clear.hold),
            samples=1,
            verified_samples=1,
            quiet_below=float("inf"),
            memory=0,
            rows=1,
            evidence=1,
        )

    def told(self, settings: Settings, plan: Plan, band: Band, signal: float, observed: float) -> Told:
        """An event has its reason; there is no value that decided."""
        return Told(float("nan"), None, "above", steady=True)

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        for index, member in enumerate(settings.of):
            if member.rule == settings.id:
                yield place.at("of", index, "rule").problem(
                    "A compound cannot be its own member.", "Name the rule that it is to look at."
                )


KIND = Compound()
