"""Which outputs a change of the inputs bears on, for outputs at input times and at ends of periods.

Promises that outputs computed so, batch by batch in any order, end at the same rows as one pass over all
inputs: the set of output times depends on the set of input rows alone. Pure; called by the kinds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ingest.derive.kind import NEVER, Change, Series, Times


class AtReadings:
    """What derivations have in common that give an output at each row of their one input, of the rows before
    it alone."""

    __slots__ = ()
    lookahead = 0
    at_readings = True

    @property
    def lookback(self) -> int:
        raise NotImplementedError

    def span(self, change: Change) -> tuple[int, int]:
        return span_at_inputs(change, self.lookback)

    def affected(self, change: Change, inputs: Sequence[Series]) -> Times:
        return at_inputs(change, inputs[0], self.lookback)


def at_inputs(change: Change, series: Series, lookback: int) -> Times:
    """The times of rows from a changed row to `lookback` after it."""
    time = series.time[np.searchsorted(series.time, change.times[0]) :]
    nearest = change.times[np.searchsorted(change.times, time, "right") - 1]
    return time[time - nearest <= lookback]


def span_at_inputs(change: Change, lookback: int) -> tuple[int, int]:
    """Where the rows lie that `at_inputs` and then the outputs need."""
    first, last = int(change.times[0]), int(change.times[-1])
    return first - lookback, min(last + lookback, change.newest)


def at_ends(change: Change, period: int, phase: int, back: int, ahead: int = 0) -> Times:
    """The ends e of periods (e = phase modulo period) that a change bears on, none after the newest input.

    A row at t bears on t - ahead <= e < t + back. An end is due when the newest input first reaches it.
    """
    first = int(change.times[0]) - ahead
    last = int(change.times[-1]) + back - 1
    if change.before != NEVER:
        first, last = min(first, change.before + 1), max(last, change.before + back - 1)
    ends = np.arange(end_of(first, period, phase), min(last, change.newest) + 1, period, dtype=np.int64)
    index = np.searchsorted(change.times, ends + ahead, "right") - 1
    near = (index >= 0) & (ends < change.times[index] + back)
    if change.before != NEVER:
        near |= (ends > change.before) & (ends < change.before + back)
    return ends[near]


def span_at_ends(change: Change, lookback: int, back: int, ahead: int = 0) -> tuple[int, int]:
    """Where the rows lie that the outputs of `at_ends` need."""
    first = int(change.times[0]) - ahead
    last = int(change.times[-1]) + back
    if change.before != NEVER:
        first, last = min(first, change.before + 1), max(last, change.before + back)
    return first - lookback, min(last + ahead, change.newest)


def end_of(time: int, period: int, phase: int) -> int:
    """The end of the period that a time belongs to; an end belongs to the period that it ends."""
    return time + (phase - time) % period


def ends_of(time: Times, period: int, phase: int) -> Times:
    """`end_of` for a column."""
    return time + (phase - time) % period


def newest_input(at: Times, lookback: int, *inputs: Series) -> Times:
    """The newest row's time at most `lookback` before each output; the output's own where there is none."""
    newest = np.full(len(at), NEVER)
    for series in inputs:
        if len(series):
            index = np.searchsorted(series.time, at, "right") - 1
            newest = np.maximum(newest, np.where(index >= 0, series.time[index], NEVER))
    return np.where(newest < at - lookback, at, newest)
