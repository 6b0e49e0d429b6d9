"""The real series that lie beside a checkout: read them, or skip the test that needs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alerts.history import History, read_history

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
FOLDER = Path(os.environ.get("HUEWATCH_TEST_HISTORIES") or ROOT.parent / "shared" / "data")


def real_file(stem: str) -> Path:
    """The CSV of that name; the test is skipped where it is not."""
    file = FOLDER / f"{stem}.csv"
    if not file.exists():
        pytest.skip(f"needs {file.name} in the folder that HUEWATCH_TEST_HISTORIES names")
    return file


def real_history(stem: str) -> History:
    """Its readings, by the description that ships with Huewatch."""
    return read_history(real_file(stem), CONFIG)
