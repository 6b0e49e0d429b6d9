"""The rows behind a report on quality, and what became of what each gateway sent.

SELECT only, over ranges that the caller has bounded. Every function takes a connection whose search path is
Huewatch's schema and raises what psycopg raises. Times go in and out as microseconds UTC. Called by the HTTP
feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from alerts.rules.silence import GATEWAY
from ingest.clock import to_datetime, to_micros
from ingest.model import ObservationBatch
from ingest.store.binary_copy import decode

Connection = psycopg.Connection[Any]

_ROWS = """
COPY (SELECT datastream, time, value, quality, received_at, time_source, tests FROM observation_current
    WHERE datastream = ANY(%s::int4[]) AND time >= %s AND time < %s ORDER BY datastream, time)
TO STDOUT (FORMAT binary)
"""
# A step in the key's index for each gateway, where a list of all of them would read the whole ledger.
_HEARD = """
WITH RECURSIVE known AS (
    (SELECT gateway FROM ledger ORDER BY gateway LIMIT 1)
    UNION ALL SELECT (SELECT l.gateway FROM ledger l WHERE l.gateway > k.gateway ORDER BY l.gateway LIMIT 1)
    FROM known k WHERE k.gateway IS NOT NULL)
SELECT k.gateway, last.minute, s.* FROM known k
LEFT JOIN LATERAL (SELECT minute FROM ledger WHERE gateway = k.gateway ORDER BY minute DESC LIMIT 1) last
    ON true
CROSS JOIN LATERAL (SELECT coalesce(sum(messages), 0)::int8, coalesce(sum(unreadable), 0)::int8,
    coalesce(sum(decoded), 0)::int8, coalesce(sum(stored), 0)::int8, coalesce(sum(duplicate), 0)::int8,
    coalesce(sum(conflict), 0)::int8, coalesce(sum(rejected), 0)::int8
    FROM ledger WHERE gateway = k.gateway AND minute >= %s) s
WHERE k.gateway IS NOT NULL ORDER BY k.gateway
"""
_REFUSED = """
SELECT gateway, reason, sum(count)::int8, count(*), max(last_seen) FROM quarantine
WHERE last_seen >= %s AND resolved_at IS NULL GROUP BY gateway, reason ORDER BY gateway, reason
"""
_SILENT = "SELECT target, alert_id::text FROM alert_condition WHERE level > 0 AND starts_with(target, %s)"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came by a gateway since some time; `last` is the minute of its last message, microseconds."""

    gateway: str
    last: int | None
    messages: int
    unreadable: int
    readings: int
    stored: int
    duplicates: int
    conflicts: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What was refused for one reason and is not resolved: how often, how many kinds of messages."""

    reason: str
    count: int
    kinds: int
    last_seen: int


def rows_between(connection: Connection, numbers: Sequence[int], since: int, until: int) -> ObservationBatch:
    """The rows of these datastreams as they stand today, by datastream and time."""
    values = (list(numbers), to_datetime(since), to_datetime(until))
    rows = bytearray()
    with connection.cursor() as cursor, cursor.copy(_ROWS, values) as stream:
        for row in stream:
            rows += row
    return decode(rows)


def heard(connection: Connection, since: int) -> list[Heard]:
    """Every gateway that was ever heard of, with what came since that minute, by name."""
    rows = connection.execute(_HEARD, (to_datetime(since),))
    return [
        Heard(gateway, None if last is None else to_micros(last), *counts) for gateway, last, *counts in rows
    ]


def refused(connection: Connection, since: int) -> dict[str, list[Refused]]:
    """What was last refused at `since` or later, by gateway."""
    found: dict[str, list[Refused]] = {}
    for gateway, reason, count, kinds, last in connection.execute(_REFUSED, (to_datetime(since),)):
        found.setdefault(gateway, []).append(Refused(reason, count, kinds, to_micros(last)))
    return found


def silent_gateways(connection: Connection) -> dict[str, list[str]]:
    """The ids of the open alerts about each gateway's silence, by gateway."""
    found: dict[str, list[str]] = {}
    for target, alert_id in connection.execute(_SILENT, (GATEWAY,)):
        found.setdefault(target.removeprefix(GATEWAY), []).append(alert_id)
    return found
