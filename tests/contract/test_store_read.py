"""What feed, command line and start are told is what the table holds."""

import random

import numpy as np
import pytest

from ingest.model import Nature
from ingest.store import connect
from ingest.store.errors import Fatal
from ingest.store.read import latest, observations, recent, writer_state
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
