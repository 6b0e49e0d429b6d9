"""The judge: a faithful telling passes, and each planted mistake is named."""

from __future__ import annotations

import math
from importlib.resources import files
from typing import Any

import pytest

from ingest.catalog import load_catalogue
from ingest.clock import to_datetime
from ingest.model import Nature
from simulators.expected import Expected, What
from simulators.judge import Verdict, judge, moment, tellings
from simulators.plan import Published, make_plan
from simulators.scenario import HOUR, MINUTE, load_scenario
from simulators.truth import expectations, quiets

SCENARIO = load_scenario()
PLAN = make_plan(
    SCENARIO, load_catalogue(files("huewatch_config") / "catalog", Nature.EXERCISE), SCENARIO.seed
)
EXPECTED = expectations(PLAN)
QUIET = quiets(PLAN)
PUBLISHED = Published(messages=90, readings=100, repeated=8, refused=3)
LEDGER = {
    "messages": 90,
    "unreadable": 0,
    "decoded": 108,
    "stored": 97,
    "duplicate": 8,
    "conflict": 0,
    "rejected": 3,
}
RULE_KIND = {
    What.RISE: "threshold",
    What.FALL: "threshold",
    What.RATE: "rate",
    What.SILENCE: "silence",
    What.SUBMERGED: "saturation",
    What.STUCK: "flat_line",
}
KIM_LONG = "HUE-WL-KIMLONG/water_level"
VY_DA = "HUE-FL-VYDA/water_level"
RAIN = "HUE-RN-BACHMA/rain_1h"
RELEASE = "HUE-RS-TATRACH/outflow_step_1h"
BA_TRIEU = "HUE-FL-BATRIEU/water_level"


def event(what: What, target: str, level: int, at: int, **other: Any) -> dict[str, Any]:
    """As the feed words it; a fall lands one level lower, a rise comes from one lower."""
    fall = what is What.FALL
    return {
        "rule": "some-rule",
        "rule_kind": RULE_KIND[what],
        "target": target,
        "kind": "lowered" if fall else "raised",
        "level": level - 1 if fall else max(level, 1),
        "previous_level": level if fall else max(level - 1, 0),
        "level_name": "",
        "nature": "Exercise",
        "event_time": to_datetime(at).isoformat().replace("+00:00", "Z"),
        **other,
    }


def event_of(told: dict[str, Any]) -> tuple[str, str, int]:
    return told["target"], told["kind"], told["level"]


def numbered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ordered = sorted(events, key=lambda each: moment(each["event_time"]))
    return [{"seq": seq, "event_id": f"e{seq}", **each} for seq, each in enumerate(ordered, start=1)]


def faithful() -> list[dict[str, Any]]:
    """Every required thing, told at the moment of truth, or as soon as its window allows."""
    return [
        event(each.what, each.target, each.level, max(each.at, each.earliest))
        for each in EXPECTED
        if each.required
    ]


def verdict(events: list[dict[str, Any]], **ledger: int) -> Verdict:
    return judge(EXPECTED, numbered(events), {**LEDGER, **ledger}, PUBLISHED, QUIET)


def wrong(found: Verdict) -> list[str]:
    return [f"{line.place} {line.what} {line.remark}".strip() for line in found.lines if not line.ok]


def required(target: str, what: What, level: int) -> Expected:
    return next(
        each
        for each in EXPECTED
        if (each.target, each.what, each.level, each.required) == (target, what, level, True)
    )


def test_faithful_telling_is_right():
    found = verdict(faithful())
    assert wrong(found) == []
    assert found.ok


def test_each_required_thing_that_is_not_told_is_missed():
    told = faithful()
    for index, left_out in enumerate(told):
        assert not verdict(told[:index] + told[index + 1 :]).ok, f"{left_out} was not missed"


@pytest.mark.parametrize(("minutes", "ok"), [(-10, True), (15, True), (-11, False), (16, False), (0, True)])
def test_third_level_at_kim_long_must_be_told_within_its_window(minutes, ok):
    truth = required(KIM_LONG, What.RISE, 3)
    told = [each for each in faithful() if event_of(each) != (KIM_LONG, "raised", 3)]
    told.append(event(What.RISE, KIM_LONG, 3, truth.at + minutes * MINUTE))
    assert verdict(told).ok is ok


def test_one_event_that_skips_levels_tells_of_each():
    rises = [required(KIM_LONG, What.RISE, level) for level in (1, 2, 3)]
    jump = event(What.RISE, KIM_LONG, 3, rises[2].at, previous_level=0)
    assert [each.level for each in tellings(jump)] == [1, 2, 3]
    kept = [each for each in faithful() if not (each["target"] == KIM_LONG and each["kind"] == "raised")]
    missed = wrong(verdict([*kept, jump]))
    assert any("rise BĐ I never told" in each for each in missed)
    assert not any("rise BĐ III never told" in each for each in missed)


