"""What one shift tells the next, from what the store has read: a report as JSON. Pure.

Promises: everything that is open, hidden or quiet now, with who answers for it and until when; what nobody
could see (silent stations, gaps, refused readings); the highest water and what is foretold; whom no message
reaches; and what has happened since the last handover. What is not known is said as such: a silent station
keeps its last level with its age. Called by the feed and by the command line; times are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from alerts import wire
from alerts.forecast.gates import stale_after
from alerts.forecast.model import MODEL, NOTICE, VERSION
from alerts.handling import Story
from alerts.model import EventKind, NumberedEvent
from alerts.sight import AsOf, Freshness, freshness
from alerts.station_view import datastream_json
from alerts.suppression import Silence
from alerts.wire import Json, stamp
from ingest.catalog import Catalogue, Datastream, Station, is_height
from ingest.clock import MICROS_PER_SECOND
from ingest.store.maintenance import Window
from ingest.store.read import Gap, Observed

SHIFT_S = 8 * 3600  # what a report covers where nobody has handed over before
LOOK_BACK_S = 7 * 24 * 3600  # and at most, whoever has gone without handing over
HOUR = 3600 * MICROS_PER_SECOND
SILENT = (Freshness.NO_DATA, Freshness.NEVER)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A handover: `incoming` took over from `leaver`, knowing every event up to `seq`; `released` were the
    leaver's alerts. `data_until`: the time of the data then."""

    number: int
    at: int
    incoming: str
    leaver: str
    seq: int
    data_until: int | None
    released: tuple[str, ...]
    comment: str


@dataclass(frozen=True, slots=True)
class Shift:
    """Since when a report tells: the number of the last event before it, the hour, and the data's own hour
    (logical in an exercise)."""

    seq: int
    at: int
    data: int


@dataclass(frozen=True, slots=True)
class Due:
    """A forecast that passes a level more likely than not. `passes`: hours with 10, 50 and 90 %."""

    key: str
    origin: int
    level: float
    mark: float
    hours: tuple[float, ...]
    chance: tuple[float, ...]
    passes: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Refusals:
    """Messages and readings of a gateway that were refused, and the hour in which most were."""

    gateway: str
    refused: int
    peak_at: int
    peak: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failing:
    """A receiver that cannot be reached: failed attempts, and how many events it lies behind."""

    receiver: str
    attempts: int
    error: str
    behind: int
    since: int


@dataclass(frozen=True, slots=True)
class Known:
    """What the store has read, up to the event `head`.

    `stories`: of the open alerts, worst first. `said`: what people have written in the shift about these, and
    every step of an alert that nobody answered, oldest first. `stretches`: newest rows by datastream.
    """

    head: int
    at: int
    last: Accepted | None
    shift: Shift
    stories: Sequence[Story] = ()
    said: Sequence[NumberedEvent] = ()
    windows: Sequence[Window] = ()
    silences: Sequence[Silence] = ()
    stretches: Mapping[str, Sequence[Observed]] = field(default_factory=dict)
    highest: Mapping[str, Observed] = field(default_factory=dict)
    due: Sequence[Due] = ()
    gaps: Sequence[Gap] = ()
    refusals: Sequence[Refusals] = ()
    failing: Sequence[Failing] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def is_height_of_water(station: Station, datastream: Datastream) -> bool:
    """Whether its highest value and its forecast belong into a report: rivers, and what has levels."""
    return is_height(datastream) and (station.kind == "river" or bool(datastream.levels))


