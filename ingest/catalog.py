"""The catalogue: the city's stations, sensors and routes as data.

`load_catalogue` reads every `*.yaml` of a folder into one frozen `Catalogue`. It refuses what cannot be
right and says where (file, line, remedy); it never touches a database or a broker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from ingest.config_model import DatastreamKey, Duration, Identifier, Model, Text, TopicLevel, shared
from ingest.derive.settings import DerivedDatastream
from ingest.device_clock import ClockPolicy
from ingest.installation import Installation, Installed, Reference, Time, history, reference
from ingest.installation import Ranging as Ranging  # whoever makes a datastream in code takes it from here
from ingest.lint import check_routes, check_stations
from ingest.model import Nature
from ingest.quality_settings import QualityTests, Range
from ingest.units import UNITS, Gas
from ingest.yaml_lines import (
    ConfigError,
    Located,
    Place,
    Problem,
    Severity,
    display_name,
    nearest,
    parse_model,
    read_yaml,
    yaml_files,
)


class Location(Model):
    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)
    quality: Literal["surveyed", "approximate"] = "approximate"


Corner = tuple[Annotated[float, Field(ge=-90, le=90)], Annotated[float, Field(ge=-180, le=180)]]


class Area(Model):
    """The ground that a station's alerts are about: a closed ring of (lat, lon), and the national codes of
    the communes in it."""

    polygon: Annotated[tuple[Corner, ...], Field(max_length=500)] = ()  # a ward's outline to some 50 m
    communes: tuple[Annotated[str, Field(pattern=r"^[0-9]{5}$")], ...] = ()


class Level(Model):
    """A named alert level of a station, e.g. BĐ I at 1.00 m.

    `rank` is by default its place in the written list, from 1. A level whose value is not published is
    written as null: it is left out here, and its rank stays free. 0 before it is part of a datastream.
    """

    name: str = Field(min_length=1)
    value: Annotated[float, WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]})]
    rank: int = Field(default=0, ge=0)


class Source(Model):
    """Where a datastream's readings come from: the identities in the topic and the channel in the payload."""

    gateway: TopicLevel
    device: TopicLevel
    channel: str = Field(min_length=1, max_length=64)
    unit: str | None = None  # what a reading without a unit is in; None: the datastream's own unit
    sentinels: tuple[float | str, ...] = ()  # values that the device type uses for "no value"
    clock: ClockPolicy = ClockPolicy()


class Substance(Model):
    """The gas that a datastream measures, in air of a stated temperature and pressure: ppb becomes ug/m3."""

    name: Literal["O3", "NO", "NO2", "SO2", "CO", "NH3", "H2S"]
    temperature: float = Field(ge=-50, le=60)  # degC, as the limit values are stated for, not as measured
    pressure: float = Field(ge=500, le=1100)  # hPa

    @property
    def gas(self) -> Gas:
        return Gas(self.name, self.temperature, self.pressure)


class Datastream(Model):
    """One observed property of one station (OGC SensorThings `Datastream`).

    `source` and `ranging` describe its sensor; where it had several, `installations` says which when.
    """

    name: Identifier  # unique within its station; the key is "<station>/<name>"
    property: Identifier  # SensorThings ObservedProperty, e.g. water_level
    unit: str
    cadence: Duration
    source: Source
    ranging: Ranging | None = None
    installations: tuple[Installation, ...] = ()
    substance: Substance | None = None
    gross_range: Range | None = None
    quality: QualityTests = QualityTests()
    record: float | None = None  # highest value ever measured here; the gross range must let it through
    levels: tuple[Level, ...] = ()  # ascending; e.g. BĐ I, II, III
    neighbours: tuple[DatastreamKey, ...] = ()  # of the same water: one of them above its level confirms ours

    @field_validator("gross_range", "quality", "levels")
    @classmethod
    def _share(cls, value: Any) -> Any:
        return shared(value)

    @field_validator("levels", mode="before")
    @classmethod
    def _rank(cls, levels: Any) -> Any:
        if not isinstance(levels, list | tuple):
            return levels
        ranked = [_with_rank(level, place) for place, level in enumerate(levels, start=1)]
        return tuple(level for level in ranked if level is not None)

    @model_validator(mode="after")
    def _complete(self) -> Datastream:
        self.history()  # raises where an installation lacks something
        return self

    def gas(self) -> Gas | None:
        """What its shares of air are converted by."""
        return None if self.substance is None else self.substance.gas

    def history(self) -> tuple[Installed, ...]:
        """Its installations in order of time; at least one."""
        return history(self.source, self.ranging, self.installations)

    def current(self) -> Installed:
        """The newest installation, one that is planned too."""
        return self.history()[-1]

    def installed(self, time: int) -> Installed | None:
        """The installation that is valid at a time (microseconds), None where there was no sensor."""
        return next((one for one in self.history() if one.since <= time < one.until), None)

    def resets(self) -> tuple[int, ...]:
        """When each installation after the first begins: samples on two sides of it say nothing together."""
        return tuple(one.since for one in self.history()[1:])


