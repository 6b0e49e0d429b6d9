"""What may or must be told, and the stays above a level that it is worked out from. Pure.

Shared by the parts of the truth; it knows nothing of `alerts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simulators.faults import Track
from simulators.scenario import MINUTE

# Told this much before or after the truth is still right, of stations that are not main: waves, slow cadence.
WIDE_TOLERANCE = (30 * MINUTE, 45 * MINUTE)


class What(StrEnum):
    """What is told."""

    RISE = "rise"
    FALL = "fall"
    RATE = "rate"
    SILENCE = "silence"
    SUBMERGED = "under water"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Expected:
    """One thing to be told of `target` from `earliest` to `latest`, true at `at` (microseconds UTC).

    `level` is the level's rank (RISE: reached, FALL: left, RATE: the limit's place; all others: 0).
    `once`: a second telling within the window is unexpected.
    """

    target: str
    place: str
    what: What
    level: int
    level_name: str
    at: int
    earliest: int
    latest: int
    required: bool
    once: bool = True


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay above a level: reached, last seen falling below it, and left (None: not until the end)."""

    reached: int
    highest: float
    fell: int | None
    left: int | None


def visits(
    minutes: NDArray[np.int64], water: NDArray[np.float64], level: float, leave_below: float, hold: int
) -> list[Visit]:
    """Stays above `level`; one ends once the water has been below `leave_below` for `hold` microseconds."""
    found: list[Visit] = []
    reached = fell = below_since = None
    highest = level
    for time, value in zip(minutes.tolist(), water.tolist(), strict=True):
        if reached is None:
            if value >= level:
                reached, highest, fell, below_since = time, value, None, None
            continue
        highest = max(highest, value)
        fell = None if value >= level else fell or time
        below_since = None if value >= leave_below else below_since or time
        if below_since is not None and time - below_since >= hold:
            found.append(Visit(reached, highest, fell, time))
            reached = None
    if reached is not None:
        found.append(Visit(reached, highest, fell, None))
    return found


def within(time: int, visit: Visit) -> bool:
    return visit.reached <= time and (visit.left is None or time <= visit.left)


def place(track: Track) -> str:
    """The station's name, the English one beside it where it differs."""
    name = track.station.name
    return name.vi if name.vi == name.en else f"{name.vi} ({name.en})"
