"""A fresh, empty database for each test, on a server that lives as long as the test run."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


@dataclass(frozen=True, slots=True)
class Database:
    """`url` opens it; `kind` is what `database_kind` must say of it."""

    url: str
    kind: str

    def connect(self) -> psycopg.Connection:
        """A bare autocommit connection, for looking at what the code under test did."""
        return psycopg.connect(self.url, autocommit=True)


@contextmanager
def fresh_database(server_url: str, kind: str) -> Iterator[Database]:
    """A database of its own on that server, dropped afterwards with whoever is still connected."""
    name = f"test_{secrets.token_hex(6)}"
    _run(server_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    try:
        yield Database(url, kind)
    finally:
        _run(server_url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _run(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
