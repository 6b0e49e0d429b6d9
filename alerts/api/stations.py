"""`/api/v1/stations`, `datastreams`, `latest`: what stands where, what it measures, how it stands now.

Promises: state and freshness are two signs and never look better than what is known; an answer from the
shared look at the city says itself how far that one saw. Called by the HTTP application.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import Field
from starlette.responses import Response

from alerts import feed_store, wire
from alerts.access import Scope
from alerts.api import answers, cursors, documents, models_places
from alerts.api.asking import (
    AskedPage,
    AskedPlaces,
    BoxText,
    HubOf,
    Kinds,
    Properties,
    ReaderOf,
    box,
    position,
    question,
)
from alerts.api.board import View, standing_of
from alerts.api.city import Places, Series
from alerts.api.guard import needs
from alerts.api.models_places import StationState
from alerts.sight import AsOf
from alerts.station_view import (
    describe,
    describe_derived,
    freshness_of,
    observation_json,
    result_rows,
    sensor_json,
    station_json,
)
from alerts.trend import WINDOW_US
from ingest.catalog import Station

MOST = 20_000  # stations or datastreams of a page: more than a city has

Listed = TypeVar("Listed")

router = APIRouter(dependencies=[Depends(needs(Scope.READ))])


class AskedPlacesAndPage(AskedPlaces, AskedPage):
    """Which stations, and how many at once."""

    kind: Kinds = Field([])
    bbox: BoxText | None = Field(None, description="west,south,east,north in degrees")
    limit: int | None = Field(None, ge=1, le=MOST, description="of a page; without it everything is one page")

    def places(self) -> Places:
        return Places(self.station, self.kind, self.river, self.ward, box(self.bbox) if self.bbox else None)


class AskedStations(AskedPlacesAndPage):
    """The parameters of `stations`."""

    property: Properties = Field([])
    state: list[StationState] = Field([], max_length=4, description="states; may be repeated")


class AskedDatastreams(AskedPlacesAndPage):
    """The parameters of `datastreams` and `latest`."""

    property: Properties = Field([])


@router.get(
    "/stations",
    tags=["stations"],
    operation_id="listStations",
    responses=documents.answers(models_places.Stations, paged=True, tagged=True),
)
def stations(request: Request, hub: HubOf, asked: Annotated[AskedStations, Query()]) -> Response:
    """Stations with newest values, level reached, margin, trend, freshness and what is derived.

    `property` keeps stations that measure or derive one of these; what is listed of each is always
    everything. Ages are counted against `as_of.now`. The whole answer is one look at the city, at most a
    second old.
    """
    after = position(asked, str)
    view, as_of = hub.look()
    tag = answers.weak_tag(view.tag, asked)
    if answers.matches(request, tag):
        return answers.unchanged(tag, as_of)
    found = [
        each
        for each in view.city.choose(asked.places())
        if (not asked.property or _told_of(each) & set(asked.property))
        and (not asked.state or view.state(each) in asked.state)
    ]
    shown, more = _cut([(each.id, each) for each in found], after, asked.limit)
    cursor = cursors.write(question(asked), shown[-1][0]) if more else None
    body = {"stations": [view.station(each) for _, each in shown]}
    return _kept(answers.page(request, body, as_of, cursor), tag)


@router.get(
    "/stations/{station_id}",
    tags=["stations"],
    operation_id="getStation",
    responses=documents.answers(models_places.OneStation),
)
def station(reader: ReaderOf, station_id: str) -> Response:
    """One station as it stands, with its sensors."""
    city = reader.city
    found = city.stations.get(station_id)
    if found is None:
        raise HTTPException(404, "No station has this id; /api/v1/stations lists them.")
    measured = [f"{found.id}/{each.name}" for each in found.datastreams]
    derived = [f"{found.id}/{each.name}" for each in found.derived]
    with reader.snapshot() as connection:
        as_of = reader.as_of(connection)
        windows = feed_store.windows(connection, reader.nature, measured, WINDOW_US)
        results = feed_store.newest_results(connection, reader.nature, derived)
        standing = standing_of(connection)
    sensors = {f"{found.id}/{each.name}": sensor_json(each.current()) for each in found.datastreams}
    told = station_json(found, windows, results, standing, as_of)
    return answers.answer(told | {"datum": found.datum, "sensors": sensors}, as_of)


@router.get(
    "/datastreams",
    tags=["stations"],
    operation_id="listDatastreams",
    responses=documents.answers(models_places.Datastreams, paged=True, tagged=True),
)
def datastreams(request: Request, hub: HubOf, asked: Annotated[AskedDatastreams, Query()]) -> Response:
    """What is measured, in which unit, how often, with which levels, and what is derived from it."""
    city, as_of = hub.reader.city, hub.as_of
    after = position(asked, str)
    tag = answers.weak_tag("datastreams", city.version, as_of.state, as_of.reason, asked)
    if answers.matches(request, tag):
        return answers.unchanged(tag, as_of)
    chosen = city.chosen(asked.places(), asked.property)
    shown, more = _cut([(each.key, each) for each in chosen], after, asked.limit)
    cursor = cursors.write(question(asked), shown[-1][0]) if more else None
    body = {"datastreams": [_described(each) for _, each in shown]}
    return _kept(answers.page(request, body, as_of, cursor), tag)


@router.get(
    "/latest",
    tags=["observations"],
    operation_id="listLatest",
    responses=documents.answers(models_places.Latest, paged=True, tagged=True),
)
def latest(request: Request, hub: HubOf, asked: Annotated[AskedDatastreams, Query()]) -> Response:
    """The newest value of each datastream, with its time, age and flag. What never reported is null."""
    after = position(asked, str)
    view, as_of = hub.look()
    tag = answers.weak_tag("latest", view.tag, asked)
    if answers.matches(request, tag):
        return answers.unchanged(tag, as_of)
    chosen = view.city.chosen(asked.places(), asked.property)
    shown, more = _cut([(each.key, each) for each in chosen], after, asked.limit)
    cursor = cursors.write(question(asked), shown[-1][0]) if more else None
    body = {"latest": [_latest(view, each) for _, each in shown]}
    return _kept(answers.page(request, body, as_of, cursor), tag)


def _told_of(station: Station) -> set[str]:
    """The properties that a station measures or derives."""
    return {each.property for each in station.datastreams} | {each.property for each in station.derived}


def _cut(
    listed: Sequence[tuple[str, Listed]], after: str | None, limit: int | None
) -> tuple[Sequence[tuple[str, Listed]], bool]:
    """Those after a name, up to `limit`, and whether there are more; by name where there are pages."""
    if limit is None and after is None:
        return listed, False
    left = sorted((each for each in listed if after is None or each[0] > after), key=lambda each: each[0])
    return left[:limit], limit is not None and len(left) > limit


def _kept(answer: Response, tag: str) -> Response:
    answer.headers.update(answers.tagged(tag))
    return answer


def _described(series: Series) -> wire.Json:
    if series.derived:
        return describe_derived(series.station, series.derived)
    assert series.measured
    return describe(series.station, series.measured)


def _latest(view: View, series: Series) -> wire.Json:
    newest = _newest(view, series, view.as_of)
    return {
        "datastream": series.key,
        "station": series.station.id,
        "property": series.datastream.property,
        "unit": series.datastream.unit,
        "nature": series.station.nature.value,
        "derived": series.derived is not None,
        "time": newest["time"] if newest else None,
        "value": newest["value"] if newest else None,
        "quality": newest["quality"] if newest else None,
        "age_s": newest["age_s"] if newest else None,
        "freshness": freshness_of(series.datastream.cadence, _time(view, series), view.as_of),
    }


def _newest(view: View, series: Series, as_of: AsOf) -> wire.Json | None:
    if series.derived:
        result = view.results.get(series.key)
        return result_rows(series.station, series.derived, [result], as_of)[0] if result else None
    rows = view.windows.get(series.key)
    return observation_json(rows[-1], as_of) if rows else None


def _time(view: View, series: Series) -> int | None:
    if series.derived:
        result = view.results.get(series.key)
        return result.time if result else None
    rows = view.windows.get(series.key)
    return rows[-1].time if rows else None
