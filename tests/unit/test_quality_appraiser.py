"""Rows as they come: what each is worth, what a later one decides, what a new sensor resets, the cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from ingest.catalog import Datastream, Source
from ingest.memory import NEVER
from ingest.model import ObservationBatch, Quality
from ingest.quality.appraiser import Appraisal, Appraiser
from ingest.quality.flags import Test, roll_up, unpack
from ingest.quality.limits import MOST_ROWS
from ingest.quality.steps import newest_before, number_steps
from ingest.quality_settings import (
    AttenuatedSignal,
    Climatology,
    FlatLine,
    Neighbour,
    QualityTests,
    Range,
    RateOfChange,
    Spike,
)
from tests.support.quality import settled

PASS, NOT_EVALUATED, SUSPECT, FAIL, MISSING = (
    Quality.PASS,
    Quality.NOT_EVALUATED,
    Quality.SUSPECT,
    Quality.FAIL,
    Quality.MISSING,
)
MINUTE = 60_000_000
START = 1_761_400_000_000_000  # 25 October 2025
RIVER = QualityTests(
    spike=Spike(suspect=0.15, fail=0.5),
    rate_of_change=RateOfChange(suspect=1.0, fail=2.0),
    flat_line=FlatLine(suspect=10_800.0, fail=21_600.0, tolerance=0.002),
)


def gauge(tests: QualityTests, cadence: float = 300.0) -> Datastream:
    return Datastream(
        name="water_level",
        property="water_level",
        unit="m",
        cadence=cadence,
        source=Source(gateway="g", device="d", channel="c"),
        gross_range=Range(fail=(-1.5, 9.0), suspect=(-0.8, 6.2)),
        quality=tests,
    )


def appraiser(*tests: QualityTests, resets: Mapping[int, Sequence[int]] | None = None) -> Appraiser:
    """Gauges S0, S1, ... with the datastream ids 10, 20, ..."""
    return Appraiser(
        [(10 * (n + 1), f"S{n}/water_level", gauge(test)) for n, test in enumerate(tests)], resets
    )


def rows(
    values: Sequence[float],
    minutes: Sequence[float] | None = None,
    number: int | Sequence[int] = 10,
    **more: Any,
) -> Any:
    """Rows at minutes after the start, every five by default, in this order of arrival."""
    count = len(values)
    after = np.arange(count) * 5.0 if minutes is None else np.array(minutes, np.float64)
    return SimpleNamespace(
        datastream=np.broadcast_to(np.array(number, np.int32), (count,)),
        time=START + np.round(after * MINUTE).astype(np.int64),
        value=np.array(values, np.float64),
        quality=np.array(more.get("quality", [PASS] * count), np.int8),
        tests=np.array(more.get("tests", [0] * count), np.int64),
    )


def flags(appraisal: Appraisal, test: Test) -> list[int]:
    """As they were when each row came."""
    return unpack(appraisal.tests, test).tolist()


def final(batch: Any, appraisal: Appraisal, test: Test | None = None) -> list[int]:
    """One test's flags, or the quality, once later rows of the batch have decided."""
    tests = settled(batch, appraisal)
    return (roll_up(tests) if test is None else unpack(tests, test)).tolist()


def test_a_spike_waits_for_the_next_reading_and_is_then_revised() -> None:
    judge = appraiser(QualityTests(spike=Spike(suspect=0.15, fail=0.5)))
    first = judge.evaluate(rows([1.0, 1.01, 2.0]))
    assert len(first.revisions) == 0
    assert flags(first, Test.SPIKE) == [NOT_EVALUATED, PASS, NOT_EVALUATED]
    assert first.quality.tolist() == [PASS, PASS, PASS]
    judge.adopt(first)
    second = judge.evaluate(rows([1.02], [15]))
    revised = second.revisions
    assert (revised.datastream.tolist(), revised.time.tolist()) == ([10], [START + 10 * MINUTE])
    assert (revised.quality.tolist(), revised.was.tolist()) == ([FAIL], [PASS])
    assert unpack(revised.tests, Test.SPIKE).tolist() == [FAIL]
    assert flags(second, Test.SPIKE) == [PASS]  # it is held against 1.01, not against the spike


