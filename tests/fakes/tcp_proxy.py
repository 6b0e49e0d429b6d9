"""A TCP proxy on loopback that breaks a database connection exactly at its COMMIT.

`cut_at_commit` arms it for one COMMIT of one client; until then and after it only forwards. The client
always sees a broken connection; `Cut` says what became of the COMMIT on the other side.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from enum import Enum, auto
from typing import Self

COMMIT = b"COMMIT\0"  # the end of the simple-query message that psycopg sends
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: closing sends RST


class Cut(Enum):
    """What the server gets when the client loses its connection."""

    ANSWERED = auto()  # the COMMIT; it was carried out, and its answer thrown away
    LOST = auto()  # nothing, and a closed connection
    HELD = auto()  # nothing, and a connection that stays open
    LATE = auto()  # the COMMIT, at the moment when the client connects again


class TcpProxy:
    """Forwards `port` on loopback to `target`."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        self._cut: Cut | None = None
        self._late: list[tuple[socket.socket, bytes]] = []
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, name="tcp-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for one in self._open:
            _close(one)

    def cut_at_commit(self, cut: Cut) -> None:
        """Break the connection that sends the next COMMIT."""
        self._cut = cut

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            while self._late:
                server, commit = self._late.pop()
                with suppress(OSError):
                    server.sendall(commit)
            server = socket.create_connection(self._target)
            self._open += (client, server)
            _Link(self, client, server).start()

    def take_cut(self) -> Cut | None:
        cut, self._cut = self._cut, None
        self.cuts += cut is not None
        return cut

    def keep_late(self, server: socket.socket, commit: bytes) -> None:
        self._late.append((server, commit))


class _Link:
    """One connection, both ways."""

    def __init__(self, proxy: TcpProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._deaf = False  # answers are thrown away
        self._answered = threading.Event()

    def start(self) -> None:
        for pump in (self._to_server, self._to_client):
            threading.Thread(target=pump, name="tcp-proxy-link", daemon=True).start()

    def _to_client(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(65_536):
                if self._deaf:
                    self._answered.set()
                else:
                    self._client.sendall(data)
        self._answered.set()
        _close(self._client)

    def _to_server(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(65_536):
                if data.endswith(COMMIT) and (cut := self._proxy.take_cut()) is not None:
                    self._break(cut, data)
                    return
                self._server.sendall(data)
        _close(self._server)

    def _break(self, cut: Cut, commit: bytes) -> None:
        self._deaf = True
        if cut is Cut.ANSWERED:
            self._server.sendall(commit)
            self._answered.wait(10)
        elif cut is Cut.LATE:
            self._proxy.keep_late(self._server, commit)
        if cut in (Cut.ANSWERED, Cut.LOST):
            _close(self._server)
        _close(self._client)


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        one.shutdown(socket.SHUT_RDWR)
    one.close()
