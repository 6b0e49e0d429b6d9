"""Keeps what could not be read or believed: once each, bounded, and never in a form the database refuses.

A row's key is the digest of what came and why it was refused, so a repeat only counts. Each gateway may
add `QUOTA` rows an hour; beyond that the ledger's counters are the record (a broken or hostile gateway
must not fill the disk). A row may be asked to be read again: `take_requested` gives it to the pipeline as a
message, `settle` notes what came of it. `rows_of` is pure; the rest runs in the writer's transactions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from ingest.clock import to_datetime, to_micros
from ingest.model import Intake, RawMessage, Reject
from ingest.store.connection import Connection, Cursor
from ingest.store.errors import reactions

QUOTA = 1_000  # new rows for each gateway and hour: at 8 KiB each at most 200 MB a day
PAYLOAD_LIMIT = 8 * 1024  # bytes: enough to see what a gateway sent
DETAIL_LIMIT = 500  # characters
TOPIC_LIMIT = 1_024  # characters; MQTT allows 65,535 bytes
_HOUR = 3_600_000_000  # microseconds

_USED = "SELECT gateway, count(*) FROM quarantine WHERE first_seen >= %s GROUP BY gateway"
_UPSERT = """
INSERT INTO quarantine AS q (digest, topic, payload, payload_size, reason, detail, codec, codec_version,
    gateway, count, first_seen, last_seen)
VALUES (%(digest)s, %(topic)s, %(payload)s, %(payload_size)s, %(reason)s, %(detail)s, %(codec)s,
    %(codec_version)s, %(gateway)s, %(count)s, %(first_seen)s, %(last_seen)s)
ON CONFLICT (digest) DO UPDATE SET count = q.count + excluded.count,
    first_seen = LEAST(q.first_seen, excluded.first_seen),
    last_seen = GREATEST(q.last_seen, excluded.last_seen)
"""


_REQUESTED = """
SELECT topic, payload, first_seen, digest FROM quarantine
WHERE replay_requested_at IS NOT NULL ORDER BY first_seen, digest LIMIT %s
"""
# Those whose payload was kept whole are asked for; of the others it is told how many there are.
_REQUEST = """
WITH wanted AS (
    SELECT digest, payload_size = octet_length(payload) AS whole FROM quarantine
    WHERE resolved_at IS NULL AND reason = coalesce(%(reason)s::text, reason)
        AND last_seen >= coalesce(%(since)s::timestamptz, '-infinity')
        AND encode(digest, 'hex') LIKE coalesce(%(digest)s::text, '') || '%%'),
asked AS (
    UPDATE quarantine q SET replay_requested_at = clock_timestamp() FROM wanted w
    WHERE q.digest = w.digest AND w.whole RETURNING q.digest)
SELECT digest, NULL::int8 FROM asked UNION ALL SELECT NULL, count(*) FROM wanted WHERE NOT whole
"""
_WAITING = "SELECT count(*) FROM quarantine WHERE digest = ANY(%s) AND replay_requested_at IS NOT NULL"
_REPLAYED = """
SELECT count(*) FILTER (WHERE resolved_at IS NOT NULL), count(*) FILTER (WHERE resolved_at IS NULL)
FROM quarantine WHERE digest = ANY(%s) AND replay_requested_at IS NULL
"""
_SETTLE = """
UPDATE quarantine SET replay_requested_at = NULL, replayed_at = %(now)s,
    resolved_at = CASE WHEN digest = ANY(%(refused)s) THEN NULL ELSE %(now)s END
