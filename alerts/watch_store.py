"""The alert about ourselves that nobody watches: opened once and ended once, however many feeds look.

Called by the feed's housekeeping, which forgets a `Watcher`'s memory whenever the database was away.
"""

from __future__ import annotations

from alerts import presence_store
from alerts.model import WATCH
from alerts.self_alerts import close_self, open_self
from alerts.store import Connection
from alerts.watching import Watch, unwatched, watched
from ingest.clock import to_micros

# The oldest opening of what stands and is told: of no rule on trial, and not cancelled as issued in error
# unless it has got worse since.
_OPEN_SINCE = f"""
SELECT min(first.created_at) FROM standing_condition c
CROSS JOIN LATERAL (SELECT created_at, body FROM alert_event e WHERE e.alert_id = c.alert_id
    ORDER BY seq LIMIT 1) AS first
WHERE c.level > 0 AND c.target <> '{WATCH}' AND NOT coalesce((first.body->>'shadow')::boolean, false)
    AND NOT EXISTS (SELECT FROM alert_event x WHERE x.alert_id = c.alert_id AND x.kind = 'cancelled'
        AND NOT EXISTS (SELECT FROM alert_event y WHERE y.alert_id = x.alert_id AND y.seq > x.seq
            AND y.kind = 'escalated'))
"""
_RAISED = "SELECT told_at FROM self_alert WHERE target = %s AND alert_id IS NOT NULL"


class Watcher:
    """Looks whether somebody watches; remembers only since when it could have heard of anybody."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._hearing_since: int | None = None

    def forget(self) -> None:
        """The database was away: who wanted to report could not."""
        self._hearing_since = None

    def look(self, connection: Connection) -> bool:
        """Raise or end the alert where that is due; whether this process did."""
        seen = presence_store.seen(connection)
        if self._hearing_since is None:
            self._hearing_since = seen.now
        raised = connection.execute(_RAISED, (WATCH,)).fetchone()
        if raised is None and unwatched(seen, 0, self._hearing_since, self._watch) is None:
            return False  # somebody would be there even if something had been open for ever
        open_since = _open_since(connection)
        if raised is None:
            why = unwatched(seen, open_since, self._hearing_since, self._watch)
            return why is not None and open_self(connection, WATCH, why, seen.now)
        over = watched(seen, open_since, to_micros(raised[0]))
        return over is not None and close_self(connection, WATCH, over, seen.now)


def _open_since(connection: Connection) -> int | None:
    row = connection.execute(_OPEN_SINCE).fetchone()
    assert row is not None  # an aggregate without GROUP BY
    return None if row[0] is None else to_micros(row[0])
