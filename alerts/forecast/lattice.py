"""Irregular samples as levels at even steps back from each series' newest sample. Pure and vectorised.

Of the samples within the same ten minutes of the clock the last one counts, so that whoever keeps no more
sees the same. Between two samples the level is taken to run straight, but never across a gap: there it is
NaN. So a series of 1 min, one of 10 min and one that sends as it likes are looked at alike, and nothing
before a gap is joined to what came after it. Called by whoever makes or scores forecasts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MINUTE = 60 * 1_000_000  # microseconds
STEP = 10 * MINUTE  # the cadence of most river gauges; forecasts are made as often
STEPS_PER_HOUR = 6
HOUR = STEPS_PER_HOUR * STEP
STEPS = 24 * STEPS_PER_HOUR  # a day back: what the water did since is what the weights are learnt from
SPAN = STEPS * STEP
LEAST_GAP = 30 * MINUTE  # samples this close are joined whatever the cadence: one lost of 15 min is no gap
GAP_STEPS = 2.5  # and those within two and a half of the series' own usual steps

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Lattice:
    """Levels (n, STEPS + 1) of n, NaN where unknown; the last is the newest sample, of `origin` (n)."""

    origin: Times
    level: Floats

    def __len__(self) -> int:
        return len(self.origin)

    def take(self, rows: NDArray[np.intp] | slice) -> Lattice:
        return Lattice(self.origin[rows], self.level[rows])


def lattice_of(time: Times, value: Floats, usable: Mask) -> Lattice:
    """The lattice of (n, k) samples by time, newest last; `usable` marks those that may take part.

    A series without a usable sample has origin 0 and knows no level.
    """
    series, _ = np.nonzero(usable)
    at, level = time[usable], value[usable]
    last = last_of_slot(series, at)
    series, at, level = series[last], at[last], level[last]
    if not len(at):
        return Lattice(np.zeros(len(time), np.int64), np.full((len(time), STEPS + 1), np.nan))
    newest = np.searchsorted(series, np.arange(len(time)), side="right") - 1
    some = np.asarray(usable.any(axis=1), np.bool_)
    origin = np.where(some, at[newest], 0)
    wanted = origin[:, None] - np.arange(STEPS, -1, -1) * STEP
    found = levels_at(series, at, level, wanted, widest_steps(series, at, len(time)))
    return Lattice(origin, np.where(some[:, None], found, np.nan))


def last_of_slot(series: NDArray[np.intp], at: Times) -> Mask:
    """Which samples, by series and then by time, are the last of theirs in ten minutes of the clock."""
    slot = at // STEP
    last = np.ones(len(at), np.bool_)
    last[:-1] = (series[1:] != series[:-1]) | (slot[1:] != slot[:-1])
    return last


def widest_steps(series: NDArray[np.intp], at: Times, count: int) -> Times:
    """The widest step of each of `count` series that is no gap; `at` are times by series, then in order."""
    widest = np.full(count, LEAST_GAP)
    own = series[1:] == series[:-1]
    steps, owner = np.diff(at)[own], series[1:][own]
    order = np.lexsort((steps, owner))
    steps, owner = steps[order], owner[order]
    start = np.searchsorted(owner, np.arange(count))
    many = np.searchsorted(owner, np.arange(count), side="right") - start
    some = many > 0
    usual = steps[(start + many // 2)[some]]  # the median
    widest[some] = np.maximum(LEAST_GAP, (GAP_STEPS * usual).astype(np.int64))
    return widest


def levels_at(series: NDArray[np.intp], at: Times, level: Floats, wanted: Times, widest: Times) -> Floats:
    """Levels at (n, m) wanted times, NaN where unknown, from samples by series and then by time.

    `series` is each sample's row among the n; `widest` (n) is the widest step that is no gap.
    """
    rows = np.arange(len(wanted))[:, None]
    base = min(at.min(), wanted.min())
    stride = max(at.max(), wanted.max()) - base + 1  # sets the series' times apart on one axis
    found = np.searchsorted(series * stride + (at - base), (rows * stride + (wanted - base)).ravel())
    after = np.minimum(found, len(at) - 1).reshape(wanted.shape)
    exact = (series[after] == rows) & (at[after] == wanted)
    before = np.where(exact, after, np.maximum(after - 1, 0))
    apart = at[after] - at[before]
    share = np.divide(wanted - at[before], apart, out=np.zeros(wanted.shape), where=apart > 0)
    joined = (series[before] == rows) & (series[after] == rows) & (apart <= widest[:, None])
    known = exact | (joined & (at[before] < wanted) & (wanted <= at[after]))
    return np.where(known, level[before] + share * (level[after] - level[before]), np.nan)
