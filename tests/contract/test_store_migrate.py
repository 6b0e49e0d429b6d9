"""A database comes to this program's schema once, whoever else tries, and never to another's."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from ingest.model import Nature
from ingest.store import Connection, connect, read
from ingest.store.errors import Fatal
from ingest.store.migrate import INGEST, check_durability, database_kind, migrate, pending
from tests.support.databases import Database

MIGRATE = """
import sys
from ingest.model import Nature
from ingest.store import connect
from ingest.store.migrate import INGEST, migrate
with connect(sys.argv[1], application_name="test") as connection:
    print(migrate(connection, [INGEST], Nature.EXERCISE))
"""


def opened(database: Database) -> Connection:
    return connect(database.url, application_name="test")


OURS = [
    "ingest/0001_ingest",
    "ingest/0002_meaning",
    "ingest/0003_undecided",
    "ingest/0004_configuration",
    "ingest/0005_maintenance",
]


@pytest.fixture
def extra(tmp_path: Path) -> Path:
    """A package's folder with one migration and a file that is none."""
    (tmp_path / "0001_first.sql").write_text(
        "CREATE TABLE first (id int4);\nCREATE TABLE second (id int4);\n"
    )
    (tmp_path / "README.md").write_text("not a migration")
    return tmp_path


@pytest.mark.every_database
def test_empty_database_is_migrated_once_and_knows_its_kind(database: Database) -> None:
    with opened(database) as connection:
        assert pending(connection, [INGEST]) == OURS
        assert read.nature_mark(connection) is None
        assert migrate(connection, [INGEST], Nature.ACTUAL) == OURS
        assert migrate(connection, [INGEST], Nature.ACTUAL) == []
        assert pending(connection, [INGEST]) == []
        assert read.nature_mark(connection) is Nature.ACTUAL
        assert database_kind(connection) == database.kind


@pytest.mark.every_database
def test_two_processes_migrating_at_once_both_succeed(database: Database) -> None:
    command = [sys.executable, "-c", MIGRATE, database.url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert printed == [str(OURS), "[]"]


def test_any_number_migrating_at_the_same_moment_apply_it_once(plain_database: Database) -> None:
    ready = Barrier(6)

    def one(_: int) -> list[str]:
        with opened(plain_database) as connection:
            ready.wait()
            return migrate(connection, [INGEST], Nature.TEST)

    with ThreadPoolExecutor(ready.parties) as pool:
        applied = list(pool.map(one, range(ready.parties)))
    assert sorted(applied) == [[]] * 5 + [OURS]


def test_packages_are_applied_in_the_order_given(plain_database: Database, extra: Path) -> None:
    (extra / "0002_second.sql").write_text("INSERT INTO first SELECT count(*) FROM observation;\n")
    with opened(plain_database) as connection:
        applied = migrate(connection, [INGEST, ("extra", extra)], Nature.TEST)
        assert applied == [*OURS, "extra/0001_first", "extra/0002_second"]


def test_migration_that_was_changed_after_it_ran_is_refused(plain_database: Database, extra: Path) -> None:
    with opened(plain_database) as connection:
        migrate(connection, [("extra", extra)], Nature.TEST)
        first = extra / "0001_first.sql"
        first.write_bytes(first.read_bytes().replace(b"\n", b"\r\n"))
        assert migrate(connection, [("extra", extra)], Nature.TEST) == []
        first.write_text("CREATE TABLE other (id int4);\n")
        with pytest.raises(Fatal, match="extra/0001_first was changed after it was applied"):
            migrate(connection, [("extra", extra)], Nature.TEST)


def test_database_of_a_newer_program_is_refused(plain_database: Database, extra: Path) -> None:
    with opened(plain_database) as connection:
        migrate(connection, [("extra", extra)], Nature.TEST)
        (extra / "0001_first.sql").unlink()
        with pytest.raises(Fatal, match="use a newer Huewatch"):
            migrate(connection, [("extra", extra)], Nature.TEST)
        assert migrate(connection, [INGEST], Nature.TEST) == OURS


def test_migration_that_fails_leaves_nothing_and_can_be_mended(plain_database: Database, extra: Path) -> None:
    first = extra / "0001_first.sql"
    first.write_text("CREATE TABLE first (id int4);\nCREATE TABLE first (id int4);\n")
    with opened(plain_database) as connection:
        with pytest.raises(Fatal, match="already exists"):
            migrate(connection, [("extra", extra)], Nature.TEST)
        first.write_text("CREATE TABLE first (id int4);\n")
        assert migrate(connection, [("extra", extra)], Nature.TEST) == ["extra/0001_first"]


def test_two_migrations_with_one_number_are_refused(plain_database: Database, extra: Path) -> None:
    (extra / "0001_other.sql").write_text("SELECT 1;\n")
    with opened(plain_database) as connection, pytest.raises(Fatal, match="the same number"):
        migrate(connection, [("extra", extra)], Nature.TEST)


def test_database_for_exercises_never_becomes_one_for_reality(plain_database: Database) -> None:
    with opened(plain_database) as connection:
        migrate(connection, [INGEST], Nature.EXERCISE)
        with pytest.raises(Fatal, match="for Exercise and cannot serve Actual"):
            migrate(connection, [INGEST], Nature.ACTUAL)
        assert read.nature_mark(connection) is Nature.EXERCISE


def test_setting_that_endangers_acknowledged_readings_is_named(plain_database: Database) -> None:
    with opened(plain_database) as connection:
        assert check_durability(connection) == []
        connection.execute("SET synchronous_commit = off")
        assert check_durability(connection) == ["synchronous_commit"]


def test_partition_is_made_once_by_any_number_of_processes(plain_database: Database) -> None:
    command = """
import sys
from ingest.store import connect
with connect(sys.argv[1], application_name="test") as connection:
    connection.execute("SELECT ensure_observation_partition('1970-01-01Z')")
    connection.execute("SELECT ensure_observation_partition('1970-01-01Z')")
"""
    with opened(plain_database) as connection:
        migrate(connection, [INGEST], Nature.TEST)
        processes = [subprocess.Popen([sys.executable, "-c", command, plain_database.url]) for _ in range(3)]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        found = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits i JOIN pg_class c"
            " ON c.oid = i.inhrelid WHERE inhparent = 'observation'::regclass"
        ).fetchall()
    assert found == [("observation_19700101",)]
