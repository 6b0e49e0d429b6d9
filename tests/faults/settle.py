"""What fault tests have in common: faults at random moments, and the end of each test.

The load stops, the backlog drains in time, the oracle finds nothing.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import psycopg

from ingest.embedded import EmbeddedBroker
from tests.fakes.mqtt_witness import MqttWitness
from tests.fakes.tcp_proxy import Cut, TcpProxy
from tests.faults.oracle import faults, read_tables, wait_stored
from tests.faults.publisher import Publisher
from tests.faults.service import Service, connected

DRAINED_SECONDS = 60
PATIENCE_SECONDS = 60
POISON_WINDOW = 200  # messages in flight, few enough that ten windows of poison are quick
POISONED = 10 * POISON_WINDOW
POISON = (b"", b"\x00", b"{", b'{"channel":"level","value":NaN}', b'{"channel":"level","value":"1"}')


def settle(publisher: Publisher, database: str) -> None:
    """Stop the load, wait until all of it is stored, and compare."""
    ledger = publisher.pause()
    took = wait_stored(database, len(ledger.sent), DRAINED_SECONDS)
    print(
        f"{len(ledger.sent)} readings at {publisher.rate:.0f}/s, drained {took:.1f} s after the last"
        f" (load average {os.getloadavg()[0]:.1f})"
    )
    assert faults(ledger, read_tables(database)) == []


@contextmanager
def same_process(service: Service) -> Iterator[None]:
    """The service lives through all of it."""
    service.start().wait_ready()
    yield
    assert service.running, service.last_words()


def cut_often(proxy: TcpProxy, cuts: Sequence[Cut], database: str, rng: random.Random) -> None:
    """Cut the COMMITs of batches, each at a random moment after the service has come back from the last."""
    with psycopg.connect(database, autocommit=True) as connection:
        for number, cut in enumerate(cuts, proxy.cuts + 1):
            reached = _batch(connection)
            until(lambda: _batch(connection), reached + 2, f"commits after {number - 1} cuts")
            time.sleep(rng.uniform(0, 0.3))
            proxy.cut_at_commit(cut)
            until(lambda: proxy.cuts, number, f"cut number {number}")


def until(count: Callable[[], int], least: int, what: str) -> None:
    """Wait until something has been counted up to `least`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while count() < least:
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.01)


def _batch(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT batch FROM writer").fetchone()
    assert row is not None
    return int(row[0])


def lose_acknowledgements(witness: MqttWitness, times: int, rng: random.Random) -> None:
    """Cut the broker off from what was acknowledged in the last moments; it delivers all of that again."""
    for number in range(times):
        time.sleep(rng.uniform(0, 0.5))
        before = witness.redelivered
        witness.lose_acknowledgements(0.2)
        until(lambda: witness.redelivered, before + 1, f"messages again after {number + 1} cuts")


def publish_poison_then_good(broker: EmbeddedBroker) -> None:
    """Ten windows of messages that nobody can read, then one reading."""
    client = connected(broker, "simulator")
    for number in range(POISONED):
        topic = f"hue/v1/load/wave-{number % 3:03d}/readings"
        client.publish(topic, POISON[number % len(POISON)], qos=1)
    good = b'{"channel":"level","value":0.5,"unit":"m"}'
    client.publish("hue/v1/load/wave-000/readings", good, qos=1).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
