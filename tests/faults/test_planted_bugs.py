"""A test of the tests: the oracle catches each planted mistake within a few faults.

That it finds nothing in a service without a mistake is in the tests of those faults.
"""

import random
import time
from collections.abc import Callable

import pytest

from ingest.embedded import EmbeddedBroker
from tests.fakes.mqtt_witness import MqttWitness
from tests.fakes.tcp_proxy import Cut, TcpProxy
from tests.faults import planted
from tests.faults.oracle import faults, read_tables, wait_still, wait_stored
from tests.faults.publisher import Publisher
from tests.faults.service import Service
from tests.faults.settle import (
    DRAINED_SECONDS,
    POISON_WINDOW,
    cut_often,
    lose_acknowledgements,
    publish_poison_then_good,
    until,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
MOST = 50
KILLS_AT_ONCE = 2
OFTEN = 300  # kills in `make faults`

EVIDENCE = {
    planted.acknowledge_before_commit: "lost readings",
    planted.events_after_commit: "missing alert events",
    planted.every_row_is_new: "good readings were refused",
    planted.no_receipts: "readings without a time stored twice",
}
Mistake = Callable[[], None]


class Suspect:
    """The service with a mistake in it, under load."""

    def __init__(self, mistake: Mistake, service: Service, publisher: Publisher, database: str) -> None:
        self._program = (planted.__file__, mistake.__name__)
        self._service, self._publisher, self._database = service, publisher, database
        service.start(program=self._program).wait_ready()
        publisher.start()

    def kill(self) -> None:
        self._service.kill()
        self._service.start(program=self._program).wait_alive()

    def verdict(self) -> list[str]:
        """What the oracle says after the backlog has drained."""
        ledger = self._publisher.pause()
        self._service.wait_ready()
        wait_still(self._database, len(ledger.sent), DRAINED_SECONDS)
        found = faults(ledger, read_tables(self._database))
        self._publisher.resume()
        return found


@pytest.mark.parametrize("mistake", EVIDENCE, ids=lambda mistake: mistake.__name__)
def test_a_planted_mistake_is_caught_within_50_kills(
    mistake: Mistake,
    service: Service,
    publisher: Publisher,
    database_url: str,
    rng: random.Random,
    fault_runs: int,
) -> None:
    if mistake is not planted.acknowledge_before_commit and fault_runs < OFTEN:
        pytest.skip("takes up to 24 kills: only in `make faults`")
    suspect = Suspect(mistake, service, publisher, database_url)
    kills = 0
    found: list[str] = []
    while not found and kills < MOST:
        for _ in range(KILLS_AT_ONCE):
            time.sleep(rng.uniform(0, 1))
            suspect.kill()
        kills += KILLS_AT_ONCE
        found = suspect.verdict()
    print(f"after {kills} kills: {found}")
    assert any(fault.startswith(EVIDENCE[mistake]) for fault in found)


@pytest.mark.parametrize(
    "mistake", [planted.every_row_is_new, planted.no_receipts], ids=lambda mistake: mistake.__name__
)
def test_a_planted_mistake_is_caught_when_acknowledgements_are_lost(
    mistake: Mistake,
    service: Service,
    publisher: Publisher,
    database_url: str,
    witness: MqttWitness,
    rng: random.Random,
) -> None:
    suspect = Suspect(mistake, service, publisher, database_url)
    lose_acknowledgements(witness, 1, rng)
    found = suspect.verdict()
    print(found)
    assert any(fault.startswith(EVIDENCE[mistake]) for fault in found)


def test_events_after_the_commit_are_caught_when_commits_are_cut(
    service: Service,
    publisher: Publisher,
    database_url: str,
    proxy: TcpProxy,
    rng: random.Random,
) -> None:
    suspect = Suspect(planted.events_after_commit, service, publisher, database_url)
    cuts = 0
    found: list[str] = []
    while not found and cuts < MOST:
        cut_often(proxy, [Cut.LOST] * 10, database_url, rng)
        cuts += 10
        found = suspect.verdict()
    print(f"after {cuts} cuts: {found}")
    assert any(fault.startswith(EVIDENCE[planted.events_after_commit]) for fault in found)


def test_acknowledging_out_of_order_is_seen_on_the_wire(
    service: Service, publisher: Publisher, database_url: str, witness: MqttWitness
) -> None:
    Suspect(planted.acknowledge_out_of_order, service, publisher, database_url)
    until(lambda: witness.disorderly, 1, "an acknowledgement out of order")


def test_a_lost_slot_is_caught_by_ten_windows_of_poison(
    service: Service, broker: EmbeddedBroker, database_url: str
) -> None:
    service.set("HUEWATCH_RECEIVE_MAXIMUM", str(POISON_WINDOW))
    service.start(program=(planted.__file__, planted.lose_the_slot_of_poison.__name__)).wait_ready()
    publish_poison_then_good(broker)
    with pytest.raises(AssertionError, match="0 of 1 stored"):
        wait_stored(database_url, 1, seconds=10)
