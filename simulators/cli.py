"""`huewatch simulate`: a simulated city that floods, published to a broker for exercises.

Refuses any broker that is neither this machine's own nor marked for exercises, and says why. `register` puts
the command among the others of `huewatch`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ingest.catalog import Catalogue, load_catalogue
from ingest.clock import system_clock
from ingest.model import Nature
from simulators.broker import Address, BrokerError, connected, exercise_only
from simulators.plan import PlanError, make_plan
from simulators.replay import Progress, play_by_clock
from simulators.scenario import DEFAULT_SCENARIO, load_scenario
from simulators.screen import clock_words

REFUSED = 2
STEPS_A_LINE = 12


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("simulate")(simulate)


def simulate(
    scenario: Annotated[
        str, typer.Option(help="Name of a shipped scenario, or the path of a YAML file.")
    ] = DEFAULT_SCENARIO,
    broker_host: Annotated[str, typer.Option(envvar="HUEWATCH_BROKER_HOST")] = "127.0.0.1",
    broker_port: Annotated[int, typer.Option(envvar="HUEWATCH_BROKER_PORT")] = 1883,
    broker_username: Annotated[str | None, typer.Option(envvar="HUEWATCH_BROKER_USERNAME")] = None,
    broker_password: Annotated[
        str | None, typer.Option(envvar="HUEWATCH_BROKER_PASSWORD", help="Better in the environment.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Folder of the catalogue; the shipped one else.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed gives other noise, rain and faults.")] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, max=3600, help="1 is real time; 60 an hour a minute.")
    ] = 1.0,
    station: Annotated[list[str] | None, typer.Option(help="Only this station; may be repeated.")] = None,
) -> None:
    """Publish the flood to a broker as an exercise, readings at the present time, until its end or Ctrl-C.

    Above real time the water really moves that much faster. The broker must be this machine's own, or hold
    the retained message "Exercise" on `hue/exercise`.
    """
    console = Console(stderr=True)
    played = load_scenario(scenario)
    address = Address(broker_host, broker_port, broker_username, broker_password)
    try:
        plan = make_plan(
            played, _catalogue(config), played.seed if seed is None else seed, tuple(station or ())
        )
        with connected(address, "huewatch-simulate") as gateway:
            exercise_only(gateway, address)
            play_by_clock(plan, gateway, system_clock(), speed, threading.Event(), _teller(console))
    except (PlanError, BrokerError) as error:
        console.print(f"✗ {error}", style="bold red", markup=False)
        raise typer.Exit(REFUSED) from error
    except KeyboardInterrupt:
        console.print("stopped")


def _catalogue(folder: Path | None) -> Catalogue:
    """The catalogue as an exercise, whatever it says of its stations."""
    return load_catalogue(
        folder / "catalog" if folder else files("huewatch_config") / "catalog", Nature.EXERCISE
    )


def _teller(console: Console) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        if progress.step % STEPS_A_LINE == 0:
            sent = progress.published
            console.print(
                f"{clock_words(progress.now)}  {sent.readings:,} readings, {sent.repeated:,} repeated"
            )

    return tell
