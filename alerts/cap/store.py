"""The CAP messages as they were sent, and what the receiver and the feed ask of them.

Promises that a message is never changed, that one event has one message or one fault, however often somebody
tries, and that numbers have no holes. `CapStore` is what the receiver is given: a connection of its own, and
no transaction open between two calls; it raises `Unreachable`. The other functions take a connection. Times
are microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg

from alerts import delivery_store, store
from alerts.api.reader import Unavailable
from alerts.cap.approval import Approved, approval_after
from alerts.cap.message import Issued, Message
from alerts.delivery import Desk
from alerts.feed_store import USABLE, Connection
from alerts.receivers import Unreachable
from ingest.clock import to_datetime, to_micros

P = ParamSpec("P")
T = TypeVar("T")

_ISSUED = "number, alert_id::text, triplet, sent, expires, scope = 'Public', final"
_SETTLED = """
SELECT EXISTS (SELECT FROM cap_message WHERE event_id = %(event)s)
    OR EXISTS (SELECT FROM cap_fault WHERE event_id = %(event)s)
"""
_STANDS = "SELECT EXISTS (SELECT FROM alert_condition WHERE alert_id = %s AND level > 0)"
_APPROVED_AT = """
SELECT max(seq) FROM alert_event WHERE alert_id = %s AND kind = 'approved' AND (%s::int8 IS NULL OR seq <= %s)
"""
_NEWEST_OF_EACH = f"""
SELECT DISTINCT ON (alert_id) {_ISSUED} FROM cap_message
WHERE alert_id = ANY(%s::uuid[]) ORDER BY alert_id, number DESC
"""
_MEASURED = """
SELECT o.time, o.value FROM datastream d JOIN observation_current o ON o.datastream = d.id
WHERE d.key = %s AND d.nature = %s AND o.quality = ANY(%s) ORDER BY o.time DESC LIMIT 1
"""
_DERIVED = """
SELECT o.time, o.value FROM datastream d JOIN derived o ON o.datastream = d.id
WHERE d.key = %s AND d.nature = %s AND o.quality = ANY(%s) ORDER BY o.time DESC LIMIT 1
"""


class NumberTaken(Unreachable):
    """Somebody else has stored a message meanwhile: two processes serve the receiver."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the next message of an alert follows. `settled`: its event has a message or a fault already.
    `stands`: the alert is open now, whatever has been delivered."""

    settled: bool
    stands: bool
    number: int
    earlier: tuple[Issued, ...]
    approved: Approved | None


class CapStore:
    """The messages, for the receiver that makes them; not for two at once."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._desk: Desk | None = None

    async def past(self, alert_id: str, event_id: str, until: int | None) -> Past:
        """What there is before the message of an event; `until`: the number of the event, None for now."""
        return await self._call(past, alert_id, event_id, until)

    async def append(self, message: Message, event_id: str, xml: bytes) -> None:
        """Store a message; `NumberTaken` when its number or its event is another's by now."""
        await self._call(append, message, event_id, xml)

    async def refuse(self, alert_id: str, event_id: str, seq: int, faults: str) -> None:
        """Note that no message could be made of an event."""
        await self._call(refuse, alert_id, event_id, seq, faults)

    async def newest(self, alert_ids: Collection[str]) -> dict[str, Issued]:
        """The newest message of each alert that has one."""
        return await self._call(newest, list(alert_ids))

    async def told(self, receiver: str, alert_ids: Collection[str]) -> set[str]:
        """Those of the alerts of which the receiver was told."""
        return await self._call(delivery_store.told, receiver, list(alert_ids))

    async def reading(self, key: str, nature: str) -> tuple[int, float] | None:
        """Time and value of the newest usable reading or result of a datastream."""
        return await self._call(reading, key, nature)

    def close(self) -> None:
        """Until the next call."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None

    async def _call(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._desk is None:
            self._desk = Desk(self._database_url, "huewatch cap")
        try:
            return await self._desk.call(work, *args, **kwargs)
        except Unavailable as error:
            raise Unreachable(str(error)) from error


def past(connection: Connection, alert_id: str, event_id: str, until: int | None) -> Past:
    """See `CapStore.past`."""
    last = connection.execute("SELECT coalesce(max(number), 0) FROM cap_message").fetchone()
    assert last is not None
    rows = connection.execute(
        f"SELECT {_ISSUED} FROM cap_message WHERE alert_id = %s ORDER BY number", (alert_id,)
    ).fetchall()
    return Past(
        settled=_says(connection, _SETTLED, {"event": event_id}),
        stands=_says(connection, _STANDS, (alert_id,)),
        number=last[0] + 1,
        earlier=tuple(map(_issued, rows)),
        approved=_approved(connection, alert_id, until),
    )


def _says(connection: Connection, question: str, values: Any) -> bool:
    row = connection.execute(question, values).fetchone()
    return row is not None and bool(row[0])


def _approved(connection: Connection, alert_id: str, until: int | None) -> Approved | None:
    row = connection.execute(_APPROVED_AT, (alert_id, until, until)).fetchone()
    if row is None or row[0] is None:
        return None
    events = store.events_of(connection, [alert_id], until)
    return approval_after(each for each in events if each.seq >= row[0])


def append(connection: Connection, message: Message, event_id: str, xml: bytes) -> None:
    """See `CapStore.append`."""
    try:
        connection.execute(
            "INSERT INTO cap_message (number, identifier, triplet, event_id, alert_id, sent, expires, kind,"
            " scope, final, xml) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                message.number,
                message.identifier,
                message.triplet,
                event_id,
                message.incident,
                to_datetime(message.sent),
                to_datetime(message.expires),
                message.kind,
                message.scope,
                message.final,
                xml,
            ),
        )
    except psycopg.errors.UniqueViolation as error:
        raise NumberTaken(f"message {message.number} or one of its event is there already") from error


def refuse(connection: Connection, alert_id: str, event_id: str, seq: int, faults: str) -> None:
    """See `CapStore.refuse`."""
    connection.execute(
        "INSERT INTO cap_fault (event_id, alert_id, seq, faults) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (event_id) DO NOTHING",
        (event_id, alert_id, seq, faults),
    )


def newest(connection: Connection, alert_ids: Sequence[str]) -> dict[str, Issued]:
    """See `CapStore.newest`."""
    rows = connection.execute(_NEWEST_OF_EACH, (list(alert_ids),)).fetchall()
    return {issued.alert_id: issued for issued in map(_issued, rows)}


def reading(connection: Connection, key: str, nature: str) -> tuple[int, float] | None:
    """See `CapStore.reading`."""
    wanted = (key, nature, [int(flag) for flag in USABLE])
    for query in (_MEASURED, _DERIVED):
        row = connection.execute(query, wanted).fetchone()
        if row is not None and row[1] is not None:
            return to_micros(row[0]), float(row[1])
    return None


def _issued(row: Sequence[Any]) -> Issued:
    number, alert_id, triplet, sent, expires, public, final = row
    return Issued(number, alert_id, triplet, to_micros(sent), to_micros(expires), public, final)


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it was sent, and when it was stored."""

    number: int
    identifier: str
    public: bool
    created_at: int
    xml: bytes


