"""How good forecasts are: tried at every moment of moving water of a history, against what came.

The rules, the same for all models of one run. Origins: samples at which the level has changed over the last
hour by more than 2 cm, or by more than 0.5 % of the range known until then; none where the hour has a gap.
Truth: the level h hours later, straight between two samples that have no gap between them. Score: the mean
absolute error over that of persistence. Glitches (see `without_glitches`) and flagged samples are neither
origin, nor input, nor truth.

Parameters are chosen on the *other* rivers of the run: nothing that a series is scored by was fitted on its
own river. Pure; called by the command line and by tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from alerts.forecast import model
from alerts.forecast.gates import MOVING
from alerts.forecast.lattice import (
    HOUR,
    SPAN,
    STEPS_PER_HOUR,
    Floats,
    Lattice,
    Mask,
    Times,
    lattice_of,
    levels_at,
    widest_steps,
)
from alerts.forecast.model import HIGH, LOW, Prior

SCORED = (1.0, 3.0, 6.0)  # hours
LEAST_SHARE = 0.005  # of the range known so far, in an hour
SLOPE_STEPS = 3  # the line and the damped trend take their slope over 30 minutes
PER_STEP = 0.9  # of a slope is left after 10 minutes: the damped trend as it is usually stated
FACTORS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # that a damped trend may be given by the other rivers
TRUST, SHARPNESS = (1.0, 2.0, 4.0), (8.0, 16.0, 24.0)  # that our model may be given by them
ERROR_POINTS = tuple(np.arange(0.05, 1.0, 0.1))  # evenly spaced probabilities of a prior's errors
FLOOD_APART = 6 * HOUR  # a fall below the lowest level that is shorter does not end a flood
GLITCH = 5.0  # times as far from both neighbours as they are from each other
LEAST_GLITCH = 0.1  # m


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one gauge by time, in metres, without glitches; `levels` from the lowest."""

    key: str
    river: str
    time: Times
    value: Floats
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Origins:
    """The moments at which one series is forecast: their lattices and the level after each of some hours."""

    series: Series
    lattice: Lattice
    truth: Mapping[float, Floats]

    @property
    def level(self) -> Floats:
        return self.lattice.level[:, -1]


Model = Callable[[Origins, float], Floats]  # the levels that it forecasts, some hours ahead


@dataclass(frozen=True, slots=True)
class Score:
    """One model on one series at one horizon: its mean error in metres and over persistence's; `coverage` and
    mean `width` (m) of its 80 % interval where it has one."""

    origins: int
    error: float
    ratio: float
    coverage: float | None = None
    width: float | None = None


def without_glitches(time: Times, value: Floats) -> tuple[Times, Floats]:
    """The samples but those that alone stand far from both neighbours, which agree. It sees both sides."""
    before, at, after = value[:-2], value[1:-1], value[2:]
    away = np.minimum(np.abs(at - before), np.abs(at - after))
    alone = np.zeros(len(value), np.bool_)
    alone[1:-1] = away > np.maximum(LEAST_GLITCH, GLITCH * np.abs(after - before))
    return time[~alone], value[~alone]


def origins_of(series: Series, hours: Iterable[float] = SCORED) -> Origins:
    """Every origin of a series by the rules above, with the truth at these horizons."""
    every = _lattice(series, np.arange(len(series.time)))
    chosen = np.flatnonzero(_moving(series, every))
    return Origins(series, every.take(chosen), truth(series, series.time[chosen], hours))


def at_samples(series: Series, index: NDArray[np.intp]) -> Origins:
    """Some samples of a series as origins whose truth is not asked for: to be drawn."""
    return Origins(series, _lattice(series, index), {})


def truth(series: Series, origin: Times, hours: Iterable[float]) -> dict[float, Floats]:
    """The levels some hours after n times, NaN where the history does not say."""
    whose = np.zeros(len(series.time), np.intp)
    widest = widest_steps(whose, series.time, 1)
    wanted = {each: (origin + round(each * HOUR))[None, :] for each in hours}
    return {
        each: levels_at(whose, series.time, series.value, times, widest)[0] for each, times in wanted.items()
    }


def floods(series: Series) -> list[tuple[int, int]]:
    """When the level first and last stood at its lowest level or above, for each flood."""
    if not series.levels:
        return []
    high = series.time[series.value >= series.levels[0]]
    if not len(high):
        return []
    breaks = np.flatnonzero(np.diff(high) > FLOOD_APART)
    return list(zip(high[np.r_[0, breaks + 1]].tolist(), high[np.r_[breaks, -1]].tolist(), strict=True))


def persistence(origins: Origins, hours: float) -> Floats:
    """The level stays as it is."""
    return origins.level


def line(origins: Origins, hours: float) -> Floats:
    """The level goes on as it went for half an hour."""
    return origins.level + _slope(origins) * hours


def damped(factor: float) -> Model:
    """The slope is multiplied by `factor` every 10 minutes."""

    def levels(origins: Origins, hours: float) -> Floats:
        steps = round(hours * STEPS_PER_HOUR)
        gain = factor * (1 - factor**steps) / (1 - factor) / STEPS_PER_HOUR
        return origins.level + _slope(origins) * gain

    return levels


