"""What is known of every datastream as arrays: unit conversion, distance to level, quality.

A *series* is a datastream's place in the catalogue; `SeriesTable` holds parameters by it, so that
arithmetic runs once per batch and not once per reading. Pure. Called by the normaliser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.catalog import Datastream, Ranging
from ingest.model import Nature, Quality
from ingest.quality import Flags, GrossRanges, gross_range, worst
from ingest.units import Conversion, conversion, conversions

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

# A nanometre: far below any sensor, far above what float64 leaves of 4.6 m - 1.1 m (3.4999999999999996),
# which would keep a level just under the threshold that it has reached.
LEVEL_DECIMALS = 9

_NOT_RANGING = Ranging(zero_elevation=0.0, blanking=0.0, max_range=1.0)


@dataclass(frozen=True, slots=True)
class Channel:
    """What the readings of one datastream's channel are looked at by.

    `series`: its number in the table; `units`: the number of the conversion of a reading in that unit (None:
    none given); `sentinels`: the raw values and words that mean "no value".
    """

    series: int
    nature: Nature
    units: Mapping[str | None, int]
    sentinels: frozenset[float | str]


class SeriesTable:
    """Parameters of the datastreams given, in their order; an unknown unit raises `UnknownUnit`.

    `channels` says how each one's readings are recognised, in the same order.
    """

    def __init__(self, natured: Sequence[tuple[Datastream, Nature]]) -> None:
        streams = [stream for stream, _ in natured]
        self._numbers: dict[Conversion, int] = {}
        self._shared: dict[tuple[str, str], Mapping[str | None, int]] = {}
        self.channels = [
            Channel(series, nature, self._units(stream), frozenset(stream.source.sentinels))
            for series, (stream, nature) in enumerate(natured)
        ]
        self._conversions = np.array(list(self._numbers), np.float64).reshape(-1, 3)
        self._ranges = GrossRanges.of([stream.gross_range for stream in streams])
        self._is_ranging = np.array([stream.ranging is not None for stream in streams], np.bool_)
        rangings = [stream.ranging or _NOT_RANGING for stream in streams]
        self._zero = np.array([ranging.zero_elevation for ranging in rangings], np.float64)
        self._blanking = np.array([ranging.blanking for ranging in rangings], np.float64)
        self._max_range = np.array([ranging.max_range for ranging in rangings], np.float64)
        levels = [conversion("m", stream.unit) for stream in streams if stream.ranging is not None]
        self._level = np.ones((len(streams), 3), np.float64)
        self._level[self._is_ranging] = np.array(levels, np.float64).reshape(-1, 3)

    def _units(self, stream: Datastream) -> Mapping[str | None, int]:
        """Conversions into the datastream's unit, or into metres for the distances of a ranging sensor."""
        target = stream.unit if stream.ranging is None else "m"
        key = (stream.source.unit or stream.unit, target)
        if key not in self._shared:
            self._shared[key] = self._number_units(*key)
        return self._shared[key]

    def _number_units(self, unstated: str, target: str) -> Mapping[str | None, int]:
        known: dict[str | None, Conversion] = {None: conversion(unstated, target)}
        known.update(conversions(target))
        return {unit: self._numbers.setdefault(way, len(self._numbers)) for unit, way in known.items()}

    def evaluate(self, series: Numbers, conversion: Numbers, raw: Floats) -> tuple[Floats, Flags]:
        """Values in the datastreams' units and their flags, from raw values; what overflows is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            numerator, offset, denominator = self._conversions[conversion].T
            value = (raw * numerator + offset) / denominator
            flags = np.full(len(raw), Quality.NOT_EVALUATED, np.int8)
            ranging = np.flatnonzero(self._is_ranging[series])
            if len(ranging):
                value[ranging], flags[ranging] = self._levels(series[ranging], value[ranging])
        return value, worst(flags, gross_range(value, series, self._ranges))

    def _levels(self, series: Numbers, distance: Floats) -> tuple[Floats, Flags]:
        level, flags = water_level(
            distance, self._zero[series], self._blanking[series], self._max_range[series]
        )
        numerator, offset, denominator = self._level[series].T
        return (level * numerator + offset) / denominator, flags


def water_level(
    distance: Floats, zero_elevation: Floats, blanking: Floats, max_range: Floats
) -> tuple[Floats, Flags]:
    """Level = zero elevation - distance, row by row, all in metres.

    A distance within the blanking zone says "at least zero - blanking": that level, SUSPECT, never a lower
    one. Beyond the range there was no echo from water, and a negative distance is none: FAIL.
    """
    near = distance <= blanking
    level = np.round(zero_elevation - np.where(near, blanking, distance), LEVEL_DECIMALS)
    flags = np.full(len(distance), Quality.NOT_EVALUATED, np.int8)
    flags[near] = Quality.SUSPECT
    flags[(distance >= max_range) | (distance < 0)] = Quality.FAIL
    level[~np.isfinite(distance)] = np.nan
    return level, flags
