"""What is known of every datastream as arrays: who feeds it when, unit conversion, level, gross range.

A *series* is a datastream's place in the catalogue, a *channel* an identity (gateway, device, channel) that
feeds one, or several after one another. `SeriesTable` finds the installation that is valid at each reading's
time and applies its parameters, so that arithmetic runs once per batch and not once per reading. Pure.
Called by the normaliser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ingest.catalog import Datastream, Source
from ingest.installation import BEGINNING, END, Identity, Installed, Ranging
from ingest.model import Nature, Quality
from ingest.quality import Flags, GrossRanges, gross_range, worst
from ingest.units import UNITS, Conversion, Gas, conversion, conversions

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]
Times = NDArray[np.int64]

# A nanometre: far below any sensor, far above what float64 leaves of 4.6 m - 1.1 m (3.4999999999999996),
# which would keep a level just under the threshold that it has reached.
LEVEL_DECIMALS = 9

_NOT_RANGING = Ranging(zero_elevation=0.0, blanking=0.0, max_range=1.0)
_UNIT_NUMBERS: Mapping[str | None, int] = MappingProxyType(
    {None: 0} | {unit: number for number, unit in enumerate(UNITS, start=1)}
)
_NO_CONVERSION = Conversion(np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class Channel:
    """What the readings of one identity are looked at by.

    `number`: its place among the table's channels; `units`: the numbers of the units that its readings may be
    in (None: none given); `sentinels`: the raw values and words that mean "no value".
    """

    number: int
    nature: Nature
    units: Mapping[str | None, int]
    sentinels: frozenset[float | str]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Readings as columns: the series each is of, its value there and its flag.

    Where `installed` is False no sensor of that identity stood there at that time: the rest means nothing.
    """

    installed: NDArray[np.bool_]
    series: Numbers
    value: Floats
    quality: Flags


@dataclass(frozen=True, slots=True)
class _Row:
    """An installation of the table, and the block of conversions that its readings take."""

    channel: int
    series: int
    block: int
    installed: Installed


class SeriesTable:
    """Parameters of the datastreams given, a series each, in their order.

    `channels` says how readings are recognised, `sources` what the catalogue says of each channel by number.
    An unknown unit raises `UnknownUnit`; a channel that feeds two datastreams at a time, or one whose
    installations take units of different kinds, `ValueError`.
    """

    def __init__(self, natured: Sequence[tuple[Datastream, Nature]]) -> None:
        self._blocks: dict[tuple[str, str, Gas | None], int] = {}
        self._conversions: list[list[Conversion]] = []
        self._units: list[Mapping[str | None, int]] = []
        self.channels: dict[Identity, Channel] = {}
        self.sources: list[Source] = []
        rows = [
            self._row(series, stream, nature, installed)
            for series, (stream, nature) in enumerate(natured)
            for installed in stream.history()
        ]
        rows.sort(key=lambda row: (row.channel, row.installed.since))
        _refuse_overlaps(rows)
        self._ranges = GrossRanges.of([stream.gross_range for stream, _ in natured])
        self._index_rows(rows)
        rangings = [row.installed.ranging for row in rows]
        self._is_ranging = np.array([ranging is not None for ranging in rangings], np.bool_)
        self._rangings = Rangings.of([ranging or _NOT_RANGING for ranging in rangings])
        units = [natured[row.series][0].unit if row.installed.ranging else "m" for row in rows]
        self._level = np.array([conversion("m", unit) for unit in units], np.float64).reshape(-1, 3)

    def _row(self, series: int, stream: Datastream, nature: Nature, installed: Installed) -> _Row:
        block = self._block(stream, installed)
        units, source = self._units[block], installed.source
        sentinels = frozenset(source.sentinels)
        channel = self.channels.get(installed.identity)
        if channel is None:
            channel = Channel(len(self.channels), nature, units, sentinels)
            self.sources.append(source)
        if channel.units.keys() != units.keys() or channel.nature is not nature:
            raise ValueError(f"channel {' / '.join(installed.identity)} feeds datastreams of different kinds")
        if not sentinels <= channel.sentinels:
            channel = replace(channel, sentinels=channel.sentinels | sentinels)
        self.channels[installed.identity] = channel
        return _Row(channel.number, series, block, installed)

    def _block(self, stream: Datastream, installed: Installed) -> int:
        """Conversions into the datastream's unit, or into metres for the lengths of a ranging sensor."""
        target = stream.unit if installed.ranging is None else "m"
        gas = stream.gas()
        key = (installed.source.unit or stream.unit, target, gas)
        if key not in self._blocks:
            known: dict[str | None, Conversion] = {None: conversion(key[0], target, gas)}
            known.update(conversions(target, gas))
            self._blocks[key] = len(self._conversions)
            self._conversions.append([known.get(unit, _NO_CONVERSION) for unit in _UNIT_NUMBERS])
            self._units.append({unit: _UNIT_NUMBERS[unit] for unit in known})
        return self._blocks[key]

    def _index_rows(self, rows: Sequence[_Row]) -> None:
        """Make (channel, time) searchable: channels by number, within one the ranks of the dates."""
        since = np.array([row.installed.since for row in rows], np.int64)
        self._until = np.array([row.installed.until for row in rows], np.int64)
        self._series = np.array([row.series for row in rows], np.intp)
        self._block_of = np.array([row.block for row in rows], np.intp)
        self._table = np.array(self._conversions, np.float64).reshape(-1, len(_UNIT_NUMBERS), 3)
        self._undated = bool((since == BEGINNING).all() and (self._until == END).all())
        self._dates = np.unique(since)
        self._channel = np.array([row.channel for row in rows], np.intp)
        self._keys = self._key(self._channel, since)

    def _key(self, channel: Numbers, time: Times) -> Numbers:
        rank = np.searchsorted(self._dates, time, side="right")
        return np.asarray(channel * (len(self._dates) + 1) + rank, np.intp)

    def _find(self, channel: Numbers, time: Times) -> tuple[Numbers, NDArray[np.bool_]]:
        """The row of each reading, and whether it is one that was valid then."""
        if self._undated:  # one row for each channel
            return channel, np.ones(len(channel), np.bool_)
        row = np.maximum(np.searchsorted(self._keys, self._key(channel, time), side="right") - 1, 0)
        return row, (self._channel[row] == channel) & (time < self._until[row])

    def evaluate(self, channel: Numbers, unit: Numbers, raw: Floats, time: Times) -> Evaluated:
        """Readings in their datastreams' units, from raw values; what overflows is not finite.

        `channel` and `unit` are numbers of `channels`, `time` is the phenomenon time, microseconds.
        """
        row, installed = self._find(channel, time)
        series = self._series[row]
        with np.errstate(over="ignore", invalid="ignore"):
            numerator, offset, denominator = self._table[self._block_of[row], unit].T
            value = (raw * numerator + offset) / denominator
            quality = np.full(len(raw), Quality.NOT_EVALUATED, np.int8)
            ranging = np.flatnonzero(self._is_ranging[row])
            if len(ranging):
                value[ranging], quality[ranging] = self._levels(row[ranging], value[ranging])
        quality = worst(quality, gross_range(value, series, self._ranges))
        return Evaluated(installed, series, value, quality)

    def _levels(self, row: Numbers, length: Floats) -> tuple[Floats, Flags]:
        level, flags = self._rangings.take(row).levels(length)
        numerator, offset, denominator = self._level[row].T
        return (level * numerator + offset) / denominator, flags


