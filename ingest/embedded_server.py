"""A server as our own child: its folder, its unprivileged user, its port, its log, its life.

`ingest.embedded` makes PostgreSQL and mosquitto of it. As root a server runs as a user of its own, who must
be able to reach its folder. It dies with the *thread* that started it, where the kernel can do that.
"""

from __future__ import annotations

import getpass
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

HOST = "127.0.0.1"
# Below the ports that the kernel gives to clients: a client that keeps trying to reach a server which is down
# would sooner or later be given the server's own port, connect to itself, and keep the server out.
PORTS = range(10_000, 32_768)
START_SECONDS = 30.0  # a cold, loaded machine; a second is usual
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02


class EmbeddedError(Exception):
    """Fatal: a server of our own cannot run here. The text says why and what to do."""


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    while not _is_free(port := PORTS[secrets.randbelow(len(PORTS))]):
        pass
    return port


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def _recorded(record: Path) -> int | None:
    try:
        return int(record.read_text())
    except (OSError, ValueError):
        return None


class Server(ABC):
    """One child process with its folder, its unprivileged user and its log."""

    name: ClassVar[str]

    def __init__(self, folder: Path, user: str, *, die_with_parent: bool) -> None:
        self.folder = folder.absolute()
        self.user = user
        # The last port again where it is free: mosquitto knows a session by its listener's port. Who joins
        # a server that runs in this folder finds it by the same record.
        self.port = _recorded(self.folder / "port") or free_port()
        self._began = False
        self._die_with_parent = die_with_parent
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where the server's own words go."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """The running server's process id; `EmbeddedError` when it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise EmbeddedError(f"{self.name} is not running; see {self.log}")
        return self._process.pid

    @abstractmethod
    def start(self) -> Self:
        """Start it and wait until it answers."""

    @abstractmethod
    def stop(self) -> None:
        """End it in good order; a second call does nothing."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user)
        check_folder(self.folder, self.user)
        if not self._began and not _is_free(self.port):
            self.port = free_port()
        self._began = True

    def _write(self, name: str, text: str) -> Path:
        """A file in the folder for the server's user alone, replaced whole."""
        path = self.folder / name
        fresh = self.folder / f".{name}.new"
        with open(fresh, "w", opener=lambda p, flags: os.open(p, flags, 0o600), encoding="utf-8") as file:
            file.write(text)
        if os.geteuid() == 0:
            shutil.chown(fresh, self.user)
        fresh.replace(path)
        return path

    def _spawn(self, command: Sequence[str | Path], dying: str) -> subprocess.Popen[bytes]:
        """Our child, as its user, out of reach of the terminal's Ctrl-C; gets signal `dying` when we die."""
        guard = ["setpriv", "--pdeathsig", dying, "--"] if self._die_with_parent and can_guard() else []
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            return subprocess.Popen(
                [*guard, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **as_user(self.user),
            )

    def _wait_until(self, ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedError(f"{self.name} did not start; its last words:\n{self.last_words()}")
            time.sleep(POLL_SECONDS)
        self._write("port", str(self.port))

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def last_words(self) -> str:
        """The end of what the server has logged since its last start."""
        if not self.log.exists():
            return "(nothing)"
        return self.log.read_bytes()[self._log_start :].decode(errors="replace")[-2_000:]


def check_folder(folder: Path, user: str) -> None:
    """Whether `user` can enter and write `folder`: mosquitto, for one, would run on silently without it."""
    if _succeeds('cd -- "$1" && test -w .', folder, user):
        return
    closed = [parent for parent in folder.parents if not enters(parent, user)]
    reason = f"may not enter {closed[-1]}" if closed else "may not write there"
    raise EmbeddedError(f"{folder}: the server's user {user!r} {reason}; choose another folder, or open it")


def enters(folder: Path, user: str) -> bool:
    """Whether `user` can make `folder` its working directory."""
    return _succeeds('cd -- "$1"', folder, user)


def _succeeds(script: str, folder: Path, user: str) -> bool:
    command = ["sh", "-c", script, "sh", str(folder)]
    return (
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False, cwd="/", **as_user(user)).returncode
        == 0
    )


def unprivileged(preferred: str) -> str:
    """The user a server runs as: ourselves, unless we are root, which neither server accepts."""
    if os.geteuid() != 0:
        return getpass.getuser()
    try:
        return pwd.getpwnam(preferred).pw_name
    except KeyError:
        return "nobody"


def as_user(user: str) -> dict[str, Any]:
    """What `subprocess` needs to run a child as `user`; nothing when we are not root and are that user."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@cache
def can_guard() -> bool:
    """Whether util-linux can ask the kernel to signal a child when its parent dies.

    Not `preexec_fn`: Python code between fork and exec may deadlock in a process that has threads.
    """
    if shutil.which("setpriv") is None:
        return False
    return b"--pdeathsig" in subprocess.run(["setpriv", "--help"], capture_output=True, check=False).stdout
