"""The commands of the alert side: `alerts list`, `alerts verify`, `rule test`, and those of `handling_cli`,
`quiet_cli`, `token_cli`, `handover_cli`, `receivers_cli`, `cap` and `backtest`.

`register` mounts them on the front door's app. They read the database and the configuration; nothing here
changes an alert.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from alerts import (
    episode_store,
    handling_cli,
    handover_cli,
    quiet_cli,
    receivers_cli,
    store,
    token_cli,
)
from alerts.backtest.cli import backtest
from alerts.cap import cli as cap_cli
from alerts.episode import Fault, first_fault
from alerts.handling import Story
from alerts.handling_cli import in_a_line
from alerts.handling_store import touched
from alerts.headline import headline, local_time
from alerts.model import NumberedEvent
from alerts.rule_test import Step, trace
from alerts.rules.book import Rule, parse_rules
from alerts.wire import handling_json
from ingest.catalog import Catalogue, load_catalogue
from ingest.cli_support import config_folder, database, printable, problems_reported, settings_of
from ingest.lint import report
from ingest.yaml_lines import yaml_text

alerts_app = typer.Typer(no_args_is_help=True, help="What has been told.")
rule_app = typer.Typer(no_args_is_help=True, help="Rules, before they are in force.")
STYLES = {"Extreme": "bold magenta", "Severe": "bold red", "Moderate": "yellow", "Minor": "cyan"}


def register(app: typer.Typer) -> None:
    """Mount every command of the alert side."""
    app.add_typer(alerts_app, name="alerts")
    app.add_typer(rule_app, name="rule")
    handling_cli.register(alerts_app)
    quiet_cli.register(app)
    token_cli.register(app)
    handover_cli.register(app)
    receivers_cli.register(app)
    cap_cli.register(app)
    app.command("backtest")(backtest)


@alerts_app.command("list")
def alerts_list(
    context: typer.Context,
    history: Annotated[
        bool, typer.Option("--history", help="Every told event, newest first, not only open alerts.")
    ] = False,
    station: Annotated[str | None, typer.Option(help="Only this station.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Events as JSON lines, for programs.")] = False,
) -> None:
    """The open alerts, worst first; with --history every event ever told.

    Example: huewatch alerts list --history --station HUE-WL-KIMLONG
    """
    with problems_reported():
        settings = settings_of(context)
        catalogue = load_catalogue(config_folder(settings) / "catalog", settings.nature)
        with database(settings) as connection:
            if history:
                events = store.newest_events(connection, limit, station=station)
            else:
                opened = [alert.newest for alert in store.open_alerts(connection)]
                events = [one for one in opened if station in (None, one.event.station)][:limit]
            handled = touched(connection, [one.event.alert_id for one in events])
    if as_json:
        for one in events:
            told = {"seq": one.seq} | msgspec.to_builtins(one.event)
            typer.echo(json.dumps(told | {"handling": _handling(one, handled)}, ensure_ascii=False))
        return
    Console().print(_table(events, catalogue, "Told events" if history else "Open alerts", handled))
    typer.echo(f"{len(events)} {'events' if history else 'open alerts'}.")


@alerts_app.command("verify")
def alerts_verify(
    context: typer.Context,
    rule: Annotated[str | None, typer.Option(help="Only this rule's chains.")] = None,
    target: Annotated[str | None, typer.Option(help="Only this datastream's, as STATION/NAME.")] = None,
) -> None:
    """Check the judged record: every chain of hashes, link by link, to the end that it must have.

    Exit code 1 when an entry was changed, left out, moved or put in; the first broken link of each chain is
    named. Example: huewatch alerts verify --rule river-level
    """
    with problems_reported(), database(settings_of(context)) as connection:
        entries, checked = 0, {}
        ends = episode_store.ends(connection, rule, target)
        total = episode_store.count(connection, rule, target)
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("entries", total=total)
            for key, chain in episode_store.chains(connection, rule, target):
                seen = list(chain)
                checked[key] = first_fault(seen, ends.pop(key, None))
                entries += len(seen)
                bar.advance(task, len(seen))
    checked |= {key: first_fault((), end) for key, end in ends.items() if end.ordinal}
    broken = {key: fault for key, fault in checked.items() if fault is not None}
    _say_broken(broken)
    typer.echo(f"{len(checked)} chains with {entries} entries, {len(broken)} broken.")
    raise typer.Exit(1 if broken else 0)


def _say_broken(broken: dict[tuple[str, str], Fault]) -> None:
    for (rule, target), fault in sorted(broken.items()):
        name = printable(f"{rule} on {target}")
        typer.secho(f"{name}: entry {fault.ordinal}: {printable(fault.differs)}.", fg="red", err=True)


def _handling(one: NumberedEvent, handled: dict[str, Story]) -> dict[str, Any]:
    return handling_json(handled.get(one.event.alert_id, Story(one)))


def _table(events: list[NumberedEvent], catalogue: Catalogue, title: str, handled: dict[str, Story]) -> Table:
    stations = {station.id: station for station in catalogue.stations}
    table = Table(
        "seq", "alert", "time (UTC+7)", "event", "severity", "headline", "rule", "people", title=title
    )
    for one in events:
        event = one.event
        said = headline(event, stations.get(event.station))
        style = STYLES.get(event.severity.value, "") if event.level else "dim"
        table.add_row(
            str(one.seq),
            event.alert_id[:8],
            local_time(event.event_time),
            event.kind.value,
            event.severity.value if event.level else "",
            f"{printable(said.vi)}\n[dim]{printable(said.en)}[/dim]",
            printable(event.rule),
            printable(in_a_line(handled.get(event.alert_id, Story(one)))),
            style=style,
        )
    return table


@rule_app.command("test")
def rule_test(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A rule file (YAML).")],
    values: Annotated[
        str,
        typer.Option(help="Values one cadence apart, or @time; 3.6? is suspect, 3.6! failed, @2h silence."),
    ],
    rule: Annotated[str | None, typer.Option(help="Which rule of the file; the first unless named.")] = None,
    target: Annotated[
        str | None, typer.Option(help="Which station or datastream; the first unless named.")
    ] = None,
) -> None:
    """Play values to a rule and print each change of state and why. Touches no database and no broker.

    Example: huewatch rule test config/rules/rivers.yaml --values '0.9 1.1 1.2@5min'
    """
    with problems_reported():
        settings = settings_of(context)
        catalogue = load_catalogue(config_folder(settings) / "catalog", settings.nature)
        rules, problems = parse_rules(yaml_text(file), str(file), catalogue)
    if code := report(problems):
        raise typer.Exit(code)
    try:
        chosen = _chosen(rules, rule, target, file)
        steps = trace(chosen, values, target)
    except ValueError as error:
        typer.echo(f"{error}.", err=True)
        raise typer.Exit(1) from None
    watched = target or chosen.plans[0][0].key
    Console().print(_steps_table(steps, f"{chosen.id} on {watched}"))


def _chosen(rules: list[Rule], wanted: str | None, target: str | None, file: Path) -> Rule:
    """The rule that is wanted, as it is for the target: of a rule with overrides there are several."""
    if wanted is None and rules:
        wanted = rules[0].id
    found = [rule for rule in rules if rule.id == wanted]
    if not found:
        raise ValueError(f"{file} has no rule {wanted or 'at all'}")
    named = [
        rule for rule in found if any(target in (None, one.key, one.station.id) for one, _ in rule.plans)
    ]
    return (named or found)[0]


def _steps_table(steps: list[Step], title: str) -> Table:
    table = Table("time (UTC+7)", "value", "state", "told", "why", title=printable(title))
    for step in steps:
        changed = step.before is not step.after
        state = (
            f"{step.before.name.lower()} → {step.after.name.lower()}" if changed else step.after.name.lower()
        )
        table.add_row(
            local_time(step.time),
            "" if step.value is None else f"{step.value:g}",
            state,
            ", ".join(f"{event.kind.value} {event.level_name}".strip() for event in step.events),
            printable(step.why),
            style="bold" if step.events else "",
        )
    return table
