"""Alerts and events as people and systems look for them: by place, rule, severity and time, page by page.

Promises: a page is a view of the sequence up to one number, `head`, so that pages of the same `head` neither
miss nor repeat an alert while others open, change and end; what came since is after that number in the
sequence. SELECT only. Every function takes a connection whose search path is Huewatch's schema and raises
what psycopg raises. Called by the HTTP feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg

from alerts.feed_store import numbered
from alerts.model import NumberedEvent
from alerts.store import CONDITION_TELLS
from ingest.clock import to_datetime, to_micros

Connection = psycopg.Connection[Any]

_CHOSEN = """(%(stations)s::text[] IS NULL OR e.station = ANY(%(stations)s))
    AND (%(rules)s::text[] IS NULL OR e.rule = ANY(%(rules)s))
    AND (%(severities)s::text[] IS NULL OR e.severity = ANY(%(severities)s))"""
# An alert lasts from its first event to its newest; one that is open has no end.
_WITHIN = """(%(since)s::timestamptz IS NULL OR e.level > 0 OR e.event_time >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR (SELECT f.event_time FROM alert_event f
        WHERE f.alert_id = e.alert_id ORDER BY f.seq LIMIT 1) < %(until)s)"""
_LATER = CONDITION_TELLS.replace("e.", "n.")
_OPEN = f"""
WITH candidate AS (SELECT alert_id FROM standing_condition WHERE level > 0
    UNION SELECT alert_id FROM alert_event WHERE seq > %(head)s AND kind IN ('cleared', 'cancelled'))
SELECT e.seq, e.created_at, e.body FROM candidate c
CROSS JOIN LATERAL (SELECT * FROM alert_event e WHERE e.alert_id = c.alert_id AND e.seq <= %(head)s
    AND {CONDITION_TELLS} ORDER BY e.seq DESC LIMIT 1) e
WHERE e.level > 0 AND {_CHOSEN} AND {_WITHIN}
    AND (e.level, e.seq) < (coalesce(%(level)s, 32767), coalesce(%(seq)s::int8, 9223372036854775807))
ORDER BY e.level DESC, e.seq DESC LIMIT %(limit)s
"""
_TOLD = f"""
SELECT e.seq, e.created_at, e.body FROM alert_event e
WHERE e.seq <= %(head)s AND e.seq < coalesce(%(seq)s::int8, 9223372036854775807) AND {CONDITION_TELLS}
    AND NOT EXISTS (SELECT 1 FROM alert_event n WHERE n.alert_id = e.alert_id AND n.seq > e.seq
        AND n.seq <= %(head)s AND {_LATER})
    AND (e.level = 0 OR NOT %(ended)s) AND {_CHOSEN} AND {_WITHIN}
ORDER BY e.seq DESC LIMIT %(limit)s
"""
_BEGAN = """
SELECT DISTINCT ON (alert_id) alert_id::text, event_time FROM alert_event WHERE alert_id = ANY(%s::uuid[])
ORDER BY alert_id, seq
"""
_OF_KINDS = "(%(kinds)s::text[] IS NULL OR e.kind = ANY(%(kinds)s))"
_HAPPENED = """(%(since)s::timestamptz IS NULL OR e.event_time >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR e.event_time < %(until)s)"""
_AFTER = f"""
SELECT e.seq, e.created_at, e.body FROM alert_event e
WHERE e.seq > %(seq)s AND {_CHOSEN} AND {_OF_KINDS} AND {_HAPPENED} ORDER BY e.seq LIMIT %(limit)s
"""
_NEWEST = f"""
SELECT e.seq, e.created_at, e.body FROM alert_event e
WHERE {_CHOSEN} AND {_OF_KINDS} AND {_HAPPENED} ORDER BY e.seq DESC LIMIT %(limit)s
"""


class Which(StrEnum):
    """Alerts by how they stand."""

    OPEN = "open"
    ENDED = "ended"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Selection:
    """What is looked for; None restricts nothing. Times in microseconds, since <= time < until."""

    stations: Sequence[str] | None = None
    rules: Sequence[str] | None = None
    severities: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    since: int | None = None
    until: int | None = None

    def values(self) -> dict[str, Any]:
        """As parameters of the statements above."""
        return {
            "stations": _list(self.stations),
            "rules": _list(self.rules),
            "severities": _list(self.severities),
            "kinds": _list(self.kinds),
            "since": None if self.since is None else to_datetime(self.since),
            "until": None if self.until is None else to_datetime(self.until),
        }


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a page of alerts ended: at the alert whose newest event has this level and number."""

    level: int
    seq: int


def alerts(
    connection: Connection, head: int, which: Which, selection: Selection, after: Spot | None, limit: int
) -> list[NumberedEvent]:
    """The newest event of each alert's condition, as things stood at `head`, up to `limit` after a spot.

    Open ones worst first; the others, and all together, the one told of last first.
    """
    values = selection.values() | {
        "head": head,
        "level": after and after.level,
        "seq": after and after.seq,
        "ended": which is Which.ENDED,
        "limit": limit,
    }
    rows = connection.execute(_OPEN if which is Which.OPEN else _TOLD, values)
    return [numbered(row) for row in rows]


def events_after(connection: Connection, seq: int, selection: Selection, limit: int) -> list[NumberedEvent]:
    """Up to `limit` events with a number above `seq`, oldest first."""
    rows = connection.execute(_AFTER, selection.values() | {"seq": seq, "limit": limit})
    return [numbered(row) for row in rows]


def newest_events(connection: Connection, selection: Selection, limit: int) -> list[NumberedEvent]:
    """The newest `limit` events, oldest first."""
    rows = connection.execute(_NEWEST, selection.values() | {"limit": limit})
    return [numbered(row) for row in rows][::-1]


def began(connection: Connection, alert_ids: Sequence[str]) -> dict[str, int]:
    """When each of these alerts began, in event time: the time of its first event."""
    rows = connection.execute(_BEGAN, (list(alert_ids),)).fetchall()
    return {alert_id: to_micros(time) for alert_id, time in rows}


def _list(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)