def report(known: Known, as_of: AsOf, catalogue: Catalogue) -> Json:
    """The report; `seq` is what `accept` must be given."""
    stories = [story for story in known.stories if not story.event.shadow]
    return {
        "as_of": wire.as_of_json(as_of),
        "seq": known.head,
        "made_at": stamp(known.at),
        "since": stamp(known.shift.at),
        "last": known.last and accepted_json(known.last),
        "open": [_open(story, known.said, as_of, catalogue) for story in stories if not story.hidden],
        "cancelled": [_open(story, known.said, as_of, catalogue) for story in stories if story.hidden],
        "shelved": [_shelved(story, catalogue) for story in stories if story.shelved_at(known.at)],
        "maintenance": [window_json(window) for window in known.windows],
        "silences": [silence_json(silence) for silence in known.silences],
        "silent": list(_silent(known.stretches, as_of, catalogue)),
        "gaps": [_gap(gap) for gap in known.gaps],
        "refused": [_refused(each) for each in known.refusals],
        "highest": _highest(known.highest, as_of, catalogue),
        "forecasts": list(_forecasts(known.due, as_of, catalogue)),
        "receivers": [_failing(each) for each in known.failing],
        "unanswered": _unanswered(known, catalogue),
        "events": dict(known.counts),
    }


def accepted_json(accepted: Accepted) -> Json:
    """Who took over from whom, and the alerts that were the leaver's."""
    return {
        "number": accepted.number,
        "at": stamp(accepted.at),
        "incoming": accepted.incoming,
        "leaver": accepted.leaver,
        "seq": accepted.seq,
        "released": list(accepted.released),
        "comment": accepted.comment,
    }


def window_json(window: Window) -> Json:
    """A maintenance window that lasts."""
    return {
        "id": window.id,
        "subject": window.subject,
        "datastreams": list(window.datastreams),
        "owner": window.owner,
        "reason": window.reason,
        "begins": stamp(window.begins),
        "ends": stamp(window.ends),
    }


def silence_json(silence: Silence) -> Json:
    """A silence that lasts; what it does not name may be anything."""
    return {
        "id": silence.id,
        "rule": silence.rule,
        "station": silence.station,
        "severity": silence.severity and silence.severity.value,
        "owner": silence.owner,
        "reason": silence.reason,
        "begins": stamp(silence.begins),
        "ends": stamp(silence.ends),
    }


def _open(story: Story, said: Iterable[NumberedEvent], as_of: AsOf, catalogue: Catalogue) -> Json:
    """An open alert as every answer shows it, with what was written about it in the shift."""
    own = [one for one in said if one.event.alert_id == story.event.alert_id and one.event.comment]
    words = [
        {
            "by": one.event.by,
            "at": stamp(one.event.detected_at),
            "kind": one.event.kind.value,
            "comment": one.event.comment,
        }
        for one in own
    ]
    return {**wire.alert_json(story, None, as_of, catalogue), "comments": words}


def _shelved(story: Story, catalogue: Catalogue) -> Json:
    told = wire.event_json(story.newest, catalogue)
    shelved = wire.handling_json(story)["shelved"]
    return {"alert_id": told["alert_id"], "headline": told["headline"], **shelved}


def _silent(stretches: Mapping[str, Sequence[Observed]], as_of: AsOf, catalogue: Catalogue) -> Iterator[Json]:
    """Each station of which a datastream brings nothing, with the last that each of these brought."""
    for station in catalogue.stations:
        found = [_last(station, each, stretches, as_of) for each in station.datastreams]
        if silent := [each for each in found if each is not None]:
            yield {**_place(station), "datastreams": silent}


def _last(
    station: Station, datastream: Datastream, stretches: Mapping[str, Sequence[Observed]], as_of: AsOf
) -> Json | None:
    key = f"{station.id}/{datastream.name}"
    rows = stretches.get(key, ())
    since = rows[-1].time if rows else None
    if as_of.now is not None and freshness(datastream.cadence, since, as_of.now) not in SILENT:
        return None
    shown = datastream_json(station, datastream, rows, as_of)
    return {
        "key": key,
        "property": datastream.property,
        "unit": datastream.unit,
        "since": stamp(since),
        "newest": shown["newest_usable"] or shown["newest"],
        "level": shown["level"],
    }