def _with_rank(level: Any, rank: int) -> Any:
    if isinstance(level, Level):
        return level if level.rank else level.model_copy(update={"rank": rank})
    if not isinstance(level, dict):
        return level
    unpublished = "value" in level and level["value"] is None
    return None if unpublished else {"rank": rank, **level}


class Station(Model):
    """A place with sensors (OGC SensorThings `Thing`)."""

    id: Identifier
    name: Text
    kind: Literal["river", "street", "rain", "reservoir", "barrage", "tide", "air", "water"]
    river: Text | None = None
    location: Location
    datum: Annotated[str, Field(min_length=1, max_length=64)] | None = None  # that its levels are printed in
    nature: Nature = Nature.ACTUAL
    ward: Text | None = None  # phường or xã
    area: Area | None = None  # for CAP messages; without a polygon a circle around the station
    tags: tuple[Identifier, ...] = ()  # by which rules may select it
    commissioned: Time | None = None  # by when it must have been heard of; later: "never heard"
    datastreams: tuple[Datastream, ...]
    derived: tuple[DerivedDatastream, ...] = ()

    def reference(self, datastream: Datastream) -> Reference:
        """What the levels of one of its datastreams are measured from, as its sensor stands now."""
        if not is_height(datastream):
            return Reference.NOT_A_LEVEL
        if self.kind == "street":
            return Reference.DEPTH
        return reference(datastream.current(), self.datum)


def is_height(datastream: Datastream) -> bool:
    """Whether it is a height of water, which has a zero: by its sensor, or by a name such as water_level."""
    unit = UNITS.get(datastream.unit)
    if unit is None or unit.dimension != "length":
        return False
    return datastream.property.endswith("level") or datastream.ranging is not None


class Route(Model):
    """Which codec reads a topic filter, and which topic level (from 1) names the gateway and the device.

    `settings` is what the codec must be told of this route. `ignore`: channels that the catalogue need not
    list, with `*` and `?` as in file names.
    """

    filter: str
    codec: str
    gateway_level: int = Field(ge=1)
    device_level: int = Field(ge=1)
    settings: dict[str, Any] = Field(default_factory=dict)
    ignore: tuple[str, ...] = ()


class Catalogue(Model):
    """Everything that `config/catalog` says, checked."""

    stations: tuple[Station, ...]
    routes: tuple[Route, ...]

    def datastreams(self) -> Iterator[tuple[str, Station, Datastream]]:
        """Every datastream with its key `"<station id>/<datastream name>"` and its station, in file order."""
        for station in self.stations:
            for datastream in station.datastreams:
                yield f"{station.id}/{datastream.name}", station, datastream

    def derived(self) -> Iterator[tuple[str, Station, DerivedDatastream]]:
        """Every derived datastream with its key `"<station id>/<name>"` and its station, in file order."""
        for station in self.stations:
            for derived in station.derived:
                yield f"{station.id}/{derived.name}", station, derived

    def resets(self) -> dict[str, tuple[int, ...]]:
        """When new installations begin (microseconds), by the key of each datastream that has had several."""
        found = ((key, datastream.resets()) for key, _, datastream in self.datastreams())
        return {key: times for key, times in found if times}

    def watched(self) -> Iterator[tuple[str, Station, Datastream]]:
        """Every datastream that a rule may look at: the measured ones, then the derived ones as such."""
        yield from self.datastreams()
        for key, station, derived in self.derived():
            yield key, station, as_watched(derived)

    def station(self, identifier: str) -> Station:
        """The station of that id; `KeyError` when there is none."""
        return self.by_id[identifier]

    @cached_property
    def by_id(self) -> Mapping[str, Station]:
        """The stations by id: each told event asks for one of them."""
        return {station.id: station for station in self.stations}


