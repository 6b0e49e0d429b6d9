"""What people do with an alert: the second state machine, a fold over the alert's own events. Pure.

The engine never reads it, and it never changes the engine's condition; delivery and the feeds join both.
`decide` turns an action into its event or refuses it, `follow` takes an event, of people or of the engine,
into the story of its alert. Whoever folds the same events holds the same state. Times are microseconds.

What an action does (– is refused):

    action        open            acknowledged             shelved        cancelled  ended
    acknowledge   acknowledged    again, if worse or       acknowledged   –          –
                                  for another `until`      and shelved
    assign        assigned        assigned                 assigned       –          –     (to another only)
    comment       noted           noted                    noted          noted      noted
    shelve        shelved         shelved                  to a new end   –          –     (2 h at most)
    unshelve      –               –                        open           –          –
    cancel        cancelled       cancelled                cancelled      –          –
    approve       a text          a text                   a text         –          all clear

Nobody's word: `unanswered` says that nobody has acknowledged in time (`alerts.unanswered` decides when), and
`released` that a handover has taken the alert from who left.

What the condition's events do to what people have said, by the level at which they said it:

    said                        higher level                     same or lower level     end
    acknowledged until worse    unacknowledged, speaks           stays, not reminded     over
    acknowledged until resolved stays, speaks and says so        stays, not reminded     over
    shelved                     over, speaks                     quiet                   over
    cancelled                   over, attention again            hidden and quiet        over
    approved                    void, and says so                stays                   void, but all clear
    unanswered                  stays until somebody acknowledges, shelves or cancels it

An alert ends for good: what opens again is another alert, of which nobody has said anything. A shelving that
is due is over at once for who reads; the event that says so follows.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from alerts.approval import fault
from alerts.events import NAMESPACE
from alerts.model import Approval, Event, EventKind, NumberedEvent
from ingest.clock import MICROS_PER_SECOND

LONGEST_SHELVING_S = 2 * 3600  # longer is maintenance, or the rule is wrong
LONGEST_NAME, LONGEST_COMMENT = 80, 1_000  # characters: a line, a screen

PEOPLES = frozenset(
    {
        EventKind.ACKNOWLEDGED,
        EventKind.ASSIGNED,
        EventKind.COMMENTED,
        EventKind.SHELVED,
        EventKind.UNSHELVED,
        EventKind.APPROVED,
        EventKind.UNANSWERED,
    }
)
FOR_THE_RECORD = frozenset(
    {EventKind.LATE, EventKind.REVISED, EventKind.TESTED}
)  # they leave the condition as it is
SHELVING_ENDED = "shelving ended"
HANDOVER = "handover"  # why an alert is nobody's any more


class Until(StrEnum):
    """For how long an alert is acknowledged."""

    RESOLVED = "resolved"
    WORSE = "worse"


class Refused(Exception):
    """The action makes no sense as the alert stands; the message says why."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    by: str
    at: int
    level: int
    until: Until


@dataclass(frozen=True, slots=True)
class Shelved:
    by: str
    at: int
    level: int
    until: int
    comment: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """As issued in error."""

    by: str
    at: int
    level: int
    comment: str


@dataclass(frozen=True, slots=True)
class Approved:
    """A text that somebody answers for. `void`: the alert no longer stands as it did when he read it."""

    by: str
    at: int
    level: int
    text: Approval
    void: bool = False

    def after_level(self, level: int) -> Approved:
        """Void above its level, and at the end; what was approved after the end stands."""
        return replace(self, void=self.void or (self.level > 0 and not 0 < level <= self.level))


@dataclass(frozen=True, slots=True)
class Unanswered:
    """One step of the ladder: when the alert went to which receivers, "*" being all."""

    at: int
    told_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Handling:
    """What people have said that still holds. `version` counts all that they ever said of the alert; the
    steps of `unanswered`, in which nobody has said anything, are not counted."""

    version: int = 0
    acknowledged: Acknowledged | None = None
    assigned_to: str = ""
    shelved: Shelved | None = None
    cancelled: Cancelled | None = None
    comments: int = 0
    approval: Approved | None = None
    unanswered: tuple[Unanswered, ...] = ()

    def after_level(self, level: int) -> Handling:
        """What still holds once the condition stands at this level; 0 is its end."""
        ack, shelved, cancelled = self.acknowledged, self.shelved, self.cancelled
        outrun = ack is not None and ack.until is Until.WORSE and level > ack.level
        return replace(
            self,
            acknowledged=None if outrun else ack,
            shelved=None if shelved and not 0 < level <= shelved.level else shelved,
            cancelled=None if cancelled and level > cancelled.level else cancelled,
            approval=self.approval.after_level(level) if self.approval else None,
        )


