"""The robust slope against the definition, and its quick test against the slope."""

from __future__ import annotations

import random
from statistics import median

import numpy as np
import pytest

from alerts.rules.slope import HOUR, MOST_POINTS, may_reach, theil_sen

MINUTE = int(HOUR) // 60


def slope(minutes: list[float], values: list[float], span: int = 0, points: int = 2) -> float:
    time = np.array([[round(minute * MINUTE) for minute in minutes]])
    return float(theil_sen(time, np.array([values]), span, points)[0])


def by_definition(minutes: list[int], values: list[float]) -> float:
    pairs = [(a, b) for b in range(len(minutes)) for a in range(b)]
    return median((values[b] - values[a]) / ((minutes[b] - minutes[a]) / 60) for a, b in pairs)


def test_the_slope_is_the_median_over_all_pairs(rng: random.Random) -> None:
    for _ in range(200):
        count = rng.randint(4, MOST_POINTS)
        minutes = sorted(rng.sample(range(120), count))
        values = [rng.gauss(0, 1) for _ in minutes]
        assert slope(minutes, values) == pytest.approx(by_definition(minutes, values), abs=1e-12)


def test_a_straight_line_keeps_its_slope_when_points_are_thinned() -> None:
    minutes = [float(minute) for minute in range(60)]
    assert slope(minutes, [0.1 * minute / 60 for minute in minutes]) == pytest.approx(0.1)


def test_a_quarter_of_wild_values_does_not_bend_a_line() -> None:
    values = [0.12 * minute / 60 for minute in range(0, 65, 5)]
    for wild in (2, 7, 9):
        values[wild] += 2.0
    assert slope(list(range(0, 65, 5)), values) == pytest.approx(0.12, abs=0.05)


def test_too_few_points_or_too_short_a_span_give_no_slope() -> None:
    assert np.isnan(slope([0, 5, 10], [1, 2, 3], points=4))
    assert np.isnan(slope([0, 5, 10, 15], [1, 2, 3, 4], span=30 * MINUTE, points=4))
    assert slope([0, 10, 20, 30], [1, 2, 3, 4], span=30 * MINUTE, points=4) == pytest.approx(6.0)


def test_missing_values_take_no_part() -> None:
    assert slope([0, 10, 20, 30, 40], [1, np.nan, 3, np.nan, 5]) == pytest.approx(6.0)


def test_samples_within_a_second_give_no_slope_between_them() -> None:
    """Whole-second arithmetic would divide by zero, a microsecond's difference by almost nothing."""
    assert slope([0, 0.001, 30, 60], [1.0, 5.0, 1.0, 1.0]) == pytest.approx(0.0)
    assert np.isnan(slope([0, 0.001], [1.0, 2.0]))


def test_the_quick_test_never_rejects_a_slope_that_reaches_the_floor(rng: random.Random) -> None:
    accepted = rejected = 0
    for _ in range(300):
        minutes = sorted(rng.sample(range(90), 12))
        drift = rng.uniform(-0.3, 0.5)
        values = [drift * minute / 60 + rng.gauss(0, 0.05) for minute in minutes]
        time = np.array([[minute * MINUTE for minute in minutes]])
        reaches = slope(minutes, values) >= 0.15
        may = bool(may_reach(time, np.array([values]), np.array([0.15]))[0])
        assert may or not reaches
        accepted += reaches
        rejected += not may
    assert accepted > 30
    assert rejected > 30
