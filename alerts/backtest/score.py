"""What alerts were worth against the truth: hits, misses, false alarms, lead time, flaps. Pure.

- An alert *hits* a crossing when it stands at that level or a higher one by the second received sample after
  it. Told earlier, that is its lead time, as far as it was told within `LEAD` before; an alert that stood for
  longer, from an earlier crossing, hits it without a lead time.
- An alert is *false* when no crossing of its rule's levels falls in its life.
- A rule of another signal than the level, such as a rate, *foretells* the levels of its datastream: its
  alert hits a crossing when it stood within `LEAD` before it, and is false when none came up to `LEAD` after.
- A rule on datastreams without a level to cross (silence, batteries) has no truth: it is counted, no more.
- A *flap* is an alert that opens within `FLAP` of the end of the one before on the same datastream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from alerts.backtest.truth import Crossing, Samples, Truth, crossings, labelled
from alerts.model import Event, EventKind
from alerts.rules.book import Rule
from alerts.rules.kind import MICROS, Band, Plan, RowKind, Target

LEAD = 6 * 3_600 * MICROS  # what a city can use; the floods of Huế take 11-16 h from BĐ I to III
FLAP = 3_600 * MICROS  # twice the half hour after which a level ends
WEEK, DAY = 7 * 86_400 * MICROS, 86_400 * MICROS
NEVER_ENDED = 2**62
SPOKEN = (
    EventKind.RAISED,
    EventKind.ESCALATED,
    EventKind.LOWERED,
    EventKind.CLEARED,
    EventKind.CANCELLED,
    EventKind.REMINDED,
    EventKind.REVISED,
)  # what a receiver is told; late ones and what people do are for the record


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which an alert stood at a level, by when it was told."""

    level: int
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert's life: of which target, when it was told of, and the levels it stood at."""

    target: str
    opened: int
    ended: int
    event_time: int  # when it became true
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one true crossing under one rule. `lead` is microseconds, negative when told after it,
    None when an alert stood already or none came."""

    target: Target
    level: str
    limit: float
    crossing: Crossing
    hit: bool
    lead: int | None


@dataclass(frozen=True, slots=True)
class Card:
    """One rule's score. `truth`: levels, foretells or none. Lead times in microseconds."""

    rule: str
    truth: str
    shadow: bool
    alerts: int
    false: tuple[Alert, ...]
    verdicts: tuple[Verdict, ...]
    flaps: int
    notifications: int
    span: int

    @property
    def hits(self) -> int:
        return sum(verdict.hit for verdict in self.verdicts)

    @property
    def misses(self) -> int:
        return len(self.verdicts) - self.hits

    @property
    def leads(self) -> list[int]:
        """Lead times of the hits that have one, smallest first."""
        return sorted(v.lead for v in self.verdicts if v.hit and v.lead is not None)

    @property
    def flaps_per_week(self) -> float:
        return self.flaps * WEEK / self.span

    @property
    def notifications_per_day(self) -> float:
        return self.notifications * DAY / self.span


def alerts_of(events: Iterable[Event]) -> dict[str, list[Alert]]:
    """The alerts that events tell of, in order of opening, by rule."""
    by_alert: dict[str, list[Event]] = {}
    for event in events:
        if event.kind is not EventKind.LATE:
            by_alert.setdefault(event.alert_id, []).append(event)
    found: dict[str, list[Alert]] = {}
    for told in by_alert.values():
        found.setdefault(told[0].rule, []).append(_alert(told))
    return found


def _alert(told: Sequence[Event]) -> Alert:
    stretches: list[Stretch] = []
    ends = [event.detected_at for event in told[1:]] + [NEVER_ENDED]
    for event, until in zip(told, ends, strict=True):
        if event.level:
            stretches.append(Stretch(event.level, event.detected_at, until))
    ended = told[-1].detected_at if told[-1].level == 0 else NEVER_ENDED
    return Alert(told[0].target, told[0].detected_at, ended, told[0].event_time, tuple(stretches))


