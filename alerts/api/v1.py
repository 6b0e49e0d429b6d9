"""`/api/v1`: stations, datastreams, observations, alerts, events, ledger and gaps as JSON.

Promises: one answer is one view of the database, and says in `as_of` how far it can see; while nothing can be
claimed every state reads *unknown*. Read only. Endpoints are plain functions, run in worker threads.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import Response

from alerts import feed_store, handling_store, store, wire
from alerts.access import Scope
from alerts.api.guard import REFUSALS, needs
from alerts.api.hub import Hub
from alerts.api.reader import Connection, Reader
from alerts.feed_store import Wanted
from alerts.handling import Story, stories
from alerts.station_view import (
    Standing,
    appraised_json,
    describe,
    describe_derived,
    result_rows,
    station_json,
)
from alerts.trend import WINDOW_US
from ingest.store import maintenance, read

OBSERVATIONS = 5_000  # 17 days of a 5-minute series in one answer
EVENTS = 500
HISTORY = 500

router = APIRouter(prefix="/api/v1", dependencies=[Depends(needs(Scope.READ))], responses=REFUSALS)


def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


def _reader(request: Request) -> Reader:
    return _hub(request).reader


def moment(name: str, text: str | None) -> int | None:
    """A query's time as microseconds; 422 when it is no RFC 3339 time with an offset."""
    try:
        return None if text is None else wire.parse_stamp(text)
    except ValueError as error:
        raise HTTPException(422, f"{name}: write 2025-10-27T07:00:00+07:00 or ...Z ({error})") from error


HubOf = Annotated[Hub, Depends(_hub)]
ReaderOf = Annotated[Reader, Depends(_reader)]
Since = Annotated[str | None, Query(description="RFC 3339 with offset, included")]
Until = Annotated[str | None, Query(description="RFC 3339 with offset, excluded")]


def _answer(data: wire.Json) -> Response:
    return Response(wire.encode(data), media_type="application/json")


@router.get("/status")
async def status(hub: HubOf) -> Response:
    """How far the feed can see. Answers also while the database is away."""
    return _answer(hub.status())


@router.get("/stations")
def stations(reader: ReaderOf) -> Response:
    """Every station with newest values, level reached, margin, trend, freshness and what is derived."""
    catalogue = reader.catalogue  # one and the same for the whole answer, though a reload may come
    with reader.snapshot() as connection:
        windows = feed_store.windows(connection, reader.nature, catalogue, WINDOW_US)
        results = feed_store.newest_results(connection, reader.nature, catalogue)
        as_of = reader.as_of(connection, {key: rows[-1].time for key, rows in windows.items()})
        standing = _standing(connection)
    found = [station_json(station, windows, results, standing, as_of) for station in catalogue.stations]
    return _answer({"as_of": wire.as_of_json(as_of), "stations": found})


def _standing(connection: Connection) -> Standing:
    """The open alerts, with what people have done, and who works on which sensors."""
    opened = [alert.newest for alert in store.open_alerts(connection)]
    handled = handling_store.touched(connection, [one.event.alert_id for one in opened])
    told = [handled.get(one.event.alert_id, Story(one)) for one in opened]
    return Standing.of(told, maintenance.standing(connection))


@router.get("/datastreams")
def datastreams(hub: HubOf) -> Response:
    """Every datastream of the catalogue, the measured ones first."""
    catalogue = hub.reader.catalogue
    found = [describe(station, datastream) for _, station, datastream in catalogue.datastreams()]
    found += [describe_derived(station, derived) for _, station, derived in catalogue.derived()]
    return _answer({"as_of": wire.as_of_json(hub.as_of), "datastreams": found})


