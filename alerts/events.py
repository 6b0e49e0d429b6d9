"""Told events from the machine's decisions: identities, evidence, and what was observed. Pure.

Called by the engine for the few rows that are told of, one at a time.
"""

from __future__ import annotations

import dataclasses
import uuid

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from alerts.condition import Signal, confirmed_level
from alerts.model import Condition, Event, EventKind, Evidence, Phase, Severity
from alerts.rules.book import RESERVED
from alerts.rules.kind import told
from alerts.rules.slope import HOUR, recent_slope
from alerts.rules.table import RuleTable
from ingest.memory import NEVER, Windows

NAMESPACE = uuid.UUID(
    "5f0f5d3e-3f0c-5c0b-9d0a-6b1d2f3e4a57"
)  # of every id that Huewatch derives; never change

SLOPE_WINDOW, SLOPE_SPAN, SLOPE_POINTS = int(HOUR), int(HOUR) // 2, 4  # the slope that an event tells
CLEARING_EVIDENCE = 8  # rows at most that an end is told with


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What the machine decided of one target: the event's kind, levels, times and identity."""

    kind: EventKind
    previous_level: int
    level: int
    event_time: int
    detected_at: int
    ordinal: int
    alert_id: str
    rate_per_hour: float | None = None
    reason: str = ""
    learnt_late: bool = False
    severity: Severity | None = None  # where it is not its level's


@dataclasses.dataclass(frozen=True, slots=True)
class OurFault:
    """Something about ourselves that people must know: what it is about, its name as a level, and why."""

    about: str
    name: str
    version: str
    nature: str
    reason: str


def alert_identity(rule: str, target: str, opened_at: int, ordinal: int) -> str:
    """UUIDv5 of an alert: the rule, its target, and when and as which event it opened."""
    return str(uuid.uuid5(NAMESPACE, f"alert|{rule}|{target}|{opened_at}|{ordinal}"))


def event_identity(rule: str, target: str, kind: EventKind, event_time: int, ordinal: int) -> str:
    """UUIDv5 of an event: the same decision has the same id, whoever makes it and how often."""
    return str(uuid.uuid5(NAMESPACE, f"event|{rule}|{target}|{kind.value}|{event_time}|{ordinal}"))


def tell(table: RuleTable, pair: int, window: Windows, signal: Signal, decision: Decision) -> Event:
    """The event of a decision about one target; `window` and `signal` hold its series alone."""
    target, plan = table.targets[pair], table.plans[pair]
    level = table.band(pair, decision.level)
    judged = level or min(plan.bands, key=lambda band: band.rank)  # an end is told by the lowest level
    severity = level or table.band(pair, decision.previous_level)
    usable = table.usable(window)[0]
    newest = int(np.flatnonzero(usable)[-1]) if usable.any() else None
    observed = np.nan if newest is None else float(window.value[0, newest])
    said = told(table.rule.kind, table.rule.settings, plan, judged, float(signal.value[0, -1]), observed)
    rises = decision.level > decision.previous_level
    return Event(
        event_id=event_identity(
            table.rule.id, target.key, decision.kind, decision.event_time, decision.ordinal
        ),
        alert_id=decision.alert_id,
        rule=table.rule.id,
        rule_version=table.rule.versions[pair],
        rule_kind=table.rule.kind.name,
        target=target.key,
        station=target.place,
        kind=decision.kind,
        level=decision.level,
        level_name=level.name if level else "",
        previous_level=decision.previous_level,
        severity=decision.severity or (severity.severity if severity else Severity.UNKNOWN),
        nature=target.station.nature.value,
        event_time=decision.event_time,
        detected_at=decision.detected_at,
        value=said.value if np.isfinite(said.value) else None,
        unit=plan.unit,
        threshold=said.threshold,
        observed=None if newest is None else observed,
        observed_at=None if newest is None else int(window.time[0, newest]),
        rate_per_hour=None if said.steady else decision.rate_per_hour,
        verified=not rises or table.kind is None or _verified(table, pair, signal, decision.level),
        evidence=_evidence(window, usable, plan.evidence if rises else CLEARING_EVIDENCE),
        direction=said.direction,
        reason=decision.reason,
        shadow=table.rule.settings.shadow,
        learnt_late=decision.learnt_late,
        remind=dict(plan.remind).get(decision.level),
    )


