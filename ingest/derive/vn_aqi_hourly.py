"""`vn_aqi_hourly`: Vietnam's air quality index of each full hour (Quyết định 1459/QĐ-TCMT, 2.2.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ingest.derive.air import (
    NOWCAST_HOURS,
    PARTICLES,
    AirSettings,
    Analyser,
    Hours,
    air_problems,
    index,
    nowcast,
    sub_index,
    worst,
)
from ingest.derive.checks import source
from ingest.derive.kind import HOUR, Change, Computed, Fault, Floats, Kind, Ranks, Series, Times, rows_for
from ingest.derive.outputs import at_ends, newest_input, span_at_ends

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream

BACK = NOWCAST_HOURS * HOUR  # a reading bears on its own hour and the eleven after it


class VnAqiHourlySettings(AirSettings):
    """The index of each full hour."""

    kind: Literal["vn_aqi_hourly"]


@dataclass(frozen=True, slots=True)
class VnAqiHourly:
    """The index at the end of each full hour."""

    inputs: tuple[str, ...] = field(compare=False)
    analysers: tuple[Analyser, ...]
    lookback: int
    rows: int
    lookahead: int = 0
    at_readings: bool = False

    def span(self, change: Change) -> tuple[int, int]:
        return span_at_ends(change, self.lookback, BACK)

    def affected(self, change: Change, inputs: Sequence[Series]) -> Times:
        return at_ends(change, HOUR, 0, BACK)

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        first = int(at[0]) - BACK + HOUR
        count = (int(at[-1]) - first) // HOUR + 1
        newest_first = ((at - first) // HOUR)[:, None] - np.arange(NOWCAST_HOURS)
        sub_indices, ranks = {}, np.zeros(len(at), np.int8)
        for analyser, series in zip(self.analysers, inputs, strict=True):
            hours = analyser.hours(series, first, count).take(newest_first)
            sub_indices[analyser.pollutant], rank = _of_one(analyser.pollutant, hours)
            ranks = np.maximum(ranks, rank)
        known = sum(~np.isnan(values) for values in sub_indices.values())
        until = newest_input(at, self.lookback, *inputs)
        return Computed.of(at, index(sub_indices), ranks, np.asarray(known / len(self.inputs)), until)

    def since(self, at: Times) -> Times:
        return at - HOUR


def _of_one(pollutant: str, hours: Hours) -> tuple[Floats, Ranks]:
    """One pollutant's sub-index, and the rank of the hours behind it."""
    if pollutant not in PARTICLES:
        value = sub_index(pollutant, hours.mean[:, 0])
        return value, hours.rank[:, 0]
    value = sub_index(pollutant, nowcast(hours.mean))
    return value, worst(hours.rank, ~np.isnan(value)[:, None])


def _build(settings: VnAqiHourlySettings, station: Station) -> VnAqiHourly:
    analysers = Analyser.all(settings, station)
    names = tuple(settings.measured().values())
    lookback = BACK + max(analyser.cadence for analyser in analysers)
    rows = rows_for(lookback + HOUR, *(source(name, station).cadence for name in names))
    return VnAqiHourly(names, analysers, lookback, rows)


def _problems(derived: DerivedDatastream, settings: Any, station: Station) -> Iterator[Fault]:
    yield from air_problems(derived, settings, station)


KIND = Kind(
    name="vn_aqi_hourly",
    settings=VnAqiHourlySettings,
    build=_build,
    problems=_problems,
    documentation="""\
VN_AQI of each full hour (`scheme`: VN_AQI QĐ 1459/QĐ-TCMT), a whole number from 0 to 500; `unit: "1"`.

`pm2_5` and `pm10` count by NowCast of twelve hourly means (two of the newest three needed; divided by its
weights also where w = 1/2), `o3` by its 1 h row, `no2`, `so2` and `co` by the hour's mean. The index is the
highest sub-index; without PM2.5 and PM10 there is none. Inputs may be in ug/m3 or mg/m3; ppb must have become
ug/m3 before.

A reading belongs to the hour that ends at or after its time. An hour has a mean when its readings, each for
at most one cadence, speak for `min_coverage` (0.75) of it. The index of an hour is there once any input has
come from its end or later; late readings correct the hours up to eleven later.

Coverage: the share of the named pollutants that had a sub-index. The index is a lower bound below 1.
""",
)
