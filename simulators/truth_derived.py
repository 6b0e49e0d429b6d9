"""What a just observer would expect to be told of rain sums and releases, from the noise-free curves. Pure.

Sums and steps are worked out at each reading's time from the cumulative truth; limits come from the scenario.
Where readings were away or late, a sum was a lower bound for as long as its window reached over the gap: it
may have been told later, and its end is not required. Called by `truth`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.expected import WIDE_TOLERANCE, Expected, Visit, What, place, visits, within
from simulators.faults import Track
from simulators.plan import Plan
from simulators.scenario import HOUR, MINUTE

Values = NDArray[np.float64]
NEAR = 0.02  # of a limit: what comes nearer than this may or may not be told


@dataclass(frozen=True, slots=True)
class Ladder:
    """Limits of one derived series, and below which value each is left; `window` and `hold` microseconds."""

    target: str
    limits: tuple[float, ...]
    left: tuple[float, ...]
    window: int
    hold: int


def expectations(plan: Plan, track: Track) -> Iterator[Expected]:
    """All that may or must be told of what is derived from one sensor."""
    limits = plan.scenario.limits
    curve = plan.world.curve(track.spec.curve)
    if track.datastream.property == "rainfall":
        for hours, steps in limits.rain_mm.items():
            left = tuple(
                max(limits.rain_fraction * step, below)
                for step, below in zip(steps, (0.0, *steps[:-1]), strict=True)
            )
            target = f"{track.station.id}/rain_{hours}h"
            ladder = Ladder(target, steps, left, hours * HOUR, limits.rain_hold_minutes * MINUTE)
            yield from _told(plan, track, ladder, _change(curve(track.time), track, hours * HOUR))
    if track.datastream.property == "outflow":
        left = tuple(step - limits.outflow_back for step in limits.outflow_step)
        target = f"{track.station.id}/outflow_step_1h"
        ladder = Ladder(target, limits.outflow_step, left, HOUR, limits.hold_minutes * MINUTE)
        yield from _told(plan, track, ladder, _change(curve(track.time), track, HOUR))


def _change(total: Values, track: Track, window: int) -> Values:
    """By how much a curve has grown within a window, at each reading, or since the first one."""
    first = np.searchsorted(track.time, track.time - window)
    return total - total[first]


def _told(plan: Plan, track: Track, ladder: Ladder, value: Values) -> Iterator[Expected]:
    for rank, (limit, left) in enumerate(zip(ladder.limits, ladder.left, strict=True), start=1):
        margin = NEAR * limit
        sure = visits(track.time, value, limit, left, ladder.hold)
        maybe = visits(track.time, value, limit - margin, left + margin, ladder.hold // 2)
        for visit in sure:
            yield from _of_visit(plan, track, ladder, rank, visit, visit.highest >= limit + margin)
        for visit in maybe:
            if not any(within(stay.reached, visit) for stay in sure):
                yield from _of_visit(plan, track, ladder, rank, visit, False)


def _of_visit(
    plan: Plan, track: Track, ladder: Ladder, rank: int, visit: Visit, required: bool
) -> Iterator[Expected]:
    """The rise at the beginning of a stay, and the fall at its end."""
    before, after = WIDE_TOLERANCE
    end = plan.world.end if visit.left is None else visit.left
    gaps = _gaps(track, visit.reached - ladder.window, end)
    whole = not _gaps(track, visit.reached - ladder.window, visit.reached + after)
    latest = visit.reached + after if not gaps else max(end, max(gaps) + ladder.window) + after
    name = f"{ladder.target.partition('/')[2]} ≥ {ladder.limits[rank - 1]:g}"
    rise = (visit.reached - before, latest)
    yield _expected(track, ladder, What.RISE, rank, name, visit.reached, rise, required and whole, not gaps)
    if visit.fell is not None:
        begins = visit.reached if gaps else visit.fell - before
        ends = end + after if not gaps else max(end, max(gaps) + ladder.window) + ladder.hold + after
        must = required and not gaps and visit.left is not None and ends <= plan.world.end
        yield _expected(track, ladder, What.FALL, rank, name, end, (begins, ends), must, not gaps)


def _gaps(track: Track, begins: int, ends: int) -> Sequence[int]:
    """The ends of the outages that touch a time."""
    return [outage.ends for outage in track.outages if outage.begins <= ends and outage.ends >= begins]


def _expected(
    track: Track,
    ladder: Ladder,
    what: What,
    rank: int,
    name: str,
    at: int,
    window: tuple[int, int],
    required: bool,
    once: bool,
) -> Expected:
    return Expected(ladder.target, place(track), what, rank, name, at, *window, required, once)
