"""The promise when the service dies: killed at any moment or told to stop, while 2,000 messages/s arrive.

After the fault the oracle compares what the broker took with what the tables hold: every reading exactly
once, every expected alert event exactly once, the ledger in balance.
"""

import random
import time
from pathlib import Path

import psycopg
import pytest

from ingest.embedded import EmbeddedBroker, EmbeddedPostgres
from tests.fakes.mqtt_witness import MqttWitness
from tests.faults.oracle import read_tables, wait_stored
from tests.faults.publisher import Publisher
from tests.faults.service import Service
from tests.faults.settle import DRAINED_SECONDS, POISON_WINDOW, POISONED, publish_poison_then_good, settle

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
STOP_SECONDS = 10


def rolled_back(database: str) -> int:
    """Transactions that did not commit: a killed writer leaves one behind, if it had begun one."""
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_every_reading_and_event_exists_once_however_often_the_service_is_killed(
    service: Service,
    publisher: Publisher,
    database_url: str,
    witness: MqttWitness,
    rng: random.Random,
    fault_runs: int,
) -> None:
    service.start().wait_ready()
    publisher.start()
    in_transaction = unacknowledged = 0
    for _ in range(fault_runs):
        service.wait_alive()  # the old writer's backend is gone: the partition is claimed
        before, again = rolled_back(database_url), witness.redelivered
        time.sleep(rng.uniform(0, 2))
        service.kill()
        service.start().wait_alive()
        in_transaction += rolled_back(database_url) > before
        unacknowledged += witness.redelivered > again
    settle(publisher, database_url)
    duplicates = read_tables(database_url).ledger["duplicate"]
    print(
        f"{fault_runs} kills at {publisher.rate:.0f} messages/s: {in_transaction} inside a transaction,"
        f" {unacknowledged} with messages in flight; {witness.redelivered} delivered again,"
        f" {duplicates} of them committed before"
    )
    assert in_transaction
    assert duplicates <= witness.redelivered
    assert witness.disorderly == 0


def test_a_terminated_service_leaves_nothing_to_store_again(
    service: Service, publisher: Publisher, database_url: str, rng: random.Random, fault_runs: int
) -> None:
    service.start().wait_ready()
    publisher.start()
    slowest = 0.0
    for _ in range(max(5, fault_runs // 6)):
        time.sleep(rng.uniform(0, 2))
        started = time.monotonic()
        assert service.stop() == 0, service.last_words()
        slowest = max(slowest, time.monotonic() - started)
        service.start().wait_alive()
    settle(publisher, database_url)
    print(f"ended within {slowest:.2f} s")
    assert slowest < STOP_SECONDS
    assert read_tables(database_url).ledger["duplicate"] == 0


def test_a_service_that_waits_for_database_and_broker_ends_when_told(
    service: Service, publisher: Publisher, own_postgres: EmbeddedPostgres, broker: EmbeddedBroker
) -> None:
    service.start().wait_ready()
    publisher.start()
    for part in (own_postgres, broker):
        time.sleep(0.5)
        part.stop()
        time.sleep(2)
        started = time.monotonic()
        assert service.stop() == 0, service.last_words()
        assert time.monotonic() - started < STOP_SECONDS
        part.start()
        service.start().wait_ready()
    settle(publisher, own_postgres.url)


def test_a_second_instance_stops_and_names_the_holder(
    service: Service, config: Path, broker: EmbeddedBroker, database_url: str, tmp_path: Path
) -> None:
    service.start().wait_ready()
    (tmp_path / "second").mkdir()
    second = Service(tmp_path / "second", config, broker, database_url).start()
    assert second.wait(60) != 0
    assert f"/{service.pid} " in second.last_words()
    assert service.ready()


def test_a_good_message_is_stored_after_ten_windows_of_poison(
    service: Service, broker: EmbeddedBroker, database_url: str
) -> None:
    service.set("HUEWATCH_RECEIVE_MAXIMUM", str(POISON_WINDOW))
    service.start().wait_ready()
    publish_poison_then_good(broker)
    wait_stored(database_url, 1, DRAINED_SECONDS)
    tables = read_tables(database_url)
    assert tables.quarantined == POISONED
    assert tables.ledger["unreadable"] + tables.ledger["rejected"] == POISONED
    assert tables.ledger["stored"] == 1