def _refuse_overlaps(rows: Sequence[_Row]) -> None:
    for one, other in pairwise(rows):
        if one.channel == other.channel and other.installed.since < one.installed.until:
            raise ValueError(f"channel {' / '.join(one.installed.identity)} feeds two datastreams at a time")


@dataclass(frozen=True, slots=True)
class Rangings:
    """The parameters of ranging sensors as columns, metres."""

    zero_elevation: Floats
    blanking: Floats
    max_range: Floats
    is_depth: NDArray[np.bool_]

    @classmethod
    def of(cls, rangings: Sequence[Ranging]) -> Rangings:
        """One row for each."""
        return cls(
            np.array([ranging.zero_elevation for ranging in rangings], np.float64),
            np.array([ranging.blanking for ranging in rangings], np.float64),
            np.array([ranging.max_range for ranging in rangings], np.float64),
            np.array([ranging.measures == "depth" for ranging in rangings], np.bool_),
        )

    def take(self, row: Numbers) -> Rangings:
        return Rangings(self.zero_elevation[row], self.blanking[row], self.max_range[row], self.is_depth[row])

    def levels(self, length: Floats) -> tuple[Floats, Flags]:
        """Level and flag of each row's length."""
        level, flags = water_level(length, self.zero_elevation, self.blanking, self.max_range)
        deep = self.is_depth
        if deep.any():
            level[deep], flags[deep] = level_above(
                length[deep], self.zero_elevation[deep], self.max_range[deep]
            )
        return level, flags


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


def level_above(depth: Floats, zero_elevation: Floats, max_range: Floats) -> tuple[Floats, Flags]:
    """Level = zero elevation + depth, row by row, all in metres, of a probe in the water.

    At its full scale it says "at least that": SUSPECT. A negative depth is that of a probe in the air: FAIL.
    """
    full = depth >= max_range
    level = np.round(zero_elevation + np.where(full, max_range, depth), LEVEL_DECIMALS)
    flags = np.full(len(depth), Quality.NOT_EVALUATED, np.int8)
    flags[full] = Quality.SUSPECT
    flags[depth < 0] = Quality.FAIL
    level[~np.isfinite(depth)] = np.nan
    return level, flags
