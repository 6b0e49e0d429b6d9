"""What a just observer would expect to be told of a flood, from the noise-free curves alone. Pure.

`expectations(plan)` gives windows in event time for rises, falls, rates and silences. It shares nothing with
`alerts`: levels come from the catalogue, tolerances and limits from the scenario. `judge` compares.

*Required* must be told within its window; *permitted* (near misses, slopes close to a limit, short gaps) may
be. Whatever else is told is unexpected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulators import truth_derived, truth_sensors
from simulators.expected import WIDE_TOLERANCE, Expected, Visit, What, place, visits, within
from simulators.faults import Track
from simulators.plan import Plan
from simulators.scenario import MINUTE, Limits

MAIN_TOLERANCE = (10 * MINUTE, 15 * MINUTE)  # told this much before or after the truth is still right
MARGIN = 0.01  # m above the noise: what reaches a level by less may or may not be told

RATE_WINDOW = 60  # minutes of the true slope
RATE_CLEAR_SHARE = 1.3  # of the limit: clearly above it
RATE_NEAR_SHARE = 0.6  # of the limit: an alert may be open
RATE_HELD = 45 * MINUTE
RATE_TOLERANCE = 15 * MINUTE
SILENCE_TOLERANCE = 15 * MINUTE


def expectations(plan: Plan) -> list[Expected]:
    """Everything that may or must be told, in order of truth."""
    found: list[Expected] = []
    for track in plan.tracks:
        found += _levels(plan, track)
        found += _rates(plan, track)
        found += _silences(plan, track)
        found += truth_derived.expectations(plan, track)
        found += truth_sensors.expectations(plan, track)
    return sorted(found, key=lambda expected: expected.at)


@dataclass(frozen=True, slots=True)
class Quiet:
    """None of the kinds `what` may be told of `target` from `begins` to `ends`, whatever a fault says."""

    target: str
    place: str
    what: tuple[What, ...]
    begins: int
    ends: int
    reason: str


def quiets(plan: Plan) -> list[Quiet]:
    """A spiking sensor raises nothing; a submerged one never reads as falling water while it is under."""
    found: list[Quiet] = []
    for track in plan.tracks:
        if track.spikes:
            kinds, reason = (What.RISE, What.RATE), f"{track.spikes} single wild readings"
            found.append(Quiet(track.key, place(track), kinds, plan.world.start, plan.world.end, reason))
        for begins, ends in track.submerged:
            found.append(Quiet(track.key, place(track), (What.FALL,), begins, ends, "sensor under water"))
    return found


def true_curve(plan: Plan, track: Track) -> NDArray[np.float64]:
    """The truth per minute as the sensor could see it at best: never above its blanking height."""
    water = plan.world.curve(track.spec.curve)(plan.world.minutes())
    ranging = track.datastream.ranging
    return water if ranging is None else np.minimum(water, ranging.zero_elevation - ranging.blanking)


def _levels(plan: Plan, track: Track) -> Iterator[Expected]:
    limits = plan.scenario.limits
    minutes, water = plan.world.minutes(), true_curve(plan, track)
    margin = track.spec.noise_mm / 1000 + MARGIN
    hold = limits.hold_minutes * MINUTE
    hysteresis = limits.street_hysteresis if track.station.kind == "street" else limits.hysteresis
    for rank, name, level in _ladder(plan, track, float(water.max()) + margin):
        clear = level - hysteresis
        sure = visits(minutes, water, level, clear, hold)
        maybe = visits(minutes, water, level - margin, clear + margin, hold // 2)
        for visit in sure:
            yield from _told_of(plan, track, rank, name, visit, visit.highest >= level + margin)
        for visit in maybe:
            if not any(within(stay.reached, visit) for stay in sure):
                yield from _told_of(plan, track, rank, name, visit, required=False)


def _ladder(plan: Plan, track: Track, highest: float) -> Iterator[tuple[int, str, float]]:
    """(rank, name, value) of each level: the catalogue's, and of rivers those above BĐ III in equal steps."""
    limits, levels = plan.scenario.limits, track.datastream.levels
    yield from ((level.rank, level.name, level.value) for level in levels)
    if track.station.kind != "river" or not levels or levels[-1].name != limits.steps_above:
        return
    top, number = levels[-1], 1
    while top.value + number * limits.step <= highest:
        yield top.rank + number, f"{top.name} +{number * limits.step:g} m", top.value + number * limits.step
        number += 1


