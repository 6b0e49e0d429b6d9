"""The settings of all series that have tests, as arrays by *series*: a number from 0 within the appraiser.

A test that is off has a threshold that never applies and its `on` False. Seconds are floats, look-back in
microseconds. Pure; built once by `appraiser`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ingest.quality.qartod import LEAST_STEP
from ingest.quality_settings import (
    AttenuatedSignal,
    FlatLine,
    Gap,
    Neighbour,
    QualityTests,
    RateOfChange,
    Spike,
)

if TYPE_CHECKING:  # the catalogue's lint calls this package
    from ingest.catalog import Datastream

MICROS = 1_000_000
REACH_CADENCES = 3.0  # readings further apart are no neighbours: a gap lies between them (QARTOD test 1)
SPIKE_LOOK = 3  # how many rows are looked at for a neighbour that has not failed
RATE_LOOK = 12  # likewise for the rate; when so many have failed in a row, the next begins anew
LEAST_ROWS = RATE_LOOK + SPIKE_LOOK + 1
MOST_ROWS = 600  # of one series: 50 h at 5 minutes; 14 kB
SPARE = 1.25  # more places than readings in the look-back, for those that come off their cadence

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


def gap_of(tests: QualityTests) -> Gap | None:
    """The factors of the gap test, or None when it is off."""
    return tests.gap if isinstance(tests.gap, Gap) else Gap() if tests.gap else None


def needs_rows(tests: QualityTests) -> bool:
    """Whether a datastream's tests look back."""
    given = (tests.spike, tests.rate_of_change, tests.flat_line, tests.attenuated_signal, tests.neighbour)
    return gap_of(tests) is not None or any(test is not None for test in given)


def look_back(stream: Datastream, trend_over: float = 0.0) -> float:
    """Seconds that the tests of a datastream, and the trends that others ask of it, look back."""
    tests = stream.quality
    reach = REACH_CADENCES * stream.cadence
    flat, quiet = tests.flat_line, tests.attenuated_signal
    spans = [2 * reach, trend_over + reach]
    if tests.rate_of_change:
        spans.append(RATE_LOOK * reach)
    if flat:
        spans.append((flat.fail or flat.suspect) + reach)
    if quiet:
        spans.append(quiet.window)
    if tests.neighbour:
        spans.append(tests.neighbour.over + reach)
    return max(spans)


def rows_for(stream: Datastream, trend_over: float = 0.0) -> int:
    """How many rows of a datastream must be remembered, before `MOST_ROWS` cuts it short."""
    tests = stream.quality
    steady = [trend_over]
    if tests.flat_line:
        steady.append(tests.flat_line.fail or tests.flat_line.suspect)
    if tests.attenuated_signal:
        steady.append(tests.attenuated_signal.window)
    if tests.neighbour:
        steady.append(tests.neighbour.over)
    return max(LEAST_ROWS, math.ceil(SPARE * (max(steady) / stream.cadence + 2)))