def as_watched(derived: DerivedDatastream) -> Datastream:
    """A derived datastream as rules see it: nothing but values of a property in a unit."""
    nobody = Source(gateway="derived", device="derived", channel=derived.name)
    return Datastream(
        name=derived.name,
        property=derived.property,
        unit=derived.unit,
        cadence=derived.cadence,
        source=nobody,
    )


class CatalogueFile(Model):
    """What one YAML file may hold; the JSON Schema for editors is made from it."""

    stations: tuple[Station, ...] = ()
    routes: tuple[Route, ...] = ()


EntryType = TypeVar("EntryType", Station, Route)


def load_catalogue(folder: Path | Traversable, nature: Nature | None = None) -> Catalogue:
    """The catalogue of a folder's `*.yaml`; `nature` overrides every station's (a demo is an Exercise), but
    Actual none: what is marked as an exercise or a test never becomes real by a switch.

    Raises `ConfigError` with every problem found, when one of them is an error.
    """
    catalogue, problems = read_catalogue(folder, nature)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise ConfigError(problems)
    return catalogue


class CatalogueFolder:
    """A folder's catalogue for whoever asks for it again and again: read anew only where a file has changed.

    Reading takes seconds at 10,000 stations, and keeps every other thread waiting.
    """

    def __init__(self, folder: Path | Traversable, nature: Nature | None = None) -> None:
        self._folder, self._nature = folder, nature
        self._known: tuple[str, Catalogue] | None = None

    def __call__(self) -> Catalogue:
        """As `load_catalogue`; the very same object while the files say the same."""
        written = hashlib.sha256(repr(yaml_files(self._folder)).encode()).hexdigest()
        if self._known is None or self._known[0] != written:
            self._known = written, load_catalogue(self._folder, self._nature)
        return self._known[1]


def read_catalogue(
    folder: Path | Traversable, nature: Nature | None = None
) -> tuple[Catalogue, list[Problem]]:
    """What can be read of a folder's catalogue, and every problem found in it, warnings included."""
    problems: list[Problem] = []
    stations: list[Located[Station]] = []
    routes: list[Located[Route]] = []
    for data, root in _documents(folder, problems):
        problems += _unknown_sections(data, root)
        stations += _entries(data, root, "stations", Station, problems)
        routes += _entries(data, root, "routes", Route, problems)
    if nature not in (None, Nature.ACTUAL):
        stations = [(one.model_copy(update={"nature": nature}), place) for one, place in stations]
    problems += check_stations(stations)
    problems += check_routes(routes)
    if not stations and not problems:
        remedy = "Add a station with `huewatch station new`."
        problems.append(Problem(display_name(folder), None, "There is no station here.", remedy))
    return Catalogue(
        stations=tuple(entry for entry, _ in stations), routes=tuple(entry for entry, _ in routes)
    ), problems


def _documents(folder: Path | Traversable, problems: list[Problem]) -> Iterator[tuple[dict[str, Any], Place]]:
    try:
        files = yaml_files(folder)
    except ConfigError as error:
        problems.extend(error.problems)
        return
    for name, text in files:
        try:
            data, root = read_yaml(text, name)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if isinstance(data, dict):
            yield data, root
        elif data is not None:
            problems.append(
                root.problem("The file is not a mapping.", "Begin it with `stations:` or `routes:`.")
            )


def _unknown_sections(data: Mapping[str, Any], root: Place) -> Iterator[Problem]:
    for name in data.keys() - CatalogueFile.model_fields.keys():
        remedy = nearest(name, CatalogueFile.model_fields) or "Use `stations:` or `routes:`."
        yield root.at(name).problem(f"`{name}` is not known here.", remedy)


def _entries(
    data: Mapping[str, Any], root: Place, section: str, model: type[EntryType], problems: list[Problem]
) -> list[Located[EntryType]]:
    entries = data.get(section) or []
    place = root.at(section)
    if not isinstance(entries, list):
        problems.append(place.problem(f"`{section}` is not a list.", "Begin each entry with `-`."))
        return []
    parsed = [(parse_model(model, e, place.at(i), problems), place.at(i)) for i, e in enumerate(entries)]
    return [(entry, where) for entry, where in parsed if entry is not None]


def catalogue_schema() -> dict[str, Any]:
    """The JSON Schema of a catalogue file, as committed in config/catalog.schema.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **CatalogueFile.model_json_schema()}
