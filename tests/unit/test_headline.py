"""The one line that people read."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from alerts.headline import (
    ISSUED_IN_ERROR,
    digest_headline,
    headline,
    local_time,
    number,
    span,
    unseen_headline,
)
from alerts.model import Event, EventKind, Severity
from ingest.catalog import Station
from ingest.config_model import Text
from ingest.derive.settings import DerivedDatastream
from tests.property.engine_world import city

MINUTE = 60_000_000
AT = 1_761_523_200_000_000  # 2025-10-27T07:00:00+07:00

EVENT = Event(
    event_id="e",
    alert_id="a",
    rule="river-level",
    rule_version="1",
    rule_kind="threshold",
    target="R1/water_level",
    station="R1",
    kind=EventKind.RAISED,
    level=3,
    level_name="BĐ III",
    previous_level=0,
    severity=Severity.SEVERE,
    nature="Actual",
    event_time=AT,
    detected_at=AT + MINUTE,
    value=3.58,
    unit="m",
    threshold=3.50,
    observed=3.58,
    observed_at=AT,
    rate_per_hour=0.10,
    verified=True,
    evidence=(),
)


def kim_long() -> Station:
    station = city().stations[0]
    return station.model_copy(
        update={"name": Text(vi="Kim Long", en="Kim Long"), "river": Text(vi="sông Hương", en="Huong River")}
    )


def said(**changes: Any) -> tuple[str, str]:
    line = headline(replace(EVENT, **changes), kim_long())
    return line.vi, line.en


def test_a_level_is_told_with_its_margin_and_trend() -> None:
    assert said() == (
        "Kim Long (sông Hương): 3,58 m lúc 07:00 27/10, TRÊN BĐ III 0,08 m, đang lên 10 cm/giờ",
        "Kim Long (Huong River): 3.58 m at 07:00 27/10, ABOVE BĐ III by 0.08 m, rising 10 cm/h",
    )


def test_an_exercise_says_so_first() -> None:
    vi, en = said(nature="Exercise")
    assert vi.startswith("DIỄN TẬP: Kim Long")
    assert en.startswith("EXERCISE: Kim Long")
    assert said(nature="Test")[0].startswith("THỬ NGHIỆM: ")


def test_old_news_says_since_when_and_when_it_was_received() -> None:
    vi, en = said(detected_at=AT + 45 * MINUTE)
    assert vi == (
        "Kim Long (sông Hương): 3,58 m lúc 07:00 27/10, TRÊN BĐ III từ 07:00, "
        "đang lên 10 cm/giờ, nhận lúc 07:45"
    )
    assert "ABOVE BĐ III since 07:00" in en
    assert en.endswith("received at 07:45")


def test_ten_minutes_are_not_old() -> None:
    assert "nhận lúc" not in said(detected_at=AT + 10 * MINUTE)[0]


def test_a_day_later_the_day_is_said() -> None:
    assert said(detected_at=AT + 24 * 60 * MINUTE)[0].endswith("nhận lúc 07:00 28/10")


def test_suspect_evidence_is_said() -> None:
    assert said(verified=False)[0].endswith(", chưa kiểm chứng")


def test_a_step_down_names_the_level_that_was_left() -> None:
    vi, en = said(
        kind=EventKind.LOWERED,
        level=2,
        level_name="II",
        previous_level=3,
        threshold=2.0,
        observed=3.38,
        rate_per_hour=-0.04,
    )
    assert "3,38 m lúc 07:00 27/10, XUỐNG DƯỚI III, TRÊN II 1,38 m, đang xuống 4 cm/giờ" in vi
    assert "DOWN BELOW III, ABOVE II by 1.38 m, falling 4 cm/h" in en


def test_the_end_names_the_lowest_level() -> None:
    vi, _ = said(
        kind=EventKind.CLEARED, level=0, level_name="", threshold=1.0, observed=0.85, rate_per_hour=None
    )
    assert vi == "Kim Long (sông Hương): 0,85 m lúc 07:00 27/10, XUỐNG DƯỚI I"


def test_a_level_held_by_hysteresis_claims_no_margin() -> None:
    vi, _ = said(
        kind=EventKind.LOWERED, level=2, level_name="II", previous_level=3, threshold=2.0, observed=1.95
    )
    assert "còn giữ II" in vi
    assert "-" not in vi


def test_a_fast_rise_says_how_fast() -> None:
    vi, en = said(
        rule_kind="rate", level=2, level_name="Lên rất nhanh", value=0.16, unit="m/h", threshold=0.15
    )
    assert vi == "Kim Long (sông Hương): ĐANG LÊN 16 cm/giờ (Lên rất nhanh), 3,58 m lúc 07:00 27/10"
    assert en.startswith("Kim Long (Huong River): RISING 16 cm/h")
    ended = said(rule_kind="rate", kind=EventKind.CLEARED, level=0, value=0.02, unit="m/h")[0]
    assert "không còn lên nhanh" in ended


def test_silence_says_how_long_and_the_last_value() -> None:
    vi, en = said(
        rule_kind="silence", level=1, value=2_460.0, unit="s", threshold=2_400.0, rate_per_hour=None
    )
    assert vi == "Kim Long (sông Hương): MẤT TÍN HIỆU đã 41 phút, số liệu cuối 3,58 m lúc 07:00 27/10"
    assert "NO DATA for 41 min, last value 3.58 m at 07:00 27/10" in en
    back, _ = said(rule_kind="silence", kind=EventKind.CLEARED, level=0, value=5_400.0, unit="s")
    assert back == "Kim Long (sông Hương): có tín hiệu lại lúc 07:00 27/10 sau 1 giờ 30 phút"


def test_a_cancelled_alert_says_why() -> None:
    vi, en = said(kind=EventKind.CANCELLED, level=0, reason="rule changed")
    assert vi == "Kim Long (sông Hương): HỦY cảnh báo: quy tắc đã thay đổi"
    assert en == "Kim Long (Huong River): alert CANCELLED: rule changed"


def test_an_alert_about_a_rule_needs_no_station() -> None:
    line = headline(replace(EVENT, rule_kind="self", target="river-rate", station=""))
    assert line.vi.startswith("river-rate: QUY TẮC BỊ LỖI")


@pytest.mark.parametrize(
    ("value", "digits", "vi"), [(3.575, 2, "3,58"), (-0.001, 2, "0,00"), (10.0, 0, "10"), (-1.5, 1, "-1,5")]
)
def test_numbers_have_a_decimal_comma_in_vietnamese(value: float, digits: int, vi: str) -> None:
    assert number(value, digits)[0] == vi


def test_times_are_local_whatever_the_machine_thinks() -> None:
    assert local_time(AT) == "07:00 27/10"
    assert local_time(AT + 17 * 60 * MINUTE) == "00:00 28/10"


def test_spans_are_said_in_hours_and_minutes() -> None:
    assert [span(seconds)[0] for seconds in (20, 60, 3_600, 5_400)] == [
        "0 phút",
        "1 phút",
        "1 giờ",
        "1 giờ 30 phút",
    ]


def health(name: str, unit: str, **changes: Any) -> tuple[str, str]:
    """What is said of a device's health at the gauge."""
    gauge = kim_long()
    stream = gauge.datastreams[0].model_copy(
        update={"name": name, "property": name, "unit": unit, "levels": ()}
    )
    of_health = {
        "target": f"R1/{name}",
        "unit": unit,
        "level": 1,
        "level_name": "Yếu",
        "direction": "below",
        "value": changes["observed"],
    }
    event = replace(EVENT, **(of_health | changes))
    line = headline(event, gauge.model_copy(update={"datastreams": (stream,)}))
    return line.vi.partition(": ")[2], line.en.partition(": ")[2]


