"""The forecast itself: a small bank of simple members, weighted by how each has fared on this very series.

Members say by how much the level will have changed after h hours: not at all (persistence); a damped trend
`s tau (1 - exp(-h/tau))` for two spans of the slope s and three damping times tau; in falling water also a
recession towards the day's lowest level. Each is tried at every step of the last day whose outcome is known
by now, and its weight falls with a power of its mean absolute error over persistence's. At first all count
alike; that counts as much as `trust` steps of the *present* movement, so that the ripples of a quiet week say
little once a flood comes. Rising and falling water are kept apart.

The interval comes from the errors that the same weights would have made over that day, over the members'
disagreement at the time, beside such errors of other rivers. Everything is a function of one day of samples:
nothing is remembered, and nothing after the newest sample takes part.

Promises: levels shifted by a constant shift the forecast, levels scaled (with `noise`) scale it. It is no
rainfall-runoff model: it sees neither rain nor the water upstream, cannot know of a rise that has not begun,
and says nothing of a peak. Pure and vectorised over series; called by the sink, the command line, the rule
kind and the scoring.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.forecast.lattice import STEPS_PER_HOUR, Floats, Lattice, Mask, Times

MODEL = "damped-bank"
VERSION = "1"  # of members, priors and interval; whoever changes one of them raises it
# Every forecast that people see carries this, with its age, its interval and its model.
NOTICE = ("ngoại suy tự động, không phải bản tin KTTV", "automatic extrapolation, not a bulletin")

SHORT, LONG = 2, 6  # steps over which the slopes of the trends are taken: 20 and 60 minutes
DAMPING = (0.25, 1.0, 4.0)  # hours: of a creek, a small river, a large one
RECESSION = (4.0, 16.0)  # hours: e-folding times of falling water
MEMBERS = 1 + 2 * len(DAMPING) + len(RECESSION)
LEAST_RATIO = 1e-3  # a member that was never wrong is not given all the weight for ever
DOUBT = 30.0  # steps that errors elsewhere count as: five hours, as long as most horizons
STRETCH = 1.15  # of the interval: of a day's errors, which overlap, few are independent of one another
NOISE = 0.005  # m: what a gauge at rest wavers by; no interval is narrower
CHUNK = 64  # series at once: their members at every step fit into the processor's cache

PROBABILITIES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # of staying below a quantile
WAVER = (np.array(PROBABILITIES) - 0.5) / 0.4  # of the noise: as far as itself to either end of 80 %
LOW, MIDDLE, HIGH = PROBABILITIES.index(0.1), PROBABILITIES.index(0.5), PROBABILITIES.index(0.9)  # 80 %


@dataclass(frozen=True, slots=True)
class Prior:
    """What holds before a series has shown anything, for one horizon.

    `errors` (falling, rising): quantiles of errors over disagreement on other rivers, evenly spaced in
    probability; together they count as `doubt` steps.
    """

    hours: float
    trust: float
    sharpness: float
    doubt: float
    errors: tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Forecasts of n series from their newest samples, NaN where too little is known.

    `origin` and `level` (n) are those samples; `hours` the horizons; `expected` (n, hours) the levels
    forecast, and `quantile` (n, hours, len(PROBABILITIES)) the levels not passed with each probability.
    """

    origin: Times
    level: Floats
    hours: tuple[float, ...]
    expected: Floats
    quantile: Floats

    @property
    def known(self) -> Mask:
        """Which series have a forecast (n)."""
        return np.asarray(np.isfinite(self.expected).all(axis=1), np.bool_)


@dataclass(frozen=True, slots=True)
class Trial:
    """What each member said at every step of the day and what came of it, for one horizon and n series.

    `change` (MEMBERS, n, steps); `outcome` (n, steps), NaN where it is not known, or where the water went the
    other way than now; `size` (n): how far the level moves in that time at its present speed; `rising` (n).
    """

    change: Floats
    outcome: Floats
    size: Floats
    rising: Mask

    @property
    def now(self) -> Floats:
        """What each member says of the newest sample (n, MEMBERS)."""
        return self.change[:, :, -1].T


def forecast(lattice: Lattice, priors: Sequence[Prior], noise: float = NOISE) -> Forecast:
    """Forecast each series from its newest sample, at the priors' horizons; `noise` is in their unit."""
    hours = tuple(prior.hours for prior in priors)
    change = np.full((len(lattice), len(hours), 1 + len(PROBABILITIES)), np.nan)
    for part in chunks(len(lattice)):
        for place, prior in enumerate(priors):
            tried = attempt(lattice.take(part), prior.hours)
            change[part, place] = _distribution(tried, weights(tried, prior), prior, noise)
    level = lattice.level[:, -1]
    ahead = level[:, None, None] + change
    return Forecast(lattice.origin, level, hours, ahead[:, :, 0], ahead[:, :, 1:])


def chunks(count: int) -> Iterator[slice]:
    """Slices of `CHUNK` over so many series."""
    return (slice(at, at + CHUNK) for at in range(0, count, CHUNK))


def attempt(lattice: Lattice, hours: float) -> Trial:
    """Try every member at every step of the day, `hours` ahead."""
    level = lattice.level
    short, long = _rise(level, SHORT), _rise(level, LONG)
    rising = long > 0
    outcome = _rise_ahead(level, round(hours * STEPS_PER_HOUR))
    outcome[np.isnan(short + long) | (rising != rising[:, -1:])] = np.nan
    speed = np.maximum(np.abs(long[:, -1]) / LONG, np.abs(short[:, -1]) / SHORT) * STEPS_PER_HOUR
    return Trial(_changes(level, short, long, hours), outcome, speed * hours, rising[:, -1])


