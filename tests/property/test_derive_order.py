"""Derived datastreams do not depend on how their inputs came: any order, any batches, flags that change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.derive import Derivation, names
from ingest.derive.together import Task, compute_all
from ingest.model import Quality
from tests.property.derive_world import (
    HOUR,
    MINUTE,
    START,
    Row,
    Writer,
    built,
    derived,
    rows_of,
    series,
    stream,
)

RAIN = [stream("rain", "mm", "10min")]
AIR = [stream(name, "ug/m3", "20min") for name in ("pm2_5", "pm10", "o3", "no2")]
NAMED = {name: name for name in ("pm2_5", "pm10", "o3", "no2")}
ALL_FLAGS = [
    Quality.PASS,
    Quality.PASS,
    Quality.NOT_EVALUATED,
    Quality.SUSPECT,
    Quality.FAIL,
    Quality.MISSING,
]

CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "window_sum": (RAIN, derived("mm", "10min", kind="window_sum", of="rain", window="1h")),
    "window_sum of a counter": (
        RAIN,
        derived("mm", "10min", kind="window_sum", of="rain", window="1h", counter=True, rollover=40.0),
    ),
    "rain_day": (RAIN, derived("mm", "10min", kind="rain_day", of="rain", day_starts="21:00")),
    "rain_day of a counter": (
        RAIN,
        derived("mm", "10min", kind="rain_day", of="rain", day_starts="21:00", counter=True),
    ),
    "window_mean": (
        RAIN,
        derived("mm", "10min", kind="window_mean", of="rain", window="1h", min_coverage=0.5),
    ),
    "window_max": (RAIN, derived("mm", "10min", kind="window_max", of="rain", window="1h")),
    "margin": (
        [stream("level", "m", "10min", levels=[{"name": "BĐ I", "value": 10.0}])],
        derived("m", "10min", kind="margin", of="level", level="BĐ I"),
    ),
    "step": ([stream("outflow", "m3/s", "10min")], derived("m3/s", "10min", kind="step", of="outflow")),
    "frame_loss": (
        [stream("f_cnt", "1", "10min")],
        derived("%", "10min", kind="frame_loss", of="f_cnt", window="2h", bits=16),
    ),
    "days_left": (
        [stream("battery", "%", "10min")],
        derived("d", "10min", kind="days_left", of="battery", empty=0, window="7h", span="2h", points=4),
    ),
    "vn_aqi_hourly": (AIR, derived("1", "1h", kind="vn_aqi_hourly", min_coverage=0.3, **NAMED)),
    "vn_aqi_daily": (
        AIR,
        derived("1", "24h", kind="vn_aqi_daily", zone="+10:00", min_coverage=0.1, **NAMED),
    ),
}
BUILT = {name: built(*case) for name, case in CASES.items()}

# Mostly the cadence with some jitter, now and then a gap; all on one minute at times, so that rows meet ends.
gaps = st.one_of(
    st.just(10 * MINUTE),
    st.integers(8 * MINUTE, 12 * MINUTE),
    st.sampled_from([1, MINUTE, 20 * MINUTE, 55 * MINUTE, 3 * HOUR, 16 * HOUR, 40 * HOUR]),
)
values = st.one_of(st.integers(0, 60).map(float), st.floats(-5, 500), st.just(float("nan")))


@st.composite
def rows(draw: st.DrawFn, inputs: int) -> list[tuple[int, Row]]:
    """Rows of some inputs, each in order of time, with no two at one time."""
    found: list[tuple[int, Row]] = []
    for number in range(inputs):
        time = START + draw(st.integers(0, 30)) * MINUTE
        for gap in draw(st.lists(gaps, min_size=3, max_size=20)):
            time += gap
            found.append((number, (time, draw(values), draw(st.sampled_from(ALL_FLAGS)))))
    return found


@st.composite
def arrivals(draw: st.DrawFn, inputs: int) -> tuple[list[tuple[int, Row]], list[list[tuple[int, Row]]]]:
    """The rows as they stand in the end, and as they came: in batches, some with another flag at first."""
    final = draw(rows(inputs))
    coming = draw(st.permutations(final)) if draw(st.booleans()) else sorted(final, key=lambda row: row[1][0])
    wrong = draw(st.sets(st.integers(0, max(len(coming) - 1, 0)), max_size=3))
    first = [
        (number, (row[0], row[1], draw(st.sampled_from(ALL_FLAGS))) if place in wrong else row)
        for place, (number, row) in enumerate(coming)
    ]
    stream_of_rows = first + [coming[place] for place in sorted(wrong) if place < len(coming)]
    batches, place = [], 0
    while place < len(stream_of_rows):
        size = draw(st.integers(1, 8))
        batches.append(stream_of_rows[place : place + size])
        place += size
    return final, batches


def test_every_kind_has_a_case() -> None:
    assert {name.partition(" ")[0] for name in CASES} == set(names())


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=60)
@given(data=st.data())
def test_outputs_are_those_of_one_pass_whatever_the_order_and_batches(name: str, data: st.DataObject) -> None:
    derivation = BUILT[name]
    final, batches = data.draw(arrivals(len(derivation.inputs)))
    once, piecemeal = Writer(derivation), Writer(derivation)
    once.write(final)
    for batch in batches:
        piecemeal.write(batch)
    assert piecemeal.outputs == once.outputs


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40)
@given(data=st.data())
def test_results_are_in_order_and_say_what_they_do_not_know(name: str, data: st.DataObject) -> None:
    derivation = BUILT[name]
    writer = Writer(derivation)
    computed = writer.write(data.draw(rows(len(derivation.inputs))))
    if computed is None:
        return
    assert (np.diff(computed.at) > 0).all()
    assert computed.at[-1] <= writer.newest()
    assert ((computed.coverage >= 0) & (computed.coverage <= 1)).all()
    assert (np.isnan(computed.value) == (computed.quality == Quality.MISSING)).all()
    assert np.isin(computed.quality, [1, 2, 3, 9]).all()
    assert (computed.inputs_until <= computed.at + derivation.lookahead).all()
    assert (derivation.since(computed.at) <= computed.at).all()
    assert not np.isinf(computed.value).any()


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25)
@given(data=st.data())
def test_many_together_are_what_each_is_alone(name: str, data: st.DataObject) -> None:
    tasks = []
    for _ in range(data.draw(st.integers(1, 4))):
        writer = Writer(BUILT[name])
        computed = writer.write(data.draw(rows(len(BUILT[name].inputs))))
        if computed is not None:
            # one that is equal, not the same: another station's
            tasks.append(Task(built(*CASES[name]), computed.at, _all_rows(writer)))
    for task, together in zip(tasks, compute_all(tasks), strict=True):
        assert rows_of(together) == rows_of(task.derivation.compute(task.at, task.inputs))


def _all_rows(writer: Writer) -> list[Any]:
    return [
        series((time, *row) for (owner, time), row in writer.rows.items() if owner == number)
        for number in range(len(writer.derivation.inputs))
    ]


def test_kinds_with_other_settings_are_not_computed_together() -> None:
    keys: set[Derivation] = set(BUILT.values())
    assert len(keys) == len(CASES)
