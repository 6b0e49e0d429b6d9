"""Margins, steps, means, maxima and lost frames: what they are, and what they refuse to say."""

from __future__ import annotations

import pytest

from ingest.derive import Derivation, Series
from ingest.model import Quality
from tests.property.derive_world import (
    HOUR,
    MINUTE,
    START,
    Writer,
    built,
    derived,
    rows_of,
    series,
    steady,
    stream,
    times,
)

TEN = 10 * MINUTE
BD = [{"name": "BĐ I", "value": None}, {"name": "BĐ II", "value": 2.0}, {"name": "BĐ III", "value": 3.5}]
LEVEL = [stream("water_level", "m", "5min", levels=BD)]


def margin(level: str = "BĐ III", **settings: object) -> Derivation:
    return built(LEVEL, derived("m", "5min", kind="margin", of="water_level", level=level, **settings))


@pytest.mark.parametrize(
    ("level", "value", "expected"),
    [
        ("BĐ III", 5.05, 1.55),  # Kim Long, 27-10-2025 at 20:00
        ("BĐ III", 3.5, 0.0),
        ("BĐ II", 1.73, -0.27),
        ("BĐ II", 2.42, 0.42),
    ],
)
def test_a_margin_is_what_the_level_stands_above(level: str, value: float, expected: float) -> None:
    rows = steady([value], TEN)
    assert rows_of(margin(level).compute(rows.time, [rows]))[START] == (expected, Quality.PASS, 1.0, START)


def test_a_margin_has_the_quality_of_its_level() -> None:
    rows = steady([4.0] * 5, TEN)
    rows.quality[:] = [1, 2, 3, 4, 9]
    outputs = rows_of(margin().compute(rows.time, [rows]))
    assert [row[:3] for row in outputs.values()] == [
        (0.5, Quality.PASS, 1.0),
        (0.5, Quality.NOT_EVALUATED, 1.0),
        (0.5, Quality.SUSPECT, 1.0),
        (None, Quality.MISSING, 0.0),
        (None, Quality.MISSING, 0.0),
    ]
    strict = rows_of(margin(accept=["pass"]).compute(rows.time, [rows]))
    assert [row[0] for row in strict.values()] == [0.5, None, None, None, None]


def test_a_margin_follows_a_flag_that_changes() -> None:
    writer = Writer(margin())
    writer.write([(0, (START, 4.0, Quality.NOT_EVALUATED))])
    writer.write([(0, (START, 4.0, Quality.FAIL))])
    assert writer.outputs[START][:2] == (None, Quality.MISSING)


def step(**settings: object) -> Derivation:
    outflow = [stream("outflow", "m3/s", "15min")]
    return built(outflow, derived("m3/s", "15min", kind="step", of="outflow", **settings))


def of_minutes(*rows: tuple[int, float]) -> Series:
    return series((START + minute * MINUTE, value, Quality.PASS) for minute, value in rows)


def test_a_step_is_the_change_within_the_window() -> None:
    rows = of_minutes((0, 423.0), (15, 423.0), (30, 700.0), (45, 900.0), (60, 1000.0))
    assert rows_of(step().compute(rows.time[-1:], [rows]))[START + HOUR][:3] == (577.0, Quality.PASS, 1.0)


@pytest.mark.parametrize(("minute", "expected"), [(0, 100.0), (-22, 100.0), (-23, None), (1, None)])
def test_the_earlier_reading_may_be_a_little_older_never_younger(minute: int, expected: float | None) -> None:
    rows = of_minutes((minute, 400.0), (60, 500.0))
    assert rows_of(step().compute(rows.time[-1:], [rows]))[START + HOUR][0] == expected


def test_a_gap_is_not_read_as_no_change() -> None:
    rows = of_minutes((-600, 400.0), (60, 400.0))
    value, quality, coverage, _ = rows_of(step().compute(rows.time[-1:], [rows]))[START + HOUR]
    assert (value, quality, coverage) == (None, Quality.MISSING, 0.0)


def test_a_failed_reading_is_no_end_of_a_step() -> None:
    rows = of_minutes((-10, 300.0), (0, 9_999.0), (60, 500.0), (75, 500.0))
    rows.quality[1] = Quality.FAIL
    outputs = rows_of(step(tolerance="30min").compute(rows.time[2:], [rows]))
    assert outputs[START + HOUR][0] == 200.0
    rows.quality[2] = Quality.FAIL
    assert rows_of(step().compute(rows.time[2:3], [rows]))[START + HOUR][0] is None


