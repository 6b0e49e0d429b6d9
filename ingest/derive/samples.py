"""What the two kinds that look at the values themselves in a window share: settings, rows, coverage. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ingest.config_model import Duration, Identifier
from ingest.derive.checks import check_input, check_rhythm, check_same_unit, check_window, find, source
from ingest.derive.intervals import Index, Intervals, Segments, Windows
from ingest.derive.kind import (
    GOOD,
    Accept,
    DeriveSettings,
    Fault,
    Floats,
    Ranks,
    Series,
    Times,
    micros,
    rows_for,
)

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream


class SampleSettings(DeriveSettings):
    """A window over the values of one input."""

    of: Identifier
    window: Duration
    accept: Accept = GOOD


@dataclass(frozen=True, slots=True)
class Samples:
    """The counting values, and for each output the run of those in (at - window, at]."""

    value: Floats
    runs: Segments
    ranks: Ranks
    coverage: Floats

    @property
    def count(self) -> Index:
        """How many values each run has."""
        return self.runs.last - self.runs.first


@dataclass(frozen=True, slots=True)
class Sampler:
    """Takes the samples of windows. A value stands for the time before it, at most one cadence."""

    window: int
    cadence: int
    accept: Accept
    rows: int

    @classmethod
    def of(cls, settings: SampleSettings, station: Station) -> Sampler:
        window, cadence = micros(settings.window), source(settings.of, station).cadence
        return cls(window, micros(cadence), settings.accept, rows_for(window, cadence))

    def take(self, at: Times, series: Series) -> Samples:
        series = series.between(int(at[0]) - self.window, int(at[-1]))
        ranks = series.ranks(self.accept)
        windows = Windows.of(Intervals.before_each(series, ranks, self.cadence), at - self.window, at)
        counting = ranks > 0
        time = series.time[counting]
        first = np.searchsorted(time, at - self.window, "right")
        last = np.searchsorted(time, at, "right")
        return Samples(series.value[counting], Segments(first, last), windows.rank(), windows.covered())


def sample_problems(
    derived: DerivedDatastream, settings: SampleSettings, station: Station
) -> Iterator[Fault]:
    """What is wrong with a window over values."""
    yield from check_input(settings.of, station, "derive", "of")
    stream = find(settings.of, station)
    if stream is None:
        return
    yield from check_same_unit(derived, stream)
    yield from check_rhythm(derived, stream.cadence)
    yield from check_window(settings.window, stream, "derive", "window")
