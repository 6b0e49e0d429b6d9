"""The delivery tables: who serves a receiver, how far it has come, what became of each event.

Promises: one owner per receiver, by a lease that the database's clock measures; outcomes and cursor move in
one transaction, and only for the owner. Every function takes an autocommit connection. Called by delivery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alerts import silence_store
from alerts.delivery_plan import Pair, Past, Step
from alerts.feed_store import Connection, numbered
from alerts.handling import Story, stories
from alerts.handling_store import touched
from alerts.model import Event, EventKind, NumberedEvent
from alerts.receivers.wants import Wishes
from alerts.reminder_rounds import is_plain_reminder
from alerts.store import CONDITION_TELLS, events_of
from alerts.suppression import Cause, Limits, Suppression, Turns
from ingest.clock import MICROS_PER_SECOND, to_datetime, to_micros
from ingest.store import maintenance

CROWD = 5_000  # events before the cursor in which the openings of a storm and reminders are looked for
REMINDERS_S = 6 * 3600.0  # the longest that a shipped rule waits before it reminds
BEGIN = "1 hour"  # what a receiver is told that is new: a start, and a change of its settings, lie within it
# Who was told, or was tried to be told.
_TOLD = "(o.outcome IN ('delivered', 'failed') OR o.cause = 'storm')"
_CALLS = "(e.kind = 'unanswered' AND (e.body->'told_to') ?| ARRAY[%(receiver)s, '*'])"

PASSED_OVER = "passed_over"
TURNS = 100  # events of a (rule, target) that are looked back on: who has more flaps all the while
LONGEST_ERROR = 500  # characters
LEASE_S = 10.0  # how long a receiver waits for another process after its own was killed


def claim(connection: Connection, receiver: str, owner: str) -> int | None:
    """Take or renew the lease: the number up to which all is settled, or None while another holds it.

    A receiver that is new begins with the events of the last hour.
    """
    connection.execute(
        "INSERT INTO delivery (receiver, seq) SELECT %(receiver)s, (SELECT coalesce(max(seq), 0)"
        f"  FROM alert_event WHERE created_at < clock_timestamp() - interval '{BEGIN}')"
        " WHERE NOT EXISTS (SELECT FROM delivery WHERE receiver = %(receiver)s)"
        " ON CONFLICT (receiver) DO NOTHING",
        {"receiver": receiver},
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
        "UPDATE delivery SET owner = NULL, lease_until = NULL, connected_at = NULL"
        " WHERE receiver = %s AND owner = %s",
        (receiver, owner),
    )


def record(connection: Connection, receiver: str, owner: str, steps: Sequence[Step]) -> bool:
    """Store what became of `steps` and move the cursor past them; False when the lease is another's."""
    outcomes = [(receiver, step.seq, *_outcome(step)) for step in steps if _outcome(step)[0] != PASSED_OVER]
    sent = [step for step in steps if step.notice]
    taken = [step for step in sent if not step.failed]
    values = {
        "seq": steps[-1].seq,
        "receiver": receiver,
        "owner": owner,
        "sent": bool(sent),
        "taken": bool(taken),
        "proven": any(_proves(step) for step in taken),
        "trouble": (sent[-1].error or None) if sent else None,
    }
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_ADVANCE, values)
        if cursor.rowcount != 1:
            return False
        cursor.executemany(_UPSERT, outcomes)
    return True


_ADVANCE = """
UPDATE delivery SET seq = %(seq)s, attempts = 0, last_error = NULL, updated_at = clock_timestamp(),
    trouble = CASE WHEN %(sent)s THEN %(trouble)s ELSE trouble END,
    succeeded_at = CASE WHEN %(taken)s THEN clock_timestamp() ELSE succeeded_at END,
    proven_at = CASE WHEN %(proven)s THEN clock_timestamp() ELSE proven_at END
WHERE receiver = %(receiver)s AND owner = %(owner)s AND seq < %(seq)s
"""
_UPSERT = """
INSERT INTO delivery_outcome (receiver, seq, outcome, superseded_by, cause, reference, error)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (receiver, seq) DO UPDATE SET outcome = excluded.outcome,
    superseded_by = excluded.superseded_by, cause = excluded.cause, reference = excluded.reference,
    error = excluded.error, at = clock_timestamp()
"""


