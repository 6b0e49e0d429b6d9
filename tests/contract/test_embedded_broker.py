"""mosquitto of our own: it answers when `start` returns, and never runs where it could not keep its state."""

import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.embedded import ACCOUNTS, HOST, EmbeddedBroker, EmbeddedError
from ingest.embedded_server import check_folder
from tests.support.mqtt import Client

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user to change to")
DAY = 86_400


@pytest.fixture
def folder(server_folder: Path) -> Iterator[Path]:
    """A place of the test's own that the server's user can enter."""
    with tempfile.TemporaryDirectory(dir=server_folder, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def test_every_account_can_connect_when_start_returns(broker: EmbeddedBroker) -> None:
    for user in ACCOUNTS:
        Client.login(broker, user).disconnect()


def test_restart_keeps_port_accounts_and_sessions(broker: EmbeddedBroker) -> None:
    url = broker.url("ingest")
    Client.login(broker, "ingest", session=DAY).disconnect()
    broker.restart()
    assert broker.url("ingest") == url
    with Client.login(broker, "ingest", session=DAY) as client:
        assert client.connack.session_present


def test_folder_can_be_started_again_by_another_object(broker: EmbeddedBroker) -> None:
    Client.login(broker, "ingest", session=DAY).disconnect()
    url = broker.url("ingest")
    broker.stop()
    with EmbeddedBroker(broker.folder) as again:
        assert again.url("ingest") == url
        with Client.login(again, "ingest", session=DAY) as client:
            assert client.connack.session_present


def test_account_that_is_new_since_the_last_start_is_added(broker: EmbeddedBroker) -> None:
    broker.stop()
    older = {user: password for user, password in broker.accounts.items() if user != "exercise-admin"}
    (broker.folder / "accounts.json").write_text(json.dumps(older))
    with EmbeddedBroker(broker.folder) as again:
        assert older.items() < again.accounts.items()
        Client.login(again, "exercise-admin").disconnect()


def test_killed_broker_keeps_what_it_wrote_down_before(broker: EmbeddedBroker) -> None:
    state = broker.folder / "mosquitto.db"
    with Client.login(broker, "ingest", session=DAY) as client:
        client.subscribe("hue/v1/#")
    with Client.login(broker, "simulator") as simulator:
        simulator.publish("hue/v1/gw-1/dev-1/readings", b"kept")
    _await_writing(state, since=state.stat().st_mtime_ns if state.exists() else 0)
    broker.kill()
    broker.start()
    with Client.login(broker, "ingest", session=DAY) as client:
        assert [packet.payload for packet in client.receive(1)] == [b"kept"]


def _await_writing(state: Path, since: int) -> None:
    """Wait for the broker's own next saving, 5 s apart."""
    deadline = time.monotonic() + 20
    while not state.exists() or state.stat().st_mtime_ns == since:
        assert time.monotonic() < deadline, "the broker never wrote its state"
        time.sleep(0.05)


def test_missing_mosquitto_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kwargs: None)
    with pytest.raises(EmbeddedError, match="apt-get install mosquitto"):
        EmbeddedBroker(folder / "mosquitto").start()


def test_another_process_finds_a_running_broker_by_its_folder(broker: EmbeddedBroker) -> None:
    joined = EmbeddedBroker(broker.folder)
    assert joined.url("ingest") == broker.url("ingest")


def test_port_lost_during_a_restart_is_reported_with_the_brokers_words(broker: EmbeddedBroker) -> None:
    """Its clients know this port, so another one would not help them."""
    broker.stop()
    with (
        socket.create_server((HOST, broker.port)),
        pytest.raises(EmbeddedError, match=r"did not start(?s:.*)Address already in use"),
    ):
        broker.start()


@as_root
def test_folder_that_the_brokers_user_cannot_write_is_refused(folder: Path) -> None:
    """mosquitto itself would start, log an error at each saving, and lose everything at the end."""
    owned_by_root = folder / "data"
    owned_by_root.mkdir(mode=0o755)
    with pytest.raises(EmbeddedError, match="may not write there"):
        check_folder(owned_by_root, "nobody")


@as_root
def test_broker_does_not_run_as_root(broker: EmbeddedBroker) -> None:
    assert Path(f"/proc/{broker.pid}").stat().st_uid != 0


def test_secrets_are_for_the_servers_user_alone(broker: EmbeddedBroker) -> None:
    for name in ("accounts.json", "mosquitto.passwd", "mosquitto.conf"):
        assert (broker.folder / name).stat().st_mode & 0o077 == 0