def test_level_that_nobody_published_is_no_step_of_its_own():
    tu_phu = "HUE-WL-TUPHU/water_level"
    truth = required(tu_phu, What.RISE, 2)
    told = [each for each in faithful() if event_of(each) != (tu_phu, "raised", 2)]
    assert verdict([*told, event(What.RISE, tu_phu, 2, truth.at, previous_level=0)]).ok


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (
            event(What.RISE, BA_TRIEU, 1, SCENARIO.start + 30 * HOUR),
            "no rise or rate: 30 single wild readings",
        ),
        (event(What.FALL, VY_DA, 3, QUIET[-1].begins + HOUR), "no fall: sensor under water"),
        (event(What.RISE, KIM_LONG, 1, SCENARIO.start + HOUR), "rise 1 unexpected"),
        (event(What.SILENCE, KIM_LONG, 1, SCENARIO.start + HOUR), "silence unexpected"),
        (event(What.RATE, BA_TRIEU, 1, SCENARIO.start + HOUR), "rate 1 unexpected"),
        (event(What.RISE, KIM_LONG, 3, required(KIM_LONG, What.RISE, 3).at + MINUTE), "rise 3 unexpected"),
        (event(What.SUBMERGED, KIM_LONG, 1, SCENARIO.start + HOUR), "under water unexpected"),
        (event(What.STUCK, KIM_LONG, 1, SCENARIO.start + HOUR), "stuck unexpected"),
        (
            event(What.RISE, RAIN, 1, SCENARIO.start + HOUR, rule_kind="accumulation"),
            "rise 1 unexpected",
        ),
        (event(What.RISE, RELEASE, 1, SCENARIO.start + 30 * HOUR), "rise 1 unexpected"),
    ],
    ids=[
        "spike",
        "submerged",
        "too early",
        "silence",
        "rate",
        "twice",
        "not under water",
        "not stuck",
        "dry",
        "no release",
    ],
)
def test_unexpected_alert_is_named(extra, named):
    found = wrong(verdict([*faithful(), extra]))
    assert any(named in each for each in found), found


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"nature": "Actual"}, "told as Actual"),
        ({"kind": "cancelled"}, "nothing was issued in error"),
        ({"rule_kind": "self"}, "a kind that truth does not know"),
    ],
)
def test_improper_event_is_named(change, named):
    told = faithful()
    told[0] = {**told[0], **change}
    assert any(named in each for each in wrong(verdict(told)))


def test_what_a_rule_on_trial_would_have_told_is_no_mistake():
    out_of_nowhere = event(What.RISE, KIM_LONG, 3, EXPECTED[0].at - 24 * HOUR)
    assert not verdict([*faithful(), out_of_nowhere]).ok
    assert verdict([*faithful(), {**out_of_nowhere, "shadow": True}]).ok


def test_that_nobody_is_at_the_page_is_no_mistake_about_the_flood():
    nobody = {**event(What.RISE, KIM_LONG, 1, EXPECTED[0].at), "rule_kind": "self", "event_id": "watch"}
    assert not verdict([*faithful(), {**nobody, "target": "@sight"}]).ok
    assert verdict([*faithful(), {**nobody, "target": "@watch"}]).ok


def test_event_told_twice_under_one_id_is_named():
    told = numbered(faithful())
    told[1] = {**told[1], "event_id": told[0]["event_id"]}
    found = judge(EXPECTED, told, LEDGER, PUBLISHED, QUIET)
    assert any("each once and in order" in each for each in wrong(found))


@pytest.mark.parametrize(
    ("ledger", "named"),
    [
        ({"stored": 96}, "received = stored"),
        ({"stored": 96, "decoded": 107}, "published = stored"),
        ({"stored": 98, "duplicate": 7}, "published = stored"),
        ({"conflict": 1, "decoded": 109}, "conflict"),
        ({"rejected": 2, "decoded": 107}, "published = received"),
        ({"unreadable": 1}, "unreadable"),
    ],
)
def test_reading_that_is_lost_or_made_up_is_named(ledger, named):
    found = wrong(verdict(faithful(), **ledger))
    assert any(named in each for each in found), found


def test_permitted_things_may_be_told_or_not_and_are_not_measured():
    near = next(each for each in EXPECTED if each.what is What.RATE and not each.required)
    found = verdict([*faithful(), event(What.RATE, near.target, near.level, near.at)])
    assert found.ok
    line = next(line for line in found.lines if line.expected == near)
    assert line.minutes_off is None


def test_difference_is_in_minutes_after_the_truth():
    truth = required(KIM_LONG, What.RISE, 3)
    told = [each for each in faithful() if event_of(each) != (KIM_LONG, "raised", 3)]
    found = verdict([*told, event(What.RISE, KIM_LONG, 3, truth.at + 4 * MINUTE)])
    line = next(line for line in found.lines if line.expected == truth)
    assert line.minutes_off is not None
    assert math.isclose(line.minutes_off, 4.0)


def test_times_are_read_as_microseconds_or_rfc_3339():
    assert (
        moment(1_761_545_640_000_000) == moment("2025-10-27T06:14:00Z") == moment("2025-10-27T13:14:00+07:00")
    )
