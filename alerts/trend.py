"""How fast a series rises or falls, for people to read: a robust slope over its newest stretch.

Theil-Sen: the median of the slopes between all pairs, so that one spike does not tilt it. Pure. It informs a
page; alerts of the rate-of-change kind have their own windows and limits.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

WINDOW_US = 90 * 60 * 1_000_000  # robust slope of 60-90 minutes (domain.md 6.3, projection)
LEAST_SPAN_US = 20 * 60 * 1_000_000  # less than this is noise
LEAST_POINTS = 4
MOST_POINTS = 60  # pairs grow with the square; more samples do not make the median better
KEPT = 20_000  # slopes: of each of a city's series, asked for again and again until its next row comes
US_PER_HOUR = 3_600_000_000


@lru_cache(KEPT)
def slope_per_hour(times: tuple[int, ...], values: tuple[float, ...]) -> float | None:
    """Slope in the values' unit per hour, `times` ascending in microseconds; None if too little is known."""
    at = np.asarray(times[-MOST_POINTS:], np.float64)
    value = np.asarray(values[-MOST_POINTS:], np.float64)
    if len(at) < LEAST_POINTS or at[-1] - at[0] < LEAST_SPAN_US:
        return None
    earlier, later = np.triu_indices(len(at), k=1)
    apart = at[later] - at[earlier]
    distinct = apart > 0
    slopes = (value[later] - value[earlier])[distinct] / apart[distinct]
    return float(np.median(slopes)) * US_PER_HOUR
