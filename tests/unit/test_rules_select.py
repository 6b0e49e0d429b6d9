"""Which datastreams a rule looks at: measured ones by default, derived ones by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.rules.book import Rule, parse_rules, read_rules
from ingest.catalog import Catalogue, Station
from ingest.model import Nature
from ingest.yaml_lines import Problem
from tests.property.derive_world import derived, station, stream
from tests.property.engine_world import rules

SILENCE = """\
rules:
  - id: silence
    kind: silence
    title: { vi: Im lặng, en: Silence }
    select: {}
    after: { cadences: 4, at_least: 30min }
    level: { name: silent, severity: Minor }
"""
LOSS = """\
rules:
  - id: loss
    kind: threshold
    title: { vi: Mất gói, en: Loss }
    select: { property: result }
    levels: [{ name: lost, value: 20 %, severity: Minor }]
    clear: { below: 5 %, hold: 1h }
"""


def device(nature: Nature = Nature.ACTUAL) -> Catalogue:
    """One LoRaWAN device with a counter and its loss, named `result`."""
    loss = derived("%", "10min", kind="frame_loss", of="f_cnt")
    found = station([stream("f_cnt", "1", "10min"), stream("battery", "%", "10min")], loss)
    return Catalogue(stations=(found.model_copy(update={"nature": nature}),), routes=())


def read(text: str, catalogue: Catalogue) -> tuple[list[Rule], list[Problem]]:
    return parse_rules(text, "rules.yaml", catalogue)


def watched(select: str) -> list[str]:
    found, problems = read(SILENCE.replace("select: {}", f"select: {select}"), device())
    assert problems == []
    return [target.key.partition("/")[2] for target, _ in found[0].plans]


def test_derived_datastreams_are_watched_only_by_their_property() -> None:
    assert watched("{}") == ["f_cnt", "battery"]
    assert watched("{ kind: rain }") == ["f_cnt", "battery"]
    assert watched("{ property: result }") == ["result"]


def test_properties_can_be_left_out() -> None:
    assert watched("{ other_than: [battery, tilt] }") == ["f_cnt"]


def test_a_rule_may_wait_for_the_first_sensor_of_its_kind() -> None:
    text = LOSS.replace("property: result", "property: tilt")
    assert any("No datastream measures 'tilt'" in one.message for one in read(text, device())[1])
    found, problems = read(text.replace("tilt", "tilt, if_any: true"), device())
    assert (problems, found[0].plans) == ([], ())


def test_a_derived_property_that_nobody_has_is_named() -> None:
    _, problems = read(LOSS.replace("property: result", "property: resutl"), device())
    assert [one.remedy for one in problems if "No datastream" in one.message] == ["Write `result` instead."]


def test_a_rule_takes_the_number_of_a_derived_datastream() -> None:
    (rule,) = read(LOSS, device())[0]
    (target, plan) = rule.numbered({"HUE-XX-TEST/result": 7}).plans[0]
    assert (target.number, target.derived, plan.unit) == (7, True, "%")
    with pytest.raises(KeyError):
        rule.numbered({"HUE-XX-TEST/f_cnt": 7})


def test_the_slow_reference_watches_what_it_watched() -> None:
    assert [len(rule.plans) for rule in rules()] == [4, 2, 4, 4, 4, 3, 4]


def river(surveyed: bool) -> Station:
    """A gauge with the margin to its level, named `result`, that a rule may watch."""
    level = stream("water_level", "m", "10min", levels=[{"name": "BĐ I", "value": 1.0}])
    level["installations"] = [{"datum": "Hòn Dấu", "surveyed": surveyed, "by": "Đội đo đạc"}]
    margin = derived("m", "10min", kind="margin", of="water_level", level="BĐ I")
    found = station([level], margin)
    return found.model_copy(update={"kind": "river", "datum": "Hòn Dấu"})


@pytest.mark.parametrize(("surveyed", "refused"), [(True, 0), (False, 1)])
def test_a_margin_is_as_good_as_the_zero_of_its_height(tmp_path: Path, surveyed: bool, refused: int) -> None:
    text = LOSS.replace("20 %", "0.1 m").replace("5 %", "0.1 m")
    (tmp_path / "rules.yaml").write_text(text, encoding="utf-8")
    _, problems = read_rules(tmp_path, Catalogue(stations=(river(surveyed),), routes=()))
    assert len([one for one in problems if "chưa quy chiếu" in one.message]) == refused
