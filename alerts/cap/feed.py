"""The CAP messages as an Atom feed (RFC 4287, archived after RFC 5005), and the open alerts as GeoJSON. Pure.

Promises one entry for one message, newest first, with the CAP elements that aggregators look for; that the
newest document and the GeoJSON say how far we can see; and that nothing is left out: what the newest document
no longer has is in the archive that it links to. A page of the archive is full and never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lxml import etree

from alerts.cap.document import MEDIA_TYPE, NAMESPACE, Element, children, pairs, read, text, texts
from alerts.cap.hazard import hazard_of
from alerts.cap.store import Stored
from alerts.handling import Story
from alerts.sight import AsOf
from alerts.wire import Json, alert_json, as_of_json, stamp
from ingest.catalog import Catalogue, Station

ATOM = "http://www.w3.org/2005/Atom"
HISTORY = "http://purl.org/syndication/history/1.0"
OURS = "urn:huewatch:feed"
PAGE = 100  # messages: half a megabyte of entries
SCHEME_SIGHT = "urn:huewatch:sight"
TITLE = "Cảnh báo lũ và môi trường Huế (CAP)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the documents are: `base` ends in a slash; `page` is None for the newest document."""

    base: str
    page: int | None
    pages: int  # full pages that there are

    def url(self, page: int | None) -> str:
        return f"{self.base}feed.atom" + ("" if page is None else f"?page={page}")


def numbers(page: int | None, head: int) -> tuple[int, int]:
    """The first and last message number of a page, or of the newest document, which has up to two pages."""
    if page is not None:
        return (page - 1) * PAGE + 1, page * PAGE
    return max(head // PAGE - 1, 0) * PAGE + 1, head


def pages(head: int) -> int:
    """How many pages are full."""
    return head // PAGE


def atom(stored: Sequence[Stored], place: Place, sight: tuple[str, str], updated: int) -> bytes:
    """The document; `sight`: state and reason, of the newest one; `updated`: microseconds."""
    feed = etree.Element(_atom("feed"), nsmap={None: ATOM, "cap": NAMESPACE, "fh": HISTORY, "hw": OURS})
    _add(feed, "id", f"{place.base}feed.atom")
    _add(feed, "title", TITLE)
    _add(feed, "updated", stamp(updated))
    _author(feed, "Huewatch")
    for relation, url in _links(place):
        etree.SubElement(feed, _atom("link"), rel=relation, href=url, type="application/atom+xml")
    if place.page is not None:
        etree.SubElement(feed, f"{{{HISTORY}}}archive")
    else:
        state, reason = sight
        etree.SubElement(feed, _atom("category"), scheme=SCHEME_SIGHT, term=state)
        etree.SubElement(feed, f"{{{OURS}}}sight", state=state, reason=reason)
    for one in stored:
        _entry(feed, one, place)
    found: bytes = etree.tostring(feed, xml_declaration=True, encoding="UTF-8")
    return found


def _links(place: Place) -> Iterable[tuple[str, str]]:
    yield "self", place.url(place.page)
    yield "current", place.url(None)
    before = (place.pages if place.page is None else place.page) - 1
    if before >= 1:
        yield "prev-archive", place.url(before)
    if place.page is not None and place.page < place.pages:
        yield "next-archive", place.url(place.page + 1)


def _entry(feed: Element, one: Stored, place: Place) -> None:
    alert = read(one.xml)
    info = children(alert, "info")[0]
    entry = etree.SubElement(feed, _atom("entry"))
    sent = text(alert, "sent")
    _add(entry, "id", f"tag:{text(alert, 'sender')},{sent[:10]}:{one.identifier}")
    _add(entry, "title", text(info, "headline"))
    _add(entry, "updated", sent)
    _add(entry, "published", sent)
    _author(entry, text(info, "senderName"))
    etree.SubElement(entry, _atom("link"), href=f"{place.base}{one.identifier}.xml", type=MEDIA_TYPE)
    _add(entry, "summary", text(info, "description"))
    for name in ("identifier", "sender", "sent", "status", "msgType", "scope", "references"):
        _cap(entry, name, text(alert, name))
    for name in (
        "category",
        "event",
        "responseType",
        "urgency",
        "severity",
        "certainty",
        "effective",
        "expires",
    ):
        for value in texts(info, name):
            _cap(entry, name, value)
    for area in children(info, "area"):
        _area(entry, area)


def _area(entry: Element, area: Element) -> None:
    for name in ("areaDesc", "polygon", "circle"):
        for value in texts(area, name):
            _cap(entry, name, value)
    for name, value in pairs(area, "geocode"):
        geocode = etree.SubElement(entry, f"{{{NAMESPACE}}}geocode")
        _cap(geocode, "valueName", name)
        _cap(geocode, "value", value)


def _author(parent: Element, name: str) -> None:
    _add(etree.SubElement(parent, _atom("author")), "name", name)


def _add(parent: Element, name: str, value: str) -> None:
    etree.SubElement(parent, _atom(name)).text = value


def _cap(parent: Element, name: str, value: str) -> None:
    if value:
        etree.SubElement(parent, f"{{{NAMESPACE}}}{name}").text = value


def _atom(name: str) -> str:
    return f"{{{ATOM}}}{name}"


def geojson(stories: Iterable[Story], identifiers: dict[str, str], as_of: AsOf, catalogue: Catalogue) -> Json:
    """The open alerts of hazards where they are; `cap`: the identifier of an alert's newest message."""
    stations = {station.id: station for station in catalogue.stations}
    features = []
    for story in stories:
        station = stations.get(story.event.station)
        hazard = hazard_of(story.event, station)
        if station is None or hazard is None or story.hidden or story.event.shadow:
            continue
        properties = {
            **alert_json(story, None, as_of, catalogue),
            "hazard": hazard.code,
            "event": hazard.name.model_dump(),
            "cap": identifiers.get(story.event.alert_id),
        }
        shape = {"type": "Feature", "id": story.event.alert_id, "geometry": _geometry(station)}
        features.append({**shape, "properties": properties})
    return {"type": "FeatureCollection", "as_of": as_of_json(as_of), "features": features}


def _geometry(station: Station) -> dict[str, Any]:
    """Longitude first, as GeoJSON (RFC 7946) has it; outer rings counterclockwise."""
    location = station.location
    if station.area is None or not station.area.polygon:
        return {"type": "Point", "coordinates": [location.lon, location.lat]}
    ring = [[lon, lat] for lat, lon in station.area.polygon]
    turns = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))
    return {"type": "Polygon", "coordinates": [ring if turns > 0 else ring[::-1]]}