def _proves(step: Step) -> bool:
    return step.notice is not None and step.notice.numbered.event.kind is EventKind.TESTED and not step.error


def outcome(step: Step) -> str:
    """What became of an event, in a word."""
    return _outcome(step)[0]


def _outcome(step: Step) -> tuple[str, int | None, str | None, str | None, str | None]:
    if step.notice:
        return "failed" if step.failed else "delivered", None, None, None, step.error or None
    if step.suppressed:
        return "suppressed", None, step.suppressed.cause.value, step.suppressed.reference, None
    return "superseded" if step.superseded_by else PASSED_OVER, step.superseded_by, None, None, None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event at one receiver, and when (microseconds)."""

    receiver: str
    seq: int
    outcome: str
    superseded_by: int | None
    suppressed: Suppression | None
    at: int
    error: str | None  # why some or all of those behind the receiver did not take it


_OUTCOME = "o.receiver, o.seq, o.outcome, o.superseded_by, o.cause, o.reference, o.at, o.error"


def outcomes(connection: Connection, seqs: Sequence[int]) -> list[Outcome]:
    """What became of these events at every receiver, by number and receiver."""
    rows = connection.execute(
        f"SELECT {_OUTCOME} FROM delivery_outcome o WHERE o.seq = ANY(%s) ORDER BY o.seq, o.receiver",
        (list(seqs),),
    ).fetchall()
    return [_read(row) for row in rows]


def suppressed_since(connection: Connection, since: int, limit: int) -> list[tuple[Outcome, NumberedEvent]]:
    """The newest `limit` notices kept back since then (microseconds), newest first."""
    rows = connection.execute(
        f"SELECT {_OUTCOME}, e.seq, e.created_at, e.body"
        " FROM delivery_outcome o JOIN alert_event e USING (seq)"
        " WHERE o.outcome = 'suppressed' AND o.at >= %s ORDER BY o.at DESC, o.seq DESC LIMIT %s",
        (to_datetime(since), limit),
    ).fetchall()
    return [(_read(row[:8]), numbered(row[8:])) for row in rows]


def _read(row: Sequence[Any]) -> Outcome:
    receiver, seq, word, superseded_by, cause, reference, at, error = row
    why = None if cause is None else Suppression(Cause(cause), reference)
    return Outcome(receiver, seq, word, superseded_by, why, to_micros(at), error)


def fail(connection: Connection, receiver: str, owner: str, error: str) -> None:
    """Count a failed attempt, for people who ask why nothing arrives."""
    connection.execute(
        "UPDATE delivery SET attempts = attempts + 1, last_error = %s, updated_at = clock_timestamp(),"
        " connected_at = NULL WHERE receiver = %s AND owner = %s",
        (error[:LONGEST_ERROR], receiver, owner),
    )


def stopped(connection: Connection, receiver: str, owner: str, reason: str) -> None:
    """Note that nothing is sent to a receiver any more, and why."""
    fail(connection, receiver, owner, reason)
    connection.execute(
        "UPDATE delivery SET trouble = %s WHERE receiver = %s AND owner = %s",
        (reason[:LONGEST_ERROR], receiver, owner),
    )


def connected(connection: Connection, receiver: str, owner: str) -> None:
    """Note that a way to the receiver is open."""
    connection.execute(
        "UPDATE delivery SET connected_at = clock_timestamp() WHERE receiver = %s AND owner = %s",
        (receiver, owner),
    )


def move(connection: Connection, receiver: str, seq: int) -> tuple[int, int] | None:
    """Put a receiver's cursor at `seq`, or at the newest event; where it was and is, None if it has none.

    Whoever serves it loses the lease, so that nothing on its way is recorded over the new place.
    """
    row = connection.execute(
        "UPDATE delivery d SET seq = least(%s, (SELECT seq FROM event_head)), owner = NULL,"
        " lease_until = NULL FROM (SELECT receiver, seq FROM delivery WHERE receiver = %s FOR UPDATE) before"
        " WHERE d.receiver = before.receiver RETURNING before.seq, d.seq",
        (seq, receiver),
    ).fetchone()
    return None if row is None else (int(row[0]), int(row[1]))


def told(connection: Connection, receiver: str, alert_ids: Sequence[str]) -> set[str]:
    """Those of the alerts of which the receiver has been told, if only by a storm's digest."""
    return _alerts(connection, receiver, alert_ids, f"{_TOLD} AND ({CONDITION_TELLS} OR {_CALLS})")


