"""The tests of the QARTOD water level manual (IOOS, version 2.1, 2021) as functions over columns.

All arguments are arrays of one length, or scalars: values, seconds as floats, thresholds per row. They return
flags (`ingest.model.Quality`, int8) and change nothing. A value that is NaN is MISSING; a neighbour that is
NaN is not there, and what cannot be judged without it is NOT_EVALUATED. An infinite threshold never applies.
Who a row's neighbours are is the caller's to say (`appraiser` for streams).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.model import Quality
from ingest.quality.flags import Flags
from ingest.quality_settings import Range

Floats = NDArray[np.float64]
Number = float | Floats

HOUR = 3_600.0
LEAST_STEP = 1.0  # seconds; a change over less is taken as one over this: 1 mm in 1 ms is no 3,600 m/h
ROUNDING = 1e-9  # what float64 makes of 1.30 - 1.29; relative to the tolerance
EARTH_RADIUS = 6_371_008.8  # metres, the mean radius of WGS 84


@dataclass(frozen=True, slots=True)
class GrossRanges:
    """Bounds per series, in the series' own unit; a series without a range has `configured` False."""

    configured: NDArray[np.bool_]
    fail_low: Floats
    fail_high: Floats
    suspect_low: Floats
    suspect_high: Floats

    @classmethod
    def of(cls, ranges: Iterable[Range | None]) -> GrossRanges:
        """The bounds of one configured range (or None) per series; without a suspect range fail is both."""
        everything = Range(fail=(-np.finfo(np.float64).max, np.finfo(np.float64).max))
        rows = list(ranges)
        given = [row or everything for row in rows]
        fail = np.array([row.fail for row in given], np.float64).reshape(-1, 2)
        suspect = np.array([row.suspect or row.fail for row in given], np.float64).reshape(-1, 2)
        configured = np.array([row is not None for row in rows], np.bool_)
        return cls(configured, fail[:, 0], fail[:, 1], suspect[:, 0], suspect[:, 1])


def gap(seconds: Number, cadence: Number, late: Number, missing: Number) -> Flags:
    """Test 1: the time since the reading before, in cadences: above `late` SUSPECT, above `missing` MISSING.

    NaN seconds: there is no reading before, NOT_EVALUATED.
    """
    cadences = np.asarray(seconds, np.float64) / np.asarray(cadence, np.float64)
    flags = _graded(cadences, late, missing)
    flags[flags == Quality.FAIL] = Quality.MISSING
    return flags


def syntax(rows: int) -> Flags:
    """Test 2: what could not be read is in quarantine, so every row that there is passes."""
    return np.full(rows, Quality.PASS, np.int8)


def location(
    latitude: Floats,
    longitude: Floats,
    south_west_north_east: tuple[float, float, float, float],
    home: tuple[Number, Number] | None = None,
    range_max: Number = np.inf,
) -> Flags:
    """Test 3: outside the box (degrees, bounds included) FAIL; further than `range_max` metres from `home`
    (latitude, longitude) SUSPECT, on the great circle; a position that is NaN is MISSING."""
    south, west, north, east = south_west_north_east
    flags = np.full(len(latitude), Quality.PASS, np.int8)
    if home is not None:
        flags[great_circle(latitude, longitude, *home) > range_max] = Quality.SUSPECT
    inside = (latitude >= south) & (latitude <= north) & (longitude >= west) & (longitude <= east)
    flags[~inside] = Quality.FAIL
    flags[np.isnan(latitude) | np.isnan(longitude)] = Quality.MISSING
    return flags


def great_circle(latitude: Floats, longitude: Floats, lat: Number, lon: Number) -> Floats:
    """Metres to another place, by the haversine formula on a sphere."""
    here, there = np.radians(latitude), np.radians(np.asarray(lat, np.float64))
    across = np.radians(np.asarray(lon, np.float64)) - np.radians(longitude)
    half = np.sin((there - here) / 2) ** 2 + np.cos(here) * np.cos(there) * np.sin(across / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(half, 1.0))), np.float64)


def gross_range(value: Floats, series: NDArray[np.intp], ranges: GrossRanges) -> Flags:
    """Test 4: FAIL outside the fail range, SUSPECT outside the suspect range, else PASS.

    Bounds belong to the range. Without a range NOT_EVALUATED; a value that is NaN is MISSING.
    """
    suspect = ~((value >= ranges.suspect_low[series]) & (value <= ranges.suspect_high[series]))
    fail = ~((value >= ranges.fail_low[series]) & (value <= ranges.fail_high[series]))
    flags = np.full(len(value), Quality.PASS, np.int8)
    flags[suspect] = Quality.SUSPECT
    flags[fail] = Quality.FAIL
    flags[~ranges.configured[series]] = Quality.NOT_EVALUATED
    flags[np.isnan(value)] = Quality.MISSING
    return flags


def climatology(value: Floats, low: Number, high: Number) -> Flags:
    """Test 5: SUSPECT outside the season's span (bounds belong to it), never FAIL; NaN: there is no span."""
    low, high = np.broadcast_arrays(np.asarray(low, np.float64), np.asarray(high, np.float64))
    flags = np.where((value >= low) & (value <= high), Quality.PASS, Quality.SUSPECT).astype(np.int8)
    flags[np.broadcast_to(np.isnan(low) | np.isnan(high), flags.shape)] = Quality.NOT_EVALUATED
    flags[np.isnan(value)] = Quality.MISSING
    return flags