@router.get("/datastreams/{key:path}/observations")
def observations(
    reader: ReaderOf,
    key: str,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, Query(ge=1, le=OBSERVATIONS)] = 1_000,
) -> Response:
    """The newest `limit` observations of a datastream with since <= time < until, oldest first.

    Of a derived datastream: its results; a value of null is unknown.
    """
    derived = {known: (station, one) for known, station, one in reader.catalogue.derived()}.get(key)
    if derived is None and not any(known == key for known, _, _ in reader.catalogue.datastreams()):
        raise HTTPException(404, f"No datastream {key!r}; /api/v1/datastreams lists them.")
    wanted = Wanted(key, reader.nature, moment("since", since), moment("until", until), limit)
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        if derived is None:
            rows = feed_store.observations_of(connection, wanted)
            found = [appraised_json(row, as_of) for row in rows]
        else:
            found = result_rows(*derived, feed_store.results_of(connection, wanted), as_of)
    return _answer({"as_of": wire.as_of_json(as_of), "datastream": key, "observations": found})


@router.get("/alerts")
def alerts(
    reader: ReaderOf,
    state: Literal["open", "all"] = "open",
    limit: Annotated[int, Query(ge=1, le=HISTORY)] = 100,
) -> Response:
    """Open alerts, worst first; with `state=all` ended and cancelled ones too, the one told of last first."""
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        opened = {alert.condition.alert_id: alert for alert in store.open_alerts(connection)}
        head = store.head(connection)
        if state == "open":
            newest = [alert.newest for alert in opened.values()]
        else:
            newest = feed_store.newest_of_alerts(connection, limit)
        handled = handling_store.touched(connection, [one.event.alert_id for one in newest])
    found = []
    for one in newest:
        story = handled.get(one.event.alert_id, Story(one))
        if state == "all" or not (story.hidden or story.event.shadow):
            alert = opened.get(story.event.alert_id)
            condition = alert.condition if alert else None
            found.append(wire.alert_json(story, condition, as_of, reader.catalogue))
    return _answer({"as_of": wire.as_of_json(as_of), "head": head, "alerts": found})


@router.get("/alerts/{alert_id}")
def alert(reader: ReaderOf, alert_id: UUID) -> Response:
    """Every event of one alert, in order, and what people have done with it."""
    with reader.snapshot() as connection:
        events = store.alert_events(connection, str(alert_id))
        as_of = reader.as_of(connection)
    if not events:
        raise HTTPException(404, "No alert has this id.")
    found = [wire.event_json(each, reader.catalogue) for each in events]
    story = stories(events).get(str(alert_id))
    handling = wire.handling_json(story) if story else None
    told = {"alert_id": str(alert_id), "handling": handling, "events": found}
    return _answer({"as_of": wire.as_of_json(as_of)} | told)


@router.get("/events")
def events(
    reader: ReaderOf,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="the last number you have")] = None,
    limit: Annotated[int, Query(ge=1, le=EVENTS)] = 100,
) -> Response:
    """Told events after a number, in order; without one the newest. `head` is the newest number there is."""
    with reader.snapshot() as connection:
        head = store.head(connection)
        if after is None:
            found = store.newest_events(connection, limit)[::-1]
        else:
            found = store.events_since(connection, after, limit)
        as_of = reader.as_of(connection)
    told = [wire.event_json(each, reader.catalogue) for each in found]
    return _answer({"as_of": wire.as_of_json(as_of), "head": head, "events": told})


@router.get("/ledger")
def ledger(reader: ReaderOf, since: Since = None) -> Response:
    """The conservation sums: what became of every message and reading, per gateway."""
    start = moment("since", since)
    with reader.snapshot() as connection:
        _, sums = read.ledger_sums(connection, start)
        as_of = reader.as_of(connection)
    return _answer({"as_of": wire.as_of_json(as_of), "gateways": [asdict(row) for row in sums]})


@router.get("/gaps")
def gaps(reader: ReaderOf, limit: Annotated[int, Query(ge=1, le=HISTORY)] = 100) -> Response:
    """Times in which readings may have been lost, because the broker had forgotten our session."""
    with reader.snapshot() as connection:
        found = [asdict(gap) for gap in read.gaps(connection, limit=limit)]
        as_of = reader.as_of(connection)
    for gap in found:
        gap |= {"started_at": wire.stamp(gap["started_at"]), "ended_at": wire.stamp(gap["ended_at"])}
    return _answer({"as_of": wire.as_of_json(as_of), "gaps": found})
