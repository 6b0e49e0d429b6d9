"""Rain in intervals: from amounts since the reading before, or from a counter that restarts and rolls over.

What a gauge did not see is never filled in: sums are lower bounds and say how much of their time is covered.
Pure; called by the kinds of rain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from ingest.config_model import Identifier
from ingest.derive.checks import check_input, check_measures, check_rhythm, check_same_unit, find, source
from ingest.derive.intervals import REACH_IN_CADENCES, Intervals
from ingest.derive.kind import (
    HOUR,
    PLAUSIBLE,
    SUSPECT,
    Accept,
    DeriveSettings,
    Fault,
    Floats,
    Ranks,
    Series,
    Times,
    micros,
)
from ingest.units import conversion

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream

# No rain is faster: the limits proposed for a gauge's gross range, 50 mm in 5 minutes and 300 mm in an hour
# (world record 305 mm). A counter that outruns both together was exchanged, set or misread.
MOST_AT_ONCE = 50.0  # mm
MOST_PER_HOUR = 300.0  # mm
ROUNDING = 1e-9  # of a share of time
COUNTER_NOISE = 0.05  # mm: half the finest bucket; a drop below it is the rounding of a float, no restart


class RainSettings(DeriveSettings):
    """Where rain comes from. `counter`: the input counts up for ever; `rollover`: the count at which it
    begins at 0 again, in the input's unit. `complete`: the coverage below which a sum is suspect."""

    of: Identifier
    counter: bool = False
    rollover: Annotated[float, Field(gt=0)] | None = None
    accept: Accept = PLAUSIBLE
    complete: Annotated[float, Field(gt=0, le=1)] = 0.9


@dataclass(frozen=True, slots=True)
class Gauge:
    """A rain gauge, ready to be read. Lengths in its unit, times in microseconds."""

    accept: Accept
    reach: int
    counter: bool
    rollover: float | None
    millimetre: float  # in the gauge's unit
    complete: float

    @classmethod
    def of(cls, settings: RainSettings, station: Station) -> Gauge:
        stream = source(settings.of, station)
        way = conversion("mm", stream.unit)
        return cls(
            settings.accept,
            micros(stream.cadence * REACH_IN_CADENCES),
            settings.counter,
            settings.rollover,
            way.numerator / way.denominator,
            settings.complete,
        )

    def read(self, series: Series) -> tuple[Intervals, Floats]:
        """The intervals before the rows, and what fell in each."""
        ranks = series.ranks(self.accept)
        ranks[series.value < 0] = 0  # neither rain nor a count is negative
        return self._counts(series, ranks) if self.counter else self._amounts(series, ranks)

    def worth(self, ranks: Ranks, covered: Floats) -> Ranks:
        """The ranks of sums that cover so much of their time: what is covered too little is suspect, since it
        may raise an alarm, and calls none off."""
        return np.where((ranks > 0) & (covered < self.complete - ROUNDING), SUSPECT, ranks)

    def _amounts(self, series: Series, ranks: Ranks) -> tuple[Intervals, Floats]:
        intervals = Intervals.before_each(series, ranks, self.reach)
        return intervals, np.where(ranks > 0, series.value, 0.0)

    def _counts(self, series: Series, ranks: Ranks) -> tuple[Intervals, Floats]:
        """Differences between counting rows: the rows between them that do not count cost nothing.

        A drop is a restart from zero: the new count fell since, what fell before it is not known.
        """
        counting = ranks > 0
        time, count = series.time[counting], series.value[counting]
        fell, most = np.diff(count), self._most(np.diff(time))
        fell[(fell < 0) & (fell >= -COUNTER_NOISE * self.millimetre)] = 0.0
        if self.rollover is not None:
            rolled = (fell < 0) & (fell + self.rollover <= most)
            fell[rolled] += self.rollover
        restarted = fell < 0
        fell = np.where(restarted, count[1:], fell)
        rain = fell <= most
        intervals = Intervals.between(time, ranks[counting], rain & ~restarted, self.reach)
        intervals.rank[~rain] = 0
        return intervals, np.where(rain, fell, 0.0)

    def _most(self, elapsed: Times) -> Floats:
        return np.asarray((MOST_AT_ONCE + MOST_PER_HOUR * elapsed / HOUR) * self.millimetre, np.float64)


def rain_problems(derived: DerivedDatastream, settings: RainSettings, station: Station) -> Iterator[Fault]:
    """What is wrong with the gauge of a sum of rain."""
    yield from check_input(settings.of, station, "derive", "of")
    stream = find(settings.of, station)
    if stream is not None:
        yield from check_measures(stream, "mm", "derive", "of")
        yield from check_same_unit(derived, stream)
        yield from check_rhythm(derived, stream.cadence)
    if settings.rollover is not None and not settings.counter:
        remedy = "Write `counter: true`, or remove `rollover`."
        yield ("derive", "rollover"), "Only a counter rolls over.", remedy