@dataclass(frozen=True, slots=True)
class Limits:
    """Parameters by series; `of` names the neighbour by its series. `low` and `high` are (series, 12)."""

    cadence: Floats
    reach: Index
    rows: Index
    span: Index
    gap_on: Mask
    late: Floats
    missing: Floats
    season_on: Mask
    low: Floats
    high: Floats
    spike_on: Mask
    differential: Mask
    spike_suspect: Floats
    spike_fail: Floats
    rate_on: Mask
    rate_suspect: Floats
    rate_fail: Floats
    rate_least: Floats
    flat_on: Mask
    tolerance: Floats
    flat_suspect: Floats
    flat_fail: Floats
    above: Floats
    quiet_on: Mask
    by_std: Mask
    least_spread: Floats
    window: Index
    neighbour_on: Mask
    of: Index
    apart: Index
    difference: Floats
    trend: Floats
    over: Index

    @classmethod
    def of_streams(cls, streams: Sequence[Datastream], keys: Sequence[str]) -> Limits:
        """Of datastreams by series; `keys` are theirs, `"<station>/<datastream>"`."""
        tests = [stream.quality for stream in streams]
        series = {key: number for number, key in enumerate(keys)}
        trends = _trends_asked(tests, series)
        gap = _columns([gap_of(test) for test in tests], Gap())
        low, high = _seasons(tests)
        never = math.inf
        spike = _columns([test.spike for test in tests], Spike(suspect=0.0))
        rate = _columns([test.rate_of_change for test in tests], RateOfChange(suspect=0.0))
        flat = _columns([test.flat_line for test in tests], FlatLine(suspect=1.0))
        quiet = _columns(
            [test.attenuated_signal for test in tests], AttenuatedSignal(window=1.0, min_std=1.0)
        )
        nobody = Neighbour(of="none/none", within=1.0, trend=1.0)
        neighbour = _columns([test.neighbour for test in tests], nobody)
        of = np.array(
            [series.get(test.neighbour.of, -1) if test.neighbour else -1 for test in tests], np.int64
        )
        cadence = np.array([stream.cadence for stream in streams], np.float64)
        resolution = np.array([test.resolution or 0.0 for test in tests], np.float64)
        rows = [min(rows_for(stream, trends[n]), MOST_ROWS) for n, stream in enumerate(streams)]
        spans = [look_back(stream, trends[n]) for n, stream in enumerate(streams)]
        return cls(
            cadence=cadence,
            reach=_micros(REACH_CADENCES * cadence),
            rows=np.array(rows, np.int64),
            span=_micros(np.array(spans, np.float64)),
            gap_on=np.array([gap_of(test) is not None for test in tests], np.bool_),
            late=gap(lambda s: s.late),
            missing=gap(lambda s: s.missing),
            season_on=np.array([bool(test.climatology) for test in tests], np.bool_),
            low=low,
            high=high,
            spike_on=np.array([test.spike is not None for test in tests], np.bool_),
            differential=spike(lambda s: s.method == "differential").astype(np.bool_),
            spike_suspect=spike(lambda s: s.suspect),
            spike_fail=spike(lambda s: _or(s.fail, never)),
            rate_on=np.array([test.rate_of_change is not None for test in tests], np.bool_),
            rate_suspect=rate(lambda s: s.suspect),
            rate_fail=rate(lambda s: _or(s.fail, never)),
            rate_least=np.maximum(LEAST_STEP, cadence / 2),
            flat_on=np.array([test.flat_line is not None for test in tests], np.bool_),
            tolerance=np.maximum(flat(lambda s: s.tolerance), resolution),
            flat_suspect=flat(lambda s: s.suspect),
            flat_fail=flat(lambda s: _or(s.fail, never)),
            above=flat(lambda s: _or(s.above, -never)),
            quiet_on=np.array([test.attenuated_signal is not None for test in tests], np.bool_),
            by_std=quiet(lambda s: s.min_std is not None).astype(np.bool_),
            least_spread=quiet(lambda s: s.min_std if s.min_range is None else s.min_range),
            window=_micros(quiet(lambda s: s.window)),
            neighbour_on=of >= 0,
            of=of,
            apart=_micros(neighbour(lambda s: s.within)),
            difference=neighbour(lambda s: _or(s.difference, never)),
            trend=neighbour(lambda s: _or(s.trend, never)),
            over=_micros(neighbour(lambda s: s.over)),
        )


def _columns(settings: Sequence[Any], default: Any) -> Callable[[Callable[[Any], float]], Floats]:
    """A function that makes a column of one field of the settings, the default's where there are none."""
    return lambda field: np.array([field(default if s is None else s) for s in settings], np.float64)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _micros(seconds: Floats) -> Index:
    return np.round(seconds * MICROS).astype(np.int64)


def _seasons(tests: Sequence[QualityTests]) -> tuple[Floats, Floats]:
    low, high = np.full((len(tests), 12), np.nan), np.full((len(tests), 12), np.nan)
    for series, test in enumerate(tests):
        for season in test.climatology:
            months = [month - 1 for month in season.months]
            low[series, months], high[series, months] = season.suspect
    return low, high


def _trends_asked(tests: Sequence[QualityTests], series: Mapping[str, int]) -> list[float]:
    """For each series the longest time over which another asks for its trend, in seconds."""
    longest = [0.0] * len(tests)
    for test in tests:
        if test.neighbour and test.neighbour.of in series:
            other = series[test.neighbour.of]
            longest[other] = max(longest[other], test.neighbour.over)
    return longest
