"""`huewatch backtest`: what a rule book would have told of history, and what that was worth.

Reads files or the database and changes neither. Exit codes: 0; 1 when something must be mended first, also
when no rule matches; 3 when a change would have missed what the rules in force tell (`MISSED`).
"""

from __future__ import annotations

import json
from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from alerts.backtest import report
from alerts.backtest.material import Material, of_database, of_histories, rules_on
from alerts.backtest.study import Result, examine
from alerts.backtest.truth import Truth, read_truth
from alerts.history import read_history
from ingest.catalog import Catalogue, load_catalogue
from ingest.cli_support import config_folder, database, problems_reported, settings_of
from ingest.clock import system_clock, to_micros
from ingest.lint import report as report_problems
from ingest.model import Nature
from ingest.settings import Settings
from ingest.yaml_lines import ConfigError, Problem

MISSED = 3  # exit code: a change would have missed what the rules in force tell in time


def backtest(
    context: typer.Context,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE...]", help="More CSV files.")] = None,
    rules: Annotated[
        Path | None, typer.Option(help="A folder of rules; by default those of the configuration.")
    ] = None,
    csv: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A CSV, described by a YAML (Histories).")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="Stored readings that arrived from this time on …")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="… and before this one.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="The rules in force; by default those of the configuration.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Labelled events: a YAML of `events` and `jumps`.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(help="Draw each flood with its alerts into this folder (SVG).")
    ] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write it all to this file too.")] = None,
) -> None:
    """Play history to rules and score the alerts: hits, misses, false alarms, lead time.

    Exit code 3: a change would have missed what the rules in force tell in time.

    Example: huewatch backtest --rules config/rules --csv dead-run.csv
    """
    console = Console()
    with problems_reported():
        settings = settings_of(context)
        config = config_folder(settings)
        city = load_catalogue(config / "catalog", Nature.EXERCISE)
        known = read_truth(truth) if truth else Truth()
        materials = _materials(settings, config, city, [*(csv or ()), *(more or ())], since, until)
        results, seconds = _examine(
            materials, rules or config / "rules", against or config / "rules", city, known
        )
    _show(console, results, seconds)
    if as_json:
        as_json.write_text(json.dumps(report.as_json(results, seconds), ensure_ascii=False, indent=2) + "\n")
    if draw:
        from alerts.backtest.draw import draw_floods  # matplotlib takes half a second

        for file in draw_floods(results, draw):
            console.print(f"drawn: {file}")
    missed = [missed for result in results for missed in result.missed]
    for one in missed:
        console.print(one.sentence, style="bold red")
    if missed:
        raise typer.Exit(MISSED)


def _materials(
    settings: Settings,
    config: Path | Traversable,
    city: Catalogue,
    files: list[Path],
    since: str | None,
    until: str | None,
) -> list[Material]:
    if bool(files) == bool(since or until):
        raise _refused(
            "--csv", "Nothing says what is to be played.", "Give either --csv, or --from and --to."
        )
    if files:
        histories = [read_history(file, config) for file in files]
        report_problems([problem for history in histories for problem in history.problems])
        found = of_histories(histories)
    else:
        with database(settings) as connection:
            nature = settings.nature or Nature.ACTUAL
            period = _moment("--from", since), _moment("--to", until)
            stored = of_database(connection, city, nature, *period)
        found = [] if stored is None else [stored]
    if not found:
        raise _refused("history", "There is no reading in it.", "Name another file, or another time.")
    return found


def _examine(
    materials: list[Material],
    rules: Path | Traversable,
    against: Path | Traversable,
    city: Catalogue,
    truth: Truth,
) -> tuple[list[Result], float]:
    books = [(rules_on(rules, city, each), rules_on(against, city, each)) for each in materials]
    if not any(book for book, _ in books):
        measured = {
            f"{stream.property} ({station.kind})"
            for each in materials
            for key, station, stream in each.catalogue.datastreams()
            if key in each.keys
        }
        message = f"No rule matches: the history has {', '.join(sorted(measured))}."
        raise _refused("rules", message, "Let a rule select one of these, or take another history.")
    monotonic = system_clock().monotonic
    began = monotonic()
    columns = TextColumn("playing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=sum(len(each.rows) for each in materials))
        results = [
            examine(each, book, in_force, truth, lambda rows: progress.advance(task, rows))
            for each, (book, in_force) in zip(materials, books, strict=True)
        ]
    return results, monotonic() - began


def _show(console: Console, results: list[Result], seconds: float) -> None:
    console.print(report.scorecard(results))
    for line in report.findings(results):
        console.print(line, markup=False)
    for rule, fault in sorted({fault for result in results for fault in result.played.faults}):
        console.print(f"rule {rule} failed: {fault}", style="red", markup=False)
    rows = sum(len(result.material.rows) for result in results)
    console.print(f"{rows:,} readings in {seconds:.1f} s ({rows / seconds:,.0f} a second).", highlight=False)


def _moment(option: str, text: str | None) -> int:
    try:
        return to_micros(datetime.fromisoformat(text or ""))
    except ValueError:
        message = f"{text!r} is not a time with its offset." if text else "is missing."
        raise _refused(option, message, "Write such as 2025-10-25T19:00+07:00.") from None


def _refused(where: str, message: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(where, None, message, remedy)])