def nothing_of_us(about: str) -> Condition:
    """The condition about ourselves before anything was told of it."""
    return Condition(
        rule=RESERVED,
        target=about,
        phase=Phase.INACTIVE,
        level=0,
        since=None,
        candidate_level=0,
        candidate_since=None,
        alert_id=None,
        opened_at=None,
        ordinal=0,
        rule_version="",
    )


def tell_self(fault: OurFault, now: int, ordinal: int = 1) -> tuple[Event, Condition]:
    """The alert about ourselves, and the condition that keeps it from being told twice."""
    alert_id = alert_identity(RESERVED, fault.about, now, ordinal)
    condition = replace(
        nothing_of_us(fault.about),
        phase=Phase.FIRING,
        level=1,
        since=now,
        alert_id=alert_id,
        opened_at=now,
        ordinal=ordinal,
        rule_version=fault.version,
        told_at=now,
        level_since=now,
    )
    event = Event(
        event_id=event_identity(RESERVED, fault.about, EventKind.RAISED, now, ordinal),
        alert_id=alert_id,
        rule=RESERVED,
        rule_version=fault.version,
        rule_kind="self",
        target=fault.about,
        station="",
        kind=EventKind.RAISED,
        level=1,
        level_name=fault.name,
        previous_level=0,
        severity=Severity.UNKNOWN,
        nature=fault.nature,
        event_time=now,
        detected_at=now,
        value=None,
        unit="",
        threshold=None,
        observed=None,
        observed_at=None,
        rate_per_hour=None,
        verified=True,
        evidence=(),
        reason=fault.reason,
    )
    return event, condition


def clear_self(condition: Condition, nature: str, now: int, reason: str) -> tuple[Event, Condition]:
    """The end of an alert about ourselves."""
    assert condition.alert_id is not None
    fault = OurFault(condition.target, "", condition.rule_version, nature, reason)
    raised, _ = tell_self(fault, now, condition.ordinal)
    return cancel(condition, replace(raised, alert_id=condition.alert_id), now, reason, EventKind.CLEARED)


def cancel(
    condition: Condition, last: Event, now: int, reason: str, kind: EventKind = EventKind.CANCELLED
) -> tuple[Event, Condition]:
    """The end of an alert from the last event told of it: where it has lost its rule or its target."""
    ordinal = condition.ordinal + 1
    event = replace(
        last,
        event_id=event_identity(condition.rule, condition.target, kind, now, ordinal),
        kind=kind,
        level=0,
        level_name="",
        previous_level=condition.level,
        event_time=now,
        detected_at=now,
        evidence=(),
        reason=reason,
        remind=None,
    )
    ended = replace(
        condition,
        phase=Phase.INACTIVE,
        level=0,
        since=now,
        candidate_level=0,
        candidate_since=None,
        alert_id=None,
        opened_at=None,
        ordinal=ordinal,
        told_at=now,
        level_since=now,
        prolonged=False,
    )
    return event, ended


def slopes(table: RuleTable, windows: Windows, pair: NDArray[np.int64]) -> list[float | None]:
    """The robust slope of each pair's window, per hour, None where there is too little to judge by."""
    found = recent_slope(windows, table.comparable(windows, pair), SLOPE_WINDOW, SLOPE_SPAN, SLOPE_POINTS)
    return [None if np.isnan(slope) else round(slope, 6) for slope in found.tolist()]


def _verified(table: RuleTable, pair: int, signal: Signal, level: int) -> bool:
    """Whether the samples that it takes confirm the level, none of those that do being suspect."""
    limits = table.limits.take(np.array([pair]))
    samples = np.array([table.plans[pair].verified_samples])
    trusted = dataclasses.replace(signal, value=np.where(signal.suspect, -np.inf, signal.value))
    asked = dataclasses.replace(limits, samples=samples, of=np.maximum(limits.of, samples))
    return bool(confirmed_level(asked, trusted)[0] >= level)


def _evidence(window: Windows, usable: NDArray[np.bool_], most: int) -> tuple[Evidence, ...]:
    rows = np.flatnonzero(usable & (window.time[0] != NEVER))[-most:]
    return tuple(
        Evidence(int(window.time[0, row]), float(window.value[0, row]), int(window.quality[0, row]))
        for row in rows
    )
