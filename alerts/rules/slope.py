"""The robust slope of irregular samples: Theil-Sen, the median over all pairs (Sen 1968). Pure."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ingest.memory import Windows

HOUR = 3_600e6  # microseconds
MOST_POINTS = 16  # 120 pairs; more points add cost and next to no robustness
LEAST_STEP = 1e6  # microseconds; closer samples give no slope (sub-second steps divide by almost nothing)
CHUNK = 1_024  # series at once: the pairs of a chunk stay within the processor's cache
ROUNDING = 1e-9  # of a difference of values; keeps the quick test on the safe side

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


def recent_slope(
    windows: Windows,
    usable: Mask,
    window: int,
    span: float | Floats,
    points: float | Floats,
    floor: Floats | None = None,
) -> Floats:
    """Slope per hour of each series over its newest `window` microseconds.

    NaN where fewer than `points` usable rows, or rows spanning less than `span` microseconds, are there
    (one number, or one for each series); and where the slope is found to be below `floor` (per series)
    without working it out.
    """
    inside = usable & (windows.time >= windows.time[:, -1:] - window)
    value = np.where(inside, windows.value, np.nan)
    slope = np.full(len(windows), np.nan)
    asked = (
        np.arange(len(windows)) if floor is None else np.flatnonzero(may_reach(windows.time, value, floor))
    )
    spans, least = (np.broadcast_to(np.asarray(one, np.float64), len(windows)) for one in (span, points))
    for at in range(0, len(asked), CHUNK):
        part = asked[at : at + CHUNK]
        slope[part] = theil_sen(windows.time[part], value[part], spans[part], least[part])
    return slope


def theil_sen(time: Times, value: Floats, span: float | Floats, points: float | Floats) -> Floats:
    """Slope per hour of each row of (n, k) samples, sorted by time, NaN values left out."""
    usable = ~np.isnan(value)
    count = usable.sum(axis=1)
    if count.max(initial=0) < 2:
        return np.full(len(time), np.nan)
    if count.max() > MOST_POINTS:
        time, value, usable = _thinned(time, value, usable, count)
    some = usable.any(axis=0)
    time, value, usable = time[:, some], value[:, some], usable[:, some]
    newest = np.where(usable, time, np.iinfo(np.int64).min).max(axis=1)
    oldest = np.where(usable, time, np.iinfo(np.int64).max).min(axis=1)
    first, second = _pairs(value.shape[1])
    run = (time[:, second] - time[:, first]) / HOUR
    rise = value[:, second] - value[:, first]  # NaN where either is not usable
    slope = np.divide(rise, run, out=np.full(run.shape, np.nan), where=run >= LEAST_STEP / HOUR)
    return np.where((count >= points) & (newest - oldest >= span), _median(slope), np.nan)


def may_reach(time: Times, value: Floats, floor: Floats) -> Mask:
    """Whether the median slope of each row of (n, k) samples can be at or above `floor` per hour.

    Without a division or a sort: it cannot unless half of the pairs rise once `floor` is taken off.
    """
    asked = np.isfinite(floor)
    if not asked.any():
        return ~asked
    hours = (time - time[:, -1:]) / HOUR
    rest = np.ascontiguousarray((value - hours * np.where(asked, floor, 0.0)[:, None]).T)
    count = (~np.isnan(rest)).sum(axis=0)
    rising = np.zeros(len(time), np.int16)
    for step in range(1, len(rest)):
        rises = rest[step:] - rest[:-step] >= -ROUNDING
        rising += rises.view(np.int8).sum(axis=0, dtype=np.int16)
    close = (np.diff(time, axis=1) < LEAST_STEP).any(axis=1)
    return np.asarray(close | ~asked | (2 * rising >= count * (count - 1) // 2 - 1), np.bool_)


@lru_cache(maxsize=64)
def _pairs(points: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(points, 1)


def _thinned(
    time: Times, value: Floats, usable: Mask, count: NDArray[np.int64]
) -> tuple[Times, Floats, Mask]:
    """At most `MOST_POINTS` usable samples of each row, evenly chosen, the newest among them."""
    from_newest = np.cumsum(usable[:, ::-1], axis=1)[:, ::-1] - 1
    share = np.maximum(count, MOST_POINTS)[:, None]
    chosen = usable & ((from_newest * MOST_POINTS) // share != ((from_newest - 1) * MOST_POINTS) // share)
    order = np.argsort(chosen, axis=1, kind="stable")[:, -MOST_POINTS:]
    chosen = np.take_along_axis(chosen, order, axis=1)
    kept = np.take_along_axis(value, order, axis=1)
    return np.take_along_axis(time, order, axis=1), np.where(chosen, kept, np.nan), chosen


def _median(slopes: Floats) -> Floats:
    """Median of each row without its NaNs; NaN where there is nothing else."""
    ordered = np.sort(slopes, axis=1)  # NaN last
    count = (~np.isnan(slopes)).sum(axis=1)
    rows = np.arange(len(slopes))
    lower = ordered[rows, np.maximum(count - 1, 0) // 2]
    upper = ordered[rows, np.minimum(count // 2, slopes.shape[1] - 1)]
    return np.where(count == 0, np.nan, (lower + upper) / 2)
