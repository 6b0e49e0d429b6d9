"""`huewatch alerts ack|assign|comment|shelve|unshelve|cancel|show|suppressed`: what people do, and why it was
quiet. Each action is `alerts.handling_store.act` with the words of the command line, and on the account.

An alert is named by its id or the first 8 digits or more of it, as `alerts list` shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerts import delivery_store, handling_store, store
from alerts.audit_store import Deed, Origin, audited
from alerts.delivery_store import Outcome
from alerts.handling import Action, Refused, Story, Until, stories
from alerts.handling_store import NoSuchAlert, Outdated
from alerts.headline import headline, local_time
from alerts.model import EventKind, NumberedEvent
from ingest.catalog import Catalogue, load_catalogue
from ingest.cli_support import (
    config_folder,
    database,
    printable,
    problems_reported,
    seconds_of,
    settings_of,
    since_of,
)
from ingest.clock import system_clock

AlertArgument = Annotated[str, typer.Argument(metavar="ALERT_ID", help="The alert's id, or how it begins.")]
ByOption = Annotated[str, typer.Option(help="Who does it.")]
CommentOption = Annotated[str, typer.Option(help="Why, in your own words.")]
SeenOption = Annotated[
    int | None,
    typer.Option(help="The version that you saw (`alerts show`): refused when others have acted since."),
]


def register(app: typer.Typer) -> None:
    """Mount the commands on the group `alerts`."""
    for name, command in (
        ("ack", ack),
        ("assign", assign),
        ("comment", comment),
        ("shelve", shelve),
        ("unshelve", unshelve),
        ("cancel", cancel),
        ("show", show),
        ("suppressed", suppressed),
    ):
        app.command(name)(command)


def ack(
    context: typer.Context,
    alert: AlertArgument,
    by: ByOption,
    until: Annotated[
        Until, typer.Option(help="It speaks again when it gets worse, or is yours until it ends.")
    ] = Until.WORSE,
    comment: CommentOption = "",
    seen: SeenOption = None,
) -> None:
    """Acknowledge: somebody deals with it, and it is not reminded of.

    Example: huewatch alerts ack 3f2a9c41 --by An --until resolved
    """
    _act(context, alert, Action(EventKind.ACKNOWLEDGED, by, comment, until=until), seen)


def assign(
    context: typer.Context,
    alert: AlertArgument,
    by: ByOption,
    to: Annotated[str, typer.Option(help="Whose it is from now on.")],
    comment: CommentOption = "",
    seen: SeenOption = None,
) -> None:
    """Give it to somebody."""
    _act(context, alert, Action(EventKind.ASSIGNED, by, comment, to), seen)


def comment(
    context: typer.Context,
    alert: AlertArgument,
    text: Annotated[str, typer.Argument(help="What is to be noted.")],
    by: ByOption,
    seen: SeenOption = None,
) -> None:
    """Note something, also after its end."""
    _act(context, alert, Action(EventKind.COMMENTED, by, text), seen)


def shelve(
    context: typer.Context,
    alert: AlertArgument,
    by: ByOption,
    for_: Annotated[str, typer.Option("--for", help="How long it is quiet: 30min, 2h at most.")],
    comment: CommentOption = "",
    seen: SeenOption = None,
) -> None:
    """Keep it quiet for a time; a higher level speaks, and so does the end of that time while it is open."""
    with problems_reported():
        seconds = seconds_of("--for", for_)
    _act(context, alert, Action(EventKind.SHELVED, by, comment, shelve_s=seconds), seen)


def unshelve(context: typer.Context, alert: AlertArgument, by: ByOption, seen: SeenOption = None) -> None:
    """End a shelving before its time."""
    _act(context, alert, Action(EventKind.UNSHELVED, by), seen)


def cancel(
    context: typer.Context,
    alert: AlertArgument,
    by: ByOption,
    comment: Annotated[str, typer.Option(help="What the error was.")],
    seen: SeenOption = None,
) -> None:
    """Say that it was issued in error. It is hidden until its condition reaches a higher level."""
    _act(context, alert, Action(EventKind.CANCELLED, by, comment), seen)


def show(context: typer.Context, alert: AlertArgument) -> None:
    """Its whole history: what was told to whom, what was kept back and why, what people have done."""
    with problems_reported(), _refusals():
        settings = settings_of(context)
        catalogue = load_catalogue(config_folder(settings) / "catalog", settings.nature)
        with database(settings) as connection:
            alert_id = handling_store.find(connection, alert)
            events = store.alert_events(connection, alert_id)
            became = delivery_store.outcomes(connection, [each.seq for each in events])
    story = stories(events).get(alert_id)
    Console().print(_history(events, became, catalogue, alert_id))
    typer.echo(in_a_line(story) or "Nobody has done anything." if story else "It was never open.")
    if story:
        typer.echo(f"Version {story.handling.version}.")


def suppressed(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="24h, 7d or a time with its offset.")] = "24h",
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 100,
) -> None:
    """What was not told, to whom, and what kept it back; newest first."""
    with problems_reported():
        settings = settings_of(context)
        start = since_of(since) or 0
        catalogue = load_catalogue(config_folder(settings) / "catalog", settings.nature)
        with database(settings) as connection:
            found = delivery_store.suppressed_since(connection, start, limit)
    table = Table("seq", "alert", "time (UTC+7)", "event", "receiver", "kept back by", "headline")
    for outcome, one in found:
        table.add_row(
            str(one.seq),
            one.event.alert_id[:8],
            local_time(outcome.at),
            one.event.kind.value,
            printable(outcome.receiver),
            printable(str(outcome.suppressed)),
            printable(_line(one, catalogue)),
        )
    Console().print(table)
    typer.echo(f"{len(found)} notices kept back since {since}.")


def in_a_line(story: Story) -> str:
    """What people have done with an alert and still holds, in one line."""
    handling = story.handling
    ack, shelved, cancelled = handling.acknowledged, handling.shelved, handling.cancelled
    worse = ", worse since" if ack and story.level > ack.level else ""
    parts = [
        f"cancelled in error by {cancelled.by}: {cancelled.comment}" if cancelled else "",
        f"acknowledged by {ack.by} until {ack.until}{worse}" if ack else "",
        f"{handling.assigned_to}'s" if handling.assigned_to else "",
        f"shelved by {shelved.by} until {local_time(shelved.until)}" if shelved else "",
        f"{handling.comments} comment{'s' * (handling.comments > 1)}" if handling.comments else "",
    ]
    return ", ".join(filter(None, parts))


def _act(context: typer.Context, prefix: str, action: Action, seen: int | None) -> None:
    with problems_reported(), _refusals():
        settings = settings_of(context)
        catalogue = load_catalogue(config_folder(settings) / "catalog", settings.nature)
        deed = Deed(action.by, Origin.COMMAND_LINE, action.name, prefix)
        refusals = (NoSuchAlert, Outdated, Refused)
        with database(settings) as connection, audited(connection, deed, refusals) as note:
            alert_id = handling_store.find(connection, prefix)
            note.amend(target=alert_id)
            event = handling_store.act(connection, alert_id, action, system_clock().now(), seen)
    station = next((each for each in catalogue.stations if each.id == event.station), None)
    said = headline(event, station)
    typer.echo(f"{said.vi}\n{said.en}")


@contextmanager
def _refusals() -> Iterator[None]:
    """What cannot be done ends the command with 1 and says why."""
    try:
        yield
    except (NoSuchAlert, Outdated, Refused) as error:
        typer.secho(f"Not done: {error}.", fg="red", err=True)
        raise typer.Exit(1) from None


def _history(
    events: Sequence[NumberedEvent], became: Sequence[Outcome], catalogue: Catalogue, alert_id: str
) -> Table:
    table = Table("seq", "time (UTC+7)", "event", "headline", "told", title=f"Alert {alert_id}")
    for one in events:
        outcomes = [outcome for outcome in became if outcome.seq == one.seq]
        table.add_row(
            str(one.seq),
            local_time(one.event.event_time),
            one.event.kind.value,
            printable(_line(one, catalogue)),
            printable("\n".join(_became(outcome) for outcome in outcomes)),
        )
    return table


def _became(outcome: Outcome) -> str:
    if outcome.suppressed:
        return f"not to {outcome.receiver}: {outcome.suppressed}"
    if outcome.superseded_by:
        return f"not to {outcome.receiver}: superseded by {outcome.superseded_by}"
    return f"to {outcome.receiver} at {local_time(outcome.at)}"


def _line(one: NumberedEvent, catalogue: Catalogue) -> str:
    station = next((each for each in catalogue.stations if each.id == one.event.station), None)
    return headline(one.event, station).en
