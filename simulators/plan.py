"""The flood as a plan: which reading each sensor takes, when its gateway sends it, in which message.

`make_plan` is pure: the same scenario, catalogue and seed always give the same bytes. `Plan.tracks` is what
truth is judged by; `Plan.messages(step)` is what goes to the broker before the step's tick.
Called by `replay`, `demo` and the command line.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.catalog import Catalogue, Datastream, Station
from ingest.clock import to_micros
from simulators import faults
from simulators.faults import Outage, Track
from simulators.gateways import Message, Sample, Topics, encode
from simulators.scenario import Scenario, SeriesSpec
from simulators.world import World

PHASE_SECONDS = 60  # sensors do not measure on the tick, each a little before it
READINGS_PER_BATCH = 72  # what a gateway sends at once when it catches up


class PlanError(Exception):
    """Scenario and catalogue do not fit; the text names what is missing."""


@dataclass(frozen=True, slots=True)
class Published:
    """What has been sent: messages, distinct readings, repeated readings, readings that must be refused."""

    messages: int
    readings: int
    repeated: int
    refused: int

    @property
    def storable(self) -> int:
        """Distinct readings that must be stored."""
        return self.readings - self.refused


class Plan:
    """All readings of a flood, and their messages step by step."""

    def __init__(self, scenario: Scenario, world: World, tracks: Sequence[Track], topics: Topics, seed: int):
        self.scenario, self.world, self.tracks = scenario, world, tuple(tracks)
        self._topics = topics
        self._seed = seed
        self._due = self._group()

    def now(self, step: int) -> int:
        """The tick that follows the step's messages, microseconds UTC."""
        return self.scenario.start + step * self.scenario.step

    def track(self, key: str) -> Track:
        """The readings of one datastream; `KeyError` when the scenario does not simulate it."""
        for track in self.tracks:
            if track.key == key:
                return track
        raise KeyError(key)

    def play(self, written: Callable[[int], int] = int) -> Iterator[tuple[int, list[Message], Published]]:
        """Each step in turn: its tick, its messages in order, and what has been sent up to and with it.

        `written` gives the time that a reading carries for the time at which it was taken. Repeats come at
        once or up to two steps later, as redundant gateways and modems repeat.
        """
        rng = _generator(self._seed, "repeats")
        waiting: dict[int, list[Message]] = defaultdict(list)
        sent = Published(0, 0, 0, 0)
        for step in range(self.scenario.steps + 1):
            fresh = [message for group in self._due[step] for message in self._encode(group, step, written)]
            for message in fresh:
                if rng.random() < self.scenario.faults.duplicates:
                    again = min(step + int(rng.integers(0, 3)), self.scenario.steps)
                    waiting[again].append(message)
            repeats = waiting.pop(step, [])
            sent = Published(
                sent.messages + len(fresh) + len(repeats),
                sent.readings + sum(message.readings for message in fresh),
                sent.repeated + sum(message.readings for message in repeats),
                sent.refused + sum(message.refused for message in fresh),
            )
            yield self.now(step), fresh + repeats, sent

    def _group(self) -> list[list[list[tuple[Track, int]]]]:
        """Per step the devices that speak at it, each with its readings oldest first."""
        groups: dict[tuple[int, str], list[tuple[Track, int]]] = defaultdict(list)
        for track in self.tracks:
            source = track.datastream.source
            for index in np.flatnonzero(~track.lost):
                step = int((track.arrives[index] - self.scenario.start) // self.scenario.step)
                groups[step, f"{source.gateway}/{source.device}"].append((track, int(index)))
        due: list[list[list[tuple[Track, int]]]] = [[] for _ in range(self.scenario.steps + 1)]
        for (step, _), readings in groups.items():
            due[step].append(sorted(readings, key=lambda reading: int(reading[0].time[reading[1]])))
        return due

    def _encode(
        self, readings: list[tuple[Track, int]], step: int, written: Callable[[int], int]
    ) -> list[Message]:
        samples = [_sample(track, index, written) for track, index in readings]
        outages = readings[-1][0].outages
        messages: list[Message] = []
        if any(outage.newest_first and outage.ends == self.now(step) for outage in outages):
            messages = encode([samples.pop()], self._topics, counter=step)
        for first in range(0, len(samples), READINGS_PER_BATCH):
            messages += encode(samples[first : first + READINGS_PER_BATCH], self._topics, counter=step)
        return messages


def _sample(track: Track, index: int, written: Callable[[int], int]) -> Sample:
    return Sample(
        track.spec,
        track.datastream,
        written(int(track.time[index])),
        float(track.value[index]),
        bool(track.invalid[index]),
        index,
    )


def make_plan(scenario: Scenario, catalogue: Catalogue, seed: int, stations: Sequence[str] = ()) -> Plan:
    """The whole flood; `stations` limits it to those ids. Raises `PlanError` when something is missing."""
    world = World(scenario, seed)
    known = {key: (station, datastream) for key, station, datastream in catalogue.datastreams()}
    wanted = [spec for spec in scenario.series if not stations or spec.datastream.split("/")[0] in stations]
    if missing := [spec.datastream for spec in wanted if spec.datastream not in known]:
        raise PlanError(f"the catalogue has no {', '.join(missing)}, which {scenario.name} simulates")
    if not wanted:
        raise PlanError(f"{scenario.name} simulates none of {', '.join(stations)}")
    tracks = [
        _track(scenario, world, spec, *known[spec.datastream], _generator(seed, spec.datastream))
        for spec in wanted
    ]
    _interrupt(scenario, tracks, _generator(seed, "outages"))
    return Plan(scenario, world, tracks, Topics(catalogue), seed)


def _generator(seed: int, name: str) -> np.random.Generator:
    """Each sensor has its own stream of chance, so that leaving one out does not change the others."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _track(
    scenario: Scenario,
    world: World,
    spec: SeriesSpec,
    station: Station,
    datastream: Datastream,
    rng: np.random.Generator,
) -> Track:
    cadence = round(datastream.cadence * 1_000_000)
    ticks = np.arange(scenario.start, scenario.end + 1, cadence, dtype=np.int64)
    device = f"{datastream.source.gateway}/{datastream.source.device}"
    time = ticks - zlib.crc32(device.encode()) % PHASE_SECONDS * 1_000_000
    curve = world.curve(spec.curve)
    true = curve(time) - curve(time - cadence) if spec.per_reading else curve(time)
    none = np.zeros(len(time), dtype=np.bool_)
    arrives = scenario.start + -(-(ticks - scenario.start) // scenario.step) * scenario.step
    track = Track(
        spec.datastream, station, datastream, spec, time, true, true.copy(), none, arrives, none.copy()
    )
    _disturb(scenario, track, rng)
    return track


def _disturb(scenario: Scenario, track: Track, rng: np.random.Generator) -> None:
    """What the sensor itself gets wrong."""
    if track.spec.noise_mm:
        faults.add_noise(track, rng)
    for interval in scenario.faults.stuck:
        if interval.datastream == track.key:
            faults.stick(track, interval)
    for spiking in scenario.faults.spiking:
        if spiking.datastream == track.key:
            faults.spike(track, spiking, rng)
    if track.key in scenario.faults.submerged:
        faults.submerge(track, rng)
    faults.wear(track, scenario.faults.wear, rng)


def _interrupt(scenario: Scenario, tracks: Sequence[Track], rng: np.random.Generator) -> None:
    """What happens between the sensors and the broker; a device's channels share its fate."""
    spec = scenario.faults
    outages = [
        (dropout.datastream, Outage(to_micros(dropout.begins), to_micros(dropout.ends), late=False))
        for dropout in spec.dropouts
    ]
    if spec.late:
        outages += faults.draw_late(spec.late, scenario.start, scenario.end, scenario.step, rng)
    for first in {_device(track): track for track in reversed(tracks)}.values():
        outages += [(first.key, outage) for outage in faults.draw_outages(first, spec.wear, rng)]
    for key, outage in outages:
        hit = [track for track in tracks if track.key == key]
        same = [
            track
            for track in tracks
            for source in (track.datastream.source,)
            if hit and (source.gateway, source.device) == _device(hit[0])
        ]
        faults.interrupt(same, outage)


def _device(track: Track) -> tuple[str, str]:
    return track.datastream.source.gateway, track.datastream.source.device
