"""Nested bands around what is good, as one scale on which worse is higher, so that one machine judges both
sides. Pure; used by `threshold` with `direction: outside`.

A value on the edge of the n-th band is n on the scale, one that is `back` inside that edge is n - 1/2: a
level is raised at its rank and cleared half a rank below it, whichever side the value comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HALF = 0.5
CEILING = 0.4  # beyond the last edge of a side the scale ends below the clear value of the next rank


@dataclass(frozen=True, slots=True)
class Edges:
    """One band of rank `rank`, in the unit of the series; None where that side has no limit."""

    rank: int
    low: float | None
    high: float | None


def bends(bands: Sequence[Edges], back: float) -> tuple[float, ...]:
    """The values, ascending, at which the scale bends. `ValueError` says what cannot be."""
    for side in ([one.low for one in bands], [one.high for one in bands]):
        there = [edge is not None for edge in side]
        if there != sorted(there, reverse=True):
            raise ValueError("a side that one level leaves out has a limit in a level further out")
    below = _side([-one.low for one in bands if one.low is not None], back, -1)
    above = _side([one.high for one in bands if one.high is not None], back, 1)
    if not (below and above):
        return tuple([-value for value in reversed(below)] + above)
    if -below[0] >= above[0]:
        raise ValueError("nothing is left inside the band once the clear value is taken off both edges")
    return (*(-value for value in reversed(below)), (above[0] - below[0]) / 2, *above)


def scale(low: Sequence[int], high: Sequence[int]) -> tuple[float, ...]:
    """What the bends are on the scale, from the ranks that have a limit on either side."""
    below, above = ([step for rank in side for step in (rank - HALF, float(rank))] for side in (low, high))
    return (*reversed(below), *([0.0] if below and above else []), *above)


def _side(edges: Sequence[float], back: float, sign: int) -> list[float]:
    """The bends of one side, outwards, times `sign`."""
    found: list[float] = []
    for edge in edges:
        inner = round(edge - back, 9)
        if found and inner <= found[-1]:
            raise ValueError(f"the edge {sign * edge:g} lies within `clear.inside` of the band inside it")
        found += [inner, edge]
    return found


def on_scale(value: Floats, xs: Floats, steps: Sequence[float]) -> Floats:
    """(n, k) values on the scale of their row's bends `xs` (n, m), which are `steps` (m) on it; NaN stays
    NaN.

    Beyond the outermost edge it rises by less than half a rank, however far; inside a one-sided band it
    falls.
    """
    found = np.full(value.shape, np.nan)
    for points in np.unique(xs, axis=0):
        rows = (xs == points).all(axis=1)
        part = value[rows]
        over, under = np.maximum(part - points[-1], 0.0), np.maximum(points[0] - part, 0.0)
        ends = (_beyond(under, steps[0]), _beyond(over, steps[-1]))
        found[rows] = np.interp(part, points, steps) + ends[0] + ends[1]
    return found


def _beyond(by: Floats, last: float) -> Floats:
    """How the scale goes on beyond its last bend: a rank's edge outwards, or a clear value inwards."""
    return CEILING * by / (1 + by) if last >= 1 else -by
