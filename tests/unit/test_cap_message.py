"""What a message says of an event: kind, references, times, scope, responses and texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from alerts.cap import document
from alerts.cap.hazard import APPROVED_ONLY, HAZARDS, Category, Response, assess, hazard_of
from alerts.cap.lint import errors
from alerts.cap.message import Issuer, Message
from alerts.cap.schema import shape_faults
from alerts.cap.words import MOST, clean, short
from alerts.model import Approval, EventKind, Severity
from ingest.catalog import Datastream, Source, Station
from ingest.config_model import Text
from tests.support.cap import ISSUER, Life, flood, kim_long
from tests.support.feed import HOUR, MINUTE, happening

K = EventKind
EVACUATE = Approval(
    response=("Evacuate", "Avoid"),
    vi="Người dân vùng trũng phường Kim Long di dời đến trường học trước 18 giờ.",
    en="Residents of low-lying Kim Long move to the school before 18:00.",
)
CLEAR = Approval(response=("AllClear",), vi="Người dân có thể trở về nhà.", en="People may return home.")


@pytest.fixture
def life() -> Life:
    return Life()


def must(message: Message | None) -> Message:
    """The message that there is, without a fault."""
    assert message is not None
    alert = document.build(message)
    assert (shape_faults(alert), errors(alert)) == ([], [])
    return message


def headlines(message: Message) -> tuple[str, ...]:
    return tuple(info.headline for info in message.infos)


# -- one message after the other


def test_the_first_is_an_alert_and_the_rest_updates_of_what_has_not_expired(life: Life) -> None:
    messages = [must(message) for message in flood(life)]
    assert [message.kind for message in messages] == ["Alert", *["Update"] * 5]
    named = [[one.triplet for one in messages].index(each) for each in messages[3].references]
    assert named == [1, 2]  # BĐ I of 07:00 had expired at 13:00
    assert messages[0].references == ()


def test_a_downgrade_and_an_end_are_updates_and_the_end_names_the_lowest_level(life: Life) -> None:
    *_, lowered, end = flood(life)
    assert (lowered.kind, end.kind) == ("Update", "Update")
    assert (lowered.final, end.final) == (False, True)
    assert "XUỐNG DƯỚI BĐ III" in lowered.infos[0].headline
    assert "Mực nước đã ở dưới BĐ I." in end.infos[0].description
    assert "The water is below BĐ I again." in end.infos[1].description
    assert end.assessment.urgency == "Past"


def test_cancel_is_what_people_cancelled_in_error_and_names_nobody(life: Life) -> None:
    life.step(K.RAISED, 2)
    message = must(life.people(K.CANCELLED))
    assert (message.kind, message.final) == ("Cancel", True)
    assert headlines(message) == (
        "DIỄN TẬP: Kim Long (sông Hương): HỦY cảnh báo: phát nhầm",
        "EXERCISE: Kim Long (Huong River): alert CANCELLED: issued in error",
    )
    written = document.written(document.build(message)).decode()
    assert "(An)" not in written
    assert "boat" not in written


def test_a_changed_rule_ends_an_alert_by_an_update_that_claims_no_safety(life: Life) -> None:
    life.step(K.RAISED, 2)
    message = must(life.step(K.CANCELLED, 0, reason="rule changed"))
    assert message.kind == "Update"
    assert "không phải vì đã an toàn" in message.infos[0].description


def test_worse_after_a_cancellation_refers_to_the_cancellation_too(life: Life) -> None:
    first, cancelled = must(life.step(K.RAISED, 1)), must(life.people(K.CANCELLED))
    life.wait(MINUTE)
    worse = must(life.step(K.ESCALATED, 2))
    assert (worse.kind, worse.references) == ("Update", (first.triplet, cancelled.triplet))


@pytest.mark.parametrize(
    "kind", [K.ACKNOWLEDGED, K.ASSIGNED, K.COMMENTED, K.SHELVED, K.UNSHELVED, K.UNANSWERED]
)
def test_what_people_do_with_an_alert_makes_no_message(life: Life, kind: EventKind) -> None:
    life.step(K.RAISED, 1)
    assert life.people(kind) is None


def test_a_correction_is_said_beside_how_the_alert_stands(life: Life) -> None:
    life.step(K.RAISED, 3)
    event = life.event(K.REVISED, 3, reason="BĐ III not borne out at 06:55")
    message = must(life.tell(event))
    assert message.infos[0].headline.endswith("đang lên 10 cm/giờ")
    assert "ĐÍNH CHÍNH: BĐ III not borne out at 06:55" in message.infos[0].description


def test_nothing_in_force_makes_an_alert_anew_and_an_end_none(life: Life) -> None:
    life.step(K.RAISED, 1)
    life.wait(6 * HOUR)  # it has expired in this second
    again = must(life.step(K.REMINDED, 1))
    assert (again.kind, again.references) == ("Alert", ())
    life.wait(7 * HOUR)
    assert life.step(K.CLEARED, 0) is None


def test_what_would_have_expired_before_it_could_be_sent_is_not_sent() -> None:
    old = Life()
    assert old.tell(old.event(K.RAISED, 3), ago=2 * HOUR) is None
    assert must(old.tell(old.event(K.ESCALATED, 4), ago=2 * HOUR - MINUTE)).kind == "Alert"
    replaced = must(old.tell(old.event(K.REMINDED, 4), ago=9 * HOUR))  # what is in force must be replaced
    assert replaced.kind == "Update"


# -- times and identifiers


def test_times_are_local_whole_seconds_and_expire_after_two_reminders(life: Life) -> None:
    life.wait(MINUTE // 7)
    message = must(life.step(K.RAISED, 3))
    alert = document.build(message)
    assert document.text(alert, "sent") == "2025-10-27T07:00:08+07:00"
    (info, _) = document.children(alert, "info")
    assert document.text(info, "expires") == "2025-10-27T09:00:08+07:00"
    assert message.issued.renew_at - message.sent == 90 * MINUTE


def test_without_a_reminder_the_stated_default_holds(life: Life) -> None:
    message = must(life.step(K.RAISED, 1, remind=None))
    assert message.expires - message.sent == 2 * ISSUER.renew


def test_several_in_one_second_are_told_apart_and_in_order(life: Life) -> None:
    kinds = [(K.RAISED, 1), (K.ESCALATED, 2), (K.ESCALATED, 3)]
    messages = [must(life.step(kind, level)) for kind, level in kinds]
    assert len({message.sent for message in messages}) == 1
    identifiers = [message.identifier for message in messages]
    assert sorted(set(identifiers)) == identifiers
    begins = [identifier.rpartition(".")[2] for identifier in identifiers]
    assert begins == [numbered.event.event_id[:8] for numbered in life.events]
    assert messages[-1].references == tuple(one.triplet for one in messages[:-1])


def test_a_clock_that_steps_back_makes_no_message_earlier_than_what_it_replaces(life: Life) -> None:
    first = must(life.step(K.RAISED, 1))
    life.wait(-HOUR)
    assert must(life.step(K.ESCALATED, 2)).sent == first.sent


# -- approval and scope


def test_until_approved_it_is_restricted_and_tells_nobody_to_leave(life: Life) -> None:
    message = must(life.step(K.RAISED, 3))
    assert (message.scope, bool(message.restriction)) == ("Restricted", True)
    assert not APPROVED_ONLY & set(message.assessment.response)


def test_the_approved_text_is_public_with_its_responses(life: Life) -> None:
    first = must(life.step(K.RAISED, 3))
    message = must(life.people(K.APPROVED, EVACUATE))
    assert (message.kind, message.scope, message.restriction) == ("Update", "Public", "")
    assert message.references == (first.triplet,)
    assert message.assessment.response == (Response.EVACUATE, Response.AVOID)
    assert [info.instruction for info in message.infos] == [EVACUATE.vi, EVACUATE.en]
    assert "TRÊN BĐ III" in message.infos[0].headline


def test_the_approved_text_stands_in_every_update_until_the_end(life: Life) -> None:
    life.step(K.RAISED, 3)
    life.people(K.APPROVED, EVACUATE)
    for kind, level in ((K.REMINDED, 3), (K.ESCALATED, 4), (K.LOWERED, 2)):
        message = must(life.step(kind, level))
        assert Response.EVACUATE in message.assessment.response
        assert message.infos[0].instruction == EVACUATE.vi
    end = must(life.step(K.CLEARED, 0))
    assert (end.infos[0].instruction, end.assessment.response) == ("", (Response.MONITOR,))
    assert end.scope == "Public"  # whoever was told to leave must hear of the end


def test_all_clear_stands_until_it_gets_worse_and_never_comes_back(life: Life) -> None:
    life.step(K.RAISED, 2)
    life.step(K.LOWERED, 1)
    assert must(life.people(K.APPROVED, CLEAR)).assessment.response == (Response.ALL_CLEAR,)
    assert must(life.step(K.REMINDED, 1)).assessment.response == (Response.ALL_CLEAR,)
    assert Response.ALL_CLEAR not in must(life.step(K.ESCALATED, 2)).assessment.response
    lowered = must(life.step(K.LOWERED, 1))
    assert Response.ALL_CLEAR not in lowered.assessment.response
    assert lowered.infos[0].instruction == ""


def test_all_clear_of_an_ended_alert_goes_out_although_nothing_is_in_force(life: Life) -> None:
    life.step(K.RAISED, 1)
    life.step(K.CLEARED, 0)
    life.wait(24 * HOUR)
    message = must(life.people(K.APPROVED, CLEAR))
    assert (message.kind, message.assessment.response) == ("Alert", (Response.ALL_CLEAR,))


def test_a_cancellation_ends_an_approval(life: Life) -> None:
    life.step(K.RAISED, 1)
    life.people(K.APPROVED, EVACUATE)
    assert must(life.people(K.CANCELLED)).infos[0].instruction == ""
    worse = must(life.step(K.ESCALATED, 3))
    assert not APPROVED_ONLY & set(worse.assessment.response)


def test_a_text_approved_in_vietnamese_alone_says_so_in_english(life: Life) -> None:
    life.step(K.RAISED, 3)
    message = must(life.people(K.APPROVED, Approval(("Evacuate",), EVACUATE.vi, EVACUATE.vi)))
    assert message.infos[1].instruction == f"In Vietnamese: {EVACUATE.vi}"


PROPOSAL = Text(vi="Kê cao tài sản, không qua ngầm tràn.", en="Raise belongings; do not cross spillways.")


def issuer(**changes: Any) -> Issuer:
    return replace(ISSUER, **changes)


def test_a_proposal_is_for_agencies_alone() -> None:
    proposed = {Severity.SEVERE: PROPOSAL}
    restricted = must(Life(issuer=issuer(proposals=proposed)).step(K.RAISED, 3))
    assert (restricted.scope, restricted.infos[0].instruction) == ("Restricted", PROPOSAL.vi)
    public = must(Life(issuer=issuer(proposals=proposed, public=True)).step(K.RAISED, 3))
    assert (public.scope, public.infos[0].instruction) == ("Public", "")


# -- texts and places


def test_headlines_say_that_it_is_an_exercise_and_the_status_too(life: Life) -> None:
    message = must(life.step(K.RAISED, 1))
    assert message.status == "Exercise"
    assert headlines(message)[0].startswith("DIỄN TẬP: ")
    real = must(Life().step(K.RAISED, 1, nature="Actual"))
    assert (real.status, headlines(real)[0].startswith("Kim Long")) == ("Actual", True)
    assert must(Life().step(K.RAISED, 1, nature="Test")).status == "Test"


def test_lost_data_keep_an_alert_open_and_say_what_was_seen_last(life: Life) -> None:
    life.step(K.RAISED, 3)
    life.wait(90 * MINUTE)
    message = must(life.tell(life.event(K.REMINDED, 3), unseen=True))
    assert "MẤT TÍN HIỆU, mực nước cuối 3,58 m" in message.infos[0].headline
    assert "Cảnh báo vẫn còn hiệu lực" in message.infos[0].description
    assert ("sight", "lost") in message.parameters
    assert message.assessment.severity is Severity.SEVERE


def test_parameters_are_figures_for_machines(life: Life) -> None:
    found = dict(must(life.step(K.RAISED, 3)).parameters)
    assert found == {
        "value": "3.58",
        "unit": "m",
        "threshold": "3.5",
        "level": "BĐ III",
        "margin": "0.08",
        "observed": "3.58",
        "observed_at": "2025-10-27T07:00:00+07:00",
        "trend_per_hour": "0.1",
        "verified": "true",
        "sight": "current",
        "station": "HUE-WL-KIMLONG",
        "rule": "river-level",
        "event_id": life.events[0].event.event_id,
        "seq": "1",
    }


def test_the_area_is_a_circle_or_the_polygon_with_its_communes() -> None:
    plain, drawn = must(Life().step(K.RAISED, 1)), must(Life(station=kim_long(area=True)).step(K.RAISED, 1))
    assert plain.circle == (16.45, 107.56, 2.0)
    area = document.children(document.children(document.build(plain), "info")[0], "area")[0]
    assert document.text(area, "circle") == "16.45,107.56 2"
    assert drawn.circle is None
    assert drawn.geocodes == (("VN-commune", "19774"),)
    assert plain.infos[0].area == "Quanh trạm Kim Long, sông Hương, 2 km"


def test_names_that_look_like_markup_are_told_harmlessly() -> None:
    evil = Text(vi="<script>alert(1)</script> &lt;b&gt; \u0000\u202e\ud800", en="<b>x</b>")
    station = kim_long().model_copy(update={"name": evil, "ward": evil})
    message = must(Life(station=station).step(K.RAISED, 1))
    assert "‹script›" in message.infos[0].headline
    assert "\u202e" not in message.infos[0].headline  # it would turn the line around
    assert document.read(document.written(document.build(message))) is not None


def test_a_long_line_loses_its_last_parts_and_stays_a_headline() -> None:
    name = "Trạm thủy văn thượng lưu đập ngăn mặn Thảo Long phía bờ phải sông Hương"
    station = kim_long().model_copy(update={"name": Text(vi=name, en=f"{name} (right bank)")})
    message = must(Life(station=station).step(K.RAISED, 1))
    assert all(len(line) <= MOST for line in headlines(message))
    assert "đang lên 10 cm/giờ" not in headlines(message)[0]
    assert "đang lên 10 cm/giờ" in message.infos[0].description
    assert short("x" * 200) == "x" * (MOST - 1) + "…"
    assert clean("a\n b\t\u0007c") == "a b c"


# -- hazards


def station_of(kind: str, name: str, unit: str) -> Station:
    stream = Datastream(
        name="d", property=name, unit=unit, cadence=300.0, source=Source(gateway="g", device="d", channel="c")
    )
    station = kim_long()
    return Station.model_validate(station.model_dump() | {"kind": kind, "datastreams": (stream,)})


@pytest.mark.parametrize(
    ("kind", "name", "rule_kind", "severity", "code", "expected"),
    [
        ("river", "water_level", "threshold", "Minor", "river-flood", "Expected Observed Monitor"),
        ("river", "water_level", "threshold", "Moderate", "river-flood", "Expected Observed Prepare"),
        ("river", "water_level", "threshold", "Severe", "river-flood", "Immediate Observed Prepare+Avoid"),
        ("river", "water_level", "threshold", "Extreme", "river-flood", "Immediate Observed Prepare+Avoid"),
        ("street", "water_level", "threshold", "Minor", "street-flood", "Expected Observed Monitor"),
        ("river", "water_level", "rate", "Minor", "river-flood", "Future Likely Monitor"),
        ("river", "water_level", "time_to_level", "Moderate", "river-flood", "Expected Likely Prepare"),
        ("river", "water_level", "saturation", "Severe", "river-flood", "Immediate Likely Prepare+Avoid"),
        ("tide", "water_level", "threshold", "Minor", "high-water", "Expected Observed Monitor"),
        ("rain", "rain_3h", "accumulation", "Severe", "heavy-rain", "Immediate Observed Prepare+Avoid"),
        ("air", "vn_aqi_hourly", "index", "Moderate", "air-quality", "Expected Observed Avoid"),
        ("air", "vn_aqi_hourly", "index", "Extreme", "air-quality", "Expected Observed Avoid"),
        ("water", "free_chlorine", "threshold", "Moderate", "drinking-water", "Immediate Observed Avoid"),
        ("water", "turbidity", "threshold", "Moderate", "drinking-water", "Immediate Observed Avoid"),
        ("water", "ph", "threshold", "Minor", "surface-water", "Expected Observed Monitor"),
        (
            "reservoir",
            "reservoir_level",
            "threshold",
            "Minor",
            "reservoir-level",
            "Expected Observed Monitor",
        ),
        (
            "reservoir",
            "outflow_step",
            "threshold",
            "Severe",
            "reservoir-release",
            "Immediate Observed Prepare+Avoid",
        ),
        ("river", "wind", "threshold", "Minor", "limit-passed", "Expected Observed Monitor"),
        ("river", "water_level", "compound", "Moderate", "combined-signs", "Expected Likely Prepare"),
    ],
)
def test_each_hazard_is_assessed_as_agreed(
    kind: str, name: str, rule_kind: str, severity: str, code: str, expected: str
) -> None:
    event = changed(happening(1), rule_kind=rule_kind, target="HUE-WL-KIMLONG/d", severity=Severity(severity))
    hazard = hazard_of(event, station_of(kind, name, "m"))
    assert hazard is not None
    assert hazard.code == code
    found = assess(event, hazard)
    responses = "+".join(each.value for each in found.response)
    assert f"{found.urgency} {found.certainty} {responses}" == expected
    assert found.severity.value == severity


def test_categories_are_those_of_the_table() -> None:
    found = {hazard.code: hazard.categories for hazard in HAZARDS}
    assert found["river-flood"] == (Category.MET,)
    assert found["air-quality"] == (Category.HEALTH, Category.ENV)
    assert found["drinking-water"] == (Category.HEALTH, Category.INFRA)


@pytest.mark.parametrize(
    ("name", "rule_kind"),
    [
        ("water_level", "silence"),
        ("water_level", "flat_line"),
        ("water_level", "self"),
        ("battery", "threshold"),
        ("frame_loss", "threshold"),
        ("tilt", "threshold"),
        ("gateways_6h", "threshold"),
    ],
)
def test_what_concerns_ourselves_is_no_hazard(name: str, rule_kind: str) -> None:
    event = changed(happening(1), rule_kind=rule_kind, target="HUE-WL-KIMLONG/d")
    assert hazard_of(event, station_of("river", name, "m")) is None


def test_unverified_is_likely_and_says_so(life: Life) -> None:
    message = must(life.step(K.RAISED, 2, verified=False))
    assert message.assessment.certainty == "Likely"
    assert "Số đo chưa được kiểm chứng." in message.infos[0].description