def _told_of(
    plan: Plan, track: Track, rank: int, name: str, visit: Visit, required: bool
) -> Iterator[Expected]:
    """The rise at the beginning of a visit and, when there is one, the fall at its end."""
    before, after = MAIN_TOLERANCE if track.spec.main else WIDE_TOLERANCE
    rise = _expected(track, What.RISE, rank, name, visit.reached, (before, after), required)
    yield _extended(track, rise)
    if visit.fell is not None:
        left = plan.world.end if visit.left is None else visit.left
        sure = required and visit.left is not None and left + after <= plan.world.end
        fall = _expected(track, What.FALL, rank, name, left, (before, after), sure)
        # A main station leaves a level when truth has been below for the hold; waves may end it sooner.
        earliest = fall.earliest if track.spec.main and sure else visit.fell - before
        yield _extended(track, replace(fall, earliest=earliest))


def _expected(
    track: Track, what: What, rank: int, name: str, at: int, tolerance: tuple[int, int], required: bool
) -> Expected:
    return Expected(
        track.key, place(track), what, rank, name, at, at - tolerance[0], at + tolerance[1], required
    )


def _extended(track: Track, expected: Expected) -> Expected:
    """What could not be seen in time may be told once the readings are back."""
    latest = expected.latest
    for outage in track.outages:
        if outage.begins <= latest and outage.ends >= expected.at:
            latest = max(latest, outage.ends + 3 * track.cadence)
    return replace(expected, latest=latest)


def _rates(plan: Plan, track: Track) -> Iterator[Expected]:
    """River stations: how fast the water rises over an hour, while it is near or above the first level."""
    if track.station.kind != "river" or track.datastream.property != "water_level":
        return
    limits = plan.scenario.limits
    minutes, water = plan.world.minutes()[RATE_WINDOW:], true_curve(plan, track)
    slope = (water[RATE_WINDOW:] - water[:-RATE_WINDOW]) * (60 / RATE_WINDOW)
    first = next((level.value for level in track.datastream.levels if level.rank == 1), None)
    high = np.zeros(len(slope), np.bool_)
    if first is not None:
        high = water[RATE_WINDOW:] >= first - limits.rate_below_first_level
    for rank, limit in enumerate(limits.rate_per_hour, start=1):
        clear = _stretches(minutes, (slope >= RATE_CLEAR_SHARE * limit) & high)
        for begins, ends in _stretches(minutes, slope >= RATE_NEAR_SHARE * limit):
            name = f"≥ {limit * 100:.0f} cm/h"
            reached = minutes[(minutes >= begins) & (minutes <= ends) & (slope >= limit)]
            at = int(reached[0]) if len(reached) else begins
            must = _first_held(clear, begins, ends)
            latest = ends + RATE_HELD if must is None else must + RATE_HELD + RATE_TOLERANCE
            rate = _expected(track, What.RATE, rank, name, at, (0, 0), required=must is not None)
            yield _extended(track, replace(rate, earliest=begins - RATE_TOLERANCE, latest=latest))


def _first_held(clear: Sequence[tuple[int, int]], begins: int, ends: int) -> int | None:
    """When the first long enough stretch within the given times begins."""
    for first, last in clear:
        if begins <= first <= ends and last - first >= RATE_HELD:
            return first
    return None


def _stretches(minutes: NDArray[np.int64], holds: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last minute of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], holds.astype(np.int8), [0]))))
    return [
        (int(minutes[first]), int(minutes[last - 1]))
        for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]


def silence_limits(limits: Limits, cadence: int) -> tuple[int, int]:
    """After how many microseconds without an arrival a sensor is late, and silent."""
    late = max(limits.late_cadences * cadence, limits.late_minutes * MINUTE)
    silent = max(limits.silent_cadences * cadence, limits.silent_minutes * MINUTE)
    return round(late), round(silent)


def _silences(plan: Plan, track: Track) -> Iterator[Expected]:
    """Gaps between arrivals of usable readings; half the time to *late* may suffice while a river is high."""
    late, silent = silence_limits(plan.scenario.limits, track.cadence)
    arrivals = np.unique(track.arrives[~track.lost & ~track.invalid])
    for before, after in zip(arrivals[:-1].tolist(), arrivals[1:].tolist(), strict=True):
        gap = after - before
        if gap <= max(track.cadence, late // 2):
            continue
        expected = _expected(track, What.SILENCE, 0, "", before + silent, (0, SILENCE_TOLERANCE), False)
        yield replace(
            expected,
            earliest=before - MINUTE,
            latest=expected.latest if gap > silent + plan.scenario.step else after,
            required=gap > silent + plan.scenario.step,
            once=False,
        )