def test_a_jump_that_goes_on_is_no_spike_and_says_so() -> None:
    judge = appraiser(QualityTests(spike=Spike(suspect=0.15, fail=0.5)))
    judge.adopt(judge.evaluate(rows([1.0, 1.6])))
    revised = judge.evaluate(rows([2.1], [10])).revisions
    assert unpack(revised.tests, Test.SPIKE).tolist() == [PASS]
    assert (revised.quality.tolist(), revised.was.tolist()) == ([PASS], [PASS])


def test_average_spikes_as_the_manual_has_them_doubt_the_good_neighbour_too() -> None:
    batch = rows([1.0, 1.0, 2.0, 1.0, 1.0])
    average = appraiser(QualityTests(spike=Spike(suspect=0.15, fail=0.6, method="average")))
    assert final(batch, average.evaluate(batch), Test.SPIKE) == [2, SUSPECT, FAIL, PASS, 2]
    differential = appraiser(QualityTests(spike=Spike(suspect=0.15, fail=0.6)))
    assert final(batch, differential.evaluate(batch), Test.SPIKE) == [2, PASS, FAIL, PASS, PASS]


def test_flags_are_told_as_they_were_when_the_row_came_whatever_follows_in_the_batch() -> None:
    found = appraiser(QualityTests(spike=Spike(suspect=0.15, fail=0.5))).evaluate(rows([1.0, 1.0, 2.0, 1.0]))
    assert flags(found, Test.SPIKE) == [NOT_EVALUATED, PASS, NOT_EVALUATED, PASS]
    assert found.quality.tolist() == [PASS] * 4
    assert found.revisions.time.tolist() == [START + 10 * MINUTE]
    assert found.revisions.quality.tolist() == [FAIL]


def test_a_failed_commit_changes_nothing() -> None:
    judge = appraiser(RIVER)
    judge.adopt(judge.evaluate(rows([1.0, 1.01, 2.0])))
    lost, again = judge.evaluate(rows([1.02], [15])), judge.evaluate(rows([1.02], [15]))
    assert lost.revisions.tests.tolist() == again.revisions.tests.tolist() != []
    assert judge.remembered(10)[1].tolist() == [1.0, 1.01, 2.0]


def test_the_good_reading_after_a_spike_passes_rate_of_change() -> None:
    found = appraiser(RIVER).evaluate(rows([1.0, 1.01, 2.0, 1.02, 1.03]))
    assert flags(found, Test.RATE_OF_CHANGE) == [NOT_EVALUATED, PASS, FAIL, PASS, PASS]
    assert found.quality.tolist() == [PASS, PASS, FAIL, PASS, PASS]
    assert not found.consistent_failures.any()


def test_a_jump_that_stays_fails_asks_to_be_verified_and_is_believed_in_the_end() -> None:
    """1.0 m in 5 min, and there it stays: 12 m/h at first, below 2.0 m/h after half an hour."""
    found = appraiser(RIVER).evaluate(rows([1.0] + [2.0 + 0.01 * n for n in range(9)]))
    assert found.quality.tolist() == [PASS] + [FAIL] * 6 + [SUSPECT, PASS, PASS]
    assert found.consistent_failures.tolist() == [False] * 3 + [True] * 4 + [False] * 3


def test_three_wild_readings_that_disagree_ask_for_nothing() -> None:
    found = appraiser(RIVER).evaluate(rows([1.0, 3.0, 5.5, 3.0, 5.5]))
    assert flags(found, Test.RATE_OF_CHANGE)[1:] == [FAIL] * 4
    assert not found.consistent_failures.any()


def test_three_consistent_readings_beyond_the_range_ask_to_be_verified() -> None:
    """The next record flood lies outside every range that looks plausible today."""
    found = appraiser(RIVER).evaluate(rows([8.9, 8.98, 9.03, 9.06, 9.1]))
    assert flags(found, Test.GROSS_RANGE) == [SUSPECT, SUSPECT, FAIL, FAIL, FAIL]
    assert found.consistent_failures.tolist() == [False, False, False, False, True]


