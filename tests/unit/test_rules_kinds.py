"""Each rule kind on values that show what it is for, through the engine itself."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alerts.model import Event
from alerts.rule_test import trace
from alerts.rules.book import Rule, parse_rules
from alerts.rules.confirm import sure_beyond
from alerts.rules.rate import of_one_water
from ingest.catalog import Catalogue, Datastream, Level, Ranging
from ingest.derive.settings import DerivedDatastream
from ingest.quality_settings import Range
from tests.property.engine_world import MINUTE, START, Player, Row, city

REAL = Path(__file__).parents[3] / "shared" / "data"
HEAD = """\
rules:
  - id: rule
    kind: {kind}
    title: {{ vi: Quy tắc, en: Rule }}
    select: {{ property: {prop} }}
"""
RIVER = (
    HEAD.format(kind="threshold", prop="water_level")
    + """\
    levels: catalogue
    severities: { BĐ I: Minor, BĐ II: Moderate, BĐ III: Severe }
    clear: { below: 0.10 m, hold: 30min }
"""
)
BAND = (
    HEAD.format(kind="threshold", prop="ph")
    + """\
    direction: outside
    levels:
      - { name: fair, low: 6.5, high: 8.5, severity: Minor }
      - { name: poor, low: 6.0, high: null, severity: Moderate }
    confirm: { samples: 1 }
    clear: { inside: 0.2, hold: 15min }
"""
)
RAIN = (
    HEAD.format(kind="accumulation", prop="rain_1h")
    + """\
    levels:
      - { name: heavy, value: 30 mm, severity: Minor }
      - { name: very heavy, value: 50 mm, severity: Moderate }
    clear: { fraction: 0.5, hold: 60min }
"""
)
AIR = (
    HEAD.format(kind="index", prop="vn_aqi")
    + """\
    levels: [{ band: Xấu, severity: Moderate }, { band: Rất xấu, severity: Severe }]
    clear: { below: 5, hold: 2h }
"""
)
BLIND = (
    HEAD.format(kind="saturation", prop="water_level")
    + """\
    level: { name: under water, severity: Severe }
    clear: { below: 0.05 m, hold: 15min }
"""
)
FLAT = (
    HEAD.format(kind="flat_line", prop="water_level")
    + """\
    tolerance: 2 mm
    levels: [{ name: stuck, value: 2 h, severity: Minor }]
    clear: { hold: 10min }
"""
)
RATE = (
    HEAD.format(kind="rate", prop="water_level")
    + """\
    window: 60min
    levels: [{ name: fast, value: 15 cm/30min, severity: Minor }]
    clear: { fraction: 0.6, hold: 20min }
