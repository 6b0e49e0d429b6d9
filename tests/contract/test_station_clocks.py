"""Clocks that are wrong by less than a message shows are found over days."""

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import huewatch
from ingest.clock import system_clock
from ingest.model import Intake
from ingest.store import connect
from ingest.store.read import clock_lags
from tests.support.databases import Database
from tests.support.store import MINUTE, SECOND, claimed, commit, intake_of, prepare, says

HOUR = 60 * MINUTE


def arriving(intake: Intake, *seconds: float) -> Intake:
    """Each reading that many seconds after its own time."""
    rows = intake.observations
    late = (np.array(seconds) * SECOND).astype(np.int64)
    return replace(intake, observations=replace(rows, received_at=rows.time + late))


@pytest.mark.every_database
def test_offset_and_drift_are_told_from_a_backlog(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, ahead, drifting, *_ = prepare(database.url)
    begin = system_clock().now() - 24 * HOUR
    hours = range(24)
    readings = [(series, begin + hour * HOUR, 1.0) for series in (sound, ahead, drifting) for hour in hours]
    lags = [2.0 if hour < 12 else 7_200.0 for hour in hours]  # half of it came after an outage
    lags += [-40.0] * 24
    lags += [1.0 + hour * 20 / 24 for hour in hours]  # 20 s a day
    writer = claimed(database.url)
    commit(writer, arriving(says(*readings), *lags))
    writer.close()
    with connect(database.url, application_name="test") as connection:
        found = clock_lags(connection, begin - HOUR)
    assert [round(lag.least) for lag in found.values()] == [2, -40, 1]
    assert [round(lag.drift) for lag in found.values()] == [0, 0, 20]
    assert found["station-0/level"].median > 1_000
    monkeypatch.setenv("HUEWATCH_DATABASE_URL", database.url)
    shown = CliRunner().invoke(huewatch.app, ["station", "clocks", "--since", "3d"])
    assert shown.exit_code == 1
    assert "3 datastreams with a clock of their own, 2 to look at." in shown.output


def test_time_of_arrival_says_nothing_of_a_clock(plain_database: Database) -> None:
    series, *_ = prepare(plain_database.url)
    writer = claimed(plain_database.url)
    commit(writer, intake_of())
    commit(writer, says((series, None, 1.0)))
    writer.close()
    with connect(plain_database.url, application_name="test") as connection:
        assert clock_lags(connection, 0) == {}
