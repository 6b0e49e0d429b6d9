"""PostgreSQL of our own: it keeps what was committed, however it ends, and says why it cannot start."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ingest import embedded
from ingest.embedded import HOST, EmbeddedError, EmbeddedPostgres, Shutdown
from ingest.embedded_server import can_guard, enters

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user to change to")


@pytest.fixture
def folder(server_folder: Path) -> Iterator[Path]:
    """A place of the test's own that the server's user can enter."""
    with tempfile.TemporaryDirectory(dir=server_folder, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def shared(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """One cluster for the tests below, since making one is slow."""
    server = EmbeddedPostgres(server_folder / "embedded-postgres")
    yield server
    server.stop()


@pytest.fixture
def own(shared: EmbeddedPostgres) -> EmbeddedPostgres:
    """A running server without table `kept`, that the test may end as it likes."""
    shared.stop()
    shared.start()
    with psycopg.connect(shared.url) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
    return shared


def kept(server: EmbeddedPostgres) -> list[int]:
    with psycopg.connect(server.url) as connection:
        return [row[0] for row in connection.execute("SELECT n FROM kept ORDER BY n")]


def keep(server: EmbeddedPostgres, number: int) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_durability_is_on(postgres: EmbeddedPostgres, setting: str) -> None:
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)


def test_text_and_time_do_not_depend_on_the_machine(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        shown = [connection.execute(f"SHOW {name}").fetchone() for name in ("server_encoding", "timezone")]
    assert shown == [("UTF8",), ("UTC",)]


def test_wrong_password_is_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url, password="guess")


def test_server_listens_on_loopback_only(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        shown = connection.execute(
            "SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')"
        ).fetchone()
    assert shown == ("127.0.0.1", "")


@pytest.mark.parametrize("how", Shutdown)
def test_committed_rows_survive_a_restart_on_the_same_url(own: EmbeddedPostgres, how: Shutdown) -> None:
    keep(own, 1)
    url, pid = own.url, own.pid
    own.restart(how)
    assert (own.url, kept(own)) == (url, [1])
    assert own.pid != pid


def test_folder_can_be_started_again_by_another_object(own: EmbeddedPostgres) -> None:
    keep(own, 1)
    own.stop()
    with EmbeddedPostgres(own.folder) as second:
        assert (second.url, kept(second)) == (own.url, [1])


def test_second_server_on_the_folder_is_told_who_has_it(own: EmbeddedPostgres) -> None:
    with pytest.raises(EmbeddedError, match=f"in use by the PostgreSQL with process id {own.pid}"):
        EmbeddedPostgres(own.folder).start()
    assert EmbeddedPostgres(own.folder).url == own.url  # and has not disturbed those who join


def test_port_that_another_has_taken_meanwhile_is_replaced(own: EmbeddedPostgres) -> None:
    keep(own, 1)
    own.stop()
    with socket.create_server((HOST, own.port)), EmbeddedPostgres(own.folder) as second:
        assert second.port != own.port
        assert kept(second) == [1]


def test_lock_of_a_dead_server_whose_number_lives_on_is_forgotten(own: EmbeddedPostgres) -> None:
    keep(own, 1)
    lock = own.data / "postmaster.pid"
    text = lock.read_text()
    own.stop(Shutdown.KILL)
    # In a container every server has the same number; here it is that of a stranger, ourselves.
    lock.write_text(text.replace(text.split("\n", 1)[0], str(os.getpid()), 1))
    own.start()
    assert kept(own) == [1]


def test_initialising_that_was_cut_off_is_begun_again(folder: Path) -> None:
    half = folder / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder / "postgres") as server:
        keep(server, 1)


def test_broken_cluster_is_reported_with_the_servers_words(own: EmbeddedPostgres) -> None:
    own.stop()
    control = own.data / "global" / "pg_control"
    aside = control.rename(own.folder / "pg_control")
    with pytest.raises(EmbeddedError, match="did not start; its last words"):
        own.start()
    aside.rename(control)


def test_stopping_twice_does_nothing(own: EmbeddedPostgres) -> None:
    own.stop()
    own.stop()
    with pytest.raises(EmbeddedError, match="not running"):
        _ = own.pid


@as_root
def test_folder_that_the_servers_user_cannot_enter_is_named(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedError, match=rf"may not enter {closed}"):
        EmbeddedPostgres(closed / "deep" / "postgres").start()


@as_root
def test_server_does_not_run_as_root(own: EmbeddedPostgres) -> None:
    assert Path(f"/proc/{own.pid}").stat().st_uid != 0
    assert own.data.stat().st_uid != 0


@as_root
def test_binaries_out_of_reach_are_copied_to_where_the_user_can_run_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = folder / "cache"
    monkeypatch.setattr(embedded, "CACHE", cache)
    monkeypatch.setattr(embedded, "enters", lambda path, user: path.is_relative_to(folder))
    embedded.binaries.cache_clear()
    try:
        with EmbeddedPostgres(folder / "postgres") as server:  # its own cluster, so that initdb runs too
            running = Path(f"/proc/{server.pid}/exe").resolve()
    finally:
        embedded.binaries.cache_clear()
    assert running.is_relative_to(cache)


@as_root
def test_ordinary_user_needs_no_other(folder: Path) -> None:
    interpreter = Path(sys.executable).resolve().parent
    if not (enters(interpreter, "nobody") and enters(Path(sys.prefix), "nobody")):
        pytest.skip(f"an ordinary user may not enter {interpreter} or {sys.prefix}")
    place = folder / "of-nobody"
    place.mkdir()
    os.chown(place, 65_534, 65_534)
    script = (
        "import sys, psycopg; from pathlib import Path; from ingest.embedded import EmbeddedPostgres\n"
        "with EmbeddedPostgres(Path(sys.argv[1]) / 'pg') as server: psycopg.connect(server.url).close()"
    )
    command = [sys.executable, "-c", script, str(place)]
    subprocess.run(command, check=True, user=65_534, group=65_534, extra_groups=[], timeout=60)


@pytest.mark.skipif(not can_guard(), reason="util-linux's setpriv is missing")
def test_server_dies_with_the_process_that_started_it(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from ingest.embedded import EmbeddedPostgres\n"
        "print(EmbeddedPostgres(Path(sys.argv[1])).start().pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(folder / "postgres")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not (folder / "postgres" / "data" / "postmaster.pid").exists()
