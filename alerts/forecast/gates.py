"""What keeps a forecast from being made, as the samples themselves tell: still water, age, the tide. Pure."""

from __future__ import annotations

import numpy as np

from alerts.forecast.lattice import STEPS_PER_HOUR, Lattice, Mask

MOVING = 0.02  # m/h; below it nothing is forecast unasked

STALE_CADENCES, STALE_SECONDS = 2, 15 * 60  # domain 6.3: late after twice the cadence, at least 15 min

# Domain 6.3: at a tidal station a level is projected after four hours one way, or at 10 cm an hour or more; a
# tide of 0.10 m would pass a limit of 5 cm/h some fifty times a month.
TIDAL = "tidal"  # the tag of a station whose level the tide moves
TIDE_RATE, TIDE_HOURS = 0.10, 4  # m/h
ROUNDING = 1e-9


def stale_after(cadence: float) -> int:
    """How old (microseconds) the newest row of a series may be, from its cadence in seconds."""
    return round(max(STALE_CADENCES * cadence, STALE_SECONDS) * 1_000_000)


def beyond_tide(lattice: Lattice) -> Mask:
    """Where the water moves as no tide does: fast, or hour by hour one way for hours (n)."""
    hourly = np.diff(lattice.level[:, -1 - TIDE_HOURS * STEPS_PER_HOUR :: STEPS_PER_HOUR], axis=1)
    fast = np.abs(hourly[:, -1]) >= TIDE_RATE - ROUNDING
    return np.asarray(fast | (hourly > 0).all(axis=1) | (hourly < 0).all(axis=1), np.bool_)
