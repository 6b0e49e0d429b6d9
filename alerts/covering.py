"""What a maintenance window covers: measured datastreams, and what is derived from them. Pure.

Called by the command line and by the feed, where somebody begins to work on sensors.
"""

from __future__ import annotations

from ingest.catalog import Catalogue, Station
from ingest.derive import derivation
from ingest.yaml_lines import ConfigError, Problem, nearest


def covered(catalogue: Catalogue, subject: str) -> list[str]:
    """The keys of what somebody works on: measured datastreams, and what is derived from them."""
    identifier, _, name = subject.partition("/")
    station = next((each for each in catalogue.stations if each.id == identifier), None)
    measured = [each.name for each in station.datastreams] if station else []
    if station is None or not measured or (name and name not in measured):
        known = [each.id for each in catalogue.stations] + [key for key, _, _ in catalogue.datastreams()]
        remedy = nearest(subject, known) or "Name a station or a measured datastream of the catalogue."
        raise ConfigError([Problem("catalogue", None, f"No sensors are at {subject!r}.", remedy)])
    return [f"{identifier}/{each}" for each in _with_derived(station, {name} if name else set(measured))]


def _with_derived(station: Station, names: set[str]) -> list[str]:
    """The names, and those of what is derived from them, in the catalogue's order."""
    found = set(names)
    for _ in station.derived:  # what is derived from what is derived, too
        found |= {each.name for each in station.derived if found & set(derivation(each, station).inputs)}
    every = [each.name for each in station.datastreams] + [each.name for each in station.derived]
    return [each for each in every if each in found]
