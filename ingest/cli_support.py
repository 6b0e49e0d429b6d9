"""What the commands of every package share: settings, a database, problems as an exit code, safe output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import typer
from rich.markup import escape

from ingest.clock import MICROS_PER_SECOND, system_clock, to_micros
from ingest.config_model import DURATION, SECONDS_PER_UNIT
from ingest.embedded import EmbeddedPostgres
from ingest.embedded_server import EmbeddedError
from ingest.health import CannotListen
from ingest.lint import report
from ingest.mqtt import Refused
from ingest.services import must_answer
from ingest.settings import Loaded, Settings, load_settings, require_services
from ingest.store.connection import Connection, connect
from ingest.store.errors import StoreError, Transient, reactions
from ingest.yaml_lines import ConfigError, Problem


@contextmanager
def problems_reported() -> Iterator[None]:
    """Print what a person can mend in a line that says how, and end the command with 1."""
    try:
        yield
    except ConfigError as error:
        raise typer.Exit(report(error.problems)) from None
    except Transient as error:
        remedy = "Check HUEWATCH_DATABASE_URL, or wait until the database is back."
        raise typer.Exit(report([Problem("database", None, f"{error}.", remedy)])) from None
    except (StoreError, EmbeddedError, Refused, CannotListen) as error:  # each says what to do
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from None


def settings_of(context: typer.Context) -> Settings:
    """The settings that the front door loaded, or those of the environment (`ConfigError`)."""
    return (context.find_object(Loaded) or load_settings()).settings


def config_folder(settings: Settings) -> Path | Traversable:
    """The configuration in force: the folder that the settings name, or the one shipped with the program."""
    return settings.config_dir or files("huewatch_config")


@contextmanager
def database(settings: Settings) -> Iterator[Connection]:
    """A connection to the configured database, or to the running one of `--embedded DIR`.

    Raises `ConfigError` when neither is named, and `StoreError`s.
    """
    url = _database_url(settings)
    with reactions(), closing(connect(url, application_name="huewatch-cli")) as connection:
        yield connection


def _database_url(settings: Settings) -> str:
    if settings.embedded is not None:
        require_services(settings)  # never a city's database beside one of our own
        postgres = EmbeddedPostgres(settings.embedded / "postgres")
        must_answer(postgres, settings.embedded)
        return postgres.url
    if settings.database_url is None:
        message = "HUEWATCH_DATABASE_URL is not set."
        remedy = "Set it, name a TOML file by --settings, or give `--embedded DIR`."
        raise ConfigError([Problem("environment", None, message, remedy)])
    return settings.database_url.get_secret_value()


def printable(text: str) -> str:
    """Foreign text for a terminal: no control or direction sign can act, no markup is read."""
    return escape("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


def seconds_of(option: str, text: str) -> float:
    """A duration as seconds; `ConfigError` where it is none."""
    match = DURATION.fullmatch(text)
    if match is None:
        message = f"{option} {text!r} is not a duration."
        raise ConfigError([Problem(option, None, message, "Write 30min or 2h.")])
    return float(match[1]) * SECONDS_PER_UNIT[match[2]]


def since_of(text: str | None) -> int | None:
    """A duration back from now, or a time with its offset, as microseconds."""
    if text is None:
        return None
    match = DURATION.fullmatch(text)
    if match:
        return system_clock().now() - int(float(match[1]) * SECONDS_PER_UNIT[match[2]] * MICROS_PER_SECOND)
    try:
        return to_micros(datetime.fromisoformat(text))
    except ValueError:
        message = f"--since {text!r} is neither a duration nor a time with offset."
        remedy = "Write 2h, 7d or 2025-10-27T07:00+07:00."
        raise ConfigError([Problem("--since", None, message, remedy)]) from None
