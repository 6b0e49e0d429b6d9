"""People's actions in the database: one transaction, one event, one version more.

Promises: an action that saw an older version is refused with what has changed since and by whom; each action
is numbered after every event that it could have seen, since it holds the sequence's lock while it decides.
That lock delays the engine's commits, so the server ends a transaction of ours that stands still for
`PATIENCE`. Called by the command line and by the feed; the actions themselves are `alerts.handling`'s.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg import Cursor

from alerts import store
from alerts.handling import Action, Story, counts, decide, follow, stories
from alerts.model import Event, NumberedEvent
from alerts.store import Connection

PATIENCE = "2s"
SHORTEST_PREFIX = 8  # digits of an id: of a thousand alerts two share them once in 8,600 cities
SUGGESTED = 5  # candidates that are named where a prefix fits several

_VERSION = """
INSERT INTO alert_handling (alert_id, version, shelved_until)
VALUES (%(alert)s, %(version)s, timestamptz 'epoch' + %(until)s::bigint * interval '1 microsecond')
ON CONFLICT (alert_id) DO UPDATE SET version = excluded.version, shelved_until = excluded.shelved_until
"""


class NoSuchAlert(Exception):
    """No alert, or more than one, has this id; the message says which to choose from."""


class Outdated(Exception):
    """Others have acted since; `since` are their events, oldest first."""

    def __init__(self, version: int, since: Sequence[NumberedEvent]) -> None:
        said = "; ".join(f"{one.event.by or 'time'}: {one.event.kind}" for one in since)
        super().__init__(f"the alert has changed meanwhile ({said}); it is at version {version} now")
        self.since = since


def find(connection: Connection, prefix: str) -> str:
    """The id of the one alert that begins so. Raises `NoSuchAlert`."""
    digits = prefix.strip().lower().replace("-", "")
    if not SHORTEST_PREFIX <= len(digits) <= 32 or any(digit not in "0123456789abcdef" for digit in digits):
        raise NoSuchAlert(f"{prefix!r} is no alert's id; give at least its first {SHORTEST_PREFIX} digits")
    bounds = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
    query = (
        "SELECT DISTINCT alert_id::text FROM alert_event WHERE alert_id BETWEEN %s AND %s ORDER BY 1 LIMIT %s"
    )
    found = [alert_id for (alert_id,) in connection.execute(query, (*bounds, SUGGESTED + 1))]
    if not found:
        raise NoSuchAlert(f"no alert has an id that begins with {prefix}")
    if len(found) > 1:
        more = ", ..." if len(found) > SUGGESTED else ""
        raise NoSuchAlert(f"several alerts begin with {prefix}: {', '.join(found[:SUGGESTED])}{more}")
    return str(found[0])


def story_of(connection: Connection, alert_id: str) -> Story | None:
    """The story of one alert up to now."""
    return stories(store.alert_events(connection, alert_id)).get(alert_id)


def touched(connection: Connection, alert_ids: Sequence[str], until: int | None = None) -> dict[str, Story]:
    """The stories, up to the event `until`, of those of these alerts that people have touched."""
    rows = connection.execute(
        "SELECT alert_id::text FROM alert_handling WHERE alert_id = ANY(%s::uuid[])", (list(alert_ids),)
    ).fetchall()
    return stories(store.events_of(connection, [alert_id for (alert_id,) in rows], until)) if rows else {}


def act(connection: Connection, alert_id: str, action: Action, now: int, seen: int | None = None) -> Event:
    """Carry out an action, of somebody who saw the alert at version `seen`; its event.

    Raises `NoSuchAlert`, `Outdated` and `alerts.handling.Refused`.
    """
    with turn(connection) as cursor:
        events = store.alert_events(connection, alert_id)
        story = stories(events).get(alert_id)
        if story is None:
            raise NoSuchAlert(f"no alert has the id {alert_id}")
        version = story.handling.version
        if seen is not None and seen != version:
            raise Outdated(version, [one for one in events if counts(one.event)][seen:])
        event = decide(story, action, now)
        append(cursor, story, event)
    return event


@contextmanager
def turn(connection: Connection) -> Iterator[Cursor[tuple[object, ...]]]:
    """A transaction in which no event is appended but ours."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config(name, %s, true) FROM unnest(ARRAY['idle_in_transaction_session_timeout',"
            " 'statement_timeout']) AS setting(name)",
            (PATIENCE,),
        )
        cursor.execute("SELECT seq FROM event_head FOR UPDATE")
        yield cursor


def append(cursor: Cursor[tuple[object, ...]], story: Story, event: Event) -> None:
    """Write people's next event of an alert and its version. Call it last before COMMIT."""
    append_all(cursor, [(story, event)])


def append_all(cursor: Cursor[tuple[object, ...]], said: Sequence[tuple[Story, Event]]) -> None:
    """The same for the next event of each of several alerts."""
    cursor.executemany(_VERSION, [_version(story, event) for story, event in said])
    store.append_events(cursor, [event for _, event in said])


def _version(story: Story, event: Event) -> dict[str, object]:
    after = follow(story, NumberedEvent(0, 0, event))
    assert after is not None  # there is a story already
    shelved = after.handling.shelved
    return {
        "alert": event.alert_id,
        "version": after.handling.version,
        "until": shelved.until if shelved else None,
    }
