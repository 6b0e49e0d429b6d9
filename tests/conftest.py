"""What every test can ask for: a database, a broker, a seeded source of chance.

A part that is missing here skips the tests that need it and says so; with HUEWATCH_TEST_REQUIRE=all they
fail.
"""

import os
import random
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from ingest.embedded import EmbeddedBroker, EmbeddedPostgres
from tests.support.databases import Database, fresh_database
from tests.support.parts import OPTIONAL, TIMESCALEDB, missing, need_program

# In the environment, so that the processes which share a run's tests share its seed.
SEED = os.environ.setdefault("HUEWATCH_TEST_SEED", str(secrets.randbelow(2**32)))

# A failing example is printed with a blob that repeats it. No deadline: pytest-timeout limits every test, and
# a shared machine may pause.
hypothesis.settings.register_profile("huewatch", print_blob=True, deadline=None)
hypothesis.settings.load_profile("huewatch")


def pytest_configure(config: pytest.Config) -> None:
    """One seed for everything random, hypothesis included, so that a failing run can be repeated."""
    if config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = SEED


def pytest_report_header() -> list[str]:
    """How to repeat this run, and what it runs on."""
    required = os.environ.get("HUEWATCH_TEST_REQUIRE", "none")
    return [
        f"seed: HUEWATCH_TEST_SEED={SEED}",
        f"databases: {', '.join(_kinds())} (parts required: {required})",
    ]


def _kinds() -> list[str]:
    """Kinds of server that `every_database` means here; an optional one only where it is named."""
    named = [kind for kind, variable in TIMESCALEDB.items() if kind not in OPTIONAL or variable in os.environ]
    return ["postgresql", *named]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`database` is plain PostgreSQL, and every kind of server in tests marked `every_database`."""
    if "database" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_database")
        metafunc.parametrize("database", _kinds() if every else ["postgresql"], indirect=True)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    """The run's seed with the test's own name: each test has its own chance, whichever others run."""
    return f"{SEED}/{request.node.nodeid}"


@pytest.fixture
def rng(seed: str) -> random.Random:
    """A source of chance that the header's seed repeats."""
    return random.Random(seed)


@pytest.fixture
def fault_runs() -> int:
    """How often a fault is repeated: 20 clean runs bound its probability at 15 %, 300 at 1 %."""
    return int(os.environ.get("HUEWATCH_TEST_RUNS", "20"))


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that the servers' own users can enter, which pytest's tmp_path is not for root."""
    with tempfile.TemporaryDirectory(prefix="huewatch-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """The run's one PostgreSQL. Tests that stop or restart a server start one of their own."""
    with EmbeddedPostgres(server_folder / "postgres") as server:
        yield server


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database of the test's own, on plain PostgreSQL or as `every_database` asks."""
    kind: str = request.param
    if kind == "postgresql":
        url = request.getfixturevalue("postgres").url
    else:
        variable = TIMESCALEDB[kind]
        url = os.environ.get(variable) or missing(
            kind, f"{variable} names no server; .ci/timescaledb starts one"
        )
    with fresh_database(url, kind) as fresh:
        yield fresh


@pytest.fixture
def plain_database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """An empty database on plain PostgreSQL, in tests that `every_database` would only repeat."""
    with fresh_database(postgres.url, "postgresql") as fresh:
        yield fresh


@pytest.fixture
def broker(server_folder: Path) -> Iterator[EmbeddedBroker]:
    """A mosquitto of the test's own, under production's configuration."""
    need_program("mosquitto", "mosquitto")
    with tempfile.TemporaryDirectory(dir=server_folder, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        with EmbeddedBroker(Path(name) / "mosquitto") as server:
            yield server
