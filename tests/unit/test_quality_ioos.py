"""Agreement with `ioos-qc`, test by test, on the water level that its own notebook shows, with its defaults.

The gauge (Kotzebue, Alaska) sends hourly, with gaps, and for two days every 15 minutes. Each difference is
meant; its name says why and its count is exact.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.catalog import Datastream, Source
from ingest.clock import to_micros
from ingest.model import Quality
from ingest.quality.appraiser import Appraiser
from ingest.quality.flags import Flags, Test, roll_up, unpack
from ingest.quality_settings import (
    AttenuatedSignal,
    Climatology,
    FlatLine,
    QualityTests,
    Range,
    RateOfChange,
    Spike,
)
from tests.support.quality import settled

qartod = pytest.importorskip("ioos_qc.qartod")
FILE = Path(__file__).parents[3] / "shared" / "data" / "ioos-qc-water-level-2018-2019.csv"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"needs {FILE.name} beside the repository")

HOUR, MICROS = 3_600.0, 1_000_000
PASS, NOT_EVALUATED, SUSPECT, FAIL = 1, 2, 3, 4
NOTEBOOK = {
    "spike": Spike(suspect=0.8, fail=3.0, method="average"),
    "rate_of_change": RateOfChange(suspect=0.001 * HOUR),  # the notebook's is per second
    "flat_line": FlatLine(tolerance=0.001, suspect=10_800.0, fail=21_600.0),
}
PERIOD = 12.4 * HOUR


@dataclass(frozen=True)
class Series:
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int8]
    datastream: NDArray[np.int32]

    @property
    def moments(self) -> NDArray[np.datetime64]:
        return self.time.view("datetime64[us]").astype("datetime64[ns]")

    @property
    def step(self) -> NDArray[np.float64]:
        """Seconds since the reading before."""
        return np.diff(self.time, prepend=self.time[0]) / MICROS


@pytest.fixture(scope="module")
def series() -> Series:
    with FILE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7_241
    return columns(
        [to_micros(datetime.fromisoformat(row["time"].replace("Z", "+00:00"))) for row in rows],
        [float(row["level_m"]) for row in rows],
    )


def columns(time: list[int], value: list[float]) -> Series:
    count = len(time)
    unknown = np.full(count, Quality.NOT_EVALUATED, np.int8)
    return Series(np.array(time, np.int64), np.array(value), unknown, np.ones(count, np.int32))


def ours(series: Series, tests: QualityTests, cadence: float = HOUR) -> NDArray[np.int64]:
    """Packed flags of a gauge with these tests, in the end."""
    gauge = Datastream(
        name="level",
        property="water_level",
        unit="m",
        cadence=cadence,
        source=Source(gateway="g", device="d", channel="c"),
        gross_range=Range(fail=(-10.0, 10.0), suspect=(-2.0, 3.0)),
        quality=tests,
    )
    return settled(series, Appraiser([(1, "S/level", gauge)]).evaluate(series))


def flags(series: Series, test: Test, tests: QualityTests) -> Flags:
    return unpack(ours(series, tests), test)


def differences(here: Flags, there: NDArray[np.uint8], names: dict[str, NDArray[np.bool_]]) -> Counter[str]:
    """How many rows differ, by the first name that explains each: `"<name>: ours <flag>, theirs <flag>"`."""
    found: Counter[str] = Counter()
    for row in np.flatnonzero(here != np.asarray(there)):
        name = next((name for name, rows in names.items() if rows[row]), f"unexplained at {row}")
        found[f"{name}: ours {here[row]}, theirs {there[row]}"] += 1
    return found


def at(series: Series, *rows: int) -> NDArray[np.bool_]:
    chosen = np.zeros(len(series.time), np.bool_)
    chosen[list(rows)] = True
    return chosen


def over_rows(values: NDArray[np.float64], count: int, kind: str) -> NDArray[np.float64]:
    """Sum or maximum of the last `count` of values, at each row."""
    padded = np.concatenate((np.zeros(count - 1), values))
    windows = np.lib.stride_tricks.sliding_window_view(padded, count)
    return windows.max(axis=1) if kind == "max" else windows.sum(axis=1)


def test_gross_range_agrees_in_every_row(series: Series) -> None:
    there = qartod.gross_range_test(series.value, (-10, 10), (-2, 3))
    here = flags(series, Test.GROSS_RANGE, QualityTests())
    assert differences(here, there, {}) == {}
    assert Counter(here.tolist()) == {PASS: 7_225, SUSPECT: 16}


def test_spike_average(series: Series) -> None:
    there = qartod.spike_test(series.value, 0.8, 3)
    here = flags(series, Test.SPIKE, QualityTests(spike=NOTEBOOK["spike"]))
    gap = series.step > 3 * HOUR
    names = {
        "a reading across a gap is no neighbour": gap | np.append(gap[1:], False),
        "the reference is interpolated in time (2 h before, 1 h after)": at(series, 1615),
        "a reading that failed is no neighbour": at(series, 1913, 6532),
    }
    assert differences(here, there, names) == {
        "a reading across a gap is no neighbour: ours 2, theirs 1": 28,
        "the reference is interpolated in time (2 h before, 1 h after): ours 3, theirs 1": 1,
        "a reading that failed is no neighbour: ours 1, theirs 3": 1,
        "a reading that failed is no neighbour: ours 3, theirs 4": 1,
    }
    assert here[[0, -1]].tolist() == there[[0, -1]].tolist() == [NOT_EVALUATED, NOT_EVALUATED]


def test_spike_differential(series: Series) -> None:
    there = qartod.spike_test(series.value, 0.8, 3, method="differential")
    here = flags(series, Test.SPIKE, QualityTests(spike=Spike(suspect=0.8, fail=3.0)))
    gap = series.step > 3 * HOUR
    names = {
        "a reading across a gap is no neighbour": gap | np.append(gap[1:], False),
        "the last has not jumped and need not wait": at(series, 7240),
    }
    assert differences(here, there, names) == {
        "a reading across a gap is no neighbour: ours 2, theirs 1": 14,
        "the last has not jumped and need not wait: ours 1, theirs 2": 1,
    }


def test_a_spike_threshold_of_zero_is_a_threshold(series: Series) -> None:
    there = qartod.spike_test(series.value, 0, 3)
    here = flags(series, Test.SPIKE, QualityTests(spike=Spike(suspect=0.0, fail=3.0, method="average")))
    assert Counter(there.tolist()) == {PASS: 7_236, NOT_EVALUATED: 2, FAIL: 3}  # read as "unset"
    assert Counter(here.tolist()) == {PASS: 4_288, SUSPECT: 2_921, NOT_EVALUATED: 30, FAIL: 2}


def test_rate_of_change(series: Series) -> None:
    there = qartod.rate_of_change_test(series.value, series.moments, 0.001)
    here = flags(series, Test.RATE_OF_CHANGE, QualityTests(rate_of_change=NOTEBOOK["rate_of_change"]))
    names = {
        "the first has nothing to be compared with": at(series, 0),
        "15 min count as half a cadence": series.step < HOUR / 2,
    }
    assert differences(here, there, names) == {
        "the first has nothing to be compared with: ours 2, theirs 1": 1,
        "15 min count as half a cadence: ours 1, theirs 3": 3,
    }


def test_rate_of_change_in_fractions_of_a_second() -> None:
    """1 mm in 1.6 s is 2.25 m/h; theirs takes whole seconds and makes 3.6 m/h of it."""
    quick = columns([0, 1_600_000, 3_200_000], [1.0, 1.001, 1.002])
    there = qartod.rate_of_change_test(quick.value, quick.moments, 3.0 / HOUR)
    assert there.tolist() == [PASS, SUSPECT, SUSPECT]
    here = ours(quick, QualityTests(rate_of_change=RateOfChange(suspect=3.0)), cadence=1.0)
    assert unpack(here, Test.RATE_OF_CHANGE).tolist() == [NOT_EVALUATED, PASS, PASS]


def test_flat_line(series: Series) -> None:
    there = qartod.flat_line_test(series.value, series.moments, 10_800, 21_600, 0.001)
    here = flags(series, Test.FLAT_LINE, QualityTests(flat_line=NOTEBOOK["flat_line"]))
    names = {
        "a line does not go on across a gap": over_rows(series.step, 6, "max") > 3 * HOUR,
        "six readings of 15 min are not six hours": over_rows(series.step, 6, "sum") < 6 * HOUR,
    }
    assert differences(here, there, names) == {
        "a line does not go on across a gap: ours 1, theirs 4": 30,
        "a line does not go on across a gap: ours 3, theirs 4": 29,
        "six readings of 15 min are not six hours: ours 3, theirs 4": 116,
    }


@pytest.mark.parametrize(
    ("kind", "tests", "expected"),
    [
        (
            "range",
            AttenuatedSignal(window=PERIOD, min_range=0.05),
            {
                "it has moved enough already: ours 1, theirs 2": 53,
                "the look-back is shorter than the window: ours 2, theirs 3": 129,
            },
        ),
        (
            "std",
            AttenuatedSignal(window=PERIOD, min_std=0.05),
            {
                "the look-back is shorter than the window: ours 2, theirs 3": 143,
                "the look-back is shorter than the window: ours 2, theirs 1": 66,
            },
        ),
    ],
)
def test_attenuated_signal(
    series: Series, kind: str, tests: AttenuatedSignal, expected: dict[str, int]
) -> None:
    """Their least number of readings is ours: 80 % of the 12.4 that an hourly gauge sends in 12.4 h."""
    there = qartod.attenuated_signal_test(
        series.value, series.moments, 0.05, -1, test_period=PERIOD, min_obs=10, check_type=kind
    )
    here = flags(series, Test.ATTENUATED_SIGNAL, QualityTests(attenuated_signal=tests))
    first = np.searchsorted(series.time, series.time - round(PERIOD * MICROS), side="right")
    count = np.arange(len(first)) - first + 1
    covered = (series.time - series.time[first]) / MICROS
    names = {
        "it has moved enough already": count < 10,
        # 18 readings are remembered of a gauge that is said to be hourly; or the window begins with a gap
        "the look-back is shorter than the window": (count > 18) | (covered < 0.8 * PERIOD - HOUR),
    }
    assert differences(here, there, names) == expected


def test_climatology_takes_months_as_they_are_in_hue(series: Series) -> None:
    months = (10, 11, 12, 1, 2, 3)
    spans = [{"vspan": (-1.0, 1.0), "tspan": (month, month), "period": "month"} for month in months]
    depth = np.full(len(series.time), np.nan)
    season = Climatology(months=months, suspect=(-1.0, 1.0))
    here = flags(series, Test.CLIMATOLOGY, QualityTests(climatology=(season,)))
    there = qartod.climatology_test(spans, series.value, series.moments, depth)
    local = series.moments + np.timedelta64(7, "h")
    turning = local.astype("datetime64[M]") != series.moments.astype("datetime64[M]")
    assert differences(here, there, {"in UTC it is still the month before": turning}) == {
        "in UTC it is still the month before: ours 1, theirs 2": 7,
        "in UTC it is still the month before: ours 2, theirs 3": 7,
    }
    assert differences(here, qartod.climatology_test(spans, series.value, local, depth), {}) == {}


def test_roll_up_is_theirs_of_the_same_flags(series: Series) -> None:
    here = ours(series, QualityTests(**NOTEBOOK))
    tests = (Test.GROSS_RANGE, Test.SPIKE, Test.RATE_OF_CHANGE, Test.FLAT_LINE)
    there = qartod.qartod_compare([unpack(here, test) for test in tests])
    assert roll_up(here).tolist() == there.tolist()
    assert Counter(there.tolist()) == {PASS: 3_002, SUSPECT: 205, FAIL: 4_034}


def test_roll_up_of_every_pair_of_flags_is_theirs() -> None:
    every = [Quality.PASS, Quality.NOT_EVALUATED, Quality.SUSPECT, Quality.FAIL, Quality.MISSING]
    one = np.repeat(np.array(every, np.int8), len(every))
    other = np.tile(np.array(every, np.int8), len(every))
    packed = one.astype(np.int64) << Test.SPIKE.shift | other.astype(np.int64) << Test.NEIGHBOUR.shift
    assert roll_up(packed).tolist() == qartod.qartod_compare([one, other]).tolist()
