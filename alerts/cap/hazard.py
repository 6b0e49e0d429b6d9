"""Which events tell of a hazard, and what CAP 1.2 says of it: category, urgency, certainty, response. Pure.

A hazard is what people can meet outdoors or at the tap: high water, rain, bad air, bad water. What concerns
our own sensors, gateways and rules (silence, a stuck value, a weak battery, blindness) is none: it goes to
those on duty by other receivers, and shows in CAP only as the missing sight of an open alert.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from alerts.headline import HEALTH, STATES
from alerts.model import Event, EventKind, Severity
from ingest.catalog import Station
from ingest.config_model import Text


class Category(StrEnum):
    MET = "Met"
    HEALTH = "Health"
    ENV = "Env"
    INFRA = "Infra"
    TRANSPORT = "Transport"


class Urgency(StrEnum):
    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"
    PAST = "Past"


class Certainty(StrEnum):
    OBSERVED = "Observed"
    LIKELY = "Likely"


class Response(StrEnum):
    SHELTER = "Shelter"
    EVACUATE = "Evacuate"
    PREPARE = "Prepare"
    EXECUTE = "Execute"
    AVOID = "Avoid"
    MONITOR = "Monitor"
    ASSESS = "Assess"
    ALL_CLEAR = "AllClear"
    NONE = "None"


# Only a named person has people told this.
APPROVED_ONLY = frozenset({Response.SHELTER, Response.EVACUATE, Response.ALL_CLEAR})


@dataclass(frozen=True, slots=True)
class Hazard:
    """A kind of hazard: the code that all its messages have, its name, and its categories."""

    code: str
    name: Text
    categories: tuple[Category, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """How bad, how soon, how sure, and what to do: the CAP elements of one state of a hazard."""

    severity: Severity
    urgency: Urgency
    certainty: Certainty
    response: tuple[Response, ...]


def _hazard(code: str, vi: str, en: str, *categories: Category) -> Hazard:
    return Hazard(code, Text(vi=vi, en=en), categories)


RIVER = _hazard("river-flood", "Lũ trên sông", "River flood", Category.MET)
STREET = _hazard("street-flood", "Ngập đường phố", "Street flooding", Category.MET, Category.TRANSPORT)
HIGH_WATER = _hazard("high-water", "Mực nước cao", "High water", Category.MET)
RESERVOIR = _hazard("reservoir-level", "Mực nước hồ chứa cao", "High reservoir level", Category.MET)
RELEASE = _hazard(
    "reservoir-release", "Hồ chứa tăng xả nước", "Reservoir release", Category.MET, Category.INFRA
)
RAIN = _hazard("heavy-rain", "Mưa lớn", "Heavy rain", Category.MET)
AIR = _hazard("air-quality", "Chất lượng không khí kém", "Poor air quality", Category.HEALTH, Category.ENV)
TAP_WATER = _hazard(
    "drinking-water", "Nước sinh hoạt không đạt", "Unsafe tap water", Category.HEALTH, Category.INFRA
)
SURFACE_WATER = _hazard("surface-water", "Chất lượng nước sông kém", "Poor river water quality", Category.ENV)
COMBINED = _hazard("combined-signs", "Nhiều dấu hiệu nguy hiểm", "Several signs of danger", Category.MET)
OTHER = _hazard("limit-passed", "Vượt ngưỡng cảnh báo", "Warning limit passed", Category.ENV)
HAZARDS = (
    RIVER,
    STREET,
    HIGH_WATER,
    RESERVOIR,
    RELEASE,
    RAIN,
    AIR,
    TAP_WATER,
    SURFACE_WATER,
    COMBINED,
    OTHER,
)

BY_PROPERTY = {
    "reservoir_level": RESERVOIR,
    "outflow_step": RELEASE,
    "free_chlorine": TAP_WATER,
    "turbidity": TAP_WATER,
    "ph": SURFACE_WATER,
    "dissolved_oxygen": SURFACE_WATER,
    "conductivity": SURFACE_WATER,
}
OF_LEVELS = {"river": RIVER, "street": STREET}
# Rule kinds whose signal is not the hazard itself but leads to it.
FORETELLING = frozenset({"rate", "time_to_level"})
OF_OURSELVES = frozenset({"silence", "flat_line", "self"})
# What a device or gateway says of itself (config/README.md, properties of LoRaWAN devices).
OF_DEVICES = frozenset({*HEALTH, *STATES, "gateways", "f_cnt", "gateway_frames"})


def hazard_of(event: Event, station: Station | None) -> Hazard | None:
    """The hazard that an event tells of, None where it tells of ourselves. Without a station there is no
    place that a message could be about."""
    if station is None or event.rule_kind in OF_OURSELVES or event.severity is Severity.UNKNOWN:
        return None
    observed = _property(event, station)
    if observed in OF_DEVICES:
        return None
    by_kind = {"accumulation": RAIN, "index": AIR, "compound": COMBINED}.get(event.rule_kind)
    if by_kind is not None:
        return by_kind
    if observed.endswith("level") and observed not in BY_PROPERTY:
        return OF_LEVELS.get(station.kind, HIGH_WATER)
    return BY_PROPERTY.get(observed, RAIN if observed.startswith("rain") else OTHER)


def assess(event: Event, hazard: Hazard) -> Assessment:
    """What the alert's newest state means. Severity is the level's own, as its rule gives it.

    After an end the hazard is past, minor and to be watched: that all is clear only a person says. What was
    issued in error wants nothing done.
    """
    if event.kind is EventKind.CANCELLED and event.by:
        return Assessment(Severity.MINOR, Urgency.PAST, Certainty.OBSERVED, (Response.NONE,))
    if event.level == 0:
        return Assessment(Severity.MINOR, Urgency.PAST, Certainty.OBSERVED, (Response.MONITOR,))
    found = _standing(event, hazard)
    if event.rule_kind in FORETELLING:
        urgency = Urgency.FUTURE if event.severity is Severity.MINOR else Urgency.EXPECTED
        return replace(found, urgency=urgency, certainty=Certainty.LIKELY)
    if event.rule_kind in ("saturation", "compound") or not event.verified:
        return replace(found, certainty=Certainty.LIKELY)
    return found


def _standing(event: Event, hazard: Hazard) -> Assessment:
    severity, severe = event.severity, event.severity in (Severity.SEVERE, Severity.EXTREME)
    if hazard is AIR:
        return Assessment(severity, Urgency.EXPECTED, Certainty.OBSERVED, (Response.AVOID,))
    if hazard is TAP_WATER:
        return Assessment(severity, Urgency.IMMEDIATE, Certainty.OBSERVED, (Response.AVOID,))
    if severe:
        response = (Response.PREPARE, Response.AVOID)
        return Assessment(severity, Urgency.IMMEDIATE, Certainty.OBSERVED, response)
    one = Response.MONITOR if severity is Severity.MINOR else Response.PREPARE
    return Assessment(severity, Urgency.EXPECTED, Certainty.OBSERVED, (one,))


def _property(event: Event, station: Station) -> str:
    """The property of an event's target; "" for one that the catalogue no longer has."""
    name = event.target.rpartition("/")[2]
    known = {each.name: each.property for each in station.datastreams}
    known |= {each.name: each.property for each in station.derived}
    return known.get(name, "")
