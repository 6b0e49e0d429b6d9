"""The city under fault: a PostgreSQL that a test may stop, a broker, a configuration, a load."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.embedded import EmbeddedBroker, EmbeddedPostgres
from tests.faults.harness import Service, write_config
from tests.faults.publisher import Publisher, wave

WAVES, TIMELESS = 60, 20
RATE = 2_000


@pytest.fixture
def own_postgres(server_folder: Path, tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that the test may stop and restart."""
    with EmbeddedPostgres(server_folder / f"own-{tmp_path.name}") as server:
        yield server


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "config", WAVES, TIMELESS)


@pytest.fixture
def service(
    tmp_path: Path, config: Path, broker: EmbeddedBroker, own_postgres: EmbeddedPostgres
) -> Iterator[Service]:
    """`huewatch run`, migrated but not yet started; whatever runs at the end is killed."""
    service = Service(tmp_path, config, broker, own_postgres.url)
    done = service.command("migrate")
    assert done.returncode == 0, done.stdout + done.stderr
    yield service
    if service.running:
        service.kill()


@pytest.fixture
def publisher(broker: EmbeddedBroker) -> Publisher:
    """The load, not yet started: readings of the last hours, in order, a part of them without a time."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=12)
    return Publisher(
        broker.port, "simulator", broker.accounts["simulator"], wave(start, WAVES, TIMELESS), RATE
    )


@pytest.fixture
def moments(rng: random.Random) -> Iterator[float]:
    """Endless random moments, uniform between 0 and 2 s."""
    return iter(lambda: rng.uniform(0, 2), None)
