"""The feed's writing hand: a few connections apart from those that read, each statement briefly.

Promises: writes never wait behind reads nor reads behind writes; a transaction of ours that stands still is
ended by the server. Raises `Unavailable` when the database gives no answer, and `StoreError` where waiting
does not help. Called from worker threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg_pool import ConnectionPool

from alerts.api.reader import POOL_WAIT_S, Connection, conninfo, unavailable_while_away

CONNECTIONS = 3  # events are appended one transaction after the other; more would only queue for the lock
PATIENCE_MS = 3_000  # longer than `handling_store.PATIENCE`, which is inside it

_SETTINGS = {
    "statement_timeout": str(PATIENCE_MS),
    "lock_timeout": str(PATIENCE_MS),
    "idle_in_transaction_session_timeout": str(PATIENCE_MS),
}


class Writer:
    """Connections for writes. `open` returns at once, also while the database is away."""

    def __init__(self, database_url: str) -> None:
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            conninfo(database_url, "huewatch feed writes", _SETTINGS),
            kwargs={"autocommit": True},
            min_size=1,
            max_size=CONNECTIONS,
            open=False,
            name="feed writes",
            timeout=POOL_WAIT_S,
            reconnect_timeout=POOL_WAIT_S,
            check=ConnectionPool.check_connection,
        )

    def open(self) -> None:
        self._pool.open(wait=False)

    def close(self) -> None:
        self._pool.close(timeout=POOL_WAIT_S)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """An autocommit connection; whoever wants a transaction opens one."""
        with unavailable_while_away(), self._pool.connection() as connection:
            yield connection
