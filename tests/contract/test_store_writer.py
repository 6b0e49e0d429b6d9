"""One writer for a partition: held while it lives, fenced when it lost its place, sessions counted once."""

import psycopg
import pytest

from ingest.store import connect
from ingest.store.errors import Fatal, Fenced, PartitionHeld, Transient
from ingest.store.read import gaps
from ingest.store.write import Writer
from tests.support.databases import Database
from tests.support.store import NOW, SECOND, claimed, commit, prepare, says, stored, table


def end_sessions(database: Database) -> None:
    """What a network that fails does: every other session of this database ends."""
    with database.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )


def test_second_process_is_refused_and_told_who_holds_the_partition(database: Database) -> None:
    a, *_ = prepare(database.url)
    first = claimed(database.url, "first@host")
    with pytest.raises(PartitionHeld, match=r"'city' is held by first@host .* stop that process"):
        Writer(database.url, "city", "second@host", 4).claim()
    assert commit(first, says((a, NOW, 1.0))).stored == 1
    first.close()


def test_other_partition_is_free(database: Database) -> None:
    prepare(database.url)
    first, second = claimed(database.url, partition="north"), claimed(database.url, partition="south")
    assert commit(first, says()).batch == 1
    assert commit(second, says()).batch == 1
    first.close()
    second.close()


def test_closed_partition_passes_on_with_a_higher_epoch(database: Database) -> None:
    prepare(database.url)
    first = Writer(database.url, "city", "first", 4)
    one = first.claim()
    commit(first, says(), now=NOW)
    first.close()
    second = Writer(database.url, "city", "second", 4)
    two = second.claim()
    assert (one.epoch, two.epoch, two.batch, two.now_at) == (1, 2, 1, NOW)
    second.close()


@pytest.mark.every_database
def test_writer_whose_partition_was_taken_is_fenced_and_stores_nothing(database: Database) -> None:
    a, *_ = prepare(database.url)
    first = claimed(database.url, "first")
    commit(first, says((a, NOW, 1.0)))
    end_sessions(database)
    second = claimed(database.url, "second@host")
    with pytest.raises((Transient, Fenced)):
        commit(first, says((a, NOW + SECOND, 2.0)))
    with pytest.raises(Fenced, match="second@host"):
        commit(first, says((a, NOW + SECOND, 2.0)))
    with pytest.raises(Fenced):
        first.begin_session(True, [], None, NOW)
    assert commit(second, says((a, NOW + SECOND, 2.0))).stored == 1
    assert stored(database.url) == [(a, NOW, 1.0), (a, NOW + SECOND, 2.0)]
    second.close()
    with pytest.raises(Fenced):
        commit(first, says((a, NOW + 2 * SECOND, 3.0)))
    first.close()


def test_writer_whose_row_moved_under_a_living_connection_is_fenced(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url, "first")
    table(database.url, "UPDATE writer SET epoch = epoch + 1, owner = 'operator' RETURNING 1")
    with pytest.raises(Fenced, match="operator"):
        commit(writer, says((a, NOW, 1.0)))
    assert stored(database.url) == []
    writer.close()


def test_lost_connection_is_made_again_under_the_same_epoch(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    end_sessions(database)
    intake = says((a, NOW, 1.0))
    with pytest.raises(Transient, match="try again"):
        commit(writer, intake)
    assert commit(writer, intake).stored == 1
    assert table(database.url, "SELECT epoch, batch FROM writer") == [(1, 1)]
    writer.close()


def test_database_that_lost_commits_stops_the_writer(database: Database) -> None:
    prepare(database.url)
    writer = claimed(database.url)
    commit(writer, says())
    table(database.url, "UPDATE writer SET batch = 0 RETURNING 1")
    end_sessions(database)
    with pytest.raises(Transient):
        commit(writer, says())
    with pytest.raises(Fatal, match="without its last commits"):
        commit(writer, says())
    writer.close()


def test_database_that_is_away_is_transient_at_once(database: Database) -> None:
    url = psycopg.conninfo.make_conninfo(database.url, port=1)
    with pytest.raises(Transient, match="try again"):
        Writer(url, "city", "test", 4).claim()


def test_lost_session_is_a_gap_and_forgets_the_old_sessions_receipts(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    assert writer.begin_session(False, ["hue/#"], None, NOW) == 1
    commit(writer, says((a, None, 1.0)))
    assert writer.begin_session(True, ["hue/#"], NOW, NOW + SECOND) == 1
    assert table(database.url, "SELECT count(*) FROM receipt") == [(1,)]
    assert writer.begin_session(False, ["hue/#"], NOW + SECOND, NOW + 3 * SECOND) == 2
    assert table(database.url, "SELECT session, arrivals FROM writer") == [(2, 0)]
    assert table(database.url, "SELECT count(*) FROM receipt") == [(0,)]
    with connect(database.url, application_name="test") as connection:
        newest, first = gaps(connection)
    assert (newest.session, newest.started_at, newest.ended_at) == (2, NOW + SECOND, NOW + 3 * SECOND)
    assert (newest.topics, newest.reason) == (["hue/#"], "session lost")
    assert (first.started_at, first.reason) == (None, "first session")
    writer.close()


def test_session_begun_again_after_a_lost_answer_counts_once(database: Database) -> None:
    prepare(database.url)
    writer = claimed(database.url)
    # The answer of the first attempt was lost after its COMMIT: the database is ahead of the writer.
    table(database.url, "UPDATE writer SET session = session + 1 RETURNING 1")
    assert writer.begin_session(False, ["hue/#"], None, NOW) == 1
    assert table(database.url, "SELECT session FROM gap") == [(1,)]
    writer.close()


def test_next_owner_is_told_what_the_session_is_subscribed_to(database: Database) -> None:
    prepare(database.url)
    first = Writer(database.url, "city", "first", 4)
    assert first.claim().filters == ()
    first.begin_session(False, ["hue/#", "old/+"], None, NOW)
    first.begin_session(True, ["hue/#", "old/+"], None, NOW + SECOND)
    first.close()
    second = Writer(database.url, "city", "second", 4)
    assert second.claim().filters == ("hue/#", "old/+")
    second.begin_session(True, ["hue/#"], None, NOW + 2 * SECOND)
    second.close()
    third = Writer(database.url, "city", "third", 4)
    assert third.claim().filters == ("hue/#",)
    third.close()
