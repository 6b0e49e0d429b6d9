"""Why somebody is not told of an event, by name and with a reference to what keeps the notice back. Pure.

Promises: a fixed order of causes, the first that applies is the one recorded; a higher level of an alert that
is acknowledged, shelved, cancelled in error or flapping speaks; nothing that is Severe, Extreme or about
ourselves is grouped or silenced by a wide matcher. It decides on events, on windows and silences as they
stood when the database took the event, and never on a clock. Called by `alerts.delivery_plan`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from alerts.handling import Story, of_people
from alerts.model import Event, EventKind, NumberedEvent, Severity
from ingest.clock import MICROS_PER_SECOND
from ingest.store.maintenance import Window

SILENCE_LONGEST_S = 8 * 3600  # a shift, as of a maintenance window

MAINTENANCE_ENDED = "maintenance ended"
STABLE_AGAIN = "stable again"
SILENCE_ENDED = "silence ended"
# The feed's own, said once, also of an acknowledged alert.
OUR_REMINDERS = frozenset({MAINTENANCE_ENDED, STABLE_AGAIN, SILENCE_ENDED})

RANK = {Severity.MINOR: 1, Severity.MODERATE: 2, Severity.SEVERE: 3, Severity.EXTREME: 4}
UNKNOWN_RANK = RANK[Severity.SEVERE]  # nobody knows how bad it is

# Kinds that are evidence beside a level: the alert of the level speaks for them.
BESIDE_A_LEVEL = frozenset({"rate", "saturation", "time_to_level"})
LEVEL_KIND = "threshold"
RAIN_WINDOW = re.compile(r"rain[_-](?:(\d+)h|day)$")  # at the end of a target, or else of a rule's id
RAIN_DAY_H = 24


class Cause(StrEnum):
    """What suppressed a notice; what the reference beside it names."""

    SHADOW = "shadow"  # the rule is on trial: its id
    LATE = "late"  # for the record only: the kind of the event
    CANCELLED = "cancelled"  # as issued in error: by whom
    MAINTENANCE = "maintenance"  # the window's number
    SHELVED = "shelved"  # by whom
    ACKNOWLEDGED = "acknowledged"  # by whom
    SILENCE = "silence"  # the silence's number
    SPOKEN_FOR = "spoken_for"  # the id of the alert that speaks
    FLAPPING = "flapping"  # how often it has opened
    STORM = "storm"  # the number of the event whose notice is the digest


EXPLAINED = {
    Cause.SHADOW: "the rule {} is on trial",
    Cause.LATE: "for the record only",
    Cause.CANCELLED: "cancelled as issued in error by {}",
    Cause.MAINTENANCE: "maintenance window {}",
    Cause.SHELVED: "shelved by {}",
    Cause.ACKNOWLEDGED: "acknowledged by {}",
    Cause.SILENCE: "silence {}",
    Cause.SPOKEN_FOR: "alert {} speaks for it",
    Cause.FLAPPING: "it flaps, {}",
    Cause.STORM: "told in the digest of event {}",
}


@dataclass(frozen=True, slots=True)
class Suppression:
    cause: Cause
    reference: str

    def __str__(self) -> str:
        return EXPLAINED[self.cause].format(self.reference)


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of suppression; `config/README.md` has them as settings. Seconds."""

    flap_openings: int = (
        3  # more than one an hour is no water: a level clears after 30 minutes at the earliest
    )
    flap_window_s: float = 3_600.0
    storm_first: int = 5  # what a person on duty reads one by one
    storm_window_s: float = 120.0  # one commit, or the minutes in which a front crosses the city
    # How long the rest is collected; a thousand kept states take 2 more of the 5 s in which a storm is told.
    storm_digest_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Silence:
    """An owner's wish to hear nothing of the alerts that match, begin <= t < end; times in microseconds."""

    id: int
    rule: str | None
    station: str | None
    severity: Severity | None  # at most so severe
    owner: str
    reason: str
    begins: int
    ends: int

    def covers(self, numbered: NumberedEvent) -> bool:
        """Whether it keeps this event back: never Severe or Extreme, unless it names station and rule."""
        event, rank = numbered.event, rank_of(numbered.event)
        named = self.rule is not None and self.station is not None
        most = RANK[self.severity] if self.severity else max(RANK.values())
        return (
            self.begins <= numbered.created_at < self.ends
            and self.rule in (None, event.rule)
            and self.station in (None, event.station)
            and rank <= most
            and (named or rank < RANK[Severity.SEVERE])
        )


@dataclass(frozen=True, slots=True)
class Turns:
    """How a (rule, target) has opened and closed: when it opened, oldest first, and whether it is open.

    An opening counts only after a close: several alerts at once of one (rule, target) are no flapping.
    """

    opened: tuple[int, ...] = ()
    open: bool = False

    def after(self, time: int, opens: bool) -> Turns:
        """With an event at that time, after which it is open or not."""
        return Turns((*self.opened, time) if opens and not self.open else self.opened, opens)


@dataclass(frozen=True, slots=True)
class Scene:
    """What was there when an event came: its story before and after it, and what stands around.

    `beside`: open alerts of the same station. `turns`: how its (rule, target) has opened and closed.
    """

    before: Story | None
    after: Story | None
    windows: Sequence[Window]
    silences: Sequence[Silence]
    beside: Sequence[Story]
    turns: Turns
    limits: Limits


def rank_of(event: Event) -> int:
    """How severe it is, from 1 to 4."""
    return RANK.get(event.severity, UNKNOWN_RANK)


