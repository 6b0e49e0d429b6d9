"""The commands of ingest: `migrate`, `ledger`, `quarantine list`, `station new`, `config init`.

`register` mounts them on the front door's app, which may put `Loaded` settings into the context; without
them the environment's are loaded. Every command ends with 0, or with 1 and problems that name a remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib.resources.abc import Traversable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ingest.cli_support import database, printable, problems_reported, settings_of
from ingest.clock import MICROS_PER_SECOND, system_clock, to_datetime, to_micros
from ingest.config_model import DURATION, SECONDS_PER_UNIT
from ingest.model import Nature, RejectReason
from ingest.station_cli import config_app, station_app
from ingest.store import read
from ingest.store.migrate import check_durability, database_kind
from ingest.store.migrate import migrate as apply_migrations
from ingest.yaml_lines import ConfigError, Problem

quarantine_app = typer.Typer(no_args_is_help=True, help="What could not be read or believed.")


def register(app: typer.Typer, packages: Sequence[tuple[str, Traversable]]) -> None:
    """Mount every command of ingest; `packages` are the migrations that `migrate` applies, in order."""
    app.command("migrate")(migrate_command(packages))
    app.command("ledger")(ledger)
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
        total, gateways = read.ledger_sums(connection, _since(since))
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


@quarantine_app.command("list")
def quarantine_list(
    context: typer.Context,
    reason: Annotated[RejectReason | None, typer.Option(help="Only this reason.")] = None,
    since: Annotated[str | None, typer.Option(help="Last seen since: 2h, 7d, or a time with offset.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 50,
) -> None:
    """What was refused and why, last seen first. config/README.md explains each reason.

    Example: huewatch quarantine list --reason unknown_device --since 2h
    """
    with problems_reported(), database(settings_of(context)) as connection:
        rows = read.quarantine(connection, reason and reason.value, _since(since), limit)
    table = Table(
        "last seen (UTC)", "count", "reason", "gateway", "topic", "detail", "payload", title="Quarantine"
    )
    for row in rows:
        payload = row.payload.decode("utf-8", "backslashreplace")[:120]
        foreign = (row.gateway, row.topic, row.detail, payload)
        seen = f"{to_datetime(row.last_seen):%Y-%m-%d %H:%M:%S}"
        table.add_row(seen, str(row.count), row.reason, *map(printable, foreign))
    Console().print(table)
    typer.echo(f"{len(rows)} rows" + (" or more; raise --limit to see them." if len(rows) == limit else "."))


def _since(text: str | None) -> int | None:
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
