"""The commands of ingest: `migrate`, `reload`, `ledger`, `decode`; groups `quarantine`, `station`, `config`.

`register` mounts them on the front door's app, which may put `Loaded` settings into the context; without
them the environment's are loaded. Every command ends with 0, or with 1 and problems that name a remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.resources.abc import Traversable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ingest.cli_support import database, printable, problems_reported, settings_of, since_of
from ingest.decode_cli import decode
from ingest.model import Nature
from ingest.quarantine_cli import quarantine_app
from ingest.reload_cli import reload
from ingest.station_cli import config_app, station_app
from ingest.store import read
from ingest.store.migrate import check_durability, database_kind
from ingest.store.migrate import migrate as apply_migrations


def register(app: typer.Typer, packages: Sequence[tuple[str, Traversable]]) -> None:
    """Mount every command of ingest; `packages` are the migrations that `migrate` applies, in order."""
    app.command("migrate")(migrate_command(packages))
    app.command("reload")(reload)
    app.command("ledger")(ledger)
    app.command("decode")(decode)
    app.add_typer(quarantine_app, name="quarantine")
    app.add_typer(station_app, name="station")
    app.add_typer(config_app, name="config")


def migrate_command(packages: Sequence[tuple[str, Traversable]]) -> Callable[[typer.Context], None]:
    """The `migrate` command over these packages' migrations."""

    def migrate(context: typer.Context) -> None:
        """Bring the database to this program's schema; safe to repeat.

        The first run marks the database for what it is for (HUEWATCH_NATURE, Actual by default), for ever.

        Example: HUEWATCH_DATABASE_URL=postgresql://localhost/huewatch huewatch migrate
        """
        with problems_reported():
            settings = settings_of(context)
            with database(settings) as connection:
                nature = settings.nature or Nature.ACTUAL
                applied = apply_migrations(connection, packages, nature)
                typer.echo(f"Database: {database_kind(connection)}, for {nature.value}.")
                for name in applied:
                    typer.echo(f"Applied {name}.")
                if not applied:
                    typer.echo("Nothing to apply.")
                for name in check_durability(connection):
                    typer.echo(f"Warning: {name} is off; committed readings can be lost.", err=True)

    return migrate


def ledger(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="How far back: 2h, 7d, or a time with offset.")] = None,
) -> None:
    """The account of every message and reading, per gateway; 1 when a sum does not balance.

    messages = readable + empty + unreadable; decoded = stored + duplicate + conflict + rejected.

    Example: huewatch ledger --since 24h
    """
    with problems_reported(), database(settings_of(context)) as connection:
        total, gateways = read.ledger_sums(connection, since_of(since))
        mark = read.nature_mark(connection)
    names = tuple(field for field in read.LedgerSums.__slots__ if field != "gateway")
    table = Table("gateway", title=f"Ledger ({'not migrated' if mark is None else mark.value})")
    for name in names:
        table.add_column(name, justify="right")
    for row in gateways:
        table.add_row(printable(row.gateway), *(str(getattr(row, name)) for name in names))
    table.add_section()
    table.add_row("total", *(str(getattr(total, name)) for name in names))
    Console().print(table)
    faults = [fault for row in (*gateways, total) for fault in imbalances(row)]
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(1)
    typer.echo("OK: every message and every reading is accounted for.")


def imbalances(row: read.LedgerSums) -> Iterator[str]:
    """What does not add up in a row of the ledger, in words."""
    who = row.gateway or "total"
    messages = row.readable + row.empty + row.unreadable
    if row.messages != messages:
        yield f"{who}: {row.messages} messages, but readable + empty + unreadable = {messages}"
    readings = row.stored + row.duplicate + row.conflict + row.rejected
    if row.decoded != readings:
        yield f"{who}: {row.decoded} decoded, but stored + duplicate + conflict + rejected = {readings}"
