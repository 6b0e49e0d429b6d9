"""What receivers complain of in messages that are valid: each complaint by name. Pure.

After the validator of Google's cap-library and the practice of aggregators, and what Huewatch asks of itself
beyond. An error keeps a message of ours from being stored; a warning says what some receivers do with it.
Works on any document whose root is `alert`, valid or not. Called before a message is stored, and by
`huewatch cap validate`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.cap.document import Element, children, pairs, text, texts
from ingest.polygon import Point, ring_faults

MOST_HEADLINE = 140  # characters: from there on receivers cut it
OFFSET = timedelta(hours=7)  # of who sends from Việt Nam

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{2}:\d{2}")
FORBIDDEN = re.compile(r"[\s,<&]")  # in identifier and sender
HTML = re.compile(r"</?[a-zA-Z][^<>]*>|<!--|&#?\w+;")
PLAIN_TEXTS = ("event", "senderName", "headline", "description", "instruction", "contact", "audience")
SPOKEN = ("event", "headline", "description", "instruction")
TIMES = ("effective", "onset", "expires")


class Complaint(StrEnum):
    """What is wrong, in a word."""

    IDENTIFIER = "identifier"
    TIME_FORMAT = "time_format"
    OFFSET = "offset"
    REFERENCE_FORMAT = "reference_format"
    REFERENCE_TO_ITSELF = "reference_to_itself"
    REFERENCE_POSTDATED = "reference_postdated"
    REFERENCES_MISSING = "references_missing"
    POLYGON = "polygon"
    COORDINATES = "coordinates"
    CIRCLE = "circle"
    ZERO_RADIUS = "zero_radius"
    INFO_MISSING = "info_missing"
    DESCRIPTION_MISSING = "description_missing"
    WEB_MISSING = "web_missing"
    EXPIRES_MISSING = "expires_missing"
    AREA_MISSING = "area_missing"
    SAME_TEXT = "same_text"
    INFOS_DIFFER = "infos_differ"
    HTML = "html"
    HEADLINE_LONG = "headline_long"
    HEADLINE_IS_DESCRIPTION = "headline_is_description"
    INSTRUCTION_IS_DESCRIPTION = "instruction_is_description"
    UNKNOWN = "unknown"
    RESTRICTION = "restriction"
    STATUS_TEST = "status_test"
    EXPIRES_EARLY = "expires_early"
    EXERCISE_UNSAID = "exercise_unsaid"


WARNINGS = frozenset({Complaint.STATUS_TEST, Complaint.ZERO_RADIUS})


@dataclass(frozen=True, slots=True)
class Fault:
    """A complaint, where, and in words."""

    complaint: Complaint
    place: str
    words: str

    @property
    def warning(self) -> bool:
        return self.complaint in WARNINGS

    def __str__(self) -> str:
        return f"{self.place}: {self.words} [{self.complaint}]"


Check = Callable[[Element], Iterator[Fault]]


def lint(alert: Element) -> list[Fault]:
    """Every fault of a message, in the order of the checks."""
    return [fault for check in CHECKS for fault in check(alert)]


def errors(alert: Element) -> list[Fault]:
    """The faults for which a message is not sent."""
    return [fault for fault in lint(alert) if not fault.warning]


def _infos(alert: Element) -> Iterator[tuple[str, Element]]:
    for at, info in enumerate(children(alert, "info"), start=1):
        yield f"info {at}", info


def _areas(alert: Element) -> Iterator[tuple[str, Element]]:
    for place, info in _infos(alert):
        for at, area in enumerate(children(info, "area"), start=1):
            yield f"{place}, area {at}", area


def _identities(alert: Element) -> Iterator[Fault]:
    for name in ("identifier", "sender"):
        value = text(alert, name)
        if not value or FORBIDDEN.search(value):
            words = "has no value" if not value else "holds a space, a comma, < or &"
            yield Fault(Complaint.IDENTIFIER, name, words)


def _times(alert: Element) -> Iterator[Fault]:
    for place, value in _every_time(alert):
        moment = _moment(value)
        if moment is None:
            words = f"{value!r} is not written as 2025-10-27T07:00:00+07:00"
            yield Fault(Complaint.TIME_FORMAT, place, words)
        elif moment.utcoffset() != OFFSET:
            words = f"{value} has not the offset +07:00 of who sends"
            yield Fault(Complaint.OFFSET, place, words)


def _every_time(alert: Element) -> Iterator[tuple[str, str]]:
    yield "sent", text(alert, "sent")
    for place, info in _infos(alert):
        yield from ((f"{place}, {name}", value) for name in TIMES for value in texts(info, name))


def _moment(value: str) -> datetime | None:
    """A time as CAP writes it, None for anything else."""
    if TIME.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _references(alert: Element) -> Iterator[Fault]:
    listed = text(alert, "references").split()
    if not listed and text(alert, "msgType") in ("Update", "Cancel"):
        words = f"an {text(alert, 'msgType')} names the messages that it replaces"
        yield Fault(Complaint.REFERENCES_MISSING, "references", words)
    for reference in listed:
        yield from _reference(alert, reference)


def _reference(alert: Element, reference: str) -> Iterator[Fault]:
    parts = reference.split(",")
    then = _moment(parts[2]) if len(parts) == 3 else None
    if then is None or not all(parts):
        words = f"{reference} is not sender,identifier,sent"
        yield Fault(Complaint.REFERENCE_FORMAT, "references", words)
        return
    if (parts[0], parts[1]) == (text(alert, "sender"), text(alert, "identifier")):
        yield Fault(Complaint.REFERENCE_TO_ITSELF, "references", "it refers to itself")
    sent = _moment(text(alert, "sent"))
    if sent is not None and then > sent:
        words = f"{reference} is later than this message"
        yield Fault(Complaint.REFERENCE_POSTDATED, "references", words)


def _completeness(alert: Element) -> Iterator[Fault]:
    if not children(alert, "info"):
        yield Fault(Complaint.INFO_MISSING, "alert", "it has no info")
    wanted = {
        "description": Complaint.DESCRIPTION_MISSING,
        "web": Complaint.WEB_MISSING,
        "expires": Complaint.EXPIRES_MISSING,
    }
    for place, info in _infos(alert):
        for name, complaint in wanted.items():
            if not text(info, name):
                yield Fault(complaint, place, f"it has no {name}")
        shapes = ("polygon", "circle", "geocode")
        drawn = any(children(area, shape) for area in children(info, "area") for shape in shapes)
        if not drawn:
            yield Fault(Complaint.AREA_MISSING, place, "it has no area with a polygon, circle or geocode")


def _shapes(alert: Element) -> Iterator[Fault]:
    for place, area in _areas(alert):
        for polygon in texts(area, "polygon"):
            yield from _polygon(place, polygon)
        for circle in texts(area, "circle"):
            yield from _circle(place, circle)


def _polygon(place: str, polygon: str) -> Iterator[Fault]:
    points = [_point(pair) for pair in polygon.split()]
    known = [point for point in points if point is not None]
    if len(known) < len(points):
        yield Fault(Complaint.COORDINATES, place, "a polygon is written lat,lon lat,lon ... in degrees")
        return
    for words in ring_faults(known):
        yield Fault(Complaint.POLYGON, place, f"the polygon bounds no area: {words}")


def _circle(place: str, circle: str) -> Iterator[Fault]:
    centre, _, radius = circle.partition(" ")
    size = _number(radius)
    if size is None or size < 0 or _point(centre) is None:
        yield Fault(Complaint.CIRCLE, place, f"{circle!r} is not written as lat,lon km")
    elif size == 0:
        yield Fault(Complaint.ZERO_RADIUS, place, "the circle is a point, which many receivers leave out")


def _point(pair: str) -> Point | None:
    """A place on Earth, written with its latitude first."""
    lat, comma, lon = pair.partition(",")
    found = _number(lat), _number(lon)
    if not comma or found[0] is None or found[1] is None:
        return None
    return (found[0], found[1]) if abs(found[0]) <= 90 and abs(found[1]) <= 180 else None


def _number(written: str) -> float | None:
    return float(written) if re.fullmatch(r"[+-]?\d+(\.\d+)?", written) else None


def _languages(alert: Element) -> Iterator[Fault]:
    infos = children(alert, "info")
    for at, (place, info) in enumerate(_infos(alert)):
        for other in infos[:at]:
            if text(info, "language") == text(other, "language"):
                continue
            for name in SPOKEN:
                said = text(info, name)
                if said and said == text(other, name):
                    words = f"its {name} is that of another language"
                    yield Fault(Complaint.SAME_TEXT, place, words)
            if _constant(info) != _constant(other):
                words = "category, responseType, urgency, severity, certainty or eventCode differ by language"
                yield Fault(Complaint.INFOS_DIFFER, place, words)


def _constant(info: Element) -> Sequence[object]:
    """What no language changes."""
    words = ("category", "responseType", "urgency", "severity", "certainty")
    return [sorted(texts(info, name)) for name in words] + [sorted(pairs(info, "eventCode"))]


def _plain(alert: Element) -> Iterator[Fault]:
    said: list[tuple[str, Element, tuple[str, ...]]] = [("alert", alert, ("note", "restriction"))]
    said += [(place, info, PLAIN_TEXTS) for place, info in _infos(alert)]
    said += [(place, area, ("areaDesc",)) for place, area in _areas(alert)]
    for place, parent, names in said:
        for name in names:
            if HTML.search(text(parent, name)):
                yield Fault(Complaint.HTML, place, f"{name} holds HTML")


def _headlines(alert: Element) -> Iterator[Fault]:
    for place, info in _infos(alert):
        headline, described = text(info, "headline"), text(info, "description")
        if len(headline) >= MOST_HEADLINE:
            words = f"the headline has {len(headline)} characters, {MOST_HEADLINE} or more are cut"
            yield Fault(Complaint.HEADLINE_LONG, place, words)
        if described and headline == described:
            yield Fault(Complaint.HEADLINE_IS_DESCRIPTION, place, "the headline is the description")
        if described and text(info, "instruction") == described:
            yield Fault(Complaint.INSTRUCTION_IS_DESCRIPTION, place, "the instruction is the description")


def _assessments(alert: Element) -> Iterator[Fault]:
    for place, info in _infos(alert):
        for name in ("urgency", "severity", "certainty"):
            if text(info, name) == "Unknown":
                yield Fault(Complaint.UNKNOWN, place, f"{name} is Unknown")


def _scope(alert: Element) -> Iterator[Fault]:
    scope, restriction = text(alert, "scope"), text(alert, "restriction")
    if restriction and scope != "Restricted":
        yield Fault(Complaint.RESTRICTION, "restriction", f"the scope is {scope}, not Restricted")
    elif scope == "Restricted" and not restriction:
        yield Fault(Complaint.RESTRICTION, "scope", "it does not say to whom it is restricted")


def _status(alert: Element) -> Iterator[Fault]:
    status = text(alert, "status")
    if status == "Test":
        yield Fault(Complaint.STATUS_TEST, "status", "public aggregators drop tests")
    for place, info in _infos(alert):
        word = "DIỄN TẬP" if text(info, "language").startswith("vi") else "EXERCISE"
        if status == "Exercise" and word not in text(info, "headline"):
            yield Fault(Complaint.EXERCISE_UNSAID, place, f"the headline of an exercise does not say {word}")


def _order(alert: Element) -> Iterator[Fault]:
    sent = _moment(text(alert, "sent"))
    for place, info in _infos(alert):
        effective, expires = (_moment(text(info, name)) for name in ("effective", "expires"))
        begin = effective or sent
        if begin is not None and expires is not None and expires <= begin:
            yield Fault(Complaint.EXPIRES_EARLY, place, "it expires before it is in force")


CHECKS: tuple[Check, ...] = (
    _identities,
    _times,
    _references,
    _completeness,
    _shapes,
    _languages,
    _plain,
    _headlines,
    _assessments,
    _scope,
    _status,
    _order,
)
