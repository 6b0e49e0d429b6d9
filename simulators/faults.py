"""What goes wrong between the water and the broker, with the truth about it. Pure; seeded generators only.

Each function takes a `Track` (one sensor's readings as columns) and changes what it says or when it says it.
`Outage` and the masks in `Track` are the ground truth of the faults. Called by `plan` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ingest.catalog import Datastream, Station
from ingest.clock import to_micros
from simulators.scenario import HOUR, MINUTE, Interval, Late, SeriesSpec, Spiking, Wear

QUIET_CADENCES = 3  # readings between two spikes: one wild sample, never a run of them
LOST_ECHO_SHARE = 0.12  # of a submerged sensor's readings: it hears no echo at all


@dataclass(frozen=True, slots=True)
class Outage:
    """Readings due from `begins` until before `ends` do not arrive, or (`late`) all arrive at `ends`.

    `newest_first`: the gateway sends its live reading before it catches up.
    """

    begins: int
    ends: int
    late: bool
    newest_first: bool = False


@dataclass(slots=True)
class Track:
    """One sensor's readings in order of time; all columns have one length.

    `time` int64 microseconds when it measured, `true` the noise-free value, `value` what it says (both in the
    datastream's unit), `invalid` where it says that it cannot measure, `arrives` int64 the tick at which its
    gateway sends it, `lost` where it is never sent.
    """

    key: str
    station: Station
    datastream: Datastream
    spec: SeriesSpec
    time: NDArray[np.int64]
    true: NDArray[np.float64]
    value: NDArray[np.float64]
    invalid: NDArray[np.bool_]
    arrives: NDArray[np.int64]
    lost: NDArray[np.bool_]
    outages: list[Outage] = field(default_factory=list)
    submerged: list[tuple[int, int]] = field(default_factory=list)  # first to last reading under water
    spikes: int = 0

    @property
    def cadence(self) -> int:
        """Microseconds between two readings."""
        return round(self.datastream.cadence * 1_000_000)


def add_noise(track: Track, rng: np.random.Generator) -> None:
    """Waves and electronics: Gaussian, bounded at `noise_mm` (2.5 standard deviations)."""
    bound = track.spec.noise_mm / 1000
    wave = np.clip(rng.normal(0.0, bound / 2.5, size=len(track.time)), -bound, bound)
    track.value = track.value + wave


def submerge(track: Track, rng: np.random.Generator) -> None:
    """From the blanking height on the sensor is under water: it repeats that distance, or hears nothing."""
    ranging = track.datastream.ranging
    assert ranging is not None, f"{track.key} has no ultrasonic sensor to submerge"
    ceiling = ranging.zero_elevation - ranging.blanking
    under = track.true >= ceiling
    track.value = np.where(under, ceiling, np.minimum(track.value, ceiling))
    track.invalid |= under & (rng.random(len(under)) < LOST_ECHO_SHARE)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], under.astype(np.int8), [0]))))
    track.submerged += [
        (int(track.time[first]), int(track.time[last - 1]))
        for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]


def stick(track: Track, interval: Interval) -> None:
    """The sensor repeats its last value exactly."""
    held = (track.time >= to_micros(interval.begins)) & (track.time < to_micros(interval.ends))
    if held.any():
        track.value[held] = track.value[np.flatnonzero(held)[0]]


def spike(track: Track, spec: Spiking, rng: np.random.Generator) -> None:
    """Single wild samples, each far from the next, none at the very first readings."""
    candidates = np.flatnonzero(rng.random(len(track.time)) < spec.share)
    previous = 0
    for index in candidates:
        if index - previous > QUIET_CADENCES:
            track.value[index] += rng.uniform(*spec.size)
            track.spikes += 1
            previous = int(index)


def wear(track: Track, spec: Wear, rng: np.random.Generator) -> None:
    """What chance does to the sensor itself: wild samples, and values that stand still."""
    if track.datastream.unit != "m":
        return
    count = len(track.time)
    for first in np.flatnonzero(rng.random(count) < spec.stuck).tolist():
        until = track.time[first] + round(rng.uniform(*spec.stuck_hours) * HOUR)
        track.value[(track.time >= track.time[first]) & (track.time < until)] = track.value[first]
    wild = np.flatnonzero(rng.random(count) < spec.spikes)
    track.value[wild] += rng.uniform(*spec.spike_metres, len(wild)) * rng.choice((-1.0, 1.0), len(wild))
    track.spikes += len(wild)


def draw_outages(track: Track, spec: Wear, rng: np.random.Generator) -> list[Outage]:
    """When its device is not heard of, and when it holds back what it has (Markov chains, by reading)."""
    drawn = []
    for first in np.flatnonzero(rng.random(len(track.time)) < spec.outages).tolist():
        lasts = rng.exponential(spec.outage_minutes) * MINUTE
        drawn.append(Outage(int(track.arrives[first]), int(track.arrives[first] + lasts), late=False))
    for first in np.flatnonzero(rng.random(len(track.time)) < spec.held_back).tolist():
        last = min(first + int(rng.integers(*spec.held_readings, endpoint=True)), len(track.time) - 1)
        begins, ends = int(track.arrives[first]), int(track.arrives[last])
        drawn.append(Outage(begins, ends, late=True, newest_first=bool(rng.random() < 0.5)))
    return drawn


def draw_late(
    spec: Late, start: int, end: int, step: int, rng: np.random.Generator
) -> list[tuple[str, Outage]]:
    """When which gateway holds its readings back; the parts of one series never touch (2 h between them)."""
    drawn: list[tuple[str, Outage]] = []
    while len(drawn) < spec.count:
        key = str(rng.choice(np.array(spec.datastreams)))
        hold = int(rng.integers(spec.hold_minutes[0], spec.hold_minutes[1] + 1)) * MINUTE
        begins = start + int(rng.integers(2 * 60 * MINUTE, end - start - 6 * 60 * MINUTE)) // step * step
        outage = Outage(begins, begins + -(-hold // step) * step, True, newest_first=bool(rng.random() < 0.5))
        if not any(other == key and _near(outage, taken) for other, taken in drawn):
            drawn.append((key, outage))
    return drawn


def _near(one: Outage, other: Outage) -> bool:
    apart = 120 * MINUTE
    return one.begins < other.ends + apart and other.begins < one.ends + apart


def interrupt(tracks: Sequence[Track], outage: Outage) -> None:
    """An outage of one device: all its channels are lost, or wait until its end, together."""
    for track in tracks:
        hit = (track.arrives >= outage.begins) & (track.arrives < outage.ends)
        if outage.late:
            track.arrives[hit] = outage.ends
        else:
            track.lost |= hit
        track.outages.append(outage)