def _followed(connection: Connection, receiver: str, alert_ids: Sequence[str]) -> set[str]:
    """Those of the alerts of which the receiver's filter has let an event pass."""
    return _alerts(connection, receiver, alert_ids, CONDITION_TELLS)


def _alerts(connection: Connection, receiver: str, alert_ids: Sequence[str], where: str) -> set[str]:
    rows = connection.execute(
        "SELECT DISTINCT e.alert_id::text FROM alert_event e JOIN delivery_outcome o USING (seq)"
        f" WHERE e.alert_id = ANY(%(alerts)s::uuid[]) AND o.receiver = %(receiver)s AND {where}",
        {"alerts": list(alert_ids), "receiver": receiver},
    ).fetchall()
    return {alert_id for (alert_id,) in rows}


def _called(connection: Connection, receiver: str, cursor: int, alert_ids: Sequence[str]) -> set[str]:
    """Those of the alerts that have come to the receiver unanswered."""
    rows = connection.execute(
        "SELECT DISTINCT e.alert_id::text FROM alert_event e"
        f" WHERE e.alert_id = ANY(%(alerts)s::uuid[]) AND e.seq <= %(cursor)s AND {_CALLS}",
        {"alerts": list(alert_ids), "receiver": receiver, "cursor": cursor},
    ).fetchall()
    return {alert_id for (alert_id,) in rows}


def past(
    connection: Connection, wishes: Wishes, cursor: int, pending: Sequence[NumberedEvent], limits: Limits
) -> Past:
    """What `plan` must know of the time up to the number `cursor`."""
    receiver = wishes.name
    events = [each.event for each in pending]
    reminders = _reminders(connection, wishes, cursor, events)
    waiting = {each.event.alert_id for each, was_told in reminders if not was_told}
    alert_ids = list({event.alert_id for event in events})
    pairs = list({(event.rule, event.target) for event in events})
    around = _open_alerts(connection, list({event.station for event in events}))
    near = list({*alert_ids, *around})
    told_of = events_of(connection, list({*near, *waiting}), cursor)
    oldest = min(each.created_at for each in pending)
    return Past(
        stories=stories(told_of),
        hushed=_hushed(connection, receiver, alert_ids),
        turns=_turns(connection, cursor, pairs),
        crowd=_crowd(connection, receiver, min(event.detected_at for event in events), limits),
        windows=maintenance.since(connection, oldest),
        silences=silence_store.since(connection, oldest),
        followed=_followed(connection, receiver, near),
        called=_called(connection, receiver, cursor, near),
        reminders=reminders,
    )


def _open_alerts(connection: Connection, stations: list[str]) -> list[str]:
    """The alerts that are open at these stations; one that has just ended is among the waiting ones."""
    rows = connection.execute(
        "SELECT alert_id::text FROM alert_condition WHERE level > 0 AND split_part(target, '/', 1) = ANY(%s)",
        (stations,),
    ).fetchall()
    return [alert_id for (alert_id,) in rows]


def _hushed(connection: Connection, receiver: str, alert_ids: list[str]) -> dict[str, Suppression]:
    """What has kept back the newest event of each alert that was kept back."""
    rows = connection.execute(
        "SELECT DISTINCT ON (e.alert_id) e.alert_id::text, o.cause, o.reference"
        " FROM alert_event e JOIN delivery_outcome o USING (seq)"
        " WHERE e.alert_id = ANY(%s::uuid[]) AND o.receiver = %s AND o.outcome = 'suppressed'"
        " ORDER BY e.alert_id, e.seq DESC",
        (alert_ids, receiver),
    ).fetchall()
    return {alert_id: Suppression(Cause(cause), reference) for alert_id, cause, reference in rows}


