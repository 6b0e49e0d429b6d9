"""A batch cut into steps, such that judging them one after the other is judging row after row.

In a step each series has rows in time order that are newer than all before, or a single late row. Series that
are compared with each other also keep their order of arrival across series. Pure; used by `appraiser`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


def number_steps(series: Index, time: Times, newest: Times, together: Mask) -> Index:
    """The step of each row, from 0; rows come in order of arrival.

    `newest`: the newest time in memory of each row's series. `together`: rows of series that are compared.
    """
    late = _late(series, time, newest)
    if not late.any():
        return np.zeros(len(series), np.int64)
    steps = np.empty(len(series), np.int64)
    alone = np.flatnonzero(~together)
    order = alone[np.argsort(series[alone], kind="stable")]
    steps[order] = _within(series[order], _breaks(late[order], series[order]))
    compared = np.flatnonzero(together)
    steps[compared] = np.cumsum(_breaks(late[compared], np.zeros(len(compared), np.int64)))
    return steps


def _late(series: Index, time: Times, newest: Times) -> Mask:
    """Rows that are not newer than memory and than every row of their series before them."""
    late = time <= newest
    order = np.argsort(series, kind="stable")
    grouped = series[order]
    same = grouped[1:] == grouped[:-1]
    if not (same & (time[order][1:] <= time[order][:-1])).any():
        return late  # each series comes in order
    _, rank = np.unique(time, return_inverse=True)
    key = _groups(grouped) * len(series) + rank[order]
    highest = np.maximum.accumulate(key)
    behind = np.r_[False, same & (key[1:] <= highest[:-1])]
    late[order] |= behind
    return late


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
