"""The catalogue: the city's stations, sensors and routes as data.

`load_catalogue` reads every `*.yaml` of a folder into one frozen `Catalogue`. It refuses what cannot be
right and says where (file, line, remedy); it never touches a database or a broker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingest.model import Nature

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Duration = Annotated[float, Field(gt=0)]  # seconds; YAML writes "5min", "30 s", "2h"


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Text(Model):
    """One text in Vietnamese and English."""

    vi: str
    en: str


class Location(Model):
    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)
    quality: Literal["surveyed", "approximate"] = "approximate"


class Level(Model):
    """A named alert level of a station, e.g. BĐ I at 1.00 m. `rank` is its place in the list, from 1."""

    name: str
    value: float


class Range(Model):
    """QARTOD gross range: outside `fail` the reading is FAIL, outside `suspect` it is SUSPECT."""

    fail: tuple[float, float]
    suspect: tuple[float, float] | None = None


class Ranging(Model):
    """A sensor that measures the distance down to the water: level = zero_elevation - distance.

    All in metres. At or below `blanking` the sensor is saturated: level >= zero_elevation - blanking;
    at or above `max_range` it sees no water surface and the reading fails.
    """

    zero_elevation: float
    blanking: float = Field(ge=0)
    max_range: float = Field(gt=0)


class Source(Model):
    """Where a datastream's readings come from: the identities in the topic and the channel in the payload."""

    gateway: Identifier
    device: Identifier
    channel: str = Field(min_length=1, max_length=64)
    unit: str | None = None  # what a reading without a unit is in; None: the datastream's own unit
    sentinels: tuple[float | str, ...] = ()  # values that the device type uses for "no value"


class Datastream(Model):
    """One observed property of one station from one sensor (OGC SensorThings `Datastream`)."""

    name: Identifier  # unique within its station; the key is "<station>/<name>"
    property: Identifier  # SensorThings ObservedProperty, e.g. water_level
    unit: str
    cadence: Duration
    source: Source
    ranging: Ranging | None = None
    gross_range: Range | None = None
    levels: tuple[Level, ...] = ()  # ascending; e.g. BĐ I, II, III


class Station(Model):
    """A place with sensors (OGC SensorThings `Thing`)."""

    id: Identifier
    name: Text
    kind: Literal["river", "street", "rain", "reservoir", "barrage", "tide", "air", "water"]
    river: Text | None = None
    location: Location
    nature: Nature = Nature.ACTUAL
    datastreams: tuple[Datastream, ...]


class Route(Model):
    """Which codec reads a topic filter, and which topic level (from 1) names the gateway and the device."""

    filter: str
    codec: str
    gateway_level: int = Field(ge=1)
    device_level: int = Field(ge=1)


class Catalogue(Model):
    """Everything that `config/catalog` says, checked."""

    stations: tuple[Station, ...]
    routes: tuple[Route, ...]

    def datastreams(self) -> Iterator[tuple[str, Station, Datastream]]:
        """Every datastream with its key `"<station id>/<datastream name>"` and its station, in file order."""
        for station in self.stations:
            for datastream in station.datastreams:
                yield f"{station.id}/{datastream.name}", station, datastream

    def station(self, identifier: str) -> Station:
        """The station of that id; `KeyError` when there is none."""
        for station in self.stations:
            if station.id == identifier:
                return station
        raise KeyError(identifier)


DatastreamIds = Mapping[str, int]  # datastream key -> the number that the database gave it
