"""`silence`: nothing was heard from a datastream for longer than it may be quiet.

The limit is `after.cadences` times the declared cadence, at least `after.at_least`. Judged on ticks, by time
of arrival, from the later of the last arrival and the end of our own blindness; never while we are blind.
Before the first reading only where the station says by when it is `commissioned`: then it is told as never
heard. Ends with the next arrival, whatever its quality. It closes no other alert.

Where two or more of the rule's datastreams have one gateway, the gateway is a target as well: when nothing
comes by it for the shortest of their limits it is told once, and not each of them. After its return each has
its own limit again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alerts.model import Severity
from alerts.rules.kind import MICROS, Band, Plan, Plans, RuleSettings, Target, micros
from ingest.config_model import Duration, Model
from ingest.yaml_lines import Place, Problem

GATEWAY = "@gateway/"  # before a gateway's name in a target's key; no station's id begins so


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

    def gateways(self, plans: Plans) -> Plans:
        behind: dict[str, list[tuple[Target, Plan]]] = defaultdict(list)
        for target, plan in plans:
            behind[target.datastream.current().source.gateway].append((target, plan))
        return tuple(_gateway(name, members) for name, members in behind.items() if len(members) > 1)

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        return ()


def _gateway(name: str, members: Sequence[tuple[Target, Plan]]) -> tuple[Target, Plan]:
    """A gateway as a target: silent after the shortest limit of the sensors behind it."""
    first, _ = members[0]
    plan = min((plan for _, plan in members), key=lambda plan: plan.bands[0].raise_at)
    return replace(first, key=f"{GATEWAY}{name}", behind=tuple(target for target, _ in members)), plan


KIND = Silence()
