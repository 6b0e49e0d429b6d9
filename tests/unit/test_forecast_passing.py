"""When a level will be passed: the next mark, the probability by each horizon, the time and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.forecast.model import PROBABILITIES, Forecast
from alerts.forecast.passing import Mark, exceeded, next_mark, passing
from ingest.catalog import Level

LEVELS = tuple(Level(name=name, value=value, rank=1) for name, value in (("BĐ I", 1.0), ("BĐ III", 3.5)))
HOURS = (1.0, 2.0, 3.0, 6.0, 12.0)


def straight(level: float, speed: float, spread: float) -> Forecast:
    """Quantiles that rise by `speed` m/h and spread by `spread` m/h between 5 and 95 %."""
    hours = np.array(HOURS)[:, None]
    quantile = level + hours * (speed + spread * (np.array(PROBABILITIES) - 0.5) / 0.9)
    return Forecast(np.zeros(1, np.int64), np.array([level]), HOURS, quantile[None, :, 5], quantile[None])


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        (0.2, Mark("BĐ I", 1.0)),
        (1.0, Mark("BĐ III", 3.5)),  # a level that is reached does not come next
        (3.4, Mark("BĐ III", 3.5)),
        (3.5, Mark("BĐ III +0,5 m", 4.0)),
        (3.99, Mark("BĐ III +0,5 m", 4.0)),
        (4.0, Mark("BĐ III +1,0 m", 4.5)),
        (4.73, Mark("BĐ III +1,5 m", 5.0)),
    ],
)
def test_the_mark_that_comes_next(value: float, mark: Mark) -> None:
    assert next_mark(value, LEVELS) == mark


def test_without_levels_nothing_comes_next() -> None:
    assert next_mark(1.0, ()) is None


def test_the_time_to_a_mark_and_its_interval() -> None:
    """From 1.0 m with 0.5 m/h, between 0.3 (10 %: 1.0 / 0.3) and 0.7 m/h (90 %), to 2.0 m."""
    found = passing(straight(1.0, 0.5, 0.45), np.array([2.0]))
    early, middle, late = found.hours[0]
    assert (early, middle, late) == pytest.approx((1 / 0.7, 2.0, 1 / 0.3), abs=1 / 12)
    assert found.within[0][[0, 1, -1]] == pytest.approx([0.05, 0.5, 0.95])
    assert (np.diff(found.within[0]) >= 0).all()


def test_a_mark_out_of_reach_has_no_time() -> None:
    found = passing(straight(1.0, -0.1, 0.05), np.array([3.5]))
    assert np.isnan(found.hours).all()
    assert found.within[0] == pytest.approx([0.05] * 5)  # less is not told apart


def test_a_mark_that_is_passed_and_left_again_counts_as_passed() -> None:
    made = straight(1.0, 0.5, 0.1)
    quantile = made.quantile.copy()
    quantile[:, 3:] = 0.2
    found = passing(Forecast(made.origin, made.level, HOURS, made.expected, quantile), np.array([2.0]))
    assert found.within[0][-1] == found.within[0][2] > 0.9


def test_an_unknown_forecast_has_no_probability() -> None:
    made = straight(1.0, 0.5, 0.1)
    unknown = Forecast(made.origin, made.level, HOURS, made.expected * np.nan, made.quantile * np.nan)
    assert np.isnan(passing(unknown, np.array([2.0])).within).all()
    assert np.isnan(exceeded(unknown, 3.0, 0.8)).all()


@pytest.mark.parametrize("within", [0.5, 1.0, 2.5, 3.0, 12.0])
def test_the_level_passed_with_a_probability_is_where_the_probability_is_that(within: float) -> None:
    made = straight(1.0, 0.5, 0.4)
    level = exceeded(made, within, 0.8)
    assert level[0] == pytest.approx(1.0 + within * (0.5 - 0.4 * 0.3 / 0.9))
    if within in HOURS:
        chance = passing(made, level - 1e-9).within[0][HOURS.index(within)]
        assert chance == pytest.approx(0.8, abs=1e-6)


def test_falling_water_exceeds_no_more_than_it_has() -> None:
    assert exceeded(straight(2.0, -0.5, 0.1), 3.0, 0.8)[0] == 2.0
