"""What the rule book refuses, and how it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alerts.model import EventKind
from alerts.rule_test import trace
from alerts.rules.book import load_rules, parse_rules, read_rules, rules_schema
from alerts.rules.quantity import parse_quantity
from ingest.catalog import Catalogue, Datastream, Level, Ranging, load_catalogue
from ingest.quality_settings import Range
from ingest.yaml_lines import ConfigError, Severity
from tests.property.engine_world import city

CONFIG = Path(__file__).parents[2] / "config"

RULE = """\
rules:
  - id: level
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { property: water_level }
    levels: catalogue
    severities: { I: Minor, II: Moderate, III: Severe }
    clear: { below: 0.10 m, hold: 30min }
"""


def changed(old: str, new: str) -> str:
    assert old in RULE
    return RULE.replace(old, new)


def gauge(**changes: object) -> Catalogue:
    """A city of one gauge with other settings."""
    station = city().stations[0]
    datastream = station.datastreams[0].model_copy(update=changes)
    return Catalogue(stations=(station.model_copy(update={"datastreams": (datastream,)}),), routes=())


def said(text: str, catalogue: Catalogue | None = None) -> list[str]:
    _, problems = parse_rules(text, "rules.yaml", catalogue or city())
    return [str(problem) for problem in problems]


def test_the_shipped_rules_have_no_problem_and_watch_something() -> None:
    rules, problems = read_rules(CONFIG / "rules", load_catalogue(CONFIG / "catalog"))
    assert problems == []
    watched = {rule.id: len(rule.plans) for rule in rules if not rule.settings.select.if_any}
    assert set(watched) >= {"river-level", "river-rate", "street-depth", "reservoir-level", "silence"}
    assert min(watched.values()) >= 3


def test_the_shipped_rules_of_health_watch_every_lorawan_device_and_gateway() -> None:
    catalogue = load_catalogue(CONFIG / "catalog")
    lorawan = {
        station.id for _, station, stream in catalogue.datastreams() if stream.source.channel == "f_cnt"
    }
    rules = {rule.id: rule for rule in load_rules(CONFIG / "rules", catalogue)}
    for name in ("battery-days-left", "frame-loss", "single-gateway"):
        assert {target.station.id for target, _ in rules[name].plans} == lorawan
    batteries = (*rules["battery-low"].plans, *rules["battery-voltage-low"].plans)
    assert {target.station.id for target, _ in batteries} == lorawan
    waiting = {rule.id for rule in rules.values() if not rule.plans and "health" in rule.place.file}
    assert waiting == {"sensor-tilted", "gateway-silent"}  # no shipped device tells of them


def test_one_silence_of_a_device_is_told_once() -> None:
    rules = {rule.id: rule for rule in load_rules(CONFIG / "rules", load_catalogue(CONFIG / "catalog"))}
    devices = [target.datastream.source for target, _ in rules["silence"].plans]
    radio = [(source.gateway, source.device) for source in devices if source.channel == "distance"]
    assert len(radio) == len(set(radio)) == 5
    health = {target.datastream.name for target, _ in rules["silence"].plans}
    assert health.isdisjoint({"battery", "battery_voltage", "rssi", "snr", "gateways", "f_cnt"})


def test_the_shipped_rules_wait_for_a_tilted_sensor_and_a_silent_gateway() -> None:
    source = city().stations[0].datastreams[0].source
    streams = tuple(
        Datastream(name=name, property=name, unit="1", cadence=cadence, source=source)
        for name, cadence in (("tilt", 300.0), ("gateway_frames", 30.0))
    )
    station = city().stations[0].model_copy(update={"datastreams": streams})
    rules, problems = read_rules(CONFIG / "rules", Catalogue(stations=(station,), routes=()))
    found = {rule.id: [target.datastream.name for target, _ in rule.plans] for rule in rules}
    assert (found["sensor-tilted"], found["gateway-silent"]) == (["tilt"], ["gateway_frames"])
    assert not [one for one in problems if "health.yaml" in str(one)]
    by_id = {rule.id: rule for rule in rules}
    told = [event.kind for step in trace(by_id["sensor-tilted"], "0 1 1 0 0@1h") for event in step.events]
    assert told == [EventKind.RAISED, EventKind.CLEARED]
    silence = trace(by_id["gateway-silent"], "3 @9min @2min 4")
    assert [event.level_name for step in silence for event in step.events] == ["Trạm thu im lặng", ""]


def test_the_shipped_river_levels_are_those_of_the_decree() -> None:
    rules = {rule.id: rule for rule in load_rules(CONFIG / "rules", load_catalogue(CONFIG / "catalog"))}
    levels = {
        target.station.id: {band.name: (band.raise_at, band.severity.value) for band in plan.bands}
        for target, plan in rules["river-level"].plans
    }
    kim_long = list(levels["HUE-WL-KIMLONG"].items())
    assert kim_long[:3] == [
        ("BĐ I", (1.0, "Minor")),
        ("BĐ II", (2.0, "Moderate")),
        ("BĐ III", (3.5, "Severe")),
    ]
    assert (kim_long[3], kim_long[-1][0]) == (("BĐ III +0,5 m", (4.0, "Extreme")), "BĐ III +5,5 m")
    assert levels["HUE-WL-PHUOC"]["BĐ III"] == (4.5, "Severe")
    assert set(levels["HUE-WL-THNHAT"]) == {"BĐ II"}  # the others are not published
    assert "HUE-WL-PHBINH" not in levels


def test_the_committed_schema_is_the_models() -> None:
    committed = json.loads((CONFIG / "rules.schema.json").read_text(encoding="utf-8"))
    assert committed == rules_schema(), "run scripts/write_schemas.py"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("kind: threshold", "kind: treshold", 3, "no rule kind 'treshold'"),
        ("kind: threshold", "kind: [a]", 3, "no rule kind"),
        ("property: water_level", "property: water_levle", 5, "No datastream measures 'water_levle'"),
        ("property: water_level", "stations: [R1, R9]", 5, "There is no station 'R9'"),
        ("30min", "30", 8, "a duration needs its unit"),
        ("30min", "1min", 8, "shorter than the"),
        ("0.10 m", "-0.10 m", 8, "above the"),
        ("0.10 m", "0.10 pH", 2, "cannot be compared with a series in m"),
        ("0.10 m", "1.60 m", 8, "overlap"),
        ("0.10 m", "true", 8, "is not a quantity"),
        ("30min", "30h", 2, "are kept"),
        ("III: Severe", "IV: Severe", 2, "no severity is given for the level 'III'"),
        ("Minor", "Tiny", 7, "`I`: Input should be"),
        ("levels: catalogue", "levels: catalog", 6, "Input should be 'catalogue'"),
        ("levels: catalogue", "levels: catalogue\n    conform: {}", 7, "`conform` is not known here"),
    ],
)
def test_an_impossible_rule_is_refused_with_line_and_remedy(
    old: str, new: str, line: int, words: str
) -> None:
    _, problems = parse_rules(changed(old, new), "rules.yaml", city())
    matching = [problem for problem in problems if words in problem.message]
    assert matching, problems
    assert matching[0].line == line
    assert matching[0].severity is Severity.ERROR
    assert matching[0].remedy


def test_a_level_above_the_gross_range_is_refused() -> None:
    problems = said(RULE, gauge(gross_range=Range(fail=(-1.0, 3.0))))
    assert len(problems) == 1
    assert (
        "III (3.5 m) of R1/water_level can never be reached: the gross range fails values above 3 m"
        in problems[0]
    )


def test_a_level_above_what_the_sensor_sees_is_refused() -> None:
    blind = Ranging(zero_elevation=3.6, blanking=0.3, max_range=8.0)
    problems = said(RULE, gauge(ranging=blind))
    assert len(problems) == 1
    assert "the sensor sees no higher than 3.3 m" in problems[0]
    assert said(RULE, gauge(ranging=blind.model_copy(update={"zero_elevation": 3.8}))) == []  # just reached


def test_levels_out_of_order_are_refused() -> None:
    levels = (Level(name="I", value=2.0, rank=1), Level(name="II", value=1.0, rank=2))
    assert any("is not above" in problem for problem in said(RULE, gauge(levels=levels)))


def test_a_rule_that_watches_nothing_is_a_warning() -> None:
    _, problems = parse_rules(RULE, "rules.yaml", gauge(levels=()))
    assert [problem.severity for problem in problems] == [Severity.WARNING]


def test_an_id_used_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(RULE, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_rules(tmp_path, city())
    assert "'level' is also in" in str(caught.value)
    assert "b.yaml:2" in str(caught.value)


def test_the_name_of_alerts_about_ourselves_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(changed("id: level", "id: huewatch-self"), encoding="utf-8")
    with pytest.raises(ConfigError, match="huewatch-self"):
        load_rules(tmp_path, city())


def test_the_version_follows_the_levels_of_its_own_target_and_no_words() -> None:
    def versions(text: str, catalogue: Catalogue | None = None) -> tuple[str, ...]:
        return parse_rules(text, "rules.yaml", catalogue or city())[0][0].versions

    first = versions(RULE)
    assert versions(changed("en: Level", "en: Stage")) == first
    assert versions(changed("hold: 30min", "hold: 40min"))[0] != first[0]
    raised = tuple(
        station
        if station.id != "R1"
        else station.model_copy(update={"datastreams": (_higher(station.datastreams[0]),)})
        for station in city().stations
    )
    after = versions(RULE, Catalogue(stations=raised, routes=()))
    assert after[0] != first[0]
    assert after[1:] == first[1:]


def _higher(datastream: Datastream) -> Datastream:
    return datastream.model_copy(
        update={"levels": (Level(name="I", value=1.1, rank=1), *datastream.levels[1:])}
    )


@pytest.mark.parametrize(
    ("written", "unit", "value"),
    [
        ("0.10 m", "m", 0.10),
        ("8 cm", "m", 0.08),
        ("150mm", "cm", 15.0),
        (0.2, "m", 0.2),
        ("5 µg/m³", "µg/m³", 5.0),
    ],
)
def test_a_quantity_is_read_in_the_series_unit(written: object, unit: str, value: float) -> None:
    assert parse_quantity(written).in_unit(unit) == value


@pytest.mark.parametrize(("written", "value"), [("15 cm/h", 0.15), ("1 mm/min", 0.06), ("0.25 m/h", 0.25)])
def test_a_rate_is_read_per_hour(written: str, value: float) -> None:
    assert parse_quantity(written).per_hour("m") == value


@pytest.mark.parametrize(
    "written", ["", "m", "1..2 m", "nan", float("nan"), float("inf"), True, None, [], "1e3 m"]
)
def test_what_is_no_quantity_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(written)
