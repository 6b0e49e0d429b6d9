"""`days_left`: how long a battery lasts at the trend of its last days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ingest.clock import MICROS_PER_SECOND
from ingest.config_model import Duration, Identifier
from ingest.derive.checks import check_input, check_rhythm, check_unit, check_window, find, source
from ingest.derive.intervals import Segments
from ingest.derive.kind import (
    GOOD,
    Accept,
    Computed,
    DeriveSettings,
    Fault,
    Floats,
    Kind,
    Series,
    Times,
    micros,
    rows_for,
)
from ingest.derive.outputs import AtReadings
from ingest.derive.samples import Sampler

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream

# Each part's mean takes part in the trend. A battery follows the temperature of the day: in the usual window
# of 14 days a part is a day.
PARTS = 14
NEWEST = 3  # parts that say where the battery stands: an exchanged one is believed after the second of them
FEWEST_PARTS = 3  # of two, one that is wrong would be the trend
# A trend below the noise of any cell is no trend: what lasts longer than this is said to last this long.
MOST_DAYS = 365.0
MOST_ROWS = 5_000  # in memory for each battery: 125 kB
SECONDS_A_DAY = 86_400


class DaysLeftSettings(DeriveSettings):
    """`of`: the battery, in % or V; `empty`: at which value, in its unit, the device ends."""

    kind: Literal["days_left"]
    of: Identifier
    empty: float
    window: Duration = 14 * 86_400.0
    span: Duration = 3 * 86_400.0
    points: Annotated[int, Field(ge=FEWEST_PARTS, le=PARTS)] = 6
    accept: Accept = GOOD


@dataclass(frozen=True, slots=True)
class DaysLeft(AtReadings):
    """Days from `at` until the trend of (at - window, at] reaches `empty`."""

    inputs: tuple[str, ...] = field(compare=False)
    sampler: Sampler
    empty: float
    span_needed: int
    points: int
    rows: int

    @property
    def lookback(self) -> int:
        return self.sampler.window

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        samples = self.sampler.take(at, inputs[0])
        series = inputs[0].between(int(at[0]) - self.lookback, int(at[-1]))
        series = series.take(series.ranks(self.sampler.accept) > 0)
        day, mean = self._parts(at, series)
        days = self._days(day, mean)
        days[self._length(series, samples.runs) < self.span_needed] = np.nan
        return Computed.of(at, days, samples.ranks, samples.coverage, at)

    def since(self, at: Times) -> Times:
        return at - self.lookback

    def _parts(self, at: Times, series: Series) -> tuple[Floats, Floats]:
        """Mean time (days, `at` is 0) and mean value of each part of each window, NaN where it is empty.

        Sums of whole seconds are exact, so that no mean depends on what stands beside it.
        """
        steps = np.arange(PARTS + 1) * self.lookback // PARTS
        edges = np.searchsorted(series.time, at[:, None] - self.lookback + steps, "right")
        parts = Segments(edges[:, :-1].ravel(), edges[:, 1:].ravel())
        count = (parts.last - parts.first).astype(np.float64).reshape(len(at), PARTS)
        count[count == 0] = np.nan
        second = (series.time // MICROS_PER_SECOND).astype(np.float64)
        now = (at // MICROS_PER_SECOND).astype(np.float64)[:, None]
        elapsed = parts.sums(second).reshape(count.shape) - count * now
        mean = parts.sums(series.value).reshape(count.shape) / count
        return elapsed / count / SECONDS_A_DAY, mean

    def _days(self, day: Floats, mean: Floats) -> Floats:
        """From the parts' means: days until the robust line through them is at `empty`."""
        first, second = _pairs()
        run = day[:, second] - day[:, first]
        rise = mean[:, second] - mean[:, first]
        slope = _median(np.divide(rise, run, out=np.full(run.shape, np.nan), where=run > 0))
        left = _median(_newest(mean - slope[:, None] * day)) - self.empty
        lasting = -slope * MOST_DAYS < left  # flat and rising batteries too
        days = np.divide(left, -slope, out=np.full(len(left), MOST_DAYS), where=~lasting & (slope < 0))
        days = np.where(left <= 0, 0.0, days)
        enough = (~np.isnan(mean)).sum(axis=1) >= self.points
        return np.where(enough & ~np.isnan(slope), days, np.nan)

    def _length(self, series: Series, runs: Segments) -> NDArray[np.int64]:
        """From the first reading of each window that counts to the last."""
        if not len(series):
            return np.zeros(len(runs.first), np.int64)
        first = np.minimum(runs.first, len(series) - 1)
        return np.where(runs.last > runs.first, series.time[runs.last - 1] - series.time[first], 0)