def test_after_twelve_failures_the_rate_begins_anew() -> None:
    found = appraiser(RIVER).evaluate(rows([1.0] + [5.5 + 0.001 * n for n in range(14)]))
    assert flags(found, Test.RATE_OF_CHANGE) == [2] + [FAIL] * 12 + [2, PASS]


def test_a_late_reading_is_judged_in_its_place() -> None:
    """Of three held back readings the middle one is a spike; the newest was there first."""
    judge = appraiser(RIVER)
    batch = rows([1.0, 1.04, 1.01, 1.9, 1.03], [0, 20, 5, 10, 15])
    found = judge.evaluate(batch)
    assert final(batch, found, Test.SPIKE) == [NOT_EVALUATED, NOT_EVALUATED, PASS, FAIL, PASS]
    assert flags(found, Test.RATE_OF_CHANGE) == [NOT_EVALUATED, PASS, PASS, FAIL, PASS]
    judge.adopt(found)
    assert judge.remembered(10)[1].tolist() == [1.0, 1.01, 1.9, 1.03, 1.04]


def test_a_reading_older_than_memory_is_judged_by_its_value_alone() -> None:
    judge = appraiser(RIVER)
    judge.adopt(judge.evaluate(rows([1.0, 1.0, 1.0], [9_000, 9_005, 9_010])))
    found = judge.evaluate(rows([7.0], [0]))
    assert found.quality.tolist() == [SUSPECT]
    assert flags(found, Test.RATE_OF_CHANGE) == [NOT_EVALUATED]


def test_a_new_installation_is_not_compared_with_the_old() -> None:
    reset = START + 10 * MINUTE
    before, after = [1.0, 1.01], [3.0, 3.01]
    judged = appraiser(RIVER).evaluate(rows([*before, *after]))
    assert flags(judged, Test.RATE_OF_CHANGE) == [NOT_EVALUATED, PASS, FAIL, FAIL]
    anew = appraiser(RIVER, resets={10: [reset]}).evaluate(rows([*before, *after]))
    assert flags(anew, Test.RATE_OF_CHANGE) == [NOT_EVALUATED, PASS, NOT_EVALUATED, PASS]
    late = appraiser(RIVER, resets={10: [reset]})
    late.adopt(late.evaluate(rows(after, [10, 15])))
    assert flags(late.evaluate(rows(before, [0, 5])), Test.RATE_OF_CHANGE) == [NOT_EVALUATED, PASS]


def test_a_stuck_sensor_is_suspect_after_three_hours_and_fails_after_six() -> None:
    found = appraiser(RIVER).evaluate(rows([1.0 + 0.001 * (n % 3) for n in range(80)]))
    assert flags(found, Test.FLAT_LINE) == [PASS] * 36 + [SUSPECT] * 36 + [FAIL] * 8


def test_a_line_breaks_at_a_gap() -> None:
    found = appraiser(RIVER).evaluate(rows([1.0, 1.0, 1.0, 1.0], [0, 5, 365, 370]))
    assert flags(found, Test.FLAT_LINE) == [PASS] * 4


def test_resolution_widens_the_tolerance_of_a_line() -> None:
    values = [1.0 + 0.01 * (n % 2) for n in range(40)]
    coarse = RIVER.model_copy(update={"resolution": 0.01})
    assert SUSPECT not in flags(appraiser(RIVER).evaluate(rows(values)), Test.FLAT_LINE)
    assert flags(appraiser(coarse).evaluate(rows(values)), Test.FLAT_LINE)[-4:] == [SUSPECT] * 4


def test_a_dry_street_and_a_sensor_under_water_are_not_stuck() -> None:
    street = QualityTests(flat_line=FlatLine(suspect=3_600.0, above=0.1))
    dry = appraiser(street).evaluate(rows([0.0] * 20))
    assert flags(dry, Test.FLAT_LINE) == [NOT_EVALUATED] * 20
    drowned = appraiser(street).evaluate(rows([1.32] * 20, quality=[SUSPECT] * 20))
    assert flags(drowned, Test.FLAT_LINE) == [NOT_EVALUATED] * 20
    assert flags(drowned, Test.SENSOR) == [SUSPECT] * 20
    assert drowned.quality.tolist() == [SUSPECT] * 20


