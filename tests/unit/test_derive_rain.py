"""Rain sums: what counts, what is not covered, counters that restart, and days that begin at 19:00."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.derive import Computed, Derivation, Series
from ingest.model import Quality
from tests.property.derive_world import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
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

RAIN = [stream("rain", "mm", "10min")]
TEN = 10 * MINUTE
SEVEN_PM = START + 23 * HOUR  # 27-10-2025 at 19:00 +07:00


def hours(span: str, **settings: object) -> Derivation:
    return built(RAIN, derived("mm", "10min", kind="window_sum", of="rain", window=span, **settings))


def last(computed: Computed) -> tuple[float | None, int, float]:
    return rows_of(computed)[int(computed.at[-1])][:3]


def at_end(rows: Series, span: str = "1h", **settings: object) -> tuple[float | None, int, float]:
    return last(hours(span, **settings).compute(rows.time[-1:], [rows]))


def test_a_full_hour_is_the_sum_of_its_readings() -> None:
    assert at_end(steady([9, 1, 2, 3, 4, 5, 6], TEN)) == (21.0, Quality.PASS, 1.0)


def test_tenths_add_up_to_the_threshold_itself() -> None:
    assert sum([0.1] * 300) != 30.0
    assert at_end(steady([0.1] * 301, 12 * SECOND))[0] == 30.0


def test_the_record_hour_and_the_record_day_come_out_to_the_tenth() -> None:
    # Nam Đông 104.6 mm in an hour, Bạch Mã 1,739.6 mm in the rain day that ended on 27-10-2025 at 19:00
    assert at_end(steady([9.0, 17.4, 17.4, 17.4, 17.4, 17.5, 17.5], TEN))[0] == 104.6
    rain_day = built(RAIN, derived("mm", "10min", kind="rain_day", of="rain"))
    rows = steady([9.0] + [12.0] * 143 + [23.6], TEN, SEVEN_PM - DAY)
    assert rows_of(rain_day.compute(times(SEVEN_PM), [rows]))[SEVEN_PM][:3] == (1739.6, Quality.PASS, 1.0)


def test_a_dry_hour_after_the_storm_is_exactly_zero() -> None:
    rng = np.random.default_rng(7)
    rows = steady([*(rng.random(500) * 30).tolist(), 0, 0, 0, 0, 0, 0], TEN)
    assert at_end(rows)[0] == 0.0


@pytest.mark.parametrize("flag", [Quality.FAIL, Quality.MISSING])
def test_a_reading_that_failed_neither_counts_nor_covers(flag: Quality) -> None:
    rows = steady([1] * 7, TEN)
    rows.quality[3] = flag
    value, quality, coverage = at_end(rows)
    assert (value, quality) == (5.0, Quality.SUSPECT)  # a sixth of the window is not covered
    assert coverage == pytest.approx(50 / 60)


def test_a_suspect_reading_counts_and_marks_the_sum_unless_it_is_not_accepted() -> None:
    rows = steady([1] * 7, TEN)
    rows.quality[3] = Quality.SUSPECT
    assert at_end(rows) == (6.0, Quality.SUSPECT, 1.0)
    value, quality, coverage = at_end(rows, accept=["pass"])
    assert (value, quality) == (5.0, Quality.SUSPECT)  # a sixth of the window is not covered
    assert coverage == pytest.approx(50 / 60)


@pytest.mark.parametrize(("complete", "flag"), [(0.8, Quality.PASS), (0.9, Quality.SUSPECT)])
def test_a_sum_that_covers_too_little_of_its_window_is_suspect(complete: float, flag: Quality) -> None:
    rows = steady([1] * 7, TEN)
    rows.quality[3] = Quality.FAIL
    assert at_end(rows, complete=complete)[:2] == (5.0, flag)
    rows.quality[3] = Quality.PASS
    assert at_end(rows, complete=complete)[:2] == (6.0, Quality.PASS)


def test_what_is_not_evaluated_is_told_as_such() -> None:
    assert at_end(steady([1] * 7, TEN, flag=Quality.NOT_EVALUATED))[1] == Quality.NOT_EVALUATED


@pytest.mark.parametrize("value", [-0.2, float("nan")])
def test_no_rain_is_negative_or_not_a_number(value: float) -> None:
    value_of_all, _, coverage = at_end(steady([1, 1, 1, value, 1, 1, 1], TEN))
    assert value_of_all == 5.0
    assert coverage == pytest.approx(50 / 60)


def test_a_first_reading_speaks_for_one_and_a_half_cadences_and_no_more() -> None:
    value, _, coverage = at_end(steady([4], TEN))
    assert (value, coverage) == (4.0, 0.25)


def test_a_gap_lowers_coverage_and_nothing_fills_it() -> None:
    rows = series((START + minute * MINUTE, 2.0, 1) for minute in (-10, 0, 40, 50))
    value, _, coverage = at_end(rows)
    assert value == 6.0
    assert coverage == pytest.approx((10 + 15 + 10) / 60)


def test_without_a_reading_that_counts_the_sum_is_unknown_and_not_zero() -> None:
    assert at_end(steady([0] * 7, TEN, flag=Quality.FAIL)) == (None, Quality.MISSING, 0.0)


def test_of_the_reading_that_the_begin_cuts_the_share_in_time_counts() -> None:
    rows = series([(START + minute * MINUTE, 10.0, 1) for minute in (-5, 5, 60)])
    value, _, _ = last(hours("1h").compute(times(START + 60 * MINUTE), [rows]))
    assert value == 15.0


def count(*rows: tuple[int, float], **settings: object) -> tuple[float | None, float]:
    value, _, coverage = at_end(
        series((START + minute * MINUTE, value, 1) for minute, value in rows), counter=True, **settings
    )
    return value, round(coverage * 60, 6)


def test_a_counter_knows_what_fell_in_a_gap_within_the_window() -> None:
    assert count((0, 100), (10, 101), (50, 109), (60, 110)) == (10.0, 60.0)


def test_of_a_counters_gap_that_the_begin_cuts_nothing_is_claimed() -> None:
    assert count((-60, 100), (50, 180), (60, 181)) == (1.0, 10.0)


def test_a_counter_that_restarts_counts_from_zero_and_leaves_a_hole() -> None:
    assert count((0, 100), (10, 101), (20, 0.4), (30, 1), (40, 1), (50, 1), (60, 1)) == (2.0, 50.0)


def test_a_counter_rolls_over_only_where_rain_can_have_made_it() -> None:
    rows = [(0, 6552.0), (10, 6553.0), (20, 1.0), (30, 2.0), (40, 2.0), (50, 2.0), (60, 2.0)]
    assert count(*rows, rollover=6553.6) == (3.6, 60.0)
    assert count((0, 3000.0), *rows[3:], rollover=6553.6) == (2.0, 30.0)


def test_a_jump_that_no_rain_makes_is_left_out_and_not_covered() -> None:
    assert count((0, 10), (10, 11), (20, 4011), (30, 4012), (40, 4012), (50, 4012), (60, 4012)) == (2.0, 50.0)
    # the gauge was exchanged for one whose count is lower, yet far above what can have fallen
    assert count((0, 5000), (10, 4000), (20, 4001), (60, 4001)) == (1.0, 50.0)


def test_the_rounding_of_a_float_is_no_restart() -> None:
    assert count((0, 80), (10, 80), (20, 79.99999), (30, 80), (60, 80))[1] == 60.0
    assert count((0, 80), (10, 80), (20, 79.99999), (30, 80), (60, 80))[0] == pytest.approx(1e-5)


def test_a_failed_count_costs_nothing_when_the_next_is_good() -> None:
    rows = series((START + n * TEN, 100.0 + n, Quality.FAIL if n == 3 else Quality.PASS) for n in range(7))
    assert at_end(rows, counter=True) == (6.0, Quality.PASS, 1.0)


def test_a_late_reading_corrects_every_sum_that_it_bears_on_and_no_other() -> None:
    writer = Writer(hours("1h"))
    rows = [(0, (START + n * TEN, 1.0, int(Quality.PASS))) for n in range(20)]
    for number in [*range(5), *range(6, 20)]:
        writer.write([rows[number]])
    assert writer.outputs[START + 9 * TEN][0] == 5.0
    before = dict(writer.outputs)
    late = writer.write([rows[5]])
    assert late is not None
    assert late.at.tolist() == [START + n * TEN for n in range(5, 13)]
    assert writer.outputs[START + 9 * TEN][:3] == (6.0, Quality.PASS, 1.0)
    assert {at: writer.outputs[at] for at in before if at > START + 12 * TEN} == {
        at: row for at, row in before.items() if at > START + 12 * TEN
    }


def rain_day(**settings: object) -> Derivation:
    return built(RAIN, derived("mm", "10min", kind="rain_day", of="rain", **settings))


def test_a_rain_day_runs_from_seven_to_seven_and_starts_again() -> None:
    writer = Writer(rain_day())
    writer.write((0, (SEVEN_PM + n * TEN, 1.0, 1)) for n in range(-144, 4))
    ends = [at for at in writer.outputs if (at - SEVEN_PM) % DAY == 0]
    assert ends == [SEVEN_PM - DAY, SEVEN_PM]
    assert writer.outputs[SEVEN_PM][:3] == (144.0, Quality.PASS, 1.0)
    assert writer.outputs[SEVEN_PM + TEN][:3] == (1.0, Quality.PASS, 1.0)
    assert writer.outputs[SEVEN_PM - DAY + 6 * TEN][:3] == (6.0, Quality.PASS, 1.0)


def test_both_ends_of_a_rain_day_are_known() -> None:
    at = times(SEVEN_PM - 1, SEVEN_PM, SEVEN_PM + 1)
    assert rain_day().since(at).tolist() == [SEVEN_PM - DAY, SEVEN_PM - DAY, SEVEN_PM]


def test_a_reading_across_the_end_gives_each_day_its_share() -> None:
    writer = Writer(rain_day())
    writer.write((0, (SEVEN_PM + minute * MINUTE, 6.0, 1)) for minute in range(-1437, -2, 10))
    assert SEVEN_PM not in writer.outputs
    writer.write([(0, (SEVEN_PM + 3 * MINUTE, 10.0, 1))])
    # 7 of its 10 minutes; 3 of the first reading's 15 were this day's
    value, _, coverage, until = writer.outputs[SEVEN_PM]
    assert value == pytest.approx(143 * 6 + 6 * 3 / 15 + 10 * 7 / 10)
    assert coverage == 1.0
    assert until == SEVEN_PM + 3 * MINUTE
    assert writer.outputs[SEVEN_PM + 3 * MINUTE][:1] == (3.0,)


def test_a_day_ends_although_its_gauge_fell_silent() -> None:
    writer = Writer(rain_day())
    writer.write([(0, (SEVEN_PM - 3 * HOUR, 50.0, 1))])
    writer.write([(0, (SEVEN_PM + 30 * HOUR, 0.0, 1))])
    value, _, coverage, _ = writer.outputs[SEVEN_PM]
    assert value == 50.0
    assert coverage == pytest.approx(15 / 1440)
    assert SEVEN_PM + DAY not in writer.outputs


def test_a_late_reading_corrects_the_end_of_its_day() -> None:
    writer = Writer(rain_day())
    writer.write((0, (SEVEN_PM + n * TEN, 1.0, 1)) for n in range(-144, 40) if n != -70)
    assert writer.outputs[SEVEN_PM][0] == 143.0
    writer.write([(0, (SEVEN_PM - 70 * TEN, 5.0, 1))])
    assert writer.outputs[SEVEN_PM][:3] == (148.0, Quality.PASS, 1.0)


def test_a_day_may_begin_at_another_hour_of_another_zone() -> None:
    day = rain_day(day_starts="00:30", zone="-03:30")
    assert day.since(times(START)).tolist() == [START - (START - 4 * HOUR) % DAY]
