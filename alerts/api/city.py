"""The catalogue as questions to the feed go through it: stations and datastreams by name, whom a filter
means.

Pure. `Reader.city` keeps one for the catalogue in use; every router asks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from alerts.rules.book import is_called
from ingest.catalog import Catalogue, Datastream, Station
from ingest.derive.settings import DerivedDatastream
from ingest.reload import config_version

Box = tuple[float, float, float, float]  # west, south, east, north, degrees


@dataclass(frozen=True, slots=True)
class Series:
    """One datastream, measured or derived, at its station."""

    key: str
    station: Station
    datastream: Datastream | DerivedDatastream

    @property
    def derived(self) -> DerivedDatastream | None:
        return self.datastream if isinstance(self.datastream, DerivedDatastream) else None

    @property
    def measured(self) -> Datastream | None:
        return self.datastream if isinstance(self.datastream, Datastream) else None


@dataclass(frozen=True, slots=True)
class Places:
    """Which stations are meant; what is empty or None restricts nothing."""

    stations: Sequence[str] = ()
    kinds: Sequence[str] = ()
    river: str | None = None
    ward: str | None = None
    box: Box | None = None

    @property
    def all(self) -> bool:
        return not (self.stations or self.kinds or self.river or self.ward or self.box)

    def hold(self, station: Station) -> bool:
        return (
            (not self.stations or station.id in self.stations)
            and (not self.kinds or station.kind in self.kinds)
            and (self.river is None or is_called(station.river, (self.river,)))
            and (self.ward is None or is_called(station.ward, (self.ward,)))
            and (self.box is None or _within(station, self.box))
        )


class City:
    """One catalogue and its indices, made when they are first asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    @cached_property
    def version(self) -> str:
        """Another one for every other catalogue."""
        return config_version(self.catalogue, ())

    @cached_property
    def stations(self) -> dict[str, Station]:
        return {station.id: station for station in self.catalogue.stations}

    @cached_property
    def series(self) -> dict[str, Series]:
        """Every datastream by key, the measured ones first."""
        found = [Series(*each) for each in self.catalogue.datastreams()]
        found += [Series(*each) for each in self.catalogue.derived()]
        return {each.key: each for each in found}

    @cached_property
    def measured(self) -> list[str]:
        """The keys of what is measured."""
        return [key for key, each in self.series.items() if each.measured]

    @cached_property
    def derived(self) -> list[str]:
        """The keys of what is derived."""
        return [key for key, each in self.series.items() if each.derived]

    @cached_property
    def gateways(self) -> dict[str, list[Series]]:
        """The measured datastreams that come by each gateway now, by gateway."""
        found: dict[str, list[Series]] = {}
        for each in self.series.values():
            if each.measured:
                found.setdefault(each.measured.current().source.gateway, []).append(each)
        return found

    def choose(self, places: Places) -> Iterator[Station]:
        """The stations that are meant, in the catalogue's order."""
        return (station for station in self.catalogue.stations if places.hold(station))

    def chosen(self, places: Places, properties: Sequence[str] = ()) -> list[Series]:
        """The datastreams of these stations and properties, the measured ones first."""
        return [
            each
            for each in self.series.values()
            if places.hold(each.station) and (not properties or each.datastream.property in properties)
        ]


def _within(station: Station, box: Box) -> bool:
    west, south, east, north = box
    where = station.location
    return south <= where.lat <= north and west <= where.lon <= east