@dataclass(frozen=True, slots=True)
class Story:
    """One alert: the newest event that tells its condition, and what people have done with it."""

    newest: NumberedEvent
    handling: Handling = Handling()

    @property
    def event(self) -> Event:
        return self.newest.event

    @property
    def level(self) -> int:
        """The level at which the condition stands; 0 when it has ended."""
        return self.event.level

    @property
    def open(self) -> bool:
        """Whether the condition stands."""
        return self.level > 0

    @property
    def hidden(self) -> bool:
        """Whether it was cancelled as issued in error, and nothing worse has come."""
        return self.handling.cancelled is not None

    def shelved_at(self, now: int) -> bool:
        """Whether it is shelved at that moment."""
        shelved = self.handling.shelved
        return shelved is not None and now < shelved.until


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody wants to do. `until`: of an acknowledgement; `shelve_s`: how long, in seconds."""

    kind: EventKind
    by: str
    comment: str = ""
    assign_to: str = ""
    until: Until = Until.WORSE
    shelve_s: float = 0.0
    text: Approval | None = None


def of_people(event: Event) -> bool:
    """Whether somebody, or the end of what somebody said, speaks here, and not the condition."""
    return event.kind in PEOPLES or (event.kind is EventKind.CANCELLED and event.by != "")


def counts(event: Event) -> bool:
    """Whether it makes a version: who acts on an alert need not have seen that nobody had answered."""
    return of_people(event) and event.kind is not EventKind.UNANSWERED


def follow(story: Story | None, numbered: NumberedEvent) -> Story | None:
    """The story after one more event of its alert; None while no event has told a condition."""
    event = numbered.event
    if event.kind in FOR_THE_RECORD:
        return story
    if story is None:
        return Story(numbered)
    if not of_people(event):
        return Story(numbered, story.handling.after_level(event.level))
    return replace(story, handling=_said(story.handling, event).after_level(story.level))


def stories(events: Iterable[NumberedEvent]) -> dict[str, Story]:
    """The story of each alert from its events in order."""
    found: dict[str, Story] = {}
    for numbered in events:
        story = follow(found.get(numbered.event.alert_id), numbered)
        if story is not None:
            found[numbered.event.alert_id] = story
    return found


def decide(story: Story, action: Action, now: int) -> Event:
    """The event of an action, built from what the alert tells now. Raises `Refused`."""
    _check_words(action)
    _check(story, action, now)
    return said(
        story,
        action.kind,
        now,
        by=action.by.strip(),
        comment=action.comment.strip(),
        assigned_to=action.assign_to.strip(),
        until=now + round(action.shelve_s * MICROS_PER_SECOND) if action.kind is EventKind.SHELVED else None,
        reason=f"until {action.until}" if action.kind is EventKind.ACKNOWLEDGED else "",
        text=action.text,
    )


def shelving_ended(story: Story, now: int) -> Event:
    """What is said when the time of a shelving is over."""
    return said(story, EventKind.UNSHELVED, now, reason=SHELVING_ENDED)


def released(story: Story, by: str, now: int) -> Event:
    """What is said when a handover takes an alert from who left."""
    return said(story, EventKind.ASSIGNED, now, by=by, reason=HANDOVER)


def said(
    story: Story,
    kind: EventKind,
    now: int,
    *,
    by: str = "",
    comment: str = "",
    assigned_to: str = "",
    until: int | None = None,
    reason: str = "",
    text: Approval | None = None,
) -> Event:
    """An event of people about an alert; its id follows from the alert, the kind and the version."""
    told, cancels = story.event, kind is EventKind.CANCELLED
    identity = f"handling|{told.alert_id}|{kind.value}|{story.handling.version + 1}"
    return msgspec.structs.replace(
        told,
        event_id=str(uuid.uuid5(NAMESPACE, identity)),
        kind=kind,
        level=0 if cancels else told.level,
        level_name="" if cancels else told.level_name,
        previous_level=told.level,
        event_time=now,
        detected_at=now,
        evidence=(),
        learnt_late=False,
        by=by,
        comment=comment,
        assigned_to=assigned_to,
        until=until,
        reason=reason,
        told_to=(),
        approval=text,
    )


def _said(handling: Handling, event: Event) -> Handling:
    """What holds after people's next word. A word always counts, also one that another has overtaken."""
    at, spoken = event.detected_at, replace(handling, version=handling.version + counts(event))
    match event.kind:
        case EventKind.ACKNOWLEDGED:
            until = Until(event.reason.removeprefix("until "))
            acknowledged = Acknowledged(event.by, at, event.level, until)
            return replace(spoken, acknowledged=acknowledged, unanswered=())
        case EventKind.ASSIGNED:
            return replace(spoken, assigned_to=event.assigned_to)
        case EventKind.SHELVED:
            shelved = Shelved(event.by, at, event.level, event.until or at, event.comment)
            return replace(spoken, shelved=shelved, unanswered=())
        case EventKind.UNSHELVED:
            return replace(spoken, shelved=None)
        case EventKind.CANCELLED:
            cancelled = Cancelled(event.by, at, event.previous_level, event.comment)
            void = replace(handling.approval, void=True) if handling.approval else None
            return replace(spoken, cancelled=cancelled, shelved=None, unanswered=(), approval=void)
        case EventKind.APPROVED:
            assert event.approval is not None  # nothing else is approved
            return replace(spoken, approval=Approved(event.by, at, event.level, event.approval))
        case EventKind.UNANSWERED:
            return replace(spoken, unanswered=(*handling.unanswered, Unanswered(at, event.told_to)))
        case _:
            return replace(spoken, comments=handling.comments + 1)


