"""One look at the whole city, shared by everybody who asks within a second.

Promises: what it shows is one view of the database, never older than `HOLD_S`, and never older than an event
that the feed has told; it says itself how far it sees, and is thrown away when that changes. Looks are taken
one at a time, so that many askers cost as much as one. Called by the endpoints of stations and newest values.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from alerts import feed_store, handling_store, store, wire
from alerts.api.answers import weak_tag
from alerts.api.city import City
from alerts.api.reader import POOL_WAIT_S, Connection, Reader, Unavailable
from alerts.handling import Story
from alerts.sight import AsOf, aged
from alerts.station_view import Results, Standing, Windows, station_json, station_state
from alerts.trend import WINDOW_US
from ingest.catalog import Station
from ingest.store import maintenance

HOLD_S = 1.0  # readings come every few minutes; a console asks once per event


@dataclass(frozen=True, slots=True)
class View:
    """The city as it stood at one moment. `tag` changes with anything that is shown but the age of
    `as_of`."""

    taken: float
    as_of: AsOf
    tag: str
    head: int
    city: City
    windows: Windows
    results: Results
    standing: Standing
    _told: dict[str, msgspec.Raw] = field(default_factory=dict)

    def station(self, station: Station) -> msgspec.Raw:
        """One station as JSON, written once."""
        told = self._told.get(station.id)
        if told is None:
            told = msgspec.Raw(
                wire.encode(station_json(station, self.windows, self.results, self.standing, self.as_of))
            )
            self._told[station.id] = told
        return told

    def state(self, station: Station) -> str:
        return station_state(station, self.windows, self.standing, self.as_of)


class Board:
    """Takes the looks. `monotonic` in seconds."""

    def __init__(self, reader: Reader, monotonic: Callable[[], float]) -> None:
        self._reader = reader
        self._monotonic = monotonic
        self._taking = threading.Lock()
        self._view: View | None = None

    def look(self, head: int | None) -> tuple[View, AsOf]:
        """The city, not older than event `head`, and how far it sees at this moment. Raises `Unavailable`."""
        if not self._taking.acquire(timeout=POOL_WAIT_S):
            raise Unavailable("somebody else's look at the whole city takes too long")
        try:
            view = self._view
            if view is None or not self._holds(view, head):
                view = self._view = self._take(view)
            return view, self._aged(view)
        finally:
            self._taking.release()

    def forget(self) -> None:
        """Take a new look for whoever asks next."""
        self._view = None

    def _holds(self, view: View, head: int | None) -> bool:
        return (
            self._monotonic() - view.taken < HOLD_S
            and (head is None or view.head >= head)
            and view.city is self._reader.city
            and self._aged(view).state is view.as_of.state
        )

    def _aged(self, view: View) -> AsOf:
        return aged(view.as_of, self._monotonic() - view.taken, view.city.catalogue)

    def _take(self, last: View | None) -> View:
        city, taken = self._reader.city, self._monotonic()
        with self._reader.snapshot() as connection:
            as_of = self._reader.as_of(connection)
            head = store.head(connection)
            works = maintenance.standing(connection)
            tag = weak_tag(
                feed_store.commits(connection), head, works, city.version, as_of.state, as_of.reason
            )
            if last is not None and last.tag == tag:
                return View(
                    taken, as_of, tag, head, city, last.windows, last.results, last.standing, last._told
                )
            windows = feed_store.windows(connection, self._reader.nature, city.measured, WINDOW_US)
            results = feed_store.newest_results(connection, self._reader.nature, city.derived)
            as_of = self._reader.as_of(connection, {key: rows[-1].time for key, rows in windows.items()})
            return View(taken, as_of, tag, head, city, windows, results, standing_of(connection))


def standing_of(connection: Connection) -> Standing:
    """The open alerts, with what people have done, and who works on which sensors."""
    opened = [alert.newest for alert in store.open_alerts(connection)]
    handled = handling_store.touched(connection, [one.event.alert_id for one in opened])
    told = [handled.get(one.event.alert_id, Story(one)) for one in opened]
    return Standing.of(told, maintenance.standing(connection))
