"""`huewatch token create|list|revoke`, `huewatch audit`: who may use the feed, and what anybody has changed.

A token is printed once, alone on standard output, so that a shell can keep it; it cannot be had again.
"""

from __future__ import annotations

import getpass
import os
import secrets
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerts import access_store, audit_store
from alerts.access import Kind, Scope, new_credential
from alerts.access_store import NotMade, Token
from alerts.audit_store import Deed, Entry, NotDone, Origin, audited
from alerts.headline import local_time
from ingest.cli_support import database, printable, problems_reported, seconds_of, settings_of
from ingest.clock import system_clock

token_app = typer.Typer(no_args_is_help=True, help="Who may use the feed.")

ByOption = Annotated[str | None, typer.Option(help="Who answers for it; the system's user unless given.")]


def register(app: typer.Typer) -> None:
    """Mount the group and the command."""
    app.add_typer(token_app, name="token")
    app.command("audit")(audit)


@token_app.command("create")
def create(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="The person or system whose it is: its name is on what it does.")
    ],
    scope: Annotated[Scope, typer.Option(help="What it allows; each scope holds those before it.")],
    expires: Annotated[
        str | None, typer.Option(help="When it ends, as 90d or 12h; unless given when it is revoked.")
    ] = None,
    by: ByOption = None,
) -> None:
    """Make a token and print it, this once: the database keeps only a hash.

    Example: huewatch token create "Nguyễn An" --scope acknowledge --expires 90d
    """
    credential = new_credential(Kind.TOKEN, secrets.token_bytes)
    with problems_reported():
        lasts = None if expires is None else seconds_of("--expires", expires)
        detail = f"{credential.id}, {scope}, {expires or 'until it is revoked'}"
        deed = Deed(_who(by), Origin.COMMAND_LINE, "token.create", name, detail=detail)
        with database(settings_of(context)) as connection:
            try:
                with audited(connection, deed, (NotMade,)):
                    made = access_store.create(connection, credential, name, scope, _who(by), lasts)
            except NotMade as error:
                raise _refused(error) from None
    end = "until it is revoked" if made.expires_at is None else f"until {local_time(made.expires_at)} (UTC+7)"
    said = f"Token {made.id} of {printable(made.name)}, {scope}, {end}. Keep it now: it is not shown again."
    typer.echo(said, err=True)
    typer.echo(credential.text)


@token_app.command("list")
def listed(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
) -> None:
    """The tokens that open the feed, without their secrets."""
    now = system_clock().now()
    with problems_reported(), database(settings_of(context)) as connection:
        found = [each for each in access_store.tokens(connection) if everything or not _over(each, now)]
    Console().print(_tokens(found, now))
    typer.echo(f"{len(found)} tokens.")


@token_app.command("revoke")
def revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.")],
    by: ByOption = None,
) -> None:
    """End a token within a second or two, with its sessions and live streams."""
    deed = Deed(_who(by), Origin.COMMAND_LINE, "token.revoke", token)
    with problems_reported(), database(settings_of(context)) as connection:
        try:
            with audited(connection, deed) as note:
                revoked = access_store.revoke(connection, token, _who(by))
                if revoked is None:
                    raise NotDone("no living token has this id")
                note.amend(detail=revoked.name)
        except NotDone as error:
            raise _refused(error) from None
    typer.echo(f"The token of {printable(revoked.name)} is revoked.")


def audit(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Only rows below this number.")] = None,
) -> None:
    """Every write, over HTTP and by command line, the refused ones too; newest first."""
    with problems_reported(), database(settings_of(context)) as connection:
        found = audit_store.newest(connection, limit, before)
    Console().print(_account(found))
    typer.echo(f"{len(found)} rows.")


def _who(by: str | None) -> str:
    if by and by.strip():
        return by.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        return f"user {os.getuid()}"


def _refused(error: Exception) -> typer.Exit:
    typer.secho(f"Not done: {error}.", fg="red", err=True)
    return typer.Exit(1)


def _over(token: Token, now: int) -> bool:
    return token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now)


def _tokens(found: list[Token], now: int) -> Table:
    table = Table("id", "name", "scope", "made (UTC+7)", "by", "ends", "last used")
    for each in found:
        table.add_row(
            each.id,
            printable(each.name),
            each.scope.value,
            local_time(each.created_at),
            printable(each.created_by),
            printable(_end(each)),
            "never" if each.last_used_at is None else local_time(each.last_used_at),
            style="dim" if _over(each, now) else "",
        )
    return table


def _end(token: Token) -> str:
    if token.revoked_at is not None:
        return f"{local_time(token.revoked_at)} by {token.revoked_by}"
    return "when revoked" if token.expires_at is None else local_time(token.expires_at)


def _account(found: list[Entry]) -> Table:
    table = Table("row", "time (UTC+7)", "who", "from", "what", "target", "outcome", "in particular")
    for each in found:
        deed = each.deed
        origin = f"{deed.origin.value} {deed.peer}".strip()
        words = (deed.who, origin, deed.what, deed.target, each.outcome.value, deed.detail)
        table.add_row(str(each.id), local_time(each.at), *map(printable, words))
    return table
