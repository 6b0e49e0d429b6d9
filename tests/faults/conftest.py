"""The city under fault: a PostgreSQL that a test may stop, a broker, a configuration, a load."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from ingest.embedded import EmbeddedBroker, EmbeddedPostgres
from tests.fakes.mqtt_witness import MqttWitness
from tests.fakes.tcp_proxy import TcpProxy
from tests.faults.publisher import Publisher, wave
from tests.faults.service import Service, write_config
from tests.support.databases import Database

WAVES, TIMELESS = 60, 20
RATE = 2_000
# A second of the stream lasts 40 ms, so a day of it lasts an hour: longer than 300 kills, and never ahead of
# the clock.
BEHIND = timedelta(days=1)


@pytest.fixture
def own_postgres(server_folder: Path, tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that the test may stop and restart."""
    with EmbeddedPostgres(server_folder / f"own-{tmp_path.name}") as server:
        yield server


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database: on `own_postgres` where the test asks for one, else on the run's PostgreSQL."""
    if "own_postgres" in request.fixturenames:
        own: EmbeddedPostgres = request.getfixturevalue("own_postgres")
        return own.url
    shared: Database = request.getfixturevalue("plain_database")
    return shared.url


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "config", WAVES, TIMELESS)


@pytest.fixture
def service(tmp_path: Path, config: Path, broker: EmbeddedBroker, database_url: str) -> Iterator[Service]:
    """`huewatch run`, migrated but not yet started; whatever runs at the end is killed."""
    service = Service(tmp_path, config, broker, database_url)
    done = service.command("migrate")
    assert done.returncode == 0, done.stdout + done.stderr
    yield service
    if service.running:
        service.kill()


@pytest.fixture
def publisher(broker: EmbeddedBroker) -> Iterator[Publisher]:
    """The load, not yet started: readings of the last day, in order, a quarter of them without a time."""
    start = datetime.now(UTC).replace(microsecond=0) - BEHIND
    publisher = Publisher(
        broker.port, "simulator", broker.accounts["simulator"], wave(start, WAVES, TIMELESS), RATE
    )
    yield publisher
    publisher.end()


@pytest.fixture
def witness(broker: EmbeddedBroker, service: Service) -> Iterator[MqttWitness]:
    """On the wire between broker and service."""
    with MqttWitness(broker.port) as witness:
        service.set("HUEWATCH_BROKER_PORT", str(witness.port))
        yield witness


@pytest.fixture
def proxy(service: Service, database_url: str) -> Iterator[TcpProxy]:
    """Between the service and its database."""
    parts = urlsplit(database_url)
    assert parts.hostname
    assert parts.port
    with TcpProxy((parts.hostname, parts.port)) as proxy:
        netloc = parts.netloc.replace(f":{parts.port}", f":{proxy.port}")
        service.set("HUEWATCH_DATABASE_URL", urlunsplit(parts._replace(netloc=netloc)))
        yield proxy
