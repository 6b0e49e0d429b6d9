"""For how long each row's series has stood still: how far back its readings lie within the tolerance.

Memory keeps, for the newest row of each series, where its line begins and what it spans: a series that goes
on standing still is then not read again to its beginning, which would cost most just where nothing happens.
It is a cache: what it answers, looking back answers too. Pure; used by `judge`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.quality import qartod
from ingest.quality.limits import Limits
from ingest.quality.lookback import NOTHING, Lookback, Vantage
from ingest.quality.rings import UNKNOWN, Lines

Index = NDArray[np.int64]
Floats = NDArray[np.float64]

LEAST_ROWS = 3  # two equal readings are no line (as in ioos_qc)
LARGEST_BLOCK = 64  # rows that are looked at together; most lines break at the first
CHUNK = 1_024  # rows whose blocks stay within the processor's cache


def find_lines(back: Lookback, limits: Limits, vantage: Vantage, value: Floats) -> Lines:
    """The line that ends with each row, which may be the row alone."""
    lines = Lines(vantage.time.copy(), value.copy(), value.copy())
    left = np.arange(len(value))
    known = left[(vantage.place == 0) & (vantage.newer == 0)]
    went_on, cached = _go_on(back, limits, vantage.take(known), value[known])
    lines.put(known[went_on], cached)
    alone = back.breaks_at_once(vantage, value, limits.tolerance)
    alone[known[went_on]] = True
    left = np.flatnonzero(~alone)
    for at in range(0, len(left), CHUNK):
        part = left[at : at + CHUNK]
        lines.put(part, _look_back(back, limits, vantage.take(part), value[part]))
    return lines


def lasted(back: Lookback, vantage: Vantage, lines: Lines) -> Floats:
    """Seconds that each line has lasted; 0 for one of fewer than three rows."""
    before = back.at(vantage, LEAST_ROWS - 1)
    enough = (before != NOTHING) & (lines.start <= back.time(before))
    return np.where(enough, (vantage.time - lines.start) / 1e6, 0.0)


def _go_on(back: Lookback, limits: Limits, vantage: Vantage, value: Floats) -> tuple[Index, Lines]:
    """Which rows go on the line of the row before them, as it is remembered, and their lines."""
    series, lines = vantage.series, back.lines(vantage.series)
    before = back.at(vantage, 1)
    high, low = np.maximum(lines.high, value), np.minimum(lines.low, value)
    on = (before != NOTHING) & (lines.start != UNKNOWN)
    on &= vantage.time - back.time(before) <= limits.reach[series]
    on &= qartod.within(high - low, limits.tolerance[series])
    rows = np.flatnonzero(on)
    start = np.maximum(lines.start[rows], back.oldest(vantage.take(rows)))
    return rows, Lines(start, high[rows], low[rows])


def _look_back(back: Lookback, limits: Limits, vantage: Vantage, value: Floats) -> Lines:
    """Block by block, until the line breaks or is as long as anybody asks."""
    longest = np.where(np.isfinite(limits.flat_fail), limits.flat_fail, limits.flat_suspect)[vantage.series]
    lines = Lines(vantage.time.copy(), value.copy(), value.copy())
    left, lag, size = np.arange(len(value)), 1, 1
    while len(left):
        address = back.block(vantage.take(left), lag, size)
        at, other, of = back.time(address), back.value(address), vantage.series[left]
        high = np.maximum.accumulate(np.vstack((lines.high[left], other)))[1:]
        low = np.minimum.accumulate(np.vstack((lines.low[left], other)))[1:]
        near = np.vstack((lines.start[left], at[:-1])) - at <= limits.reach[of]
        flat = near & (address != NOTHING) & qartod.within(high - low, limits.tolerance[of])
        length = np.logical_and.accumulate(flat).sum(axis=0)
        some = np.flatnonzero(length)
        last = length[some] - 1
        lines.put(left[some], Lines(at[last, some], high[last, some], low[last, some]))
        short = vantage.time[left] - lines.start[left] < longest[left] * 1e6
        left = left[(length == size) & short]
        lag, size = lag + size, min(4 * size, LARGEST_BLOCK)
    return lines
