"""What can go wrong with the store, classed by what the caller does next.

Every message names what to do. `reaction_to` turns an error of psycopg into one of these;
nothing else leaves the package. The classes follow SQLSTATE (PostgreSQL manual, appendix A).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


class StoreError(Exception):
    """Any refusal of the store."""


class Transient(StoreError):
    """The database is away or busy: back off, then call again with the same input."""


class Poison(StoreError):
    """The database refuses a row of this input: split it by message, quarantine the one that fails alone."""


class SinkFailed(StoreError):
    """A sink refused the changes (`__cause__`) and nothing was stored: the caller may go on without it."""


class Fenced(StoreError):
    """Another process owns the partition now: stop."""


class PartitionHeld(StoreError):
    """A living process holds the partition: do not start."""


class Fatal(StoreError):
    """No retry helps: stop and say why."""


# SQLSTATE classes: data exception, integrity constraint, check option, program limit (oversized index row).
_POISON = frozenset({"22", "23", "44", "54"})
# Cannot be put right by waiting: authorisation, catalogue, schema, syntax, names and privileges.
_FATAL = frozenset({"28", "3D", "3F", "42"})
_MISSING = frozenset({"3F000", "42P01", "42703", "42883", "42704", "42P10"})
_PRIVILEGE = "42501"


def reaction_to(error: psycopg.Error) -> StoreError:
    """The error of this module that says what to do about one of psycopg's."""
    text = " ".join(str(error).split()) or type(error).__name__  # libpq writes several lines
    state = error.sqlstate
    if state is None:
        return _without_state(error, text)
    if state[:2] in _POISON:
        return Poison(f"the database refused a row ({state}): {text}; split the batch by message")
    if state[:2] in _FATAL:
        return Fatal(f"{text} ({state}); {_remedy(state)}")
    return Transient(f"the database cannot do it now ({state}): {text}; try again")


def _without_state(error: psycopg.Error, text: str) -> StoreError:
    """Errors of the client side carry no SQLSTATE: a broken connection, a value that cannot be sent."""
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Transient(f"no connection to the database: {text}; try again")
    if isinstance(error, psycopg.DataError):
        return Poison(f"a value cannot be sent to the database: {text}; split the batch by message")
    return Fatal(f"{text}; this is a defect of Huewatch, please report it")


def _remedy(state: str) -> str:
    if state in _MISSING:
        return "the schema is missing or older than this program: run `huewatch migrate`"
    if state == _PRIVILEGE:
        return (
            "grant the role its rights on schema huewatch, or connect as the role that ran `huewatch migrate`"
        )
    return "check the database URL, its role and that `huewatch migrate` has run"


@contextmanager
def reactions() -> Iterator[None]:
    """Inside, errors of psycopg leave as the errors of this module. Also usable as a decorator."""
    try:
        yield
    except psycopg.Error as error:
        raise reaction_to(error) from error
