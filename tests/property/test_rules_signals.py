"""The signals of rule kinds equal slow, obvious references on random windows."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alerts.rules.confirm import sure_beyond
from alerts.rules.flat_line import standing_since
from alerts.rules.outside import Edges, bends, on_scale, scale
from alerts.rules.rate import of_one_water, rose_throughout
from ingest.memory import Windows

MINUTE = 60_000_000
HOUR = 60 * MINUTE
SEEDS = range(40)
SERIES, ROWS = 12, 14


def windows(rng: random.Random) -> tuple[Windows, np.ndarray]:
    """Some series of unevenly spaced values on a grid of 1 mm, most of them usable, the newest always."""
    found = Windows.empty(SERIES, ROWS, 24 * HOUR)
    usable = np.ones((SERIES, ROWS), np.bool_)
    for series in range(SERIES):
        time, value = 0, 1.0
        for row in range(ROWS):
            time += rng.choice([5, 5, 5, 6, 25, 60]) * MINUTE
            value += rng.choice([-0.6, -0.002, 0.0, 0.0, 0.001, 0.002, 0.05, 0.1, 0.7])
            found.time[series, row], found.value[series, row] = time, round(value, 3)
            usable[series, row] = rng.random() < 0.85
        usable[series, -1] = True
    return found, usable


def samples(found: Windows, usable: np.ndarray, series: int) -> list[tuple[int, float]]:
    """The usable rows of one series, oldest first."""
    return [
        (int(found.time[series, row]), float(found.value[series, row]))
        for row in range(ROWS)
        if usable[series, row]
    ]


def each(seed: int) -> tuple[Windows, np.ndarray]:
    print(f"seed {seed}")
    return windows(random.Random(seed))


def test_how_long_a_value_stands_is_found_row_by_row() -> None:
    longer = 0
    for seed in SEEDS:
        found, usable = each(seed)
        began = standing_since(found, usable, np.full(SERIES, 0.003), np.full(SERIES, 20.0 * MINUTE))
        for series in range(SERIES):
            rows = samples(found, usable, series)
            since, seen = rows[-1][0], [rows[-1][1]]
            for time, value in reversed(rows[:-1]):
                seen.append(value)
                if max(seen) - min(seen) > 0.003 + 1e-9 or since - time > 20 * MINUTE:
                    break
                since = time
            assert began[series] == since
            longer += since < rows[-1][0]
    assert longer > 50


def test_rows_of_one_water_are_those_near_the_next_newer_one_that_is() -> None:
    left_out = 0
    for seed in SEEDS:
        found, usable = each(seed)
        kept = of_one_water(found.value, usable, np.full(SERIES, 0.5))
        for series in range(SERIES):
            expected, newer = [], None
            for row in reversed(range(ROWS)):
                value = float(found.value[series, row])
                if usable[series, row] and (newer is None or abs(value - newer) <= 0.5):
                    expected.append(row)
                    newer = value
            assert np.flatnonzero(kept[series]).tolist() == expected[::-1]
            left_out += int(usable[series].sum()) - len(expected)
    assert left_out > 100


def test_a_rise_has_lasted_when_both_halves_of_the_time_rose() -> None:
    lasted = 0
    for seed in SEEDS:
        found, usable = each(seed)
        rose = rose_throughout(found, usable, HOUR, np.full(SERIES, 0.02))
        for series in range(SERIES):
            rows = samples(found, usable, series)
            end = rows[-1]
            half = [row for row in rows if row[0] <= end[0] - HOUR // 2]
            whole = [row for row in rows if row[0] <= end[0] - HOUR]
            expected = bool(half and whole) and all(
                (b[1] - a[1]) / max((b[0] - a[0]) / HOUR, 1 / HOUR) >= 0.02
                for a, b in ((half[-1], end), (whole[-1], half[-1]))
            )
            assert rose[series] == expected
            lasted += expected
    assert lasted > 50


def test_a_sample_is_sure_when_it_goes_on_as_the_two_steps_before_it() -> None:
    sure = 0
    for seed in SEEDS:
        found, usable = each(seed)
        level = sure_beyond(found.value, found.time, usable, np.full(SERIES, 0.1))
        for series in range(SERIES):
            rows = samples(found, usable, series)[-4:]
            continues = len(rows) == 4 and rows[0][1] < rows[1][1] < rows[2][1] < rows[3][1]
            if continues:
                before = (rows[2][1] - rows[0][1]) / (rows[2][0] - rows[0][0])
                continues = (rows[3][1] - rows[2][1]) / (rows[3][0] - rows[2][0]) <= 2 * before
            assert level[series] == (rows[-1][1] - 0.1 if continues else -np.inf)
            sure += continues
    assert sure > 5


@st.composite
def nested(draw: st.DrawFn) -> tuple[list[Edges], float]:
    """One to four bands around 0, each further out by more than the hysteresis; a side may end before."""
    back = draw(st.integers(1, 20)) / 100
    low = high = back
    ends = draw(st.sampled_from(["neither", "low", "high"])), draw(st.integers(1, 4))
    bands = []
    for rank in range(1, draw(st.integers(1, 4)) + 1):
        low += back + draw(st.integers(1, 100)) / 100
        high += back + draw(st.integers(1, 100)) / 100
        ended = ends[0] if rank > ends[1] else "neither"
        bands.append(
            Edges(
                rank,
                None if ended == "low" else round(-low, 4),
                None if ended == "high" else round(high, 4),
            )
        )
    return bands, back


@given(world=nested(), values=st.lists(st.floats(-50, 50), min_size=1, max_size=20))
def test_outside_a_band_the_scale_says_which_edges_are_reached_and_which_are_held(
    world: tuple[list[Edges], float], values: list[float]
) -> None:
    bands, back = world
    points = np.array([bends(bands, back)])
    steps = scale(
        [one.rank for one in bands if one.low is not None],
        [one.rank for one in bands if one.high is not None],
    )
    edges = [edge for one in bands for edge in (one.low, one.high) if edge is not None]
    inner = [round(edge + (back if edge < 0 else -back), 9) for edge in edges]
    for value in [*values, *edges, *inner]:
        found = on_scale(np.array([[value]]), points, steps)[0, 0]
        for one in bands:
            reached = (one.low is not None and value <= one.low) or (
                one.high is not None and value >= one.high
            )
            held = (one.low is not None and value <= round(one.low + back, 9)) or (
                one.high is not None and value >= round(one.high - back, 9)
            )
            assert (found >= one.rank) == reached
            assert (found >= one.rank - 0.5) == held
