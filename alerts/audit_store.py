"""The account of every write: who did what to what, when, from where, and whether it was done.

Promises: what was done and its row are one transaction; a refused act leaves a row too; rows become visible
in the order of their numbers, so a reader that goes on after the last one it has misses none. Called by the
feed and by the commands that change something.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from alerts.store import Connection
from ingest.clock import to_micros

LONGEST = 500  # characters of a target or a detail

_COLUMNS = "id, at, who, origin, peer, what, target, outcome, detail"
_APPEND = """
INSERT INTO audit (who, origin, peer, what, target, outcome, detail) VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


class Origin(StrEnum):
    HTTP = "http"
    COMMAND_LINE = "command line"


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody wants to do. `what`: as `alert.acknowledge`; `detail`: in particular."""

    who: str
    origin: Origin
    what: str
    target: str = ""
    peer: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the account; `at` in microseconds."""

    id: int
    at: int
    deed: Deed
    outcome: Outcome


class NotDone(Exception):
    """Raised within `audited` where there was nothing to do; the message says why."""


class Note:
    """What will be on the account at the end of `audited`."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed

    def amend(self, *, target: str | None = None, detail: str | None = None) -> None:
        """Say more exactly what it is about."""
        deed = self.deed
        self.deed = replace(
            deed,
            target=deed.target if target is None else target,
            detail=deed.detail if detail is None else detail,
        )


@contextmanager
def audited(
    connection: Connection, deed: Deed, refusals: tuple[type[Exception], ...] = (NotDone,)
) -> Iterator[Note]:
    """The block and its row in one transaction; one of the `refusals` undoes the block and is noted."""
    note = Note(deed)
    try:
        with connection.transaction():
            yield note
            append(connection, note.deed, Outcome.DONE)
    except refusals as error:
        append(connection, replace(note.deed, detail=str(error)), Outcome.REFUSED)
        raise


def append(connection: Connection, deed: Deed, outcome: Outcome) -> None:
    """Add a row. Call it last before COMMIT: the lock that keeps rows in order lasts until then."""
    texts = [
        each[:LONGEST].replace("\0", "") for each in (deed.what, deed.target, outcome.value, deed.detail)
    ]
    with connection.transaction():
        connection.execute("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(_APPEND, (deed.who, deed.origin.value, deed.peer, *texts))


def newest(connection: Connection, limit: int, before: int | None = None) -> list[Entry]:
    """Up to `limit` rows below the number `before`, newest first."""
    query = f"""
        SELECT {_COLUMNS} FROM audit WHERE %(before)s::bigint IS NULL OR id < %(before)s
        ORDER BY id DESC LIMIT %(limit)s"""
    return [_entry(row) for row in connection.execute(query, {"before": before, "limit": limit})]


def after(connection: Connection, number: int, limit: int) -> list[Entry]:
    """Up to `limit` rows above that number, oldest first."""
    query = f"SELECT {_COLUMNS} FROM audit WHERE id > %s ORDER BY id LIMIT %s"
    return [_entry(row) for row in connection.execute(query, (number, limit))]


def _entry(row: Sequence[Any]) -> Entry:
    number, at, who, origin, peer, what, target, outcome, detail = row
    return Entry(
        number, to_micros(at), Deed(who, Origin(origin), what, target, peer, detail), Outcome(outcome)
    )
