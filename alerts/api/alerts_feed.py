"""`/api/v1/alerts` and `/api/v1/events`: what is alerted, what was, and the one sequence that tells it.

Promises: an alert's state reads *unknown* while the feed cannot see; pages are views of the sequence up to
one number and miss nothing that stood there. Read only. Called by the HTTP application.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import Field
from starlette.responses import Response

from alerts import alert_search, handling_store, store, wire
from alerts.access import Scope
from alerts.alert_search import Selection, Spot, Which
from alerts.api import answers, cursors, documents, models_alerts
from alerts.api.asking import (
    AskedPage,
    AskedSpan,
    AskedTold,
    ReaderOf,
    position,
    question,
)
from alerts.api.city import City
from alerts.api.guard import needs
from alerts.api.reader import Connection, Reader
from alerts.handling import Story, stories
from alerts.model import Event, EventKind, NumberedEvent
from alerts.sight import AsOf

OPEN_ALERTS, HISTORY, MOST_ALERTS = 1_000, 100, 1_000
EVENTS, MOST_EVENTS = 100, 500

router = APIRouter(dependencies=[Depends(needs(Scope.READ))])


class AskedSelection(AskedTold, AskedSpan):
    """Which alerts or events, and of when."""

    def selection(self, city: City, kinds: list[EventKind] | None = None) -> Selection:
        places = self.places()
        named = None if places.all else list(self.station)
        if self.river or self.ward:
            named = [station.id for station in city.choose(places)]
        return Selection(
            stations=named,
            rules=self.rule or None,
            severities=[each.value for each in self.severity] or None,
            kinds=kinds and [each.value for each in kinds],
            since=self.since,
            until=self.until,
        )


class AskedAlerts(AskedSelection, AskedPage):
    """The parameters of `alerts`; `since` and `until`: alerts that lasted into that time."""

    state: Which = Field(Which.OPEN, description="how they stand")
    limit: int | None = Field(
        None,
        ge=1,
        le=MOST_ALERTS,
        description=f"alerts of a page, by default {OPEN_ALERTS:,} open ones or {HISTORY} others",
    )


class AskedEvents(AskedSelection):
    """The parameters of `events`; `since` and `until` are of the events' own time."""

    kind: list[EventKind] = Field([], max_length=len(EventKind), description="kinds; may be repeated")
    after: int | None = Field(None, ge=0, le=2**63 - 1, description="the last number that you have")
    limit: int = Field(EVENTS, ge=1, le=MOST_EVENTS, description="events of a page")


Pinned = tuple[cursors.Number, cursors.Number, cursors.Number]  # head, level, seq


@router.get(
    "/alerts",
    tags=["alerts"],
    operation_id="listAlerts",
    responses=documents.answers(models_alerts.Alerts, paged=True, tagged=True),
)
def alerts(request: Request, reader: ReaderOf, asked: Annotated[AskedAlerts, Query()]) -> Response:
    """Open alerts, worst first; with `state` ended ones or all, the one told of last first.

    Pages show how things stood at `head`, the number of the newest event when the first was asked for; go on
    from there with `events?after=` or the stream. Those cancelled as issued in error are listed with `all`.
    """
    pinned = position(asked, Pinned)
    limit = asked.limit or (OPEN_ALERTS if asked.state is Which.OPEN else HISTORY)
    selection = asked.selection(reader.city)
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        head = pinned[0] if pinned else store.head(connection)
        stands = store.head(connection), reader.city.version, as_of.state, as_of.reason
        tag = answers.weak_tag("alerts", head, stands, asked)
        if answers.matches(request, tag):
            return answers.unchanged(tag, as_of)
        spot = Spot(*pinned[1:]) if pinned else None
        newest = alert_search.alerts(connection, head, asked.state, selection, spot, limit + 1)
        shown, more = newest[:limit], newest[limit:]
        told = _told(connection, reader, shown, head, as_of)
    if asked.state is Which.OPEN:
        told = [each for each in told if each["last_known_state"] == "open" and not each["newest"]["shadow"]]
    cursor = None
    if more:
        last = shown[-1]
        cursor = cursors.write(question(asked), (head, last.event.level, last.seq))
    body = {"head": head, "alerts": told}
    answer = answers.page(request, body, as_of, cursor)
    answer.headers.update(answers.tagged(tag))
    return answer