def _turns(connection: Connection, cursor: int, pairs: list[Pair]) -> dict[Pair, Turns]:
    """How each (rule, target) has opened and closed last."""
    rows = connection.execute(
        "SELECT e.rule, e.target, e.detected_at, e.level > 0 FROM unnest(%s::text[], %s::text[])"
        " AS p(rule, target) CROSS JOIN LATERAL (SELECT * FROM alert_event e WHERE target = p.target"
        f"  AND rule = p.rule AND seq <= %s AND {CONDITION_TELLS} AND kind <> 'reminded'"
        "  ORDER BY seq DESC LIMIT %s) e ORDER BY e.seq",
        ([rule for rule, _ in pairs], [target for _, target in pairs], cursor, TURNS),
    ).fetchall()
    found: dict[Pair, Turns] = {}
    for rule, target, at, opened in rows:
        found[rule, target] = found.get((rule, target), Turns()).after(to_micros(at), opened)
    return found


def _crowd(connection: Connection, receiver: str, until: int, limits: Limits) -> dict[Pair, int]:
    """When the receiver was told of the openings that a storm may be made of, by (rule, target)."""
    since = until - round(limits.storm_window_s * MICROS_PER_SECOND)
    rows = connection.execute(
        "SELECT e.rule, e.target, max(e.detected_at) FROM alert_event e JOIN delivery_outcome o USING (seq)"
        f" WHERE e.seq > (SELECT seq FROM delivery WHERE receiver = %s) - %s AND o.receiver = %s AND {_TOLD}"
        " AND e.kind = 'raised' AND e.detected_at > %s GROUP BY 1, 2",
        (receiver, CROWD, receiver, to_datetime(since)),
    ).fetchall()
    return {(rule, target): to_micros(at) for rule, target, at in rows}


def _reminders(
    connection: Connection, wishes: Wishes, cursor: int, events: Sequence[Event]
) -> list[tuple[NumberedEvent, bool]]:
    """The newest plain reminders of who gets them together: each told, or waiting for the next."""
    if wishes.digest_s is None or not any(is_plain_reminder(event) for event in events):
        return []
    span = round((REMINDERS_S + wishes.digest_s) * MICROS_PER_SECOND)
    rows = connection.execute(
        "SELECT e.seq, e.created_at, e.body, o.outcome <> 'suppressed'"
        " FROM alert_event e JOIN delivery_outcome o USING (seq)"
        " WHERE e.seq > %(cursor)s - %(most)s AND e.seq <= %(cursor)s AND o.receiver = %(receiver)s"
        " AND e.kind = 'reminded' AND (o.outcome IN ('delivered', 'failed') OR o.cause = 'digest')"
        " AND e.detected_at > %(since)s ORDER BY e.seq",
        {
            "cursor": cursor,
            "most": CROWD,
            "receiver": wishes.name,
            "since": to_datetime(min(event.detected_at for event in events) - span),
        },
    ).fetchall()
    found = [(numbered(row[:3]), bool(row[3])) for row in rows]
    return [(each, was_told) for each, was_told in found if is_plain_reminder(each.event)]


def standing(connection: Connection, seq: int) -> list[Story]:
    """How the newest alert of each (rule, target) that ever had one stands after the event `seq`."""
    rows = connection.execute(
        "SELECT DISTINCT ON (e.target, e.rule) e.seq, e.created_at, e.body FROM alert_event e"
        f" WHERE e.seq <= %s AND {CONDITION_TELLS} ORDER BY e.target, e.rule, e.seq DESC",
        (seq,),
    ).fetchall()
    newest = [numbered(row) for row in rows]
    handled = touched(connection, [one.event.alert_id for one in newest], seq)
    return [handled.get(one.event.alert_id, Story(one)) for one in newest]
