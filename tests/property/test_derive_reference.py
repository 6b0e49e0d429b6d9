"""Derived values equal slow, obvious references, and keep the promises that people lean on."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.derive import Derivation
from ingest.derive.air import BREAKPOINTS, INDEX, index, nowcast, sub_index
from ingest.model import Quality
from tests.property.derive_world import DAY, HOUR, MINUTE, START, Row, Writer, built, derived, rows_of, series
from tests.property.derive_world import stream as datastream

RAIN = [datastream("rain", "mm", "10min")]
REACH = 15 * MINUTE
SUM = built(RAIN, derived("mm", "10min", kind="window_sum", of="rain", window="1h"))
COUNTER = built(RAIN, derived("mm", "10min", kind="window_sum", of="rain", window="1h", counter=True))
RAIN_DAY = built(RAIN, derived("mm", "10min", kind="rain_day", of="rain"))
Slow = Callable[[list[Row], int, int], tuple[float | None, float]]
USABLE = {Quality.PASS, Quality.NOT_EVALUATED, Quality.SUSPECT}


@st.composite
def rain(draw: st.DrawFn) -> list[Row]:
    """Readings of a gauge: steady, with jitter, gaps, and flags that do and do not count."""
    time, found = START, []
    for _ in range(draw(st.integers(1, 30))):
        time += draw(st.sampled_from([5, 9, 10, 10, 10, 11, 17, 45, 130])) * MINUTE
        amount = draw(st.integers(0, 200)) / 10
        found.append((time, amount, draw(st.sampled_from([1, 1, 1, 2, 3, 4, 9]))))
    return found


def slow_sum(rows: list[Row], begin: int, at: int) -> tuple[float | None, float]:
    """Row by row: each counts for the time since the one before, at most the reach."""
    total, covered, counted = 0.0, 0, False
    for number, (time, amount, flag) in enumerate(rows):
        if not begin < time <= at or flag not in USABLE:
            continue
        start = time - REACH if number == 0 else max(time - REACH, rows[number - 1][0])
        part = time - max(start, begin)
        total += amount * part / (time - start)
        covered += part
        counted = True
    return (total if counted else None), covered / (at - begin)


def slow_count(rows: list[Row], begin: int, at: int) -> tuple[float | None, float]:
    """Difference by difference of the rows that count."""
    counting = [row for row in rows if row[2] in USABLE]
    total, covered, counted = 0.0, 0, False
    for (start, low, _), (end, high, _) in pairwise(counting):
        if not begin < end <= at or (start < begin and end - start > REACH):
            continue
        fell = high - low if high >= low else high
        if fell > 50 + 300 * (end - start) / HOUR:
            continue
        part = end - max(start, begin)
        total += fell * part / (end - start)
        covered += part if high >= low else 0
        counted = True
    return (total if counted else None), covered / (at - begin)


@pytest.mark.parametrize(("derivation", "slow"), [(SUM, slow_sum), (COUNTER, slow_count)])
@given(rows=rain())
def test_a_window_sum_equals_the_sum_row_by_row(derivation: Derivation, slow: Slow, rows: list[Row]) -> None:
    writer = Writer(derivation)
    writer.write((0, row) for row in rows)
    assert list(writer.outputs) == [row[0] for row in rows]
    for at, (value, _, coverage, _) in writer.outputs.items():
        expected, covered = slow(rows, at - HOUR, at)
        assert coverage == pytest.approx(covered, abs=1e-12)
        assert (value is None) == (expected is None)
        assert value is None or value == pytest.approx(expected, abs=2e-9)


@given(rows=rain())
def test_a_rain_day_equals_the_sum_row_by_row_since_its_begin(rows: list[Row]) -> None:
    writer = Writer(RAIN_DAY)
    writer.write((0, row) for row in rows)
    times = {row[0] for row in rows}
    for at, (value, _, coverage, _) in writer.outputs.items():
        begin = at - ((at - 12 * HOUR) % DAY or DAY)  # 19:00 at +07:00 is 12:00 UTC
        expected, covered = slow_sum(rows, begin, at)
        if at in times:
            assert coverage == pytest.approx(covered, abs=1e-12)
            assert value == (None if expected is None else pytest.approx(expected, abs=2e-9))
        else:
            assert (at - 12 * HOUR) % DAY == 0
            assert coverage >= covered - 1e-12


@given(rows=rain(), lost=st.integers(0, 29))
def test_a_lost_reading_never_raises_a_sum_of_amounts_nor_its_coverage(rows: list[Row], lost: int) -> None:
    fewer = [row for number, row in enumerate(rows) if number != lost]
    whole, partial = Writer(SUM), Writer(SUM)
    whole.write((0, row) for row in rows)
    partial.write((0, row) for row in fewer)
    for at, (value, _, _, _) in partial.outputs.items():
        assert value is None or value <= (whole.outputs[at][0] or 0.0) + 1e-9


hour = st.one_of(st.none(), st.floats(0, 600), st.just(0.0))


def slow_nowcast(hours: list[float | None]) -> float | None:
    """As the decree's text goes, c1 the newest."""
    if sum(value is not None for value in hours[:3]) < 2:
        return None
    there = [value for value in hours if value is not None]
    ratio = min(there) / max(there) if max(there) > 0 else 1.0
    w = ratio if ratio > 0.5 else 0.5
    weights = [0.0 if value is None else w**power for power, value in enumerate(hours)]
    return sum(w * (value or 0.0) for w, value in zip(weights, hours, strict=True)) / sum(weights)


