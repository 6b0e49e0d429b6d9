"""When a level will be passed, and how likely: read off a forecast's quantiles. Pure.

Between the horizons each quantile runs straight, from the newest sample on. A level counts as passed within a
time when it is passed at any moment until then. Probabilities below 5 % and above 95 % are not told apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerts.forecast.lattice import Floats
from alerts.forecast.model import PROBABILITIES, Forecast, chunks
from ingest.catalog import Level

STEP_ABOVE = 0.5  # m: above its highest level a gauge is counted in half metres (domain: escalation)
PER_HOUR = 12  # the times that are told are exact to 5 minutes
SHARES = (0.1, 0.5, 0.9)  # the probabilities of which the time is told: the middle, and 80 % around it
ROUNDING = 1e-9  # 1 - 0.9 is a little less than 0.1
BELOW = np.array(PROBABILITIES)


@dataclass(frozen=True, slots=True)
class Mark:
    """The level that comes next."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Passing:
    """How n marks are approached. `within` (n, hours): the probability of having passed by each horizon.

    `hours` (n, 3): from the newest sample until the mark is passed with 10, 50 and 90 %; NaN: not within the
    longest horizon.
    """

    within: Floats
    hours: Floats


def next_mark(value: float, levels: Sequence[Level]) -> Mark | None:
    """The lowest level above a value, and above them all the next half metre; None without levels."""
    above = [level for level in levels if level.value > value]
    if above:
        return Mark(above[0].name, above[0].value)
    if not levels:
        return None
    top = levels[-1]
    over = (math.floor(round((value - top.value) / STEP_ABOVE, 9)) + 1) * STEP_ABOVE
    return Mark(f"{top.name} +{over:.1f} m".replace(".", ","), round(top.value + over, 9))


def passing(made: Forecast, marks: Floats) -> Passing:
    """How each series approaches its mark (n); NaN where there is no forecast or no mark."""
    within, hours = np.full((len(marks), len(made.hours)), np.nan), np.full((len(marks), len(SHARES)), np.nan)
    time = np.arange(round(made.hours[-1] * PER_HOUR) + 1) / PER_HOUR
    horizons = np.searchsorted(time, made.hours)
    for part in chunks(len(marks)):
        chance = _chance(_paths(made, time, part), marks[part])
        within[part] = chance[:, horizons]
        for place, share in enumerate(SHARES):
            reached = chance >= share - ROUNDING
            hours[part, place] = np.where(reached.any(axis=1), time[reached.argmax(axis=1)], np.nan)
    return Passing(within, hours)


def exceeded(made: Forecast, within: float, probability: float) -> Floats:
    """The level (n) that is passed within so many hours with at least this probability; NaN: not known."""
    time = np.array([0.0, *(hours for hours in made.hours if hours < within), within])
    paths = _paths(made, time, slice(None))
    after = int(np.searchsorted(BELOW, 1 - probability + ROUNDING).clip(1, len(BELOW) - 1))
    share = np.clip((1 - probability - BELOW[after - 1]) / (BELOW[after] - BELOW[after - 1]), 0, 1)
    levels = paths[:, :, after - 1] + share * (paths[:, :, after] - paths[:, :, after - 1])
    return np.asarray(levels.max(axis=1), np.float64)


def _paths(made: Forecast, time: Floats, part: slice) -> Floats:
    """The quantiles (n, times, probabilities) of a part of the series, straight between the horizons."""
    level = np.repeat(made.level[part, None, None], len(PROBABILITIES), axis=2)
    knots = np.concatenate([level, made.quantile[part]], axis=1)
    hours = np.array([0.0, *made.hours])
    after = np.searchsorted(hours, time).clip(1, len(hours) - 1)
    share = ((time - hours[after - 1]) / (hours[after] - hours[after - 1]))[None, :, None]
    return np.asarray(knots[:, after - 1] + share * (knots[:, after] - knots[:, after - 1]), np.float64)


def _chance(paths: Floats, mark: Floats) -> Floats:
    """The probability (n, times) of having passed a mark by each time."""
    after = (paths < mark[:, None, None]).sum(axis=2).clip(1, len(BELOW) - 1)
    lower = np.take_along_axis(paths, after[:, :, None] - 1, axis=2)[:, :, 0]
    upper = np.take_along_axis(paths, after[:, :, None], axis=2)[:, :, 0]
    rise = upper - lower
    share = np.divide(
        mark[:, None] - lower, rise, out=(mark[:, None] > lower).astype(np.float64), where=rise > 0
    )
    below = BELOW[after - 1] + np.clip(share, 0, 1) * (BELOW[after] - BELOW[after - 1])
    known = np.isfinite(paths).all(axis=2) & np.isfinite(mark)[:, None]
    return np.maximum.accumulate(np.where(known, 1 - below, np.nan), axis=1)
