"""The promise when database or broker restart, or a COMMIT is cut, while 2,000 messages/s arrive."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from ingest.embedded import EmbeddedBroker, EmbeddedPostgres, Shutdown
from tests.fakes.tcp_proxy import Cut, TcpProxy
from tests.faults.oracle import read_tables
from tests.faults.publisher import Publisher
from tests.faults.service import Service
from tests.faults.settle import settle

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
RESTARTS = 3
CUT_SECONDS = 30


@contextmanager
def same_process(service: Service) -> Iterator[None]:
    """The service lives through all of it."""
    service.start().wait_ready()
    yield
    assert service.running, service.last_words()


@pytest.mark.parametrize("how", [Shutdown.FAST, Shutdown.IMMEDIATE], ids=lambda how: how.name.lower())
def test_nothing_is_lost_when_postgresql_restarts_under_load(
    service: Service, publisher: Publisher, own_postgres: EmbeddedPostgres, how: Shutdown
) -> None:
    with same_process(service):
        publisher.start()
        for _ in range(RESTARTS):
            time.sleep(1.5)
            own_postgres.restart(how)
        settle(publisher, own_postgres.url)


def test_nothing_is_lost_when_the_broker_restarts_under_load(
    service: Service, publisher: Publisher, own_postgres: EmbeddedPostgres, broker: EmbeddedBroker
) -> None:
    with same_process(service):
        publisher.start()
        for _ in range(RESTARTS):
            time.sleep(1.5)
            broker.restart()
        time.sleep(1.5)
        settle(publisher, own_postgres.url)


@pytest.fixture
def proxy(service: Service, own_postgres: EmbeddedPostgres) -> Iterator[TcpProxy]:
    """Between the service and its database."""
    parts = urlsplit(own_postgres.url)
    assert parts.hostname
    assert parts.port
    with TcpProxy((parts.hostname, parts.port)) as proxy:
        netloc = parts.netloc.replace(f":{parts.port}", f":{proxy.port}")
        service.set("HUEWATCH_DATABASE_URL", urlunsplit(parts._replace(netloc=netloc)))
        yield proxy


def cut_often(proxy: TcpProxy, cuts: list[Cut], database: str, rng: random.Random) -> None:
    """Cut the COMMITs of batches, each at a random moment after the service has come back from the last."""
    with psycopg.connect(database, autocommit=True) as connection:
        for number, cut in enumerate(cuts, 1):
            reached = _batch(connection)
            _until(lambda before=reached: _batch(connection) > before + 1, f"commits after {number - 1} cuts")
            time.sleep(rng.uniform(0, 0.3))
            proxy.cut_at_commit(cut)
            _until(lambda wanted=number: proxy.cuts == wanted, f"cut number {number}")


def _until(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + CUT_SECONDS
    while not reached():
        assert time.monotonic() < deadline, f"waited {CUT_SECONDS} s for {what}"
        time.sleep(0.01)


def _batch(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT batch FROM writer").fetchone()
    assert row is not None
    return int(row[0])


def test_nothing_is_lost_or_doubled_when_the_answer_to_a_commit_is_cut_off_50_times(
    service: Service,
    publisher: Publisher,
    own_postgres: EmbeddedPostgres,
    proxy: TcpProxy,
    rng: random.Random,
) -> None:
    with same_process(service):
        publisher.start()
        cut_often(proxy, [Cut.ANSWERED] * 50, own_postgres.url, rng)
        settle(publisher, own_postgres.url)
    assert read_tables(own_postgres.url).ledger["duplicate"] == 0, "what was committed was delivered again"


def test_nothing_is_lost_or_doubled_when_commits_are_lost_late_or_held(
    service: Service,
    publisher: Publisher,
    own_postgres: EmbeddedPostgres,
    proxy: TcpProxy,
    rng: random.Random,
) -> None:
    cuts = [*[Cut.LOST] * 8, *[Cut.LATE] * 8, *[Cut.HELD] * 2]
    rng.shuffle(cuts)
    with same_process(service):
        publisher.start()
        cut_often(proxy, cuts, own_postgres.url, rng)
        settle(publisher, own_postgres.url)
    assert read_tables(own_postgres.url).ledger["duplicate"] == 0, "what was committed was delivered again"
