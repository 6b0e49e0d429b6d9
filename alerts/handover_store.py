"""Handovers in the database: what a shift must know, and who took over from whom.

Promises: `read` is one view where its transaction is one; an acceptance is one immutable row, refused where
something severe has come since the report that was read, and takes the leaver's alerts from him in the same
transaction. Times are microseconds. Called by the feed and by the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alerts import feed_store, handling_store, silence_store, store
from alerts.handling import Refused, Story, named, released, same_name, worded
from alerts.handover import (
    LOOK_BACK_S,
    SHIFT_S,
    Accepted,
    Due,
    Failing,
    Known,
    Refusals,
    Shift,
    is_height_of_water,
    silent_keys,
)
from alerts.model import NumberedEvent, Severity
from alerts.sight import AsOf, look
from alerts.store import Connection
from alerts.suppression import as_severe_as
from ingest.catalog import Catalogue
from ingest.clock import MICROS_PER_SECOND, to_datetime, to_micros
from ingest.store import maintenance, read
from ingest.store.read import Latest, Observed

MOST_WORDS, MOST_GAPS, MOST_GATEWAYS = 500, 50, 20  # a report that nobody reads hands nothing over
HISTORY = 100
READING_S = 3_600  # a report may have been read for so long before it was accepted: the next one begins there

_EVENT = "e.seq, e.created_at, e.body"
_COLUMNS = "h.id, h.at, h.incoming, h.leaver, h.seq, h.data_until, h.released::text[], h.comment"
_ACCEPT = """
INSERT INTO handover AS h (incoming, leaver, seq, data_until, released, comment)
VALUES (%s, %s, %s, (SELECT max(now_at) FROM writer), %s::uuid[], %s)
"""
_WORDS = f"""
SELECT {_EVENT} FROM alert_event e WHERE e.seq > %s AND e.seq <= %s
    AND (e.kind = 'unanswered' OR e.alert_id = ANY(%s::uuid[]) AND coalesce(e.body->>'comment', '') <> '')
ORDER BY e.seq DESC LIMIT {MOST_WORDS}
"""
_NEWS = f"""
SELECT {_EVENT} FROM alert_event e WHERE e.seq > %s AND e.kind IN ('raised', 'escalated')
    AND e.severity = ANY(%s) AND NOT coalesce((e.body->>'shadow')::boolean, false) ORDER BY e.seq LIMIT %s
"""
_COUNTS = """
SELECT kind, count(*) FROM alert_event WHERE seq > %s AND seq <= %s
    AND NOT coalesce((body->>'shadow')::boolean, false) GROUP BY kind ORDER BY kind
"""
_USABLE = """
SELECT d.key, o.time, o.value, o.quality, o.received_at FROM datastream d
CROSS JOIN LATERAL (SELECT time FROM observation WHERE datastream = d.id ORDER BY time DESC LIMIT 1) n
CROSS JOIN LATERAL (SELECT time, value, quality, received_at FROM observation_current
    WHERE datastream = d.id AND time >= n.time - %(back)s * interval '1 second' AND quality = ANY(%(usable)s)
    ORDER BY time DESC LIMIT 1) o
WHERE d.nature = %(nature)s AND d.key = ANY(%(silent)s)
"""
_HIGHEST = """
SELECT d.key, o.time, o.value, o.quality, o.received_at FROM datastream d
CROSS JOIN LATERAL (SELECT time, value, quality, received_at FROM observation_current
    WHERE datastream = d.id AND time >= %s AND quality = ANY(%s) ORDER BY value DESC, time LIMIT 1) o
WHERE d.nature = %s AND d.key = ANY(%s)
"""
_DUE = """
SELECT d.key, f.origin, f.level, f.mark, f.hours, f.chance, f.passes FROM datastream d
CROSS JOIN LATERAL (SELECT * FROM forecast WHERE datastream = d.id ORDER BY origin DESC LIMIT 1) f
WHERE d.nature = %s AND d.key = ANY(%s) AND f.withheld IS NULL AND f.passes[2] IS NOT NULL ORDER BY d.key
"""
_REFUSALS = """
SELECT gateway, sum(refused)::int8, (array_agg(hour ORDER BY refused DESC, hour))[1], max(refused)::int8
FROM (SELECT gateway, date_trunc('hour', minute) AS hour, sum(rejected + unreadable) AS refused FROM ledger
    WHERE minute >= %s GROUP BY 1, 2) h