def score(origins: Origins, hours: float, forecast: Floats) -> Score:
    """A model's forecasts against the truth."""
    return _score(origins, hours, forecast, np.full((len(forecast), 2), np.nan))


def score_ours(origins: Origins, hours: float, prior: Prior) -> Score:
    """Our model under a prior, with its interval."""
    made = model.forecast(origins.lattice, [prior])
    return _score(origins, hours, made.expected[:, 0], made.quantile[:, 0, [LOW, HIGH]])


def choose_factor(others: Sequence[Origins]) -> float:
    """The one factor for all horizons with which a damped trend is best on these series."""
    return min(FACTORS, key=lambda factor: _mean_ratio(others, damped(factor)))


def fit(others: Sequence[Origins], hours: Sequence[float] = SCORED) -> tuple[Prior, ...]:
    """The prior of each horizon that these series suggest: trust and sharpness together, then the errors."""
    rows = [(each, ahead, _attempts(each, ahead)) for each in others for ahead in SCORED]
    trust, sharpness = min(product(TRUST, SHARPNESS), key=lambda pair: _loss(rows, *pair))
    blank = Prior(0.0, trust, sharpness, model.DOUBT, ((), ()))
    return tuple(
        replace(blank, hours=each, errors=_errors(others, replace(blank, hours=each))) for each in hours
    )


def _lattice(series: Series, index: NDArray[np.intp]) -> Lattice:
    """The lattices of a series as they were at some of its samples."""
    first = np.searchsorted(series.time, series.time[index] - SPAN)
    longest = int((index - first).max(initial=0)) + 1
    place = index[:, None] - np.arange(longest - 1, -1, -1)
    known = place >= first[:, None]
    place = np.maximum(place, 0)
    parts = [
        lattice_of(series.time[place[part]], series.value[place[part]], known[part])
        for part in model.chunks(len(index))
    ]
    origin = np.concatenate([part.origin for part in parts])
    return Lattice(origin, np.concatenate([part.level for part in parts]))


def _moving(series: Series, lattice: Lattice) -> Mask:
    hour = np.abs(series.value - truth(series, series.time, [-1.0])[-1.0])
    seen = np.maximum.accumulate(series.value) - np.minimum.accumulate(series.value)
    usable = np.isfinite(lattice.level[:, -1 - STEPS_PER_HOUR :]).all(axis=1)
    return np.asarray(usable & ((hour > MOVING) | (hour > LEAST_SHARE * seen)), np.bool_)


def _slope(origins: Origins) -> Floats:
    level = origins.lattice.level
    return (level[:, -1] - level[:, -1 - SLOPE_STEPS]) * (STEPS_PER_HOUR / SLOPE_STEPS)


def _score(origins: Origins, hours: float, forecast: Floats, interval: Floats) -> Score:
    came = origins.truth[hours]
    known = ~np.isnan(came)
    came, forecast, interval = came[known], forecast[known], interval[known]
    error = float(np.abs(forecast - came).mean())
    still = float(np.abs(origins.level[known] - came).mean())
    if np.isnan(interval).all():
        return Score(len(came), error, error / still)
    covered = (came >= interval[:, 0]) & (came <= interval[:, 1])
    width = float((interval[:, 1] - interval[:, 0]).mean())
    return Score(len(came), error, error / still, float(covered.mean()), width)


def _mean_ratio(others: Sequence[Origins], levels: Model) -> float:
    return float(
        np.mean([score(each, hours, levels(each, hours)).ratio for each in others for hours in SCORED])
    )


Attempts = list[tuple[slice, model.Trial]]


def _attempts(origins: Origins, hours: float) -> Attempts:
    return [
        (part, model.attempt(origins.lattice.take(part), hours))
        for part in model.chunks(len(origins.lattice))
    ]


def _loss(rows: Sequence[tuple[Origins, float, Attempts]], trust: float, sharpness: float) -> float:
    ratios = []
    for origins, hours, attempts in rows:
        prior = Prior(hours, trust, sharpness, model.DOUBT, ((), ()))
        change = [model.expected(tried, model.weights(tried, prior)) for _, tried in attempts]
        ratios.append(score(origins, hours, origins.level + np.concatenate(change)).ratio)
    return float(np.mean(ratios))


def _errors(others: Sequence[Origins], prior: Prior) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Quantiles of errors over disagreement, in falling and in rising water, in the mean of the series."""
    found: tuple[list[Floats], list[Floats]] = ([], [])
    for origins in others:
        came = truth(origins.series, origins.lattice.origin, [prior.hours])[prior.hours] - origins.level
        error, rising = np.full(len(came), np.nan), np.zeros(len(came), np.bool_)
        for part, tried in _attempts(origins, prior.hours):
            weight = model.weights(tried, prior)
            _, apart = model.disagreement(tried, weight, model.NOISE)
            error[part] = (came[part] - model.expected(tried, weight)) / apart[:, -1]
            rising[part] = tried.rising
        for side in (False, True):
            own = error[(rising == side) & ~np.isnan(error)]
            if len(own):
                found[side].append(np.quantile(own, ERROR_POINTS))
    falling, rising_ = (tuple(np.mean(side, axis=0).round(2).tolist()) for side in found)
    return falling, rising_
