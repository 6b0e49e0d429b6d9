"""Brings a database to this program's schema, once, whoever else tries at the same time.

Each package's files `NNNN_name.sql` run in order, each in its own transaction, under an advisory lock;
a file that was applied may not change (checksum). The first migration marks what the database is for
(`Nature`), for ever. It never goes back and never drops. Called by `huewatch migrate`, demo and tests.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

from ingest.model import Nature
from ingest.store.connection import Connection
from ingest.store.errors import Fatal, reactions

DatabaseKind = Literal["timescaledb-community", "timescaledb-apache", "postgresql"]

INGEST: tuple[str, Traversable] = ("ingest", files("ingest.store") / "migrations")

_LOCK = 7_203_944_151_860  # any constant of our own: one migration at a time in a database
_FILE = re.compile(r"([0-9]{4})_([a-z0-9_]+)\.sql")

_BOOTSTRAP = """
CREATE SCHEMA IF NOT EXISTS huewatch;
CREATE TABLE IF NOT EXISTS huewatch.schema_migration (
    package text NOT NULL,
    number int4 NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (package, number)
);
CREATE TABLE IF NOT EXISTS huewatch.nature_mark (
    nature text NOT NULL CHECK (nature IN ('Actual', 'Exercise', 'Test')),
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
);
"""


@dataclass(frozen=True, slots=True)
class _File:
    package: str
    number: int
    name: str
    script: bytes

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.script).hexdigest()

    def __str__(self) -> str:
        return f"{self.package}/{self.number:04}_{self.name}"


@reactions()
def migrate(connection: Connection, packages: Sequence[tuple[str, Traversable]], nature: Nature) -> list[str]:
    """Apply what is missing and name it. Raises `Fatal` for another nature, a changed or an unknown file."""
    with _alone(connection):
        _bootstrap(connection)
        _mark_nature(connection, nature)
        missing = _missing(connection, packages)
        for file in missing:
            _apply(connection, file)
    return [str(file) for file in missing]


@reactions()
def pending(connection: Connection, packages: Sequence[tuple[str, Traversable]]) -> list[str]:
    """The files that `migrate` would apply; empty when the schema is this program's."""
    if connection.execute("SELECT to_regclass('huewatch.schema_migration')").fetchone() == (None,):
        return [str(file) for file in _all_files(packages)]
    return [str(file) for file in _missing(connection, packages)]


@reactions()
def database_kind(connection: Connection) -> DatabaseKind:
    """Which server keeps this database; TimescaleDB counts where its extension is installed."""
    row = connection.execute(
        "SELECT current_setting('timescaledb.license', true) FROM pg_extension WHERE extname = 'timescaledb'"
    ).fetchone()
    if row is None:
        return "postgresql"
    return "timescaledb-apache" if row[0] == "apache" else "timescaledb-community"


@reactions()
def check_durability(connection: Connection) -> list[str]:
    """The settings that are off although an acknowledged reading depends on them."""
    rows = connection.execute(
        "SELECT name FROM pg_settings WHERE setting = 'off'"
        " AND name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name"
    )
    return [str(name) for (name,) in rows]


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Hold the migration lock; one that waits for another's migration waits up to a minute."""
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '60s'")
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _bootstrap(connection: Connection) -> None:
    with connection.transaction():
        # The loader's own setting tells that the library is preloaded; CREATE EXTENSION needs that.
        offered = connection.execute(
            "SELECT 1 FROM pg_available_extensions, pg_settings s"
            " WHERE pg_available_extensions.name = 'timescaledb' AND s.name = 'timescaledb.disable_load'"
        ).fetchone()
        if offered:
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public")
        connection.execute(_BOOTSTRAP)


def _mark_nature(connection: Connection, nature: Nature) -> None:
    connection.execute("INSERT INTO nature_mark (nature) VALUES (%s) ON CONFLICT DO NOTHING", (nature.value,))
    (marked,) = connection.execute("SELECT nature FROM nature_mark").fetchone() or (None,)
    if marked != nature.value:
        raise Fatal(
            f"this database is for {marked} and cannot serve {nature.value}: use a database of its own"
        )


def _missing(connection: Connection, packages: Sequence[tuple[str, Traversable]]) -> list[_File]:
    offered = {(file.package, file.number): file for file in _all_files(packages)}
    applied = connection.execute("SELECT package, number, name, checksum FROM schema_migration").fetchall()
    names = {package for package, _ in packages}
    for package, number, name, checksum in applied:
        file = offered.pop((package, number), None)
        if file is None and package in names:
            raise Fatal(f"the database has {package}/{number:04}_{name}, unknown here: use a newer Huewatch")
        if file is not None and file.checksum != checksum:
            raise Fatal(
                f"{file} was changed after it was applied: restore the file, put the change in a new one"
            )
    return list(offered.values())


def _all_files(packages: Sequence[tuple[str, Traversable]]) -> list[_File]:
    return [file for package, folder in packages for file in _files(package, folder)]


def _files(package: str, folder: Traversable) -> list[_File]:
    """The numbered files of one package, in order; other files are not ours to run."""
    found = []
    for entry in folder.iterdir():
        if match := _FILE.fullmatch(entry.name):
            script = entry.read_bytes().replace(b"\r\n", b"\n")  # a checkout may change line ends
            found.append(_File(package, int(match[1]), match[2], script))
    found.sort(key=lambda file: file.number)
    if len({file.number for file in found}) != len(found):
        raise Fatal(f"two migrations of {package} have the same number: renumber one")
    return found


def _apply(connection: Connection, file: _File) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 0")  # an index over years may take its time
        connection.execute(file.script)
        connection.execute(
            "INSERT INTO schema_migration (package, number, name, checksum) VALUES (%s, %s, %s, %s)",
            (file.package, file.number, file.name, file.checksum),
        )
