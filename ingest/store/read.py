"""What the feed, the command line and a start may ask of the store. Reads only; all times in microseconds.

Each function runs one statement on a connection of `ingest.store.connect` and raises `StoreError`s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from ingest.clock import to_datetime, to_micros
from ingest.device_clock import Lag
from ingest.model import Nature, ObservationBatch
from ingest.store.binary_copy import decode
from ingest.store.connection import Connection
from ingest.store.errors import reactions


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest observation of a datastream."""

    key: str
    nature: str
    time: int
    value: float
    quality: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Observed:
    """One observation of a datastream."""

    time: int
    value: float
    quality: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Appraised:
    """One observation with what it is worth today.

    `time_source`: a `TimeSource`, 0 where it was not recorded. `tests`: the flag of each quality test, packed
    by `ingest.quality`. `revised`: whether flag or level were another at arrival.
    """

    time: int
    value: float
    quality: int
    received_at: int
    time_source: int
    tests: int
    revised: bool


@dataclass(frozen=True, slots=True)
class Result:
    """One row of a derived datastream. `value` None: unknown. `inputs_until`: the newest input looked at."""

    time: int
    value: float | None
    quality: int
    coverage: float
    inputs_until: int
    revision: int


@dataclass(frozen=True, slots=True)
class WriterState:
    """A partition's writer. `now_at`: the time of its last decision, logical in a demo. `age`: microseconds
    of real time since its last commit, by the database's clock; None before the first."""

    partition: str
    epoch: int
    batch: int
    session: int
    owner: str
    committed_at: int | None
    age: int | None
    now_at: int | None
    sighted_since: int | None
    blind_reason: str


@dataclass(frozen=True, slots=True)
class LedgerSums:
    """messages = readable + empty + unreadable; decoded = stored + duplicate + conflict + rejected."""

    gateway: str
    messages: int
    readable: int
    empty: int
    unreadable: int
    decoded: int
    stored: int
    duplicate: int
    conflict: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What was refused, how often and when. `payload` is the start of `payload_size` bytes."""

    digest: bytes
    topic: str
    payload: bytes
    payload_size: int
    reason: str
    detail: str
    codec: str
    codec_version: int
    gateway: str
    count: int
    first_seen: int
    last_seen: int
    replayed_at: int | None
    resolved_at: int | None


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which the broker kept nothing for us; `started_at` None: since an unknown time."""

    partition: str
    session: int
    topics: list[str]
    started_at: int | None
    ended_at: int
    reason: str


