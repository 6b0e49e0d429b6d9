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
from alerts.forecast.model import PROBABILITIES, Forecast
from ingest.catalog import Level

STEP_ABOVE = 0.5  # m: above its highest level a gauge is counted in half metres (domain: escalation)
MINUTES = 5  # the times that are told are this exact
EARLY, LATE = 0.1, 0.9  # of the 80 % interval of the time


@dataclass(frozen=True, slots=True)
class Mark:
    """The level that comes next."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Passing:
    """How a mark is approached. `within`: the probability at each horizon of having passed it by then.

    Times in hours from the newest sample: by when it is passed with 10, 50 and 90 %; None: not within the
    longest horizon.
    """

    mark: Mark
    within: tuple[float, ...]
    earliest: float | None
    median: float | None
    latest: float | None


def next_mark(value: float, levels: Sequence[Level]) -> Mark | None:
    """The lowest level above a value, and above them all the next half metre; None without levels."""
    above = [level for level in levels if level.value > value]
    if above:
        return Mark(above[0].name, above[0].value)
    if not levels:
        return None
    top = levels[-1]
    steps = math.floor(round((value - top.value) / STEP_ABOVE, 9)) + 1
    return Mark(f"{top.name} +{steps * STEP_ABOVE:.1f} m".replace(".", ","), top.value + steps * STEP_ABOVE)


def passing(made: Forecast, row: int, mark: Mark) -> Passing:
    """How series `row` approaches a mark."""
    time = np.arange(0, round(made.hours[-1] * 60) + 1, MINUTES) / 60
    knots = np.array([0.0, *made.hours])
    paths = np.column_stack(
        [np.interp(time, knots, np.r_[made.level[row], path]) for path in made.quantile[row].T]
    )
    chance = np.maximum.accumulate([_chance(levels, mark.value) for levels in paths])
    within = tuple(float(chance[np.searchsorted(time, hours)]) for hours in made.hours)
    return Passing(mark, within, *(_first(time, chance, share) for share in (EARLY, 0.5, LATE)))


def exceeded(made: Forecast, within: float, probability: float) -> Floats:
    """The level (n) that is passed within so many hours with at least this probability; NaN: not known."""
    knots = np.array([0.0, *made.hours])
    below = np.array(PROBABILITIES)
    path = np.array(
        [[np.interp(1 - probability, below, levels) for levels in series] for series in made.quantile]
    ).reshape(len(made.level), len(made.hours))
    path = np.column_stack([made.level, path])
    last = np.array([np.interp(within, knots, levels) for levels in path]).reshape(len(path), 1)
    return np.asarray(np.column_stack([path[:, knots < within], last]).max(axis=1), np.float64)


def _chance(levels: Floats, mark: float) -> float:
    return 1 - float(np.interp(mark, levels, PROBABILITIES))


def _first(time: Floats, chance: Floats, share: float) -> float | None:
    reached = np.flatnonzero(chance >= share - 1e-9)  # 1 - 0.9 is a little less than 0.1
    return float(time[reached[0]]) if len(reached) else None