WHERE refused > 0 GROUP BY gateway ORDER BY 2 DESC, 1 LIMIT %s
"""
_REASONS = """
SELECT gateway, array_agg(DISTINCT reason ORDER BY reason) FROM quarantine
WHERE last_seen >= %s AND gateway = ANY(%s) GROUP BY gateway
"""
_FAILING = """
SELECT receiver, attempts, coalesce(last_error, ''), greatest(0, (SELECT seq FROM event_head) - seq),
    updated_at
FROM delivery WHERE attempts > 0 ORDER BY receiver
"""


class Outdated(Exception):
    """Something severe has come since the report; `since` are its events, oldest first."""

    def __init__(self, seq: int, since: Sequence[NumberedEvent]) -> None:
        super().__init__(f"something severe has come since the report {seq}; read it again")
        self.since = since


def sight(connection: Connection, catalogue: Catalogue, newest: Mapping[str, Latest]) -> AsOf:
    """How far can be seen, for who has no feed's hub."""
    times = {key: row.time for key, row in newest.items()}
    covered = {key for window in maintenance.standing(connection) for key in window.datastreams}
    return look(feed_store.writers(connection), times, catalogue, covered)


def history(connection: Connection, limit: int = HISTORY) -> list[Accepted]:
    """The newest handovers, newest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM handover h ORDER BY h.id DESC LIMIT %s", (limit,))
    return [_accepted(row) for row in rows]


def accepted_by(connection: Connection, incoming: str, leaver: str, seq: int) -> Accepted | None:
    """The newest acceptance of this report by these two."""
    query = f"SELECT {_COLUMNS} FROM handover h WHERE (incoming, leaver, seq) = (%s, %s, %s) ORDER BY id DESC"
    row = connection.execute(f"{query} LIMIT 1", (incoming, leaver.strip(), seq)).fetchone()
    return None if row is None else _accepted(row)


def known(
    connection: Connection, catalogue: Catalogue, nature: str, as_of: AsOf, newest: Mapping[str, Latest]
) -> Known:
    """All that a report is made from, up to the newest event. `newest`: rows by datastream."""
    head, at = store.head(connection), store.now(connection)
    last = next(iter(history(connection, 1)), None)
    shift = _shift(connection, last, at, as_of)
    opened = store.open_alerts(connection)
    alert_ids = [alert.newest.event.alert_id for alert in opened]
    handled = handling_store.touched(connection, alert_ids)
    rivers = [key for key, station, each in catalogue.datastreams() if is_height_of_water(station, each)]
    return Known(
        head=head,
        at=at,
        last=last,
        shift=shift,
        stories=[handled.get(one.newest.event.alert_id, Story(one.newest)) for one in opened],
        said=_events(connection, _WORDS, (shift.seq, head, alert_ids))[::-1],
        windows=maintenance.standing(connection),
        silences=silence_store.standing(connection),
        silent=_last_words(connection, nature, silent_keys(catalogue, newest, as_of.now), newest),
        highest=_highest(connection, nature, rivers, shift.data),
        due=_due(connection, nature, rivers),
        gaps=read.gaps(connection, shift.data, MOST_GAPS),
        refusals=_refusals(connection, shift.data),
        failing=_failing(connection),
        counts=dict(connection.execute(_COUNTS, (shift.seq, head)).fetchall()),
    )


def accept(connection: Connection, incoming: str, leaver: str, seq: int, comment: str, at: int) -> Accepted:
    """Take over from the leaver, knowing every event up to `seq`; the same once more changes nothing.

    Raises `Refused` where somebody is not named, and `Outdated`.
    """
    incoming, leaver = named(incoming, "who takes over"), named(leaver, "who leaves")
    comment = worded(comment)
    if same_name(incoming, leaver):
        raise Refused("nobody takes over from himself")
    with handling_store.turn(connection) as cursor:
        last = next(iter(history(connection, 1)), None)
        if last and (last.incoming, last.leaver, last.seq) == (incoming, leaver, seq):
            return last
        if seq > store.head(connection):
            raise Refused(f"there is no report {seq} yet")
        if since := _events(connection, _NEWS, (seq, as_severe_as(Severity.SEVERE), MOST_WORDS)):
            raise Outdated(seq, since)
        owned = _owned(connection, leaver)
        values = (incoming, leaver, seq, [story.event.alert_id for story in owned], comment)
        row = cursor.execute(f"{_ACCEPT} RETURNING {_COLUMNS}", values).fetchone()
        assert row is not None  # INSERT ... RETURNING
        handling_store.append_all(cursor, [(story, released(story, incoming, at)) for story in owned])
    return _accepted(row)


def _owned(connection: Connection, leaver: str) -> list[Story]:
    """The open alerts that are the leaver's."""
    opened = [alert.newest.event.alert_id for alert in store.open_alerts(connection)]
    found = handling_store.touched(connection, opened)
    return [story for story in found.values() if same_name(story.handling.assigned_to, leaver)]


