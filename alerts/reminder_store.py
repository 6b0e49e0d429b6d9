"""What is said by itself when what kept people quiet is over: shelvings, windows, silences, flapping.

Promises: each of these is said exactly once, whoever looks and however often, since a look takes its turn
with all others and leaves its mark in the same transaction; what stands at that moment is what is said. It is
not said at all while nobody looks. Called by the feed's housekeeping; times are microseconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import msgspec

from alerts import store
from alerts.events import NAMESPACE
from alerts.handling import Story, shelving_ended, stories
from alerts.handling_store import append, story_of, turn
from alerts.model import Event, EventKind
from alerts.store import CONDITION_TELLS, Connection
from alerts.suppression import MAINTENANCE_ENDED, SILENCE_ENDED, STABLE_AGAIN, Limits
from ingest.store import maintenance
from ingest.store.maintenance import Window

_DUE = "SELECT alert_id::text FROM alert_handling WHERE shelved_until <= clock_timestamp()"
_UNTOLD = "SELECT id FROM maintenance WHERE told_at IS NULL AND coalesce(ended_at, ends) <= clock_timestamp()"
_NEWEST = f"""
SELECT DISTINCT ON (e.rule, e.target) e.alert_id::text FROM alert_event e
WHERE e.target = ANY(%s) AND (%s::text IS NULL OR e.rule = %s) AND {CONDITION_TELLS}
ORDER BY e.rule, e.target, e.seq DESC
"""
# A (rule, target) of which something was kept back since it flaps, and that has not opened for a whole window
# of the engine's time; who flaps for longer than the day that is looked back on has not been quiet in it.
_QUIET = """
SELECT e.rule, e.target, max(e.seq) FROM delivery_outcome o JOIN alert_event e USING (seq)
WHERE o.outcome = 'suppressed' AND o.cause = 'flapping' AND o.at > clock_timestamp() - interval '1 day'
GROUP BY 1, 2 HAVING NOT EXISTS (
    SELECT FROM alert_event r WHERE r.target = e.target AND r.rule = e.rule AND (
        r.seq > max(e.seq) AND r.kind = 'reminded' AND r.body->>'reason' = %(stable)s
        OR r.kind = 'raised' AND r.detected_at > (
            SELECT max(now_at) FROM writer) - %(window)s * interval '1 second'))
"""
# The alerts that are open and of which an ended silence has kept something back; no silence lasts for a day.
_SILENCED = """
SELECT DISTINCT s.id, e.alert_id::text FROM silence s
JOIN delivery_outcome o ON o.outcome = 'suppressed' AND o.cause = 'silence' AND o.reference = s.id::text
    AND o.at > clock_timestamp() - interval '1 day'
JOIN alert_event e USING (seq)
JOIN alert_condition c ON c.alert_id = e.alert_id AND c.level > 0
WHERE coalesce(s.ended_at, s.ends) BETWEEN clock_timestamp() - interval '1 day' AND clock_timestamp()
"""
_SAID = "SELECT 1 FROM alert_event WHERE event_id = ANY(%s::uuid[])"


def end_shelvings(connection: Connection, now: int) -> int:
    """Say of each shelved alert whose time is over how it stands; how many were said."""
    due = [alert_id for (alert_id,) in connection.execute(_DUE)]
    return sum(_end_shelving(connection, alert_id, now) for alert_id in due)


def _end_shelving(connection: Connection, alert_id: str, now: int) -> bool:
    with turn(connection) as cursor:
        still = cursor.execute(f"{_DUE} AND alert_id = %s", (alert_id,)).fetchone()
        story = story_of(connection, alert_id)
        if still is None or story is None:
            return False
        if story.handling.shelved is None or not story.open:  # it got worse, or ended: that was told
            cursor.execute("UPDATE alert_handling SET shelved_until = NULL WHERE alert_id = %s", (alert_id,))
            return False
        append(cursor, story, shelving_ended(story, now))
    return True


def tell_ended_windows(connection: Connection, now: int) -> int:
    """Remind of every alert that ended windows have kept quiet, as it stands now; how many were said."""
    return sum(_tell_window(connection, number, now) for (number,) in connection.execute(_UNTOLD).fetchall())


def _tell_window(connection: Connection, number: int, now: int) -> int:
    with turn(connection) as cursor:
        window = maintenance.one(connection, number)
        if window is None or window.told:
            return 0
        cursor.execute("UPDATE maintenance SET told_at = clock_timestamp() WHERE id = %s", (number,))
        found = [
            reminder(story, MAINTENANCE_ENDED, f"maintenance|{number}", now)
            for story in _kept_quiet(connection, window)
        ]
        store.append_events(cursor, found)
    return len(found)


def _kept_quiet(connection: Connection, window: Window) -> list[Story]:
    """The alerts of a window's datastreams that are open, or that were open before it and ended inside."""
    events = store.events_of(connection, _newest(connection, list(window.datastreams)))
    begun = {each.event.alert_id: each.created_at for each in reversed(events)}
    return [
        story
        for alert_id, story in stories(events).items()
        if story.open or (begun[alert_id] < window.begins and window.holds(story.newest.created_at))
    ]


def tell_ended_silences(connection: Connection, now: int) -> int:
    """Remind of every open alert that ended silences have kept back; how many were said."""
    found = connection.execute(_SILENCED).fetchall()
    return sum(_tell_silenced(connection, number, alert_id, now) for number, alert_id in found)


def _tell_silenced(connection: Connection, number: int, alert_id: str, now: int) -> bool:
    what = f"silence|{number}"
    if connection.execute(_SAID, ([_identity(what, alert_id)],)).fetchone() is not None:
        return False
    with turn(connection) as cursor:
        story = story_of(connection, alert_id)
        said = cursor.execute(_SAID, ([_identity(what, alert_id)],)).fetchone()
        if story is None or not story.open or said is not None:
            return False
        store.append_events(cursor, [reminder(story, SILENCE_ENDED, what, now)])
    return True


def tell_stable(connection: Connection, limits: Limits, now: int) -> int:
    """Say how those stand that have flapped and are stable again; how many were said."""
    values = {"stable": STABLE_AGAIN, "window": limits.flap_window_s}
    quiet = connection.execute(_QUIET, values).fetchall()
    return sum(_tell_stable(connection, rule, target, seq, now) for rule, target, seq in quiet)


def _tell_stable(connection: Connection, rule: str, target: str, seq: int, now: int) -> bool:
    with turn(connection) as cursor:
        found = stories(store.events_of(connection, _newest(connection, [target], rule)))
        events = [reminder(story, STABLE_AGAIN, f"stable|{seq}", now) for story in found.values()]
        if cursor.execute(_SAID, ([each.event_id for each in events],)).fetchone() is not None:
            return False
        store.append_events(cursor, events)
    return bool(events)


def reminder(story: Story, reason: str, what: str, now: int) -> Event:
    """How an alert stands now, said again once for `what`."""
    told = story.event
    return msgspec.structs.replace(
        told,
        event_id=_identity(what, told.alert_id),
        kind=EventKind.REMINDED,
        previous_level=told.level,
        event_time=now,
        detected_at=now,
        evidence=(),
        reason=reason,
    )


def _identity(what: str, alert_id: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"reminder|{what}|{alert_id}"))


def _newest(connection: Connection, targets: Sequence[str], rule: str | None = None) -> list[str]:
    """The newest alert of each (rule, target), ended or not."""
    return [alert_id for (alert_id,) in connection.execute(_NEWEST, (list(targets), rule, rule))]