_LATEST = """
SELECT d.key, d.nature, o.time, o.value, o.quality, o.received_at FROM datastream d
CROSS JOIN LATERAL (SELECT time, value, quality, received_at FROM observation_current
    WHERE datastream = d.id ORDER BY time DESC LIMIT 1) o ORDER BY d.key, d.nature
"""
_OBSERVATIONS = """
SELECT time, value, quality, received_at FROM observation_current
WHERE datastream = %s AND time >= %s AND time < %s ORDER BY time DESC LIMIT %s
"""
_APPRAISED = """
SELECT time, value, quality, received_at, time_source, tests,
    EXISTS (SELECT FROM quality_revision q WHERE q.datastream = o.datastream AND q.time = o.time)
    OR EXISTS (SELECT FROM derived d WHERE d.datastream = o.datastream AND d.time = o.time)
FROM (SELECT * FROM observation_current
    WHERE datastream = %s AND time >= %s AND time < %s ORDER BY time DESC LIMIT %s) o ORDER BY time
"""
_RESULTS = """
SELECT time, value, quality, coverage, inputs_until, revision FROM derived
WHERE datastream = %s AND time >= %s AND time < %s ORDER BY time DESC LIMIT %s
"""
_LATEST_RESULTS = """
SELECT d.key, r.time, r.value, r.quality, r.coverage, r.inputs_until, r.revision FROM datastream d
CROSS JOIN LATERAL (SELECT * FROM derived WHERE datastream = d.id ORDER BY time DESC LIMIT 1) r
WHERE d.nature = %s AND d.key = ANY(%s)
"""
_WAITS = "SELECT FROM undecided u WHERE u.datastream = r.datastream AND u.time = r.time"
_RECENT = """
COPY (SELECT datastream, time, value, {quality}, received_at, time_source, tests
FROM unnest(%s::int4[]) AS s(id)
CROSS JOIN LATERAL (SELECT time AS newest FROM observation r
    WHERE datastream = s.id AND NOT EXISTS ({waits}) ORDER BY time DESC LIMIT 1) n
CROSS JOIN LATERAL (SELECT * FROM observation_current r
    WHERE datastream = s.id AND time >= n.newest - %s * interval '1 microsecond' AND NOT EXISTS ({waits})
    ORDER BY time DESC LIMIT %s) o
ORDER BY datastream, time) TO STDOUT (FORMAT binary)
"""
_RECENT_REVISED = _RECENT.format(quality="quality", waits="SELECT WHERE false")
_RECENT_DECIDED = _RECENT.format(quality="first_quality", waits=_WAITS)
_RECENT_STANDING = _RECENT.format(quality="quality", waits=_WAITS)
_RECENT_DERIVED = f"""
COPY (SELECT d.datastream, d.time, coalesce(d.first_value, d.value), coalesce(d.first_quality, d.quality),
    d.time, 0::int2, 0::int8
FROM unnest(%s::int4[]) AS s(id)
CROSS JOIN LATERAL (SELECT time AS newest FROM derived r
    WHERE datastream = s.id AND coalesce(first_value, value) IS NOT NULL AND NOT EXISTS ({_WAITS})
    ORDER BY time DESC LIMIT 1) n
CROSS JOIN LATERAL (SELECT * FROM derived r
    WHERE datastream = s.id AND coalesce(first_value, value) IS NOT NULL AND NOT EXISTS ({_WAITS})
        AND time >= n.newest - %s * interval '1 microsecond'
    ORDER BY time DESC LIMIT %s) d
WHERE NOT EXISTS (SELECT FROM observation o WHERE o.datastream = d.datastream AND o.time = d.time)
ORDER BY datastream, time) TO STDOUT (FORMAT binary)
"""
_WRITERS = """
SELECT partition, epoch, batch, session, owner, committed_at,
    (extract(epoch FROM clock_timestamp() - committed_at) * 1000000)::int8, now_at,
    sighted_since, blind_reason
FROM writer ORDER BY partition
"""
_LEDGER = """
SELECT coalesce(gateway, ''), coalesce(sum(messages), 0)::int8, coalesce(sum(readable), 0)::int8,
    coalesce(sum(empty), 0)::int8, coalesce(sum(unreadable), 0)::int8, coalesce(sum(decoded), 0)::int8,
    coalesce(sum(stored), 0)::int8, coalesce(sum(duplicate), 0)::int8, coalesce(sum(conflict), 0)::int8,
    coalesce(sum(rejected), 0)::int8
FROM ledger WHERE minute >= coalesce(%s::timestamptz, '-infinity')
GROUP BY ROLLUP (gateway) ORDER BY grouping(gateway) DESC, gateway
"""
_QUARANTINE = """
SELECT digest, topic, payload, payload_size, reason, detail, codec, codec_version, gateway, count,
    first_seen, last_seen, replayed_at, resolved_at
FROM quarantine
WHERE reason = coalesce(%s::text, reason) AND last_seen >= coalesce(%s::timestamptz, '-infinity')
    AND (resolved_at IS NULL OR %s)
ORDER BY last_seen DESC, digest LIMIT %s
"""
_QUARANTINED = """
SELECT digest, topic, payload, payload_size, reason, detail, codec, codec_version, gateway, count,
    first_seen, last_seen, replayed_at, resolved_at
FROM quarantine WHERE encode(digest, 'hex') LIKE %s || '%%' ORDER BY digest LIMIT 2
"""
# Of readings that came by the quickest path, give or take a minute, the slope is the clock's.
_LAGS = """
WITH lag AS (
    SELECT datastream, extract(epoch FROM time)::float8 AS at,
        extract(epoch FROM received_at - time)::float8 AS s
    FROM observation WHERE time >= %s AND time_source = 1),
least AS (SELECT datastream, count(*) AS readings, min(s) AS least,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY s) AS median FROM lag GROUP BY datastream)
SELECT d.key, readings, least, median,
    coalesce(regr_slope(s, at) FILTER (WHERE s < least + 60) * 86400, 0)
FROM least JOIN lag USING (datastream) JOIN datastream d ON d.id = datastream
GROUP BY d.key, readings, least, median ORDER BY d.key
"""
_GAPS = """
SELECT partition, session, topics, started_at, ended_at, reason FROM gap
WHERE ended_at >= coalesce(%s::timestamptz, '-infinity') ORDER BY ended_at DESC, id DESC LIMIT %s
"""


@reactions()
def nature_mark(connection: Connection) -> Nature | None:
    """What this database is for; None when `migrate` never ran."""
    if connection.execute("SELECT to_regclass('huewatch.nature_mark')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT nature FROM nature_mark").fetchone()
    return None if row is None else Nature(row[0])


@reactions()
def latest(connection: Connection) -> list[Latest]:
    """The newest observation of each datastream that has one, by key."""
    return [Latest(*_plain(row)) for row in connection.execute(_LATEST)]


@reactions()
def observations(connection: Connection, datastream: int, start: int, end: int, limit: int) -> list[Observed]:
    """The newest `limit` observations with start <= time < end (microseconds), in order of time."""
    rows = connection.execute(_OBSERVATIONS, (datastream, to_datetime(start), to_datetime(end), limit))
    return [Observed(*_plain(row)) for row in rows][::-1]