@pytest.mark.parametrize(
    ("name", "unit", "observed", "threshold", "vi", "en"),
    [
        (
            "battery",
            "%",
            18.0,
            20.0,
            "pin 18 % lúc 07:00 27/10, DƯỚI 20 %",
            "battery 18 % at 07:00 27/10, BELOW 20 %",
        ),
        (
            "battery",
            "%",
            20.0,
            20.0,
            "pin 20 % lúc 07:00 27/10, Ở MỨC 20 %",
            "battery 20 % at 07:00 27/10, AT 20 %",
        ),
        (
            "battery_voltage",
            "V",
            2.96,
            3.0,
            "pin 2,96 V lúc 07:00 27/10, DƯỚI 3 V",
            "battery 2.96 V at 07:00 27/10, BELOW 3 V",
        ),
        (
            "battery_days_left",
            "d",
            12.34,
            14.0,
            "pin còn khoảng 12,3 ngày lúc 07:00 27/10, DƯỚI 14 ngày",
            "battery lasts about 12.3 days at 07:00 27/10, BELOW 14 days",
        ),
        (
            "gateways_6h",
            "1",
            1.0,
            1.0,
            "CHỈ CÒN MỘT trạm thu LoRaWAN nghe được, trong 6 giờ",
            "ONLY ONE LoRaWAN gateway hears it, for 6 h",
        ),
    ],
)
def test_health_is_told_as_a_number_and_its_limit(
    name: str, unit: str, observed: float, threshold: float, vi: str, en: str
) -> None:
    assert health(name, unit, observed=observed, threshold=threshold) == (vi, en)