def spike(value: Floats, amount: Floats, suspect: Number, fail: Number = np.inf) -> Flags:
    """Test 6: the `amount` by which a value stands out from its neighbours; NaN: one of them is not there."""
    flags = _graded(amount, suspect, fail)
    flags[np.isnan(value)] = Quality.MISSING
    return flags


def spike_average(before: Floats, value: Floats, after: Floats, share: Number = 0.5) -> Floats:
    """|v[n-1] - reference|, the reference interpolated linearly in time between v[n-2] and v[n].

    `share`: how much of the time from n-2 to n has passed at n-1; a half, the manual's mean, where readings
    are evenly spaced.
    """
    return np.asarray(np.abs(value - (before + (after - before) * share)), np.float64)


def spike_differential(before: Floats, value: Floats, after: Floats) -> Floats:
    """How far v[n-1] lies above both or below both of its neighbours; 0 when it lies between them."""
    up, down = value - before, value - after
    amount = np.where(up * down > 0, np.minimum(np.abs(up), np.abs(down)), 0.0)
    return np.where(np.isnan(up) | np.isnan(down), np.nan, amount)


def rate_of_change(
    value: Floats,
    before: Floats,
    seconds: Number,
    suspect: Number,
    fail: Number = np.inf,
    least: Number = LEAST_STEP,
) -> Flags:
    """Test 7: the change since `before`, `seconds` ago, against thresholds in units per hour.

    Less than `least` seconds count as `least`.
    """
    hours = np.maximum(np.asarray(seconds, np.float64), least) / HOUR
    flags = _graded(np.abs(value - before) / hours, suspect, fail)
    flags[np.isnan(value)] = Quality.MISSING
    return flags


def flat_line(value: Floats, seconds: Number, suspect: Number, fail: Number = np.inf) -> Flags:
    """Test 8: for how long the readings up to this one have stayed within the tolerance, at least `suspect`
    or `fail` seconds."""
    lasted = np.asarray(seconds, np.float64)
    flags = np.full(len(value), Quality.PASS, np.int8)
    flags[lasted >= suspect] = Quality.SUSPECT
    flags[lasted >= fail] = Quality.FAIL
    flags[np.isnan(lasted)] = Quality.NOT_EVALUATED
    flags[np.isnan(value)] = Quality.MISSING
    return flags


def attenuated_signal(value: Floats, spread: Floats, suspect: Number, fail: Number = -np.inf) -> Flags:
    """Test 10: the range or standard deviation over the window; NaN: too little of the window is there."""
    flags = np.full(len(value), Quality.PASS, np.int8)
    flags[spread < suspect] = Quality.SUSPECT
    flags[spread < fail] = Quality.FAIL
    flags[np.isnan(spread)] = Quality.NOT_EVALUATED
    flags[np.isnan(value)] = Quality.MISSING
    return flags


def neighbour_difference(value: Floats, other: Floats, difference: Number) -> Flags:
    """Test 11: SUSPECT when the other gauge's value is further away; NaN: it has none, NOT_EVALUATED."""
    flags = _graded(np.abs(value - other), difference, np.inf)
    flags[np.isnan(value)] = Quality.MISSING
    return flags


def neighbour_trend(trend: Floats, other: Floats, at_least: Number) -> Flags:
    """Test 11: SUSPECT when both move by more than `at_least` per hour in opposite directions."""
    opposite = (np.sign(trend) * np.sign(other) < 0) & (np.minimum(np.abs(trend), np.abs(other)) > at_least)
    flags = np.where(opposite, Quality.SUSPECT, Quality.PASS).astype(np.int8)
    flags[np.isnan(trend) | np.isnan(other)] = Quality.NOT_EVALUATED
    return flags


def consistent(
    value: Floats, before: Floats, seconds: Number, rate: Number, least: Number = LEAST_STEP
) -> NDArray[np.bool_]:
    """Whether two readings agree with each other: they change by no more than `rate` per hour."""
    hours = np.maximum(np.asarray(seconds, np.float64), least) / HOUR
    return np.asarray(np.abs(value - before) <= np.asarray(rate, np.float64) * hours, np.bool_)


def within(spread: Floats, tolerance: Number) -> NDArray[np.bool_]:
    """Whether values that span `spread` count as one; the tolerance belongs to it."""
    return np.asarray(spread <= np.asarray(tolerance, np.float64) * (1 + ROUNDING), np.bool_)


def _graded(amount: NDArray[np.float64], suspect: Number, fail: Number) -> Flags:
    """PASS up to `suspect`, SUSPECT above it, FAIL above `fail`; NaN is NOT_EVALUATED."""
    flags = np.full(len(amount), Quality.PASS, np.int8)
    flags[amount > suspect] = Quality.SUSPECT
    flags[amount > fail] = Quality.FAIL
    flags[np.isnan(amount)] = Quality.NOT_EVALUATED
    return flags
