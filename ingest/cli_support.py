"""What the commands of every package share: settings, a database, problems as an exit code, safe output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import typer
from rich.markup import escape

from ingest.lint import report
from ingest.settings import Loaded, Settings, load_settings
from ingest.store.connection import Connection, connect
from ingest.store.errors import StoreError
from ingest.yaml_lines import ConfigError, Problem


@contextmanager
def problems_reported() -> Iterator[None]:
    """Print a `ConfigError` or `StoreError` as problems, and end the command with 1."""
    try:
        yield
    except ConfigError as error:
        raise typer.Exit(report(error.problems)) from None
    except StoreError as error:
        remedy = "See HUEWATCH_DATABASE_URL, or wait until the database is back."
        raise typer.Exit(report([Problem("database", None, f"{error}.", remedy)])) from None


def settings_of(context: typer.Context) -> Settings:
    """The settings that the front door loaded, or those of the environment (`ConfigError`)."""
    return (context.find_object(Loaded) or load_settings()).settings


@contextmanager
def database(settings: Settings) -> Iterator[Connection]:
    """A connection to the configured database. Raises `ConfigError` without one, and `StoreError`s."""
    if settings.database_url is None:
        message, remedy = "HUEWATCH_DATABASE_URL is not set.", "Set it, or name a TOML file by --settings."
        raise ConfigError([Problem("environment", None, message, remedy)])
    url = settings.database_url.get_secret_value()
    with closing(connect(url, application_name="huewatch-cli")) as connection:
        yield connection


def printable(text: str) -> str:
    """Foreign text for a terminal: no control or direction sign can act, no markup is read."""
    return escape("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))
