"""Water that rises and falls as a seed says: what forecasts are tried on where the truth must be known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MINUTE = 60_000_000
START = 1_761_523_200_000_000  # 2025-10-27T00:00Z; any time would do

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


def flood(seed: int, days: float = 3.0, step: float = 10.0, noise: float = 0.003) -> tuple[Times, Floats]:
    """Times and levels (m) of a river: storms through three reservoirs in a row, and a noisy gauge.

    Reservoirs of one to six hours make anything from a creek to a river; two to four storms last 2 to 24 h,
    every hour of them rains as it likes. `step` in minutes.
    """
    random = np.random.default_rng(seed)
    count, per_hour = round(days * 24 * 60 / step), round(60 / step)
    rain = np.zeros(count)
    for _ in range(random.integers(2, 5)):
        begin, hours = int(random.integers(0, count)), int(random.integers(2, 25))
        storm = np.repeat(
            random.gamma(0.7, 1.4, hours) * np.sin(np.pi * (np.arange(hours) + 0.5) / hours), per_hour
        )
        rain[begin : begin + len(storm)] += storm[: count - begin]
    for hours in random.uniform(1.0, 6.0, 3):
        rain = _reservoir(rain, step / 60 / hours)
    time = START + (np.arange(count) * step * MINUTE).astype(np.int64)
    return time, 0.4 + 1.5 * rain**0.6 + random.normal(0.0, noise, count)


def _reservoir(inflow: Floats, share: float) -> Floats:
    """What leaves a store that gives back a share of its content in each step."""
    held, out = 0.0, np.empty(len(inflow))
    for place, comes in enumerate(inflow):
        held += share * (comes - held)
        out[place] = held
    return out


def windows_at(time: Times, value: Floats, ends: NDArray[np.intp], rows: int) -> tuple[Times, Floats]:
    """The newest `rows` samples as they were at some of them; all must have so many."""
    place = ends[:, None] - np.arange(rows - 1, -1, -1)
    return time[place], value[place]
