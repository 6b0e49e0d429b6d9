"""Days until a battery is empty: what they are, what they refuse to say, and the same worked out slowly."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.derive import Derivation, derivation, problems
from ingest.derive.days_left import MOST_DAYS
from ingest.model import Quality
from tests.property.derive_world import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    START,
    Row,
    Writer,
    built,
    derived,
    rows_of,
    series,
    station,
    stream,
)

BATTERY = [stream("battery", "%", "1h"), stream("voltage", "V", "1h"), stream("level", "m", "1h")]


def days(**settings: Any) -> Derivation:
    return built(
        BATTERY, derived("d", "1h", **({"kind": "days_left", "of": "battery", "empty": 0} | settings))
    )


def hourly(values: list[float], flag: int = Quality.PASS) -> list[Row]:
    return [(START + number * HOUR, value, flag) for number, value in enumerate(values)]


def last(rows: list[Row], made: Derivation | None = None) -> tuple[float | None, int, float]:
    """Value, flag and coverage at the newest row."""
    column = series(rows)
    return rows_of((made or days()).compute(column.time[-1:], [column]))[int(column.time[-1])][:3]


def falling(hours: int, start: float = 60.0, per_day: float = 2.0) -> list[float]:
    return [start - per_day * hour / 24 for hour in range(hours)]


def test_a_steady_fall_ends_where_its_line_is_empty() -> None:
    value, flag, coverage = last(hourly(falling(337)))
    assert value == pytest.approx(30 - 14)  # 60 % last 30 days at 2 % a day
    assert (flag, coverage) == (Quality.PASS, 1.0)


def test_volts_end_at_what_the_device_needs() -> None:
    made = days(of="voltage", empty=2.5)
    assert last(hourly(falling(337, 3.6, 0.05)), made)[0] == pytest.approx((3.6 - 2.5) / 0.05 - 14)


def test_whole_per_cents_do_not_hide_a_fall() -> None:
    assert last(hourly([float(round(value)) for value in falling(337, 30.0, 1.4)]))[0] == pytest.approx(
        30 / 1.4 - 14, abs=0.5
    )


def test_the_swing_of_the_day_is_no_trend() -> None:
    swing = [value + (1.5 if hour % 24 < 12 else -1.5) for hour, value in enumerate(falling(337, 40.0, 1.0))]
    assert last(hourly(swing))[0] == pytest.approx(26, abs=2.0)


def test_a_tenth_of_wild_readings_moves_it_little() -> None:
    wild = [100.0 if 100 <= hour < 130 else value for hour, value in enumerate(falling(337))]
    assert last(hourly(wild))[0] == pytest.approx(16, abs=2.0)


@pytest.mark.parametrize("per_day", [0.0, -3.0, 1e-9, 0.05])
def test_a_battery_that_does_not_fall_lasts_a_year_or_more(per_day: float) -> None:
    assert last(hourly(falling(337, 50.0, per_day)))[0] == MOST_DAYS


def test_an_exchanged_battery_ends_the_worry() -> None:
    values = falling(337, 30.0, 2.0)
    assert last(hourly(values))[0] < 2.0  # type: ignore[operator]
    assert last(hourly(values + [100.0] * 24 * 2))[0] > 40  # type: ignore[operator]
    assert last(hourly(values + [100.0] * 24 * 6))[0] == MOST_DAYS


def test_an_empty_battery_has_no_day_left_even_where_nothing_falls() -> None:
    assert last(hourly([0.0] * 200))[0] == 0.0
    assert last(hourly(falling(337, 3.0, 0.5)))[0] == 0.0


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (hourly(falling(1)), "one reading"),
        (hourly(falling(72)), "less than three days"),
        (hourly(falling(14 * 24))[:20] + hourly(falling(14 * 24))[-20:], "too few days with a reading"),
        (hourly(falling(337), Quality.FAIL), "readings that failed"),
        (hourly(falling(337), Quality.SUSPECT), "readings that are suspect"),
    ],
)
def test_too_little_says_nothing(rows: list[Row], why: str) -> None:
    value, flag, _ = last(rows)
    assert (value, flag) == (None, Quality.MISSING), why


def test_what_is_older_than_the_window_is_forgotten() -> None:
    assert last(hourly([90.0] * 500 + falling(337)))[0] == pytest.approx(16)


def test_gaps_show_in_the_coverage() -> None:
    rows = [row for number, row in enumerate(hourly(falling(337))) if number % 4]
    value, _, coverage = last(rows)
    assert value == pytest.approx(16, abs=0.3)
    assert coverage == pytest.approx(0.75, abs=0.01)


def test_an_output_speaks_of_its_window() -> None:
    assert days().since(series(hourly([1.0])).time).tolist() == [START - 14 * DAY]


SHORT = built(
    [stream("battery", "%", "10min")],
    derived("d", "10min", kind="days_left", of="battery", empty=5.0, window="7h", span="2h", points=4),
)


@st.composite
def readings(draw: st.DrawFn) -> list[Row]:
    """A battery that falls, more or less, with gaps, jitter and flags that do and do not count."""
    time, value, found = START, draw(st.sampled_from([6.0, 20.0, 100.0])), []
    fall = draw(st.sampled_from([-0.5, 0.0, 0.1, 0.5]))
    for _ in range(draw(st.integers(1, 60))):
        time += draw(st.sampled_from([9, 10, 10, 10, 11, 25, 80])) * MINUTE + draw(st.integers(0, 999_999))
        value -= fall
        noise = draw(st.sampled_from([0.0, 0.0, 0.3, -0.2, 40.0]))
        found.append((time, round(value + noise, 3), draw(st.sampled_from([1, 1, 1, 2, 3, 4]))))
    return found


def slow(rows: list[Row], at: int) -> float | None:
    """By the documentation alone, reading by reading."""
    window = 7 * HOUR
    counting = [row for row in rows if at - window < row[0] <= at and row[2] in (1, 2)]
    means = []
    for part in range(14):
        begin = at - window + part * window // 14
        end = at - window + (part + 1) * window // 14
        inside = [row for row in counting if begin < row[0] <= end]
        if inside:
            seconds = sum(row[0] // SECOND - at // SECOND for row in inside) / len(inside)
            means.append((seconds / 86_400, sum(row[1] for row in inside) / len(inside)))
    if len(means) < 4 or counting[-1][0] - counting[0][0] < 2 * HOUR:
        return None
    slope = median((b[1] - a[1]) / (b[0] - a[0]) for n, a in enumerate(means) for b in means[n + 1 :])
    left = median(value - slope * day for day, value in means[-3:]) - 5.0
    if left <= 0:
        return 0.0
    return MOST_DAYS if slope >= 0 else min(MOST_DAYS, left / -slope)


@given(rows=readings())
def test_days_left_are_those_worked_out_slowly(rows: list[Row]) -> None:
    writer = Writer(SHORT)
    writer.write((0, row) for row in rows)
    assert list(writer.outputs) == [row[0] for row in rows]
    for at, (value, _, _, until) in writer.outputs.items():
        expected = slow(rows, at)
        assert until == at
        assert value == (None if expected is None else pytest.approx(expected, rel=1e-6, abs=1e-6))


def found(unit: str = "d", cadence: str = "1h", **settings: Any) -> list[str]:
    entry = derived(unit, cadence, **({"kind": "days_left", "of": "battery", "empty": 0} | settings))
    place = station(BATTERY, entry)
    return [message for _, message, _ in problems(place.derived[0], place)]


def test_what_is_right_has_no_fault() -> None:
    assert found() == found(of="voltage", empty=2.5) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"unit": "h"}, "no unit but d"),
        ({"of": "level"}, "a battery is in % or V"),
        ({"of": "batery"}, "measures no 'batery'"),
        ({"cadence": "10min"}, "would come every 600 s"),
        ({"window": "2d"}, "does not fit into a window"),
        ({"window": "300d"}, "more than 5000 readings"),
        ({"window": "30min", "span": "10min"}, "are shorter than"),
    ],
)
def test_what_cannot_work_is_said(settings: dict[str, Any], said: str) -> None:
    assert any(said in message for message in found(**settings))


@pytest.mark.parametrize(
    "wrong", [{"points": 2}, {"points": 15}, {"empty": None}, {"empty": "0"}, {"kind": "days"}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    entry = derived("d", "1h", **({"kind": "days_left", "of": "battery", "empty": 0} | wrong))
    with pytest.raises(ValueError, match="derive"):
        station(BATTERY, entry)


def test_equal_batteries_are_computed_together() -> None:
    other = station(BATTERY, derived("d", "1h", kind="days_left", of="battery", empty=0))
    other = other.model_copy(update={"id": "HUE-XX-OTHER"})
    assert derivation(other.derived[0], other) == days()
