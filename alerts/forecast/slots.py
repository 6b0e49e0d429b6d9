"""The last day of many series: of each ten minutes of the clock the last usable sample. Pure.

A place holds the newest of all samples that fall on it, so that its content is a function of the *set* of
samples, in whatever order they came, and memory rebuilt from the database equals memory that lived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.forecast.lattice import SPAN, STEP, STEPS, Floats, Mask, Times
from ingest.memory import NEVER

CLOSE = 6  # slots that are looked at first: an hour
PLACES = STEPS + 6  # a day's slots with both ends, and room so that none of them share a place

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slots:
    """Samples (n, PLACES) of n series, place `slot % PLACES`; `NEVER` where there is none."""

    time: Times
    value: Floats

    @classmethod
    def empty(cls, series: int) -> Slots:
        """Nothing known of so many series."""
        shape = (series, PLACES)
        return cls(np.full(shape, NEVER), np.full(shape, np.nan))

    def take(self, series: NDArray[Any]) -> Slots:
        """A copy of some series."""
        return Slots(self.time[series], self.value[series])

    def replace(self, series: Index, other: Slots) -> None:
        """Put others in the place of some series."""
        self.time[series], self.value[series] = other.time, other.value

    def put(self, series: Index, time: Times, value: Floats) -> None:
        """Note one sample for each of some series, none of them twice."""
        place = time // STEP % PLACES
        newer = time > self.time[series, place]
        series, place = series[newer], place[newer]
        self.time[series, place], self.value[series, place] = time[newer], value[newer]

    def at(self, series: Index, time: Times) -> Floats:
        """The values of samples that are the newest of their slots; NaN where another one is."""
        place = time // STEP % PLACES
        return np.where(self.time[series, place] == time, self.value[series, place], np.nan)

    def before(self, series: Index, time: Times, since: Times) -> tuple[Times, Floats]:
        """Each series' newest sample from `since` until a time, both included; `NEVER` and NaN for none."""
        places = (time // STEP)[:, None] - np.arange(CLOSE)
        found, value = self._newest(series, places % PLACES, time, since)
        far = np.flatnonzero(found == NEVER)
        if len(far):
            every = np.broadcast_to(np.arange(PLACES), (len(far), PLACES))
            found[far], value[far] = self._newest(series[far], every, time[far], since[far])
        return found, value

    def _newest(self, series: Index, places: Index, time: Times, since: Times) -> tuple[Times, Floats]:
        known = self.time[series[:, None], places]
        known[(known > time[:, None]) | (known < since[:, None])] = NEVER
        rows, newest = np.arange(len(series)), known.argmax(axis=1)
        found = known[rows, newest]
        return found, np.where(found == NEVER, np.nan, self.value[series, places[rows, newest]])

    def windows(self, series: Index, newest: Times, since: Times) -> tuple[Times, Floats, Mask]:
        """The samples of some series by time, and which of them are from `since` or later, until `newest`."""
        order = np.argsort(self.time[series], axis=1)
        time = np.take_along_axis(self.time[series], order, axis=1)
        value = np.take_along_axis(self.value[series], order, axis=1)
        used = (time >= np.maximum(since, newest - SPAN)[:, None]) & (time <= newest[:, None])
        return time, value, used
