"""What feed, command line and start are told is what the table holds."""

import random

import numpy as np
import pytest

from ingest.clock import to_datetime
from ingest.model import Nature
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.errors import Fatal
from ingest.store.read import (
    Result,
    appraised,
    latest,
    latest_results,
    observations,
    recent,
    results,
    writer_state,
)
from tests.support.databases import Database
from tests.support.store import MINUTE, NOW, SECOND, WEEK, claimed, commit, prepare, says

pytestmark = pytest.mark.every_database


def test_latest_is_the_newest_by_its_own_time(database: Database) -> None:
    a, b, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, says((a, NOW, 2.0), (b, NOW - 5 * WEEK, 3.0)))
    commit(writer, says((a, NOW - SECOND, 1.0)))
    with connect(database.url, application_name="test") as connection:
        rows = latest(connection)
    assert [(row.key, row.nature, row.time, row.value) for row in rows] == [
        ("station-0/level", Nature.EXERCISE, NOW, 2.0),
        ("station-1/level", Nature.EXERCISE, NOW - 5 * WEEK, 3.0),
    ]
    assert (rows[0].quality, rows[0].received_at) == (1, NOW)
    writer.close()


def test_observations_are_the_newest_of_a_half_open_range_in_order(database: Database) -> None:
    a, b, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, says(*((a, NOW + i * SECOND, float(i)) for i in range(6)), (b, NOW, 9.0)))
    with connect(database.url, application_name="test") as connection:
        found = observations(connection, a, NOW + SECOND, NOW + 5 * SECOND, limit=3)
        assert [row.value for row in found] == [2.0, 3.0, 4.0]
        assert [row.time for row in found] == [NOW + i * SECOND for i in (2, 3, 4)]
    writer.close()


def test_appraised_rows_tell_clock_tests_and_what_was_revised(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, says(*((a, NOW + i * SECOND, float(i)) for i in range(1, 4)), (a, None, 9.0)))
    with connect(database.url, application_name="test") as connection:
        flag = (a, to_datetime(NOW + SECOND), 4, 0x2413, to_datetime(NOW))
        level = (to_datetime(NOW + 2 * SECOND), to_datetime(NOW), 2.5, a)
        connection.execute("INSERT INTO quality_revision VALUES (%s, %s, %s, %s, 1, %s)", flag)
        connection.execute("INSERT INTO derived VALUES (%s, %s, %s, %s, 1, 1, 1)", level)
        found = appraised(connection, a, NOW, NOW + 4 * SECOND, limit=4)
    assert [(row.value, row.quality, row.tests, row.revised) for row in found] == [
        (9.0, 1, 0, False),
        (1.0, 4, 0x2413, True),
        (2.5, 1, 0, True),
        (3.0, 1, 0, False),
    ]
    assert [row.time_source for row in found] == [4, 1, 1, 1]
    writer.close()


def test_results_are_the_newest_of_a_range_and_an_unknown_one_has_no_value(database: Database) -> None:
    prepare(database.url)
    with connect(database.url, application_name="test") as connection:
        numbers = register(connection, ["station-0/rain_1h", "station-0/vn_aqi"], Nature.EXERCISE)
        rain = numbers["station-0/rain_1h"]
        for minute, value in enumerate((1.0, 2.0, None)):
            at = to_datetime(NOW + minute * MINUTE)
            row = (at, at, value, rain, 0.25 * minute, 9 if value is None else 1, minute + 1)
            connection.execute("INSERT INTO derived VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
        found = results(connection, rain, NOW, NOW + 2 * MINUTE, limit=1)
        newest = latest_results(connection, Nature.EXERCISE, list(numbers))
        others = latest_results(connection, Nature.ACTUAL, list(numbers))
    assert found == [Result(NOW + MINUTE, 2.0, 1, 0.25, NOW + MINUTE, 2)]
    assert newest == {"station-0/rain_1h": Result(NOW + 2 * MINUTE, None, 9, 0.5, NOW + 2 * MINUTE, 3)}
    assert others == {}


def test_recent_equals_a_slow_reference(database: Database, rng: random.Random) -> None:
    series = prepare(database.url)
    writer = claimed(database.url)
    rows = {(rng.choice(series[:4]), NOW + rng.randrange(-3 * WEEK, WEEK, MINUTE)) for _ in range(200)}
    rows |= {(series[0], NOW + i * SECOND) for i in range(20)}
    commit(writer, says(*((datastream, time, rng.random()) for datastream, time in rows)))
    memory, limit = WEEK, 12
    expected = []
    for datastream in sorted(series):
        times = sorted(time for one, time in rows if one == datastream)
        expected += [(datastream, time) for time in times if time >= times[-1] - memory][-limit:]
    with connect(database.url, application_name="test") as connection:
        batch = recent(connection, series, memory, limit)
        assert list(zip(batch.datastream.tolist(), batch.time.tolist(), strict=True)) == expected
        assert len(recent(connection, [], memory, limit)) == 0
    assert (batch.quality == 1).all()
    assert (batch.received_at == NOW).all()
    assert batch.value.dtype == np.float64
    writer.close()


def test_writer_state_names_the_owner_before_the_first_commit(database: Database) -> None:
    prepare(database.url)
    writer = claimed(database.url, "owner@host")
    with connect(database.url, application_name="test") as connection:
        (state,) = writer_state(connection)
    assert (state.partition, state.epoch, state.owner, state.batch) == ("city", 1, "owner@host", 0)
    assert (state.committed_at, state.age, state.now_at, state.sighted_since) == (None, None, None, None)
    writer.close()


def test_reading_without_a_schema_names_the_remedy(database: Database) -> None:
    with (
        connect(database.url, application_name="test") as connection,
        pytest.raises(Fatal, match="huewatch migrate"),
    ):
        latest(connection)
