"""What an alert is worth against true crossings: each case a few events and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from msgspec.structs import replace as altered

from alerts.backtest.score import LEAD, Card, Scorer, alerts_of
from alerts.backtest.truth import Jump, Samples, Truth
from alerts.model import Event, EventKind, Severity
from alerts.rules.book import Rule
from tests.property.engine_world import MINUTE, START, rules

CADENCE = 5 * MINUTE
KEY = "R1/water_level"  # levels I, II and III at 1.0, 2.0 and 3.5 m
RULES = {rule.id: rule for rule in rules()}
LOW, OVER_I, OVER_II = [0.5] * 24, [1.5] * 24, [2.5] * 24  # two hours each


def minute(minutes: float) -> int:
    return START + round(minutes * MINUTE)


def samples(*parts: Sequence[float]) -> Samples:
    value = np.concatenate([np.array(part) for part in parts])
    time = START + np.arange(len(value)) * CADENCE
    return Samples(time, value, time)


def event(
    kind: EventKind, at: float, level: int, previous: int = 0, alert: str = "a", rule: str = "level"
) -> Event:
    return Event(
        event_id=f"{alert}{at}",
        alert_id=alert,
        rule=rule,
        rule_version="",
        rule_kind="threshold",
        target=KEY,
        station="R1",
        kind=kind,
        level=level,
        level_name="",
        previous_level=previous,
        severity=Severity.MINOR,
        nature="Exercise",
        event_time=minute(at),
        detected_at=minute(at),
        value=None,
        unit="m",
        threshold=None,
        observed=None,
        observed_at=None,
        rate_per_hour=None,
        verified=True,
        evidence=(),
    )


def raised(at: float, level: int = 1, **more: str) -> Event:
    return event(EventKind.RAISED, at, level, **more)


def cleared(at: float, **more: str) -> Event:
    return event(EventKind.CLEARED, at, 0, 1, **more)


def card(water: Samples, *events: Event, rule: str = "level", truth: Truth | None = None) -> Card:
    chosen = _only(RULES[rule])
    scorer = Scorer({KEY: water}, truth or Truth(), START, int(water.time[-1]) - START)
    return scorer.card(chosen, events, alerts_of(events).get(rule, []))


def _only(rule: Rule) -> Rule:
    kept = [
        (plan, version) for plan, version in zip(rule.plans, rule.versions, strict=True) if plan[0].key == KEY
    ]
    return replace(
        rule, plans=tuple(plan for plan, _ in kept), versions=tuple(version for _, version in kept)
    )


def test_told_by_the_second_sample_after_the_crossing_is_a_hit() -> None:
    found = card(samples(LOW, OVER_I), raised(130))
    assert (found.hits, found.misses, len(found.false)) == (1, 0, 0)
    assert found.leads == [-10 * MINUTE]


def test_told_later_is_a_miss_and_yet_no_false_alarm() -> None:
    found = card(samples(LOW, OVER_I), raised(131))
    assert (found.hits, found.misses) == (0, 1)


def test_told_before_it_is_lead_time() -> None:
    assert card(samples(LOW, OVER_I), raised(90)).leads == [30 * MINUTE]


def test_an_alert_that_has_stood_for_longer_than_any_lead_hits_without_one() -> None:
    water = samples(*[LOW] * 4, OVER_I)
    found = card(water, raised(1))
    assert minute(480) - minute(1) > LEAD
    assert (found.hits, found.leads) == (1, [])


def test_a_lower_level_is_no_hit() -> None:
    found = card(samples(LOW, OVER_II), raised(125, 1))
    assert [(verdict.level, verdict.hit) for verdict in found.verdicts] == [("I", True), ("II", False)]


def test_a_higher_level_is_a_hit_of_the_lower_one_too() -> None:
    assert card(samples(LOW, OVER_II), raised(125, 2)).hits == 2


def test_a_level_that_was_given_up_before_the_crossing_is_none() -> None:
    found = card(samples(LOW, OVER_I), raised(60), cleared(100))
    assert (found.hits, found.misses, len(found.false)) == (0, 1, 1)


def test_an_alert_without_a_crossing_in_its_life_is_false() -> None:
    found = card(samples(LOW, LOW), raised(60), cleared(100))
    assert (found.alerts, len(found.false), found.notifications) == (1, 1, 2)


def test_a_flap_opens_within_the_hour_after_the_end_before() -> None:
    again = raised(159, alert="b"), cleared(170, alert="b")
    later = raised(230, alert="c"), cleared(235, alert="c")
    assert card(samples(LOW, LOW), raised(60), cleared(100), *again, *later).flaps == 2 - 1


def test_a_rate_foretells_the_levels_of_its_datastream() -> None:
    told = raised(60, rule="rate"), cleared(100, rule="rate")
    found = card(samples(LOW, OVER_I), *told, rule="rate")
    assert (found.truth, found.hits, len(found.false)) == ("foretells", 1, 0)
    assert found.leads == [60 * MINUTE]


def test_silence_is_counted_and_not_judged() -> None:
    found = card(samples(LOW, OVER_I), raised(60, rule="silence"), rule="silence")
    assert (found.truth, found.alerts, found.verdicts, found.false) == ("none", 1, (), ())


def test_an_alert_in_a_time_that_people_call_a_jump_is_false() -> None:
    jump = Jump(datastream=KEY, at=minute(100), until=minute(180), why="ice on the sensor")
    assert len(card(samples(LOW, OVER_I), raised(125), truth=Truth(jumps=(jump,))).false) == 1


def test_a_rule_on_trial_tells_nobody() -> None:
    found = card(samples(LOW, OVER_I), altered(raised(125), shadow=True))
    assert (found.shadow, found.hits, found.notifications) == (True, 1, 0)
