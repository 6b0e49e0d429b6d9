"""What one commit promises: exactly once by key, in arrival order, whole or not at all, sinks in step."""

import numpy as np
import psycopg
import pytest

from ingest.model import Changes, Intake, Moment, Nature
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.errors import Fatal, Poison, SinkFailed, Transient
from ingest.store.read import writer_state
from ingest.store.rows import VALUES_OF_A_KEY
from ingest.store.write import Writer
from tests.support.databases import Database
from tests.support.store import (
    NOW,
    SECOND,
    WEEK,
    Said,
    TellingSink,
    claimed,
    commit,
    intake_of,
    message,
    prepare,
    says,
    stored,
    table,
    told,
)

pytestmark = pytest.mark.every_database


class FailingSink(TellingSink):
    """Fails in one of its steps."""

    def __init__(self, url: str, step: str, error: Exception) -> None:
        super().__init__(url)
        self._step, self._error = step, error

    def evaluate(self, changes: Changes) -> object:
        if self._step == "evaluate":
            raise self._error
        return super().evaluate(changes)

    def persist(self, cursor: psycopg.Cursor[tuple[object, ...]], outcome: object) -> None:
        super().persist(cursor, outcome)
        if self._step == "persist":
            raise self._error

    def adopt(self, outcome: object) -> None:
        if self._step == "adopt":
            raise self._error
        super().adopt(outcome)


def batches(url: str) -> int:
    return int(table(url, "SELECT batch FROM writer")[0][0])


def test_redelivered_readings_are_stored_and_told_once(database: Database) -> None:
    a, b, *_ = prepare(database.url)
    writer, sink = claimed(database.url), TellingSink(database.url)
    rows = [(a, NOW, 1.0), (b, NOW, 2.0), (a, NOW + SECOND, 1.1)]
    first = commit(writer, says(*rows), sink)
    again = commit(writer, says(*rows), sink)
    assert (first.stored, first.duplicate, first.batch) == (3, 0, 1)
    assert (again.stored, again.duplicate, again.batch) == (0, 3, 2)
    assert stored(database.url) == sorted(rows)
    assert told(database.url) == rows
    assert len(sink.evaluated) == 2  # the writer knew its own rows: none was refused and tried again
    writer.close()


def test_new_owner_knows_what_the_one_before_stored(database: Database) -> None:
    a, *_ = prepare(database.url)
    before = claimed(database.url, "before")
    commit(before, says((a, NOW, 1.0), (a, NOW + SECOND, 2.0)))
    before.close()
    after = claimed(database.url, "after")
    assert commit(after, says((a, NOW, 1.0), (a, NOW - SECOND, 0.5))).stored == 1
    assert len(stored(database.url)) == 3
    after.close()


def test_other_value_for_a_key_is_kept_apart_and_never_told(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer, sink = claimed(database.url), TellingSink(database.url)
    commit(writer, says((a, NOW, 1.0)), sink)
    later = message(received_at=NOW + SECOND)
    done = commit(writer, intake_of(Said([(a, NOW, 9.0), (a, NOW, 1.0), (a, NOW, 9.0)], later)), sink)
    assert (done.stored, done.duplicate, done.conflict) == (0, 1, 2)
    commit(writer, intake_of(Said([(a, NOW, 9.0)], message(received_at=NOW - SECOND))), sink)
    assert stored(database.url) == [(a, NOW, 1.0)] == told(database.url)
    assert table(
        database.url,
        "SELECT datastream, value, count, last_received - first_received = '2s' FROM observation_conflict",
    ) == [(a, 9.0, 3, True)]
    writer.close()


def test_values_that_conflict_with_one_key_are_counted_beyond_a_bound_and_not_kept(
    database: Database,
) -> None:
    a, b, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, says((a, NOW, 0.0), (b, NOW, 0.0)))
    first = [(a, NOW, float(value)) for value in range(1, VALUES_OF_A_KEY - 1)]
    assert commit(writer, says(*first, (b, NOW, 7.0))).conflict == VALUES_OF_A_KEY - 1
    more = [(a, NOW, float(value)) for value in range(100, 120)]
    assert commit(writer, says(first[0], *more, first[0])).conflict == 22
    assert commit(writer, says(*more, first[1])).conflict == 21
    kept = table(database.url, "SELECT datastream, value, count FROM observation_conflict ORDER BY 1, 2")
    assert kept == [
        (a, 1.0, 3),
        (a, 2.0, 2),
        *((a, value, 1) for _, _, value in first[2:]),
        (a, 100.0, 2),
        (a, 101.0, 2),
        (b, 7.0, 1),
    ]
    assert table(database.url, "SELECT sum(conflict) FROM ledger") == [(VALUES_OF_A_KEY - 1 + 22 + 21,)]
    writer.close()


