"""The alert tables as functions over a connection: conditions, told events, the number of the newest.

Used by the engine's sink inside the observations' transaction, and by the feed and the command line to
read. No function here begins or ends a transaction, and none waits for NOTIFY.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
from psycopg.rows import TupleRow

from alerts.model import Condition, Event, NumberedEvent, OpenAlert, Phase

CHANNEL = "huewatch_event"  # NOTIFY channel of `append_events`; its payload is the newest number

Connection = psycopg.Connection[TupleRow]
Cursor = psycopg.Cursor[TupleRow]

# Exact microseconds: extract() gives a numeric, and an interval times an integral double stays exact to 2^53.
_MICROS = "(extract(epoch from {0}) * 1000000)::bigint"
_TIME = "timestamptz 'epoch' + %s::bigint * interval '1 microsecond'"

_EVENT = "{0}.seq, (extract(epoch from {0}.created_at) * 1000000)::bigint, {0}.body::text"
_EVENT_E = _EVENT.format("e")
_CONDITION = f"""c.rule, c.target, c.phase, c.level, {_MICROS.format("c.since")}, c.candidate_level,
    {_MICROS.format("c.candidate_since")}, c.alert_id::text, {_MICROS.format("c.opened_at")}, c.ordinal,
    c.rule_version, {_MICROS.format("c.told_at")}, {_MICROS.format("c.level_since")}, c.prolonged"""

# The events, as `e`, that tell how a condition stands: no person's word, nothing for the record alone.
CONDITION_TELLS = """(e.kind IN ('raised', 'escalated', 'lowered', 'cleared', 'reminded')
    OR e.kind = 'cancelled' AND coalesce(e.body->>'by', '') = '')"""

_UPSERT = f"""
    INSERT INTO alert_condition (rule, target, phase, level, since, candidate_level, candidate_since,
                                 alert_id, opened_at, ordinal, rule_version, told_at, level_since, prolonged)
    VALUES (%s, %s, %s, %s, {_TIME}, %s, {_TIME}, %s, {_TIME}, %s, %s, {_TIME}, {_TIME}, %s)
    ON CONFLICT (rule, target) DO UPDATE SET
        phase = excluded.phase, level = excluded.level, since = excluded.since,
        candidate_level = excluded.candidate_level, candidate_since = excluded.candidate_since,
        alert_id = excluded.alert_id, opened_at = excluded.opened_at, ordinal = excluded.ordinal,
        rule_version = excluded.rule_version, told_at = excluded.told_at,
        level_since = excluded.level_since, prolonged = excluded.prolonged
"""

_decoder = msgspec.json.Decoder(Event)


def append_events(cursor: Cursor, events: Sequence[Event]) -> int:
    """Append told events in order and notify listeners; the newest number. Call it last before COMMIT."""
    cursor.execute("SELECT append_events(%s::jsonb)", (msgspec.json.encode(list(events)).decode(),))
    return int(_one(cursor)[0])


def upsert_conditions(cursor: Cursor, conditions: Sequence[Condition]) -> None:
    """Store changed conditions, one row per (rule, target)."""
    cursor.executemany(_UPSERT, [_condition_row(condition) for condition in conditions])


def conditions(connection: Connection) -> list[Condition]:
    """Every stored condition, ended ones included (they carry the ordinal), by rule and target."""
    rows = connection.execute(f"SELECT {_CONDITION} FROM alert_condition c ORDER BY c.rule, c.target")
    return [_condition(row) for row in rows]


def conditions_of(connection: Connection, alert_ids: Sequence[str]) -> dict[str, Condition]:
    """The condition behind each of these alerts that has not ended, by the alert's id."""
    query = (
        f"SELECT {_CONDITION} FROM standing_condition c WHERE c.level > 0 AND c.alert_id = ANY(%s::uuid[])"
    )
    found = (_condition(row) for row in connection.execute(query, (list(alert_ids),)))
    return {str(condition.alert_id): condition for condition in found}


def head(connection: Connection) -> int:
    """The number of the newest event; 0 before the first."""
    return int(_one(connection.execute("SELECT seq FROM event_head"))[0])


def now(connection: Connection) -> int:
    """The database's clock, by which events are dated when they are taken."""
    return int(_one(connection.execute(f"SELECT {_MICROS.format('clock_timestamp()')}"))[0])


def events_since(connection: Connection, seq: int, limit: int) -> list[NumberedEvent]:
    """Up to `limit` events with a number above `seq`, oldest first."""
    query = f"SELECT {_EVENT_E} FROM alert_event e WHERE e.seq > %s ORDER BY e.seq LIMIT %s"
    return [_numbered(row) for row in connection.execute(query, (seq, limit))]