def over(kind: str, **settings: object) -> Derivation:
    ozone = [stream("o3", "ug/m3", "1h")]
    return built(ozone, derived("ug/m3", "1h", kind=kind, of="o3", window="8h", **settings))


def test_a_mean_is_of_the_readings_in_its_window() -> None:
    rows = steady([900.0, 100, 110, 120, 130, 140, 150, 160, 170], HOUR)
    at = int(rows.time[-1])
    assert rows_of(over("window_mean").compute(rows.time[-1:], [rows]))[at] == (135.0, Quality.PASS, 1.0, at)


@pytest.mark.parametrize(("failed", "expected"), [(2, 100.0), (3, None)])
def test_a_mean_of_too_little_is_unknown(failed: int, expected: float | None) -> None:
    rows = steady([100.0] * 9, HOUR)
    rows.quality[3 : 3 + failed] = Quality.FAIL
    value, _, coverage, _ = rows_of(over("window_mean").compute(rows.time[-1:], [rows]))[int(rows.time[-1])]
    assert value == expected
    assert coverage == (8 - failed) / 8


def test_a_maximum_of_part_of_a_window_is_a_lower_bound_with_its_coverage() -> None:
    rows = steady([100.0, 120.0], HOUR)
    outputs = rows_of(over("window_max").compute(rows.time, [rows]))
    assert outputs[START + HOUR][:3] == (120.0, Quality.PASS, 0.25)
    rows.quality[:] = Quality.FAIL
    assert rows_of(over("window_max").compute(rows.time, [rows]))[START + HOUR][:3] == (
        None,
        Quality.MISSING,
        0.0,
    )


def frames(*counts: tuple[int, float], bits: int = 32, window: str = "6h") -> tuple[float | None, float]:
    """Loss and hours covered at the last of (minute, frame counter)."""
    counter = [stream("f_cnt", "1", "10min")]
    loss = built(counter, derived("%", "10min", kind="frame_loss", of="f_cnt", bits=bits, window=window))
    rows = of_minutes(*counts)
    value, _, coverage, _ = rows_of(loss.compute(rows.time[-1:], [rows]))[int(rows.time[-1])]
    return value, round(coverage * float(window[:-1]), 6)


def test_frames_that_never_came_are_a_share_of_those_sent() -> None:
    assert frames(*((10 * n, 100.0 + n) for n in range(37) if n % 5 != 2)) == (pytest.approx(700 / 36), 6.0)


def test_nothing_lost_is_zero() -> None:
    assert frames(*((10 * n, 100.0 + n) for n in range(37))) == (0.0, 6.0)


def test_a_device_that_joins_again_has_lost_nothing() -> None:
    rows = [(10 * n, 500.0 + n) for n in range(19)] + [(10 * n, n - 19.0) for n in range(19, 37)]
    assert frames(*rows) == (0.0, pytest.approx(6 - 1 / 6))


@pytest.mark.parametrize(("bits", "covered"), [(16, 1.0), (32, 5 / 6)])
def test_a_counter_of_16_bits_rolls_over(bits: int, covered: float) -> None:
    rows = ((0, 65533.0), (10, 65534.0), (20, 65535.0), (30, 0.0), (40, 1.0), (50, 2.0), (60, 3.0))
    assert frames(*rows, bits=bits, window="1h") == (0.0, pytest.approx(covered))


def test_a_jump_that_the_device_cannot_have_sent_is_a_restart() -> None:
    assert frames((0, 10.0), (10, 11.0), (20, 40_000.0), (60, 40_004.0), window="1h") == (
        50.0,
        pytest.approx(5 / 6),
    )


def test_a_first_frame_says_nothing_of_loss() -> None:
    assert frames((0, 4_000.0)) == (None, 0.0)


def test_a_long_silence_before_a_frame_is_a_loss() -> None:
    # 8 h without a frame: 47 of 48 were lost, 6 of the 8 hours lie in the window
    assert frames((0, 10.0), (480, 58.0)) == (pytest.approx(4700 / 48), 6.0)


@pytest.mark.parametrize("kind", ["margin", "step", "window_max"])
def test_an_output_speaks_of_the_time_since_its_begin(kind: str) -> None:
    derivation = {"margin": margin(), "step": step(), "window_max": over("window_max")}[kind]
    begin = {"margin": START, "step": START - HOUR, "window_max": START - 8 * HOUR}[kind]
    assert derivation.since(times(START)).tolist() == [begin]
