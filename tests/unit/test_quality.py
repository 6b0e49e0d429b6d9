"""Quality tests over columns: the gross range and the roll-up of flags, as the QARTOD manuals have them."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.model import Quality
from ingest.quality import GrossRanges, gross_range, worst
from ingest.quality_settings import Range

PASS, NOT_EVALUATED, SUSPECT, FAIL, MISSING = (
    Quality.PASS,
    Quality.NOT_EVALUATED,
    Quality.SUSPECT,
    Quality.FAIL,
    Quality.MISSING,
)
RANGES = GrossRanges.of([Range(fail=(-1.5, 9.0), suspect=(-0.8, 6.2)), None, Range(fail=(0.0, 0.0))])


def flags(values: list[float], series: list[int]) -> list[int]:
    return list(gross_range(np.array(values, np.float64), np.array(series, np.intp), RANGES))


def test_gross_range_of_the_record_flood_passes() -> None:
    assert flags([5.81], [0]) == [PASS]


def test_gross_range_bounds_belong_to_the_range() -> None:
    assert flags([-1.5, -0.8, 6.2, 9.0], [0] * 4) == [SUSPECT, PASS, PASS, SUSPECT]
    below, above = np.nextafter(-1.5, -2), np.nextafter(9.0, 10)
    assert flags([float(below), float(above)], [0] * 2) == [FAIL, FAIL]


def test_gross_range_reads_each_rows_own_series() -> None:
    assert flags([100.0, 100.0, 100.0, 0.0, -0.0], [0, 1, 2, 2, 2]) == [FAIL, NOT_EVALUATED, FAIL, PASS, PASS]


def test_gross_range_of_nan_is_missing_and_of_infinity_fails() -> None:
    assert flags([float("nan"), float("inf"), float("-inf")], [0] * 3) == [MISSING, FAIL, FAIL]


def test_gross_range_of_no_rows_and_of_no_series_is_empty() -> None:
    assert flags([], []) == []
    assert len(gross_range(np.empty(0), np.empty(0, np.intp), GrossRanges.of([]))) == 0


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (FAIL, PASS, FAIL),
        (PASS, SUSPECT, SUSPECT),
        (SUSPECT, FAIL, FAIL),
        (NOT_EVALUATED, PASS, PASS),
        (NOT_EVALUATED, SUSPECT, SUSPECT),
        (MISSING, NOT_EVALUATED, NOT_EVALUATED),
        (MISSING, PASS, PASS),
        (MISSING, MISSING, MISSING),
    ],
)
def test_worst_follows_the_precedence_whichever_comes_first(
    first: Quality, second: Quality, expected: Quality
) -> None:
    one, other = np.array([first], np.int8), np.array([second], np.int8)
    assert worst(one, other).tolist() == worst(other, one).tolist() == [expected]
    assert worst(one, other).dtype == np.int8
