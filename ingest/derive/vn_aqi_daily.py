"""`vn_aqi_daily`: Vietnam's air quality index of each local day (Quyết định 1459/QĐ-TCMT, 2.2.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ingest.derive.air import (
    O3_8H_TOP,
    PARTICLES,
    AirSettings,
    Analyser,
    air_problems,
    divide,
    index,
    sub_index,
    worst,
)
from ingest.derive.checks import source
from ingest.derive.kind import DAY, HOUR, Change, Computed, Fault, Floats, Kind, Series, Times, rows_for
from ingest.derive.outputs import at_ends, newest_input, span_at_ends
from ingest.derive.rain_day import Zone, phase_of

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream

DAY_HOURS = 24
EIGHT = 8
EARLIER = EIGHT - 1  # hours of the day before that the first 8 h mean of a day reaches back to
ALL_HOURS = EARLIER + DAY_HOURS
BACK = ALL_HOURS * HOUR


class VnAqiDailySettings(AirSettings):
    """The index of each day that begins at midnight in `zone`."""

    kind: Literal["vn_aqi_daily"]
    zone: Zone = "+07:00"


@dataclass(frozen=True, slots=True)
class VnAqiDaily:
    """The index at the end of each local day."""

    inputs: tuple[str, ...] = field(compare=False)
    analysers: tuple[Analyser, ...]
    phase: int
    min_coverage: float
    lookback: int
    rows: int
    lookahead: int = 0
    at_readings: bool = False

    def span(self, change: Change) -> tuple[int, int]:
        return span_at_ends(change, self.lookback, BACK)

    def affected(self, change: Change, inputs: Sequence[Series]) -> Times:
        return at_ends(change, DAY, self.phase, BACK)

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        first = int(at[0]) - BACK + HOUR
        count = (int(at[-1]) - first) // HOUR + 1
        oldest_first = ((at - first) // HOUR)[:, None] + np.arange(1 - ALL_HOURS, 1)
        sub_indices, ranks, there = {}, np.zeros(len(at), np.int8), np.zeros(len(at))
        for analyser, series in zip(self.analysers, inputs, strict=True):
            hours = analyser.hours(series, first, count).take(oldest_first)
            value = self._of_one(analyser.pollutant, hours.mean)
            sub_indices[analyser.pollutant] = value
            used = hours.rank if analyser.pollutant == "o3" else hours.rank[:, EARLIER:]
            ranks = np.maximum(ranks, worst(used, ~np.isnan(value)[:, None]))
            there += (~np.isnan(hours.mean[:, EARLIER:])).mean(axis=1)
        until = newest_input(at, self.lookback, *inputs)
        return Computed.of(at, index(sub_indices), ranks, there / len(self.inputs), until)

    def since(self, at: Times) -> Times:
        return at - DAY

    def _of_one(self, pollutant: str, hours: Floats) -> Floats:
        """One pollutant's sub-index from the hours of its day and the seven before."""
        day = hours[:, EARLIER:]
        if pollutant in PARTICLES:
            return sub_index(pollutant, self._mean(day))
        highest = sub_index(pollutant, self._max(day))
        if pollutant != "o3":
            return highest
        eight = self._max(self._mean(sliding_window_view(hours, EIGHT, axis=1)))
        eight[eight > O3_8H_TOP] = np.nan
        return np.fmax(highest, sub_index("o3_8h", eight))

    def _mean(self, values: Floats) -> Floats:
        """The mean along the last axis where enough of it is known, else NaN."""
        known = ~np.isnan(values)
        number = known.sum(axis=-1)
        total = np.where(known, values, 0.0).sum(axis=-1)
        enough = number >= self.min_coverage * values.shape[-1]
        return divide(total, number, enough)

    def _max(self, values: Floats) -> Floats:
        """The highest along the last axis where enough of it is known, else NaN."""
        known = ~np.isnan(values)
        highest = np.where(known, values, -np.inf).max(axis=-1)
        return np.where(known.sum(axis=-1) >= self.min_coverage * values.shape[-1], highest, np.nan)


def _build(settings: VnAqiDailySettings, station: Station) -> VnAqiDaily:
    analysers = Analyser.all(settings, station)
    names = tuple(settings.measured().values())
    lookback = BACK + max(analyser.cadence for analyser in analysers)
    rows = rows_for(lookback + HOUR, *(source(name, station).cadence for name in names))
    phase = phase_of("00:00", settings.zone)
    return VnAqiDaily(names, analysers, phase, settings.min_coverage, lookback, rows)


def _problems(derived: DerivedDatastream, settings: Any, station: Station) -> Iterator[Fault]:
    yield from air_problems(derived, settings, station)
    if phase_of("00:00", settings.zone) % HOUR:
        message = f"Zone {settings.zone} is not a whole number of hours."
        yield ("derive", "zone"), message, 'Write `zone: "+07:00"`.'


KIND = Kind(
    name="vn_aqi_daily",
    settings=VnAqiDailySettings,
    build=_build,
    problems=_problems,
    documentation="""\
VN_AQI of each day from midnight to midnight in `zone` (+07:00), at its end (`scheme`: VN_AQI QĐ
1459/QĐ-TCMT).

`pm2_5` and `pm10` count by the mean of 24 hourly means; `no2`, `so2` and `co` by the highest hour; `o3` by
the higher of its highest hour (1 h row) and the highest of the 24 means of eight hours that end in the day (8
h row, left out above 400 ug/m3). Hourly means, inputs and `min_coverage` are those of `vn_aqi_hourly`;
`min_coverage` is also the least share of the hours of a day, and of eight hours.

Coverage: the share of the day's hourly means that are there, over all named pollutants.
""",
)
