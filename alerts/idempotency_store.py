"""What a write was answered under its key, so that a request that a bad link repeats is done once.

Promises: two requests under one key wait for each other, and the second finds what the first was answered; a
key belongs to one principal and one request. Kept for a day. Called by the feed in the transaction that
writes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from alerts.store import Connection

KEPT = "1 day"  # a link that is longer away has a person behind it who looks first
LONGEST_KEY = 255


class AnotherRequest(Exception):
    """The key was given to another request before."""


@dataclass(frozen=True, slots=True)
class Answered:
    """How a write ended; `problem`: what it was refused with."""

    status: int
    problem: dict[str, Any] | None


def claim(connection: Connection, who: str, key: str, request: bytes) -> Answered | None:
    """What this request was answered before, or None: it is the caller's now, until its transaction ends.

    Raises `AnotherRequest`.
    """
    lock = hashlib.sha256(f"{who}\0{key}".encode()).digest()[:8]
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(lock, signed=True),))
    query = "SELECT request, status, problem FROM idempotency WHERE who = %s AND key = %s"
    row = connection.execute(query, (who, key)).fetchone()
    if row is None:
        return None
    known, status, problem = row
    if bytes(known) != request:
        raise AnotherRequest("this Idempotency-Key was given to another request before")
    return Answered(status, problem)


def answered(connection: Connection, who: str, key: str, request: bytes, answer: Answered) -> None:
    """Keep how the claimed request ended, in its transaction."""
    problem = None if answer.problem is None else Jsonb(answer.problem)
    connection.execute(
        "INSERT INTO idempotency (who, key, request, status, problem) VALUES (%s, %s, %s, %s, %s)",
        (who, key, request, answer.status, problem),
    )


def forget(connection: Connection) -> None:
    """Delete what nobody repeats any more."""
    connection.execute("DELETE FROM idempotency WHERE at < clock_timestamp() - %s::interval", (KEPT,))