"""
)
BD = tuple(
    Level(name=f"BĐ {n}", value=v, rank=r) for r, n, v in ((1, "I", 1.0), (2, "II", 2.0), (3, "III", 3.5))
)


def gauge(**changes: Any) -> Catalogue:
    """A city of one datastream, a river gauge unless it is said otherwise."""
    station = city().stations[0]
    stream: Datastream = station.datastreams[0].model_copy(update={"levels": BD} | changes)
    return Catalogue(stations=(station.model_copy(update={"datastreams": (stream,)}),), routes=())


def measuring(prop: str, unit: str, cadence: float = 300.0, **changes: Any) -> Catalogue:
    return gauge(property=prop, unit=unit, cadence=cadence, levels=(), **changes)


def raining() -> Catalogue:
    """A gauge with its hourly sum, which the rule watches."""
    (station,) = measuring("rainfall", "mm", 600.0).stations
    hourly = DerivedDatastream.model_validate(
        {
            "name": "rain_1h",
            "property": "rain_1h",
            "unit": "mm",
            "cadence": 600.0,
            "derive": {"kind": "window_sum", "of": "water_level", "window": 3_600.0},
        },
        strict=False,
    )
    return Catalogue(stations=(station.model_copy(update={"derived": (hourly,)}),), routes=())


def rule_of(text: str, catalogue: Catalogue) -> Rule:
    (rule,), problems = parse_rules(text, "rules.yaml", catalogue)
    assert problems == []
    return rule


def events(text: str, catalogue: Catalogue, values: str) -> list[Event]:
    return [event for step in trace(rule_of(text, catalogue), values) for event in step.events]


def told(text: str, catalogue: Catalogue, values: str) -> list[tuple[str, str]]:
    return [(event.kind.value, event.level_name) for event in events(text, catalogue, values)]


def refused(text: str, catalogue: Catalogue) -> str:
    return "\n".join(map(str, parse_rules(text, "rules.yaml", catalogue)[1]))


# -- threshold: what confirms


def test_some_of_the_newest_samples_confirm() -> None:
    text = RIVER + "    confirm: { samples: 2, of: 3 }\n"
    assert told(text, gauge(), "1.1 0.9 1.1") == [("raised", "BĐ I")]
    assert told(text, gauge(), "1.1 0.9 0.9 1.1") == []


def test_time_confirms() -> None:
    text = RIVER + "    confirm: { samples: 1, for: 15min }\n"
    assert told(text, gauge(), "1.1 1.1 1.1") == []
    assert told(text, gauge(), "1.1 1.1 1.1 1.1") == [("raised", "BĐ I")]
    assert told(text, gauge(), "1.1 1.1 0.9 1.1 1.1 1.1") == []


@pytest.mark.parametrize(
    ("confirm", "words"),
    [
        ("{ samples: 3, of: 2 }", "3 of 2 samples can never be"),
        ("{ samples: 1, for: 6min }", "less than two cadences"),
        ("{ at_once_beyond: 0.1 pH }", "cannot be compared with a series in m"),
    ],
)
def test_what_can_never_confirm_is_refused(confirm: str, words: str) -> None:
    assert words in refused(f"{RIVER}    confirm: {confirm}\n", gauge())


def test_a_time_of_less_than_a_cadence_is_refused_and_of_less_than_two_a_warning() -> None:
    def severity(time: str) -> list[str]:
        text = f"{RIVER}    confirm: {{ samples: 1, for: {time} }}\n"
        return [problem.severity.value for problem in parse_rules(text, "rules.yaml", gauge())[1]]

    assert (severity("4min"), severity("6min"), severity("10min")) == (["error"], ["warning"], [])


def test_one_sample_far_above_its_level_that_continues_the_trend_opens_at_once() -> None:
    text = RIVER + "    confirm: { samples: 2, at_once_beyond: 0.10 m }\n"
    assert told(text, gauge(), "0.6 0.75 0.92 1.12") == [("raised", "BĐ I")]
    assert told(text, gauge(), "0.6 0.75 0.92 1.08") == []  # not far enough above
    assert told(text, gauge(), "0.6 0.61 0.62 1.12") == []  # a spike: fifty times as fast as before
    assert told(text, gauge(), "0.9 0.8 0.7 1.12") == []  # against the trend
    assert told(text, gauge(), "0.92 1.12") == []  # nothing is known of a trend
    assert told(text, gauge(), "0.6 0.75 0.92 1.12?") == []  # suspect
    step = trace(rule_of(text, gauge()), "0.6 0.75 0.92 1.12")[-1]
    assert step.events[0].verified
    assert step.why == "One sample that continues the trend stands beyond doubt at or above BĐ I (1 m)."


def test_a_neighbour_may_confirm_where_the_catalogue_names_one() -> None:
    text = RIVER + "    confirm: { neighbours: true }\n"
    assert not rule_of(text, gauge()).plans[0][1].neighbours
    assert rule_of(text, gauge(neighbours=("R2/water_level",))).plans[0][1].neighbours


def test_a_trend_needs_samples_that_all_can_be_trusted() -> None:
    rising, beyond = np.array([[0.6, 0.75, 0.92, 1.12]]), np.array([0.1])
    time, trusted = np.arange(4)[None, :] * 5 * MINUTE, np.ones((1, 4), np.bool_)
    assert sure_beyond(rising, time, trusted, beyond)[0] == pytest.approx(1.02)
    trusted[0, 1] = False
    assert sure_beyond(rising, time, trusted, beyond)[0] == -np.inf


# -- threshold: steps above the highest level


STEPS = RIVER + "    steps: { above: BĐ III, every: 0.5 m, severity: Extreme }\n"


def test_each_half_metre_above_the_highest_level_escalates() -> None:
    high = gauge(gross_range=Range(fail=(-1.0, 5.0)))
    assert told(STEPS, high, "3.6 3.6 4.1 4.1 4.6 4.6") == [
        ("raised", "BĐ III"),
        ("escalated", "BĐ III +0,5 m"),
        ("escalated", "BĐ III +1 m"),
    ]
    (_, plan) = rule_of(STEPS, high).plans[0]
    assert [(band.rank, band.raise_at) for band in plan.bands[3:]] == [(4, 4.0), (5, 4.5), (6, 5.0)]


def test_steps_end_at_what_the_sensor_sees() -> None:
    seen = Ranging(zero_elevation=5.0, blanking=0.8, max_range=9.0)
    assert len(rule_of(STEPS, gauge(ranging=seen)).plans[0][1].bands) == 4  # up to 4.2 m
    assert len(rule_of(STEPS, gauge()).plans[0][1].bands) == 3 + 20  # nothing says where it ends
    assert "is not above 0" in refused(STEPS.replace("0.5 m", "0 m"), gauge())


def test_a_station_without_the_level_has_no_steps() -> None:
    (_, plan) = rule_of(STEPS, gauge(levels=BD[:2])).plans[0]
    assert len(plan.bands) == 2


# -- threshold: outside a band


def ph(values: str) -> list[tuple[str, str, float | None, float | None, str]]:
    return [
        (event.kind.value, event.level_name, event.value, event.threshold, event.direction)
        for event in events(BAND, measuring("ph", "1"), values)
    ]


def test_both_sides_of_a_band_raise_and_are_told_as_measured() -> None:
    assert ph("7.0 8.6") == [("raised", "fair", 8.6, 8.5, "above")]
    assert ph("7.0 6.5 5.9") == [
        ("raised", "fair", 6.5, 6.5, "below"),
        ("escalated", "poor", 5.9, 6.0, "below"),
    ]
    assert ph("7.0 13.0") == [("raised", "fair", 13.0, 8.5, "above")]  # no limit of `poor` on that side


def test_hysteresis_is_inside_both_edges() -> None:
    assert [kind for kind, *_ in ph("8.6 8.4 8.4 8.4 8.4 8.4")] == ["raised"]
    assert [kind for kind, *_ in ph("8.6 8.29 8.29 8.29 8.29")] == ["raised", "cleared"]
    assert [kind for kind, *_ in ph("6.4 6.6 6.6 6.6 6.6")] == ["raised"]
    assert [kind for kind, *_ in ph("6.4 6.71 6.71 6.71 6.71")] == ["raised", "cleared"]


def test_a_jump_from_one_side_to_the_other_is_one_alert() -> None:
    assert [kind for kind, *_ in ph("8.6 6.2 6.2 6.2 6.2")] == ["raised"]


def test_a_band_is_explained() -> None:
    steps = trace(rule_of(BAND.replace("samples: 1", "samples: 2"), measuring("ph", "1")), "8.6 8.6 8.2")
    assert [step.why for step in steps] == [
        "Outside fair (at or below 6.5 or at or above 8.5 1): 2 samples in a row are needed.",
        "2 samples in a row stand at or above fair (8.5 1).",
        "Inside by 0.2 1 for 0 of the 15 min that end fair.",
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("low: 6.0", "low: 6.4", "the edge 6.4 lies within `clear.inside` of the band inside it"),
        ("high: 8.5", "high: 6.8", "nothing is left inside the band"),
        ("inside: 0.2", "below: 0.2", "`clear` has `inside`"),
        ("low: 6.5, ", "", "a side that one level leaves out has a limit in a level further out"),
        ("high: 8.5", "high: 15", "fair (15 1) of R1/water_level can never be reached"),
        ("direction: outside", "direction: above", "`clear` has `below`"),
        ("samples: 1", "samples: 1, at_once_beyond: 0.1", "`at_once_beyond` needs"),
    ],
)
def test_a_band_that_cannot_be_is_refused(old: str, new: str, words: str) -> None:
    assert words in refused(BAND.replace(old, new), measuring("ph", "1", gross_range=Range(fail=(0.0, 14.0))))


# -- accumulation


def test_a_sum_opens_at_once_and_steps_back_at_the_next_lower_limit() -> None:
    assert told(RAIN, raining(), "20 31 52 31 31 29 29@50min 29 16@1h 14 14@50min 14") == [
        ("raised", "heavy"),
        ("escalated", "very heavy"),
        ("lowered", "heavy"),
        ("cleared", ""),
    ]


def test_a_partial_sum_may_open_and_never_ends() -> None:
    assert told(RAIN, raining(), "20 31?") == [("raised", "heavy")]
    assert told(RAIN, raining(), "31 0? 0?@50min 0?@50min 0?@50min") == [("raised", "heavy")]


def test_what_is_no_sum_is_refused() -> None:
    text = RAIN.replace("property: rain_1h", "property: rainfall")
    assert "is no sum with a coverage" in refused(text, raining())


# -- index


def test_two_of_three_hours_open_a_band_by_its_name() -> None:
    air = measuring("vn_aqi", "1", 3_600.0)
    assert told(AIR, air, "140 151 140 151 180 205 210") == [("raised", "Xấu"), ("escalated", "Rất xấu")]
    assert told(AIR, air, "155 155 147 147 147") == [("raised", "Xấu")]
    assert told(AIR, air, "155 155 145 145 145") == [("raised", "Xấu"), ("cleared", "")]
    assert "it is no index" in refused(AIR, measuring("vn_aqi", "ug/m3", 3_600.0))


def test_an_unknown_band_is_refused() -> None:
    assert "Input should be" in refused(
        AIR.replace("Xấu,", "Không tốt,", 1), measuring("vn_aqi", "1", 3_600.0)
    )


# -- saturation


SEES = Ranging(zero_elevation=1.6, blanking=0.28, max_range=7.5)  # up to 1.32 m


def test_a_sensor_under_water_says_at_least_and_no_slope() -> None:
    raised, cleared = events(BLIND, gauge(ranging=SEES), "1.0 1.1 1.2 1.3 1.32 1.32 1.32 1.25 1.2 1.1 1.1")
    assert (raised.kind.value, raised.value, raised.threshold) == ("raised", 1.32, 1.32)
    assert (raised.rate_per_hour, cleared.rate_per_hour) == (None, None)


def test_a_sensor_without_a_height_cannot_be_under_water() -> None:
    assert "watches nothing" in refused(BLIND, gauge())
    range_below = gauge(ranging=SEES, gross_range=Range(fail=(-0.5, 1.2)))
    assert "it is never seen under water" in refused(BLIND, range_below)


# -- flat line


def test_a_value_that_stands_for_hours_is_told_with_its_hours() -> None:
    still = " ".join(["1.000"] * 24)
    assert told(FLAT, gauge(), f"0.98 0.99 {still}") == []
    (event,) = events(FLAT, gauge(), f"0.98 0.99 {still} 1.001")
    assert (event.kind.value, event.value, event.unit, event.rate_per_hour) == ("raised", 2.0, "h", None)


def test_ripples_are_no_flat_line_and_movement_ends_one() -> None:
    assert told(FLAT, gauge(), " ".join(["1.000", "1.003"] * 20)) == []
    stuck = " ".join(["1.0"] * 25)
    assert told(FLAT, gauge(), f"{stuck} 1.1 1.2 1.3 1.4") == [("raised", "stuck"), ("cleared", "")]


def test_a_quality_test_that_fails_a_stuck_sensor_does_not_hide_it() -> None:
    assert told(FLAT, gauge(), " ".join(["1.0!"] * 25)) == [("raised", "stuck")]


def test_a_gap_breaks_a_flat_line() -> None:
    assert told(FLAT, gauge(), f"{' '.join(['1.0'] * 5)} 1.0@100min 1.0 1.0 1.0") == []


def test_a_dry_road_and_a_sensor_under_water_are_no_flat_lines() -> None:
    dry = FLAT + "    above: 10 cm\n"
    assert told(dry, gauge(), " ".join(["0.02"] * 30)) == []
    assert told(FLAT, gauge(ranging=SEES), " ".join(["1.32"] * 30)) == []
    stuck = " ".join(["1.0"] * 25)
    assert told(FLAT, gauge(ranging=SEES), f"{stuck} 1.32 1.32 1.32 1.32")[-1] == ("cleared", "")


def test_a_flat_line_of_too_few_readings_is_refused() -> None:
    assert "too few to say" in refused(FLAT, gauge(cadence=3_600.0))


# -- rate


def test_a_rate_is_written_over_any_time() -> None:
    (_, plan) = rule_of(RATE, gauge()).plans[0]
    assert (plan.bands[0].raise_at, plan.unit) == (0.3, "m/h")
    assert "is not a rate such as" in refused(RATE.replace("cm/30min", "cm/0min"), gauge())


def test_without_a_gate_every_series_is_judged_with_half_of_what_its_cadence_gives() -> None:
    fast, slow = (
        rule_of(RATE, gauge(levels=(), cadence=cadence)).plans[0][1].own for cadence in (300.0, 900.0)
    )
    assert (fast[:2], slow[:2]) == ((30 * MINUTE, 6), (30 * MINUTE, 3))
    assert told(RATE, gauge(levels=()), "0.0 0.03 0.06 0.09 0.12 0.15 0.18") == [("raised", "fast")]


def test_at_low_water_a_rise_must_have_lasted() -> None:
    text = RATE + "    gate: 0.5 m\n    rising: 30min\n"
    low = " ".join(f"{-1 + 0.03 * step:.2f}" for step in range(13))
    assert told(text, gauge(), low) == [("raised", "fast")]
    stopped = "-1.0 -0.9 -0.8 -0.7 -0.6 -0.55 -0.54 -0.53 -0.53 -0.53 -0.53"
    lasted = told(text, gauge(), stopped)
    assert lasted == [] or lasted[0] == ("raised", "fast")
    assert "cannot be seen for longer" in refused(text.replace("rising: 30min", "rising: 2h"), gauge())


def test_the_way_back_from_a_glitch_is_no_rise() -> None:
    text = RATE + "    jump: 0.5 m\n"
    glitch = "2.1 2.1 2.1 2.1 2.1 2.1 2.1 0.0 0.0 0.0 0.0 0.0 0.0 2.1 2.1 2.1 2.1 2.1 2.1 2.1 2.1"
    assert told(text, gauge(), glitch) == []
    assert told(RATE, gauge(), glitch) != []


def test_rows_beyond_a_jump_are_left_out_until_one_comes_near_again() -> None:
    value = np.array([[2.0, 2.1, 0.0, 0.1, 2.2, 2.3], [0.0, 0.0, 0.0, 2.0, 2.0, 2.0]])
    kept = of_one_water(value, np.ones((2, 6), np.bool_), np.array([0.5, 0.5]))
    assert kept.tolist() == [
        [True, True, False, False, True, True],
        [False, False, False, True, True, True],
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real series are not part of the project")
def test_the_real_glitch_of_the_agly_raises_no_rate_alert_on_its_way_back() -> None:
    name = "hubeau-agly-Y0674060-2020-01.csv"
    with (REAL / name).open(encoding="utf-8") as file:
        read = sorted((row["time"], float(row["level_mm"]) / 1000) for row in csv.DictReader(file))
    times = [round(datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * 1e6) for time, _ in read]
    rows = [Row(10, time, value, 1, time) for time, (_, value) in zip(times, read, strict=True)]
    text = RATE.replace("15 cm/30min", "8 cm/h") + "    gate: 0.5 m\n    jump: 0.5 m\n"
    levels = tuple(Level(name=str(v), value=v, rank=r) for r, v in ((1, 3.0), (2, 4.5), (3, 6.0)))
    player = Player([rule_of(text, gauge(levels=levels, cadence=600.0)).numbered({"R1/water_level": 10})])
    for begin in range(0, len(rows), 500):
        player.play(rows[begin : begin + 500])
    glitch = times[next(place for place, row in enumerate(rows) if row.value == 0.0)]
    raised = [event for event in player.store.events if event.kind.value == "raised"]
    assert raised  # the flood itself
    assert [event for event in raised if abs(event.event_time - glitch) < 6 * 60 * MINUTE] == []


# -- all of them


def test_outside_its_hours_a_rule_raises_nothing_and_says_so() -> None:
    steps = trace(rule_of(RIVER + "    active: { hours: '20:00-06:00' }\n", gauge()), "1.5 1.5")
    assert [step.why for step in steps] == ["The rule is not active at this time: it raises nothing."] * 2


def test_the_world_begins_on_a_whole_second() -> None:
    assert START % 1_000_000 == 0
