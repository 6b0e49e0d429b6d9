"""What a CSV of measurements holds: the YAML beside it, and the catalogue of its stations.

Strict, and wrong in one place only: `ConfigError` with file, line and remedy. Called by `alerts.history`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ingest.catalog import Catalogue, Station, load_catalogue
from ingest.codecs.local_time import Zone
from ingest.config_model import DatastreamKey, Identifier, Model
from ingest.derive import problems as derived_problems
from ingest.lint import check_datastream
from ingest.model import Nature
from ingest.quality.lint import neighbour_problems
from ingest.yaml_lines import (
    ConfigError,
    Place,
    Problem,
    Severity,
    display_name,
    parse_model,
    read_yaml,
    yaml_text,
)

HUE = 7 * 3_600 * 1_000_000  # UTC+07:00 in microseconds: where a history is not said to be from elsewhere
ColumnName = Annotated[str, Field(min_length=1)]


class TimeColumn(Model):
    """Where a row's time stands; `zone` is that of times written without one."""

    column: ColumnName
    zone: Zone = 0


class QualityColumn(Model):
    """The source's own word on a value: any other than these says nothing."""

    column: ColumnName
    suspect: tuple[str, ...] = ()
    fail: tuple[str, ...] = ()


class ValueColumn(Model):
    """One column of values. `unit`: what they are in, by default the datastream's own unit."""

    column: ColumnName
    datastream: Identifier | DatastreamKey | None = None
    unit: str | None = None
    quality: QualityColumn | None = None


class Description(Model):
    """What a CSV holds.

    `station` names the datastreams of `values` by their names; without it they are keys of the
    configuration's catalogue. `key`: the column in which each row has its datastream's key, for a single
    column of values. `received`: when each row arrived, by default at its own time. `shown_in`: the zone of
    pictures and tables.
    """

    station: Station | None = None
    time: TimeColumn
    received: ColumnName | None = None
    key: ColumnName | None = None
    values: Annotated[tuple[ValueColumn, ...], Field(min_length=1)]
    shown_in: Zone = HUE


def read_description(csv_file: Path, config: Path | Traversable) -> tuple[Place, Description]:
    """The description of a CSV and its place: beside it, or in `histories/` of the configuration folder."""
    beside = [csv_file.with_name(csv_file.name + ".yaml"), csv_file.with_suffix(".yaml")]
    candidates: list[Path | Traversable] = [*beside, config / "histories" / f"{csv_file.stem}.yaml"]
    found = next((file for file in candidates if file.is_file()), None)
    if found is None:
        message = "Nothing says what its columns are."
        remedy = f"Write {beside[1].name} beside it; config/README.md shows how (Histories)."
        raise ConfigError([Problem(display_name(csv_file), None, message, remedy)])
    data, place = read_yaml(yaml_text(found), display_name(found))
    problems: list[Problem] = []
    description = parse_model(Description, _with_sources(data), place, problems)
    if description is None:
        raise ConfigError(problems)
    return place, description


def _with_sources(data: Any) -> Any:
    """The same with a source for each datastream: nobody sends a history's readings."""
    station = data.get("station") if isinstance(data, dict) else None
    streams = station.get("datastreams") if isinstance(station, dict) else None
    if not isinstance(streams, list):
        return data
    gateway = data["station"].get("id")  # one of its own: no silence of one station is another's
    for stream in streams:
        if isinstance(stream, dict) and isinstance(stream.get("name"), str):
            stream.setdefault("source", {"gateway": gateway, "device": "csv", "channel": stream["name"]})
    return data


def catalogue_of(description: Description, place: Place, config: Path | Traversable) -> Catalogue:
    """The station of a description, or the whole catalogue; `ConfigError` where it cannot be right."""
    if description.station is None:
        return load_catalogue(config / "catalog", Nature.EXERCISE)
    station = description.station.model_copy(update={"nature": Nature.EXERCISE})
    problems = list(_station_problems(station, place.at("station")))
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise ConfigError(problems)
    return Catalogue(stations=(station,), routes=())


def _station_problems(station: Station, place: Place) -> Iterator[Problem]:
    """As for the city's own stations, but that it may lie anywhere."""
    known = {f"{station.id}/{stream.name}": stream for stream in station.datastreams}
    for index, stream in enumerate(station.datastreams):
        where = place.at("datastreams", index)
        yield from check_datastream(stream, where)
        for path, message, remedy in neighbour_problems(stream, f"{station.id}/{stream.name}", known):
            yield where.at(*path).problem(message, remedy)
    for index, derived in enumerate(station.derived):
        where = place.at("derived", index)
        for path, message, remedy in derived_problems(derived, station):
            yield where.at(*path).problem(message, remedy)
