"""Tokens and sessions in the database: make, list, revoke, and which of them live.

Promises: a secret is never stored, only its hash; two living tokens never have one name; what has expired
lives no longer, by the database's clock. Called by the feed and by `huewatch token`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from alerts.access import Credential, Kind, Scope
from alerts.store import Connection
from ingest.clock import to_micros

LONGEST_NAME = 80  # as long as a name in an event
SESSION_S = 12 * 3600  # a shift
SESSIONS = 100  # of one token: every browser of a control room several times over; the oldest gives way

_COLUMNS = "id, name, scope, created_at, created_by, expires_at, revoked_at, revoked_by, last_used_at"
# An expired token gives its name back.
_RETIRE = """
UPDATE access_token SET revoked_at = expires_at, revoked_by = 'its end'
WHERE name = %s AND revoked_at IS NULL AND expires_at <= clock_timestamp()
"""
_CREATE = f"""
INSERT INTO access_token (id, name, scope, hash, created_by, created_at, expires_at)
SELECT %s, %s, %s, %s, %s, t.now, t.now + %s::float8 * interval '1 second'
FROM (SELECT clock_timestamp() AS now) t RETURNING {_COLUMNS}
"""
_REVOKE = f"""
UPDATE access_token SET revoked_at = clock_timestamp(), revoked_by = %s
WHERE id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
RETURNING {_COLUMNS}
"""
_LIVING = """
SELECT 'hw', id, id, name, scope, hash, expires_at, extract(epoch FROM expires_at - clock_timestamp())::float8
FROM access_token WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
UNION ALL
SELECT 'hws', s.id, t.id, t.name, t.scope, s.hash, least(s.expires_at, t.expires_at),
    extract(epoch FROM least(s.expires_at, t.expires_at) - clock_timestamp())::float8
FROM access_session s JOIN access_token t ON t.id = s.token
WHERE t.revoked_at IS NULL AND least(s.expires_at, t.expires_at) > clock_timestamp()
"""
_USED = """
UPDATE access_token SET last_used_at = clock_timestamp()
WHERE id = ANY(%s) AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')
"""
_OPEN = """
INSERT INTO access_session (id, token, hash, expires_at)
SELECT %(id)s, id, %(hash)s,
    least(clock_timestamp() + %(lasts)s * interval '1 second', expires_at)
FROM access_token WHERE id = %(token)s AND revoked_at IS NULL RETURNING expires_at
"""
_CROWD_OUT = """
DELETE FROM access_session WHERE token = %(token)s AND id NOT IN (
    SELECT id FROM access_session WHERE token = %(token)s ORDER BY opened_at DESC LIMIT %(most)s)
"""


class NotMade(Exception):
    """The token cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret; times in microseconds."""

    id: str
    name: str
    scope: Scope
    created_at: int
    created_by: str
    expires_at: int | None
    revoked_at: int | None
    revoked_by: str | None
    last_used_at: int | None


@dataclass(frozen=True, slots=True)
class Living:
    """A credential that opens the feed, until `expires_at` (microseconds), which is in `lasts_s` seconds.

    None: until it is revoked.
    """

    kind: Kind
    id: str
    token: str
    name: str
    scope: Scope
    hash: bytes
    expires_at: int | None
    lasts_s: float | None


def create(
    connection: Connection, credential: Credential, name: str, scope: Scope, by: str, lasts_s: float | None
) -> Token:
    """Enter a token for somebody. Raises `NotMade`."""
    name = unicodedata.normalize("NFC", name.strip())  # what looks the same is the same
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise NotMade(f"a token's name is one line of 1 to {LONGEST_NAME} characters: who will use it")
    if lasts_s is not None and lasts_s <= 0:
        raise NotMade("a token that expires lasts longer than nothing")
    values = (credential.id, name, scope.value, credential.hash, by, lasts_s)
    try:
        with connection.transaction():
            connection.execute(_RETIRE, (name,))
            row = connection.execute(_CREATE, values).fetchone()
    except psycopg.errors.UniqueViolation:
        raise NotMade(f"{name} has a token already; revoke it, or name who else will use this one") from None
    except psycopg.errors.DatetimeFieldOverflow:
        raise NotMade("it would expire later than any calendar goes") from None
    assert row is not None  # INSERT ... RETURNING
    return _token(row)


def tokens(connection: Connection) -> list[Token]:
    """Every token that ever was, by the time it was made."""
    query = f"SELECT {_COLUMNS} FROM access_token ORDER BY created_at, id"
    return [_token(row) for row in connection.execute(query)]


def revoke(connection: Connection, token: str, by: str) -> Token | None:
    """End a token and its sessions now; None where none of this id lives."""
    row = connection.execute(_REVOKE, (by, token)).fetchone()
    return None if row is None else _token(row)


def living(connection: Connection) -> list[Living]:
    """Everything that opens the feed now."""
    return [
        Living(Kind(kind), number, token, name, Scope(scope), bytes(hashed), _micros(expires), lasts)
        for kind, number, token, name, scope, hashed, expires, lasts in connection.execute(_LIVING)
    ]


def used(connection: Connection, token_ids: Collection[str]) -> None:
    """Note that these tokens are in use, at most once a minute."""
    connection.execute(_USED, (list(token_ids),))


def open_session(connection: Connection, credential: Credential, token: str) -> int | None:
    """Enter a browser's session; when it ends, in microseconds. None where the token does not live."""
    values = {
        "id": credential.id,
        "token": token,
        "hash": credential.hash,
        "lasts": SESSION_S,
        "most": SESSIONS,
    }
    with connection.transaction():
        row = connection.execute(_OPEN, values).fetchone()
        connection.execute(_CROWD_OUT, values)
    return None if row is None else to_micros(row[0])


def end_session(connection: Connection, session: str) -> None:
    """A browser leaves."""
    connection.execute("DELETE FROM access_session WHERE id = %s", (session,))


def forget(connection: Connection) -> None:
    """Delete sessions that are over."""
    connection.execute(
        "DELETE FROM access_session s USING access_token t WHERE t.id = s.token"
        " AND (t.revoked_at IS NOT NULL OR least(s.expires_at, t.expires_at) <= clock_timestamp())"
    )


def _token(row: Sequence[Any]) -> Token:
    number, name, scope, created, by, expires, revoked, revoked_by, used_at = row
    times = _micros(expires), _micros(revoked)
    return Token(number, name, Scope(scope), to_micros(created), by, *times, revoked_by, _micros(used_at))


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
