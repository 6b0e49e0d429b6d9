"""Reminders that go to people together: one of an area is told, those within an interval after it wait for
the next, which lists them. Pure.

Promises: nothing waits behind a reminder and none is lost: what waits and still stands unanswered is in the
next one that is told of its area, whatever its alert. Only who has heard of an alert is kept waiting for a
reminder of it. It decides by the times of the events. Called by `alerts.delivery_plan`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from alerts.handling import Story
from alerts.model import Event, EventKind, NumberedEvent
from alerts.receivers.wants import Wishes
from alerts.suppression import OUR_REMINDERS, Cause, Suppression
from ingest.clock import MICROS_PER_SECOND


@dataclass(slots=True)
class _Round:
    """Of one area: the newest reminder that was told, when it was decided, and what waits since, by alert."""

    seq: int
    at: int
    waiting: dict[str, NumberedEvent] = field(default_factory=dict)


class Rounds:
    """The rounds of one receiver; `past`: its newest reminders, each with whether it was told."""

    def __init__(self, wishes: Wishes, past: Iterable[tuple[NumberedEvent, bool]]) -> None:
        self._wishes = wishes
        self._rounds: dict[str, _Round] = {}
        for numbered, told in past:
            last = self._rounds.get(wishes.area(numbered.event))
            if told:
                self._begin(numbered)
            elif last is not None:
                last.waiting[numbered.event.alert_id] = numbered

    def wait(self, numbered: NumberedEvent, heard: Collection[str]) -> Suppression | None:
        """Let a reminder wait for its area's next one, if it is to."""
        event, digest_s = numbered.event, self._wishes.digest_s
        if digest_s is None or not is_plain_reminder(event) or event.alert_id not in heard:
            return None
        last = self._rounds.get(self._wishes.area(event))
        if last is None or event.detected_at - last.at >= digest_s * MICROS_PER_SECOND:
            return None
        last.waiting[event.alert_id] = numbered
        return Suppression(Cause.DIGEST, str(last.seq))

    def told(self, numbered: NumberedEvent, stories: Mapping[str, Story]) -> tuple[NumberedEvent, ...]:
        """What a reminder that is told lists: what has waited, and itself; nothing where it is alone."""
        if self._wishes.digest_s is None or not is_plain_reminder(numbered.event):
            return ()
        last = self._rounds.get(self._wishes.area(numbered.event))
        self._begin(numbered)
        waited = () if last is None else last.waiting.values()
        others = [each for each in waited if each.event.alert_id != numbered.event.alert_id]
        standing = [each for each in others if _stands(stories.get(each.event.alert_id))]
        return (*standing, numbered) if standing else ()

    def _begin(self, numbered: NumberedEvent) -> None:
        area = self._wishes.area(numbered.event)
        self._rounds[area] = _Round(numbered.seq, numbered.event.detected_at)


def is_plain_reminder(event: Event) -> bool:
    """Whether it says that nothing has changed, and nothing else."""
    return (
        event.kind is EventKind.REMINDED and event.reason not in OUR_REMINDERS and event.rule_kind != "self"
    )


def _stands(story: Story | None) -> bool:
    """Whether somebody is to hear of it still."""
    if story is None or not story.open or story.hidden or story.handling.shelved is not None:
        return False
    known = story.handling.acknowledged
    return known is None or story.level > known.level
