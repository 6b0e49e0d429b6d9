"""`huewatch handover`, `handover accept` and `handover history`: what one shift hands to the next.

The report is the feed's; whoever takes over names the number of the one that was read.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from alerts import feed_store, handover_store
from alerts.audit_store import Deed, Origin, audited
from alerts.handling import Refused
from alerts.handover import report
from alerts.handover_store import Outdated
from alerts.handover_words import NONE, Language, Section, heading, sections
from alerts.headline import local_time
from ingest.catalog import load_catalogue
from ingest.cli_support import config_folder, database, printable, problems_reported, settings_of
from ingest.clock import system_clock
from ingest.model import Nature

PAPER = 100  # columns: A4 across, at 10 points

handover_app = typer.Typer(help="What one shift hands to the next.")


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(handover_app, name="handover", invoke_without_command=True)


@handover_app.callback()
def handover(
    context: typer.Context,
    for_paper: Annotated[bool, typer.Option("--print", help="Plain, for a printer.")] = False,
    language: Annotated[Language, typer.Option(help="Of the words.")] = Language.VI,
) -> None:
    """Open alerts with owner and comments, what is quiet and until when, silent stations, highest levels.

    Example: huewatch handover --print | lp
    """
    if context.invoked_subcommand is not None:
        return
    with problems_reported():
        settings = settings_of(context)
        catalogue = load_catalogue(config_folder(settings) / "catalog", settings.nature)
        nature = settings.nature or Nature.ACTUAL
        with database(settings) as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            newest = feed_store.newest(connection, nature)
            as_of = handover_store.sight(connection, catalogue, newest)
            known = handover_store.known(connection, catalogue, nature, as_of, newest)
    found = report(known, as_of, catalogue)
    console = Console(no_color=True, highlight=False, width=PAPER) if for_paper else Console()
    for line in heading(found, language):
        console.print(printable(line), style="bold")
    for section in sections(found, language):
        _show(console, section, language, for_paper=for_paper)
    accept_words = f"huewatch handover accept --by NAME --leaver NAME --seq {found['seq']}"
    console.print(f"\n{language.of(('Nhận ca', 'To take over'))}: {accept_words}", soft_wrap=True)


@handover_app.command("accept")
def accept(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="Who takes over.")],
    leaver: Annotated[str, typer.Option(help="Who leaves.")],
    seq: Annotated[int, typer.Option(min=0, help="The number of the report that was read.")],
    comment: Annotated[str, typer.Option(help="What else was said.")] = "",
) -> None:
    """Take over; refused when something severe has come since. The leaver's alerts become nobody's.

    Example: huewatch handover accept --by Bình --leaver An --seq 1204
    """
    deed = Deed(by, Origin.COMMAND_LINE, "handover.accept", leaver, detail=f"report {seq}")
    try:
        with (
            problems_reported(),
            database(settings_of(context)) as connection,
            audited(connection, deed, (Refused, Outdated)),
        ):
            accepted = handover_store.accept(connection, by, leaver, seq, comment, system_clock().now())
    except (Refused, Outdated) as error:
        typer.secho(f"Not done: {error}.", fg="red", err=True)
        raise typer.Exit(1) from None
    count = len(accepted.released)
    said = f"Handover {accepted.number}: {accepted.incoming} took over from {accepted.leaver}."
    typer.echo(f"{said} Alerts that were {accepted.leaver}'s and are nobody's now: {count}.")


@handover_app.command("history")
def history(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=handover_store.HISTORY, help="At most so many rows.")] = 20,
) -> None:
    """Who took over from whom, newest first."""
    with problems_reported(), database(settings_of(context)) as connection:
        found = handover_store.history(connection, limit)
    table = Table("handover", "time (UTC+7)", "incoming", "leaver", "report", "released", "comment")
    for each in found:
        words = map(printable, (each.incoming, each.leaver))
        released = ", ".join(alert_id[:8] for alert_id in each.released)
        table.add_row(
            str(each.number), local_time(each.at), *words, str(each.seq), released, printable(each.comment)
        )
    Console().print(table)
    typer.echo(f"{len(found)} handovers.")


def _show(console: Console, section: Section, language: Language, *, for_paper: bool) -> None:
    if not section.rows:
        console.print(f"\n[bold]{section.title}:[/bold] {language.of(NONE)}")
        return
    lines = box.SIMPLE if for_paper else box.ROUNDED
    table = Table(*section.columns, title=section.title, title_justify="left", box=lines)
    for row in section.rows:
        table.add_row(*map(printable, row))
    console.print()
    console.print(table)
