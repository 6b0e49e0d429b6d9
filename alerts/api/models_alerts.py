"""Answers about alerts: told events, how an alert stands, what people have done with it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from alerts.api.models import Answer, AsOf, Flag, NatureOf, Page, Seen, Stamp, Words
from alerts.handling import Until
from alerts.model import EventKind, Severity


class EvidenceRow(Answer):
    """One observation behind a decision."""

    time: Stamp
    value: float
    quality: Flag


class ApprovedText(Answer):
    """A text for the public that a named person has approved: CAP 1.2 response types, both languages."""

    response: list[str]
    vi: str
    en: str


class Event(Answer):
    """What was told, once and for ever. `event_id` is the same however often it is delivered."""

    seq: int = Field(description="its number in the one sequence, which has no holes")
    event_id: str = Field(json_schema_extra={"format": "uuid"})
    alert_id: str = Field(json_schema_extra={"format": "uuid"})
    kind: EventKind
    nature: NatureOf
    station: str = Field(description="empty for an alert about ourselves")
    station_name: Words
    target: str = Field(description="the datastream's key, @gateway/<name>, or what else it is about")
    rule: str
    rule_kind: str
    rule_version: str
    severity: Severity
    level: int = Field(description="rank after the event, from 1; 0 at its end")
    level_name: str = Field(examples=["BĐ III"])
    previous_level: int
    event_time: Stamp = Field(description="when it became true, by the data")
    detected_at: Stamp
    created_at: Stamp
    delay_s: int
    value: float | None = Field(description="the signal that decided")
    unit: str
    threshold: float | None
    direction: Literal["above", "below"]
    margin: float | None = Field(description="value - threshold")
    observed: float | None = Field(description="the newest usable observation of the target")
    observed_at: Stamp | None
    rate_per_hour: float | None
    verified: bool = Field(description="false while suspect readings take part: chưa kiểm chứng")
    reason: str
    shadow: bool = Field(description="its rule is on trial: recorded, never notified")
    learnt_late: bool
    by: str = Field(description="who acknowledged, assigned, commented, shelved or cancelled")
    comment: str
    assigned_to: str
    until: Stamp | None = Field(description="the end of a shelving")
    told_to: list[str] = Field(description="the receivers that an unanswered alert goes to now; *: all")
    approval: ApprovedText | None
    headline: Words
    evidence: list[EvidenceRow]


class Acknowledgement(Answer):
    """Somebody has seen it."""

    by: str
    at: Stamp
    level: int
    until: Until
    worse: bool = Field(description="it stands above the level that they saw")


class Shelving(Answer):
    """Kept quiet for a while (tạm ẩn)."""

    by: str
    at: Stamp
    level: int
    until: Stamp
    comment: str


class Cancellation(Answer):
    """Issued in error, as somebody says (hủy vì phát nhầm)."""

    by: str
    at: Stamp
    level: int
    comment: str


class StandingApproval(ApprovedText):
    """The newest text for the public that somebody has approved."""

    by: str
    at: Stamp
    level: int
    void: bool = Field(description="the alert has risen above it or ended since: it holds no more")


class UnansweredStep(Answer):
    """Nobody had answered: it went to further receivers."""

    at: Stamp
    told_to: list[str] = Field(description="names of receivers; *: all of them")


class Handling(Answer):
    """What people have done with an alert and still holds."""

    version: int = Field(description="what an action must say that it has seen")
    acknowledged: Acknowledgement | None
    assigned_to: str | None
    shelved: Shelving | None
    cancelled: Cancellation | None
    comments: int
    approval: StandingApproval | None
    unanswered: list[UnansweredStep] = Field(description="to whom it went because nobody acknowledged it")


class Alert(Answer):
    """One alert as its newest event tells it."""

    alert_id: str = Field(json_schema_extra={"format": "uuid"})
    state: Literal["open", "ended", "cancelled", "record", "unknown"] = Field(
        description="unknown while the feed cannot see; record: late readings told of it, it never stood"
    )
    last_known_state: Literal["open", "ended", "cancelled", "record"]
    phase: Literal["inactive", "pending", "firing", "clearing"] | None = Field(
        description="the engine's, while it is open"
    )
    opened_at: Stamp | None = Field(description="while it is open")
    began_at: Stamp = Field(description="of its first event, by the data")
    ended_at: Stamp | None = Field(description="by the data; null while it stands")
    newest: Event
    handling: Handling | None


class Alerts(Page):
    """One page of alerts as they stood at event `head`."""

    head: int
    alerts: list[Alert]


class AlertStory(Alert):
    """One alert with every event of it, in order."""

    as_of: AsOf
    events: list[Event]


class Events(Seen):
    """Told events in order."""

    head: int = Field(description="the newest number there is")
    position: int = Field(description="the number to go on from, with `after` or `Last-Event-ID`")
    next: str | None = Field(
        description="path of the next page, as in the `Link` header; null: there is none"
    )
    events: list[Event]
