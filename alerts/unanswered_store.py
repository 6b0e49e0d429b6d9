"""The ladder on the database: each step appended exactly once, however many feeds look and however often.

A look takes its turn with all others before it appends, and decides again on what stands then. Between looks
only the alerts that call are kept, and only events that came since are read. Called by the feed's
housekeeping; times are microseconds, of the database's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from alerts import silence_store, store
from alerts.handling import Story, stories
from alerts.handling_store import append_all, turn
from alerts.model import NumberedEvent
from alerts.receivers.book import Escalation
from alerts.store import Connection
from alerts.suppression import as_severe_as
from alerts.unanswered import Call, call_of, is_spoken_for, quiet_until, step
from ingest.store import maintenance

MOST = 100  # steps in one transaction: the engine waits for it, and whoever waits has waited for minutes
_TOUCHED = """
SELECT DISTINCT alert_id::text FROM alert_event
WHERE seq > %s AND seq <= %s AND (severity = ANY(%s) OR alert_id = ANY(%s::uuid[]))
"""
_BESIDE = """
SELECT alert_id::text FROM standing_condition WHERE level > 0 AND split_part(target, '/', 1) = ANY(%s)
"""


class Ladder:
    """The alerts that call, as far as this process has read."""

    def __init__(self) -> None:
        self._escalation: Escalation | None = None
        self._seen: int | None = None
        self._calls: dict[str, Call] = {}

    def climb(self, connection: Connection, escalation: Escalation, now: int) -> int:
        """Take the steps that are due, `MOST` at once; how many were taken by this process."""
        self._follow(connection, escalation)
        due = _due(connection, self._calls, escalation, now)[:MOST]
        return _take(connection, due, escalation, now) if due else 0

    def _follow(self, connection: Connection, escalation: Escalation) -> None:
        """Read what has come since; everything anew where the ladder or the sequence is another."""
        head, severe = store.head(connection), as_severe_as(escalation.severity)
        if self._seen is None or head < self._seen or escalation != self._escalation:
            opened = [alert.newest.event for alert in store.open_alerts(connection)]
            touched = [event.alert_id for event in opened if event.severity in severe]
            self._calls, self._escalation = {}, escalation
        else:
            values = (self._seen, head, severe, list(self._calls))
            touched = (
                [alert_id for (alert_id,) in connection.execute(_TOUCHED, values)]
                if head > self._seen
                else []
            )
        for alert_id, events in _by_alert(store.events_of(connection, touched, head)).items():
            self._keep(alert_id, call_of(events, escalation))
        self._seen = head

    def _keep(self, alert_id: str, call: Call | None) -> None:
        if call is None:
            self._calls.pop(alert_id, None)
        else:
            self._calls[alert_id] = call


def _take(connection: Connection, alert_ids: list[str], escalation: Escalation, now: int) -> int:
    """The next step of each of these that is due still, now that nobody else can take it."""
    with turn(connection) as cursor:
        found = _by_alert(store.events_of(connection, alert_ids))
        folded = {alert_id: call_of(events, escalation) for alert_id, events in found.items()}
        calls = {alert_id: call for alert_id, call in folded.items() if call is not None}
        due = [calls[alert_id] for alert_id in _due(connection, calls, escalation, now)]
        append_all(cursor, [(call.story, step(call, escalation, now)) for call in due])
    return len(due)


def _due(connection: Connection, calls: Mapping[str, Call], escalation: Escalation, now: int) -> list[str]:
    """Those whose next step is due, by what covers each and who speaks for it; longest waiting first."""
    soon = {alert_id: call for alert_id, call in calls.items() if _has_come(call.due(escalation), now)}
    if not soon:
        return []  # as at most looks
    since = min(call.called_at for call in soon.values())
    windows, silences = maintenance.since(connection, since), silence_store.since(connection, since)
    due = {
        alert_id: call
        for alert_id, call in soon.items()
        if _has_come(call.due(escalation, quiet_until(call.story, windows, silences)), now)
    }
    around = _around(connection, {call.story.event.station for call in due.values()})
    return [
        alert_id
        for alert_id, call in sorted(due.items(), key=lambda item: item[1].called_at)
        if not is_spoken_for(call.story, around.get(call.story.event.station, ()), escalation)
    ]


def _has_come(due: int | None, now: int) -> bool:
    return due is not None and due <= now


def _around(connection: Connection, stations: Iterable[str]) -> dict[str, list[Story]]:
    """What is open at each of these stations."""
    rows = connection.execute(_BESIDE, (list(stations),)).fetchall()
    found: dict[str, list[Story]] = {}
    for story in stories(store.events_of(connection, [alert_id for (alert_id,) in rows])).values():
        found.setdefault(story.event.station, []).append(story)
    return found


def _by_alert(events: Sequence[NumberedEvent]) -> dict[str, list[NumberedEvent]]:
    found: dict[str, list[NumberedEvent]] = {}
    for each in events:
        found.setdefault(each.event.alert_id, []).append(each)
    return found
