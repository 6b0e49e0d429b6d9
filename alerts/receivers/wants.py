"""What a receiver wants to be told of: `wants` of its settings, and the questions that a plan asks it. Pure.

A filter chooses alerts, not their ends: `alerts.delivery_plan` tells whoever was told of an alert how it goes
on and ends, and tells whoever an unanswered alert goes to, whatever the filter says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pydantic import Field

from alerts.model import Event, EventKind, Severity
from alerts.suppression import RANK, rank_of
from ingest.catalog import Catalogue, Station
from ingest.config_model import Identifier, Model, Text

EVERYBODY = "*"  # in `Event.told_to`: every receiver

Some = tuple[Identifier, ...]
Names = tuple[str, ...]


class Wants(Model):
    """A filter; each field that is given must match, by any of its entries. Without any, everything does.

    `severity`: and what is worse; of an alert about ourselves nobody knows how bad it is, and it counts as
    Severe. `rivers` and `wards` by either of their names. `unanswered_only`: nothing but alerts that nobody
    has acknowledged in time and that are passed on to this receiver.
    """

    severity: Severity | None = None
    stations: Some | None = Field(default=None, min_length=1)
    rivers: Names | None = Field(default=None, min_length=1)
    wards: Names | None = Field(default=None, min_length=1)
    tags: Some | None = Field(default=None, min_length=1)
    rules: Some | None = Field(default=None, min_length=1)
    kinds: tuple[EventKind, ...] | None = Field(default=None, min_length=1)
    unanswered_only: bool = False

    def of(self, catalogue: Catalogue) -> Callable[[Event], bool]:
        """The filter as a question about an event, over the stations of a catalogue."""
        if self.unanswered_only:
            return lambda event: False
        places = self._places(catalogue)
        least = 0 if self.severity is None else RANK.get(self.severity, 0)

        def wanted(event: Event) -> bool:
            return (
                rank_of(event) >= least
                and (places is None or event.station in places)
                and (self.rules is None or event.rule in self.rules)
                and (self.kinds is None or event.kind in self.kinds)
            )

        return wanted

    def _places(self, catalogue: Catalogue) -> frozenset[str] | None:
        """The stations that it asks for; None: any, and what is of no station too."""
        if (self.stations, self.rivers, self.wards, self.tags) == (None, None, None, None):
            return None
        return frozenset(station.id for station in catalogue.stations if self._matches(station))

    def _matches(self, station: Station) -> bool:
        return (
            (self.stations is None or station.id in self.stations)
            and _named(station.river, self.rivers)
            and _named(station.ward, self.wards)
            and (self.tags is None or not set(self.tags).isdisjoint(station.tags))
        )


def _named(name: Text | None, wanted: Names | None) -> bool:
    return wanted is None or (name is not None and (name.vi in wanted or name.en in wanted))


def everything(event: Event) -> bool:
    """The filter of who wants all."""
    return True


def area_of(catalogue: Catalogue) -> Callable[[Event], str]:
    """Where an event belongs for people: its river, else its ward, else the kind of its station."""
    areas = {station.id: _area(station) for station in catalogue.stations}
    return lambda event: areas.get(event.station, "")


def _area(station: Station) -> str:
    named = station.river or station.ward
    return named.vi if named else station.kind


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a plan asks of one receiver.

    `digest_s`: reminders of one `area` are told at most once in so many seconds, together; None: each alone.
    """

    name: str
    natures: Collection[str]
    wants: Callable[[Event], bool] = everything
    digest_s: float | None = None
    area: Callable[[Event], str] = lambda event: ""

    def called(self, event: Event) -> bool:
        """Whether an unanswered alert goes to this receiver now."""
        to = event.told_to if event.kind is EventKind.UNANSWERED else ()
        return EVERYBODY in to or self.name in to