_STORED = "number, identifier, scope = 'Public', created_at, xml"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest message that may be seen, 0 before the first; when it was stored, and the present time, both
    by the database's clock."""

    number: int
    created_at: int
    now: int


def head(connection: Connection, *, restricted: bool) -> Head:
    """How far the messages go that may be seen."""
    row = connection.execute(
        "SELECT number, created_at, clock_timestamp() FROM (VALUES (1)) AS one LEFT JOIN LATERAL ("
        " SELECT number, created_at FROM cap_message WHERE scope = 'Public' OR %s"
        " ORDER BY number DESC LIMIT 1) AS newest ON true",
        (restricted,),
    ).fetchone()
    assert row is not None  # there is always one
    number, created_at, now = row
    return Head(number or 0, 0 if created_at is None else to_micros(created_at), to_micros(now))


def page(connection: Connection, first: int, last: int, *, restricted: bool) -> list[Stored]:
    """The messages with these numbers that may be seen, newest first."""
    rows = connection.execute(
        f"SELECT {_STORED} FROM cap_message WHERE number BETWEEN %s AND %s AND (scope = 'Public' OR %s)"
        " ORDER BY number DESC",
        (first, last, restricted),
    ).fetchall()
    return [_stored(row) for row in rows]


def one(connection: Connection, identifier: str) -> Stored | None:
    """The message of that identifier."""
    row = connection.execute(
        f"SELECT {_STORED} FROM cap_message WHERE identifier = %s", (identifier,)
    ).fetchone()
    return None if row is None else _stored(row)


def in_force(connection: Connection, alert_ids: Sequence[str]) -> dict[str, str]:
    """The identifier of the newest message of each alert that has one."""
    rows = connection.execute(
        "SELECT DISTINCT ON (alert_id) alert_id::text, identifier FROM cap_message"
        " WHERE alert_id = ANY(%s::uuid[]) AND NOT final ORDER BY alert_id, number DESC",
        (list(alert_ids),),
    ).fetchall()
    return dict(rows)


def _stored(row: Sequence[Any]) -> Stored:
    number, identifier, public, created_at, xml = row
    return Stored(number, identifier, public, to_micros(created_at), bytes(xml))