def _shift(connection: Connection, last: Accepted | None, at: int, as_of: AsOf) -> Shift:
    """Since the last handover; where there was none, the length of a shift."""
    data_now = at if as_of.now is None else as_of.now
    earliest = data_now - LOOK_BACK_S * MICROS_PER_SECOND
    if last is not None:
        begun = (last.data_until or earliest) - READING_S * MICROS_PER_SECOND
        return Shift(last.seq, last.at, max(earliest, begun))
    begun = at - SHIFT_S * MICROS_PER_SECOND
    query = "SELECT seq FROM alert_event WHERE created_at < %s ORDER BY seq DESC LIMIT 1"
    row = connection.execute(query, (to_datetime(begun),)).fetchone()
    return Shift(0 if row is None else int(row[0]), begun, data_now - SHIFT_S * MICROS_PER_SECOND)


def _events(connection: Connection, query: str, values: tuple[Any, ...]) -> list[NumberedEvent]:
    return [feed_store.numbered(row) for row in connection.execute(query, values)]


def _highest(connection: Connection, nature: str, keys: list[str], since: int) -> dict[str, Observed]:
    values = (to_datetime(since), [int(flag) for flag in feed_store.USABLE], nature, keys)
    return {
        key: Observed(to_micros(time), value, quality, to_micros(received_at))
        for key, time, value, quality, received_at in connection.execute(_HIGHEST, values)
    }


def _last_words(
    connection: Connection, nature: str, silent: list[str], newest: Mapping[str, Latest]
) -> dict[str, list[Observed]]:
    """Of each silent datastream its newest usable row of a week, and its newest."""
    usable = [int(flag) for flag in feed_store.USABLE]
    found: dict[str, list[Observed]] = {key: [] for key in silent}
    values = {"nature": nature, "silent": silent, "back": LOOK_BACK_S, "usable": usable}
    for key, time, value, quality, received_at in connection.execute(_USABLE, values):
        found[key].append(Observed(to_micros(time), value, quality, to_micros(received_at)))
    for key in silent:
        row = newest.get(key)
        if row is not None and [each.time for each in found[key]] != [row.time]:
            found[key].append(Observed(row.time, row.value, row.quality, row.received_at))
    return found


def _due(connection: Connection, nature: str, keys: list[str]) -> list[Due]:
    return [
        Due(key, to_micros(origin), level, mark, tuple(hours), tuple(chance), tuple(passes))
        for key, origin, level, mark, hours, chance, passes in connection.execute(_DUE, (nature, keys))
    ]


def _refusals(connection: Connection, since: int) -> list[Refusals]:
    rows = connection.execute(_REFUSALS, (to_datetime(since), MOST_GATEWAYS)).fetchall()
    gateways = [gateway for gateway, *_ in rows]
    found = connection.execute(_REASONS, (to_datetime(since), gateways)).fetchall()
    reasons: dict[str, list[str]] = dict(found)
    return [
        Refusals(gateway, refused, to_micros(hour), peak, tuple(reasons.get(gateway, ())))
        for gateway, refused, hour, peak in rows
    ]


def _failing(connection: Connection) -> list[Failing]:
    return [
        Failing(receiver, attempts, error, behind, to_micros(since))
        for receiver, attempts, error, behind, since in connection.execute(_FAILING)
    ]


def _accepted(row: Sequence[Any]) -> Accepted:
    number, at, incoming, leaver, seq, data_until, alerts, comment = row
    until = None if data_until is None else to_micros(data_until)
    return Accepted(number, to_micros(at), incoming, leaver, seq, until, tuple(alerts), comment)
