"""The feed's writing hand: a few connections apart from those that read, each statement briefly.

Raises `Unavailable` when the database gives no answer, and `StoreError` where waiting does not help. Called
from worker threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from alerts.api.reader import Connection, Unavailable
from ingest.store import connect
from ingest.store.errors import Transient, reaction_to


class Writer:
    """Connections for writes. `open` returns at once, also while the database is away."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def open(self) -> None:
        """Nothing is kept open: people write seldom."""

    def close(self) -> None:
        """Nothing is kept open."""

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """An autocommit connection; whoever wants a transaction opens one."""
        try:
            with connect(self._database_url, application_name="huewatch feed writes") as connection:
                yield connection
        except (psycopg.OperationalError, Transient) as error:
            raise Unavailable(str(error)) from error
        except psycopg.Error as error:
            raise reaction_to(error) from error
