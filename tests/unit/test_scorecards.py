"""The scorecards in docs/ are what the shipped rules come to."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.histories import ROOT, real_file

DETECTION = (ROOT / "docs" / "detection.md").read_text(encoding="utf-8")
DRY_MONTH = (ROOT / "docs" / "dry-month.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("scorecards", ROOT / "scripts" / "write_scorecards.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section(page: str, name: str) -> str:
    found = re.search(f"<!-- {name} -->\n(.*?)\n<!-- end -->", page, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("name", ["levels", "rates", "sea"])
def test_the_tables_of_real_series_are_true(name: str, script: Any) -> None:
    for stem in (*script.FLOODS, script.SEA):
        real_file(stem)
    assert section(DETECTION, name) == getattr(script, name)(), "run scripts/write_scorecards.py"


def test_the_table_of_the_flood_of_2025_is_true(script: Any) -> None:
    assert section(DETECTION, "flood") == script.flood(), "run scripts/write_scorecards.py"


def test_the_pictures_that_are_shown_are_there(script: Any) -> None:
    for file in re.findall(r"\]\((floods/[^)]+)\)", section(DETECTION, "pictures")):
        assert (Path(ROOT / "docs") / file).is_file()


def test_a_dry_month_says_nothing_but_of_outages(script: Any) -> None:
    """The scenario's own seed; the other columns of the page come from three more."""
    table, outages = script.dry(script.SEEDS[:1])
    rows = dict(re.findall(r"^\| `([^`]+)` \| (\d+) \|", table, re.MULTILINE))
    shown = dict(re.findall(r"^\| `([^`]+)` \| (\d+) \|", section(DRY_MONTH, "dry"), re.MULTILINE))
    assert rows == shown, "run scripts/write_scorecards.py"
    assert {rule for rule, count in rows.items() if count != "0"} == {"silence", "frame-loss"}
    assert outages == section(DRY_MONTH, "outages").splitlines()[0]
    deserved, told = re.findall(r"(\d+) (?:outages|silences)", outages)
    assert deserved == told