def as_severe_as(least: Severity) -> list[str]:
    """The severities that rank at least as high."""
    lowest = RANK.get(least, UNKNOWN_RANK)
    return [each.value for each in Severity if RANK.get(each, UNKNOWN_RANK) >= lowest]


def suppressed(numbered: NumberedEvent, scene: Scene) -> Suppression | None:
    """What keeps the event from being told, if anything does; storms are the plan's."""
    event = numbered.event
    if event.shadow:
        return Suppression(Cause.SHADOW, event.rule)
    if of_people(event):
        return None  # told for the record, so that every feed knows
    if event.kind is EventKind.LATE:
        return Suppression(Cause.LATE, event.kind.value)
    return (
        _cancelled(scene)
        or _in_maintenance(numbered, scene.windows)
        or _shelved(scene)
        or _acknowledged(event, scene)
        or _silenced(numbered, scene.silences)
        or _spoken_for(event, scene.beside)
        or _flapping(event, scene)
    )


def is_loud(numbered: NumberedEvent, scene: Scene) -> bool:
    """Whether people's word is to sound: the end of a shelving while the alert is open, or a correction."""
    event = numbered.event
    if event.kind is EventKind.CANCELLED:
        return True
    open_now = event.kind is EventKind.UNSHELVED and scene.after is not None and scene.after.open
    return open_now and _in_maintenance(numbered, scene.windows) is None


def groupable(event: Event) -> bool:
    """Whether a storm's digest may speak for it: an opening below Severe, not about ourselves."""
    known = event.severity in RANK and rank_of(event) < RANK[Severity.SEVERE]
    return event.kind is EventKind.RAISED and known and event.station != "" and event.rule_kind != "self"


def urgent(event: Event) -> bool:
    """Whether it must not wait behind a digest that is being collected."""
    rises = event.kind in (EventKind.RAISED, EventKind.ESCALATED)
    return rises and not groupable(event)


def flaps(opened: Sequence[int], limits: Limits) -> tuple[bool, bool]:
    """Whether a (rule, target) flaps after its openings so far, and whether the newest began that.

    It flaps from the opening that is one too many within the window until a whole window passes without one.
    """
    window = round(limits.flap_window_s * MICROS_PER_SECOND)
    flapping = began = False
    for place, time in enumerate(opened):
        recent = sum(time - window < other <= time for other in opened[: place + 1])
        began = not flapping and recent > limits.flap_openings
        flapping = began or (flapping and recent > 1)
    return flapping, began


def _cancelled(scene: Scene) -> Suppression | None:
    if scene.after is None or not scene.after.handling.cancelled:
        return None
    return Suppression(Cause.CANCELLED, scene.after.handling.cancelled.by)


def _in_maintenance(numbered: NumberedEvent, windows: Iterable[Window]) -> Suppression | None:
    for window in windows:
        if numbered.event.target in window.datastreams and window.holds(numbered.created_at):
            return Suppression(Cause.MAINTENANCE, str(window.id))
    return None


def _shelved(scene: Scene) -> Suppression | None:
    """By the story before: an end ends the shelving too, and is still quiet to who was told nothing."""
    shelved = scene.before.handling.shelved if scene.before else None
    worse = shelved is None or (scene.after is not None and scene.after.level > shelved.level)
    return None if shelved is None or worse else Suppression(Cause.SHELVED, shelved.by)


def _acknowledged(event: Event, scene: Scene) -> Suppression | None:
    known = scene.after.handling.acknowledged if scene.after else None
    if event.kind is not EventKind.REMINDED or event.reason in OUR_REMINDERS or known is None:
        return None
    return Suppression(Cause.ACKNOWLEDGED, known.by) if event.level <= known.level else None


def _silenced(numbered: NumberedEvent, silences: Iterable[Silence]) -> Suppression | None:
    for silence in silences:
        if silence.covers(numbered):
            return Suppression(Cause.SILENCE, str(silence.id))
    return None


def _spoken_for(event: Event, beside: Iterable[Story]) -> Suppression | None:
    for story in beside:
        other = story.event
        if other.alert_id != event.alert_id and _audible(story) and _speaks_for(other, event):
            return Suppression(Cause.SPOKEN_FOR, other.alert_id)
    return None


def _audible(story: Story) -> bool:
    return story.open and not story.event.shadow and not story.hidden and story.handling.shelved is None


def _speaks_for(other: Event, event: Event) -> bool:
    if event.rule_kind in BESIDE_A_LEVEL:
        return other.rule_kind == LEVEL_KIND and other.target == event.target
    hours, longer = rain_hours(event), rain_hours(other)
    if hours is None or longer is None or event.station != other.station:
        return False
    return hours < longer and rank_of(event) < rank_of(other)


def rain_hours(event: Event) -> int | None:
    """The window of an alert on a sum of rain, by the name of its target or else of its rule."""
    found = RAIN_WINDOW.search(event.target) or RAIN_WINDOW.search(event.rule)
    if found is None:
        return None
    return int(found[1]) if found[1] else RAIN_DAY_H


def _flapping(event: Event, scene: Scene) -> Suppression | None:
    if event.kind is EventKind.ESCALATED or event.reason == STABLE_AGAIN or not scene.turns.opened:
        return None
    flapping, began = flaps(scene.turns.opened, scene.limits)
    window = round(scene.limits.flap_window_s * MICROS_PER_SECOND)
    recent = event.detected_at - scene.turns.opened[-1] <= window
    if not flapping or not recent or (began and event.kind is EventKind.RAISED):
        return None
    return Suppression(Cause.FLAPPING, f"{len(scene.turns.opened)} openings")
