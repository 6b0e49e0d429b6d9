"""VN_AQI by the worked examples of Quyết định 1459/QĐ-TCMT and by figures worked out from its table 2."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.derive import Derivation
from ingest.derive.air import BREAKPOINTS, INDEX, SCHEME, index, nowcast, sub_index
from ingest.model import Quality
from tests.property.derive_world import (
    DAY,
    HOUR,
    MINUTE,
    Writer,
    built,
    derived,
    rows_of,
    series,
    steady,
    stream,
    times,
)

NAMES = ("pm2_5", "pm10", "o3", "no2", "so2", "co")
MIDNIGHT = 1_761_498_000_000_000  # 27-10-2025 at 00:00 +07:00


def hourly(*names: str, cadence: str = "1h", **settings: object) -> Derivation:
    streams = [stream(name, "ug/m3", cadence) for name in names]
    named = {name: name for name in names}
    return built(streams, derived("1", "1h", kind="vn_aqi_hourly", **named, **settings))


def daily(*names: str) -> Derivation:
    streams = [stream(name, "ug/m3", "1h") for name in names]
    return built(streams, derived("1", "24h", kind="vn_aqi_daily", **{name: name for name in names}))


def of(row: str, value: float) -> float:
    return float(sub_index(row, np.array([value]))[0])


@pytest.mark.parametrize("row", BREAKPOINTS)
def test_every_breakpoint_has_its_index_and_beyond_the_last_it_stays(row: str) -> None:
    for concentration, expected in zip(BREAKPOINTS[row], INDEX, strict=False):
        assert of(row, concentration) == expected
    assert of(row, 10 * BREAKPOINTS[row][-1]) == INDEX[len(BREAKPOINTS[row]) - 1]


@pytest.mark.parametrize(
    ("row", "concentration", "printed"),
    [
        ("o3", 136.1, 43),  # 2.3 b
        ("no2", 118.7, 59),  # 2.3 b prints 60, but its own formula gives 59.35
        ("pm2_5", 20.3, 41),
        ("o3_8h", 89.3, 45),  # 2.3 c
        ("o3", 114.6, 36),
        ("no2", 130.8, 65),
        ("pm2_5", 55.7, 110),
        ("pm2_5", 30.0, 60),  # 90 by the EPA's table of 2024
    ],
)
def test_the_decrees_examples_of_sub_indices(row: str, concentration: float, printed: int) -> None:
    assert np.floor(of(row, concentration) + 0.5) == printed


# 2.3 a: PM2.5 from 09:00 to 20:00
PM2_5 = [26.9, 24.7, 20.5, 23.5, 19.5, 16.5, 19.0, 16.5, 20.3, 22.4, 19.6, 20.6]


def test_the_decrees_example_of_nowcast() -> None:
    assert nowcast(np.array([PM2_5[::-1]]))[0] == pytest.approx(20.3, abs=0.05)


def test_with_a_weight_of_one_half_nowcast_is_divided_by_its_weights() -> None:
    row = np.full((1, 12), np.nan)
    row[0, :3] = 40.0, 10.0, 10.0
    assert nowcast(row)[0] == pytest.approx((40 + 5 + 2.5) / 1.75)


@pytest.mark.parametrize(("newest", "there"), [((1, 1, 0), True), ((1, 0, 0), False), ((0, 1, 1), True)])
def test_nowcast_needs_two_of_the_newest_three_hours(newest: tuple[int, int, int], there: bool) -> None:
    row = np.full((1, 12), 20.0)
    row[0, :3][np.array(newest) == 0] = np.nan
    assert (not np.isnan(nowcast(row)[0])) is there


def test_clean_air_has_the_nowcast_zero() -> None:
    assert nowcast(np.zeros((1, 12)))[0] == 0.0


def test_the_hour_of_the_decrees_example_is_59() -> None:
    derivation = hourly("pm2_5", "o3", "no2")
    eight_pm = MIDNIGHT + 20 * HOUR
    inputs = [
        steady(PM2_5, HOUR, eight_pm - 11 * HOUR),
        steady([136.1], HOUR, eight_pm),
        steady([118.7], HOUR, eight_pm),
    ]
    assert rows_of(derivation.compute(times(eight_pm), inputs))[eight_pm] == (
        59.0,
        Quality.PASS,
        1.0,
        eight_pm,
    )


def test_without_particles_there_is_no_index() -> None:
    derivation = hourly("pm2_5", "no2")
    computed = derivation.compute(times(MIDNIGHT), [series([]), steady([4000.0], HOUR, MIDNIGHT)])
    assert rows_of(computed)[MIDNIGHT] == (None, Quality.MISSING, 0.5, MIDNIGHT)


def test_a_gas_that_is_away_leaves_an_index_that_says_so() -> None:
    derivation = hourly("pm10", "no2")
    computed = derivation.compute(
        times(MIDNIGHT), [steady([50.0] * 12, HOUR, MIDNIGHT - 11 * HOUR), series([])]
    )
    assert rows_of(computed)[MIDNIGHT][:3] == (50.0, Quality.PASS, 0.5)


def test_beyond_the_top_of_the_table_the_index_is_500() -> None:
    computed = hourly("pm2_5").compute(times(MIDNIGHT), [steady([900.0] * 3, HOUR, MIDNIGHT - 2 * HOUR)])
    assert rows_of(computed)[MIDNIGHT][0] == 500.0


def test_halves_are_rounded_up_and_whole_numbers_stay() -> None:
    assert index({"pm2_5": np.array([59.5, 59.49, 60.0, np.nan])}).tolist()[:3] == [60.0, 59.0, 60.0]


@pytest.mark.parametrize(("readings", "known"), [(9, True), (8, False)])
def test_an_hour_needs_three_quarters_of_its_readings(readings: int, known: bool) -> None:
    derivation = hourly("pm2_5", cadence="5min")
    rows = [
        (MIDNIGHT - back * HOUR - number * 5 * MINUTE, 30.0, 1)
        for back in range(2)
        for number in range(12)
        if number % 4 != 3
    ]
    rows = rows[: 9 + readings]
    value = rows_of(derivation.compute(times(MIDNIGHT), [series(rows)]))[MIDNIGHT][0]
    assert (value == 60.0) is known


def test_a_failed_or_suspect_reading_is_not_in_the_mean() -> None:
    rows = steady([30.0] * 24, 5 * MINUTE, MIDNIGHT - 23 * 5 * MINUTE)
    rows.value[[3, 20]] = 900.0
    rows.quality[3], rows.quality[20] = Quality.FAIL, Quality.SUSPECT
    derivation = hourly("pm2_5", cadence="5min")
    assert rows_of(derivation.compute(times(MIDNIGHT), [rows]))[MIDNIGHT][:2] == (60.0, Quality.PASS)


def test_carbon_monoxide_may_be_measured_in_milligrams() -> None:
    streams = [stream("pm10", "ug/m3", "1h"), stream("co", "mg/m3", "1h")]
    derivation = built(streams, derived("1", "1h", kind="vn_aqi_hourly", pm10="pm10", co="co"))
    inputs = [steady([10.0] * 3, HOUR, MIDNIGHT - 2 * HOUR), steady([20.0], HOUR, MIDNIGHT)]
    assert rows_of(derivation.compute(times(MIDNIGHT), inputs))[MIDNIGHT][0] == 75.0


def test_an_hour_is_there_once_a_reading_has_come_from_its_end_or_later() -> None:
    writer = Writer(hourly("pm2_5", cadence="5min"))
    rows = [(0, (MIDNIGHT + n * 5 * MINUTE, 30.0, 1)) for n in range(1, 60)]
    for row in rows[:23]:
        writer.write([row])
    assert list(writer.outputs) == [MIDNIGHT + HOUR]
    writer.write([rows[23]])
    assert list(writer.outputs) == [MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR]


def test_hours_of_silence_become_unknown_when_the_station_speaks_again() -> None:
    writer = Writer(hourly("pm2_5"))
    writer.write((0, (MIDNIGHT + n * HOUR, 30.0, 1)) for n in range(3))
    writer.write([(0, (MIDNIGHT + 30 * HOUR, 30.0, 1))])
    ends = sorted(writer.outputs)
    assert ends == [MIDNIGHT + n * HOUR for n in range(14)] + [MIDNIGHT + 30 * HOUR]
    assert writer.outputs[MIDNIGHT + 3 * HOUR][0] == 60.0  # two of the newest three hours
    assert writer.outputs[MIDNIGHT + 4 * HOUR][:2] == (None, Quality.MISSING)


def test_a_late_hour_corrects_itself_and_the_eleven_after_it() -> None:
    writer = Writer(hourly("pm2_5"))
    writer.write((0, (MIDNIGHT + n * HOUR, 30.0, 1)) for n in range(30) if n != 5)
    late = writer.write([(0, (MIDNIGHT + 5 * HOUR, 90.0, 1))])
    assert late is not None
    assert late.at.tolist() == [MIDNIGHT + n * HOUR for n in range(5, 17)]


# 2.2.2 a: hourly means of O3 from 18:00 of the day before to 00:00 at the end of the day
O3 = [
    15.7, 14.2, 17.7, 18.9, 19.3, 15.7, 19.7, 22.6, 27.1, 29.0, 31.9, 25.3, 34.7, 35.2, 41.6, 45.7,
    49.2, 55.8, 69.6, 78.3, 91.5, 97.7, 81.2, 71.8, 43.5, 34.3, 21.5, 20.5, 19.4, 20.4, 21.3,
]  # fmt: skip


def test_a_day_takes_the_highest_of_its_24_means_of_eight_hours() -> None:
    end = MIDNIGHT + DAY
    derivation = daily("pm2_5", "o3")
    inputs = [steady([1.0] * 24, HOUR, MIDNIGHT + HOUR), steady(O3, HOUR, end - 30 * HOUR)]
    # the highest mean is 74.4, so 37.2; the highest hour 97.7, so 30.5
    assert rows_of(derivation.compute(times(end), inputs))[end] == (37.0, Quality.PASS, 1.0, end)


def test_above_400_the_mean_of_eight_hours_is_left_out() -> None:
    end = MIDNIGHT + DAY
    derivation = daily("pm2_5", "o3")
    particles = steady([1.0] * 24, HOUR, MIDNIGHT + HOUR)

    def with_o3(value: float) -> float | None:
        ozone = steady([value] * 31, HOUR, end - 30 * HOUR)
        return rows_of(derivation.compute(times(end), [particles, ozone]))[end][0]

    assert with_o3(400.0) == 300.0  # 8 h row
    assert with_o3(404.0) == 201.0  # 1 h row


def test_the_day_of_the_decrees_example_is_110() -> None:
    end = MIDNIGHT + DAY
    derivation = daily("pm2_5", "o3", "no2")
    ozone = [70.0] * 31
    ozone[20:28] = [114.6, *[(8 * 89.3 - 114.6) / 7] * 7]
    inputs = [
        steady([55.7] * 24, HOUR, MIDNIGHT + HOUR),
        steady(ozone, HOUR, end - 30 * HOUR),
        steady([40.0] * 20 + [130.8] + [40.0] * 3, HOUR, MIDNIGHT + HOUR),
    ]
    assert rows_of(derivation.compute(times(end), inputs))[end][:3] == (110.0, Quality.PASS, 1.0)


@pytest.mark.parametrize(("hours", "value"), [(18, 60.0), (17, None)])
def test_a_day_needs_three_quarters_of_its_hours(hours: int, value: float | None) -> None:
    end = MIDNIGHT + DAY
    rows = steady([30.0] * hours, HOUR, end - (hours - 1) * HOUR)
    result, _, coverage, _ = rows_of(daily("pm2_5").compute(times(end), [rows]))[end]
    assert result == value
    assert coverage == pytest.approx(hours / 24)


def test_a_late_evening_corrects_the_day_after_by_its_eight_hours_of_ozone() -> None:
    writer = Writer(daily("pm2_5", "o3"))
    writer.write((0, (MIDNIGHT + n * HOUR, 1.0, 1)) for n in range(50))
    writer.write((1, (MIDNIGHT + n * HOUR, 100.0, 1)) for n in range(50) if n != 22)
    before = writer.outputs[MIDNIGHT + 2 * DAY]
    late = writer.write([(1, (MIDNIGHT + 22 * HOUR, 900.0, 1))])
    assert late is not None
    assert late.at.tolist() == [MIDNIGHT + DAY, MIDNIGHT + 2 * DAY]
    assert writer.outputs[MIDNIGHT + 2 * DAY][0] != before[0]


def test_the_scheme_is_said() -> None:
    streams = [stream("pm2_5", "ug/m3", "1h")]
    place = built(streams, derived("1", "1h", kind="vn_aqi_hourly", pm2_5="pm2_5", scheme=SCHEME))
    assert place.inputs == ("pm2_5",)
