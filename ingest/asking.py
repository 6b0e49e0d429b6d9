"""What the commands that write configuration share: a folder to write to, and questions for a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypeVar

import typer

from ingest.catalog import Level
from ingest.new_station import parse_levels
from ingest.settings import Settings
from ingest.yaml_lines import ConfigError, Problem

T = TypeVar("T")
CENTRE = 16.4637, 107.5909  # of Huế, degrees north and east: a default to be corrected


def own_config(settings: Settings) -> Path:
    """The configuration folder that is the city's own; `ConfigError` for the shipped one."""
    if settings.config_dir is None:
        message = "The shipped configuration cannot be changed."
        remedy = "Copy it by `huewatch config init DIR`, then give `huewatch --config DIR`."
        raise ConfigError([Problem("--config", None, message, remedy)])
    return settings.config_dir


def ask(given: T | None, flag: str, question: str, default: T | None) -> T:
    """The flag's value, else what the person at the terminal says, else the default (`ConfigError`: none)."""
    if given is not None:
        return given
    if sys.stdin.isatty():
        answer: T = typer.prompt(question, default=default)
        return answer
    if default is None:
        raise ConfigError([Problem(f"--{flag}", None, "There is nobody to ask.", f"Give --{flag}.")])
    return default


def choose(given: str | None, flag: str, choices: dict[str, Any], default: str | None) -> str:
    """As `ask`, for one of `choices`."""
    choice = ask(given, flag, f"{flag.capitalize()} ({', '.join(choices)})", default)
    if choice not in choices:
        message = f"{choice!r} is not one of them."
        raise ConfigError([Problem(f"--{flag}", None, message, f"Use one of: {', '.join(choices)}.")])
    return choice


def ask_levels(given: str | None, kind: str) -> tuple[Level, ...]:
    """The levels of a new station of that kind."""
    usual = "Ngập 20 cm=0.2, Ngập 50 cm=0.5, Ngập 100 cm=1.0" if kind == "street" else ""
    text = ask(given, "levels", "Levels, NAME=VALUE, lowest first", usual)
    try:
        return parse_levels(text)
    except ValueError as error:
        raise ConfigError([Problem("--levels", None, f"{error}.", 'Write "BĐ I=1.0, BĐ II=2.0".')]) from None
