"""The truth: what the water and the rain do, without noise and without sensors. Pure.

`World.curve(name)` gives a function from times (microseconds UTC, int64 array) to metres or millimetres.
River levels are PCHIP through dated points, with a small tide at low water; streets fill from the river or
from rain; rain falls in gamma pulses under sin² envelopes (figures: domain notes 7.1 to 7.3).
Truth knows nothing of alerts, noise or faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ingest.clock import to_micros
from simulators.scenario import (
    HOUR,
    MINUTE,
    CurveSpec,
    FollowCurve,
    PointsCurve,
    RainCurve,
    Scenario,
    StreetCurve,
)

Times = NDArray[np.int64]
Values = NDArray[np.float64]
Curve = Callable[[Times], Values]

# Period in hours, and share of the amplitude: M2, S2, K1, O1 at Thuận An (from memory, unverified).
CONSTITUENTS = ((12.4206, 0.17), (12.0, 0.06), (23.9345, 0.04), (25.8193, 0.03))
CONSTITUENTS_SUM = sum(share for _, share in CONSTITUENTS)

PULSE = 5 * MINUTE  # rain falls in pulses of this length
PULSE_SHAPE = 0.5  # gamma shape: many dry pulses, few violent ones
HEAVIEST_MM_PER_HOUR = 110.0
BUCKET_MM = 0.2  # one tip of the gauge


class World:
    """All curves of a scenario, built once from its seed."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.start, self.end = scenario.start, scenario.end
        self._curves: dict[str, Curve] = {}
        for index, (name, spec) in enumerate(scenario.curves.items()):
            self._curves[name] = self._build(spec, np.random.default_rng([seed, index]))

    def curve(self, name: str) -> Curve:
        """The truth of that name; `KeyError` when the scenario has none."""
        return self._curves[name]

    def minutes(self) -> Times:
        """Every minute of the scenario: the grid on which truth is judged."""
        return np.arange(self.start, self.end + MINUTE, MINUTE, dtype=np.int64)

    def _build(self, spec: CurveSpec, rng: np.random.Generator) -> Curve:
        match spec:
            case PointsCurve():
                return _points(spec, self.start)
            case FollowCurve():
                return _follow(spec, self._curves)
            case StreetCurve():
                return self._street(spec)
            case RainCurve():
                return self._rain(spec, rng)

    def _street(self, spec: StreetCurve) -> Curve:
        river = self._curves[spec.of] if spec.of else None
        pond = self._pond(spec) if spec.rain else None

        def depth(times: Times) -> Values:
            water = np.zeros(len(times))
            if river is not None:
                water += spec.share * np.maximum(river(times) - spec.bank, 0.0)
            return water if pond is None else water + pond(times)

        return depth

    def _pond(self, spec: StreetCurve) -> Curve:
        """Rain intensity (mm/h) through one linear reservoir of `drain_hours`, times metres per mm/h."""
        assert spec.rain is not None
        grid = np.arange(self.start, self.end + PULSE, PULSE, dtype=np.int64)
        intensity = np.diff(self._curves[spec.rain](grid), prepend=0.0) * (HOUR / PULSE)
        keep = float(np.exp(-(PULSE / HOUR) / spec.drain_hours))
        stored = np.empty(len(grid))
        level = 0.0
        for index, rate in enumerate(intensity):
            level = keep * level + (1 - keep) * float(rate)
            stored[index] = level
        return lambda times: spec.metres_per_mm_hour * np.interp(times, grid, stored)

    def _rain(self, spec: RainCurve, rng: np.random.Generator) -> Curve:
        """Cumulative millimetres as a tipping bucket counts them."""
        grid = np.arange(self.start, self.end + PULSE, PULSE, dtype=np.int64)
        fallen = np.zeros(len(grid))
        for storm in spec.storms:
            begins, ends = to_micros(storm.begins), to_micros(storm.ends)
            phase = np.clip((grid - begins) / (ends - begins), 0.0, 1.0)
            mean = (
                storm.total_mm * spec.factor * PULSE / (ends - begins)
            )  # of a pulse; sin² halves its double
            pulses = rng.gamma(PULSE_SHAPE, 2 * mean / PULSE_SHAPE, size=len(grid))
            fallen += np.sin(np.pi * phase) ** 2 * pulses
        fallen = np.minimum(fallen, HEAVIEST_MM_PER_HOUR * PULSE / HOUR)
        total = np.cumsum(fallen)
        return lambda times: np.floor(np.interp(times, grid, total) / BUCKET_MM + 1e-9) * BUCKET_MM


def _points(spec: PointsCurve, start: int) -> Curve:
    at = np.array([(to_micros(moment) - start) / HOUR for moment, _ in spec.points])
    from scipy.interpolate import PchipInterpolator  # half a second that other commands need not wait

    smooth = PchipInterpolator(at, np.array([value for _, value in spec.points]))

    def level(times: Times) -> Values:
        hours = np.clip((times - start) / HOUR, at[0], at[-1])
        still = np.asarray(smooth(hours), dtype=np.float64)
        return still + _tide(spec, hours, still) if spec.tide else still

    return level


def _tide(spec: PointsCurve, hours: Values, still: Values) -> Values:
    """The sea's ripple: whole at low water, drowned by the river well before the first alert level."""
    phase = np.clip((still - spec.tide_full_below) / (spec.tide_gone_above - spec.tide_full_below), 0.0, 1.0)
    damping = 1.0 - phase * phase * (3.0 - 2.0 * phase)
    wave = np.zeros(len(hours))
    for period, share in CONSTITUENTS:
        wave += share * np.cos(2 * np.pi * hours / period)
    return spec.tide * damping * wave / CONSTITUENTS_SUM


def _follow(spec: FollowCurve, known: Mapping[str, Curve]) -> Curve:
    other, lag = known[spec.of], round(spec.lag_hours * HOUR)
    return lambda times: spec.offset + spec.scale * other(times - lag)
