"""`huewatch maintenance` and `huewatch silence`, each `start|list|end`: who wants quiet, and until when.

A window covers the datastreams that are named and what is derived from them, as the catalogue has it when the
window begins; never another station's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerts import silence_store
from alerts.audit_store import Deed, NotDone, Origin, audited
from alerts.headline import local_time
from alerts.model import Severity
from alerts.rules.book import load_rules
from alerts.silence_store import Matcher
from alerts.suppression import Silence
from ingest.catalog import Catalogue, Station, load_catalogue
from ingest.cli_support import (
    config_folder,
    database,
    printable,
    problems_reported,
    seconds_of,
    settings_of,
)
from ingest.derive import derivation
from ingest.store import Connection, maintenance
from ingest.store.maintenance import Window
from ingest.yaml_lines import ConfigError, Problem, nearest

maintenance_app = typer.Typer(no_args_is_help=True, help="Who works on which sensors.")
silence_app = typer.Typer(no_args_is_help=True, help="Alerts that nobody is to be told of for a time.")

ByOption = Annotated[str, typer.Option(help="Who answers for it.")]
ReasonOption = Annotated[str, typer.Option(help="Why.")]
ForOption = Annotated[str, typer.Option("--for", help="How long, 8h at most.")]


def register(app: typer.Typer) -> None:
    """Mount both groups."""
    app.add_typer(maintenance_app, name="maintenance")
    app.add_typer(silence_app, name="silence")


@maintenance_app.command("start")
def maintenance_start(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="STATION|KEY", help="A station, or STATION/DATASTREAM.")],
    by: ByOption,
    reason: ReasonOption,
    for_: ForOption,
) -> None:
    """Work on sensors begins: what they measure is flagged, and nothing is told of them.

    Example: huewatch maintenance start HUE-WL-KIMLONG --by An --reason cleaning --for 2h
    """
    with problems_reported(), _refusals():
        settings = settings_of(context)
        keys = covered(load_catalogue(config_folder(settings) / "catalog", settings.nature), subject)
        seconds = seconds_of("--for", for_)
        deed = Deed(by, Origin.COMMAND_LINE, "maintenance.start", subject, detail=f"{for_}: {reason}")
        with database(settings) as connection, audited(connection, deed, (ValueError,)):
            window = maintenance.start(connection, subject, keys, by, reason, seconds)
    typer.echo(f"Window {window.id} over {', '.join(keys)} until {local_time(window.ends)} (UTC+7).")


@maintenance_app.command("list")
def maintenance_list(context: typer.Context) -> None:
    """The windows that last."""
    with problems_reported(), database(settings_of(context)) as connection:
        windows = maintenance.standing(connection)
    Console().print(_windows(windows))
    typer.echo(f"{len(windows)} windows.")


@maintenance_app.command("end")
def maintenance_end(
    context: typer.Context, number: Annotated[int, typer.Argument(help="The window's number.")], by: ByOption
) -> None:
    """Work is done: what stands at its sensors is told within a few seconds."""
    with _ending(context, by, "maintenance.end", number) as connection:
        _must_last(maintenance.end(connection, number, by), f"Window {number}")
    typer.echo(f"Window {number} has ended.")


@silence_app.command("start")
def silence_start(
    context: typer.Context,
    by: ByOption,
    reason: ReasonOption,
    for_: ForOption,
    rule: Annotated[str | None, typer.Option(help="Only alerts of this rule.")] = None,
    station: Annotated[str | None, typer.Option(help="Only alerts of this station.")] = None,
    severity: Annotated[Severity | None, typer.Option(help="Only alerts that are at most so severe.")] = None,
) -> None:
    """Tell nobody of the alerts that match. Severe and Extreme ones only where rule and station are named.

    Example: huewatch silence start --rule street-depth --station HUE-FL-DAPDA --by An \\
        --reason roadworks --for 2h
    """
    with problems_reported(), _refusals():
        settings = settings_of(context)
        folder, seconds = config_folder(settings), seconds_of("--for", for_)
        catalogue = load_catalogue(folder / "catalog", settings.nature)
        _must_be_known("station", station, [each.id for each in catalogue.stations])
        _must_be_known("rule", rule, [each.id for each in load_rules(folder / "rules", catalogue)])
        matcher = Matcher(rule, station, severity)
        target = " ".join(filter(None, (rule, station, severity)))
        deed = Deed(by, Origin.COMMAND_LINE, "silence.start", target, detail=f"{for_}: {reason}")
        with database(settings) as connection, audited(connection, deed, (ValueError,)):
            silence = silence_store.start(connection, matcher, by, reason, seconds)
    typer.echo(f"Silence {silence.id} until {local_time(silence.ends)} (UTC+7).")


@silence_app.command("list")
def silence_list(context: typer.Context) -> None:
    """The silences that last."""
    with problems_reported(), database(settings_of(context)) as connection:
        silences = silence_store.standing(connection)
    Console().print(_silences(silences))
    typer.echo(f"{len(silences)} silences.")


@silence_app.command("end")
def silence_end(
    context: typer.Context,
    number: Annotated[int, typer.Argument(help="The silence's number.")],
    by: ByOption,
) -> None:
    """End a silence before its time."""
    with _ending(context, by, "silence.end", number) as connection:
        _must_last(silence_store.end(connection, number, by), f"Silence {number}")
    typer.echo(f"Silence {number} has ended.")


def _must_be_known(what: str, name: str | None, known: list[str]) -> None:
    """A silence that matches nothing would promise a quiet that does not come."""
    if name is not None and name not in known:
        remedy = nearest(name, known) or f"Name a {what} of the configuration in force."
        raise ConfigError([Problem(f"--{what}", None, f"There is no {what} {name!r}.", remedy)])


def covered(catalogue: Catalogue, subject: str) -> list[str]:
    """The keys of what somebody works on: measured datastreams, and what is derived from them."""
    identifier, _, name = subject.partition("/")
    station = next((each for each in catalogue.stations if each.id == identifier), None)
    measured = [each.name for each in station.datastreams] if station else []
    if station is None or not measured or (name and name not in measured):
        known = [each.id for each in catalogue.stations] + [key for key, _, _ in catalogue.datastreams()]
        remedy = nearest(subject, known) or "Name a station or a measured datastream of the catalogue."
        raise ConfigError([Problem("catalogue", None, f"No sensors are at {subject!r}.", remedy)])
    return [f"{identifier}/{each}" for each in _with_derived(station, {name} if name else set(measured))]


def _with_derived(station: Station, names: set[str]) -> list[str]:
    """The names, and those of what is derived from them, in the catalogue's order."""
    found = set(names)
    for _ in station.derived:  # what is derived from what is derived, too
        found |= {each.name for each in station.derived if found & set(derivation(each, station).inputs)}
    every = [each.name for each in station.datastreams] + [each.name for each in station.derived]
    return [each for each in every if each in found]


