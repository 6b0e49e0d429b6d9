"""The promise when database or broker restart while 2,000 messages/s arrive: drained, nothing lost."""

import time

import pytest

from ingest.embedded import EmbeddedBroker, EmbeddedPostgres, Shutdown
from tests.faults.publisher import Publisher
from tests.faults.service import Service
from tests.faults.settle import same_process, settle

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
RESTARTS = 3


@pytest.mark.parametrize("how", list(Shutdown), ids=lambda how: how.name.lower())
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
