"""Answers about places: stations as they stand, what they measure, and the newest values."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from alerts.api.asking import StationKind
from alerts.api.models import Answer, AsOf, Key, NatureOf, Page, Stamp, Words
from alerts.api.models_data import Observation, ResultRow
from ingest.installation import Reference

Freshness = Literal["fresh", "late", "no_data", "never", "unknown"]
StationState = Literal["normal", "alert", "not_monitored", "unknown"]


class Place(Answer):
    """Where a station stands, WGS 84."""

    lat: float
    lon: float
    quality: Literal["surveyed", "approximate"]


class NamedLevel(Answer):
    """A level by name, such as BĐ I."""

    rank: int
    name: str
    value: float


class LevelReached(Answer):
    """The level that the newest usable value has reached, and how far it is from those around it."""

    rank: int = Field(description="0: below all")
    name: str
    above: float | None = Field(description="how far above the level reached")
    next_name: str | None
    to_next: float | None = Field(description="how far below the next level")


class MeasuredDescription(Answer):
    """What the catalogue says of a measured datastream."""

    key: Key
    station: str
    name: str
    property: str
    unit: str
    cadence_s: float
    derived: Literal[False]
    reference: Reference = Field(description="what its levels are measured from")
    comparable: bool = Field(description="whether its values may be compared with its levels")
    levels: list[NamedLevel]


class DerivedDescription(Answer):
    """What the catalogue says of a derived datastream."""

    key: Key
    station: str
    name: str
    property: str
    unit: str
    cadence_s: float
    derived: Literal[True]
    kind: str
    inputs: list[Key]
    comparable: bool
    window_s: float | None = Field(description="of a sum, mean or maximum")
    scheme: str | None = Field(description="of an index")


class Datastreams(Page):
    """Every datastream, the measured ones first."""

    datastreams: list[MeasuredDescription | DerivedDescription]


class MeasuredDatastream(MeasuredDescription):
    """A measured datastream as it stands: level and trend are of usable values (flags 1, 2 and 3)."""

    newest: Observation | None
    newest_usable: Observation | None
    level: LevelReached | None = Field(description="null where it may not be compared with levels")
    trend_per_hour: float | None = Field(description="robust slope of the last 90 minutes, unit per hour")
    freshness: Freshness


class DerivedDatastream(DerivedDescription):
    """A derived datastream as it stands; its newest row may be unknown."""

    newest: ResultRow | None
    freshness: Freshness


class MaintenanceWindow(Answer):
    """Somebody works on sensors; what they measure meanwhile says nothing."""

    id: int
    datastreams: list[Key]
    owner: str
    reason: str
    begins: Stamp
    ends: Stamp


class Station(Answer):
    """A station as it stands. State and freshness are two signs; a stale station is never *normal*."""

    id: str
    name: Words
    kind: StationKind
    river: Words | None
    ward: Words | None
    location: Place
    nature: NatureOf
    state: StationState
    not_monitored: list[str] = Field(description="properties of which every sensor is being worked on")
    maintenance: list[MaintenanceWindow]
    freshness: Freshness
    datastreams: list[MeasuredDatastream]
    derived: list[DerivedDatastream]


class Stations(Page):
    """Stations in the catalogue's order."""

    stations: list[Station]


class Sensor(Answer):
    """The sensor of a datastream as it stands in the catalogue; heights in metres."""

    gateway: str
    device: str
    channel: str
    since: Stamp | None = Field(description="null: since ever")
    datum: str | None = Field(description="that its zero is measured in")
    surveyed: bool
    by: str | None = Field(description="who measured the zero")
    zero_elevation: float | None = Field(
        description="its own height, of one that measures a distance or depth"
    )
    highest: float | None = Field(description="the highest level that it can tell")


class OneStation(Station):
    """One station, and its sensors by the keys of their datastreams."""

    as_of: AsOf
    datum: str | None = Field(description="that its levels are printed in")
    sensors: dict[str, Sensor]


class LatestValue(Answer):
    """The newest value of one datastream, and how old it is."""

    datastream: Key
    station: str
    property: str
    unit: str
    nature: NatureOf
    derived: bool
    time: Stamp | None = Field(description="null: it never reported")
    value: float | None = Field(description="null: it never reported, or its result is unknown")
    quality: Literal[1, 2, 3, 4, 9] | None
    age_s: int | None
    freshness: Freshness


class Latest(Page):
    """The newest value of each datastream, by key."""

    latest: list[LatestValue]
