"""`huewatch simulate`, `simulate-history` and `publish-test`: a flood, its file, and a single reading.

The first and the last go to the broker that the flags or the environment name, or to the one of `--embedded
DIR`. `simulate` refuses any broker that is neither this machine's own nor marked for exercises;
`publish-test` refuses to invent a reading for people who act on it. `register` puts them among the other
commands of `huewatch`.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Protocol

import typer
from pydantic import SecretStr
from rich.console import Console

from ingest.catalog import Catalogue, read_catalogue
from ingest.clock import system_clock
from ingest.model import Nature
from simulators import publish_test as trials
from simulators.broker import Address, BrokerError, connected, exercise_only, tls_context
from simulators.feed_client import FeedClient
from simulators.history import write_history
from simulators.plan import PlanError, make_plan
from simulators.publish_test import Refused, Step, Trial
from simulators.replay import Progress, play_by_clock
from simulators.scenario import DEFAULT_SCENARIO, load_scenario
from simulators.screen import clock_words

UNSEEN = 1
REFUSED = 2
STEPS_A_LINE = 12
LOOPBACK = "127.0.0.1"
FEED_PORT = 8080
ADVICE = (
    ("quarantine list --since 5min", "was it refused, and why?"),
    ("check", "does the catalogue say what `run` was started with?"),
)

Host = Annotated[str | None, typer.Option(envvar="HUEWATCH_BROKER_HOST", help="127.0.0.1 unless named.")]
Port = Annotated[int, typer.Option(envvar="HUEWATCH_BROKER_PORT")]
Username = Annotated[str | None, typer.Option(envvar="HUEWATCH_BROKER_USERNAME")]
Password = Annotated[
    str | None, typer.Option(envvar="HUEWATCH_BROKER_PASSWORD", help="Better in the environment.")
]
CaFile = Annotated[
    Path | None,
    typer.Option(envvar="HUEWATCH_BROKER_CA_FILE", help="CA of the broker's certificate; turns TLS on."),
]
CertFile = Annotated[
    Path | None, typer.Option(envvar="HUEWATCH_BROKER_CERT_FILE", help="The gateway's own certificate.")
]
KeyFile = Annotated[Path | None, typer.Option(envvar="HUEWATCH_BROKER_KEY_FILE", help="Its key.")]


class Known(Protocol):
    """The settings of the front door that are looked at here."""

    config_dir: Path | None
    embedded: Path | None
    feed_port: int
    feed_token: SecretStr | None
    nature: Nature | None


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command("simulate")(simulate)
    app.command("simulate-history")(simulate_history)
    # A level below zero is an argument, not an option.
    app.command("publish-test", context_settings={"ignore_unknown_options": True})(publish_test)


def simulate(
    context: typer.Context,
    scenario: Annotated[
        str, typer.Option(help="Name of a shipped scenario, or the path of a YAML file.")
    ] = DEFAULT_SCENARIO,
    broker_host: Host = None,
    broker_port: Port = 1883,
    broker_username: Username = None,
    broker_password: Password = None,
    broker_ca_file: CaFile = None,
    broker_cert_file: CertFile = None,
    broker_key_file: KeyFile = None,
    seed: Annotated[int | None, typer.Option(help="Another seed gives other noise, rain and faults.")] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, max=3600, help="1 is real time; 60 an hour a minute.")
    ] = 1.0,
    station: Annotated[list[str] | None, typer.Option(help="Only this station; may be repeated.")] = None,
) -> None:
    """Publish the flood to a broker as an exercise, readings at the present time, until its end or Ctrl-C.

    Above real time the water really moves that much faster. The broker must be this machine's own, or hold
    the retained message "Exercise" on `hue/exercise`.

    Example: huewatch --embedded data simulate --speed 60    (beside: run and feed with --nature Exercise)
    """
    console = Console(stderr=True)
    played = load_scenario(scenario)
    try:
        tls = tls_context(broker_ca_file, broker_cert_file, broker_key_file)
        address = _broker(context, broker_host, broker_port, broker_username, broker_password, tls)
        plan = make_plan(
            played,
            _catalogue(context, Nature.EXERCISE),
            played.seed if seed is None else seed,
            tuple(station or ()),
        )
        with connected(address, "huewatch-simulate") as gateway:
            exercise_only(gateway, address)
            play_by_clock(plan, gateway, system_clock(), speed, threading.Event(), _teller(console))
    except (PlanError, BrokerError, Refused) as error:
        raise _refusal(error) from error
    except KeyboardInterrupt:
        console.print("stopped")


def simulate_history(
    context: typer.Context,
    out: Annotated[Path, typer.Option(file_okay=False, help="The folder to write to.")],
    scenario: Annotated[
        str, typer.Option(help="Name of a shipped scenario, or the path of a YAML file.")
    ] = DEFAULT_SCENARIO,
    seed: Annotated[int | None, typer.Option(help="Another seed gives other noise, rain and faults.")] = None,
) -> None:
    """Write a scenario's readings with their arrivals as a CSV that `huewatch backtest --csv` plays.

    Example: huewatch simulate-history --scenario dry-month --out histories
    """
    played = load_scenario(scenario)
    chosen = played.seed if seed is None else seed
    try:
        plan = make_plan(played, _catalogue(context, Nature.EXERCISE), chosen)
    except PlanError as error:
        raise _refusal(error) from error
    file, rows = write_history(plan, chosen, out)
    typer.echo(f"{rows:,} readings of {played.name}, seed {chosen}: {file}")


def publish_test(
    context: typer.Context,
    station: Annotated[str, typer.Argument(help="Station id in the catalogue, e.g. HUE-FL-DAPDA.")],
    value: Annotated[float, typer.Argument(help="In the datastream's unit; of a ranging sensor the level.")],
    datastream: Annotated[
        str | None, typer.Option(help="Which one, where a station has several, e.g. water_level.")
    ] = None,
    feed: Annotated[
        str | None, typer.Option(help="URL of the feed; http://127.0.0.1:8080, or the settings' port.")
    ] = None,
    broker_host: Host = None,
    broker_port: Port = 1883,
    broker_username: Username = None,
    broker_password: Password = None,
    broker_ca_file: CaFile = None,
    broker_cert_file: CertFile = None,
    broker_key_file: KeyFile = None,
    really_measured: Annotated[
        bool,
        typer.Option(
            "--really-measured",
            help="This value was measured at the station just now: needed for Actual ones.",
        ),
    ] = False,
) -> None:
    """Send one reading as the station's own gateway would, and follow it to the page, step by step.

    The reading carries its station's nature. An Actual one cannot be taken back
    and people act on it, so it is refused, at whatever broker, unless you say
    --really-measured. Try things in an exercise.

    With a gateway's certificate the broker takes you for that gateway, which
    has to connect again after you.

    Ends with 0 when the page shows it, 1 when it does not, 2 when nothing was sent.

    Example: huewatch --embedded data --nature Exercise publish-test HUE-FL-DAPDA 0.25
    """
    clock = system_clock()
    try:
        place, stream = trials.choose(catalogue := _catalogue(context), station, datastream)
        trials.refuse_invented(place.nature, really_measured)
        trial = Trial(place, stream, value, clock.now())
        message, said = trials.message_of(trial, catalogue)
        tls = tls_context(broker_ca_file, broker_cert_file, broker_key_file)
        address = _broker(context, broker_host, broker_port, broker_username, broker_password, tls)
        with connected(address, f"huewatch-publish-test-{trial.time}") as gateway:
            page = FeedClient(feed or _feed_url(context), _feed_token(context))
            trials.refuse_unseen(trial, page)
            typer.echo(trials.title(trial, said))
            seen = _follow(trials.steps(trial, message, gateway, page, clock))
    except (BrokerError, Refused) as error:
        raise _refusal(error) from error
    if not seen:
        for command, why in ADVICE:
            typer.echo(f"  look at: {_again(context)} {command:<34} {why}")
        raise typer.Exit(UNSEEN)


def _follow(steps: Iterator[Step]) -> bool:
    """Print each step as it is reached; whether the last one is good."""
    ok = False
    for step in steps:
        ok = step.ok
        typer.echo(f"  {'✓' if ok else '✗'} {step.seconds:7.3f} s  {step.text}")
    return ok


def _refusal(error: Exception) -> typer.Exit:
    typer.secho(f"✗ {error}", fg="red", bold=True, err=True)
    return typer.Exit(REFUSED)


def _known(context: typer.Context) -> Known | None:
    """The front door's settings; None without a front door."""
    return getattr(context.obj, "settings", None)


