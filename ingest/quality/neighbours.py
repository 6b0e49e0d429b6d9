"""The neighbour test of a step: what another series says. Pure; used by `judge`.

A row is held against the newest reading that its neighbour had when the row came, in the step or in memory.
What the neighbour's spike test says is left out: its newest reading still waits for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.model import Quality
from ingest.quality import qartod
from ingest.quality.flags import Test, calibrating, failed, mask, not_evaluated, with_flags, worst
from ingest.quality.limits import Limits
from ingest.quality.lookback import NOTHING, WRONG, Lookback, Step, Vantage
from ingest.quality.rings import Rings

Index = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

USELESS = mask(Test.GROSS_RANGE, Test.SENSOR, Test.RATE_OF_CHANGE, Test.FLAT_LINE)
TREND_SLACK = 1.5  # a trend over 1 h may be taken over up to 1.5 h, where readings are late


class Neighbours:
    """Of one step against memory."""

    def __init__(self, rings: Rings, back: Lookback, limits: Limits, step: Step) -> None:
        self._rings, self._back, self._limits, self._step = rings, back, limits, step

    def judge(self, tests: Index, sound: Mask) -> Index:
        """The flags with those of the neighbour test."""
        limits, step = self._limits, self._step
        rows = np.flatnonzero(limits.neighbour_on[step.series])
        if not len(rows):
            return tests
        flags = not_evaluated(len(rows))
        compared = np.flatnonzero(sound[rows])
        asking = rows[compared]
        other, address = self._newest_of_neighbour(asking)
        near = (address != NOTHING) & (
            np.abs(other.time - step.time[asking]) <= limits.apart[step.series[asking]]
        )
        theirs = self._back.flags(address)
        near &= ~failed(theirs, USELESS) & ~calibrating(theirs)
        compared, asking, other, address = compared[near], asking[near], other.take(near), address[near]
        series, value = step.series[asking], step.value[asking]
        by_value = np.isfinite(limits.difference[series])
        different = qartod.neighbour_difference(value, self._back.value(address), limits.difference[series])
        different[~by_value] = Quality.NOT_EVALUATED
        here = self._trend(self._back.all.take(asking), value, limits.over[series])
        there = self._trend(other, self._back.value(address), limits.over[series])
        opposite = qartod.neighbour_trend(here, there, limits.trend[series])
        opposite[~np.isfinite(limits.trend[series])] = Quality.NOT_EVALUATED
        flags[compared] = worst(different, opposite)
        return with_flags(tests, rows, Test.NEIGHBOUR, flags)

    def _newest_of_neighbour(self, rows: Index) -> tuple[Vantage, Index]:
        """The newest row of each row's neighbour when the row came: in this step, or in memory."""
        step, back, size = self._step, self._back, len(self._rings)
        of = self._limits.of[step.series[rows]]
        most = int(step.order.max()) + 1
        in_order = np.flatnonzero(back.all.newer == 0)  # a late row is not the newest
        known = step.series[in_order] * most + step.order[in_order]
        place = np.searchsorted(known, of * most + step.order[rows]) - 1
        index = in_order[np.maximum(place, 0)] if len(in_order) else np.zeros(len(rows), np.int64)
        fresh = (place >= 0) & (step.series[index] == of)
        memory = back.newest(of)
        mine = back.all.take(index)
        vantage = Vantage(
            of,
            np.where(fresh, mine.place, memory.place),
            np.where(fresh, mine.newer, memory.newer),
            np.where(fresh, mine.index, memory.index),
            np.where(fresh, mine.time, memory.time),
            np.where(fresh, mine.floor, memory.floor),
        )
        stored = np.where(self._rings.count[of] > 0, self._rings.address(of, memory.newer), NOTHING)
        return vantage, np.where(fresh, size + index, stored)

    def _trend(self, vantage: Vantage, value: Floats, over: Index) -> Floats:
        """Change per hour since the newest reading at least `over` before, NaN when that is too long ago."""
        back = self._back
        found, left, lag = np.full(len(vantage), NOTHING), np.arange(len(vantage)), 0
        while len(left):
            lag += 1
            address = back.at(vantage.take(left), lag)
            left, address = left[address != NOTHING], address[address != NOTHING]
            sound = ~failed(back.flags(address), WRONG) & ~calibrating(back.flags(address))
            old = (back.time(address) <= (vantage.time - over)[left]) & sound
            found[left[old]] = address[old]
            left = left[~old]
        seconds = back.seconds(vantage, found)
        seconds[seconds > TREND_SLACK * over / 1e6] = np.nan
        return np.asarray((value - back.value(found)) / seconds * qartod.HOUR, np.float64)