def named(name: str, what: str) -> str:
    """The name of somebody who answers for something, as it is kept. Raises `Refused`."""
    if not name.strip():
        raise Refused(f"say {what}")
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(f"say in one line {what}, in {LONGEST_NAME} characters at most")
    return name.strip()


def _check_words(action: Action) -> None:
    """Somebody answers for each word, and a comment says something."""
    named(action.by, "who does it")
    if action.assign_to:
        named(action.assign_to, "to whom")
    if len(action.comment) > LONGEST_COMMENT:
        raise Refused(f"a comment has at most {LONGEST_COMMENT} characters")
    if action.kind in (EventKind.COMMENTED, EventKind.CANCELLED) and not action.comment.strip():
        raise Refused("say why" if action.kind is EventKind.CANCELLED else "the comment is empty")


def _check(story: Story, action: Action, now: int) -> None:
    """The table of actions above."""
    handling = story.handling
    if action.kind is EventKind.COMMENTED:
        return
    if not story.open and action.kind is not EventKind.APPROVED:
        raise Refused("the alert has ended; a comment can still be added")
    if handling.cancelled is not None:
        raise Refused(f"{handling.cancelled.by} has cancelled it as issued in error; a comment can be added")
    match action.kind:
        case EventKind.ACKNOWLEDGED:
            known = handling.acknowledged
            if known and known.level >= story.level and known.until is action.until:
                raise Refused(f"{known.by} has acknowledged it until {known.until} already")
        case EventKind.ASSIGNED:
            if not action.assign_to.strip():
                raise Refused("say to whom")
            if action.assign_to.strip() == handling.assigned_to:
                raise Refused(f"it is {handling.assigned_to}'s already")
        case EventKind.SHELVED:
            if not 0 < action.shelve_s <= LONGEST_SHELVING_S:
                raise Refused(f"an alert is shelved for {LONGEST_SHELVING_S // 3600} h at most")
        case EventKind.UNSHELVED:
            if not story.shelved_at(now):
                raise Refused("it is not shelved")
        case EventKind.CANCELLED:
            pass
        case EventKind.APPROVED:
            if why := fault(story.event, action.text):
                raise Refused(why)
        case _:
            raise Refused(f"{action.kind} is nothing that people do")