def test_lost_frames_stand_above_their_limit() -> None:
    vi, en = health("frame_loss", "%", observed=33.333, threshold=20.0, direction="above")
    assert vi == "mất gói tin 33,3 % lúc 07:00 27/10, TRÊN 20 %"
    assert en == "frames lost 33.3 % at 07:00 27/10, ABOVE 20 %"


def test_the_end_of_bad_health_says_so() -> None:
    ended = {"kind": EventKind.CLEARED, "level": 0, "previous_level": 1}
    assert health("battery", "%", observed=100.0, threshold=20.0, **ended)[0] == (
        "bình thường trở lại, pin 100 % lúc 07:00 27/10"
    )
    upright = health("tilt", "1", observed=0.0, threshold=1.0, **ended)
    assert upright == ("cảm biến đã ngay lại", "sensor upright again")


def test_a_level_from_below_says_so() -> None:
    low = {"direction": "below", "level": 1, "level_name": "Cạn", "threshold": 0.40}
    vi, en = said(**low, observed=0.30, rate_per_hour=-0.04)
    assert vi.endswith("0,30 m lúc 07:00 27/10, DƯỚI Cạn 0,10 m, đang xuống 4 cm/giờ")
    assert "BELOW Cạn by 0.10 m, falling" in en
    vi, en = said(**low | {"kind": EventKind.CLEARED, "level": 0}, observed=0.60, rate_per_hour=None)
    assert vi.endswith("LÊN LẠI TRÊN mức cảnh báo")
    assert en.endswith("BACK ABOVE the alert level")
    assert "còn giữ Cạn" in said(**low, observed=0.45)[0]


def test_no_shipped_headline_is_longer_than_cap_readers_show() -> None:
    vi, en = said(nature="Exercise", detected_at=AT + 2 * 24 * 60 * MINUTE, verified=False)
    assert max(len(vi), len(en)) < 150


def test_the_steps_above_the_highest_level_are_named_by_it() -> None:
    step = {
        "level": 4,
        "level_name": "BĐ III +0,5 m",
        "previous_level": 3,
        "threshold": 4.0,
        "observed": 4.12,
    }
    assert "TRÊN BĐ III +0,5 m 0,12 m" in said(kind=EventKind.ESCALATED, **step)[0]
    back = said(kind=EventKind.LOWERED, previous_level=4, threshold=3.5, observed=3.85, rate_per_hour=-0.05)
    assert "3,85 m lúc 07:00 27/10, ĐANG XUỐNG, TRÊN BĐ III 0,35 m, đang xuống 5 cm/giờ" in back[0]


def rain(prop: str, **changes: Any) -> tuple[str, str]:
    sum_of = {"name": "sum", "property": prop, "unit": "mm", "cadence": 600.0}
    derive = {"kind": "window_sum", "of": "rainfall", "window": 3_600.0}
    derived = DerivedDatastream.model_validate(sum_of | {"derive": derive}, strict=False)
    station = kim_long().model_copy(update={"derived": (derived,)})
    plain = {
        "rule_kind": "accumulation",
        "target": "R1/sum",
        "level_name": "Mưa rất to",
        "value": 112.4,
        "unit": "mm",
        "threshold": 100.0,
        "observed": 112.4,
        "rate_per_hour": None,
    }
    line = headline(replace(EVENT, **(plain | changes)), station)
    return line.vi, line.en


def test_rain_is_told_with_its_window_and_at_least_where_hours_are_missing() -> None:
    vi, en = rain("rain_3h")
    assert vi == "Kim Long (sông Hương): mưa 3 giờ 112,4 mm lúc 07:00 27/10, TRÊN 100 mm (Mưa rất to)"
    assert "rain in 3 h 112.4 mm at 07:00 27/10, ABOVE 100 mm" in en
    assert "mưa 3 giờ ít nhất 112,4 mm" in rain("rain_3h", verified=False)[0]
    assert "mưa đã ngớt, mưa 3 giờ 40 mm" in rain("rain_3h", kind=EventKind.CLEARED, level=0, value=40.0)[0]


