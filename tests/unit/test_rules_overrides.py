"""What a rule says differently at some stations, and how it selects stations by what they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.model import EventKind
from alerts.rules.book import Rule, load_rules, parse_rules
from ingest.catalog import Catalogue
from ingest.config_model import Text
from tests.property.engine_world import MINUTE, START, Player, Row, city, rules

RULE = """\
rules:
  - id: level
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { property: water_level }
    levels:
      - { name: low, value: 1.0 m, severity: Minor }
      - { name: high, value: 2.0 m, severity: Severe }
    clear: { below: 0.10 m, hold: 30min }
"""
OVERRIDE = """\
    overrides:
      - stations: [R2, R3]
        clear: { below: 0.20 m }
      - stations: [R4]
        levels:
          - { name: low, value: null }
"""


def plans(text: str) -> dict[str, tuple[str, dict[str, float]]]:
    """Station -> its target's version, and the level's clear values."""
    return {
        target.station.id: (version, {band.name: band.clear_at for band in plan.bands})
        for rule in rules(text)
        for (target, plan), version in zip(rule.plans, rule.versions, strict=True)
    }


def said(text: str, catalogue: Catalogue | None = None) -> list[str]:
    return [str(problem) for problem in parse_rules(text, "rules.yaml", catalogue or city())[1]]


def test_an_override_is_merged_over_the_rule_for_its_stations() -> None:
    found = {station: levels for station, (_, levels) in plans(RULE + OVERRIDE).items()}
    assert found == {
        "R1": {"low": 0.9, "high": 1.9},
        "R2": {"low": 0.8, "high": 1.8},
        "R3": {"low": 0.8, "high": 1.8},
        "R4": {"high": 1.9},
    }


def test_a_level_that_is_taken_away_leaves_its_rank_free() -> None:
    *_, last = rules(RULE + OVERRIDE)
    assert [(band.rank, band.name) for band in last.plans[0][1].bands] == [(2, "high")]


def test_a_version_depends_on_what_decides_for_its_own_target() -> None:
    plain, with_overrides = plans(RULE), plans(RULE + OVERRIDE)
    assert with_overrides["R1"] == plain["R1"]
    changed = {station for station in plain if plain[station][0] != with_overrides[station][0]}
    assert changed == {"R2", "R3", "R4"}
    written = RULE.replace("below: 0.10 m", "below: 0.20 m")
    assert plans(written)["R2"] == with_overrides["R2"]  # however it came to be said


def test_one_rule_with_overrides_is_loaded_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE + OVERRIDE, encoding="utf-8")
    assert [rule.id for rule in load_rules(tmp_path, city())] == ["level"] * 3


def test_an_alert_survives_that_its_station_gets_an_override() -> None:
    player = Player(rules(RULE))
    for place in range(2):
        time = START + place * 5 * MINUTE
        player.play([Row(20, time, 1.95, 1, time)])
    player.restart(rules(RULE + OVERRIDE))
    time = START + 10 * MINUTE
    player.play([Row(20, time, 1.95, 1, time)])
    assert [event.kind for event in player.store.events] == [EventKind.RAISED]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("[R2, R3]", "[R2, R9]", 11, "There is no station 'R9'"),
        ("[R4]", "[R3]", 13, "R3 is overridden twice"),
        ("below: 0.20 m }", "below: 0.20 m }\n        kind: rate", 13, "cannot change `kind`"),
        ("below: 0.20 m", "below: -0.20 m", 12, "above the"),
        ("below: 0.20 m", "blow: 0.20 m", 12, "`blow` is not known here"),
        ("name: low, value: null", "name: lou, value: null", 15, "no level 'lou' to override"),
        ("value: null", "value: 3 m", 14, "high (2) is not above low (3 m) at R4"),
    ],
)
def test_a_problem_of_an_override_has_its_own_line(old: str, new: str, line: int, words: str) -> None:
    assert old in OVERRIDE
    problems = parse_rules(RULE + OVERRIDE.replace(old, new), "rules.yaml", city())[1]
    lines = {problem.line for problem in problems if words in problem.message}
    assert lines == {line}, problems


def test_a_station_that_the_rule_does_not_select_cannot_be_overridden() -> None:
    text = (RULE + OVERRIDE).replace("property: water_level", "stations: [R1, R2, R3]")
    assert any("does not select R4" in problem for problem in said(text))


def by_the_river() -> Catalogue:
    """R1 and R2 on the Hương, R2 in a ward and with a tag."""
    one, two, *others = city().stations
    river, ward = Text(vi="sông Hương", en="Huong River"), Text(vi="phường Vỹ Dạ", en="Vy Da")
    two = two.model_copy(update={"river": river, "ward": ward, "tags": ("school",)})
    return Catalogue(stations=(one.model_copy(update={"river": river}), two, *others), routes=())


def watched(select: str) -> list[str]:
    text = RULE.replace("property: water_level", f"property: water_level, {select}")
    found, problems = parse_rules(text, "rules.yaml", by_the_river())
    assert problems == []
    rule: Rule = found[0]
    return [target.station.id for target, _ in rule.plans]


@pytest.mark.parametrize(
    ("select", "stations"),
    [
        ("rivers: [sông Hương]", ["R1", "R2"]),
        ("rivers: [Huong River]", ["R1", "R2"]),
        ("wards: [Vy Da]", ["R2"]),
        ("tags: [school]", ["R2"]),
        ("rivers: [sông Hương], stations: [R1, R3]", ["R1"]),
    ],
)
def test_stations_are_selected_by_what_they_have(select: str, stations: list[str]) -> None:
    assert watched(select) == stations


@pytest.mark.parametrize(
    ("select", "remedy"),
    [
        ("rivers: [sông Hưong]", "Write `sông Hương` instead."),
        ("wards: [Vy Dạ]", "Write `Vy Da` instead."),
        ("tags: [shcool]", "Write `school` instead."),
        ("tags: [x]", "Write a tag of the catalogue, such as school."),
    ],
)
def test_a_name_that_nobody_has_is_refused_with_the_nearest(select: str, remedy: str) -> None:
    text = RULE.replace("property: water_level", f"property: water_level, {select}")
    problems = parse_rules(text, "rules.yaml", by_the_river())[1]
    assert [problem.remedy for problem in problems if "There is no" in problem.message] == [remedy]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("remind: { every: 3h, levels: { hihg: 1h } }", "no level 'hihg'. Remedy: Write `high` instead."),
        ("escalate: [{ level: lo, after: 1h, severity: Severe }]", "no level 'lo'. Remedy: Write `low`"),
        ("escalate: [{ level: high, after: 1h, severity: Moderate }]", "Moderate is no escalation"),
        (
            "escalate: [{ level: low, after: 1h, severity: Severe }, "
            "{ level: low, after: 2h, severity: Severe }]",
            "low escalates twice",
        ),
        ("active: { hours: '06:00-06:00' }", "would never hold"),
        ("active: {}", "needs `months`, `hours` or both"),
    ],
)
def test_what_cannot_be_meant_of_alerts_that_stand_is_refused(settings: str, words: str) -> None:
    assert any(words in problem for problem in said(f"{RULE}    {settings}\n"))