@dataclass(slots=True)
class Scorer:
    """Scores rules on one history: `samples` of each datastream by key, what people know, from when on and
    for how long (microseconds)."""

    samples: Mapping[str, Samples]
    truth: Truth
    since: int
    span: int
    _known: dict[tuple[str, str, float, int], list[Crossing]] = field(default_factory=dict)

    def card(self, rule: Rule, events: Sequence[Event], alerts: Sequence[Alert]) -> Card:
        """One rule's score; `events` and `alerts` are its own."""
        verdicts: list[Verdict] = []
        false: list[Alert] = []
        truth = truth_of(rule)
        by_target: dict[str, list[Alert]] = {}
        for alert in alerts:
            by_target.setdefault(alert.target, []).append(alert)
        for target, plan in rule.plans:
            mine = by_target.get(target.key, [])
            if isinstance(rule.kind, RowKind):  # a silence says nothing of the water
                false += [alert for alert in mine if self._in_a_jump(alert)]
            if truth == "none":
                continue
            judged = [
                self._verdict(truth, target, band, crossing, mine)
                for band in truth_bands(truth, target, plan)
                for crossing in self.crossings(target.key, band, rule.settings.sign)
            ]
            verdicts += judged
            if truth == "levels" or target.datastream.levels:
                after = LEAD if truth == "foretells" else 0
                times = [verdict.crossing for verdict in judged]
                false += [
                    alert for alert in mine if not _deserved(alert, times, after) and alert not in false
                ]
        shadow = any(event.shadow for event in events)
        spoken = 0 if shadow else sum(event.kind in SPOKEN for event in events)
        flaps = sum(_flaps(mine) for mine in by_target.values())
        return Card(
            rule.id, truth, shadow, len(alerts), tuple(false), tuple(verdicts), flaps, spoken, self.span
        )

    def crossings(self, key: str, band: Band, sign: int) -> list[Crossing]:
        """The true crossings of a level, as people wrote them down or as the series says."""
        limit = sign * band.raise_at
        wanted = (key, band.name, limit, sign)
        if wanted not in self._known:
            samples = self.samples[key]
            known = labelled(self.truth.events, key, band.name, samples)
            found = crossings(samples, limit, sign) if known is None else known
            self._known[wanted] = [crossing for crossing in found if crossing.arrived >= self.since]
        return self._known[wanted]

    def _in_a_jump(self, alert: Alert) -> bool:
        return any(
            jump.datastream == alert.target and jump.at <= alert.event_time <= jump.until
            for jump in self.truth.jumps
        )

    def _verdict(
        self, truth: str, target: Target, band: Band, crossing: Crossing, alerts: Sequence[Alert]
    ) -> Verdict:
        rank = band.rank if truth == "levels" else 1
        before = LEAD if truth == "foretells" else 0
        limit = abs(band.raise_at)
        begins = [
            stretch[0]
            for alert in alerts
            for stretch in _at_least(alert, rank)
            if stretch[0] <= crossing.deadline and stretch[1] > crossing.arrived - before
        ]
        if not begins:
            return Verdict(target, band.name, limit, crossing, False, None)
        lead = crossing.arrived - min(begins)
        return Verdict(target, band.name, limit, crossing, True, lead if lead <= LEAD else None)


def truth_of(rule: Rule) -> str:
    """Whether a rule's levels can be crossed (levels), it speaks before (foretells), or neither (none)."""
    if not isinstance(rule.kind, RowKind):
        return "none"
    if (
        all(plan.unit == target.datastream.unit for target, plan in rule.plans)
        and rule.kind.name == "threshold"
    ):
        return "levels"
    return "foretells" if any(target.datastream.levels for target, _ in rule.plans) else "none"


def truth_bands(truth: str, target: Target, plan: Plan) -> Sequence[Band]:
    """The levels whose crossings a rule is judged by at a target."""
    if truth == "levels":
        return plan.bands
    return [
        Band(level.rank, level.name, plan.bands[0].severity, level.value, level.value)
        for level in target.datastream.levels
    ]


def _at_least(alert: Alert, rank: int) -> list[tuple[int, int]]:
    """The unbroken times in which an alert stood at a level or higher."""
    found: list[tuple[int, int]] = []
    for stretch in alert.stretches:
        if stretch.level < rank:
            continue
        if found and found[-1][1] == stretch.begins:
            found[-1] = (found[-1][0], stretch.ends)
        else:
            found.append((stretch.begins, stretch.ends))
    return found


def _deserved(alert: Alert, times: Sequence[Crossing], after: int) -> bool:
    return any(
        crossing.deadline >= alert.opened
        and crossing.arrived <= min(alert.ended, NEVER_ENDED - after) + after
        for crossing in times
    )


def _flaps(alerts: Sequence[Alert]) -> int:
    ordered = sorted(alerts, key=lambda alert: alert.opened)
    return sum(later.opened - earlier.ended < FLAP for earlier, later in pairwise(ordered))


def median_lead(card: Card) -> float | None:
    """The median lead time, microseconds."""
    return float(np.median(card.leads)) if card.leads else None
