"""A threshold that looks for low values is the mirror of one that looks for high ones."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import asdict

from alerts.model import Event
from alerts.rule_test import trace
from alerts.rules.book import Rule, parse_rules
from ingest.catalog import Catalogue, Datastream, Ranging
from ingest.quality_settings import Range
from ingest.yaml_lines import Severity
from tests.property.engine_world import (
    MINUTE,
    START,
    Item,
    Player,
    Row,
    assert_same_state,
    city,
    cut,
    random_stream,
    rebuilt,
    rules,
)

ABOVE = """\
rules:
  - id: level
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { property: water_level }
    levels:
      - { name: I, value: 1.0, severity: Minor }
      - { name: II, value: 2.0, severity: Moderate }
      - { name: III, value: 3.5, severity: Severe }
    confirm: { samples: 2 }
    clear: { below: 0.10 m, hold: 30min }
"""
BELOW = (
    ABOVE.replace("kind: threshold", "kind: threshold\n    direction: below")
    .replace("value: ", "value: -")
    .replace("below: 0.10", "above: 0.10")
)
BATTERY = """\
rules:
  - id: battery
    kind: threshold
    direction: below
    title: { vi: Pin yếu, en: Battery low }
    select: { property: battery }
    levels: [{ name: 20 %, value: 20 %, severity: Minor }, { name: 10 %, value: 10 %, severity: Moderate }]
    clear: { above: 5 %, hold: 1h }
"""


def powered(**changes: Any) -> Catalogue:
    """A city of one battery, in per cent."""
    station = city().stations[0]
    battery = Datastream(
        name="battery",
        property="battery",
        unit="%",
        cadence=300.0,
        source=station.datastreams[0].source,
    ).model_copy(update=changes)
    return Catalogue(stations=(station.model_copy(update={"datastreams": (battery,)}),), routes=())


def battery_rule(text: str = BATTERY) -> Rule:
    return rules(text, powered())[0]


def told(values: str) -> list[tuple[str, str, float | None, float | None]]:
    return [
        (event.kind.value, event.level_name, event.value, event.threshold)
        for step in trace(battery_rule(), values)
        for event in step.events
    ]


def mirrored(items: list[Item]) -> list[Item]:
    return [
        Row(item.number, item.time, -item.value, item.quality, item.received)
        if isinstance(item, Row)
        else item
        for item in items
    ]


def seen(event: Event, sign: int) -> dict[str, Any]:
    """An event, its numbers times `sign`, without its rule's version."""
    numbers = {
        name: None if value is None else sign * value
        for name in ("value", "threshold", "observed", "rate_per_hour")
        for value in (getattr(event, name),)
    }
    evidence = [(one.time, sign * one.value, one.quality) for one in event.evidence]
    return asdict(event) | numbers | {"evidence": evidence, "rule_version": "", "direction": ""}


def played(text: str, items: list[Item], seed: int) -> tuple[Player, list[Event]]:
    player = Player(rules(text))
    for batch in cut(items, random.Random(seed), 7):
        player.play(batch)
    return player, player.store.events


@pytest.mark.parametrize("seed", range(12))
def test_a_mirrored_stream_tells_the_same(seed: int) -> None:
    items = random_stream(seed)
    _, high = played(ABOVE, items, seed)
    player, low = played(BELOW, mirrored(items), seed)
    assert len(high) > 3
    assert [seen(event, -1) for event in low] == [seen(event, 1) for event in high]
    assert_same_state(player.engine, rebuilt(player.rules, player.store))


def test_what_is_told_is_what_was_measured() -> None:
    assert told("25 20 18 9 9 30 30@1h") == [
        ("raised", "20 %", 18.0, 20.0),
        ("escalated", "10 %", 9.0, 10.0),
        ("cleared", "", 30.0, 20.0),
    ]


def test_the_evidence_and_the_observation_are_not_negated() -> None:
    (event,) = [event for step in trace(battery_rule(), "20 18") for event in step.events]
    assert event.direction == "below"
    assert (event.observed, [one.value for one in event.evidence]) == (18.0, [20.0, 18.0])


