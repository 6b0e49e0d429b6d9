"""Who has a console open, and when somebody last touched it, by the database's clock.

A console that says nothing more is gone after `watch_grace`; its row is forgotten after a day. Called by the
feed: by the endpoint to which consoles report, and by its housekeeping.
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.store import Connection
from ingest.clock import to_micros

_REPORT = """
INSERT INTO presence AS p (principal, session, connected_at, seen_at, active_at)
SELECT %(principal)s, %(session)s, t.now, t.now, CASE WHEN %(active)s THEN t.now END
FROM (SELECT clock_timestamp() AS now) t
ON CONFLICT (principal, session) DO UPDATE SET seen_at = excluded.seen_at,
    active_at = coalesce(excluded.active_at, p.active_at)
"""
_FORGET = "DELETE FROM presence WHERE seen_at < clock_timestamp() - interval '1 day'"
_SEEN = "SELECT max(seen_at), max(active_at), clock_timestamp() FROM presence"


@dataclass(frozen=True, slots=True)
class Seen:
    """When any console last reported, and when somebody last touched one; None: not within a day.

    `now`: the database's clock, in microseconds as the others.
    """

    connected: int | None
    active: int | None
    now: int


def report(connection: Connection, principal: str, session: str, *, active: bool) -> None:
    """A console is open. `active`: somebody has touched it since it last reported."""
    connection.execute(_REPORT, {"principal": principal, "session": session, "active": active})
    connection.execute(_FORGET)


def seen(connection: Connection) -> Seen:
    """The newest of all consoles."""
    row = connection.execute(_SEEN).fetchone()
    assert row is not None  # aggregates without GROUP BY
    connected, active, now = row
    return Seen(
        None if connected is None else to_micros(connected),
        None if active is None else to_micros(active),
        to_micros(now),
    )
