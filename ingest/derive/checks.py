"""Lint that kinds share: inputs that exist, units that fit, windows that can hold a reading. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ingest.derive.kind import Fault
from ingest.units import UNITS, UnknownUnit, conversion
from ingest.yaml_lines import nearest

if TYPE_CHECKING:
    from ingest.catalog import Datastream, Station
    from ingest.derive.settings import DerivedDatastream


def find(name: str, station: Station) -> Datastream | None:
    """The station's measured datastream of that name."""
    return next((stream for stream in station.datastreams if stream.name == name), None)


def source(name: str, station: Station) -> Datastream:
    """The same of a station that lint let pass; `ValueError` otherwise."""
    stream = find(name, station)
    if stream is None:
        raise ValueError(f"station {station.id} measures no {name!r}")
    return stream


def check_input(name: str, station: Station, *path: str) -> Iterator[Fault]:
    """That the station measures it."""
    if find(name, station) is not None:
        return
    names = [stream.name for stream in station.datastreams]
    if any(derived.name == name for derived in station.derived):
        message = f"{name!r} is itself derived."
        yield path, message, "Derive from what the station measures."
    else:
        message = f"Station {station.id} measures no {name!r}."
        yield path, message, nearest(name, names) or f"Write one of: {', '.join(names)}."


def check_same_unit(derived: DerivedDatastream, stream: Datastream) -> Iterator[Fault]:
    """That the result is in its input's unit: nothing is converted on the way."""
    if derived.unit != stream.unit:
        message = f"{derived.name} is in {derived.unit}, {stream.name} in {stream.unit}."
        yield ("unit",), message, f"Write `unit: {stream.unit}`."


def check_unit(derived: DerivedDatastream, unit: str) -> Iterator[Fault]:
    """That the result is in the one unit that it can have."""
    if derived.unit != unit:
        message = f"{derived.name} has no unit but {unit}."
        yield ("unit",), message, f'Write `unit: "{unit}"`.'


def check_measures(stream: Datastream, target: str, *path: str) -> Iterator[Fault]:
    """That an input's unit can become `target`."""
    try:
        conversion(stream.unit, target)
    except UnknownUnit as error:
        yield path, f"{stream.name} does not fit: {error}.", f"Name a datastream in {target}."


def check_window(window: float, stream: Datastream, *path: str) -> Iterator[Fault]:
    """That a window (seconds) holds a reading at its input's cadence."""
    if window < stream.cadence:
        message = f"{window:g} s are shorter than the {stream.cadence:g} s between readings of {stream.name}."
        yield path, message, "Make it at least one cadence long."


def check_rhythm(derived: DerivedDatastream, *cadences: float) -> Iterator[Fault]:
    """That results are not expected more often than they come (seconds)."""
    slowest = min(cadences, default=0.0)
    if derived.cadence < slowest:
        message = (
            f"{derived.name} would come every {derived.cadence:g} s from what comes every {slowest:g} s."
        )
        yield ("cadence",), message, "Give it the cadence of its input."


def check_names(derived: DerivedDatastream, station: Station) -> Iterator[Fault]:
    """That the result's own name and unit are its own and known."""
    measured = [stream.name for stream in station.datastreams]
    if derived.name in measured or sum(other.name == derived.name for other in station.derived) > 1:
        message = f"Station {station.id} has another datastream named {derived.name}."
        yield ("name",), message, "Give each its own name."
    if derived.unit not in UNITS:
        remedy = nearest(derived.unit, UNITS) or "Write a unit that Huewatch knows."
        yield ("unit",), f"Unit {derived.unit!r} is not known.", remedy
