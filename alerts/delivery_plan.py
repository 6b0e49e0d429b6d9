"""What becomes of the events that a receiver has not got yet. Pure: the times are arguments.

A fresh event goes at once. An *old* one (decided long after it became true: a backlog drains) is superseded
as soon as a later event of its alert waits too; as the newest of its alert it settles first, for as long as
more may follow. A rise and fall missed entirely is one silent entry. Sequence order is kept, so an event that
settles holds the ones behind it, for `LONGEST_S` at most.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from alerts.model import EventKind, NumberedEvent
from alerts.receivers import Notice
from ingest.clock import MICROS_PER_SECOND

OLD_AFTER_S = 600  # two samples of a 5-minute station: less is the ordinary way of confirmation
SETTLE_S = 1.0
LONGEST_S = 3.0  # leaves 2 of the 5 seconds in which a passed level is told after an outage

ENDED = frozenset({EventKind.CLEARED, EventKind.CANCELLED})


@dataclass(frozen=True, slots=True)
class Step:
    """One event's lot: a notice to deliver, or else the number of the event that speaks for it.

    Neither: the receiver does not take events of this nature, and the cursor passes.
    """

    seq: int
    notice: Notice | None
    superseded_by: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order; `wait_s` is set when the event after them settles."""

    steps: tuple[Step, ...]
    wait_s: float | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Since when (monotonic seconds) each event number and each alert id has been waiting."""

    event: Mapping[int, float]
    alert: Mapping[str, float]


def plan(
    pending: Sequence[NumberedEvent],
    waiting: Waiting,
    now: float,
    *,
    draining: bool,
    told: Collection[str],
    natures: Collection[str],
) -> Plan:
    """Steps for `pending`, in sequence order.

    `draining`: more old events may follow. `told`: ids of alerts of which the receiver has heard before.
    """
    newest = {numbered.event.alert_id: numbered.seq for numbered in pending}
    heard = set(told)
    steps = []
    for numbered in pending:
        head = newest[numbered.event.alert_id]
        if numbered.event.nature not in natures:
            steps.append(Step(numbered.seq, None, None))
        elif is_old(numbered) and numbered.seq != head:
            steps.append(Step(numbered.seq, None, head))
        else:
            wait_s = _settling(numbered, waiting, now, draining) if is_old(numbered) else 0.0
            if wait_s > 0:
                return Plan(tuple(steps), wait_s)
            steps.append(Step(numbered.seq, _notice(numbered, heard), None))
            heard.add(numbered.event.alert_id)
    return Plan(tuple(steps), None)


def is_old(numbered: NumberedEvent) -> bool:
    """Whether the event was decided long after it became true."""
    event = numbered.event
    return event.detected_at - event.event_time > OLD_AFTER_S * MICROS_PER_SECOND


def _notice(numbered: NumberedEvent, heard: Collection[str]) -> Notice:
    missed = numbered.event.kind in ENDED and numbered.event.alert_id not in heard
    return Notice(numbered, silent=missed and is_old(numbered))


def _settling(numbered: NumberedEvent, waiting: Waiting, now: float, draining: bool) -> float:
    """Seconds that an old event has to wait still; while a backlog drains, to the limit."""
    left = waiting.alert[numbered.event.alert_id] + LONGEST_S - now
    if draining:
        return left
    return min(left, waiting.event[numbered.seq] + SETTLE_S - now)
