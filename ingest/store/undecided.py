"""What waits for a decision: rows that were stored while the sinks failed, levels that a zero has changed.

Both are marked, so that they are decided on later and once. A row's mark is its key. It is written in the
transaction that stores the row and deleted in the one that decides on it, so it survives every end of the
process. `read.recent` leaves marked rows out: what decides must not remember what it has not seen. Called by
`write.Writer`.
"""

from __future__ import annotations

from collections.abc import Iterable

from ingest.model import ObservationBatch
from ingest.store.binary_copy import Int4s, Times, decode
from ingest.store.connection import Connection, Cursor

# A week of Huế, or some minutes at the highest rate; about 100 MB. Beyond it the oldest are only remembered:
# whatever state a series is in now is told by its newer rows.
MOST = 1_000_000

_COUNT = "SELECT count(*) FROM undecided WHERE partition = %s"
_MARK = """
INSERT INTO undecided (datastream, time, partition)
SELECT datastream, time, %s FROM unnest(%s, %s) WITH ORDINALITY AS r(datastream, time, place) ORDER BY place
ON CONFLICT (datastream, time) DO NOTHING
"""
_DROP_OLDEST = """
DELETE FROM undecided WHERE partition = %(partition)s AND place <= (
    SELECT place FROM undecided WHERE partition = %(partition)s ORDER BY place DESC OFFSET %(most)s LIMIT 1)
"""
# As they would have been handed over: by today's zeros, with the flags at arrival, results as first known.
_OLDEST = """
COPY (SELECT u.datastream, u.time, r.value, r.quality, r.received_at, r.time_source, r.tests
FROM (SELECT * FROM undecided WHERE partition = %s ORDER BY place LIMIT %s) u
CROSS JOIN LATERAL (
    SELECT value, first_quality AS quality, received_at, time_source, tests FROM observation_current o
    WHERE o.datastream = u.datastream AND o.time = u.time
    UNION ALL
    SELECT coalesce(first_value, value), coalesce(first_quality, quality), d.time, 0::int2, 0::int8
    FROM derived d WHERE d.datastream = u.datastream AND d.time = u.time
        AND coalesce(first_value, value) IS NOT NULL
        AND NOT EXISTS (SELECT FROM observation o WHERE o.datastream = d.datastream AND o.time = d.time)
) r ORDER BY u.place) TO STDOUT (FORMAT binary)
"""
_FORGET = """
DELETE FROM undecided WHERE partition = %(partition)s AND place <= (
    SELECT max(place) FROM (SELECT place FROM undecided WHERE partition = %(partition)s
        ORDER BY place LIMIT %(limit)s) oldest)
"""
_LEVELS = "SELECT datastream FROM undecided_level WHERE partition = %s ORDER BY datastream"
_MARK_LEVELS = """
INSERT INTO undecided_level (partition, datastream) SELECT %s, unnest(%s::int4[]) ON CONFLICT DO NOTHING
"""
_FORGET_LEVELS = "DELETE FROM undecided_level WHERE partition = %s"


def count(connection: Connection, partition: str) -> int:
    """How many rows are marked."""
    row = connection.execute(_COUNT, (partition,)).fetchone()
    assert row is not None
    return int(row[0])


def mark(cursor: Cursor, partition: str, rows: ObservationBatch, marked: int) -> int:
    """Mark these behind the `marked` ones; how many are marked then."""
    if not len(rows):
        return marked
    columns = Int4s(rows.datastream), Times(rows.time)
    cursor.execute(_MARK, (partition, *columns), prepare=False)
    marked += cursor.rowcount
    if marked <= MOST:
        return marked
    cursor.execute(_DROP_OLDEST, {"partition": partition, "most": MOST})
    return marked - cursor.rowcount


def oldest(cursor: Cursor, partition: str, limit: int) -> ObservationBatch:
    """The `limit` rows that were marked first, in order of arrival; `message` is -1."""
    if not limit:
        return ObservationBatch.empty()
    with cursor.copy(_OLDEST, (partition, limit)) as stream:
        return decode(b"".join(map(bytes, stream)))


def forget(cursor: Cursor, partition: str, limit: int) -> int:
    """Delete the `limit` oldest marks; how many there were."""
    cursor.execute(_FORGET, {"partition": partition, "limit": limit})
    return cursor.rowcount


def mark_levels(connection: Connection, partition: str, datastreams: Iterable[int]) -> None:
    """The newest level of each of these is to be judged again."""
    connection.execute(_MARK_LEVELS, (partition, list(datastreams)))


def levels(connection: Connection, partition: str) -> tuple[int, ...]:
    """The datastreams whose newest level is to be judged again."""
    return tuple(number for (number,) in connection.execute(_LEVELS, (partition,)))


def forget_levels(cursor: Cursor, partition: str) -> None:
    """They are judged."""
    cursor.execute(_FORGET_LEVELS, (partition,))
