"""What the feed reads beside `alerts.store`, and what `ingest.store.read` gives, in the feed's own terms.

SELECT only. Every function takes a connection whose search path is Huewatch's schema; it raises what psycopg
raises, or a `StoreError`. Times go in and out as microseconds UTC. Called by the HTTP feed and its hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg

from alerts.model import Event, NumberedEvent
from alerts.sight import WriterRow
from ingest.clock import MICROS_PER_SECOND, to_micros
from ingest.model import Quality
from ingest.store.partitions import EARLIEST, LATEST
from ingest.store.read import (
    Appraised,
    Latest,
    Observed,
    Result,
    appraised,
    latest,
    latest_results,
    results,
    writer_state,
)

Connection = psycopg.Connection[Any]
USABLE = (Quality.PASS, Quality.NOT_EVALUATED, Quality.SUSPECT)


def writers(connection: Connection) -> list[WriterRow]:
    """One row per partition, with the real age of its last commit."""
    return [
        WriterRow(
            partition=row.partition,
            committed_at=row.committed_at,
            age_s=(row.age or 0) / MICROS_PER_SECOND,
            now_at=row.committed_at if row.now_at is None else row.now_at,
            sighted_since=row.sighted_since,
            blind_reason=row.blind_reason,
        )
        for row in writer_state(connection)
    ]


def commits(connection: Connection) -> list[tuple[str, int, int]]:
    """(partition, epoch, batch) of each writer: another list after every commit of readings or time."""
    return [(row.partition, row.epoch, row.batch) for row in writer_state(connection)]


def newest(connection: Connection, nature: str) -> dict[str, Latest]:
    """The newest observation of each datastream that has one, by key."""
    return {row.key: row for row in latest(connection) if row.nature == nature}


def windows(
    connection: Connection, nature: str, keys: Sequence[str], span_us: int, limit: int = 400
) -> dict[str, list[Observed]]:
    """Per measured datastream of these keys the observations within `span_us` before its newest one, oldest
    first."""
    rows = connection.execute(
        "SELECT d.key, o.time, o.value, o.quality, o.received_at FROM datastream d CROSS JOIN LATERAL ("
        " SELECT time FROM observation WHERE datastream = d.id ORDER BY time DESC LIMIT 1) n"
        " CROSS JOIN LATERAL (SELECT time, value, quality, received_at FROM observation_current"
        "  WHERE datastream = d.id AND time >= n.time - %s * interval '1 microsecond'"
        "  ORDER BY time DESC LIMIT %s) o WHERE d.nature = %s AND d.key = ANY(%s) ORDER BY d.key, o.time",
        (span_us, limit, nature, list(keys)),
    ).fetchall()
    found: dict[str, list[Observed]] = {}
    for key, *row in rows:
        found.setdefault(key, []).append(_observed(row))
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """The newest `limit` rows of a datastream with since <= time < until; None: no bound."""

    key: str
    nature: str
    since: int | None
    until: int | None
    limit: int


def observations_of(connection: Connection, wanted: Wanted) -> list[Appraised]:
    """Rows of a measured datastream, oldest first."""
    number = _number(connection, wanted)
    return [] if number is None else appraised(connection, number, *_bounds(wanted))


def results_of(connection: Connection, wanted: Wanted) -> list[Result]:
    """Rows of a derived datastream, oldest first."""
    number = _number(connection, wanted)
    return [] if number is None else results(connection, number, *_bounds(wanted))


def newest_results(connection: Connection, nature: str, keys: Sequence[str]) -> dict[str, Result]:
    """The newest row of each of these derived datastreams that has one, by key."""
    return latest_results(connection, nature, keys) if keys else {}


def _number(connection: Connection, wanted: Wanted) -> int | None:
    query = "SELECT id FROM datastream WHERE key = %s AND nature = %s"
    row = connection.execute(query, (wanted.key, wanted.nature)).fetchone()
    return None if row is None else row[0]


def _bounds(wanted: Wanted) -> tuple[int, int, int]:
    start = EARLIEST if wanted.since is None else wanted.since
    return start, LATEST if wanted.until is None else wanted.until, wanted.limit


def numbered(row: Sequence[Any]) -> NumberedEvent:
    """A row of (seq, created_at, body)."""
    seq, created_at, body = row
    return NumberedEvent(seq, to_micros(created_at), msgspec.convert(body, Event))


def _observed(row: Sequence[Any]) -> Observed:
    time, value, quality, received_at = row
    return Observed(to_micros(time), value, quality, to_micros(received_at))
