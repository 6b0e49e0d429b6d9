"""Each error of the database becomes the error that says what to do next."""

import psycopg
import pytest
from psycopg import errors

from ingest.store.errors import Fatal, Poison, StoreError, Transient, reaction_to, reactions


@pytest.mark.parametrize(
    ("error", "reaction", "remedy"),
    [
        (psycopg.OperationalError("server closed the connection"), Transient, "try again"),
        (psycopg.InterfaceError("the connection is closed"), Transient, "try again"),
        (errors.AdminShutdown("terminating"), Transient, "try again"),
        (errors.CrashShutdown("crash"), Transient, "try again"),
        (errors.CannotConnectNow("starting up"), Transient, "try again"),
        (errors.SerializationFailure("again"), Transient, "try again"),
        (errors.DeadlockDetected("deadlock"), Transient, "try again"),
        (errors.LockNotAvailable("lock"), Transient, "try again"),
        (errors.QueryCanceled("timeout"), Transient, "try again"),
        (errors.DiskFull("no space"), Transient, "try again"),
        (errors.TooManyConnections("53300"), Transient, "try again"),
        (errors.ReadOnlySqlTransaction("a standby"), Transient, "try again"),
        (errors.IdleInTransactionSessionTimeout("idle"), Transient, "try again"),
        (errors.NumericValueOutOfRange("value"), Poison, "split the batch"),
        (errors.CharacterNotInRepertoire("0x00"), Poison, "split the batch"),
        (errors.CheckViolation("no partition"), Poison, "split the batch"),
        (errors.UniqueViolation("key"), Poison, "split the batch"),
        (errors.ProgramLimitExceeded("index row size"), Poison, "split the batch"),
        (psycopg.DataError("NUL"), Poison, "split the batch"),
        (errors.UndefinedTable("writer"), Fatal, "huewatch migrate"),
        (errors.UndefinedColumn("batch"), Fatal, "huewatch migrate"),
        (errors.UndefinedFunction("append_events"), Fatal, "huewatch migrate"),
        (errors.InsufficientPrivilege("denied"), Fatal, "grant the role"),
        (errors.InvalidPassword("wrong"), Fatal, "database URL"),
        (errors.InvalidCatalogName("no such database"), Fatal, "database URL"),
        (psycopg.ProgrammingError("the query has 1 placeholder"), Fatal, "report it"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_reaction_fits_the_error_and_names_what_to_do(
    error: psycopg.Error, reaction: type[StoreError], remedy: str
) -> None:
    found = reaction_to(error)
    assert type(found) is reaction
    assert remedy in str(found)
    assert str(error) in str(found)


def test_original_error_stays_the_cause() -> None:
    original = psycopg.OperationalError("gone")
    with pytest.raises(Transient) as caught, reactions():
        raise original
    assert caught.value.__cause__ is original


def test_errors_of_others_pass_through() -> None:
    with pytest.raises(KeyError), reactions():
        raise KeyError("not of the database")
