"""Which approved text an alert has, and for how long it holds. Pure.

A text that tells people to act holds until the alert ends: withdrawing it at each reminder would say that
they may come back. AllClear holds until the alert stands higher than when it was approved, and does not come
back. People's cancellation ends every approval, and the next approval replaces the one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from alerts.cap.hazard import Response
from alerts.handling import FOR_THE_RECORD, of_people
from alerts.model import Event, EventKind, NumberedEvent


@dataclass(frozen=True, slots=True)
class Approved:
    """The newest approval of an alert that people have not cancelled since; `worst`: the highest level that
    the alert has reached since then."""

    event: Event
    worst: int


def approval_after(events: Iterable[NumberedEvent]) -> Approved | None:
    """What approval there is after these events of one alert, in order."""
    found: Approved | None = None
    for event in (numbered.event for numbered in events):
        if event.kind is EventKind.APPROVED and event.approval is not None:
            found = Approved(event, event.level)
        elif event.kind is EventKind.CANCELLED and of_people(event):
            found = None
        elif found is not None and event.kind not in FOR_THE_RECORD:
            found = replace(found, worst=max(found.worst, event.level))
    return found


def standing_approval(approved: Approved | None, told: Event) -> Event | None:
    """The approval as far as it holds for this state: AllClear not once it has been worse since, a text that
    tells people to act not beyond the end."""
    if approved is None or approved.event.approval is None or told.kind is EventKind.CANCELLED:
        return None
    event = approved.event
    if Response.ALL_CLEAR.value in approved.event.approval.response:
        return event if max(approved.worst, told.level) <= event.level else None
    return None if told.level == 0 and event.level > 0 else event