@lru_cache(maxsize=1)
def _pairs() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every two parts, the earlier one first."""
    return np.triu_indices(PARTS, 1)


def _newest(values: Floats) -> Floats:
    """Each row with NaN for all but its last `NEWEST` numbers."""
    known = ~np.isnan(values)
    behind = np.cumsum(known[:, ::-1], axis=1)[:, ::-1]
    return np.where(known & (behind <= NEWEST), values, np.nan)


def _median(values: Floats) -> Floats:
    """Of each row, without its NaNs; NaN where there is nothing else."""
    ordered = np.sort(values, axis=1)  # NaN last
    count = (~np.isnan(values)).sum(axis=1)
    row = np.arange(len(values))
    lower, upper = ordered[row, np.maximum(count - 1, 0) // 2], ordered[row, count // 2]
    return np.where(count == 0, np.nan, (lower + upper) / 2)


def _build(settings: DaysLeftSettings, station: Station) -> DaysLeft:
    cadence, window = source(settings.of, station).cadence, micros(settings.window)
    rows = rows_for(window, cadence)
    sampler = Sampler(window, micros(cadence), settings.accept, rows)
    return DaysLeft((settings.of,), sampler, settings.empty, micros(settings.span), settings.points, rows)


def _problems(derived: DerivedDatastream, settings: Any, station: Station) -> Iterator[Fault]:
    yield from check_unit(derived, "d")
    yield from check_input(settings.of, station, "derive", "of")
    stream = find(settings.of, station)
    if stream is None:
        return
    yield from check_rhythm(derived, stream.cadence)
    yield from check_window(settings.window, stream, "derive", "window")
    if stream.unit not in ("%", "V"):
        message = f"{stream.name} is in {stream.unit}; a battery is in % or V."
        yield ("derive", "of"), message, "Name the battery's datastream."
    if settings.span > settings.window:
        message = f"A span of {settings.span:g} s does not fit into a window of {settings.window:g} s."
        yield ("derive", "span"), message, "Make the window longer, or the span shorter."
    if rows_for(micros(settings.window), stream.cadence) > MOST_ROWS:
        message = f"The window holds more than {MOST_ROWS} readings of {stream.name}."
        yield ("derive", "window"), message, "Make it shorter."


KIND = Kind(
    name="days_left",
    settings=DaysLeftSettings,
    build=_build,
    problems=_problems,
    documentation="""\
Days until the battery `of` (% or V) is at `empty` if it goes on as in the `window` (14 d) that ends at each
of its readings.

The readings are averaged over each fourteenth of the window, which is a day of the usual one, since a cell
follows the day's temperature. The trend is the median slope between all pairs of these means (Theil-Sen), the
present value the median of the newest three, taken along it: single wild readings change neither. At least
`points` (6) of the fourteenths must have a reading, and the readings must span `span` (3 d); with less the
days are unknown.

At most 365: a battery that falls more slowly, does not fall, or rises since it was exchanged, lasts "a year
or more". One at or below `empty` has 0 days. Lithium cells hold their voltage until shortly before their end:
of volts, trust few days rather than many.

Coverage: the share of the window that readings speak for, each for the time since the one before it, at most
one cadence.
""",
)