@reactions()
def appraised(connection: Connection, datastream: int, start: int, end: int, limit: int) -> list[Appraised]:
    """The same rows as `observations`, with what each is worth."""
    rows = connection.execute(_APPRAISED, (datastream, to_datetime(start), to_datetime(end), limit))
    return [Appraised(*_plain(row)) for row in rows]


@reactions()
def results(connection: Connection, datastream: int, start: int, end: int, limit: int) -> list[Result]:
    """The newest `limit` rows of a derived datastream with start <= time < end, in order of time."""
    rows = connection.execute(_RESULTS, (datastream, to_datetime(start), to_datetime(end), limit))
    return [Result(*_plain(row)) for row in rows][::-1]


@reactions()
def latest_results(connection: Connection, nature: str, keys: Sequence[str]) -> dict[str, Result]:
    """The newest row of each of these derived datastreams that has one, by key."""
    rows = connection.execute(_LATEST_RESULTS, (nature, list(keys)))
    return {key: Result(*_plain(row)) for key, *row in rows}


@reactions()
def recent(
    connection: Connection, ids: Sequence[int], memory_us: int, limit: int, *, revised: bool = False
) -> ObservationBatch:
    """For each datastream its newest `limit` rows within `memory_us` of its newest, by datastream and time.

    Levels are by today's zeros. When `revised`, with the flags that stand now. Otherwise what was decided on:
    with the flags at arrival, without the rows that wait for a decision, and of derived datastreams the
    results as they first were known. Columns as between stages; `message` is -1.
    """
    parameters = (list(ids), memory_us, limit)
    if revised:
        return _copied(connection, _RECENT_REVISED, parameters)
    measured = _copied(connection, _RECENT_DECIDED, parameters)
    return ObservationBatch.joined([measured, _copied(connection, _RECENT_DERIVED, parameters)])


@reactions()
def recent_standing(
    connection: Connection, ids: Sequence[int], memory_us: int, limit: int
) -> ObservationBatch:
    """What was decided on, as `recent`, but measured rows with the flags that stand now."""
    parameters = (list(ids), memory_us, limit)
    measured = _copied(connection, _RECENT_STANDING, parameters)
    return ObservationBatch.joined([measured, _copied(connection, _RECENT_DERIVED, parameters)])


def _copied(connection: Connection, query: LiteralString, parameters: tuple[Any, ...]) -> ObservationBatch:
    with connection.cursor() as cursor, cursor.copy(query, parameters) as stream:
        rows = bytearray()
        for row in stream:  # a piece for each row: held together they would be 60 MB at 10,000 series
            rows += row
        return decode(rows)


@reactions()
def writer_state(connection: Connection) -> list[WriterState]:
    """Every partition's writer, by partition."""
    return [WriterState(*_plain(row)) for row in connection.execute(_WRITERS)]


@reactions()
def ledger_sums(connection: Connection, since: int | None = None) -> tuple[LedgerSums, list[LedgerSums]]:
    """The total (gateway "") and the sums of each gateway, from the minute `since` (microseconds) on."""
    total, *gateways = connection.execute(_LEDGER, (_datetime(since),)).fetchall()
    return LedgerSums(*total), [LedgerSums(*row) for row in gateways]


@reactions()
def quarantine(
    connection: Connection,
    reason: str | None = None,
    since: int | None = None,
    limit: int = 100,
    *,
    resolved: bool = False,
) -> list[Quarantined]:
    """What was refused, last seen first; `since` bounds `last_seen` (microseconds).

    What was read again without being refused is left out unless `resolved` asks for it.
    """
    rows = connection.execute(_QUARANTINE, (reason, _datetime(since), resolved, limit))
    return [Quarantined(*_plain(row)) for row in rows]


@reactions()
def quarantined(connection: Connection, digest: str) -> list[Quarantined]:
    """The rows whose digest begins with these hexadecimal digits; two where the digits are too few."""
    return [Quarantined(*_plain(row)) for row in connection.execute(_QUARANTINED, (digest.lower(),))]


@reactions()
def clock_lags(connection: Connection, since: int) -> dict[str, Lag]:
    """How late each datastream's readings with a device's own time arrived, of those since then."""
    rows = connection.execute(_LAGS, (to_datetime(since),))
    return {key: Lag(readings, least, median, drift) for key, readings, least, median, drift in rows}


@reactions()
def database_bytes(connection: Connection) -> int:
    """What the database takes on disk."""
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return 0 if row is None else int(row[0])


@reactions()
def gaps(connection: Connection, since: int | None = None, limit: int = 100) -> list[Gap]:
    """Lost sessions that ended at `since` (microseconds) or later, newest first."""
    return [Gap(*_plain(row)) for row in connection.execute(_GAPS, (_datetime(since), limit))]


def _plain(row: Iterable[Any]) -> Iterator[Any]:
    """The row with its times in microseconds."""
    return (to_micros(value) if isinstance(value, datetime) else value for value in row)


def _datetime(micros: int | None) -> datetime | None:
    return None if micros is None else to_datetime(micros)