def test_a_rain_day_is_told_with_both_its_ends() -> None:
    assert "mưa ngày 19:00 26/10 - 19:00 27/10 112,4 mm" in rain("rain_day")[0]
    assert "rain of the day 19:00 27/10 - 19:00 28/10" in rain("rain_day", event_time=AT + 720 * MINUTE)[1]


def test_an_index_is_told_by_its_band() -> None:
    air = {"rule_kind": "index", "level_name": "Xấu", "value": 162.0, "unit": "1", "threshold": 151.0}
    assert said(**air)[0] == "Kim Long (sông Hương): VN_AQI 162 lúc 07:00 27/10, mức XẤU (từ 151)"
    assert "không khí đã tốt hơn, VN_AQI 120" in said(**(air | {"level": 0, "value": 120.0}))[0]


def test_a_sensor_under_water_says_at_least() -> None:
    vi, en = said(rule_kind="saturation", level_name="Ngập", observed=1.32, rate_per_hour=None)
    assert vi.endswith("CẢM BIẾN NGẬP NƯỚC, mực nước ÍT NHẤT 1,32 m lúc 07:00 27/10, có thể cao hơn")
    assert "level AT LEAST 1.32 m" in en
    assert "cảm biến hết ngập" in said(rule_kind="saturation", level=0, observed=1.2)[0]


def test_a_stuck_sensor_says_for_how_long() -> None:
    vi, _ = said(rule_kind="flat_line", level_name="Đứng yên", value=4.5, unit="h", observed=1.32)
    assert vi.endswith("SỐ ĐO ĐỨNG YÊN đã 4 giờ 30 phút, 1,32 m lúc 07:00 27/10, cần kiểm tra cảm biến")
    assert "số đo đã thay đổi trở lại" in said(rule_kind="flat_line", level=0, value=0.0)[0]


@pytest.mark.parametrize(
    ("changes", "vi", "en"),
    [
        (
            {"kind": EventKind.ACKNOWLEDGED, "by": "An"},
            "An đã tiếp nhận BĐ III",
            "BĐ III acknowledged by An",
        ),
        (
            {"kind": EventKind.ASSIGNED, "by": "An", "assigned_to": "Bình"},
            "An giao cho Bình",
            "assigned to Bình by An",
        ),
        (
            {"kind": EventKind.COMMENTED, "by": "An", "comment": "two\npumps"},
            "An ghi chú, two pumps",
            "An notes, two pumps",
        ),
        (
            {"kind": EventKind.SHELVED, "by": "An", "until": AT + 30 * MINUTE},
            "An tạm ẩn đến 07:30",
            "shelved by An until 07:30",
        ),
        (
            {"kind": EventKind.CANCELLED, "by": "An", "comment": "a boat", "level": 0},
            "HỦY cảnh báo vì phát nhầm (An), a boat",
            "alert CANCELLED as issued in error by An, a boat",
        ),
        (
            {"kind": EventKind.REMINDED, "reason": "maintenance ended", "level": 0, "level_name": ""},
            "bảo trì xong, không còn cảnh báo, 3,58 m lúc 07:00 27/10",
            "maintenance ended, no alert any more, 3.58 m at 07:00 27/10",
        ),
        (
            {"kind": EventKind.REVISED, "reason": "row of 06:55"},
            "ĐÍNH CHÍNH: row of 06:55, 3,58 m lúc 07:00 27/10",
            "REVISED: row of 06:55, 3.58 m at 07:00 27/10",
        ),
    ],
)
def test_what_people_and_reminders_say(changes: dict[str, Any], vi: str, en: str) -> None:
    assert said(**changes) == (f"Kim Long (sông Hương): {vi}", f"Kim Long (Huong River): {en}")


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({"kind": EventKind.REMINDED}, "STILL"),
        ({"kind": EventKind.REMINDED, "reason": "stable again"}, "stable again"),
        ({"kind": EventKind.UNSHELVED, "reason": "shelving ended"}, "no longer shelved"),
        ({"kind": EventKind.LATE}, "LEARNT LATE, over already"),
    ],
)
def test_what_is_said_again_is_said_as_it_stands(changes: dict[str, Any], begins: str) -> None:
    opening = said()[1].removeprefix("Kim Long (Huong River): ")
    assert said(**changes)[1] == f"Kim Long (Huong River): {begins}, {opening}"


