"""The command `reload`: every `run` of the database reads its configuration again and says what came of it.

Nothing is read here: each `run` reads the files that it sees itself, which may lie in another container.
"""

from __future__ import annotations

import time

import typer

from ingest.cli_support import database, problems_reported, settings_of
from ingest.clock import system_clock
from ingest.lint import report
from ingest.store import configuration
from ingest.store.configuration import Answer
from ingest.store.connection import Connection
from ingest.yaml_lines import ConfigError, Problem

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 60.0  # 10,000 stations are read and taken up in some seconds


def reload(context: typer.Context) -> None:
    """Have `run` and `feed` read catalogue and rules again, without a restart.

    A configuration with an error is refused whole: the one before stays in force, and this ends with 1.

    Example: huewatch reload
    """
    with problems_reported(), database(settings_of(context)) as connection:
        numbers = configuration.ask(connection)
        if not numbers:
            remedy = "Start `huewatch run`; it reads the files at its start."
            raise ConfigError([Problem("reload", None, "No `run` has used this database yet.", remedy)])
        answers = _await(connection, numbers)
    codes = [_show(answer) for answer in answers]
    for partition in sorted(numbers.keys() - {answer.partition for answer in answers}):
        typer.echo(f"{partition}: no answer; its `run` reads the files when it starts again.", err=True)
    if any(codes) or len(answers) < len(numbers):
        raise typer.Exit(1)


def _await(connection: Connection, numbers: dict[str, int]) -> list[Answer]:
    clock = system_clock()
    deadline = clock.monotonic() + PATIENCE_SECONDS
    answers = configuration.answers(connection, numbers)
    while len(answers) < len(numbers) and clock.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        answers = configuration.answers(connection, numbers)
    return answers


def _show(answer: Answer) -> int:
    """Print what one `run` answered; 1 where it refused."""
    if answer.problems:
        report(answer.problems)
        typer.echo(f"{answer.partition}: refused; version {answer.version} stays in force.", err=True)
        return 1
    typer.echo(f"OK: {answer.partition} {answer.outcome}, version {answer.version}.")
    return 0
