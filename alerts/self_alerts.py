"""Alerts about ourselves that the feed raises: a receiver that is not reached, nobody who watches.

Promises: each opens once and ends once, however many feeds look, since a look takes its turn with all others
and leaves its mark in the same transaction; none touches the engine's conditions, which live by its rules.
The nature is the database's own. Called by the feed's housekeeping; times are microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from alerts import store
from alerts.events import OurFault, clear_self, nothing_of_us, tell_self
from alerts.handling_store import turn
from alerts.model import Phase
from alerts.store import Connection
from ingest.clock import to_datetime

_OPEN = "SELECT alert_id::text, ordinal FROM self_alert WHERE target = %s"
_KEEP = """
INSERT INTO self_alert (target, alert_id, ordinal, told_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (target) DO UPDATE SET alert_id = excluded.alert_id, ordinal = excluded.ordinal,
    told_at = excluded.told_at
"""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the table says of a target: the alert that is open, if any, and how many events were told."""

    alert_id: str | None
    ordinal: int


def is_open(connection: Connection, target: str) -> bool:
    """Whether an alert about this target of ours stands."""
    return _kept(connection, target).alert_id is not None


def open_targets(connection: Connection, prefix: str) -> list[str]:
    """The targets that begin so and of which an alert stands."""
    query = "SELECT target FROM self_alert WHERE alert_id IS NOT NULL AND starts_with(target, %s) ORDER BY 1"
    return [target for (target,) in connection.execute(query, (prefix,))]


def open_self(connection: Connection, target: str, reason: str, now: int) -> bool:
    """Raise the alert about `target`, such as `@receiver/duty`, unless it stands; whether it was raised."""
    if is_open(connection, target):
        return False  # most looks end here, and take nobody's turn
    with turn(connection) as cursor:
        kept = _kept(connection, target)
        if kept.alert_id is not None:
            return False
        fault = OurFault(target, _name(target), "", _nature(connection), reason)
        event, _ = tell_self(fault, now, kept.ordinal + 1)
        cursor.execute(_KEEP, (target, event.alert_id, kept.ordinal + 1, to_datetime(now)))
        store.append_events(cursor, [event])
    return True


def close_self(connection: Connection, target: str, reason: str, now: int) -> bool:
    """End the alert about `target` if it stands; whether it was ended."""
    if not is_open(connection, target):
        return False
    with turn(connection) as cursor:
        kept = _kept(connection, target)
        if kept.alert_id is None:
            return False
        firing = replace(
            nothing_of_us(target), phase=Phase.FIRING, level=1, alert_id=kept.alert_id, ordinal=kept.ordinal
        )
        event, ended = clear_self(firing, _nature(connection), now, reason)
        cursor.execute(_KEEP, (target, None, ended.ordinal, to_datetime(now)))
        store.append_events(cursor, [event])
    return True


def _kept(connection: Connection, target: str) -> _Kept:
    row = connection.execute(_OPEN, (target,)).fetchone()
    return _Kept(None, 0) if row is None else _Kept(row[0], row[1])


def _nature(connection: Connection) -> str:
    row = connection.execute("SELECT nature FROM nature_mark").fetchone()
    assert row is not None  # the first migration marks every database
    return str(row[0])


def _name(target: str) -> str:
    """ "@receiver/duty" -> "receiver": what stands in the place of a level's name."""
    return target.removeprefix("@").partition("/")[0]
