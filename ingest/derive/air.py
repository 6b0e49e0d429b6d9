"""VN_AQI's arithmetic: hourly means, NowCast and sub-indices. Concentrations in ug/m3.

Quyết định 1459/QĐ-TCMT of 12-11-2019, section 2: table 2 (breakpoints), 2.2.1 (hourly index), 2.2.2 (daily
index). An hour is named by its end: the hour of 10:00 holds readings after 09:00 and up to 10:00. Pure;
called by the kinds `vn_aqi_hourly` and `vn_aqi_daily`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ingest.config_model import Identifier
from ingest.derive.checks import check_input, check_measures, check_rhythm, check_unit, find, source
from ingest.derive.kind import (
    DECIMALS,
    GOOD,
    HOUR,
    Accept,
    Bools,
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

SCHEME: Literal["VN_AQI QĐ 1459/QĐ-TCMT"] = "VN_AQI QĐ 1459/QĐ-TCMT"
UNIT = "ug/m3"

INDEX = (0, 50, 100, 150, 200, 300, 400, 500)
# Table 2: the concentrations at which `INDEX` is reached. No gaps between bands, unlike the EPA's tables; CO
# is in ug/m3 like all others. O3 8 h ends at 300: above 400 ug/m3 the 1 h row alone speaks.
BREAKPOINTS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "pm2_5": (0, 25, 50, 80, 150, 250, 350, 500),
        "pm10": (0, 50, 150, 250, 350, 420, 500, 600),
        "o3": (0, 160, 200, 300, 400, 800, 1_000, 1_200),
        "o3_8h": (0, 100, 120, 170, 210, 400),
        "no2": (0, 100, 200, 700, 1_200, 2_350, 3_100, 3_850),
        "so2": (0, 125, 350, 550, 800, 1_600, 2_100, 2_630),
        "co": (0, 10_000, 30_000, 45_000, 60_000, 90_000, 120_000, 150_000),
    }
)
O3_8H_TOP = 400.0
PARTICLES = ("pm2_5", "pm10")  # one of the two is mandatory
POLLUTANTS = (*PARTICLES, "o3", "no2", "so2", "co")
NOWCAST_HOURS = 12


class AirSettings(DeriveSettings):
    """Which datastream measures which pollutant; `min_coverage`: the least share of an hour for a mean."""

    scheme: Literal["VN_AQI QĐ 1459/QĐ-TCMT"] = SCHEME
    pm2_5: Identifier | None = None
    pm10: Identifier | None = None
    o3: Identifier | None = None
    no2: Identifier | None = None
    so2: Identifier | None = None
    co: Identifier | None = None
    min_coverage: Annotated[float, Field(gt=0, le=1)] = 0.75
    accept: Accept = GOOD

    def measured(self) -> dict[str, str]:
        """Pollutant -> datastream, in the order of `POLLUTANTS`."""
        named = {pollutant: getattr(self, pollutant) for pollutant in POLLUTANTS}
        return {pollutant: name for pollutant, name in named.items() if name is not None}


@dataclass(frozen=True, slots=True)
class Hours:
    """Hourly means of one pollutant, one column per hour: NaN where too little of the hour is known."""

    mean: Floats
    rank: Ranks

    def take(self, index: Times) -> Hours:
        """The hours of an index of any shape."""
        return Hours(self.mean[index], self.rank[index])


@dataclass(frozen=True, slots=True)
class Analyser:
    """One pollutant's input, ready to be read by the hour."""

    pollutant: str
    factor: float  # its unit in ug/m3
    cadence: int
    accept: Accept
    min_coverage: float

    @classmethod
    def all(cls, settings: AirSettings, station: Station) -> tuple[Analyser, ...]:
        """Those of the settings, in the order of their inputs."""
        found = []
        for pollutant, name in settings.measured().items():
            stream = source(name, station)
            way = conversion(stream.unit, UNIT)
            factor, cadence = way.numerator / way.denominator, micros(stream.cadence)
            found.append(cls(pollutant, factor, cadence, settings.accept, settings.min_coverage))
        return tuple(found)

    def hours(self, series: Series, first: int, count: int) -> Hours:
        """The means of the `count` hours from the one that ends at `first`.

        A reading belongs to the hour of its time and stands for one cadence at most, so that 75 % of an hour
        are 75 % of its readings. Noise below zero is zero.
        """
        series = series.between(first - HOUR - self.cadence, first + (count - 1) * HOUR)
        ranks = series.ranks(self.accept)
        stands = np.minimum(np.diff(series.time, prepend=first - 2 * HOUR - self.cadence), self.cadence)
        hour = -((first - series.time) // HOUR)
        counting = (ranks > 0) & (hour >= 0)
        hour, ranks = hour[counting], ranks[counting]
        number = np.bincount(hour, minlength=count)
        covered = np.bincount(hour, stands[counting], count)
        total = np.bincount(hour, np.maximum(series.value[counting], 0.0), count).astype(np.float64)
        known = (number > 0) & (covered >= self.min_coverage * HOUR)
        mean = divide(total, number, known)
        rank = np.zeros(count, np.int8)
        np.maximum.at(rank, hour, ranks)
        return Hours(np.round(mean * self.factor, DECIMALS), np.where(known, rank, np.int8(0)))


def divide(total: Floats, number: NDArray[Any], known: Bools) -> Floats:
    """Total by number where that is known, else NaN."""
    share = np.full(total.shape, np.nan)
    np.divide(total, number, out=share, where=known)
    return share


def nowcast(hours: Floats) -> Floats:
    """NowCast of n rows of 12 hourly means (n, 12), the newest first, NaN where there is none (2.2.1 a).

    The weights are powers of w = max(cmin/cmax, 1/2); an hour without a mean has none. Unknown unless two of
    the newest three hours are there. The decree prints the case w = 1/2 without its divisor, which differs
    by 0.03 % with all twelve hours and by much more with gaps: the divided form holds here for both.
    """
    known = ~np.isnan(hours)
    low = np.where(known, hours, np.inf).min(axis=1)
    high = np.where(known, hours, -np.inf).max(axis=1)
    ratio = np.divide(low, high, out=np.ones(len(hours)), where=np.isfinite(high) & (high > 0))
    weight = np.maximum(ratio, 0.5)[:, None] ** np.arange(NOWCAST_HOURS)
    weight = np.where(known, weight, 0.0)
    enough = known[:, :3].sum(axis=1) >= 2
    sums = (weight * np.where(known, hours, 0.0)).sum(axis=1)
    return divide(sums, weight.sum(axis=1), enough)


def sub_index(row: str, concentration: Floats) -> Floats:
    """The sub-index by one row of table 2 (formula 1), not rounded; 500 from the top on, NaN for NaN."""
    breakpoints = BREAKPOINTS[row]
    return np.asarray(np.interp(concentration, breakpoints, INDEX[: len(breakpoints)]), np.float64)


def index(sub_indices: Mapping[str, Floats]) -> Floats:
    """The highest sub-index as a whole number, halves up; NaN where there is none of PM2.5 and PM10."""
    table = np.array(list(sub_indices.values()))
    highest = np.where(np.isnan(table), -np.inf, table).max(axis=0)
    particles = np.array([~np.isnan(sub_indices[name]) for name in PARTICLES if name in sub_indices])
    whole = np.floor(np.round(highest, DECIMALS) + 0.5)
    return np.where(particles.any(axis=0), whole, np.nan)


def worst(ranks: Ranks, known: Bools) -> Ranks:
    """The highest rank along the last axis of what was used."""
    return np.asarray(np.where(known, ranks, np.int8(0)).max(axis=-1), np.int8)


def air_problems(derived: DerivedDatastream, settings: AirSettings, station: Station) -> Iterator[Fault]:
    """What is wrong with an index of air quality."""
    yield from check_unit(derived, "1")
    measured = settings.measured()
    if not measured.keys() & set(PARTICLES):
        yield ("derive",), "There is no index without PM2.5 or PM10.", "Add `pm2_5:` or `pm10:`."
    for pollutant, name in measured.items():
        yield from check_input(name, station, "derive", pollutant)
        stream = find(name, station)
        if stream is None:
            continue
        yield from check_measures(stream, UNIT, "derive", pollutant)
        if stream.property != pollutant:
            message = f"{name} measures {stream.property}, not {pollutant}."
            yield ("derive", pollutant), message, f"Name a datastream with `property: {pollutant}`."
        if stream.cadence > HOUR / micros(1):
            message = f"{name} comes every {stream.cadence:g} s: it has no hourly means."
            yield ("derive", pollutant), message, "Leave it out."
    yield from check_rhythm(derived, HOUR / micros(1))
