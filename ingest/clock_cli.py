"""The command `station clocks`: whose clock is ahead, behind or drifting. Mounted by `station_cli`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ingest.cli_support import database, printable, problems_reported, settings_of, since_of
from ingest.device_clock import assess
from ingest.store import read


def station_clocks(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="How far back: 2d, 12h, or a time with offset.")] = "2d",
    everything: Annotated[bool, typer.Option("--all", help="Clocks that are in order, too.")] = False,
) -> None:
    """Compare devices' clocks with the arrival of their readings, over days. Ends with 1 when one is wrong.

    What is a single wrong time is seen at once, by `source.clock` of the catalogue; this finds the rest.

    Example: huewatch station clocks --since 7d
    """
    with problems_reported(), database(settings_of(context)) as connection:
        moment = since_of(since)
        assert moment is not None
        lags = read.clock_lags(connection, moment)
    found = {key: assess(lag) for key, lag in lags.items()}
    table = Table("datastream", "readings", "least lag", "median lag", "a day", "clock")
    for key, lag in lags.items():
        if found[key] or everything:
            seconds = (f"{value:+.1f} s" for value in (lag.least, lag.median, lag.drift))
            table.add_row(printable(key), str(lag.readings), *seconds, found[key] or "in order")
    Console().print(table)
    wrong = sum(bool(word) for word in found.values())
    typer.echo(f"{len(found)} datastreams with a clock of their own, {wrong} to look at.")
    if wrong:
        raise typer.Exit(1)
