"""The feed's hands on the database: a small pool of connections that can only read, and only briefly.

Promises: every `snapshot` is one repeatable-read, read-only transaction with a statement timeout; a broken
connection is replaced, never reused. Raises `Unavailable` when no answer can be had, and `StoreError` where
waiting does not help. It never waits longer than a few seconds, so that a request says *unknown* instead of
hanging. Called from worker threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from alerts import feed_store, store
from alerts.api.city import City
from alerts.model import NumberedEvent
from alerts.sight import AsOf, Newest, look
from ingest.catalog import Catalogue
from ingest.model import Nature
from ingest.store import configuration, maintenance
from ingest.store.errors import StoreError, reaction_to

STATEMENT_TIMEOUT_MS = 2_000
POOL_WAIT_S = 2.0
CONNECTIONS = 8  # more than one per core only queues inside PostgreSQL

Connection = psycopg.Connection[Any]
# PoolTimeout is one of the first; a table is missing until `huewatch migrate` has run.
_AWAY = (psycopg.OperationalError, psycopg.errors.UndefinedTable)


class Unavailable(Exception):
    """Transient: the database gave no answer. The feed says *unknown* and asks again."""


class TooSlow(Unavailable):
    """The answer took longer than `STATEMENT_TIMEOUT_MS`: too much was asked for, or the database is busy."""


class Reader:
    """Reads for the feed. `open` returns at once, also while the database is away.

    `catalogue` may be replaced at any time: who needs one and the same takes it once.
    """

    def __init__(self, database_url: str, catalogue: Catalogue, nature: Nature) -> None:
        self.catalogue = catalogue
        self.nature = nature
        self.conninfo = _reading(database_url)
        self._city = City(catalogue)
        self._newest: Newest = {}
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            self.conninfo,
            min_size=1,
            max_size=CONNECTIONS,
            open=False,
            name="feed",
            timeout=POOL_WAIT_S,
            reconnect_timeout=POOL_WAIT_S,  # give up soon: the next request tries afresh
            check=ConnectionPool.check_connection,
            configure=_configure,
        )

    @property
    def city(self) -> City:
        """The catalogue in use with its indices: one and the same for an answer that takes it once."""
        catalogue, city = self.catalogue, self._city
        if city.catalogue is not catalogue:
            city = self._city = City(catalogue)
        return city

    def open(self) -> None:
        self._pool.open(wait=False)

    def close(self) -> None:
        self._pool.close(timeout=POOL_WAIT_S)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One consistent view of the database for one answer."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except (psycopg.Error, StoreError) as error:
            cause = error.__cause__ if isinstance(error, StoreError) else error
            if isinstance(cause, psycopg.errors.QueryCanceled):
                raise TooSlow(str(error)) from error
            if isinstance(cause, _AWAY):
                raise Unavailable(str(error)) from error
            raise error if isinstance(error, StoreError) else reaction_to(error) from error

    def as_of(self, connection: Connection, newest: Newest | None = None) -> AsOf:
        """How far we can see in this view. Without `newest`, silent stations are those of the last look."""
        if newest is not None:
            self._newest = newest
        covered = {key for window in maintenance.standing(connection) for key in window.datastreams}
        return look(feed_store.writers(connection), self._newest, self.catalogue, covered)

    def look_around(self) -> AsOf:
        """`as_of` with the newest observations read as well."""
        with self.snapshot() as connection:
            found = feed_store.newest(connection, self.nature)
            return self.as_of(connection, {key: row.time for key, row in found.items()})

    def glance(self) -> AsOf:
        """`as_of` from the writer's rows alone."""
        with self.snapshot() as connection:
            return self.as_of(connection)

    def marked_nature(self) -> str | None:
        """What the database is for, as its first migration marked it for ever."""
        with self.snapshot() as connection:
            row = connection.execute("SELECT nature FROM nature_mark").fetchone()
        return None if row is None else str(row[0])

    def configurations(self) -> list[tuple[str, str]]:
        """The version of the configuration that each partition's `run` has in force."""
        with self.snapshot() as connection:
            return configuration.in_force(connection)

    def head(self) -> int:
        """The number of the newest event."""
        with self.snapshot() as connection:
            return store.head(connection)

    def events_since(self, seq: int, limit: int) -> list[NumberedEvent]:
        """Events after `seq`, in order."""
        with self.snapshot() as connection:
            return store.events_since(connection, seq, limit)


def _reading(database_url: str) -> str:
    settings = {
        "search_path": "huewatch,public",
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "default_transaction_read_only": "on",
        "TimeZone": "UTC",
    }
    return make_conninfo(
        database_url,
        options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
        application_name="huewatch feed",
        connect_timeout=3,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )


def _configure(connection: Connection) -> None:
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