def test_a_faulty_reading_is_compared_with_nothing_and_nothing_with_it() -> None:
    """The device says that 5.0 m is a fault; its neighbours do not suffer for it."""
    found = appraiser(RIVER).evaluate(rows([1.0, 1.01, 5.0, 1.02, 1.03], quality=[1, 1, FAIL, 1, 1]))
    assert found.quality.tolist() == [PASS, PASS, FAIL, PASS, PASS]
    assert flags(found, Test.SENSOR) == [NOT_EVALUATED, NOT_EVALUATED, FAIL, NOT_EVALUATED, NOT_EVALUATED]
    assert flags(found, Test.RATE_OF_CHANGE)[2] == NOT_EVALUATED


def test_attenuated_signal_needs_most_of_its_window() -> None:
    quiet = QualityTests(attenuated_signal=AttenuatedSignal(window=3_600.0, min_std=0.01))
    found = appraiser(quiet).evaluate(rows([1.0 + 0.001 * n for n in range(14)]))
    assert flags(found, Test.ATTENUATED_SIGNAL) == [NOT_EVALUATED] * 9 + [SUSPECT] * 5


def test_months_turn_at_local_midnight() -> None:
    """1 November 2025 begins in Huế at 17:00 UTC on 31 October."""
    autumn = QualityTests(climatology=(Climatology(months=(10,), suspect=(0.0, 1.5)),))
    turn = (1_761_930_000_000_000 - START) / MINUTE
    found = appraiser(autumn).evaluate(rows([2.0, 1.0, 2.0], [turn - 10, turn - 5, turn]))
    assert flags(found, Test.CLIMATOLOGY) == [SUSPECT, PASS, NOT_EVALUATED]


def test_a_neighbour_is_what_was_known_when_the_reading_came() -> None:
    near = QualityTests(neighbour=Neighbour(of="S1/water_level", within=600.0, difference=0.5))
    judge = appraiser(near, QualityTests())
    found = judge.evaluate(
        rows([1.0, 1.2, 1.0, 2.0, 1.0, 1.0], [0, 1, 5, 6, 10, 30], [10, 20, 10, 20, 10, 10])
    )
    assert flags(found, Test.NEIGHBOUR)[0] == NOT_EVALUATED  # nothing was there yet
    assert [flags(found, Test.NEIGHBOUR)[n] for n in (2, 4, 5)] == [PASS, SUSPECT, NOT_EVALUATED]
    judge.adopt(found)
    faulty = judge.evaluate(rows([9.5, 1.0], [31, 32], [20, 10], quality=[FAIL, PASS]))
    assert flags(faulty, Test.NEIGHBOUR)[1] == NOT_EVALUATED


def test_gauges_that_go_opposite_ways_are_suspect() -> None:
    other = {"within": 600.0, "trend": 0.1, "over": 3_600.0}
    one = QualityTests(neighbour=Neighbour(of="S1/water_level", **other))
    two = QualityTests(neighbour=Neighbour(of="S0/water_level", **other))
    minutes = [5 * n + late for n in range(16) for late in (0, 1)]
    values = [value for n in range(16) for value in (1.0 + 0.02 * n, 3.0 - 0.02 * n)]
    found = appraiser(one, two).evaluate(rows(values, minutes, [10, 20] * 16))
    assert flags(found, Test.NEIGHBOUR)[-2:] == [SUSPECT, SUSPECT]
    assert set(found.quality.tolist()) == {PASS, SUSPECT}


def test_rows_of_other_datastreams_keep_their_quality() -> None:
    """One without tests, one that is not in the catalogue."""
    found = appraiser(QualityTests(), RIVER).evaluate(
        rows([7.0, 1.0, 1.0], None, [10, 20, 99], quality=[3, 1, 3])
    )
    assert found.quality.tolist() == [SUSPECT, PASS, SUSPECT]
    assert flags(found, Test.SYNTAX) == [PASS] * 3
    assert flags(found, Test.GROSS_RANGE) == [SUSPECT, PASS, NOT_EVALUATED]


