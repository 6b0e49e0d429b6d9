"""The promise when a connection breaks at the worst moment, while 2,000 messages/s arrive.

At the database that is around a COMMIT, at the broker between the commit and the acknowledgement of it.
"""

import random

import pytest

from tests.fakes.mqtt_witness import MqttWitness
from tests.fakes.tcp_proxy import Cut, TcpProxy
from tests.faults.oracle import read_tables
from tests.faults.publisher import Publisher
from tests.faults.service import Service
from tests.faults.settle import cut_often, lose_acknowledgements, same_process, settle

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def test_nothing_is_lost_or_doubled_when_the_answer_to_a_commit_is_cut_off_50_times(
    service: Service,
    publisher: Publisher,
    database_url: str,
    proxy: TcpProxy,
    rng: random.Random,
) -> None:
    with same_process(service):
        publisher.start()
        cut_often(proxy, [Cut.ANSWERED] * 50, database_url, rng)
        settle(publisher, database_url)
    assert read_tables(database_url).ledger["duplicate"] == 0, "what was committed was delivered again"


def test_nothing_is_lost_or_doubled_when_commits_are_lost_late_or_held(
    service: Service,
    publisher: Publisher,
    database_url: str,
    proxy: TcpProxy,
    rng: random.Random,
) -> None:
    cuts = [*[Cut.LOST] * 8, *[Cut.LATE] * 8, *[Cut.HELD] * 2]
    rng.shuffle(cuts)
    with same_process(service):
        publisher.start()
        cut_often(proxy, cuts, database_url, rng)
        settle(publisher, database_url)
    assert read_tables(database_url).ledger["duplicate"] == 0, "what was committed was delivered again"


def test_nothing_is_lost_or_doubled_when_acknowledgements_are_lost(
    service: Service,
    publisher: Publisher,
    database_url: str,
    witness: MqttWitness,
    rng: random.Random,
) -> None:
    with same_process(service):
        publisher.start()
        lose_acknowledgements(witness, 4, rng)
        settle(publisher, database_url)
    duplicates = read_tables(database_url).ledger["duplicate"]
    print(f"{witness.redelivered} delivered again, {duplicates} of them committed before")
    assert duplicates
    assert witness.disorderly == 0