def _catalogue(context: typer.Context, nature: Nature | None = None) -> Catalogue:
    """The catalogue in force; `nature` overrides what it and the settings say."""
    known = _known(context)
    own = known.config_dir if known else None
    folder = own / "catalog" if own else files("huewatch_config") / "catalog"
    catalogue, problems = read_catalogue(folder, nature or (known.nature if known else None))
    errors = [str(problem) for problem in problems if problem.severity.value == "error"]
    if errors:
        raise Refused("\n".join(errors))
    return catalogue


def _broker(
    context: typer.Context,
    host: str | None,
    port: int,
    username: str | None,
    password: str | None,
    tls: ssl.SSLContext | None,
) -> Address:
    """The broker that the flags name, or the embedded one; `Refused` when both are named."""
    known = _known(context)
    if known is None or known.embedded is None:
        return Address(host or LOOPBACK, port, username, password, tls)
    if host is not None:
        raise Refused(
            "`--embedded` has a broker of its own, but HUEWATCH_BROKER_HOST names one too: unset it"
        )
    return trials.embedded_account(known.embedded)


def _feed_url(context: typer.Context) -> str:
    known = _known(context)
    return f"http://{LOOPBACK}:{known.feed_port if known else FEED_PORT}"


def _feed_token(context: typer.Context) -> str | None:
    known = _known(context)
    return known.feed_token.get_secret_value() if known and known.feed_token else None


def _again(context: typer.Context) -> str:
    """`huewatch` with the flags that lead to the same service."""
    known = _known(context)
    flags = {"--config": known.config_dir, "--embedded": known.embedded} if known else {}
    return " ".join(["huewatch", *(f"{flag} {value}" for flag, value in flags.items() if value is not None)])


def _teller(console: Console) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        if progress.step % STEPS_A_LINE == 0:
            sent = progress.published
            console.print(
                f"{clock_words(progress.now)}  {sent.readings:,} readings, {sent.repeated:,} repeated"
            )

    return tell
