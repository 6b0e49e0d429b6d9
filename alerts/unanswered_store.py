"""The ladder on the database: each step appended exactly once, however many feeds look and however often.

A look takes its turn with all others before it appends, and decides again on what stands then. Between looks
only the alerts that call are kept, and only events that came since are read. Called by the feed's
housekeeping; times are microseconds, of the database's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alerts import silence_store, store
from alerts.handling import Story, stories
from alerts.handling_store import append, turn
from alerts.model import NumberedEvent
from alerts.receivers.book import Escalation
from alerts.store import Connection
from alerts.suppression import as_severe_as
from alerts.unanswered import Call, call_of, is_spoken_for, quiet_until, step
from ingest.store import maintenance

_TOUCHED = """
SELECT DISTINCT alert_id::text FROM alert_event
WHERE seq > %s AND seq <= %s AND (severity = ANY(%s) OR alert_id = ANY(%s::uuid[]))
"""
_BESIDE = """
SELECT alert_id::text FROM standing_condition WHERE level > 0 AND split_part(target, '/', 1) = %s
"""


class Ladder:
    """The alerts that call, as far as this process has read."""

    def __init__(self) -> None:
        self._escalation: Escalation | None = None
        self._seen: int | None = None
        self._calls: dict[str, Call] = {}

    def climb(self, connection: Connection, escalation: Escalation, now: int) -> int:
        """Take every step that is due; how many were taken by this process."""
        self._follow(connection, escalation)
        due = [alert_id for alert_id in self._calls if self._is_due(connection, self._calls[alert_id], now)]
        return sum(self._take(connection, alert_id, now) for alert_id in due)

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

    def _is_due(self, connection: Connection, call: Call, now: int) -> bool:
        """Whether the next step is due, by what covers the alert and who speaks for it now."""
        assert self._escalation is not None  # it has been followed
        soonest = call.due(self._escalation)
        if soonest is None or soonest > now:
            return False
        windows = maintenance.since(connection, call.called_at)
        silences = silence_store.since(connection, call.called_at)
        due = call.due(self._escalation, quiet_until(call.story, windows, silences))
        if due is None or due > now:
            return False
        return not is_spoken_for(call.story, _beside(connection, call.story), self._escalation)

    def _take(self, connection: Connection, alert_id: str, now: int) -> bool:
        assert self._escalation is not None  # it has been followed
        with turn(connection) as cursor:
            call = call_of(store.alert_events(connection, alert_id), self._escalation)
            if call is None or not self._is_due(connection, call, now):
                return False
            append(cursor, call.story, step(call, self._escalation, now))
        return True


def _beside(connection: Connection, story: Story) -> Iterable[Story]:
    """What is open at the alert's station."""
    rows = connection.execute(_BESIDE, (story.event.station,)).fetchall()
    return stories(store.events_of(connection, [alert_id for (alert_id,) in rows])).values()


def _by_alert(events: Sequence[NumberedEvent]) -> dict[str, list[NumberedEvent]]:
    found: dict[str, list[NumberedEvent]] = {}
    for each in events:
        found.setdefault(each.event.alert_id, []).append(each)
    return found
