"""The commands `quarantine list`, `show` and `replay`: what could not be read or believed, and another try.

A replay is asked for here and done by `run`, which is the only writer: the message goes through today's
configuration like any other, what is stored already counts as duplicate, and what is refused again stays.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ingest.cli_support import database, printable, problems_reported, settings_of, since_of
from ingest.clock import system_clock, to_datetime
from ingest.model import RejectReason
from ingest.store import quarantine, read
from ingest.store.connection import Connection
from ingest.yaml_lines import ConfigError, Problem

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 20.0  # without progress: `run` looks every 2 seconds
SHORT_DIGEST = 10  # hexadecimal digits that a list shows, and enough to name a row
BYTES_A_LINE = 16

quarantine_app = typer.Typer(no_args_is_help=True, help="What could not be read or believed.")

ReasonOption = Annotated[RejectReason | None, typer.Option(help="Only this reason.")]
SinceOption = Annotated[str | None, typer.Option(help="Last seen since: 2h, 7d, or a time with offset.")]


@quarantine_app.command("list")
def quarantine_list(
    context: typer.Context,
    reason: ReasonOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 50,
    resolved: Annotated[bool, typer.Option("--all", help="What a replay has resolved, too.")] = False,
) -> None:
    """What was refused and why, last seen first. config/README.md explains each reason.

    Example: huewatch quarantine list --reason unknown_device --since 2h
    """
    with problems_reported(), database(settings_of(context)) as connection:
        rows = read.quarantine(connection, reason and reason.value, since_of(since), limit, resolved=resolved)
    titles = ("id", "last seen (UTC)", "count", "reason", "gateway", "topic", "detail", "payload")
    table = Table(*titles, title="Quarantine")
    for row in rows:
        payload = row.payload.decode("utf-8", "backslashreplace")[:120]
        foreign = (row.gateway, row.topic, row.detail, payload)
        mark = f"{row.reason} (resolved)" if row.resolved_at is not None else row.reason
        number = row.digest.hex()[:SHORT_DIGEST]
        table.add_row(number, _seconds(row.last_seen), str(row.count), mark, *map(printable, foreign))
    Console().print(table)
    typer.echo(f"{len(rows)} rows" + (" or more; raise --limit to see them." if len(rows) == limit else "."))


@quarantine_app.command("show")
def quarantine_show(
    context: typer.Context,
    digest: Annotated[str, typer.Argument(metavar="ID", help="The id of the list, or its first digits.")],
) -> None:
    """One row whole: when, why, which codec, and the payload byte by byte.

    Example: huewatch quarantine show 3f09a1c27d
    """
    with problems_reported(), database(settings_of(context)) as connection:
        found = read.quarantined(connection, digest)
        if len(found) != 1:
            message = f"{printable(digest)} is the id of {'several rows' if found else 'no row'}."
            raise ConfigError([Problem("ID", None, message, "Take it from `huewatch quarantine list`.")])
    for name, value in _described(found[0]):
        typer.echo(f"{name:<14}{value}")
    typer.echo("")
    for line in hex_dump(found[0].payload):
        typer.echo(line)


def _described(row: read.Quarantined) -> list[tuple[str, str]]:
    kept = f"{row.payload_size} bytes"
    if row.payload_size > len(row.payload):
        kept += f", of which the first {len(row.payload)} were kept: it cannot be replayed"
    return [
        ("id", row.digest.hex()),
        ("topic", printable(row.topic)),
        ("gateway", printable(row.gateway)),
        ("reason", row.reason),
        ("detail", printable(row.detail)),
        ("codec", f"{row.codec or 'none'} (version {row.codec_version})"),
        ("count", str(row.count)),
        ("first seen", f"{_seconds(row.first_seen)} UTC"),
        ("last seen", f"{_seconds(row.last_seen)} UTC"),
        ("replayed", "never" if row.replayed_at is None else f"{_seconds(row.replayed_at)} UTC"),
        ("resolved", "no" if row.resolved_at is None else f"{_seconds(row.resolved_at)} UTC"),
        ("payload", kept),
    ]


def hex_dump(payload: bytes) -> list[str]:
    """The bytes sixteen a line: offset, hexadecimal, and the printable ASCII among them."""
    lines = []
    for start in range(0, len(payload), BYTES_A_LINE):
        part = payload[start : start + BYTES_A_LINE]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<{3 * BYTES_A_LINE}} {text}")
    return lines


@quarantine_app.command("replay")
def quarantine_replay(
    context: typer.Context,
    reason: ReasonOption = None,
    since: SinceOption = None,
    digest: Annotated[str | None, typer.Option("--id", help="Only this row.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every row that is not resolved.")] = False,
) -> None:
    """Read messages again under today's configuration, after a device was added or a mapping corrected.

    `huewatch run` does it, oldest first; asking twice stores nothing twice. What is refused again stays.

    Example: huewatch quarantine replay --reason unknown_device --since 7d
    """
    with problems_reported(), database(settings_of(context)) as connection:
        if reason is None and since is None and digest is None and not everything:
            remedy = "Give --reason, --since or --id, or --all."
            raise ConfigError([Problem("replay", None, "It is not said which rows.", remedy)])
        wanted = quarantine.Wanted(reason and reason.value, since_of(since), digest)
        asked, cut = quarantine.request_replay(connection, wanted)
        if cut:
            typer.echo(f"{cut} rows hold only the start of their payload and cannot be replayed.", err=True)
        if not asked:
            typer.echo("Nothing to replay.")
            return
        left = _follow(connection, asked)
        resolved, refused = quarantine.count_replayed(connection, asked)
    typer.echo(f"{resolved} resolved, {refused} refused again, {left} waiting.")
    if left:
        typer.echo("They are read by `huewatch run` for this database; it does not seem to run.", err=True)
        raise typer.Exit(1)


def _follow(connection: Connection, asked: list[bytes]) -> int:
    """Show how far `run` has come; how many still wait when it comes no further."""
    clock = system_clock()
    with Progress(transient=True) as progress:
        bar = progress.add_task("Replaying", total=len(asked))
        left, moved = len(asked), clock.monotonic()
        while left and clock.monotonic() - moved < PATIENCE_SECONDS:
            time.sleep(POLL_SECONDS)
            before, left = left, quarantine.count_waiting(connection, asked)
            moved = clock.monotonic() if left < before else moved
            progress.update(bar, completed=len(asked) - left)
    return left


def _seconds(micros: int) -> str:
    return f"{to_datetime(micros):%Y-%m-%d %H:%M:%S}"
