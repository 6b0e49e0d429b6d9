"""A batch cut into steps, such that judging them one after the other is judging row after row.

In a step each series has rows in time order that are newer than all before, or a single late row. Series that
are compared with each other also keep their order of arrival across series. Pure; used by `appraiser`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.memory import NEVER, grouped_order

Index = NDArray[np.int64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


def number_steps(series: Index, late: Mask, together: Mask) -> Index:
    """The step of each row, from 0; rows come in order of arrival.

    `late`: rows that are not newer than all before them in their series. `together`: rows of series that are
    compared with each other.
    """
    steps = np.zeros(len(series), np.int64)
    if not late.any():
        return steps
    alone = np.flatnonzero(~together)
    order = alone[grouped_order(series[alone])]
    steps[order] = _within(series[order], _breaks(late[order], series[order]))
    compared = np.flatnonzero(together)
    steps[compared] = np.cumsum(_breaks(late[compared], np.zeros(len(compared), np.int64)))
    return steps


def newest_before(series: Index, time: Times, newest: Times) -> Times:
    """The newest time of each row's series when the row comes; `newest`: what it is in memory."""
    order = grouped_order(series)
    grouped, times = series[order], time[order]
    same = grouped[1:] == grouped[:-1]
    if (same & (times[1:] <= times[:-1])).any():
        times = _running_maximum(grouped, times)
    before = np.full(len(series), NEVER)
    before[order[1:][same]] = times[:-1][same]
    return np.asarray(np.maximum(before, newest), np.int64)


def _running_maximum(grouped: Index, times: Times) -> Times:
    """The maximum so far within each group of rows."""
    known, rank = np.unique(times, return_inverse=True)
    line = _groups(grouped) * len(known) + rank  # one line of numbers on which each group is its own stretch
    return np.asarray(known[np.maximum.accumulate(line) % len(known)], np.int64)


def _breaks(late: Mask, series: Index) -> Mask:
    """Where a new step begins: at a late row, and at the row of the same series after one."""
    after = np.r_[False, late[:-1] & (series[1:] == series[:-1])] if len(late) else late
    return late | after


def _within(series: Index, breaks: Mask) -> Index:
    """The number of breaks so far within each row's own series (rows sorted by series)."""
    if not len(series):
        return np.empty(0, np.int64)
    total = np.cumsum(breaks)
    first = np.r_[True, series[1:] != series[:-1]]
    before: Index = (total - breaks)[first]
    return np.asarray(total - before[_groups(series)], np.int64)


def _groups(grouped: Index) -> Index:
    """0, 0, 1, 2, 2, ... for the series of rows that are sorted by series."""
    if not len(grouped):
        return np.empty(0, np.int64)
    return np.asarray(np.cumsum(np.r_[0, grouped[1:] != grouped[:-1]]), np.int64)