def test_nothing_is_told_as_minus_zero() -> None:
    text = BATTERY.replace("{ name: 10 %, value: 10 %", "{ name: flat, value: 0 %")
    player = Player([battery_rule(text)])
    for place, value in enumerate((0.0, 0.0)):
        time = START + place * 5 * MINUTE
        player.play([Row(10, time, value, 1, time)])
    (event,) = player.store.events
    assert (str(event.value), str(event.threshold)) == ("0.0", "0.0")


def test_every_step_is_explained() -> None:
    steps = trace(battery_rule(), "30 20 18 24 26 26@1h 9 30")
    assert [step.why for step in steps] == [
        "Above every level.",
        "At or below 20 % (20 %): 2 samples in a row are needed.",
        "2 samples in a row stand at or below 20 % (20 %).",
        "20 % is held: not above 25 %.",
        "Above 25 % for 0 of the 60 min that end 20 %.",
        "Above every level's clear value for 60 min.",
        "At or below 10 % (10 %): 2 samples in a row are needed.",
        "Above the level again: not confirmed.",
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("above: 5 %", "above: -5 %", "would be cleared at 15 %, below the 20 % that raise it"),
        ("above: 5 %", "above: 15 %", "is held up to 25, above the 20 % of 20 %"),
        ("above: 5 %", "below: 5 %", "is below, `clear` has `above`"),
        ("direction: below\n", "direction: above\n", "is above, `clear` has `below`"),
        ("direction: below", "direction: under", "Input should be 'above', 'below' or 'outside'"),
        ("value: 10 %", "value: 30 %", "10 % (30) is not below 20 % (20 %) at R1/battery"),
        ("value: 10 %", "value: -1 %", "Level 10 % (-1 %) of R1/battery can never be reached"),
        ("hold: 1h", "hold: 1min", "shorter than the"),
    ],
)
def test_an_impossible_rule_is_refused(old: str, new: str, words: str) -> None:
    assert old in BATTERY
    catalogue = powered(gross_range=Range(fail=(0.0, 100.0)))
    _, problems = parse_rules(BATTERY.replace(old, new), "rules.yaml", catalogue)
    matching = [problem for problem in problems if words in problem.message]
    assert matching, problems
    assert matching[0].severity is Severity.ERROR
    assert matching[0].remedy


def test_the_remedy_turns_the_list_round() -> None:
    _, problems = parse_rules(BATTERY.replace("value: 10 %", "value: 30 %"), "rules.yaml", powered())
    assert [problem.remedy for problem in problems] == ["List the levels from high to low."]


@pytest.mark.parametrize(
    ("ranging", "level", "said"),
    [
        (
            Ranging(zero_elevation=5.0, blanking=0.5, max_range=6.0),
            -2.0,
            "the sensor sees no lower than -1 m",
        ),
        (
            Ranging(zero_elevation=0.0, blanking=0.0, max_range=6.0, measures="depth"),
            -2.0,
            "the sensor sees no lower than 0 m",
        ),
        (Ranging(zero_elevation=5.0, blanking=0.5, max_range=8.0), -2.0, ""),
    ],
)
def test_a_level_under_what_the_sensor_sees_is_refused(ranging: Ranging, level: float, said: str) -> None:
    text = ABOVE.replace("kind: threshold", "kind: threshold\n    direction: below").replace(
        "below: 0", "above: 0"
    )
    levels = f"levels: [{{ name: low, value: {level}, severity: Minor }}]"
    text = text[: text.index("levels:")] + levels + "\n    " + text[text.index("confirm:") :]
    station = city().stations[0]
    gauge = station.datastreams[0].model_copy(update={"ranging": ranging})
    catalogue = Catalogue(stations=(station.model_copy(update={"datastreams": (gauge,)}),), routes=())
    _, problems = parse_rules(text, "rules.yaml", catalogue)
    assert [said in problem.message for problem in problems] == ([True] if said else [])


def test_a_rule_that_looks_for_high_values_keeps_its_version() -> None:
    written = ABOVE.replace("kind: threshold", "kind: threshold\n    direction: above")
    assert rules(written)[0].versions == rules(ABOVE)[0].versions
    assert rules(BELOW)[0].versions != rules(ABOVE)[0].versions
