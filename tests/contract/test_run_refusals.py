"""What only a person can mend ends `run` and `feed` with 1 and one line that says how; no traceback."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from mqtt5 import PubAckReasonCode

from huewatch import MIGRATIONS
from ingest.embedded import EmbeddedBroker, free_port
from ingest.model import Nature
from ingest.new_station import copy_shipped_config
from ingest.store import connect
from ingest.store.migrate import migrate
from ingest.store.write import Writer
from tests.support.databases import Database
from tests.support.mqtt import Client

SECONDS = 60  # of a loaded machine; a second or two is usual
CONNACK_OF_MQTT_3 = b"\x20\x02\x00\x00"
OLD_ROUTE = """\
routes:
  - { filter: hue/v1/+/+/old, codec: huewatch-json, gateway_level: 3, device_level: 4 }
"""


def environment(database: Database, **settings: object) -> dict[str, str]:
    """Nothing but these settings; ports of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HUEWATCH_")}
    given = {
        "database_url": database.url,
        "broker_host": "127.0.0.1",
        "broker_port": 1,
        "nature": "Exercise",
        "metrics_port": free_port(),
        "feed_port": free_port(),
        "feed_metrics_port": free_port(),
    } | settings
    return own | {f"HUEWATCH_{name.upper()}": str(value) for name, value in given.items()}


def refusal(command: str, settings: Mapping[str, str]) -> str:
    """The last line of a command that must end by itself with 1."""
    done = subprocess.run(
        [sys.executable, "-m", "huewatch", command],
        env=settings,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert not tracebacks(done.stderr)
    return done.stderr.strip().splitlines()[-1]


def tracebacks(text: str) -> list[str]:
    """Lines that no person should get to see; a log line may carry one as a field."""
    return [
        line for line in text.splitlines() if line.lstrip(" |+").startswith(("Traceback", "Exception Group"))
    ]


def login(broker: EmbeddedBroker, user: str = "ingest") -> dict[str, object]:
    return {
        "broker_port": broker.port,
        "broker_username": user,
        "broker_password": broker.accounts[user],
    }


@pytest.fixture
def city(database: Database) -> Database:
    """A migrated database for exercises."""
    with connect(database.url, application_name="test") as connection:
        migrate(connection, MIGRATIONS, Nature.EXERCISE)
    return database


@contextmanager
def listening(answer: bytes = b"") -> Iterator[int]:
    """A port of this machine in use; whoever connects gets `answer`."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.recv(1_000)
                    client.sendall(answer)
                    client.recv(1_000)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("command", ["run", "alerts list", "ledger"])
def test_database_that_was_never_migrated_names_the_command(database: Database, command: str) -> None:
    settings = environment(database)
    done = subprocess.run(
        [sys.executable, "-m", "huewatch", *command.split()],
        env=settings, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "run `huewatch migrate`" in done.stderr.strip().splitlines()[-1]
    assert not tracebacks(done.stderr)


@pytest.mark.parametrize("command", ["run", "feed"])
def test_database_for_something_else_is_refused(city: Database, command: str) -> None:
    assert "the database is for Exercise" in refusal(command, environment(city, nature="Actual"))


def test_feed_whose_role_may_not_read_says_what_to_grant(city: Database) -> None:
    with psycopg.connect(city.url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS blind_reader")
        connection.execute("CREATE ROLE blind_reader LOGIN PASSWORD 'x'")
        connection.execute("GRANT USAGE ON SCHEMA huewatch TO blind_reader")
        url = psycopg.conninfo.make_conninfo(city.url, user="blind_reader", password="x")
        assert "grant the role its rights" in refusal("feed", environment(city, database_url=url))
        connection.execute("DROP OWNED BY blind_reader")
        connection.execute("DROP ROLE blind_reader")


def test_partition_that_is_held_names_its_holder(city: Database) -> None:
    holder = Writer(city.url, "hue", "first@host", 4)
    holder.claim()
    said = refusal("run", environment(city))
    assert "held by first@host" in said
    assert "stop that process" in said
    holder.close()


def test_partition_that_is_taken_over_stops_the_service(city: Database, broker: EmbeddedBroker) -> None:
    settings = environment(city, **login(broker))
    process = subprocess.Popen(
        [sys.executable, "-m", "huewatch", "run"],
        env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with psycopg.connect(city.url, autocommit=True) as connection:
            _await_row(
                connection,
                process,
                "UPDATE huewatch.writer SET epoch = epoch + 1, owner = 'operator'"
                " WHERE batch > 0 RETURNING 1",
            )
        _, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "belongs to operator now" in err.strip().splitlines()[-1]
    assert not tracebacks(err)


def test_broker_that_speaks_no_mqtt_5_is_refused_with_the_remedy(city: Database) -> None:
    with listening(CONNACK_OF_MQTT_3) as port:
        said = refusal("run", environment(city, broker_port=port))
    assert "the broker must speak MQTT 5" in said


@pytest.mark.parametrize(
    ("command", "setting"),
    [("run", "metrics_port"), ("feed", "feed_port"), ("feed", "feed_metrics_port")],
)
def test_port_in_use_is_named_with_its_setting(city: Database, command: str, setting: str) -> None:
    with listening() as port:
        said = refusal(command, environment(city, **{setting: port}))
    assert f"Cannot listen on 127.0.0.1:{port}" in said
    assert f"HUEWATCH_{setting.upper()}" in said


def test_route_that_left_the_configuration_is_unsubscribed(
    city: Database, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    copy_shipped_config(tmp_path / "city")
    left = tmp_path / "city" / "catalog" / "old.yaml"
    left.write_text(OLD_ROUTE)
    _serve_once(city, broker, tmp_path / "city")
    with Client.login(broker, "simulator") as gateway:
        assert gateway.publish("hue/v1/gw/d/old") is PubAckReasonCode.SUCCESS
    left.unlink()
    _serve_once(city, broker, tmp_path / "city")
    with Client.login(broker, "simulator") as gateway:
        assert gateway.publish("hue/v1/gw/d/old") is PubAckReasonCode.NO_MATCHING_SUBSCRIBERS
        assert gateway.publish("hue/v1/gw/d/readings") is PubAckReasonCode.SUCCESS


def _serve_once(city: Database, broker: EmbeddedBroker, configuration: Path) -> None:
    """`run` until it can see, then SIGTERM."""
    settings = environment(city, **login(broker), config_dir=configuration)
    process = subprocess.Popen([sys.executable, "-m", "huewatch", "run"], env=settings)
    try:
        with psycopg.connect(city.url, autocommit=True) as connection:
            connection.execute("UPDATE huewatch.writer SET sighted_since = NULL")
            _await_row(connection, process, "SELECT 1 FROM huewatch.writer WHERE sighted_since IS NOT NULL")
        process.terminate()
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()


def _await_row(connection: psycopg.Connection, process: subprocess.Popen[Any], query: LiteralString) -> None:
    while not connection.execute(query).fetchone():
        assert process.poll() is None, "the service ended"
        time.sleep(0.05)
