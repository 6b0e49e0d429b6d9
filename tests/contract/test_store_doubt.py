"""A connection that breaks around COMMIT: the outcome is found out, the batch counts exactly once."""

import random
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from ingest.embedded import EmbeddedPostgres, Shutdown
from ingest.model import Committed, Intake
from ingest.store.errors import Transient
from ingest.store.write import Writer
from tests.fakes.tcp_proxy import Cut, TcpProxy
from tests.support.databases import Database
from tests.support.store import (
    NOW,
    SECOND,
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

ATTEMPTS = 10  # a retry that needs more than these does not come to an end


def through(proxy: TcpProxy, url: str) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{proxy.port}"))


def proxy_of(url: str) -> TcpProxy:
    parts = urlsplit(url)
    assert parts.hostname
    return TcpProxy((parts.hostname, parts.port or 5432))


def insist(writer: Writer, intake: Intake, sink: TellingSink) -> tuple[Committed, int]:
    """Commit as the pipeline does, again after each `Transient`; the result and how many there were."""
    last: Transient | None = None
    for failures in range(ATTEMPTS):
        try:
            return commit(writer, intake, sink), failures
        except Transient as error:
            last = error
    raise AssertionError(f"no commit in {ATTEMPTS} attempts") from last


def batch_of(series: list[int], number: int) -> Intake:
    """Two readings with a time of their own and one without."""
    received = NOW + number * SECOND
    timed = [(series[0], received, float(number)), (series[1], received, float(number))]
    return intake_of(
        Said(timed, message(packet_id=2 * number, received_at=received)),
        Said([(series[2], None, 1.5)], message(packet_id=2 * number + 1, received_at=received)),
    )


def cut_and_insist(database: Database, cuts: list[Cut]) -> None:
    series = prepare(database.url)
    with proxy_of(database.url) as proxy:
        writer, sink = claimed(through(proxy, database.url)), TellingSink(database.url)
        for number, cut in enumerate(cuts, 1):
            proxy.cut_at_commit(cut)
            done, failures = insist(writer, batch_of(series, number), sink)
            assert failures >= 1
            assert (done.batch, done.stored, done.duplicate) == (number, 3, 0)
        assert proxy.cuts == len(cuts)
        assert sorted(told(database.url)) == stored(database.url)
        assert len(stored(database.url)) == 3 * len(cuts) == len(set(stored(database.url)))
        assert len(sink.adopted) == len(cuts)
        assert table(database.url, "SELECT batch, arrivals FROM writer") == [(len(cuts), 2 * len(cuts))]
        assert table(database.url, "SELECT sum(messages), sum(stored) FROM ledger") == [
            (2 * len(cuts), 3 * len(cuts))
        ]
        # What was adopted is what the database has: everything redelivered is known.
        for number in range(1, len(cuts) + 1):
            assert commit(writer, batch_of(series, number)).stored == 0
        writer.close()


@pytest.mark.every_database
def test_commit_whose_answer_is_lost_counts_once_20_times(database: Database) -> None:
    cut_and_insist(database, [Cut.ANSWERED] * 20)


def test_commit_that_never_arrived_is_done_again_5_times(database: Database) -> None:
    cut_and_insist(database, [Cut.LOST] * 5)


def test_commit_that_arrives_after_the_reconnect_counts_once_5_times(database: Database) -> None:
    cut_and_insist(database, [Cut.LATE] * 5)


def test_session_that_the_server_still_keeps_is_ended_by_its_owner(database: Database) -> None:
    cut_and_insist(database, [Cut.HELD])


@pytest.mark.parametrize("cut", [Cut.HELD, Cut.LATE], ids=lambda cut: cut.name.lower())
def test_session_that_was_lost_while_it_took_the_lock_is_ended_by_its_owner(
    plain_database: Database, cut: Cut
) -> None:
    """The writer row does not know it: it ended for us before it could be written down."""
    database = plain_database
    a, *_ = prepare(database.url)
    with proxy_of(database.url) as proxy:
        writer, sink = claimed(through(proxy, database.url)), TellingSink(database.url)
        intake = says((a, NOW, 1.0))
        proxy.cut_at_commit(Cut.LOST)
        with pytest.raises(Transient):
            commit(writer, intake, sink)
        proxy.cut_at_commit(cut)
        done, failures = insist(writer, intake, sink)
        assert (done.batch, done.stored, proxy.cuts) == (1, 1, 2)
        assert failures >= 1
        writer.close()


def test_cuts_of_every_kind_in_any_order_count_once(database: Database, rng: random.Random) -> None:
    cut_and_insist(database, rng.choices([Cut.ANSWERED, Cut.LOST, Cut.LATE], k=10))


def test_outcome_found_out_by_another_call_is_returned_by_the_retry(database: Database) -> None:
    a, *_ = prepare(database.url)
    with proxy_of(database.url) as proxy:
        writer, sink = claimed(through(proxy, database.url)), TellingSink(database.url)
        intake = says((a, NOW, 1.0))
        proxy.cut_at_commit(Cut.ANSWERED)
        with pytest.raises(Transient):
            commit(writer, intake, sink)
        assert writer.begin_session(True, [], None, NOW) == 0
        assert len(sink.adopted) == 1
        done = commit(writer, intake, sink)
        assert (done.batch, done.stored, done.duplicate) == (1, 1, 0)
        assert len(sink.adopted) == 1
        writer.close()


def test_other_batch_after_a_doubt_is_stored_beside_the_first(database: Database) -> None:
    a, *_ = prepare(database.url)
    with proxy_of(database.url) as proxy:
        writer = claimed(through(proxy, database.url))
        proxy.cut_at_commit(Cut.ANSWERED)
        with pytest.raises(Transient):
            commit(writer, says((a, NOW, 1.0)))
        done = commit(writer, says((a, NOW, 1.0), (a, NOW + SECOND, 2.0)))
        assert (done.batch, done.stored, done.duplicate) == (2, 1, 1)
        writer.close()


@pytest.mark.parametrize("how", list(Shutdown), ids=lambda how: how.name.lower())
def test_restart_of_the_server_loses_and_doubles_nothing(server_folder: Path, how: Shutdown) -> None:
    with tempfile.TemporaryDirectory(dir=server_folder, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        with EmbeddedPostgres(Path(name) / "postgres") as server:
            a, *_ = prepare(server.url)
            writer, sink = claimed(server.url), TellingSink(server.url)
            commit(writer, says((a, NOW, 1.0)), sink)
            intake = says((a, NOW, 1.0), (a, NOW + SECOND, 2.0))
            server.stop(how)
            with pytest.raises(Transient):
                commit(writer, intake, sink)
            with pytest.raises(Transient, match="no connection"):
                commit(writer, intake, sink)
            server.start()
            done, _ = insist(writer, intake, sink)
            assert (done.stored, done.duplicate) == (1, 1)
            assert told(server.url) == stored(server.url) == [(a, NOW, 1.0), (a, NOW + SECOND, 2.0)]
            writer.close()


def test_lost_connection_outside_a_commit_needs_no_caller(database: Database) -> None:
    prepare(database.url)
    writer = claimed(database.url)
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name LIKE 'huewatch%' AND datname = current_database()"
        )
    with pytest.raises(Transient):
        writer.begin_session(False, ["hue/#"], None, NOW)
    assert writer.begin_session(False, ["hue/#"], None, NOW) == 1
    assert table(database.url, "SELECT session FROM gap") == [(1,)]
    writer.close()