def test_a_digest_counts_and_names() -> None:
    far = replace(EVENT, target="X/water_level", level_name="BĐ I", nature="Exercise")
    line = digest_headline([(replace(EVENT, nature="Exercise"), kim_long()), (far, None)])
    assert line.vi == "DIỄN TẬP: 2 cảnh báo cùng lúc: Kim Long BĐ III, X/water_level BĐ I"
    assert line.en == "EXERCISE: 2 alerts at once: Kim Long BĐ III, X/water_level BĐ I"
    many = digest_headline([(far, None)] * 120)
    assert many.vi.startswith("DIỄN TẬP: 120 cảnh báo cùng lúc: ")
    assert many.vi.endswith(" và 100 cảnh báo khác")


def test_a_gateway_speaks_for_what_is_behind_it() -> None:
    gateway = {"rule_kind": "silence", "target": "@gateway/gw-1", "value": 2_100.0, "unit": "s"}
    vi, en = said(**gateway, reason="R1/water_level, R1/rainfall")
    assert vi == "Trạm thu gw-1: MẤT TÍN HIỆU đã 35 phút, gồm R1/water_level, R1/rainfall"
    assert en == "Gateway gw-1: NO DATA for 35 min, with R1/water_level, R1/rainfall"
    assert "có tín hiệu lại" in said(**gateway, kind=EventKind.CLEARED, level=0)[0]


def test_a_station_that_never_spoke_says_since_when_it_was_due() -> None:
    vi, en = said(rule_kind="silence", reason="never heard", observed=None, observed_at=None)
    assert vi.endswith("CHƯA TỪNG CÓ TÍN HIỆU, phải có từ 07:00 27/10")
    assert en.endswith("NEVER HEARD OF, due since 07:00 27/10")


def test_our_own_blindness_is_said_of_ourselves() -> None:
    blind = {"rule_kind": "self", "target": "@sight", "reason": "no reading can reach us"}
    assert said(**blind)[0] == "Huewatch: KHÔNG NHÌN THẤY: không số đo nào tới được"
    assert said(**blind, kind=EventKind.CLEARED, level=0)[1] == "Huewatch: SEES AGAIN"


def test_a_compound_says_which_members_are_so() -> None:
    both = {"rule_kind": "compound", "level_name": "Hai sông", "reason": "2/2: A BĐ II, B BĐ II; ? C BĐ II"}
    assert said(**both)[0].endswith(": Hai sông (2/2: A BĐ II, B BĐ II; ? C BĐ II)")


def test_what_is_held_below_its_limit_is_not_said_to_stand_above_it() -> None:
    eased = {"kind": EventKind.REMINDED, "value": 28.4}
    vi, en = rain("rain_1h", **eased)
    assert vi.endswith("NHẮC LẠI, mưa 1 giờ 28,4 mm lúc 07:00 27/10, còn giữ 100 mm (Mưa rất to)")
    assert en.endswith("STILL, rain in 1 h 28.4 mm at 07:00 27/10, still held at 100 mm (Mưa rất to)")
    air = {"rule_kind": "index", "level_name": "Xấu", "value": 148.0, "unit": "1", "threshold": 151.0}
    assert said(**air, kind=EventKind.REMINDED)[0].endswith("còn giữ mức XẤU (từ 151)")


def test_an_open_alert_without_news_says_what_was_seen_last() -> None:
    line = unseen_headline(replace(EVENT, nature="Exercise"), kim_long())
    assert line.vi == (
        "DIỄN TẬP: Kim Long (sông Hương): MẤT TÍN HIỆU, mực nước cuối 3,58 m lúc 07:00 27/10, chưa hết BĐ III"
    )
    assert line.en == (
        "EXERCISE: Kim Long (Huong River): NO DATA, last level 3.58 m at 07:00 27/10, BĐ III not ended"
    )
    never = unseen_headline(replace(EVENT, observed=None, observed_at=None), kim_long())
    assert never.vi == "Kim Long (sông Hương): MẤT TÍN HIỆU, chưa hết BĐ III"


def test_a_cancellation_can_be_told_without_names() -> None:
    vi, en = said(kind=EventKind.CANCELLED, level=0, reason=ISSUED_IN_ERROR)
    assert vi == "Kim Long (sông Hương): HỦY cảnh báo: phát nhầm"
    assert en == "Kim Long (Huong River): alert CANCELLED: issued in error"