def test_no_rows_and_no_datastreams() -> None:
    assert len(appraiser(RIVER).evaluate(ObservationBatch.empty()).quality) == 0
    nobody = Appraiser([])
    assert nobody.needs() == []
    assert nobody.evaluate(rows([1.0], quality=[NOT_EVALUATED])).quality.tolist() == [NOT_EVALUATED]
    nobody.rebuild(rows([1.0]))


def test_values_that_are_not_finite_never_pass() -> None:
    found = appraiser(RIVER).evaluate(rows([1.0, float("nan"), float("inf"), 1.0], quality=[1, 9, 4, 1]))
    assert found.quality.tolist() == [PASS, NOT_EVALUATED, FAIL, PASS]
    assert flags(found, Test.GROSS_RANGE) == [PASS, MISSING, FAIL, PASS]


def test_rows_stored_before_there_were_tests_keep_what_was_known_of_them() -> None:
    judge = appraiser(RIVER)
    judge.rebuild(rows([1.0, 5.0], quality=[PASS, FAIL]))
    found = judge.evaluate(rows([1.01], [10]))
    assert flags(found, Test.RATE_OF_CHANGE) == [PASS]  # against 1.0, since 5.0 had failed


def test_needs_are_said_once_for_all_that_need_the_same() -> None:
    judge = appraiser(RIVER, QualityTests(), RIVER, QualityTests(spike=Spike(suspect=1.0)))
    needs = {need.datastreams: (need.rows, need.span) for need in judge.needs()}
    assert needs == {(10, 30): (93, 22_500_000_000), (40,): (16, 1_800_000_000)}


def test_memory_of_a_city_is_small_and_bounded() -> None:
    day = QualityTests(attenuated_signal=AttenuatedSignal(window=30 * 86_400.0, min_range=0.01))
    assert appraiser(day).needs()[0].rows == MOST_ROWS
    city = Appraiser([(n, f"S{n}/water_level", gauge(RIVER)) for n in range(10_000)])
    assert city.nbytes < 25e6
    assert Appraiser([(n, f"S{n}/x", gauge(QualityTests())) for n in range(1_000)]).nbytes == 0


def test_steps_keep_a_series_in_order_and_let_late_rows_stand_alone() -> None:
    series = np.array([0, 1, 0, 0, 1, 0, 0])
    time = np.array([10, 10, 20, 15, 20, 30, 40])
    alone = np.zeros(7, np.bool_)
    newest = newest_before(series, time, np.full(7, NEVER))
    assert newest.tolist() == [NEVER, NEVER, 10, 20, 10, 20, 30]
    late = time <= newest
    assert number_steps(series, late, alone).tolist() == [0, 0, 0, 1, 0, 2, 2]
    assert number_steps(series, late, ~alone).tolist() == [0, 0, 0, 1, 2, 2, 2]
    late = time <= newest_before(series, time, np.full(7, 25))
    assert number_steps(series, late, alone).tolist() == [1, 1, 2, 3, 2, 4, 4]


def test_a_long_history_sent_backwards_costs_no_step_for_what_nothing_sees() -> None:
    history = rows([1.0 + 0.001 * (n % 7) for n in range(3_000)], np.arange(3_000)[::-1] * 5.0)
    found = appraiser(RIVER).evaluate(history)
    assert set(found.quality.tolist()) == {PASS}
    assert flags(found, Test.RATE_OF_CHANGE) == [NOT_EVALUATED] * 3_000


def test_a_reading_while_somebody_works_on_the_sensor_is_suspect_and_nobodys_neighbour() -> None:
    one = appraiser(RIVER)
    values = rows([2.0, 2.01, 0.0, 0.0, 2.02, 2.03])  # lifted out of the water for two readings
    found = one.evaluate(values, np.array([False, False, True, True, False, False]))
    assert roll_up(settled(values, found)).tolist() == [PASS, PASS, SUSPECT, SUSPECT, PASS, PASS]
    assert unpack(found.tests, Test.CALIBRATION).tolist() == [2, 2, 3, 3, 2, 2]
    assert unpack(found.tests, Test.RATE_OF_CHANGE)[2:4].tolist() == [NOT_EVALUATED, NOT_EVALUATED]
