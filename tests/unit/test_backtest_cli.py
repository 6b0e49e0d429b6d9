"""`huewatch backtest` as it is typed: its scorecard, its gate for CI, its files and its refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import huewatch
from ingest.catalog import load_catalogue
from ingest.model import Nature
from simulators.history import write_history
from simulators.plan import make_plan
from simulators.scenario import load_scenario
from tests.support.histories import CONFIG

MAIN = ("HUE-WL-KIMLONG", "HUE-WL-PHUOC")


@pytest.fixture(scope="module")
def flood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flood of October 2025 at the two main stations."""
    scenario = load_scenario("flood-2025-10")
    plan = make_plan(scenario, load_catalogue(CONFIG / "catalog", Nature.EXERCISE), scenario.seed, MAIN)
    return write_history(plan, scenario.seed, tmp_path_factory.mktemp("flood"))[0]


def backtest(*words: str | Path) -> Result:
    return CliRunner().invoke(huewatch.app, ["backtest", *map(str, words)])


def changed(folder: Path, old: str, new: str) -> Path:
    """The shipped rules with one line of rivers.yaml changed."""
    shutil.copytree(CONFIG / "rules", folder)
    file = folder / "rivers.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_the_flood_of_october_2025_is_told_in_time(flood: Path, tmp_path: Path) -> None:
    found = backtest("--csv", flood, "--json", tmp_path / "found.json")
    assert found.exit_code == 0, found.output
    assert "Scorecard of the rules in force" in found.output
    said = json.loads((tmp_path / "found.json").read_text())
    level, rate = (
        next(one for one in said["rules"] if one["rule"] == rule) for rule in ("river-level", "river-rate")
    )
    crossings = [(one["datastream"], one["level"], one["hit"]) for one in level["crossings"]]
    assert crossings == [
        *(("HUE-WL-KIMLONG/water_level", name, True) for name in ("BĐ I", "BĐ II", "BĐ III")),
        *(("HUE-WL-PHUOC/water_level", name, True) for name in ("BĐ I", "BĐ II", "BĐ III", "BĐ III")),
    ]
    assert (level["false_alarms"], level["flaps_per_week"]) == (0, 0)
    assert level["lead_least"] >= -10 * 60  # the second sample after it
    assert rate["lead_least"] >= 30 * 60  # it speaks before every level that it foretells
    assert said["missed"] == []


def test_a_change_that_misses_what_is_told_today_fails_ci(flood: Path, tmp_path: Path) -> None:
    slow = changed(
        tmp_path / "slow", "confirm: { samples: 2, at_once_above: 10min }", "confirm: { samples: 10 }"
    )
    found = backtest("--rules", slow, "--csv", flood)
    assert found.exit_code == 3
    said = " ".join(found.output.split())
    assert "This change would have missed BĐ III of Kim Long on 27 October 2025" in said
    assert "difference to the rules in force" in said


def test_labelled_events_are_the_truth_of_a_gate(flood: Path, tmp_path: Path) -> None:
    """Only what people say happened counts: BĐ III of Kim Long, which a rule without it misses."""
    truth = tmp_path / "truth.yaml"
    truth.write_text(
        "events:\n"
        "  - { datastream: HUE-WL-KIMLONG/water_level, level: BĐ III, at: 2025-10-27T06:14:00+07:00 }\n"
        "  - { datastream: HUE-WL-PHUOC/water_level, level: BĐ III, at: 2025-10-27T06:48:00+07:00 }\n",
        encoding="utf-8",
    )
    rules = changed(
        tmp_path / "rules", "samples: 2, at_once_above: 10min", "samples: 10, at_once_above: 10min"
    )
    found = backtest("--rules", rules, "--csv", flood, "--truth", truth, "--json", tmp_path / "found.json")
    assert found.exit_code == 3
    missed = json.loads((tmp_path / "found.json").read_text())["missed"]
    assert [(one["datastream"], one["level"]) for one in missed] == [
        ("HUE-WL-KIMLONG/water_level", "BĐ III"),
        ("HUE-WL-PHUOC/water_level", "BĐ III"),
    ]


def test_a_change_that_tells_sooner_passes(flood: Path, tmp_path: Path) -> None:
    quick = changed(
        tmp_path / "quick", "samples: 2, at_once_above: 10min", "samples: 1, at_once_above: 10min"
    )
    assert backtest("--rules", quick, "--csv", flood).exit_code == 0


def test_the_hydrograph_is_drawn_with_its_words_as_text(flood: Path, tmp_path: Path) -> None:
    found = backtest("--csv", flood, "--draw", tmp_path / "drawn")
    assert found.exit_code == 0, found.output
    (picture,) = (tmp_path / "drawn").glob("HUE-WL-KIMLONG-*.svg")
    text = picture.read_text(encoding="utf-8")
    for words in ("Kim Long", "BĐ III", "mực nước / water level", "DIỄN TẬP", "UTC+07:00"):
        assert words in text
    again = backtest("--csv", flood, "--draw", tmp_path / "again")
    assert again.exit_code == 0
    assert (tmp_path / "again" / picture.name).read_text(encoding="utf-8") == text


def test_no_rule_that_matches_is_a_failure_that_says_why(flood: Path, tmp_path: Path) -> None:
    rules = tmp_path / "streets"
    rules.mkdir()
    shutil.copy(CONFIG / "rules" / "streets.yaml", rules)
    found = backtest("--rules", rules, "--against", rules, "--csv", flood)
    assert found.exit_code == 1
    assert "No rule matches: the history has" in " ".join(found.output.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Give either --csv, or --from and --to."),
        (("--csv", "FLOOD", "--from", "2025-10-25T00:00Z"), "Give either --csv, or --from and --to."),
        (("--csv", "missing.csv"), "Nothing says what its columns are."),
        (("--from", "yesterday", "--to", "2025-10-25T00:00Z"), "HUEWATCH_DATABASE_URL is not set"),
    ],
)
def test_what_cannot_be_played_is_refused(
    words: tuple[str, ...], said: str, flood: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUEWATCH_DATABASE_URL", raising=False)
    found = backtest(*(str(flood) if word == "FLOOD" else word for word in words))
    assert found.exit_code == 1
    assert said in " ".join(found.output.split())
