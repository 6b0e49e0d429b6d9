"""`/api/v1/cap`: CAP messages byte for byte, their Atom feed, and the open alerts as GeoJSON.

Promises that a poller who asks with the ETag it got sees every message, and costs one or two short queries
while nothing is new; that how far the feed can see stands in the documents of now and is part of their ETags.
Messages are history: they stay as they were sent, also while nothing can be seen. Restricted ones are for who
may read.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from starlette.responses import Response

from alerts import handling_store, store, wire
from alerts.access import Principal, Scope
from alerts.api.answers import sighted
from alerts.api.conditional import SETTLED, unchanged, validators
from alerts.api.documents import files
from alerts.api.guard import needs
from alerts.api.hub import Hub
from alerts.api.problems import documented
from alerts.cap import feed
from alerts.cap import store as cap_store
from alerts.cap.document import MEDIA_TYPE
from alerts.handling import Story
from alerts.sight import AsOf

ATOM_TYPE = "application/atom+xml; charset=utf-8"
GEOJSON_TYPE = "application/geo+json"
MINE = {"Cache-Control": "private, no-cache"}  # what is seen depends on who asks
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}

Reading = Annotated[Principal, Depends(needs(Scope.READ, public="cap"))]
Page = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="A full page of the archive, oldest first")
]
Identifier = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


def cap_router() -> APIRouter:
    """The three documents."""
    documents = _Documents()
    router = APIRouter(prefix="/api/v1/cap", tags=["cap"])
    for path, name, media_type, document in (
        ("/feed.atom", "followCap", "application/atom+xml", documents.atom),
        ("/alerts.geojson", "mapAlerts", GEOJSON_TYPE, documents.geojson),
        ("/{identifier}.xml", "getCapMessage", MEDIA_TYPE, documents.message),
    ):
        said = files((media_type,), tagged=True) | documented({404: "There is no such document."})
        router.get(path, operation_id=name, responses=said)(document)
    return router


class _Documents:
    """Remembers since when the present sight is told."""

    def __init__(self) -> None:
        self._sight: tuple[str, str] | None = None
        self._sight_since = 0

    def atom(self, request: Request, reader: Reading, page: Page = None) -> Response:
        """CAP messages, newest first: an Atom feed of the newest ones, with links into its archive."""
        hub: Hub = request.app.state.hub
        as_of = hub.as_of
        may = reader.may(Scope.READ)
        with hub.reader.snapshot() as connection:
            head = cap_store.head(connection, restricted=may)
            full = feed.pages(head.number)
            if page is not None and page > full:
                raise HTTPException(404, f"The archive has {full} full pages.")
            sight, since = self._look(as_of, head.now)
            changed = max(head.created_at, since)
            etag = f'"{page}-{int(may)}"' if page else f'"{head.number}-{"-".join(sight)}-{int(may)}"'
            headers = MINE | validators(etag, changed, head.now) | sighted(as_of)
            if unchanged(request.headers, etag, changed):
                return Response(status_code=304, headers=headers)
            stored = cap_store.page(connection, *feed.numbers(page, head.number), restricted=may)
        place = feed.Place(_base(request), page, full)
        updated = max((one.created_at for one in stored), default=0) if page else changed
        return Response(feed.atom(stored, place, sight, updated), headers=headers, media_type=ATOM_TYPE)

    def geojson(self, request: Request, reader: Reading) -> Response:
        """The open alerts of hazards, as they stand now, as features."""
        hub: Hub = request.app.state.hub
        as_of, city = hub.as_of, hub.reader.city
        with hub.reader.snapshot() as connection:
            messages = cap_store.head(connection, restricted=True).number
            told = store.head(connection), messages, city.version, *_sight(as_of)
            unknown = ",".join((*as_of.stations_unknown, "", *as_of.stations_not_monitored))
            etag = f'W/"{hashlib.sha256(repr((told, unknown)).encode()).hexdigest()[:20]}"'
            headers = MINE | validators(etag) | sighted(as_of)
            if unchanged(request.headers, etag):
                return Response(status_code=304, headers=headers)
            opened = [alert.newest for alert in store.open_alerts(connection)]
            ids = [one.event.alert_id for one in opened]
            handled = handling_store.touched(connection, ids)
            identifiers = cap_store.in_force(connection, ids)
        stories = [handled.get(one.event.alert_id, Story(one)) for one in opened]
        body = wire.encode(feed.geojson(stories, identifiers, as_of, city.catalogue))
        return Response(body, headers=headers, media_type=GEOJSON_TYPE)

    def message(self, request: Request, reader: Reading, identifier: Identifier) -> Response:
        """One message as it was sent, byte for byte, with its signature."""
        hub: Hub = request.app.state.hub
        with hub.reader.snapshot() as connection:
            found = cap_store.one(connection, identifier)
        if found is None or not (found.public or reader.may(Scope.READ)):
            raise HTTPException(404, "There is no such message.")
        etag = f'"{identifier}"'
        settled = found.created_at + SETTLED  # it never changes
        headers = FOR_EVER | validators(etag, found.created_at, settled) | sighted(hub.as_of)
        if unchanged(request.headers, etag, found.created_at):
            return Response(status_code=304, headers=headers)
        return Response(found.xml, headers=headers, media_type=MEDIA_TYPE)

    def _look(self, as_of: AsOf, now: int) -> tuple[tuple[str, str], int]:
        """State and reason of the sight, and since when they are told."""
        if (sight := _sight(as_of)) != self._sight:
            self._sight, self._sight_since = sight, now
        return sight, self._sight_since


def _sight(as_of: AsOf) -> tuple[str, str]:
    return as_of.state.value, str(as_of.reason)


def _base(request: Request) -> str:
    """Where these documents are, as the client sees it."""
    return str(request.url_for("atom")).removesuffix("feed.atom")
