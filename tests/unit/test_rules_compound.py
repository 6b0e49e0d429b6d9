"""Compounds: what is refused, and what a silent member does to them."""

from __future__ import annotations

import pytest

from alerts.rules.book import read_rules
from tests.property.engine_world import MINUTE, START, Player, Row, Tick, city, rules
from tests.property.test_engine_together import TOGETHER

BOTH = TOGETHER.replace("confirm: { samples: 3, neighbours: true }", "confirm: { samples: 1 }")
R1, R2, R3 = 10, 20, 30


def row(number: int, minute: int, value: float) -> Row:
    time = START + minute * MINUTE
    return Row(number, time, value, 1, time)


def tick(minute: int) -> Tick:
    return Tick(START + minute * MINUTE, START)


def told(player: Player) -> list[tuple[str, str]]:
    return [(event.kind.value, event.level_name) for event in player.store.events if event.rule == "several"]


def play(*items: Row | Tick) -> Player:
    player = Player(rules(BOTH))
    for item in items:
        player.play([item])
    return player


def test_enough_members_raise_it() -> None:
    player = play(row(R1, 0, 0.5), row(R2, 0, 2.1), row(R3, 0, 0.5), row(R1, 5, 1.2))
    assert told(player) == [("raised", "several")]
    assert player.store.events[-1].reason == "2/2: R1/water_level I, R2/water_level II"


def test_a_silent_member_that_could_make_the_difference_makes_it_unknown() -> None:
    player = play(row(R1, 0, 0.5), row(R2, 25, 2.1), row(R3, 25, 0.5), tick(31))
    assert told(player) == [("raised", "unknown")]
    assert "? R1/water_level I" in player.store.events[-1].reason


def test_a_silent_member_that_makes_no_difference_says_nothing() -> None:
    assert told(play(row(R1, 0, 0.5), row(R2, 25, 0.5), row(R3, 25, 0.5), tick(31))) == []


def test_what_was_unknown_ends_when_the_member_speaks() -> None:
    player = play(row(R1, 0, 0.5), row(R2, 25, 2.1), row(R3, 25, 0.5), tick(31))
    for minute in range(35, 70, 5):
        player.play([row(R1, minute, 0.5), row(R2, minute, 2.1), row(R3, minute, 0.5)])
    assert told(player) == [("raised", "unknown"), ("cleared", "")]


def test_a_silent_member_never_ends_it() -> None:
    player = play(row(R1, 0, 1.2), row(R2, 0, 2.1), row(R3, 0, 0.5))
    for minute in range(5, 120, 5):
        player.play([row(R3, minute, 0.5), tick(minute)])
    assert told(player) == [("raised", "several")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("rule: levle, target: R1/water_level", "There is no rule 'levle'"),
        ("rule: level, target: R9/water_level", "does not watch R9/water_level"),
        ("rule: level, target: R1/water_level, level: IIII", "has no level 'IIII' at R1/water_level"),
        ("rule: several, target: R1/water_level", "cannot be its own member"),
    ],
)
def test_a_member_that_nobody_judges_is_refused_with_its_place(wrong: str, said: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = BOTH.replace("rule: level, target: R1/water_level }", wrong + " }")
    (tmp_path / "rules.yaml").write_text(text, encoding="utf-8")
    _, problems = read_rules(tmp_path, city())
    found = [problem for problem in problems if said in problem.message]
    assert found
    line = text.splitlines()[found[0].line - 1] if found[0].line else ""
    assert wrong in line


def test_more_members_than_there_are_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "rules.yaml").write_text(BOTH.replace("at_least: 2", "at_least: 4"), encoding="utf-8")
    _, problems = read_rules(tmp_path, city())
    assert any("can never be" in problem.message for problem in problems)
