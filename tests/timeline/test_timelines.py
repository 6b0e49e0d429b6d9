"""Each file of `cases/` is one behaviour, of the shipped rules on the shipped catalogue where they show it.

`city/` has stations for what no shipped station measures, `rules/` rules for what no shipped rule says.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from alerts.model import Event
from alerts.rules.book import Rule, load_rules
from ingest.catalog import Catalogue, load_catalogue
from tests.property.engine_world import Item, Player
from tests.timeline.script import Case, Restart, read_case

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.txt"))


@cache
def configured(small: bool) -> tuple[Catalogue, tuple[Rule, ...], dict[str, int]]:
    catalogues = [HERE / "small/catalog"] if small else [ROOT / "config/catalog", HERE / "city"]
    books = [HERE / "small/rules"] if small else [ROOT / "config/rules", HERE / "rules"]
    stations = tuple(one for folder in catalogues for one in load_catalogue(folder).stations)
    catalogue = Catalogue(stations=stations, routes=())
    numbers = {key: place for place, (key, _, _) in enumerate(catalogue.watched())}
    rules = [rule for folder in books for rule in load_rules(folder, catalogue)]
    return catalogue, tuple(rule.numbered(numbers) for rule in rules), numbers


def load(path: Path) -> tuple[Case, list[Rule]]:
    small = "\ncity: small\n" in path.read_text(encoding="utf-8")
    catalogue, rules, numbers = configured(small)
    cadence = {key: round(stream.cadence * 1_000_000) for key, _, stream in catalogue.watched()}
    case = read_case(path, numbers, cadence)
    return case, [rule for rule in rules if rule.id in case.rules]


def play(case: Case, rules: list[Rule], together: bool) -> list[Event]:
    """One transaction for each step, or as few as ticks and restarts allow."""
    player = Player(rules)
    waiting: list[Item] = []
    for step in case.steps:
        if isinstance(step, Restart):
            if waiting:
                player.play(waiting)
            waiting = []
            player.restart()
            continue
        waiting.append(step)
        if not together or not hasattr(step, "value"):
            player.play(waiting)
            waiting = []
    if waiting:
        player.play(waiting)
    return player.store.events


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "together"])
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_timeline(path: Path, together: bool) -> None:
    case, rules = load(path)
    assert {rule.id for rule in rules} == set(case.rules)
    told = play(case, rules, together)
    said = [(event.kind.value, event.level_name, event.verified, event.learnt_late) for event in told]
    wanted = [(want.kind, want.level, want.verified, want.learnt_late) for want in case.expected]
    assert said == wanted, case.sentence
    for event, want in zip(told, case.expected, strict=True):
        assert want.target in ("", event.target), case.sentence
        assert want.first <= event.event_time <= want.last, (
            f"{case.sentence}: {event.kind} {event.level_name}"
        )


def test_there_are_enough_timelines() -> None:
    sentences = {path.read_text(encoding="utf-8").splitlines()[0] for path in CASES}
    assert len(sentences) == len(CASES) >= 60
