"""The ladder: a severe alert that nobody acknowledges goes to further receivers, step by step. Pure.

An alert *calls* while it is severe enough, open, and nobody has acknowledged, shelved or cancelled it; of
rules on trial none does. It is called for from when the database took the event since which it calls. After
`escalation.after` of that it goes to the first of `steps`, so much later to the second, at last to everybody.
Each step is an event, and the next counts from it: whoever is called has his own minutes to answer.

It starts anew with the first step where it calls again: it got worse than was acknowledged, a shelving is
over, or what had kept it quiet (maintenance, a silence, flapping) is and a reminder has said so. While work
or a silence covers it the time stands still. Called by `alerts.unanswered_store`; times are microseconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from alerts.events import NAMESPACE
from alerts.handling import Story, follow, said
from alerts.model import Event, EventKind, NumberedEvent
from alerts.receivers.book import Escalation
from alerts.receivers.wants import EVERYBODY
from alerts.suppression import OUR_REMINDERS, Silence, as_severe_as, spoken_for
from ingest.clock import MICROS_PER_SECOND
from ingest.store.maintenance import Window


@dataclass(frozen=True, slots=True)
class Call:
    """An alert that calls: how it stands, when somebody was called last, and the steps taken so far."""

    story: Story
    called_at: int
    steps: int = 0

    def due(self, escalation: Escalation, quiet_until: int = 0) -> int | None:
        """When the next step is; None after the last. `quiet_until`: when what covers it ends."""
        if self.steps > len(escalation.steps):
            return None
        return max(self.called_at, quiet_until) + round(escalation.after * MICROS_PER_SECOND)


def call_of(events: Iterable[NumberedEvent], escalation: Escalation) -> Call | None:
    """How an alert calls after all its events, in order; None: it does not."""
    story: Story | None = None
    call: Call | None = None
    severe = frozenset(as_severe_as(escalation.severity))
    for numbered in events:
        story = follow(story, numbered)
        calls = story is not None and _calls(story, severe)
        call = _after(call, story, numbered) if calls and story is not None else None
    return call


def quiet_until(story: Story, windows: Iterable[Window], silences: Iterable[Silence]) -> int:
    """When the last of what covers the alert ends, be it over or not; 0 where nothing does."""
    event = story.event
    worked = (window.ends for window in windows if event.target in window.datastreams)
    silenced = (
        each.ends for each in silences if each.covers(NumberedEvent(story.newest.seq, each.begins, event))
    )
    return max((0, *worked, *silenced))


def is_spoken_for(story: Story, others: Iterable[Story], escalation: Escalation) -> bool:
    """Whether another that is severe enough speaks for it: that one has its ladder, or its answer."""
    severe = as_severe_as(escalation.severity)
    return spoken_for(story.event, (other for other in others if other.event.severity in severe)) is not None


def step(call: Call, escalation: Escalation, now: int) -> Event:
    """The next step as an event; the same step of the same call has the same id, whoever makes it."""
    told_to = (*escalation.steps, (EVERYBODY,))[call.steps]
    identity = f"unanswered|{call.story.event.alert_id}|{call.called_at}|{call.steps + 1}"
    event = said(call.story, EventKind.UNANSWERED, now)
    return replace(event, event_id=str(uuid.uuid5(NAMESPACE, identity)), told_to=told_to)


def _calls(story: Story, severe: frozenset[str]) -> bool:
    event, handling = story.event, story.handling
    answered = handling.acknowledged or handling.shelved or handling.cancelled
    return story.open and not event.shadow and event.severity in severe and answered is None


def _after(call: Call | None, story: Story, numbered: NumberedEvent) -> Call:
    event = numbered.event
    if call is None or (event.kind is EventKind.REMINDED and event.reason in OUR_REMINDERS):
        return Call(story, numbered.created_at)
    if event.kind is EventKind.UNANSWERED:
        return Call(story, numbered.created_at, call.steps + 1)
    return Call(story, call.called_at, call.steps)
