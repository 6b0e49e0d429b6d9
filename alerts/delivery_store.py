"""The delivery tables: who serves a receiver, how far it has come, what became of each event.

Promises: one owner per receiver, by a lease that the database's clock measures; outcomes and cursor move in
one transaction, and only for the owner. Every function takes an autocommit connection. Called by delivery.
"""

from __future__ import annotations

from collections.abc import Sequence

from alerts.delivery_plan import Step
from alerts.feed_store import Connection, numbered
from alerts.model import NumberedEvent

LEASE_S = 10.0  # how long a receiver waits for another process after its own was killed


def claim(connection: Connection, receiver: str, owner: str) -> int | None:
    """Take or renew the lease: the number up to which all is settled, or None while another holds it."""
    connection.execute(
        "INSERT INTO delivery (receiver) VALUES (%s) ON CONFLICT (receiver) DO NOTHING", (receiver,)
    )
    row = connection.execute(
        "UPDATE delivery SET owner = %(owner)s,"
        " lease_until = clock_timestamp() + %(lease)s * interval '1 second'"
        " WHERE receiver = %(receiver)s"
        " AND (owner IS NULL OR owner = %(owner)s OR lease_until IS NULL OR lease_until < clock_timestamp())"
        " RETURNING seq",
        {"owner": owner, "lease": LEASE_S, "receiver": receiver},
    ).fetchone()
    return None if row is None else int(row[0])


def release(connection: Connection, receiver: str, owner: str) -> None:
    """Give the lease back, so that the next process need not wait for its end."""
    connection.execute(
        "UPDATE delivery SET owner = NULL, lease_until = NULL WHERE receiver = %s AND owner = %s",
        (receiver, owner),
    )


def record(connection: Connection, receiver: str, owner: str, steps: Sequence[Step]) -> bool:
    """Store what became of `steps` and move the cursor past them; False when the lease is another's."""
    outcomes = [
        (receiver, step.seq, "delivered" if step.notice else "superseded", step.superseded_by)
        for step in steps
        if step.notice or step.superseded_by
    ]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE delivery SET seq = %s, attempts = 0, last_error = NULL, updated_at = clock_timestamp()"
            " WHERE receiver = %s AND owner = %s AND seq < %s",
            (steps[-1].seq, receiver, owner, steps[-1].seq),
        )
        if cursor.rowcount != 1:
            return False
        cursor.executemany(
            "INSERT INTO delivery_outcome (receiver, seq, outcome, superseded_by) VALUES (%s, %s, %s, %s)",
            outcomes,
        )
    return True


def fail(connection: Connection, receiver: str, owner: str, error: str) -> None:
    """Count a failed attempt, for people who ask why nothing arrives."""
    connection.execute(
        "UPDATE delivery SET attempts = attempts + 1, last_error = %s, updated_at = clock_timestamp()"
        " WHERE receiver = %s AND owner = %s",
        (error[:500], receiver, owner),
    )


def told(connection: Connection, receiver: str, alert_ids: Sequence[str]) -> set[str]:
    """Those of the alerts of which the receiver has been delivered an event."""
    rows = connection.execute(
        "SELECT DISTINCT e.alert_id::text FROM alert_event e JOIN delivery_outcome o USING (seq)"
        " WHERE e.alert_id = ANY(%s::uuid[]) AND o.receiver = %s AND o.outcome = 'delivered'",
        (list(alert_ids), receiver),
    ).fetchall()
    return {alert_id for (alert_id,) in rows}


def standing(connection: Connection, seq: int) -> list[NumberedEvent]:
    """The newest event up to `seq` of each (rule, target) that ever had one."""
    rows = connection.execute(
        "SELECT DISTINCT ON (target, rule) seq, created_at, body FROM alert_event WHERE seq <= %s"
        " ORDER BY target, rule, seq DESC",
        (seq,),
    ).fetchall()
    return [numbered(row) for row in rows]
