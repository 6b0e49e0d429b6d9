"""How Huewatch writes an event, an alert and `as_of` for machines: one shape for HTTP, SSE and MQTT.

Times are RFC 3339 in UTC with `Z`, numbers have a point, names come in Vietnamese and English. An alert's
state reads *unknown* whenever the feed cannot see; what was told before stays in the events. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, overload

import msgspec

from alerts.handling import Approved, Story
from alerts.headline import digest_headline, headline
from alerts.model import Condition, Event, NumberedEvent
from alerts.sight import AsOf
from alerts.suppression import rank_of
from ingest.catalog import Catalogue
from ingest.clock import MICROS_PER_SECOND, to_datetime, to_micros

Json = dict[str, Any]
LISTED = 100  # openings of a digest that are named: 50 kB, of which any broker takes several at once
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
YEARS = (1900, 2200)  # what the observation table holds


def encode(data: Json) -> bytes:
    """Compact UTF-8 JSON in one line."""
    return msgspec.json.encode(data)


@overload
def stamp(micros: int) -> str: ...
@overload
def stamp(micros: None) -> None: ...
def stamp(micros: int | None) -> str | None:
    """Microseconds since 1970 as RFC 3339 with `Z`, in milliseconds unless more are needed."""
    if micros is None:
        return None
    precision = "microseconds" if micros % 1_000 else "milliseconds"
    return to_datetime(micros).isoformat(timespec=precision).replace("+00:00", "Z")


def parse_stamp(text: str) -> int:
    """RFC 3339 as microseconds; `ValueError` without an offset. A space is a `+` that a URL took apart."""
    text = text.strip().replace(" ", "+")
    if RFC_3339.fullmatch(text) is None:  # `fromisoformat` takes weeks, bare dates and what follows a NUL
        raise ValueError("it is no RFC 3339 time with an offset")
    moment = datetime.fromisoformat(text.upper())
    if not YEARS[0] <= moment.year < YEARS[1]:
        raise ValueError(f"the year must be from {YEARS[0]} to {YEARS[1] - 1}")
    return to_micros(moment)


def as_of_json(as_of: AsOf) -> Json:
    """How far we can see, as every answer carries it."""
    return {
        "state": as_of.state.value,
        "time": stamp(as_of.time),
        "age_s": _rounded(as_of.age_s, 1),
        "now": stamp(as_of.now),
        "sighted_since": stamp(as_of.sighted_since),
        "reason": as_of.reason,
        "backlog_s": _rounded(as_of.backlog_s, 0),
        "stations_unknown": list(as_of.stations_unknown),
        "stations_not_monitored": list(as_of.stations_not_monitored),
    }


def event_json(numbered: NumberedEvent, catalogue: Catalogue) -> Json:
    """One told event with its headline in both languages."""
    event = numbered.event
    station = catalogue.by_id.get(event.station)
    return {
        "seq": numbered.seq,
        "event_id": event.event_id,
        "alert_id": event.alert_id,
        "kind": event.kind.value,
        "nature": event.nature,
        "station": event.station,
        "station_name": station.name.model_dump() if station else {"vi": event.station, "en": event.station},
        "target": event.target,
        "rule": event.rule,
        "rule_kind": event.rule_kind,
        "rule_version": event.rule_version,
        "severity": event.severity.value,
        "level": event.level,
        "level_name": event.level_name,
        "previous_level": event.previous_level,
        "event_time": stamp(event.event_time),
        "detected_at": stamp(event.detected_at),
        "created_at": stamp(numbered.created_at),
        "delay_s": round((event.detected_at - event.event_time) / MICROS_PER_SECOND),
        "value": event.value,
        "unit": event.unit,
        "threshold": event.threshold,
        "direction": event.direction,
        "margin": _margin(event),
        "observed": event.observed,
        "observed_at": stamp(event.observed_at),
        "rate_per_hour": event.rate_per_hour,
        "verified": event.verified,
        "reason": event.reason,
        "shadow": event.shadow,
        "learnt_late": event.learnt_late,
        "by": event.by,
        "comment": event.comment,
        "assigned_to": event.assigned_to,
        "until": stamp(event.until),
        "told_to": list(event.told_to),
        "approval": event.approval
        and {
            "response": list(event.approval.response),
            "vi": event.approval.vi,
            "en": event.approval.en,
        },
        "headline": headline(event, station).model_dump(),
        "evidence": [
            {"time": stamp(each.time), "value": each.value, "quality": each.quality}
            for each in event.evidence
        ],
    }


def alert_json(story: Story, condition: Condition | None, as_of: AsOf, catalogue: Catalogue) -> Json:
    """One alert as its condition's newest event tells it; `condition` is the engine's while it is open.

    Its state is *unknown* while the feed cannot see. *Cancelled*: people say that it was issued in error.
    """
    known = "ended" if not story.open else "cancelled" if story.hidden else "open"
    return {
        "alert_id": story.event.alert_id,
        "state": known if as_of.known or known == "ended" else "unknown",
        "last_known_state": known,
        "phase": condition.phase.name.lower() if condition else None,
        "opened_at": stamp(condition.opened_at) if condition else None,
        "newest": event_json(story.newest, catalogue),
        "handling": handling_json(story),
    }


def handling_json(story: Story) -> Json:
    """What people have done with an alert and still holds; `worse`: it stands above the level they saw."""
    handling = story.handling
    ack, shelved, cancelled = handling.acknowledged, handling.shelved, handling.cancelled
    return {
        "version": handling.version,
        "acknowledged": ack
        and {
            "by": ack.by,
            "at": stamp(ack.at),
            "level": ack.level,
            "until": ack.until.value,
            "worse": story.level > ack.level,
        },
        "assigned_to": handling.assigned_to or None,
        "shelved": shelved
        and {
            "by": shelved.by,
            "at": stamp(shelved.at),
            "level": shelved.level,
            "until": stamp(shelved.until),
            "comment": shelved.comment,
        },
        "cancelled": cancelled
        and {
            "by": cancelled.by,
            "at": stamp(cancelled.at),
            "level": cancelled.level,
            "comment": cancelled.comment,
        },
        "comments": handling.comments,
        "approval": handling.approval and _approved_json(handling.approval),
        "unanswered": [{"at": stamp(each.at), "told_to": list(each.told_to)} for each in handling.unanswered],
    }


def _approved_json(approved: Approved) -> Json:
    """The newest approved text. `void`: the alert has risen above it or ended since, so it holds no more."""
    return {
        "by": approved.by,
        "at": stamp(approved.at),
        "level": approved.level,
        "response": list(approved.text.response),
        "vi": approved.text.vi,
        "en": approved.text.en,
        "void": approved.void,
    }


def state_json(story: Story, catalogue: Catalogue) -> Json:
    """An open alert as it stands, for who keeps only the newest."""
    told = event_json(story.newest, catalogue)
    return {"state": "open", **told, "handling": handling_json(story)}


def digest_json(digest: Sequence[NumberedEvent], catalogue: Catalogue) -> Json:
    """Many openings told in one notice: how many, in one line, and which, worst first, to `LISTED`."""
    stations = {station.id: station for station in catalogue.stations}
    worst = sorted(digest, key=lambda each: -rank_of(each.event))
    said = [(each.event, stations.get(each.event.station)) for each in worst]
    return {
        "count": len(digest),
        "headline": digest_headline(said).model_dump(),
        "alerts": [_opening(each, catalogue) for each in worst[:LISTED]],
    }


def _opening(numbered: NumberedEvent, catalogue: Catalogue) -> Json:
    told = event_json(numbered, catalogue)
    names = (
        "seq",
        "alert_id",
        "station",
        "station_name",
        "target",
        "rule",
        "severity",
        "level_name",
        "headline",
    )
    return {name: told[name] for name in names}


def _margin(event: Event) -> float | None:
    """How far the deciding signal lies above (+) or below (-) its threshold, in the event's unit."""
    if event.value is None or event.threshold is None:
        return None
    return round(event.value - event.threshold, 4)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