def _told(
    connection: Connection, reader: Reader, newest: list[NumberedEvent], head: int, as_of: AsOf
) -> list[wire.Json]:
    ids = [one.event.alert_id for one in newest]
    handled = handling_store.touched(connection, ids, head)
    conditions = store.conditions_of(connection, ids)
    stood = [handled.get(one.event.alert_id, Story(one)) for one in newest]
    began = alert_search.began(connection, ids)
    return [
        wire.alert_json(story, conditions.get(story.event.alert_id), as_of, reader.catalogue)
        | _lasted(began[story.event.alert_id], story.event)
        for story in stood
    ]


def _lasted(began: int, newest: Event) -> wire.Json:
    """From when to when an alert stood, by the data."""
    return {
        "began_at": wire.stamp(began),
        "ended_at": None if newest.level else wire.stamp(newest.event_time),
    }


@router.get(
    "/alerts/{alert_id}",
    tags=["alerts"],
    operation_id="getAlert",
    responses=documents.answers(models_alerts.AlertStory),
)
def alert(reader: ReaderOf, alert_id: UUID) -> Response:
    """One alert: how it stands, what people have done with it, and every event of it in order."""
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        story = alert_story(connection, reader, str(alert_id), as_of)
    if story is None:
        raise HTTPException(404, "No alert has this id.")
    return answers.answer(story, as_of)


def alert_story(connection: Connection, reader: Reader, alert_id: str, as_of: AsOf) -> wire.Json | None:
    """One alert with every event of it, None when there is none.

    What only late readings told of has no condition: it is for the *record*, with its newest event.
    """
    events = store.alert_events(connection, alert_id)
    if not events:
        return None
    catalogue = reader.catalogue
    story = stories(events).get(alert_id)
    found: wire.Json = {"events": [wire.event_json(each, catalogue) for each in events]}
    found |= _lasted(events[0].event.event_time, events[-1].event if story is None else story.event)
    if story is not None:
        condition = store.conditions_of(connection, [alert_id]).get(alert_id)
        return wire.alert_json(story, condition, as_of, catalogue) | found
    return found | {
        "alert_id": alert_id,
        "state": "record",
        "last_known_state": "record",
        "phase": None,
        "opened_at": None,
        "newest": found["events"][-1],
        "handling": None,
    }


@router.get(
    "/events",
    tags=["events"],
    operation_id="listEvents",
    responses=documents.answers(models_alerts.Events, paged=True),
)
def events(request: Request, reader: ReaderOf, asked: Annotated[AskedEvents, Query()]) -> Response:
    """Told events after a number, in order; without one the newest.

    `head` is the newest number there is, `position` the one to go on from: with filters it lies behind the
    last event of the page when those after it were passed over. Numbers have no holes where nothing is
    filtered.
    """
    selection = asked.selection(reader.city, asked.kind or None)
    with reader.snapshot() as connection:
        head = store.head(connection)
        as_of = reader.as_of(connection)
        if asked.after is None:
            found, more = alert_search.newest_events(connection, selection, asked.limit), False
        else:
            rows = alert_search.events_after(connection, asked.after, selection, asked.limit + 1)
            found, more = rows[: asked.limit], len(rows) > asked.limit
    place = found[-1].seq if more else head
    following = answers.address(request, after=place) if more else None
    told = [wire.event_json(each, reader.catalogue) for each in found]
    body = {"head": head, "position": place, "next": following, "events": told}
    return answers.answer(body, as_of, headers=answers.linked(following))
