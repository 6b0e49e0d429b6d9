"""Which crossings of a level were real: worked out from the series itself, or written down by people. Pure.

A true crossing is the first sample of the centred median-of-5 series at or above a level that stays there for
30 minutes. The median takes out what one or two samples say alone, whatever their flags; half an hour is
the time that a level must have been left for before its alert ends. `Truth` is a YAML of labelled events:
crossings as people saw them, and jumps of which no alert may come. Called by `huewatch backtest`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ingest.config_model import DatastreamKey, Model
from ingest.installation import Time
from ingest.yaml_lines import ConfigError, Problem, display_name, parse_model, read_yaml, yaml_text

MEDIAN = 5  # samples
STAYS = 30 * 60 * 1_000_000  # microseconds
GRACE = 2  # received samples after a crossing, by the last of which it must have been told

Times = NDArray[np.int64]
Floats = NDArray[np.float64]


class Event(Model):
    """A crossing that happened: `at` is its first sample."""

    datastream: DatastreamKey
    level: Annotated[str, Field(min_length=1)]
    at: Time
    why: str = ""


class Jump(Model):
    """A time in which the sensor was wrong: no alert may come of it."""

    datastream: DatastreamKey
    at: Time
    until: Time
    why: Annotated[str, Field(min_length=1)]


class Truth(Model):
    """What people know of a history. A datastream that `events` names has no other crossings than these."""

    events: tuple[Event, ...] = ()
    jumps: tuple[Jump, ...] = ()


def read_truth(file: Path) -> Truth:
    """A file of labelled events; `ConfigError` with every problem in it."""
    data, place = read_yaml(yaml_text(file), display_name(file))
    problems: list[Problem] = []
    truth = parse_model(Truth, data, place, problems)
    if truth is None:
        raise ConfigError(problems)
    return truth


@dataclass(frozen=True, slots=True)
class Samples:
    """One datastream's rows by time, with when each arrived (microseconds)."""

    time: Times
    value: Floats
    received: Times

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A true crossing: its first sample's time and arrival, and the arrival by which it must be told."""

    time: int
    arrived: int
    deadline: int


def crossings(samples: Samples, level: float, sign: int = 1) -> list[Crossing]:
    """Every true crossing of a level, upwards (or with sign -1 downwards), by time.

    A series that begins beyond the level crossed it before anybody looked: that is none.
    """
    if not len(samples):
        return []
    beyond = sign * median_of(samples.value) >= sign * level
    rises = 1 + np.flatnonzero(beyond[1:] & ~beyond[:-1])
    falls = 1 + np.flatnonzero(~beyond[1:] & beyond[:-1])
    ends = np.append(
        samples.time[falls], samples.time[-1] + 1
    )  # the last sample is there, what follows is not
    left = ends[np.searchsorted(falls, rises)]
    stays = left - samples.time[rises] > STAYS
    return [crossing_at(samples, time) for time in samples.time[rises[stays]].tolist()]


def crossing_at(samples: Samples, time: int) -> Crossing:
    """The crossing whose first sample is the first at or after a time."""
    first = min(int(np.searchsorted(samples.time, time)), len(samples) - 1)
    arrived = int(samples.received[first])
    later = np.sort(samples.received[samples.received > arrived])
    deadline = int(later[min(GRACE, len(later)) - 1]) if len(later) else arrived
    return Crossing(int(samples.time[first]), arrived, deadline)


def median_of(value: Floats) -> Floats:
    """The centred median of five samples; at the ends of those that there are."""
    half = MEDIAN // 2
    padded = np.concatenate((np.full(half, np.nan), value, np.full(half, np.nan)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN)
    return np.asarray(np.nanmedian(windows, axis=1), np.float64)


def labelled(events: Sequence[Event], key: str, level: str, samples: Samples) -> list[Crossing] | None:
    """The crossings of a level that people wrote down; None where they wrote nothing of the datastream."""
    mine = [event for event in events if event.datastream == key]
    if not mine:
        return None
    return [crossing_at(samples, event.at) for event in mine if event.level == level]
