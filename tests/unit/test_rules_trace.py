"""`huewatch rule test`: each state change, and why."""

from __future__ import annotations

import pytest

from alerts.model import Phase
from alerts.rule_test import parse_values, trace
from ingest.model import Quality
from tests.property.engine_world import MINUTE, rules

BY_ID = {rule.id: rule for rule in rules()}


def phases(values: str, rule: str = "level") -> list[str]:
    return [step.after.name.lower() for step in trace(BY_ID[rule], values)]


def test_the_example_of_the_readme_goes_from_pending_to_firing() -> None:
    steps = trace(BY_ID["level"], "0.9 1.1 1.2@5min")
    assert [(step.before, step.after, step.level) for step in steps] == [
        (Phase.INACTIVE, Phase.INACTIVE, 0),
        (Phase.INACTIVE, Phase.PENDING, 0),
        (Phase.PENDING, Phase.FIRING, 1),
    ]
    assert [len(step.events) for step in steps] == [0, 0, 1]
    assert steps[1].why == "At or above I (1 m): 2 samples in a row are needed."
    assert steps[2].why == "2 samples in a row stand at or above I (1 m)."


def test_values_follow_at_the_cadence_unless_they_say_otherwise() -> None:
    steps = trace(BY_ID["level"], "0.9 1.1 1.2@20min")
    first, second, third = (step.time for step in steps)
    assert (second - first, third - second) == (5 * MINUTE, 20 * MINUTE)


def test_every_phase_is_explained() -> None:
    steps = trace(BY_ID["level"], "1.5 1.5 0.95 0.5 0.5@30min 1.5 0.5 9.9!")
    assert [step.after.name for step in steps] == [
        "PENDING", "FIRING", "FIRING", "CLEARING", "INACTIVE", "PENDING", "INACTIVE", "INACTIVE",
    ]  # fmt: skip
    assert [step.why for step in steps[2:]] == [
        "I is held: not below 0.9 m.",
        "Below 0.9 m for 0 of the 30 min that end I.",
        "Below every level's clear value for 30 min.",
        "At or above I (1 m): 2 samples in a row are needed.",
        "Below the level again: not confirmed.",
        "The value failed its quality tests: it neither raises nor ends anything.",
    ]


def test_time_alone_shows_silence() -> None:
    steps = trace(BY_ID["silence"], "1.0 @20min @11min 1.0@5min")
    assert [step.why for step in steps[1:]] == [
        "Time passes; nothing is late.",
        "Silent for 1860 s.",
        "Heard again after 2160 s.",
    ]


def test_suspect_values_are_marked_with_a_question_mark() -> None:
    assert parse_values("1.5? 1.5!", 300.0)[0].quality is Quality.SUSPECT
    assert phases("1.5? 1.5?") == ["pending", "firing"]


def test_a_target_can_be_named_and_must_be_watched() -> None:
    steps = trace(BY_ID["level"], "2.0 2.0", target="R2")
    assert [event.level for step in steps for event in step.events] == [2]
    with pytest.raises(ValueError, match="the rule strict does not watch R2"):
        trace(BY_ID["strict"], "2.0", target="R2")


@pytest.mark.parametrize("word", ["high", "1.2@", "1.2@5", "1,2", "nan", "@", "1.2@-5min"])
def test_what_is_no_value_is_named(word: str) -> None:
    with pytest.raises(ValueError, match="is neither a value"):
        parse_values(f"1.0 {word}", 300.0)