def newest_events(
    connection: Connection,
    limit: int,
    *,
    before: int | None = None,
    station: str | None = None,
    rule: str | None = None,
) -> list[NumberedEvent]:
    """Up to `limit` events, newest first, below the number `before`, of one station or rule if given."""
    query = f"""
        SELECT {_EVENT_E} FROM alert_event e
        WHERE (%(before)s::bigint IS NULL OR e.seq < %(before)s)
          AND (%(station)s::text IS NULL OR e.station = %(station)s)
          AND (%(rule)s::text IS NULL OR e.rule = %(rule)s)
        ORDER BY e.seq DESC LIMIT %(limit)s"""
    values = {"before": before, "station": station, "rule": rule, "limit": limit}
    return [_numbered(row) for row in connection.execute(query, values)]


def alert_events(connection: Connection, alert_id: str) -> list[NumberedEvent]:
    """All events of one alert, oldest first; empty when there is no such alert. `alert_id` must be a UUID."""
    query = f"SELECT {_EVENT_E} FROM alert_event e WHERE e.alert_id = %s ORDER BY e.seq"
    return [_numbered(row) for row in connection.execute(query, (alert_id,))]


def events_of(
    connection: Connection, alert_ids: Sequence[str], until: int | None = None
) -> list[NumberedEvent]:
    """All events of these alerts, oldest first, up to the number `until` if given."""
    query = f"""
        SELECT {_EVENT_E} FROM alert_event e
        WHERE e.alert_id = ANY(%s::uuid[]) AND (%s::bigint IS NULL OR e.seq <= %s) ORDER BY e.seq"""
    return [_numbered(row) for row in connection.execute(query, (list(alert_ids), until, until))]


def open_alerts(connection: Connection) -> list[OpenAlert]:
    """Every alert that has not ended (firing or clearing), worst level first, then newest first.

    `newest` is the newest event that tells the condition; what people did with it is in `alerts.handling`.
    """
    query = f"""
        SELECT {_CONDITION}, {_EVENT.format("first")}, {_EVENT.format("newest")}
        FROM standing_condition c
        CROSS JOIN LATERAL (SELECT * FROM alert_event e WHERE e.alert_id = c.alert_id
                            ORDER BY e.seq LIMIT 1) AS first
        CROSS JOIN LATERAL (SELECT * FROM alert_event e WHERE e.alert_id = c.alert_id AND {CONDITION_TELLS}
                            ORDER BY e.seq DESC LIMIT 1) AS newest
        WHERE c.level > 0
        ORDER BY c.level DESC, newest.seq DESC"""
    return [
        OpenAlert(_condition(row[:-6]), _numbered(row[-6:-3]), _numbered(row[-3:]))
        for row in connection.execute(query)
    ]


def open_by_severity(connection: Connection) -> dict[str, int]:
    """How many alerts that have not ended stand at each severity."""
    query = f"""
        SELECT newest.severity, count(*) FROM alert_condition c
        CROSS JOIN LATERAL (SELECT e.severity FROM alert_event e
                            WHERE e.alert_id = c.alert_id AND {CONDITION_TELLS}
                            ORDER BY e.seq DESC LIMIT 1) AS newest
        WHERE c.level > 0 GROUP BY newest.severity"""
    return {severity: int(count) for severity, count in connection.execute(query)}


def last_told(connection: Connection, alert_ids: Sequence[str]) -> dict[str, Event]:
    """The newest event that tells each alert's condition, by alert id."""
    if not alert_ids:
        return {}
    query = f"""
        SELECT DISTINCT ON (e.alert_id) {_EVENT_E} FROM alert_event e
        WHERE e.alert_id = ANY(%s::uuid[]) AND {CONDITION_TELLS} ORDER BY e.alert_id, e.seq DESC"""
    found = [_numbered(row).event for row in connection.execute(query, (list(alert_ids),))]
    return {event.alert_id: event for event in found}


def _one(cursor: Cursor) -> TupleRow:
    row = cursor.fetchone()
    assert row is not None  # every caller asks for exactly one row
    return row


def _numbered(row: TupleRow) -> NumberedEvent:
    return NumberedEvent(row[0], row[1], _decoder.decode(row[2]))


def _condition(row: TupleRow) -> Condition:
    rule, target, phase, *rest = row
    return Condition(rule, target, Phase(phase), *rest)


def _condition_row(condition: Condition) -> tuple[Any, ...]:
    return (
        condition.rule,
        condition.target,
        int(condition.phase),
        condition.level,
        condition.since,
        condition.candidate_level,
        condition.candidate_since,
        condition.alert_id,
        condition.opened_at,
        condition.ordinal,
        condition.rule_version,
        condition.told_at,
        condition.level_since,
        condition.prolonged,
    )
