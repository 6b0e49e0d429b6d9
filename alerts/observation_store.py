"""Stretches of one series as the feed asks for them: rolled up into buckets, in runs to be exported.

SELECT only, each statement over a range that its caller has bounded. Every function takes a connection whose
search path is Huewatch's schema and raises what psycopg raises. Times go in and out as microseconds UTC.
Called by the HTTP feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from ingest.clock import MICROS_PER_SECOND, to_datetime, to_micros
from ingest.model import Quality

Connection = psycopg.Connection[Any]
RUN = 20_000  # rows at once: 2 MB, and a tenth of a second of the database
COUNTED = (Quality.PASS, Quality.NOT_EVALUATED, Quality.SUSPECT)  # the others are no measurements

# Readings fall into slots of one cadence, counted from the bucket's first: several in one slot hide no gap.
_BUCKETS = """
SELECT bucket, min(value) FILTER (WHERE counts), avg(value) FILTER (WHERE counts),
    max(value) FILTER (WHERE counts), count(*) FILTER (WHERE counts),
    count(*) FILTER (WHERE quality = %(suspect)s), count(*) FILTER (WHERE NOT counts),
    count(DISTINCT slot) FILTER (WHERE counts)
FROM (SELECT bucket, value, quality, quality = ANY(%(counted)s) AND value IS NOT NULL AS counts,
        round(extract(epoch FROM time - first_value(time) OVER (PARTITION BY bucket ORDER BY time))::float8
            / %(cadence)s) AS slot
    FROM (SELECT time, value, quality, date_bin(%(width)s, time, %(origin)s) AS bucket FROM {table}
        WHERE datastream = %(datastream)s AND time >= %(since)s AND time < %(until)s) r) s
GROUP BY bucket ORDER BY bucket
"""
_RUN = """
SELECT datastream, time, value, quality FROM {table} WHERE datastream = ANY(%(datastreams)s::int4[])
    AND time >= %(since)s AND time < %(until)s AND (datastream, time) > (%(last)s, %(after)s)
ORDER BY datastream, time LIMIT %(limit)s
"""
# One index step for each series, and for the first of these that has a row no more.
_ANY = """
SELECT 1 FROM datastream d CROSS JOIN LATERAL (SELECT 1 FROM observation
    WHERE datastream = d.id AND time >= %s AND time < %s LIMIT 1) o WHERE d.nature = %s LIMIT 1
"""
_BEFORE = """
SELECT max(o.time) FROM datastream d CROSS JOIN LATERAL (SELECT time FROM observation
    WHERE datastream = d.id AND time < %s ORDER BY time DESC LIMIT 1) o WHERE d.nature = %s
"""
# What may change rows of long ago: a corrected zero, and a quarantined message that was read again.
_CORRECTIONS = """
SELECT (SELECT count(*) FROM installation), (SELECT max(registered_at) FROM installation),
    (SELECT max(replayed_at) FROM quarantine)
"""
_NEWEST = "SELECT max(time) FROM {table} WHERE datastream = %s AND time >= %s AND time < %s"
_OLDEST = "SELECT min(time) FROM {table} WHERE datastream = %s AND time >= %s AND time < %s"
_TABLE = {False: "observation_current", True: "derived"}
_TIMES = {False: "observation", True: "derived"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """The rows of a series with since <= time < until, microseconds; `number` as the database has it."""

    number: int
    derived: bool
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a series did from `begins` on. Without a row that counts, the values are None.

    `slots`: how many intervals of one cadence hold a row that counts.
    """

    begins: int
    least: float | None
    mean: float | None
    greatest: float | None
    count: int
    suspect: int
    failed: int
    slots: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a run; `value` None, of a derived datastream: unknown."""

    datastream: int
    time: int
    value: float | None
    quality: int


def run(
    connection: Connection, numbers: Sequence[int], derived: bool, since: int, until: int, after: Row | None
) -> list[Row]:
    """Up to `RUN` rows of these series with since <= time < until, by series and time, after a row."""
    rows = connection.execute(
        _RUN.format(table=_TABLE[derived]),
        {
            "datastreams": list(numbers),
            "since": to_datetime(since),
            "until": to_datetime(until),
            "last": after.datastream if after else -1,
            "after": to_datetime(after.time if after else since),
            "limit": RUN,
        },
    )
    return [Row(number, to_micros(time), value, quality) for number, time, value, quality in rows]


def any_between(connection: Connection, nature: str, since: int, until: int) -> bool:
    """Whether anything was measured with since <= time < until."""
    query = connection.execute(_ANY, (to_datetime(since), to_datetime(until), nature))
    return query.fetchone() is not None


def newest_before(connection: Connection, nature: str, time: int) -> int | None:
    """The newest time before another at which anything was measured."""
    row = connection.execute(_BEFORE, (to_datetime(time), nature)).fetchone()
    return None if row is None or row[0] is None else to_micros(row[0])


def corrections(connection: Connection) -> str:
    """Another text whenever rows of long ago may have changed."""
    return repr(connection.execute(_CORRECTIONS).fetchone())


def buckets(
    connection: Connection, stretch: Stretch, width: int, offset: int, cadence: float
) -> list[Bucket]:
    """The buckets that have a row, oldest first; each begins `offset` after a whole number of `width`s since
    1970 (microseconds). `cadence` in seconds."""
    rows = connection.execute(
        _BUCKETS.format(table=_TABLE[stretch.derived]),
        {
            "datastream": stretch.number,
            "since": to_datetime(stretch.since),
            "until": to_datetime(stretch.until),
            "width": f"{width / MICROS_PER_SECOND} seconds",
            "origin": to_datetime(offset),
            "cadence": cadence,
            "counted": [int(flag) for flag in COUNTED],
            "suspect": int(Quality.SUSPECT),
        },
    )
    return [Bucket(to_micros(begins), *rest) for begins, *rest in rows]


def newest_time(connection: Connection, stretch: Stretch) -> int | None:
    """The time of the newest row of a stretch, None where it has none."""
    return _edge(connection, _NEWEST, stretch)


def oldest_time(connection: Connection, stretch: Stretch) -> int | None:
    """The time of the oldest row of a stretch, None where it has none."""
    return _edge(connection, _OLDEST, stretch)


def numbers_of(connection: Connection, nature: str, keys: Sequence[str]) -> dict[str, int]:
    """The number of each of these datastreams that the database knows, by key."""
    query = "SELECT key, id FROM datastream WHERE nature = %s AND key = ANY(%s)"
    return dict(connection.execute(query, (nature, list(keys))).fetchall())


def _edge(connection: Connection, query: str, stretch: Stretch) -> int | None:
    row = connection.execute(
        query.format(table=_TIMES[stretch.derived]),
        (stretch.number, to_datetime(stretch.since), to_datetime(stretch.until)),
    ).fetchone()
    return None if row is None or row[0] is None else to_micros(row[0])
