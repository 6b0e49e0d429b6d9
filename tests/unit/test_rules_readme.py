"""The worked examples of config/README.md do what they say, and no rule kind is without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alerts.rule_test import trace
from alerts.rules import KINDS
from alerts.rules.book import load_rules, parse_rules
from ingest.catalog import Catalogue, load_catalogue

ROOT = Path(__file__).parents[2]
SECTION = (
    (ROOT / "config/README.md").read_text(encoding="utf-8").split("\n## Rule kinds\n")[1].split("\n## ")[0]
)
EXAMPLES = re.findall(r"```yaml rule\n(.*?)```\n\n`([^`]+)` tells: ([^.]+)\.", SECTION, flags=re.DOTALL)


def catalogue() -> Catalogue:
    """The shipped stations, and those that timelines have for what no shipped one measures."""
    parts = [load_catalogue(folder) for folder in (ROOT / "config/catalog", ROOT / "tests/timeline/city")]
    return Catalogue(stations=tuple(one for part in parts for one in part.stations), routes=())


CATALOGUE = catalogue()


@pytest.mark.parametrize(("text", "values", "said"), EXAMPLES, ids=[text[6:12] for text, _, _ in EXAMPLES])
def test_a_worked_example_tells_what_it_says(text: str, values: str, said: str) -> None:
    written = "rules:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    (rule,), problems = parse_rules(written, "README.md", CATALOGUE)
    assert problems == []
    told = [event for step in trace(rule, values) for event in step.events]
    assert [f"{event.kind.value} {event.level_name}".strip() for event in told] == said.split(", ")


def test_every_kind_has_a_worked_example() -> None:
    assert set(re.findall(r"^  kind: (\w+)$", SECTION, flags=re.MULTILINE)) == set(KINDS)
    assert SECTION.count("```yaml rule") == len(EXAMPLES) + 1  # a compound is played by other rules' alerts


def test_the_example_of_a_compound_loads_beside_the_rules_that_it_names(tmp_path: Path) -> None:
    text = re.findall(r"### compound\n\n```yaml rule\n(.*?)```", SECTION, flags=re.DOTALL)[0]
    (tmp_path / "mine.yaml").write_text("rules:\n" + text, encoding="utf-8")
    for file in (ROOT / "config/rules").glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    assert "both-rivers" in [rule.id for rule in load_rules(tmp_path, CATALOGUE)]


def test_the_page_says_of_every_shipped_rule_what_a_dry_month_gives() -> None:
    table = SECTION.split("### What a dry month tells")[1]
    named = set(re.findall(r"`([a-z0-9-]+)`", table))
    assert named == {rule.id for rule in load_rules(ROOT / "config/rules", CATALOGUE)}