@given(table=st.lists(st.lists(hour, min_size=12, max_size=12), min_size=1, max_size=5))
def test_nowcast_equals_the_decree_term_by_term(table: list[list[float | None]]) -> None:
    rows = np.array([[np.nan if value is None else value for value in row] for row in table], np.float64)
    for row, value in zip(table, nowcast(rows).tolist(), strict=True):
        expected = slow_nowcast(row)
        assert math.isnan(value) if expected is None else value == pytest.approx(expected)


@given(row=st.lists(hour, min_size=12, max_size=12))
def test_nowcast_lies_between_the_lowest_and_the_highest_hour(row: list[float | None]) -> None:
    value = float(nowcast(np.array([[np.nan if v is None else v for v in row]], np.float64))[0])
    there = [v for v in row if v is not None]
    assert math.isnan(value) or min(there) - 1e-9 <= value <= max(there) + 1e-9


@pytest.mark.parametrize("row", BREAKPOINTS)
@given(data=st.data())
def test_a_sub_index_never_falls_while_a_concentration_rises(row: str, data: st.DataObject) -> None:
    concentrations = np.array(sorted(data.draw(st.lists(st.floats(0, 200_000), min_size=2, max_size=20))))
    values = sub_index(row, concentrations)
    assert (np.diff(values) >= 0).all()
    assert (values >= 0).all()
    assert (values <= INDEX[len(BREAKPOINTS[row]) - 1]).all()


@given(data=st.data())
def test_the_index_never_falls_while_a_sub_index_rises(data: st.DataObject) -> None:
    low = {name: data.draw(st.floats(0, 500)) for name in ("pm2_5", "no2", "o3")}
    high = {name: data.draw(st.floats(value, 500)) for name, value in low.items()}
    one, other = (index({name: np.array([v]) for name, v in part.items()})[0] for part in (low, high))
    assert one <= other
    assert one == math.floor(round(max(low.values()), 9) + 0.5)


def slow_loss(counts: list[int]) -> float:
    sent = counts[-1] - counts[0]
    return 100 * (sent - (len(counts) - 1)) / sent


@given(counts=st.lists(st.integers(1, 60), min_size=2, max_size=30, unique=True).map(sorted))
def test_frame_loss_is_what_is_missing_in_the_counts(counts: list[int]) -> None:
    derivation = built(
        [datastream("f_cnt", "1", "10min")],
        derived("%", "10min", kind="frame_loss", of="f_cnt", window="12h"),
    )
    rows = series((START + number * 10 * MINUTE, float(number), 1) for number in counts)
    value, _, coverage, _ = rows_of(derivation.compute(rows.time[-1:], [rows]))[int(rows.time[-1])]
    assert value == pytest.approx(slow_loss(counts), abs=1e-8)
    assert coverage == pytest.approx((counts[-1] - counts[0]) * 10 * MINUTE / (12 * HOUR))
