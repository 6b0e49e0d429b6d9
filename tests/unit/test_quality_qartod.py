"""The QARTOD tests as functions over columns: definitions, bounds, what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.model import Quality
from ingest.quality import qartod
from ingest.quality.flags import Flags, Test, failed, pack, roll_up, set_flag, unpack

PASS, NOT_EVALUATED, SUSPECT, FAIL, MISSING = (
    Quality.PASS,
    Quality.NOT_EVALUATED,
    Quality.SUSPECT,
    Quality.FAIL,
    Quality.MISSING,
)
NAN, INF = float("nan"), float("inf")
BOX = (15.9, 107.0, 16.9, 108.3)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def flags(*values: int) -> Flags:
    return np.array(values, np.int8)


def test_gap_counts_cadences_since_the_reading_before() -> None:
    seconds = floats(300, 450, 450.1, 900, 900.1, NAN)
    assert qartod.gap(seconds, 300.0, 1.5, 3.0).tolist() == [
        PASS, PASS, SUSPECT, SUSPECT, MISSING, NOT_EVALUATED,
    ]  # fmt: skip


def test_syntax_passes_what_reached_us() -> None:
    assert qartod.syntax(2).tolist() == [PASS, PASS]


def test_location_fails_outside_the_box_and_is_suspect_when_moved() -> None:
    lat, lon = (
        floats(16.4536, 16.4553, 16.46, 16.9, 17.0, NAN, 16.4),
        floats(107.5633, 107.5633, 107.5633, 107.0, 107.5, 107.5, NAN),
    )
    found = qartod.location(lat, lon, BOX, (16.4536, 107.5633), 200.0)
    assert found.tolist() == [PASS, PASS, SUSPECT, SUSPECT, FAIL, MISSING, MISSING]
    assert qartod.location(lat, lon, BOX).tolist() == [PASS, PASS, PASS, PASS, FAIL, MISSING, MISSING]


def test_a_great_circle_over_a_degree_of_latitude() -> None:
    found = qartod.great_circle(
        floats(0.0, 16.0, 0.0), floats(0.0, 107.0, 0.0), floats(1.0, 16.0, 0.0), floats(0, 107, 180)
    )
    assert found.tolist() == pytest.approx([111_195.08, 0.0, np.pi * qartod.EARTH_RADIUS])


def test_climatology_is_never_more_than_suspect() -> None:
    found = qartod.climatology(floats(-0.8, 1.5, 1.51, 99.0, NAN), -0.8, 1.5)
    assert found.tolist() == [PASS, PASS, SUSPECT, SUSPECT, MISSING]
    assert qartod.climatology(floats(1.0), NAN, NAN).tolist() == [NOT_EVALUATED]


@pytest.mark.parametrize(
    ("before", "value", "after", "share", "average", "differential"),
    [
        (1.0, 3.0, 1.2, 0.5, 1.9, 1.8),  # a spike
        (1.0, 1.0, 3.0, 0.5, 1.0, 0.0),  # the good reading before a spike or a step
        (1.0, 3.0, 3.0, 0.5, 1.0, 0.0),  # the first reading after a step
        (1.0, 2.0, 3.0, 0.5, 0.0, 0.0),
        (1.0, 1.5, 3.0, 0.25, 0.0, 0.0),  # a quarter of the time has passed: the reference is 1.5
        (2.0, 1.0, 2.1, 0.5, 1.05, 1.0),  # downwards
    ],
)
def test_how_far_a_reading_stands_out(
    before: float, value: float, after: float, share: float, average: float, differential: float
) -> None:
    row = floats(before), floats(value), floats(after)
    assert qartod.spike_average(*row, share).tolist() == pytest.approx([average])
    assert qartod.spike_differential(*row).tolist() == pytest.approx([differential])


def test_spike_thresholds_do_not_belong_to_the_spike() -> None:
    found = qartod.spike(floats(1, 1, 1, 1, 1, NAN), floats(0.15, 0.16, 0.5, 0.51, NAN, 0.0), 0.15, 0.5)
    assert found.tolist() == [PASS, SUSPECT, SUSPECT, FAIL, NOT_EVALUATED, MISSING]


def test_spike_without_a_neighbour_is_not_evaluated() -> None:
    for row in ((NAN, 1.0, 1.0), (1.0, 1.0, NAN)):
        columns = [floats(value) for value in row]
        for amount in (qartod.spike_average(*columns), qartod.spike_differential(*columns)):
            assert qartod.spike(columns[1], amount, 0.1).tolist() == [NOT_EVALUATED]


def test_rate_of_change_is_per_hour_in_float_seconds() -> None:
    """0.1 m in 180 s is exactly 2.0 m/h; in 179.9 s it is more, which whole seconds (179) would overstate."""
    value, before = floats(1.1, 1.1, 0.9, 1.1), floats(1.0, 1.0, 1.0, NAN)
    found = qartod.rate_of_change(value, before, floats(180.1, 179.9, 359.9, 60.0), 1.0, 2.0)
    assert found.tolist() == [SUSPECT, FAIL, SUSPECT, NOT_EVALUATED]


def test_a_change_within_less_than_the_least_step_counts_as_one_over_it() -> None:
    value, before = floats(1.001, 1.001), floats(1.0, 1.0)
    assert qartod.rate_of_change(value, before, floats(0.001, 0.0), 3.7).tolist() == [PASS, PASS]
    assert qartod.rate_of_change(value, before, floats(0.001, 0.0), 3.5).tolist() == [SUSPECT, SUSPECT]


def test_what_is_not_a_number_never_passes() -> None:
    """`nan > limit` is False: a test that only asked that would pass it."""
    rows, nan = floats(NAN), floats(NAN)
    assert qartod.rate_of_change(nan, floats(1.0), floats(60.0), 1.0, 2.0).tolist() == [MISSING]
    assert qartod.climatology(nan, 0.0, 1.0).tolist() == [MISSING]
    assert qartod.flat_line(nan, rows, 60.0).tolist() == [MISSING]
    assert qartod.attenuated_signal(nan, rows, 0.1).tolist() == [MISSING]
    assert qartod.neighbour_difference(nan, floats(1.0), 0.5).tolist() == [MISSING]


def test_flat_line_durations_belong_to_the_flag() -> None:
    found = qartod.flat_line(np.ones(6), floats(0, 10_799, 10_800, 21_599, 21_600, NAN), 10_800, 21_600)
    assert found.tolist() == [PASS, PASS, SUSPECT, SUSPECT, FAIL, NOT_EVALUATED]
    assert qartod.flat_line(np.ones(1), floats(1e9), 10_800).tolist() == [SUSPECT]


def test_values_that_differ_by_the_tolerance_count_as_one() -> None:
    assert qartod.within(floats(1.30 - 1.29, 0.010001), 0.01).tolist() == [
        True,
        False,
    ]  # 0.010000000000000009
    assert qartod.within(floats(0.0), 0.0).tolist() == [True]


def test_attenuated_signal_below_the_least_spread() -> None:
    found = qartod.attenuated_signal(np.ones(4), floats(0.005, 0.0049, 0.0009, NAN), 0.005, 0.001)
    assert found.tolist() == [PASS, SUSPECT, FAIL, NOT_EVALUATED]


def test_neighbours_that_differ_or_go_opposite_ways() -> None:
    assert qartod.neighbour_difference(floats(1, 1, 1), floats(1.5, 1.6, NAN), 0.5).tolist() == [
        PASS, SUSPECT, NOT_EVALUATED,
    ]  # fmt: skip
    here, there = floats(0.2, 0.2, 0.2, 0.05, NAN), floats(0.3, -0.3, -0.05, -0.3, 0.1)
    assert qartod.neighbour_trend(here, there, 0.1).tolist() == [PASS, SUSPECT, PASS, PASS, NOT_EVALUATED]


def test_each_test_has_its_own_digit() -> None:
    packed = pack({Test.SYNTAX: flags(1, 1), Test.GROSS_RANGE: flags(1, 4), Test.SENSOR: flags(3, 9)})
    assert [hex(number) for number in packed] == ["0x300000001010", "0x900000004010"]
    assert unpack(packed, Test.GROSS_RANGE).tolist() == [PASS, FAIL]
    assert unpack(packed, Test.SENSOR).tolist() == [SUSPECT, MISSING]
    assert unpack(packed, Test.SPIKE).tolist() == [NOT_EVALUATED, NOT_EVALUATED]
    again = set_flag(packed, Test.GROSS_RANGE, flags(3, 1))
    assert [hex(number) for number in again] == ["0x300000003010", "0x900000001010"]


def test_the_digits_are_stored_and_never_change() -> None:
    assert {test.name: test.shift // 4 for test in Test} == {
        "GAP": 0, "SYNTAX": 1, "LOCATION": 2, "GROSS_RANGE": 3, "CLIMATOLOGY": 4, "SPIKE": 5,
        "RATE_OF_CHANGE": 6, "FLAT_LINE": 7, "MULTI_VARIATE": 8, "ATTENUATED_SIGNAL": 9, "NEIGHBOUR": 10,
        "SENSOR": 11, "VERIFY": 12, "CALIBRATION": 13,
    }  # fmt: skip
    assert all(9 << test.shift < 2**63 for test in Test)


def test_nothing_can_be_packed_without_a_test() -> None:
    with pytest.raises(ValueError, match="no test"):
        pack({})


@pytest.mark.parametrize(
    ("tests", "quality"),
    [
        ({}, NOT_EVALUATED),
        ({Test.SYNTAX: PASS}, NOT_EVALUATED),  # it came whole; nobody has looked at its value
        ({Test.SYNTAX: PASS, Test.GAP: MISSING, Test.GROSS_RANGE: PASS}, PASS),
        ({Test.GAP: SUSPECT, Test.VERIFY: SUSPECT, Test.GROSS_RANGE: PASS}, PASS),
        ({Test.GROSS_RANGE: PASS, Test.SPIKE: NOT_EVALUATED, Test.NEIGHBOUR: NOT_EVALUATED}, PASS),
        ({Test.GROSS_RANGE: PASS, Test.CLIMATOLOGY: SUSPECT}, SUSPECT),
        ({Test.GROSS_RANGE: SUSPECT, Test.RATE_OF_CHANGE: FAIL, Test.SPIKE: PASS}, FAIL),
        ({Test.GROSS_RANGE: MISSING}, MISSING),
        ({Test.GROSS_RANGE: MISSING, Test.SENSOR: NOT_EVALUATED}, NOT_EVALUATED),
    ],
)
def test_roll_up(tests: dict[Test, Quality], quality: Quality) -> None:
    packed = pack({test: flags(flag) for test, flag in tests.items()}) if tests else np.zeros(1, np.int64)
    assert roll_up(packed).tolist() == [quality]
    assert failed(packed).tolist() == [quality == FAIL]