WHERE digest = ANY(%(replayed)s)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A quarantine row to be: the first reject of a digest, how many came, and when (microseconds)."""

    reject: Reject
    gateway: str
    count: int
    first_seen: int
    last_seen: int


def rows_of(intake: Intake) -> dict[bytes, Row]:
    """One row for each digest among the rejects, in order of arrival."""
    rows: dict[bytes, Row] = {}
    for reject in intake.rejects:
        message = intake.messages[reject.message]
        key, seen = digest(message, reject), message.received_at
        if key == message.quarantined:
            continue  # refused as before: the row stands, and it did not come once more
        row = rows.get(key)
        if row is None:
            gateway = intake.gateway_names[intake.gateway[reject.message]]
            rows[key] = Row(reject, gateway, 1, seen, seen)
        else:
            first, last = min(row.first_seen, seen), max(row.last_seen, seen)
            rows[key] = Row(row.reject, row.gateway, row.count + 1, first, last)
    return rows


def digest(message: RawMessage, reject: Reject) -> bytes:
    """The key of a quarantine row: 16 bytes over topic, payload, reason, codec and its version."""
    parts = (
        message.topic.encode("utf-8", "surrogatepass"),
        message.payload,
        reject.reason.value.encode(),
        reject.codec.encode("utf-8", "surrogatepass"),
        str(reject.codec_version).encode(),
    )
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(4))  # so that no two lists of parts run together alike
        hashed.update(part)
    return hashed.digest()


class Quota:
    """How many new rows each gateway has had in the hour of the last commit; adopt after COMMIT only."""

    def __init__(self) -> None:
        self._hour: int | None = None
        self._used: Mapping[str, int] = {}

    def used(self, cursor: Cursor, now: int) -> Counter[str]:
        """The use in the hour of `now`, read from the table when that hour is not the known one."""
        if now // _HOUR != self._hour:
            return Counter(dict(cursor.execute(_USED, (to_datetime(now // _HOUR * _HOUR),)).fetchall()))
        return Counter(self._used)

    def adopt(self, now: int, used: Mapping[str, int]) -> None:
        """Make the use of a committed transaction the known one."""
        self._hour, self._used = now // _HOUR, used


def admit(rows: Mapping[bytes, Row], used: Counter[str], known: Iterable[bytes]) -> dict[bytes, Row]:
    """The rows to write: repeats of `known` ones, and new ones within the quota, counted into `used`."""
    repeats = frozenset(known)
    admitted = {}
    for key, row in rows.items():
        if key not in repeats:
            if used[row.gateway] >= QUOTA:
                continue
            used[row.gateway] += 1
        admitted[key] = row
    return admitted


def write(cursor: Cursor, intake: Intake, quota: Quota, now: int) -> Counter[str]:
    """Upsert the intake's rejects as far as the quota lets them; the use after it, to be adopted."""
    rows = rows_of(intake)
    used = quota.used(cursor, now)
    known = cursor.execute("SELECT digest FROM quarantine WHERE digest = ANY(%s)", (list(rows),)).fetchall()
    admitted = admit(rows, used, (key for (key,) in known))
    cursor.executemany(_UPSERT, [_parameters(key, row, intake) for key, row in admitted.items()])
    return used


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows to read again; None does not narrow. `since` in microseconds, `digest` the first digits."""

    reason: str | None
    since: int | None
    digest: str | None


@reactions()
def request_replay(connection: Connection, wanted: Wanted) -> tuple[list[bytes], int]:
    """Ask for a replay: the digests asked for, and how many rows lack the end of their payload."""
    parameters = {
        "reason": wanted.reason,
        "since": None if wanted.since is None else to_datetime(wanted.since),
        "digest": None if wanted.digest is None else wanted.digest.lower(),
    }
    rows = connection.execute(_REQUEST, parameters).fetchall()
    return [bytes(digest) for digest, _ in rows if digest is not None], sum(cut or 0 for _, cut in rows)


@reactions()
def count_waiting(connection: Connection, asked: list[bytes]) -> int:
    """How many of these were not read again yet."""
    row = connection.execute(_WAITING, (asked,)).fetchone()
    return 0 if row is None else int(row[0])


@reactions()
def count_replayed(connection: Connection, asked: list[bytes]) -> tuple[int, int]:
    """How many of these are resolved, and how many were refused again."""
    row = connection.execute(_REPLAYED, (asked,)).fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def take_requested(connection: Connection, limit: int) -> list[RawMessage]:
    """The oldest messages that somebody asked to have read again, as they came at first."""
    rows = connection.execute(_REQUESTED, (limit,)).fetchall()
    return [
        RawMessage(topic, payload, 0, False, False, to_micros(seen), 0, 0, digest)
        for topic, payload, seen, digest in rows
    ]


def settle(cursor: Cursor, intake: Intake, now: int) -> None:
    """Note of the intake's messages from quarantine that they were read again, and which are resolved."""
    replayed = {message.quarantined for message in intake.messages if message.quarantined}
    if not replayed:
        return
    refused = {digest(intake.messages[reject.message], reject) for reject in intake.rejects} & replayed
    parameters = {"replayed": list(replayed), "refused": list(refused), "now": to_datetime(now)}
    cursor.execute(_SETTLE, parameters)


def _parameters(key: bytes, row: Row, intake: Intake) -> dict[str, object]:
    message, reject = intake.messages[row.reject.message], row.reject
    return {
        "digest": key,
        "topic": plain_text(message.topic, TOPIC_LIMIT),
        "payload": message.payload[:PAYLOAD_LIMIT],
        "payload_size": len(message.payload),
        "reason": reject.reason.value,
        "detail": plain_text(reject.detail, DETAIL_LIMIT),
        "codec": reject.codec,
        "codec_version": reject.codec_version,
        "gateway": row.gateway,
        "count": row.count,
        "first_seen": to_datetime(row.first_seen),
        "last_seen": to_datetime(row.last_seen),
    }


def plain_text(text: str, limit: int) -> str:
    """Text that PostgreSQL takes: no NUL, no lone surrogate, at most `limit` characters."""
    return text[:limit].replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
