"""`huewatch forecast STATION` over a real database: a forecast, or why there is none, and how they fared."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import huewatch
from alerts.forecast.sink import ForecastSink, gauges_of
from alerts.forecast.tracker import Tracker
from ingest.catalog import Catalogue, load_catalogue
from ingest.model import Intake, Moment, Nature
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.migrate import INGEST, migrate
from tests.support.databases import Database
from tests.support.gauges import batch_of
from tests.support.store import MINUTE, NOW, Said, claimed, intake_of

pytestmark = pytest.mark.every_database

ALERTS = ("alerts", files("alerts") / "migrations")
CONFIG = Path(__file__).parents[2] / "config"
STATION, KEY = "HUE-WL-PHUOC", "HUE-WL-PHUOC/water_level"


def city() -> Catalogue:
    return load_catalogue(CONFIG / "catalog", Nature.EXERCISE)


def fill(
    url: str, key: str, levels: np.ndarray, *, age: int = 2, quality: int = 1, sighted: bool = True
) -> None:
    """Levels every 5 minutes, the newest `age` minutes before the service's now and of that quality."""
    with connect(url, application_name="test") as connection:
        migrate(connection, [INGEST, ALERTS], Nature.EXERCISE)
        ids = register(connection, [key for key, _, _ in city().datastreams()], Nature.EXERCISE)
    times = NOW - (age + 5 * np.arange(len(levels))[::-1]) * MINUTE
    flags = [1] * (len(levels) - 1) + [quality]
    rows = batch_of(
        [
            (ids[key], int(at), float(one), flag, int(at))
            for at, one, flag in zip(times, levels, flags, strict=True)
        ]
    )
    sink = ForecastSink(Tracker(gauges_of(city(), ids)))
    writer, one = claimed(url), intake_of(Said())
    writer.rebuild([sink])
    intake = Intake(one.messages, rows, (), one.gateway, one.gateway_names, one.fate)
    writer.commit(intake, Moment(NOW, False, NOW if sighted else None), [sink], "test")
    writer.close()


def run(url: str, *words: str) -> str:
    environment = {"HUEWATCH_DATABASE_URL": url, "HUEWATCH_NATURE": "Exercise", "COLUMNS": "160"}
    result = CliRunner().invoke(huewatch.app, ["forecast", *words], env=environment)
    assert result.exit_code == 0, result.output
    return result.output


def told(url: str, station: str = STATION) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(url, station, "--json"))
    return found


def rising() -> np.ndarray:
    """Half a day of still water, then 12 hours of 15 cm/h: from 1.0 to 2.8 m, below BĐ II (3.00 m)."""
    return np.r_[np.full(144, 1.0), 1.0 + 0.15 * np.arange(145) / 12]


def test_a_rising_gauge_is_forecast_with_its_next_level_and_how_it_has_fared(database: Database) -> None:
    fill(database.url, KEY, rising())
    found = told(database.url)
    assert (found["withheld"], found["nature"], found["model"]) == (None, "Exercise", "damped-bank 1")
    assert found["notice"]["vi"] == "ngoại suy tự động, không phải bản tin KTTV"
    assert found["next_level"] == {"name": "BĐ II", "value": 3.0}
    assert found["age_s"] >= 120
    first, *_, last = found["horizons"]
    assert (first["hours"], last["hours"]) == (1, 12)
    assert first["low"] < first["expected"] < first["high"]
    assert 2.85 < first["expected"] < 3.05
    early, middle, _ = found["hours_to_next"]
    assert 0 < early <= middle < 4
    assert {one["hours"] for one in found["fared"]} == {1, 2, 3, 6}
    text = run(database.url, STATION)
    print(text)
    for part in (
        "Phú Ốc",
        "2,80 m",
        "BĐ II (3,00 m)",
        "•",
        "damped-bank 1",
        "không phải bản tin KTTV",
        "ago",
    ):
        assert part in text, part


def test_above_the_highest_level_it_counts_half_metres_and_states_no_peak(database: Database) -> None:
    fill(database.url, KEY, rising() + 2.0)
    assert told(database.url)["next_level"] == {"name": "BĐ III +0,5 m", "value": 5.0}
    assert "peak" not in run(database.url, STATION)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"age": 16}, "stale"),
        ({"quality": 3}, "suspect"),
        ({"sighted": False}, "gap"),
    ],
)
def test_a_forecast_is_withheld_and_says_why(
    database: Database, changes: dict[str, Any], reason: str
) -> None:
    fill(database.url, KEY, rising(), **changes)
    found = told(database.url)
    assert found["withheld"] == reason
    assert found["horizons"] == []
    text = run(database.url, STATION)
    assert "Không dự báo" in text
    assert "No forecast" in text
    assert "không phải bản tin KTTV" in text


def test_a_gap_in_the_last_hour_withholds(database: Database) -> None:
    levels = rising()
    fill(database.url, KEY, np.r_[levels[:-12], levels[-1]][-1:])
    assert told(database.url)["withheld"] == "gap"


def test_without_rows_there_is_no_forecast(database: Database) -> None:
    fill(database.url, KEY, rising())
    assert told(database.url, "HUE-WL-TUPHU")["withheld"] == "no_data"


def test_a_real_station_with_a_zero_that_holds_in_exercises_is_never_forecast(database: Database) -> None:
    fill(database.url, KEY, rising())
    environment = {"HUEWATCH_DATABASE_URL": database.url, "COLUMNS": "160"}
    result = CliRunner().invoke(huewatch.app, ["forecast", STATION, "--json"], env=environment)
    assert json.loads(result.output)["withheld"] == "unreferenced"


def test_a_station_that_is_not_there_is_named_with_one_that_is(database: Database) -> None:
    fill(database.url, KEY, rising()[:2])
    environment = {"HUEWATCH_DATABASE_URL": database.url, "HUEWATCH_NATURE": "Exercise"}
    result = CliRunner().invoke(huewatch.app, ["forecast", "HUE-WL-PHUOCC"], env=environment)
    assert result.exit_code == 1
    assert "HUE-WL-PHUOC" in result.output
