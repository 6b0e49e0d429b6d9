"""Whether the water moves as no tide does: at a tidal station nothing else may be extrapolated. Pure.

Domain 6.3: a level there is projected after four hours one way, or at 10 cm an hour or more; a tide of 0.10 m
would pass a limit of 5 cm/h some fifty times a month.
"""

from __future__ import annotations

import numpy as np

from alerts.forecast.lattice import STEPS_PER_HOUR, Lattice, Mask

TIDAL = "tidal"  # the tag of a station whose level the tide moves
FAST = 0.10  # m/h
HOURS = 4
ROUNDING = 1e-9


def beyond_tide(lattice: Lattice) -> Mask:
    """Where the water moves fast, or hour by hour one way for hours (n)."""
    hourly = np.diff(lattice.level[:, -1 - HOURS * STEPS_PER_HOUR :: STEPS_PER_HOUR], axis=1)
    fast = np.abs(hourly[:, -1]) >= FAST - ROUNDING
    return np.asarray(fast | (hourly > 0).all(axis=1) | (hourly < 0).all(axis=1), np.bool_)
