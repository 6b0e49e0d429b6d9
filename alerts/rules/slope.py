"""The robust slope of irregular samples: Theil-Sen, the median over all pairs (Sen 1968). Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.memory import Windows

HOUR = 3_600e6  # microseconds
MOST_POINTS = 16  # 120 pairs; more points add cost and next to no robustness
LEAST_STEP = 1e6  # microseconds; closer samples give no slope (sub-second steps divide by almost nothing)
CHUNK = 1_024  # series at once: the pairs of a chunk stay within the processor's cache


def recent_slope(
    windows: Windows, usable: NDArray[np.bool_], window: int, span: int, points: int
) -> NDArray[np.float64]:
    """Slope per hour of each series over its newest `window` microseconds.

    NaN where fewer than `points` usable rows, or rows spanning less than `span` microseconds, are there.
    """
    inside = usable & (windows.time >= windows.time[:, -1:] - window)
    return theil_sen(windows.time, np.where(inside, windows.value, np.nan), span, points)


def theil_sen(
    time: NDArray[np.int64], value: NDArray[np.float64], span: int, points: int
) -> NDArray[np.float64]:
    """Slope per hour of each row of (n, k) samples, NaN values left out."""
    parts = [
        _slopes(time[at : at + CHUNK], value[at : at + CHUNK], span, points)
        for at in range(0, len(time), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _slopes(
    time: NDArray[np.int64], value: NDArray[np.float64], span: int, points: int
) -> NDArray[np.float64]:
    usable = ~np.isnan(value)
    count = usable.sum(axis=1)
    newest = np.where(usable, time, np.iinfo(np.int64).min).max(axis=1, initial=np.iinfo(np.int64).min)
    oldest = np.where(usable, time, newest[:, None]).min(axis=1, initial=np.iinfo(np.int64).max)
    hours, value = _thinned(np.where(usable, time, newest[:, None]), value, usable, count)
    first, second = np.triu_indices(hours.shape[1], 1)
    run = hours[:, second] - hours[:, first]
    rise = value[:, second] - value[:, first]
    slope = np.full(run.shape, np.nan)
    np.divide(rise, run, out=slope, where=run >= LEAST_STEP / HOUR)
    return np.where((count >= points) & (newest - oldest >= span), _median(slope), np.nan)


def _thinned(
    time: NDArray[np.int64], value: NDArray[np.float64], usable: NDArray[np.bool_], count: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most `MOST_POINTS` usable samples of each row, evenly chosen with the newest; time in hours."""
    from_newest = np.cumsum(usable[:, ::-1], axis=1)[:, ::-1] - 1
    share = np.maximum(count, MOST_POINTS)[:, None]
    chosen = usable & ((from_newest * MOST_POINTS) // share != ((from_newest - 1) * MOST_POINTS) // share)
    order = np.argsort(chosen, axis=1, kind="stable")[:, -MOST_POINTS:]
    hours = (time - time[:, -1:]) / HOUR
    kept = np.take_along_axis(np.where(chosen, value, np.nan), order, axis=1)
    return np.take_along_axis(hours, order, axis=1), kept


def _median(slopes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of each row without its NaNs; NaN where there is nothing else."""
    if not slopes.shape[1]:
        return np.full(len(slopes), np.nan)
    ordered = np.sort(slopes, axis=1)  # NaN last
    count = (~np.isnan(slopes)).sum(axis=1)
    rows = np.arange(len(slopes))
    lower = ordered[rows, np.maximum(count - 1, 0) // 2]
    upper = ordered[rows, np.minimum(count // 2, slopes.shape[1] - 1)]
    return np.where(count == 0, np.nan, (lower + upper) / 2)
