"""`window_sum`: the rain of the last hours at each reading of its gauge, a lower bound with its coverage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ingest.config_model import Duration
from ingest.derive.checks import check_window, find, source
from ingest.derive.intervals import Windows
from ingest.derive.kind import Computed, Fault, Kind, Series, Times, micros, rows_for
from ingest.derive.outputs import AtReadings
from ingest.derive.rain import Gauge, RainSettings, rain_problems

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream


class WindowSumSettings(RainSettings):
    """The sum of the rain in a window that ends at each input row."""

    kind: Literal["window_sum"]
    window: Duration


@dataclass(frozen=True, slots=True)
class WindowSum(AtReadings):
    """Rain in (at - window, at]."""

    inputs: tuple[str, ...] = field(compare=False)
    gauge: Gauge
    window: int
    rows: int

    @property
    def lookback(self) -> int:
        return self.window + self.gauge.reach

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        series = inputs[0].between(int(at[0]) - self.lookback, int(at[-1]))
        intervals, fell = self.gauge.read(series)
        windows = Windows.of(intervals, at - self.window, at)
        ranks = windows.rank()
        total = np.where(ranks > 0, windows.total(fell), np.nan)
        covered = windows.covered()
        return Computed.of(at, total, self.gauge.worth(ranks, covered), covered, at)

    def since(self, at: Times) -> Times:
        return at - self.window


def _build(settings: WindowSumSettings, station: Station) -> WindowSum:
    gauge, window = Gauge.of(settings, station), micros(settings.window)
    rows = rows_for(window + gauge.reach, source(settings.of, station).cadence)
    return WindowSum((settings.of,), gauge, window, rows)


def _problems(derived: DerivedDatastream, settings: Any, station: Station) -> Iterator[Fault]:
    yield from rain_problems(derived, settings, station)
    stream = find(settings.of, station)
    if stream is not None:
        yield from check_window(settings.window, stream, "derive", "window")


KIND = Kind(
    name="window_sum",
    settings=WindowSumSettings,
    build=_build,
    problems=_problems,
    documentation="""\
Sum of rain in the `window` that ends at each reading of `of`, in its unit.

`of` holds amounts since the reading before, or with `counter: true` a count that only rises. A count that
drops has restarted from zero: the new count is what fell since, and the time before it is not covered.
`rollover` is the count at which a counter begins at 0 again. A difference that no rain can make is left out.

A reading speaks for the time since the one before it, at most 1.5 cadences; the difference of two counts
speaks for all time between them. Of what the window's begin cuts, the share in time counts; a gap longer than
1.5 cadences that it cuts counts nothing. Readings that `accept` leaves out, and negative ones, do not count.

Coverage: the share of the window that readings speak for. The sum is a lower bound; below `complete` (0.9) it
is suspect, without any reading it is unknown.
""",
)
