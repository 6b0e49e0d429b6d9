"""What truth expects of the October flood, and that its windows are those that were promised."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from importlib.resources import files

import numpy as np
import pytest

from ingest.catalog import load_catalogue
from ingest.clock import to_datetime
from ingest.model import Nature
from simulators.expected import Expected, What, visits
from simulators.plan import make_plan
from simulators.scenario import MINUTE, load_scenario
from simulators.truth import expectations, quiets

HUE = timezone(timedelta(hours=7))
SCENARIO = load_scenario()
CATALOGUE = load_catalogue(files("huewatch_config") / "catalog", Nature.EXERCISE)
PLAN = make_plan(SCENARIO, CATALOGUE, SCENARIO.seed)
ALL = expectations(PLAN)
KIM_LONG, PHU_OC = "HUE-WL-KIMLONG/water_level", "HUE-WL-PHUOC/water_level"


def local(micros: int) -> str:
    return to_datetime(micros).astimezone(HUE).strftime("%d %H:%M")


def of(target: str, what: What, required: bool = True) -> list[Expected]:
    return [each for each in ALL if (each.target, each.what, each.required) == (target, what, required)]


def test_catalogue_levels_are_those_of_the_decree():
    levels = {key: [level.value for level in found.levels] for key, _, found in CATALOGUE.datastreams()}
    assert levels[KIM_LONG] == [1.00, 2.00, 3.50]
    assert levels[PHU_OC] == [1.50, 3.00, 4.50]


def bd(target: str, what: What) -> list[Expected]:
    """Of the levels of the decree, and none of the steps above them."""
    return [each for each in of(target, what) if each.level <= 3]


def test_kim_long_rises_through_three_levels_and_steps_down_once():
    assert [(each.level, local(each.at)) for each in bd(KIM_LONG, What.RISE)] == [
        (1, "26 07:11"),
        (2, "26 14:51"),
        (3, "27 06:15"),
    ]
    (fall,) = bd(KIM_LONG, What.FALL)
    assert (fall.level, local(fall.at)) == (3, "30 18:55")  # below 3.40 since 18:24:30, for 30 minutes


def test_phu_oc_enters_the_third_level_twice():
    assert [(each.level, local(each.at)) for each in bd(PHU_OC, What.RISE)] == [
        (1, "26 07:09"),
        (2, "26 19:13"),
        (3, "27 06:49"),
        (3, "29 11:14"),
    ]
    assert [local(each.at) for each in bd(PHU_OC, What.FALL)] == ["28 20:21", "30 09:59"]


@pytest.mark.parametrize("target", [KIM_LONG, PHU_OC])
def test_main_station_windows_are_10_minutes_before_to_15_after(target):
    for each in of(target, What.RISE) + of(target, What.FALL):
        assert (each.at - each.earliest, each.latest - each.at) == (10 * MINUTE, 15 * MINUTE)


def test_street_windows_are_30_minutes_before_to_45_after_unless_readings_were_away():
    for each in ALL:
        if each.target.startswith("HUE-FL") and each.what is What.RISE:
            outages = PLAN.track(each.target).outages
            away = any(outage.begins <= each.latest and outage.ends >= each.at for outage in outages)
            assert each.at - each.earliest == 30 * MINUTE
            assert each.latest - each.at == 45 * MINUTE or away


def test_main_stations_require_a_rate_alert_in_each_of_the_two_rises():
    for target in (KIM_LONG, PHU_OC):
        assert [each.level for each in of(target, What.RATE)] == [1, 1]
        assert [local(each.at)[:2] for each in of(target, What.RATE)] == ["26", "29"]


def test_rates_near_a_limit_are_permitted_and_severe_ones_never_required():
    assert any(each.level == 2 for each in of(KIM_LONG, What.RATE, required=False))
    assert not [each for each in ALL if each.what is What.RATE and each.level == 3 and each.required]


def test_long_dropouts_require_silence_and_main_stations_none():
    silent = {each.target for each in ALL if each.what is What.SILENCE and each.required}
    assert {"HUE-WL-TRUOI/water_level", "HUE-RN-ALUOI/rainfall", "HUE-FL-BACHDANG/water_level"} <= silent
    assert not {KIM_LONG, PHU_OC} & {each.target for each in ALL if each.what is What.SILENCE}
    assert not of("HUE-RN-KHETRE/rainfall", What.SILENCE)  # 20 minutes at a cadence of 10


def test_silence_window_ends_15_minutes_after_4_cadences_but_30_minutes_at_least():
    (each,) = of("HUE-WL-TRUOI/water_level", What.SILENCE)
    (dropout,) = PLAN.track("HUE-WL-TRUOI/water_level").outages
    last = dropout.begins - 10 * MINUTE
    assert each.at == last + 40 * MINUTE
    assert each.latest == last + 55 * MINUTE


def test_spiking_sensor_expects_no_alert_and_submerged_one_no_fall():
    found = {(each.target, each.what) for each in quiets(PLAN)}
    assert ("HUE-FL-BATRIEU/water_level", (What.RISE, What.RATE)) in found
    assert ("HUE-FL-VYDA/water_level", (What.FALL,)) in found
    assert not [each for each in ALL if each.target == "HUE-FL-BATRIEU/water_level"]


def test_water_above_the_blanking_height_expects_nothing_of_a_submerged_sensor():
    falls = of("HUE-FL-VYDA/water_level", What.FALL)
    for quiet in (each for each in quiets(PLAN) if each.what == (What.FALL,)):
        assert not [fall for fall in falls if quiet.begins <= fall.latest and fall.earliest <= quiet.ends]


def test_levels_that_nobody_published_expect_nothing():
    assert {each.level for each in ALL if each.target == "HUE-WL-TUPHU/water_level"} >= {2, 3}
    assert not [each for each in of("HUE-WL-TUPHU/water_level", What.RISE) if each.level == 1]


def curve(*levels: float) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(levels), dtype=np.int64) * MINUTE, np.array(levels)


def test_visit_survives_a_dip_that_is_too_short_or_too_small():
    short = curve(*[1.1] * 5, *[0.8] * 29, *[1.1] * 5)
    small = curve(*[1.1] * 5, *[0.95] * 60, *[1.1] * 5)
    for minutes, water in (short, small):
        (visit,) = visits(minutes, water, 1.0, 0.9, 30 * MINUTE)
        assert (visit.reached, visit.fell, visit.left) == (0, None, None)


def test_visit_ends_after_the_hold_and_another_begins():
    minutes, water = curve(0.5, *[1.1] * 4, *[0.8] * 40, *[1.2] * 5)
    first, second = visits(minutes, water, 1.0, 0.9, 30 * MINUTE)
    assert (first.reached, first.fell, first.left) == (MINUTE, 5 * MINUTE, 35 * MINUTE)
    assert (second.reached, second.highest, second.left) == (45 * MINUTE, 1.2, None)


def test_expectations_do_not_depend_on_noise():
    other = make_plan(SCENARIO, CATALOGUE, SCENARIO.seed + 1)
    pick = [each for each in expectations(other) if each.target in (KIM_LONG, PHU_OC)]
    assert pick == [each for each in ALL if each.target in (KIM_LONG, PHU_OC)]
    assert datetime(2025, 10, 25, 19, tzinfo=HUE) == SCENARIO.begins


def test_each_half_metre_above_the_third_level_is_required_on_the_way_up_and_down():
    steps = [(each.level_name, local(each.at)) for each in of(KIM_LONG, What.RISE) if each.level > 3]
    assert [name for name, _ in steps] == [
        "BĐ III +0.5 m",
        "BĐ III +1 m",
        "BĐ III +1.5 m",
        "BĐ III +0.5 m",
        "BĐ III +1 m",
    ]
    assert steps[0] == ("BĐ III +0.5 m", "27 10:14")
    assert len([each for each in of(KIM_LONG, What.FALL) if each.level > 3]) >= 3


def test_rain_sums_are_those_of_the_curve_within_each_window():
    bach_ma = [each for each in ALL if each.target == "HUE-RN-BACHMA/rain_24h" and each.what is What.RISE]
    assert {each.level for each in bach_ma} == {1, 2, 3}  # the record of 2025 was 1,739.6 mm
    assert any(each.required for each in ALL if each.target.endswith("rain_1h"))
    assert any(each.required for each in ALL if each.target.endswith("rain_3h"))


def test_of_a_gauge_that_was_away_no_sum_is_required_while_its_window_reaches_over_the_gap():
    (outage,) = [one for one in PLAN.track("HUE-RN-ALUOI/rainfall").outages if not one.late]
    day = 24 * 60 * MINUTE
    late = [
        each
        for each in ALL
        if each.target == "HUE-RN-ALUOI/rain_24h" and outage.begins <= each.at <= outage.ends + day
    ]
    assert not any(each.required for each in late)


def test_a_sensor_under_water_and_a_stuck_one_must_be_told_and_no_others():
    blind = {(each.target, each.what) for each in ALL if each.what in (What.SUBMERGED, What.STUCK)}
    assert blind == {
        ("HUE-FL-VYDA/water_level", What.SUBMERGED),
        ("HUE-WL-PHBINH/water_level", What.STUCK),
    }
    (stuck,) = of("HUE-WL-PHBINH/water_level", What.STUCK)
    assert local(stuck.at) == "28 16:00"
