"""The daily proof that each receiver is reached, and what is said of one that is not.

Promises: one test for each day, however many feeds there are; one that was missed while no feed ran is told
at the next start; a receiver that has not taken a test for `UNPROVEN_AFTER`, or that refuses what it is sent,
is an alert about ourselves until it takes something again. Called by the feed's housekeeping; times are
microseconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from alerts import store
from alerts.events import NAMESPACE, OurFault, tell_self
from alerts.handling_store import turn
from alerts.headline import local_time
from alerts.model import RECEIVER, TEST, Event, EventKind, Severity
from alerts.self_alerts import close_self, open_self, open_targets
from alerts.store import Connection
from ingest.clock import MICROS_PER_SECOND, to_micros
from ingest.model import Nature

MINUTE = 60 * MICROS_PER_SECOND
DAY = 24 * 60 * MINUTE
OFFSET = 7 * 60 * MINUTE  # local time is UTC+7
UNPROVEN_AFTER = (
    25 * 60 * MINUTE
)  # a day, and an hour in which a receiver may be away at the time of the test

_SAID = "SELECT 1 FROM alert_event WHERE event_id = %s"
_FIRST = "SELECT min(since) FROM delivery"
_STATES = """
SELECT receiver, delivery.seq,
    owner IS NOT NULL AND lease_until > clock_timestamp() AND connected_at IS NOT NULL,
    attempts, last_error, since, succeeded_at, proven_at, trouble, clock_timestamp(),
    event_head.seq - delivery.seq
FROM delivery CROSS JOIN event_head ORDER BY receiver
"""


@dataclass(frozen=True, slots=True)
class State:
    """How one receiver is doing; `now` is the database's clock when it was asked."""

    receiver: str
    seq: int
    connected: bool
    attempts: int
    last_error: str | None
    since: int
    succeeded_at: int | None
    proven_at: int | None
    trouble: str | None
    now: int
    pending: int

    @property
    def unproven(self) -> bool:
        """Whether it is too long ago that it took a test."""
        proven = self.since if self.proven_at is None else self.proven_at
        return self.now - proven > UNPROVEN_AFTER


def states(connection: Connection) -> list[State]:
    """Every receiver that this database knows, by name, also one that has left the configuration."""
    return [_state(row) for row in connection.execute(_STATES)]


def due(at: int, now: int) -> int:
    """When the newest test was due, if they are due at the local minute `at` of each day."""
    return (now + OFFSET - at * MINUTE) // DAY * DAY + at * MINUTE - OFFSET


def tell_test(connection: Connection, at: int, now: int) -> bool:
    """Append the newest test that was due, if there is none and somebody was there; whether it was told."""
    moment = due(at, now)
    event = test_event(now, str(moment))
    event_id = event.event_id
    if connection.execute(_SAID, (event_id,)).fetchone() is not None:
        return False
    row = connection.execute(_FIRST).fetchone()
    if row is None or row[0] is None or to_micros(row[0]) > moment:
        return False
    with turn(connection) as cursor:
        if cursor.execute(_SAID, (event_id,)).fetchone() is not None:
            return False
        store.append_events(cursor, [event])
    return True


def test_event(now: int, occasion: str) -> Event:
    """A test message, marked as a test whatever the database is for; one `occasion` has one id."""
    raised, _ = tell_self(OurFault(TEST, "", "", Nature.TEST.value, ""), now)
    event_id = str(uuid.uuid5(NAMESPACE, f"test|{occasion}"))
    return replace(raised, event_id=event_id, kind=EventKind.TESTED, level=0, severity=Severity.MINOR)


def tell_of_receivers(
    connection: Connection, found: Sequence[State], names: Set[str], now: int, *, tested: bool, settled: bool
) -> int:
    """Open and end the alerts about those of the receivers that have these names; how many were told.

    `tested`: each is to be proven daily. Until `settled` nobody is blamed for a test that no feed sent.
    """
    wrong = {state.receiver: reason for state in found for reason in _reasons(state, tested=tested)}
    stand = {target.removeprefix(RECEIVER) for target in open_targets(connection, RECEIVER)}
    said = 0
    for state in found:
        name = state.receiver
        if name in names and name in wrong and name not in stand and (settled or state.trouble):
            said += open_self(connection, f"{RECEIVER}{name}", wrong[name], now)
    for name in sorted(stand - (wrong.keys() & names)):
        reason = "it is reached again" if name in names else "it is no receiver any more"
        said += close_self(connection, f"{RECEIVER}{name}", reason, now)
    return said


def _reasons(state: State, *, tested: bool) -> Iterator[str]:
    """What is wrong with it, if anything is."""
    if state.trouble is not None:
        yield state.trouble
    elif tested and state.unproven:
        yield _unproven(state)


def _unproven(state: State) -> str:
    last = "never proven" if state.proven_at is None else f"not proven since {local_time(state.proven_at)}"
    return f"{last}; {state.last_error}" if state.last_error else last


def _state(row: Sequence[Any]) -> State:
    name, seq, connected, attempts, error, since, succeeded, proven, trouble, now, pending = row
    return State(
        name,
        seq,
        connected,
        attempts,
        error,
        to_micros(since),
        _micros(succeeded),
        _micros(proven),
        trouble,
        to_micros(now),
        pending,
    )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
