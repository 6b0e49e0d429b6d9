"""The words of the alert side: phases, events, conditions. No I/O, no clock.

An *event* is told: immutable, numbered in commit order, decided in the transaction of the rows that
implied it. A *condition* is the engine's state for one (rule, target), stored only when its phase changes.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

import msgspec

SIGHT = "@sight"  # what the alert about our own blindness is about; no rule has such an id
RECEIVER = "@receiver/"  # and its name: what the alert about a receiver that is not reached is about
WATCH = "@watch"  # what the alert is about that nobody watches
TEST = "@test"  # what the daily test is about
NEVER_HEARD = "never heard"  # the reason of a silence that has lasted from the beginning


class Phase(IntEnum):
    INACTIVE = 0
    PENDING = 1
    FIRING = 2
    CLEARING = 3


class EventKind(StrEnum):
    RAISED = "raised"  # an alert opens
    ESCALATED = "escalated"  # it reaches a higher level
    LOWERED = "lowered"  # it steps down to a lower level, still open
    CLEARED = "cleared"  # it ends
    CANCELLED = "cancelled"  # it ends because its rule changed or was issued in error
    REMINDED = "reminded"  # nothing changed: it is still open, and is said again
    LATE = "late"  # late rows show a crossing that is over: it would have been raised; for the record only
    REVISED = "revised"  # what was told does not stand in event time: names the row that shows it
    # What people do with an alert; the engine neither writes nor reads these.
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    COMMENTED = "commented"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    APPROVED = "approved"  # a named person answers for a text that tells people what to do
    UNANSWERED = "unanswered"  # nobody has acknowledged it in time: it goes to further receivers
    TESTED = "tested"  # about no alert: the daily proof that each receiver is reached


class Severity(StrEnum):
    """CAP 1.2 severity."""

    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One observation behind a decision: time in microseconds UTC, value in its unit, QARTOD flag."""

    time: int
    value: float
    quality: int


class Approval(msgspec.Struct, frozen=True, gc=False):
    """A text for the public that a named person has approved: CAP 1.2 response types, both languages."""

    response: tuple[str, ...]
    vi: str
    en: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of one alert. `event_id` is a UUIDv5 of (rule, target, kind, event time, ordinal)."""

    event_id: str
    alert_id: str
    rule: str
    rule_version: str
    rule_kind: str  # threshold, rate, silence, ...
    target: str  # datastream key "<station>/<name>"
    station: str
    kind: EventKind
    level: int  # rank from 1 after the event; 0 when cleared
    level_name: str  # e.g. "BĐ III"; "" when cleared
    previous_level: int
    severity: Severity
    nature: str
    event_time: int  # when it became true, microseconds UTC, from the data
    detected_at: int  # when we decided, microseconds UTC
    value: float | None  # the signal that decided: a level in m, a rate in m/h, a silence in s
    unit: str
    threshold: float | None  # the level's threshold in the same unit
    observed: float | None  # newest usable observation of the target, in its own unit
    observed_at: int | None
    rate_per_hour: float | None  # robust slope of the target at that time, own unit per hour, if known
    verified: bool  # False when suspect observations took part ("chưa kiểm chứng")
    evidence: tuple[Evidence, ...]
    direction: str = "above"  # or "below": the side of the threshold on which the alert stands
    reason: str = ""  # why, where the data alone do not say it: "rule changed", "rule removed", an error
    shadow: bool = False  # its rule is on trial: recorded, never notified
    learnt_late: bool = False  # late rows completed a crossing that is still the newest state
    by: str = ""  # who acknowledged, assigned, commented, shelved or cancelled
    comment: str = ""  # in that person's words
    assigned_to: str = ""
    until: int | None = None  # the end of a shelving, microseconds UTC
    told_to: tuple[str, ...] = ()  # the receivers that an unanswered alert goes to now; "*": all of them
    approval: Approval | None = None
    remind: int | None = (
        None  # after so many microseconds without news it is told again, where its rule says so
    )


class Condition(msgspec.Struct, frozen=True, gc=False):
    """What the engine holds of one (rule, target), as stored; times in microseconds UTC.

    `since`: when this phase began, in event time. `candidate_level`/`candidate_since`: a higher level that
    was reached and is not confirmed yet. `ordinal` counts the events told of this (rule, target), `told_at`
    is when the newest of them was decided, `level_since` when its level began, in event time; `prolonged`: it
    has stood for so long that it was told again as worse.
    """

    rule: str
    target: str
    phase: Phase
    level: int
    since: int | None
    candidate_level: int
    candidate_since: int | None
    alert_id: str | None
    opened_at: int | None
    ordinal: int
    rule_version: str
    told_at: int | None = None
    level_since: int | None = None
    prolonged: bool = False


class NumberedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with its number in the one sequence and the time at which the database took it."""

    seq: int
    created_at: int
    event: Event


class OpenAlert(msgspec.Struct, frozen=True, gc=False):
    """An alert that has not ended: the condition it stands on, its first event and its newest."""

    condition: Condition
    first: NumberedEvent
    newest: NumberedEvent