def _windows(windows: list[Window]) -> Table:
    table = Table("window", "sensors", "owner", "reason", "until (UTC+7)")
    for each in windows:
        words = (each.subject, each.owner, each.reason)
        table.add_row(str(each.id), *map(printable, words), local_time(each.ends))
    return table


def _silences(silences: list[Silence]) -> Table:
    table = Table("silence", "rule", "station", "at most", "owner", "reason", "until (UTC+7)")
    for each in silences:
        words = (each.rule or "", each.station or "", each.severity or "", each.owner, each.reason)
        table.add_row(str(each.id), *map(printable, words), local_time(each.ends))
    return table


@contextmanager
def _ending(context: typer.Context, by: str, what: str, number: int) -> Iterator[Connection]:
    """What lasts is ended before its time, and that is on the account."""
    deed = Deed(by, Origin.COMMAND_LINE, what, str(number))
    with problems_reported(), database(settings_of(context)) as connection:
        try:
            with audited(connection, deed):
                yield connection
        except NotDone as error:
            typer.secho(f"{error}.", fg="red", err=True)
            raise typer.Exit(1) from None


def _must_last(found: object, what: str) -> None:
    if found is None:
        raise NotDone(f"{what} does not last")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        typer.secho(f"Not done: {error}.", fg="red", err=True)
        raise typer.Exit(1) from None
