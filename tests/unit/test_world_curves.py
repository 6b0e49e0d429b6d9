"""Truth is the noise-free curve: its crossings are those that were worked out by hand from the bulletins."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from ingest.clock import to_datetime, to_micros
from simulators.scenario import HOUR, MINUTE, load_scenario
from simulators.world import World

HUE = timezone(timedelta(hours=7))
SCENARIO = load_scenario()
WORLD = World(SCENARIO, SCENARIO.seed)
MINUTES = WORLD.minutes()


def local(day: int, hour: int, minute: int) -> int:
    return to_micros(datetime(2025, 10, day, hour, minute, tzinfo=HUE))


def crossings(curve: str, level: float, rising: bool) -> list[str]:
    """The minutes (whole, rounded down) within which the curve crosses the level."""
    above = WORLD.curve(curve)(MINUTES) >= level
    changed = np.flatnonzero(above[1:] & ~above[:-1] if rising else ~above[1:] & above[:-1])
    return [to_datetime(int(MINUTES[index])).astimezone(HUE).strftime("%d-%m %H:%M") for index in changed]


@pytest.mark.parametrize(
    ("curve", "level", "rising", "expected"),
    [
        ("kim_long", 1.00, True, ["26-10 07:10"]),
        ("kim_long", 2.00, True, ["26-10 14:50"]),
        ("kim_long", 3.50, True, ["27-10 06:14"]),
        ("kim_long", 3.50, False, ["30-10 15:38"]),
        ("kim_long", 3.40, False, ["30-10 18:24"]),
        ("phu_oc", 1.50, True, ["26-10 07:08"]),
        ("phu_oc", 3.00, True, ["26-10 19:12"]),
        ("phu_oc", 4.50, True, ["27-10 06:48", "29-10 11:13"]),
        ("phu_oc", 4.50, False, ["28-10 17:43", "30-10 05:23"]),
        ("phu_oc", 4.40, False, ["28-10 19:50", "30-10 09:28"]),
    ],
)
def test_crossing_of_a_level_comes_at_the_listed_minute(curve, level, rising, expected):
    assert crossings(curve, level, rising) == expected


def test_greatest_rise_is_15_to_16_cm_per_hour():
    for curve in ("kim_long", "phu_oc"):
        level = WORLD.curve(curve)(MINUTES)
        assert 0.15 <= np.max(np.diff(level)) * 60 <= 0.16


@pytest.mark.parametrize(("curve", "peak"), [("kim_long", 5.05), ("phu_oc", 5.25)])
def test_peak_is_the_printed_one(curve, peak):
    assert np.max(WORLD.curve(curve)(MINUTES)) == pytest.approx(peak, abs=1e-6)


def test_tide_moves_kim_long_at_low_water_only():
    with_tide = WORLD.curve("kim_long")(MINUTES)
    still_spec = SCENARIO.curves["kim_long"].model_copy(update={"tide": 0.0})
    still_world = World(SCENARIO.model_copy(update={"curves": {"kim_long": still_spec}}), SCENARIO.seed)
    ripple = with_tide - still_world.curve("kim_long")(MINUTES)
    assert 0.02 < np.max(np.abs(ripple)) <= 0.10
    assert np.all(ripple[with_tide > 0.85] == 0.0)


def test_scenario_runs_for_125_hours_in_1500_steps():
    assert SCENARIO.start == local(25, 19, 0)
    assert SCENARIO.end == to_micros(datetime(2025, 10, 31, 0, 0, tzinfo=HUE))
    assert (SCENARIO.steps, SCENARIO.step) == (1500, 5 * MINUTE)


def test_rain_falls_in_whole_tips_and_never_beyond_a_physical_rate():
    for name in (name for name, spec in SCENARIO.curves.items() if spec.kind == "rain"):
        total = WORLD.curve(name)(MINUTES[::5])
        steps = np.diff(total)
        assert np.all(steps >= 0)
        assert np.max(steps) <= 110 / 12 + 0.2
        assert np.allclose(total / 0.2, np.round(total / 0.2))


def test_more_rain_falls_on_the_mountain_than_in_the_city():
    totals = {name: WORLD.curve(name)(MINUTES)[-1] for name in ("rain_bach_ma", "rain_nam_dong", "rain_hue")}
    assert totals["rain_bach_ma"] > totals["rain_nam_dong"] > totals["rain_hue"] > 700


def test_same_seed_gives_the_same_world_and_another_seed_other_rain():
    again, other = World(SCENARIO, SCENARIO.seed), World(SCENARIO, SCENARIO.seed + 1)
    assert np.array_equal(again.curve("rain_hue")(MINUTES), WORLD.curve("rain_hue")(MINUTES))
    assert not np.array_equal(other.curve("rain_hue")(MINUTES), WORLD.curve("rain_hue")(MINUTES))


def test_street_is_dry_below_the_bank_and_follows_the_river_above_it():
    river, street = WORLD.curve("kim_long")(MINUTES), WORLD.curve("bach_dang")(MINUTES)
    assert np.all(street[river <= 3.10] == 0.0)
    assert np.allclose(street[river > 3.10], river[river > 3.10] - 3.10)


def test_curve_before_its_first_point_is_held_not_extrapolated():
    early = WORLD.curve("phu_oc")(np.array([SCENARIO.start - HOUR], dtype=np.int64))
    assert early[0] == pytest.approx(0.90)
