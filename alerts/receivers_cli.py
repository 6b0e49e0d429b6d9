"""`huewatch receivers list|test|replay`: how each is doing, whether it takes a message, and events anew.

`test` speaks to the receiver from here and records nothing: what it proves is the way, the address and the
secret; the daily test proves the feed too. `replay` moves the cursor, and the feed does the rest.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerts import delivery_store, proof_store
from alerts.audit_store import Deed, Origin, audited
from alerts.headline import local_time
from alerts.model import NumberedEvent
from alerts.proof_store import State, test_event
from alerts.receivers import Gone, Notice, Receiver, ReceiverSettings, Undeliverable, Unreachable
from alerts.receivers.book import ReceiverBook, load_book
from alerts.receivers.registry import Surroundings, probe
from alerts.store import Connection
from ingest.catalog import Catalogue, load_catalogue
from ingest.cli_support import config_folder, database, printable, problems_reported, settings_of
from ingest.clock import system_clock
from ingest.model import Nature
from ingest.services import services_of
from ingest.settings import Settings
from ingest.yaml_lines import ConfigError, Problem, nearest

receivers_app = typer.Typer(no_args_is_help=True, help="Who is told, and whether they are reached.")
PATIENCE_S = 30.0  # for one test message

NameArgument = Annotated[str, typer.Argument(help="The receiver's name in receivers.yaml.")]


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(receivers_app, name="receivers")


@receivers_app.command("list")
def receivers_list(context: typer.Context) -> None:
    """Every receiver: how far it has come, what waits, when it was proven last, and what is wrong.

    Exit code 1 where one is not proven or not reached. Example: huewatch receivers list
    """
    with problems_reported():
        settings = settings_of(context)
        book, _ = _book(settings)
        with database(settings) as connection:
            states = {state.receiver: state for state in proof_store.states(connection)}
    names = [each.name for each in book.receivers]
    Console().print(_table(names, states))
    tested = book.daily_test is not None
    wrong = [name for name in names if name not in states or _wrong(states[name], tested=tested)]
    typer.echo(f"{len(names)} receivers, {len(wrong)} not reached.")
    raise typer.Exit(1 if wrong else 0)


@receivers_app.command("test")
def receivers_test(context: typer.Context, name: NameArgument) -> None:
    """Send a test message now, and say what happened. Example: huewatch receivers test mqtt"""
    with problems_reported():
        settings = settings_of(context)
        book, catalogue = _book(settings)
        chosen = _known(book, name)
        with services_of(settings, "feed", f"huewatch-test-{settings.partition}", own=False) as services:
            around = Surroundings(services.broker, catalogue, services.database_url, system_clock())
            said = asyncio.run(_try(probe(chosen, around)))
    typer.echo(f"{name}: {printable(said or 'taken.')}", err=bool(said))
    raise typer.Exit(1 if said else 0)


@receivers_app.command("replay")
def receivers_replay(
    context: typer.Context,
    name: NameArgument,
    from_: Annotated[int, typer.Option("--from", min=1, help="The number of the first event.")],
    by: Annotated[str, typer.Option(help="Who does it.")],
) -> None:
    """Tell a receiver the events from this number on, again or for the first time, and nothing before.

    Each has the `event_id` that it had. A number beyond the newest event leaves out all that waits.
    Example: huewatch receivers replay city-app --from 1200 --by An
    """
    with problems_reported():
        settings = settings_of(context)
        _known(_book(settings)[0], name)
        deed = Deed(by, Origin.COMMAND_LINE, "receiver.replay", name, detail=f"from {from_}")
        with database(settings) as connection, audited(connection, deed, (ConfigError,)):
            before, after = replay(connection, name, from_)
    typer.echo(f"{name}: was at event {before}, goes on after event {after}.")


def replay(connection: Connection, name: str, first: int) -> tuple[int, int]:
    """Move a receiver's cursor before the event `first`: the number it was at, and the one it is at now."""
    moved = delivery_store.move(connection, name, first - 1)
    if moved is None:
        remedy = "Start `huewatch feed` once with this configuration."
        raise ConfigError([Problem("replay", None, f"No feed has served {name!r} yet.", remedy)])
    return moved


async def _try(receiver: Receiver) -> str:
    """What went wrong; empty where the receiver took it."""
    now = system_clock().now()
    notice = Notice(NumberedEvent(0, now, test_event(now, f"by hand|{now}")), silent=True)
    try:
        async with asyncio.timeout(PATIENCE_S), receiver.connect() as session:
            await session.deliver(notice)
    except (Unreachable, Undeliverable, Gone) as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {PATIENCE_S:g} s"
    return ""


def _book(settings: Settings) -> tuple[ReceiverBook, Catalogue]:
    folder = config_folder(settings)
    catalogue = load_catalogue(folder / "catalog", settings.nature)
    return load_book(folder, settings.nature or Nature.ACTUAL, catalogue), catalogue


def _known(book: ReceiverBook, name: str) -> ReceiverSettings:
    known = {each.name: each for each in book.receivers}
    if name not in known:
        remedy = nearest(name, known) or f"Write one of {', '.join(known)}."
        raise ConfigError([Problem("receivers.yaml", None, f"There is no receiver {name!r}.", remedy)])
    return known[name]


def _table(names: list[str], states: dict[str, State]) -> Table:
    table = Table("receiver", "event", "waiting", "open", "last taken", "proven", "attempts", "what is wrong")
    for name in names:
        state = states.get(name)
        if state is None:
            table.add_row(name, "", "", "no", "", "", "", "no feed has served it yet")
            continue
        table.add_row(
            name,
            str(state.seq),
            str(state.pending),
            "yes" if state.connected else "no",
            _at(state.succeeded_at),
            _at(state.proven_at),
            str(state.attempts),
            printable(state.trouble or state.last_error or ""),
        )
    return table


def _at(micros: int | None) -> str:
    return "never" if micros is None else local_time(micros)


def _wrong(state: State, *, tested: bool) -> bool:
    return bool(state.trouble) or state.attempts > 0 or (tested and state.unproven)