def weights(tried: Trial, prior: Prior) -> Floats:
    """The weight of each member (n, MEMBERS); a series' weights sum to one."""
    lost = np.column_stack([_total(np.abs(change - tried.outcome)) for change in tried.change])
    moved = _total(np.abs(tried.outcome))
    usual = moved / np.maximum((~np.isnan(tried.outcome)).sum(axis=1), 1)
    trust = prior.trust * (tried.size + usual)
    total = (trust + moved)[:, None]
    ratio = np.divide(trust[:, None] + lost, total, out=np.ones(lost.shape), where=total > 0)
    power = -prior.sharpness * np.log(np.maximum(ratio, LEAST_RATIO))
    power = np.exp(power - power.max(axis=1, keepdims=True))
    return np.asarray(power / power.sum(axis=1, keepdims=True), np.float64)


def expected(tried: Trial, weight: Floats) -> Floats:
    """The change that the weighted members expect (n)."""
    return np.asarray((tried.now * weight).sum(axis=1), np.float64)


def disagreement(tried: Trial, weight: Floats, noise: float) -> tuple[Floats, Floats]:
    """What the members under these weights expected at every step, and how far apart they were (n, steps)."""
    mean = np.einsum("kng,nk->ng", tried.change, weight)
    apart = np.zeros(mean.shape)
    for change in tried.change:
        apart += np.abs(change - mean)
    return mean, apart / MEMBERS + noise


def _distribution(tried: Trial, weight: Floats, prior: Prior, noise: float) -> Floats:
    """(n, 1 + p): the expected change, and the changes not passed with each of PROBABILITIES.

    Errors count by how much went on when they were made, over what goes on now, at most as one step.
    """
    mean, apart = disagreement(tried, weight, noise)
    error = (tried.outcome - mean) / apart
    known = ~np.isnan(error)
    count = np.where(known, np.minimum(1.0, apart / apart[:, -1:]), 0.0)
    elsewhere = np.array(prior.errors)[tried.rising.astype(np.intp)]
    error = np.concatenate([np.where(known, error, 0.0), elsewhere], axis=1)
    doubt = np.full(elsewhere.shape, prior.doubt / elsewhere.shape[1])
    spread = _quantiles(error, np.concatenate([count, doubt], axis=1))
    centre = expected(tried, weight)[:, None]
    return np.concatenate([centre, centre + _no_narrower(STRETCH * spread * apart[:, -1:], noise)], axis=1)


def _no_narrower(spread: Floats, noise: float) -> Floats:
    """The spread (n, p), at least what a gauge at rest wavers by to either side of the middle."""
    least = noise * WAVER
    return np.where(
        least < 0, np.minimum(spread, least), np.where(least > 0, np.maximum(spread, least), spread)
    )


def _quantiles(value: Floats, count: Floats) -> Floats:
    """Weighted quantiles (n, p) of (n, m) values, straight between them; beyond them the outermost."""
    order = np.argsort(value, axis=1)
    value, count = np.take_along_axis(value, order, axis=1), np.take_along_axis(count, order, axis=1)
    below = np.cumsum(count, axis=1) - count / 2
    below /= count.sum(axis=1, keepdims=True)
    found = np.empty((len(value), len(PROBABILITIES)))
    rows = np.arange(len(value))
    for place, probability in enumerate(PROBABILITIES):
        after = np.minimum((below < probability).sum(axis=1), value.shape[1] - 1)
        before = np.maximum(after - 1, 0)
        step = below[rows, after] - below[rows, before]
        share = np.divide(probability - below[rows, before], step, out=np.zeros(len(value)), where=step > 0)
        rise = value[rows, after] - value[rows, before]
        found[:, place] = value[rows, before] + np.clip(share, 0, 1) * rise
    return found


def _changes(level: Floats, short: Floats, long: Floats, hours: float) -> Floats:
    change = np.zeros((MEMBERS, *level.shape))  # the first is persistence
    member = 1
    for rise, steps in ((short, SHORT), (long, LONG)):
        for damping in DAMPING:
            gain = damping * (1 - float(np.exp(-hours / damping))) * STEPS_PER_HOUR / steps
            change[member] = rise * gain
            member += 1
    above = np.where(long > 0, 0.0, level - np.fmin.accumulate(level, axis=1))
    for recession in RECESSION:
        change[member] = above * (float(np.exp(-hours / recession)) - 1)
        member += 1
    return change


def _total(value: Floats) -> Floats:
    """The sum of each row, of what is known."""
    return np.asarray(np.nansum(value, axis=1), np.float64)


def _rise(level: Floats, steps: int) -> Floats:
    """How far each level is above the one `steps` before; NaN where that is not known."""
    rise = np.full(level.shape, np.nan)
    rise[:, steps:] = level[:, steps:] - level[:, :-steps]
    return rise


def _rise_ahead(level: Floats, steps: int) -> Floats:
    """How far each level will have risen `steps` later; NaN where that is not known."""
    rise = np.full(level.shape, np.nan)
    rise[:, :-steps] = level[:, steps:] - level[:, :-steps]
    return rise