def _highest(highest: Mapping[str, Observed], as_of: AsOf, catalogue: Catalogue) -> list[Json]:
    """Of each height of water its highest value, when, and which level that was; the highest level first."""
    found = [
        _height(station, datastream, highest[key], as_of)
        for key, station, datastream in catalogue.datastreams()
        if key in highest
    ]
    return sorted(found, key=lambda each: -(each["level"] or {"rank": 0})["rank"])


def _height(station: Station, datastream: Datastream, row: Observed, as_of: AsOf) -> Json:
    shown = datastream_json(station, datastream, [row], as_of)
    return {
        **_place(station),
        "key": f"{station.id}/{datastream.name}",
        "unit": datastream.unit,
        "time": stamp(row.time),
        "value": row.value,
        "quality": row.quality,
        "level": shown["level"],
    }


def _forecasts(due: Iterable[Due], as_of: AsOf, catalogue: Catalogue) -> Iterator[Json]:
    """What is foretold to pass a level, the soonest first; an old forecast speaks of nothing."""
    known = {key: (station, datastream) for key, station, datastream in catalogue.datastreams()}
    fresh = [
        each
        for each in due
        if as_of.now is not None
        and each.key in known
        and as_of.now - each.origin <= stale_after(known[each.key][1].cadence)
    ]
    for each in sorted(fresh, key=lambda one: one.origin + round((one.passes[1] or 0.0) * HOUR)):
        station, datastream = known[each.key]
        named = next((level.name for level in datastream.levels if level.value == each.mark), None)
        early, middle, late = (
            None if hours is None else each.origin + round(hours * HOUR) for hours in each.passes
        )
        yield {
            **_place(station),
            "key": each.key,
            "origin": stamp(each.origin),
            "level": each.level,
            "passes": named,
            "mark": each.mark,
            "at": stamp(middle),
            "earliest": stamp(early),
            "latest": stamp(late),
            "chance": [
                {"hours": hours, "probability": round(share, 3)}
                for hours, share in zip(each.hours, each.chance, strict=True)
            ],
            "model": f"{MODEL} {VERSION}",
            "notice": {"vi": NOTICE[0], "en": NOTICE[1]},
        }


def _unanswered(known: Known, catalogue: Catalogue) -> list[Json]:
    """The alerts that nobody acknowledged in time in this shift, with each step, whatever became of them."""
    steps: dict[str, list[NumberedEvent]] = {}
    for one in known.said:
        if one.event.kind is EventKind.UNANSWERED:
            steps.setdefault(one.event.alert_id, []).append(one)
    standing = {story.event.alert_id: story for story in known.stories}
    return [
        {
            "alert_id": alert_id,
            "headline": wire.event_json(own[-1], catalogue)["headline"],
            "steps": [
                {"at": stamp(one.event.detected_at), "told_to": list(one.event.told_to)} for one in own
            ],
            "still": alert_id in standing and bool(standing[alert_id].handling.unanswered),
        }
        for alert_id, own in steps.items()
    ]


def _gap(gap: Gap) -> Json:
    return {
        "partition": gap.partition,
        "topics": gap.topics,
        "started_at": stamp(gap.started_at),
        "ended_at": stamp(gap.ended_at),
        "reason": gap.reason,
    }


def _refused(each: Refusals) -> Json:
    return {
        "gateway": each.gateway,
        "refused": each.refused,
        "peak": {"hour": stamp(each.peak_at), "refused": each.peak},
        "reasons": list(each.reasons),
    }


def _failing(each: Failing) -> Json:
    return {
        "receiver": each.receiver,
        "attempts": each.attempts,
        "error": each.error,
        "behind": each.behind,
        "since": stamp(each.since),
    }


def _place(station: Station) -> Json:
    return {
        "station": station.id,
        "station_name": station.name.model_dump(),
        "river": station.river.model_dump() if station.river else None,
    }