def test_rows_of_one_batch_are_settled_in_order_of_arrival(database: Database) -> None:
    a, b, *_ = prepare(database.url)
    writer, sink = claimed(database.url), TellingSink(database.url)
    rows = [(b, NOW + SECOND, 5.0), (a, NOW, 1.0), (a, NOW, 2.0), (b, NOW, 4.0), (a, NOW, 1.0)]
    done = commit(writer, says(*rows), sink)
    assert (done.stored, done.duplicate, done.conflict) == (3, 1, 1)
    assert told(database.url) == [rows[0], rows[1], rows[3]]
    writer.close()


def test_late_row_is_new_and_its_repetition_is_not(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, says((a, NOW, 1.0)))
    assert commit(writer, says((a, NOW - 3 * WEEK, 0.5), (a, NOW - 1, 0.7))).stored == 2
    done = commit(writer, says((a, NOW - 3 * WEEK, 0.5), (a, NOW - 1, 0.8), (a, NOW, 1.0)))
    assert (done.stored, done.duplicate, done.conflict) == (0, 2, 1)
    writer.close()


def test_times_on_both_sides_of_a_week_are_stored(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    edge = NOW // WEEK * WEEK
    old = -1_000_000 * WEEK // 1_000_000 * 1_000  # years before 1970: the flood of 1953 can be replayed
    rows = [
        (a, edge - 1, 1.0),
        (a, edge, 2.0),
        (a, edge + WEEK - 1, 3.0),
        (a, edge + WEEK, 4.0),
        (a, old, 5.0),
    ]
    assert commit(writer, says(*rows)).stored == 5
    assert commit(writer, says(*rows)).duplicate == 5
    assert stored(database.url) == sorted(rows)
    writer.close()


def test_series_registered_after_the_claim_is_stored_once(database: Database) -> None:

    prepare(database.url)
    writer = claimed(database.url)
    with connect(database.url, application_name="test") as connection:
        ids = register(connection, ["late/level"], Nature.EXERCISE)
    row = (ids["late/level"], NOW, 1.0)
    assert commit(writer, says(row)).stored == 1
    assert commit(writer, says(row)).duplicate == 1
    writer.close()


def test_row_that_came_by_another_way_is_found_although_newer_than_its_mark(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, says((a, NOW, 1.0)))
    table(
        database.url,
        "INSERT INTO observation SELECT time + interval '1 second', received_at, 7.0, datastream, 1"
        " FROM observation RETURNING 1",
    )
    done = commit(writer, says((a, NOW + SECOND, 7.0), (a, NOW + 2 * SECOND, 8.0)))
    assert (done.stored, done.duplicate) == (1, 1)
    writer.close()


def test_partition_dropped_meanwhile_is_made_again_after_one_refusal(plain_database: Database) -> None:
    a, *_ = prepare(plain_database.url)
    writer = claimed(plain_database.url)
    commit(writer, says((a, NOW, 1.0)))
    with plain_database.connect() as connection:
        connection.execute("DROP TABLE huewatch.observation_20251023")
    with pytest.raises(Poison):
        commit(writer, says((a, NOW + SECOND, 2.0)))
    assert commit(writer, says((a, NOW + SECOND, 2.0))).stored == 1
    writer.close()


@pytest.mark.parametrize("poison", ["nan", "infinity", "quality", "too old", "too new", "wraps around"])
def test_refused_row_leaves_nothing_of_its_batch_behind(database: Database, poison: str) -> None:
    a, b, *_ = prepare(database.url)
    writer, sink = claimed(database.url), TellingSink(database.url)
    bad = says((a, NOW, 1.0), (b, NOW, 2.0))
    rows = bad.observations
    if poison in ("nan", "infinity"):
        rows.value[1] = {"nan": np.nan, "infinity": np.inf}[poison]
    elif poison == "quality":
        rows.quality[1] = 7
    else:
        extremes = {"too old": -3 * 10**15, "too new": 10**16, "wraps around": np.iinfo(np.int64).min}
        rows.time[1] = extremes[poison]
    with pytest.raises(Poison, match="split the batch"):
        commit(writer, bad, sink)
    assert (stored(database.url), told(database.url), batches(database.url)) == ([], [], 0)
    assert table(database.url, "SELECT * FROM ledger") == []
    assert sink.adopted == []
    assert commit(writer, says((a, NOW, 1.0)), sink).stored == 1
    writer.close()


@pytest.mark.parametrize("step", ["evaluate", "persist"])
def test_failing_sink_leaves_nothing_behind_and_can_be_left_out(database: Database, step: str) -> None:
    a, *_ = prepare(database.url)
    writer, failure = claimed(database.url), RuntimeError("engine")
    sink = FailingSink(database.url, step, failure)
    intake = says((a, NOW, 1.0))
    with pytest.raises(SinkFailed) as caught:
        commit(writer, intake, sink)
    assert caught.value.__cause__ is failure
    assert (stored(database.url), told(database.url), sink.adopted) == ([], [], [])
    assert commit(writer, intake).stored == 1
    writer.close()


def test_row_of_a_sink_that_the_database_refuses_is_the_sinks_failure(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    sink = FailingSink(database.url, "persist", psycopg.errors.NotNullViolation("its row"))
    with pytest.raises(SinkFailed):
        commit(writer, says((a, NOW, 1.0)), sink)
    writer.close()


def test_database_trouble_within_a_sink_is_transient_and_the_retry_evaluates_again(
    database: Database,
) -> None:
    a, *_ = prepare(database.url)
    writer, sink = claimed(database.url), TellingSink(database.url)
    trouble = FailingSink(database.url, "persist", psycopg.errors.DeadlockDetected("busy"))
    intake = says((a, NOW, 1.0))
    with pytest.raises(Transient, match="try again"):
        commit(writer, intake, trouble)
    assert commit(writer, intake, sink).stored == 1
    assert told(database.url) == [(a, NOW, 1.0)]
    writer.close()


def test_sink_that_cannot_adopt_stops_the_process_with_the_rows_stored(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    with pytest.raises(Fatal, match="restart"):
        commit(writer, says((a, NOW, 1.0)), FailingSink(database.url, "adopt", RuntimeError("lost")))
    assert stored(database.url) == [(a, NOW, 1.0)]
    writer.close()


def test_tick_without_messages_moves_the_writer_row_and_reaches_the_sinks(database: Database) -> None:
    prepare(database.url)
    writer, sink = claimed(database.url), TellingSink(database.url)
    moment = Moment(NOW, True, NOW - SECOND)
    done = writer.commit(Intake.empty(), moment, [sink], "")
    assert (done.batch, done.messages, done.stored) == (1, 0, 0)
    assert [changes.moment for changes in sink.evaluated] == [moment]

    with connect(database.url, application_name="test") as connection:
        (state,) = writer_state(connection)
    assert (state.batch, state.now_at, state.sighted_since, state.blind_reason) == (1, NOW, NOW - SECOND, "")
    assert state.age is not None
    assert 0 <= state.age < 60 * SECOND
    writer.close()


def test_rebuild_reaches_every_sink(database: Database) -> None:
    prepare(database.url)
    writer, sink = claimed(database.url), TellingSink(database.url)
    writer.rebuild([sink, sink])
    assert sink.rebuilt == 2
    writer.close()


def test_commit_without_a_schema_names_the_remedy(database: Database) -> None:
    with pytest.raises(Fatal, match="huewatch migrate"):
        Writer(database.url, "city", "test", 4).claim()
