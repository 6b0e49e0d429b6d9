"""What the feed reads beside `alerts.store`: writer, observations, alert history, ledger, gaps. SELECT only.

Every function takes a connection whose search path is Huewatch's schema; it raises what psycopg raises.
Times go in and out as microseconds UTC. Called by the HTTP feed, its hub and its tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import psycopg

from alerts.model import Event, NumberedEvent
from alerts.sight import WriterRow
from ingest.clock import to_datetime, to_micros
from ingest.model import Quality

Connection = psycopg.Connection[Any]
USABLE = (Quality.PASS, Quality.NOT_EVALUATED, Quality.SUSPECT)
LEDGER_COLUMNS = (
    "messages",
    "readable",
    "empty",
    "unreadable",
    "decoded",
    "stored",
    "duplicate",
    "conflict",
    "rejected",
)


@dataclass(frozen=True, slots=True)
class Observation:
    """One stored row: times in microseconds, value in the datastream's unit, QARTOD flag."""

    time: int
    value: float
    quality: int
    received_at: int


def writers(connection: Connection) -> list[WriterRow]:
    """One row per partition, with the real age of its last commit."""
    rows = connection.execute(
        "SELECT partition, committed_at, extract(epoch FROM clock_timestamp() - committed_at)::float8,"
        " coalesce(now_at, committed_at), sighted_since, blind_reason FROM writer ORDER BY partition"
    ).fetchall()
    return [
        WriterRow(name, _micros(at), age or 0.0, _micros(now), _micros(sighted), reason)
        for name, at, age, now, sighted, reason in rows
    ]


def newest(connection: Connection, nature: str) -> dict[str, Observation]:
    """The newest observation of each datastream that has one, by key."""
    rows = connection.execute(
        "SELECT d.key, o.time, o.value, o.quality, o.received_at FROM datastream d CROSS JOIN LATERAL ("
        " SELECT time, value, quality, received_at FROM observation WHERE datastream = d.id"
        " ORDER BY time DESC LIMIT 1) o WHERE d.nature = %s",
        (nature,),
    ).fetchall()
    return {key: _observation(row) for key, *row in rows}


def windows(
    connection: Connection, nature: str, span_us: int, limit: int = 400
) -> dict[str, list[Observation]]:
    """Per datastream the observations within `span_us` before its newest one, oldest first."""
    rows = connection.execute(
        "SELECT d.key, o.time, o.value, o.quality, o.received_at FROM datastream d CROSS JOIN LATERAL ("
        " SELECT time FROM observation WHERE datastream = d.id ORDER BY time DESC LIMIT 1) n"
        " CROSS JOIN LATERAL (SELECT time, value, quality, received_at FROM observation"
        "  WHERE datastream = d.id AND time >= n.time - %s * interval '1 microsecond'"
        "  ORDER BY time DESC LIMIT %s) o WHERE d.nature = %s ORDER BY d.key, o.time",
        (span_us, limit, nature),
    ).fetchall()
    found: dict[str, list[Observation]] = {}
    for key, *row in rows:
        found.setdefault(key, []).append(_observation(row))
    return found


def observations(
    connection: Connection, key: str, nature: str, since: int | None, until: int | None, limit: int
) -> list[Observation]:
    """The newest `limit` observations with since <= time < until, oldest first."""
    rows = connection.execute(
        "SELECT o.time, o.value, o.quality, o.received_at FROM observation o"
        " WHERE o.datastream = (SELECT id FROM datastream WHERE key = %s AND nature = %s)"
        " AND o.time >= %s AND o.time < %s ORDER BY o.time DESC LIMIT %s",
        (key, nature, _bound(since, "-infinity"), _bound(until, "infinity"), limit),
    ).fetchall()
    return [_observation(row) for row in reversed(rows)]


def newest_of_alerts(connection: Connection, limit: int) -> list[NumberedEvent]:
    """The newest event of each alert, open or ended; the alert told of last comes first."""
    rows = connection.execute(
        "SELECT e.seq, e.created_at, e.body FROM alert_event e"
        " WHERE NOT EXISTS (SELECT 1 FROM alert_event n WHERE n.alert_id = e.alert_id AND n.seq > e.seq)"
        " ORDER BY e.seq DESC LIMIT %s",
        (limit,),
    ).fetchall()
    return [numbered(row) for row in rows]


def ledger(connection: Connection, since: int | None) -> list[dict[str, Any]]:
    """The conservation sums per gateway: messages and readings, and what became of each."""
    sums = ", ".join(f"sum({column})" for column in LEDGER_COLUMNS)
    rows = connection.execute(
        f"SELECT gateway, {sums} FROM ledger WHERE minute >= %s GROUP BY gateway ORDER BY gateway",
        (_bound(since, "-infinity"),),
    ).fetchall()
    return [
        {"gateway": gateway, **{name: int(total) for name, total in zip(LEDGER_COLUMNS, totals, strict=True)}}
        for gateway, *totals in rows
    ]


def gaps(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Lost broker sessions, newest first: readings of that time may be missing for ever."""
    rows = connection.execute(
        "SELECT partition, session, topics, started_at, ended_at, reason FROM gap"
        " ORDER BY ended_at DESC, session DESC LIMIT %s",
        (limit,),
    ).fetchall()
    return [
        {
            "partition": partition,
            "session": session,
            "topics": list(topics),
            "started_at": _micros(started),
            "ended_at": _micros(ended),
            "reason": reason,
        }
        for partition, session, topics, started, ended, reason in rows
    ]


def numbered(row: Sequence[Any]) -> NumberedEvent:
    """A row of (seq, created_at, body)."""
    seq, created_at, body = row
    return NumberedEvent(seq, to_micros(created_at), msgspec.convert(body, Event))


def _observation(row: Sequence[Any]) -> Observation:
    time, value, quality, received_at = row
    return Observation(to_micros(time), value, quality, to_micros(received_at))


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _bound(micros: int | None, otherwise: str) -> datetime | str:
    return otherwise if micros is None else to_datetime(micros)
