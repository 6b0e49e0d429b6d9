"""The events that say where what was told and what event time says differ: `late` and `revised`. Pure.

Neither changes a condition: an open alert stays open. Their ids come from the told event or the entry of the
record that they speak of, so that they are the same however rows were batched. Called by `alerts.judging`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from alerts.account import Account, Finding
from alerts.episode import Entry
from alerts.events import NAMESPACE
from alerts.model import Event, EventKind, Evidence, Severity
from alerts.rules.table import RuleTable
from ingest.clock import to_datetime
from ingest.memory import Windows
from ingest.model import Quality


@dataclass(frozen=True, slots=True)
class Witness:
    """A row as it stands now, and the flag that it had when the alert was told, if it was known then."""

    time: int
    value: float
    quality: int
    received: int
    was: int | None


def late(
    table: RuleTable, pair: int, entry: Entry, account: Account, finding: Finding, window: Windows, now: int
) -> Event:
    """The event of a crossing that event time shows and nobody was told of; `window` is its series'."""
    target, plan = table.targets[pair], table.plans[pair]
    band = table.band(pair, entry.level)
    row = _row(window, entry.event_time)
    return Event(
        event_id=_identity(entry.rule, entry.target, EventKind.LATE, str(entry.ordinal)),
        alert_id=_alert(account, finding, entry),
        rule=entry.rule,
        rule_version=entry.rule_version,
        rule_kind=table.rule.kind.name,
        target=entry.target,
        station=target.station.id,
        kind=EventKind.LATE,
        level=entry.level,
        level_name=band.name if band else "",
        previous_level=finding.stood,
        severity=band.severity if band else Severity.UNKNOWN,
        nature=target.station.nature.value,
        event_time=entry.event_time,
        detected_at=now,
        value=entry.value,
        unit=plan.unit,
        threshold=entry.threshold,
        observed=row.value if row else None,
        observed_at=row.time if row else None,
        rate_per_hour=None,
        verified=row is not None and row.quality != Quality.SUSPECT,
        evidence=(Evidence(row.time, row.value, row.quality),) if row else (),
        direction="above" if table.rule.settings.sign > 0 else "below",
        reason="late, would have",
        shadow=table.rule.settings.shadow,
    )


def revised(
    table: RuleTable, pair: int, told: Event, account: Account, finding: Finding, window: Windows, now: int
) -> Event:
    """The event that takes nothing back but says that event time does not bear out what was told."""
    own = [step.level for step in account.told if step.alert_id == told.alert_id]
    level = own[-1] if own else 0  # where the alert stands, which this does not change
    band, stood = table.band(pair, level), table.band(pair, finding.stood)
    would = f"level {finding.stood} ({stood.name})" if stood else "no alert"
    return replace(
        told,
        event_id=_identity(told.rule, told.target, EventKind.REVISED, told.event_id),
        kind=EventKind.REVISED,
        level=level,
        level_name=band.name if band else "",
        previous_level=told.level,
        detected_at=now,
        learnt_late=False,
        reason=f"in event time it would have been {would}: {_said(witness(table, window, told), told)}",
    )


def witness(table: RuleTable, window: Windows, told: Event) -> Witness | None:
    """The row that shows it: one whose flag has changed since the alert was told, else the newest come of
    those that the alert was not told with, up to its time; None when no row of the window does."""
    known = {row.time: row.quality for row in told.evidence}
    begin = min(known, default=told.event_time - table.memory)
    rows = [
        Witness(time, value, quality, received, known.get(time))
        for time, value, quality, received in zip(
            window.time[0].tolist(),
            window.value[0].tolist(),
            window.quality[0].tolist(),
            window.received[0].tolist(),
            strict=True,
        )
        if begin <= time <= told.event_time and np.isfinite(value)
    ]
    flagged = [row for row in rows if row.was not in (None, row.quality)]
    unknown = [row for row in rows if row.was is None and table.accepted[row.quality]]
    by_arrival = sorted(unknown, key=lambda row: (row.received, row.time))
    return next(reversed(flagged or by_arrival), None)


def _said(row: Witness | None, told: Event) -> str:
    if row is None:
        return "its rows by their times"
    unit = told.unit.partition("/h")[0]  # a rate's rows are in its datastream's own unit
    flag = Quality(row.quality).name.lower()
    if row.was is not None:
        flag += f" (was {Quality(row.was).name.lower()})"
    return f"the row of {_utc(row.time)}, {row.value:g} {unit}, flag {flag}, came {_utc(row.received)}"


def _alert(account: Account, finding: Finding, entry: Entry) -> str:
    """The alert that was open at a lower level meanwhile, or one of its own that was never told."""
    if finding.stood:
        told = [step for step in account.told if step.level == finding.stood and step.alert_id]
        if told:
            return told[-1].alert_id
    return str(uuid.uuid5(NAMESPACE, f"judged|{entry.rule}|{entry.target}|{entry.ordinal}"))


def _identity(rule: str, target: str, kind: EventKind, of: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"verdict|{rule}|{target}|{kind.value}|{of}"))


def _row(window: Windows, time: int) -> Witness | None:
    at = np.flatnonzero(window.time[0] == time)
    if not len(at):
        return None
    place = at[0]
    return Witness(
        time,
        float(window.value[0, place]),
        int(window.quality[0, place]),
        int(window.received[0, place]),
        None,
    )


def _utc(micros: int) -> str:
    return to_datetime(micros).isoformat().replace("+00:00", "Z")
