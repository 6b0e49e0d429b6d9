"""The promise under fault: the real service is killed, cut off and starved while 2,000 messages/s arrive.

After each fault the oracle compares what the broker took with what the tables hold: every reading exactly
once, every expected alert event exactly once, the ledger in balance.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.embedded import EmbeddedBroker, EmbeddedPostgres, Shutdown
from tests.faults.harness import Service, assert_exactly_once, connected, read_tables, wait_stored
from tests.faults.publisher import Publisher

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
DRAINED_SECONDS = 60


def _settle(publisher: Publisher, database: str) -> None:
    """Stop the load, wait until all of it is stored, and compare."""
    ledger = publisher.stop()
    took = wait_stored(database, len(ledger.sent), DRAINED_SECONDS)
    print(f"{len(ledger.sent)} readings published, drained {took:.1f} s after the last")
    assert_exactly_once(ledger, read_tables(database))


def test_every_reading_and_event_exists_once_after_twenty_kills(
    service: Service, publisher: Publisher, own_postgres: EmbeddedPostgres, moments: Iterator[float]
) -> None:
    service.start().wait_ready()
    publisher.start()
    for _ in range(20):
        time.sleep(next(moments))
        service.kill()
        service.start()
    _settle(publisher, own_postgres.url)
    sums = read_tables(own_postgres.url).ledger
    print(f"redelivered after a commit and recognised: {sums['duplicate']}")


@pytest.mark.parametrize("how", [Shutdown.FAST, Shutdown.IMMEDIATE])
def test_nothing_is_lost_when_postgresql_restarts_under_load(
    service: Service, publisher: Publisher, own_postgres: EmbeddedPostgres, how: Shutdown
) -> None:
    service.start().wait_ready()
    publisher.start()
    for _ in range(3):
        time.sleep(1.5)
        own_postgres.restart(how)
    _settle(publisher, own_postgres.url)


def test_nothing_is_lost_when_the_broker_restarts_under_load(
    service: Service, publisher: Publisher, own_postgres: EmbeddedPostgres, broker: EmbeddedBroker
) -> None:
    service.start().wait_ready()
    publisher.start()
    for _ in range(3):
        time.sleep(1.5)
        broker.restart()
    _settle(publisher, own_postgres.url)


def test_a_terminated_service_leaves_nothing_to_deliver_again(
    service: Service, publisher: Publisher, own_postgres: EmbeddedPostgres
) -> None:
    service.start().wait_ready()
    publisher.start()
    for _ in range(3):
        time.sleep(1)
        started = time.monotonic()
        assert service.stop() == 0, service.last_words()
        assert time.monotonic() - started < 10
        service.start().wait_ready()
    _settle(publisher, own_postgres.url)
    assert read_tables(own_postgres.url).ledger["duplicate"] == 0


def test_a_second_instance_stops_and_names_the_holder(
    service: Service, config: Path, broker: EmbeddedBroker, own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    service.start().wait_ready()
    (tmp_path / "second").mkdir()
    second = Service(tmp_path / "second", config, broker, own_postgres.url).start()
    assert second.wait(30) != 0
    assert str(service.pid) in second.last_words()
    assert service.ready()


def test_a_good_message_is_stored_after_ten_windows_of_poison(
    service: Service, broker: EmbeddedBroker, own_postgres: EmbeddedPostgres
) -> None:
    window = 200
    service.set("HUEWATCH_RECEIVE_MAXIMUM", str(window))
    service.start().wait_ready()
    client = connected(broker, "simulator")
    poison = [b"", b"\x00", b"{", b'{"channel":"level","value":NaN}', b'{"channel":"level","value":"1"}']
    for number in range(10 * window):
        client.publish(f"hue/v1/load/wave-{number % 3:03d}/readings", poison[number % len(poison)], qos=1)
    good = client.publish(
        "hue/v1/load/wave-000/readings", b'{"channel":"level","value":0.5,"unit":"m"}', qos=1
    )
    good.wait_for_publish(30)
    client.disconnect()
    wait_stored(own_postgres.url, 1, DRAINED_SECONDS)
    tables = read_tables(own_postgres.url)
    assert tables.quarantined == 10 * window
    assert tables.ledger["unreadable"] + tables.ledger["rejected"] == 10 * window
    assert tables.ledger["stored"] == 1
