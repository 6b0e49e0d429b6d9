"""The front door: wiring and command groups, nothing else."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import alerts.cli
import alerts.forecast.cli
import ingest.cli
import simulators.cli
from alerts import access_store
from alerts.access import Kind, Policy, Public, Scope, new_credential
from alerts.engine import Engine
from alerts.forecast.sink import ForecastSink, gauges_of
from alerts.forecast.tracker import Tracker
from alerts.judged import Judge
from alerts.receivers.book import load_book, read_book
from alerts.rules.book import Rule, read_rules
from alerts.sink import AlertSink
from alerts.suppression import Limits
from alerts.tiles import Tiles
from alerts.watching import Watch
from ingest.catalog import Catalogue, CatalogueFolder, load_catalogue, read_catalogue
from ingest.cli_support import config_folder, printable, problems_reported, settings_of
from ingest.clock import system_clock
from ingest.embedded import EmbeddedBroker, EmbeddedPostgres
from ingest.embedded_server import free_port
from ingest.lint import report
from ingest.logs import log_as_json
from ingest.model import Nature, Sink
from ingest.reload import Configuration, config_version
from ingest.service import Place, serve
from ingest.services import services_of
from ingest.settings import Loaded, Settings, in_force, load_settings
from ingest.store.connection import connect
from ingest.store.migrate import migrate
from ingest.yaml_lines import ConfigError, Problem, Severity
from simulators.broker import Address
from simulators.demo import Services
from simulators.demo import demo as play_demo
from simulators.scenario import load_scenario

CHILD_STOP_SECONDS = 15
MIGRATIONS: tuple[tuple[str, Traversable], ...] = (
    ("ingest", files("ingest.store") / "migrations"),
    ("alerts", files("alerts") / "migrations"),
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Takes a city's sensor readings over MQTT, keeps them, and warns of floods and bad air.",
)
ingest.cli.register(app, MIGRATIONS)
alerts.cli.register(app)
alerts.forecast.cli.register(app)
simulators.cli.register(app)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Folder of catalogue and rules instead of the shipped one.")
]
EmbeddedOption = Annotated[
    Path | None, typer.Option(help="Keep a database and a broker of our own in this folder. No city's.")
]


@app.callback()
def load(
    context: typer.Context,
    settings: Annotated[
        Path | None, typer.Option(help="TOML file of settings; environment and flags go before it.")
    ] = None,
    config: ConfigOption = None,
    embedded: EmbeddedOption = None,
    nature: Annotated[
        Nature | None, typer.Option(help="What everything here is: a city's, or an exercise's.")
    ] = None,
) -> None:
    """Load the settings that every command works with: defaults < file < environment < flags."""
    with problems_reported():
        flags: Mapping[str, Any] = {"config_dir": config, "embedded": embedded, "nature": nature}
        context.obj = load_settings(flags, settings)


@app.command()
def run(
    context: typer.Context,
    logical_time: Annotated[bool, typer.Option(hidden=True, help="Only for `demo`.")] = False,
) -> None:
    """Receive, store and decide: ingest and the alert engine, one process per partition.

    `huewatch reload`, or SIGHUP, has it take up a changed catalogue and changed rules while it runs.

    Needs HUEWATCH_DATABASE_URL and HUEWATCH_BROKER_HOST, or `huewatch --embedded DIR run`.
    """
    log_as_json()
    with problems_reported():
        settings = settings_of(context)
        read = partial(_configured, settings)
        configuration = read()
        nature = settings.nature or Nature.ACTUAL
        if logical_time and nature is not Nature.EXERCISE:
            raise typer.BadParameter("time is told by ticks only in an exercise: give --nature Exercise")
        with services_of(settings, "ingest", settings.client_id, own=True) as services:
            if settings.embedded is not None:
                _migrate(services.database_url, nature)
            place = Place(services.database_url, services.broker, nature, logical_time)
            asyncio.run(serve(settings, place, configuration, read, MIGRATIONS))


@app.command()
def feed(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address of page and API instead of the settings'.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port of page and API instead of the settings'.")
    ] = None,
) -> None:
    """Tell people and systems: the page, HTTP, SSE, and the receivers of receivers.yaml.

    Example: huewatch --embedded ./data feed    (beside: huewatch --embedded ./data run)
    """
    from alerts.api.open_data import Publication
    from alerts.api.serve import serve_feed  # the web framework is half of the start-up time of a command

    log_as_json()
    with problems_reported():
        settings = settings_of(context)
        read = CatalogueFolder(config_folder(settings) / "catalog", settings.nature)
        nature = settings.nature or Nature.ACTUAL
        if settings.embedded is not None:
            typer.echo(
                f"A token: huewatch --embedded {settings.embedded} token create me --scope acknowledge"
            )
        receivers = partial(load_book, config_folder(settings), nature)
        with services_of(settings, "feed", f"huewatch-feed-{settings.partition}", own=False) as services:
            asyncio.run(
                serve_feed(
                    services.database_url,
                    services.broker,
                    read,
                    nature,
                    host or settings.feed_host,
                    port or settings.feed_port,
                    settings.metrics_host,
                    settings.feed_metrics_port,
                    limits_of(settings),
                    policy_of(settings),
                    receivers,
                    watch_of(settings),
                    Publication(settings.publisher, settings.licence, settings.max_age_days),
                    tiles_of(settings),
                )
            )


def limits_of(settings: Settings) -> Limits:
    """The numbers of suppression."""
    return Limits(
        settings.flap_openings,
        settings.flap_window,
        settings.storm_first,
        settings.storm_window,
        settings.storm_digest,
    )


def watch_of(settings: Settings) -> Watch | None:
    """After how long nobody watches; None: nobody need."""
    return Watch(settings.watch_grace, settings.watch_idle) if settings.watch else None


def policy_of(settings: Settings) -> Policy:
    """What may be read by anybody, and whom the feed believes."""
    named = settings.feed_public.split(",") if settings.feed_public else []
    return Policy(frozenset(map(Public, named)), settings.feed_https, settings.feed_proxies)


def tiles_of(settings: Settings) -> Tiles | None:
    """The pictures under the console's map."""
    return Tiles(settings.map_tiles, settings.map_credit or "") if settings.map_tiles else None


@app.command()
def check(context: typer.Context) -> None:
    """Lint catalogue, rules and receivers, with file, line and remedy, and print the settings in force.

    Example: huewatch --config my-city check
    """
    loaded = context.find_object(Loaded)
    assert loaded is not None  # the callback has loaded them
    _print_settings(loaded)
    settings = loaded.settings
    catalogue, rules, problems = _read_configuration(settings)
    ids = {rule.id for rule in rules}
    book, faults = read_book(config_folder(settings), settings.nature or Nature.ACTUAL, catalogue, ids)
    code = report([*problems, *faults])
    if not code:
        streams = sum(len(station.datastreams) for station in catalogue.stations)
        derived = sum(len(station.derived) for station in catalogue.stations)
        found = f"{len(catalogue.stations)} stations, {streams} datastreams, {derived} derived"
        typer.echo(f"OK: {found}, {len(ids)} rules, {len(book.receivers)} receivers.")
    raise typer.Exit(code)


@app.command()
def demo(
    context: typer.Context,
    once: Annotated[
        bool, typer.Option(help="Play the flood once, judge what was told, exit 0 or 1.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address of the page; 0.0.0.0 shows it to others.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the page.")] = 8080,
    seed: Annotated[int | None, typer.Option(help="Another seed gives other noise, rain and faults.")] = None,
) -> None:
    """Play the Huế flood of October 2025 through the real service, on a database and broker of its own.

    Watch it at http://127.0.0.1:8080. Everything is marked as an exercise and thrown away at the end.
    """
    with problems_reported():
        catalogue = load_catalogue(config_folder(settings_of(context)) / "catalog", Nature.EXERCISE)
        with demo_services(host, port, settings_of(context).config_dir) as services:
            played = play_demo(services, catalogue, load_scenario(), system_clock(), once=once, seed=seed)
            raise typer.Exit(asyncio.run(played))


@contextmanager
def demo_services(host: str, port: int, config: Path | None) -> Iterator[Services]:
    """PostgreSQL and mosquitto in a temporary folder, `run` and `feed` as child processes over them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="huewatch-demo-")))
        folder.chmod(0o711)  # the servers' own users must reach their folders
        postgres = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
        broker = stack.enter_context(EmbeddedBroker(folder / "mosquitto"))
        _migrate(postgres.url, Nature.EXERCISE)
        page, health = page_url(host, port), free_port()
        children: dict[str, subprocess.Popen[bytes]] = {}
        for words, account, metrics in (
            (["run", "--logical-time"], "ingest", health),
            (["feed", f"--host={host}", f"--port={port}"], "feed", free_port()),
        ):
            environment = _demo_environment(postgres, broker, account, metrics, config)
            child = _child(words, folder / f"{words[0]}.log", environment)
            children[words[0]] = stack.enter_context(child)
        yield Services(
            Address("127.0.0.1", broker.port, "simulator", broker.accounts["simulator"]),
            page,
            _demo_token(postgres.url),
            [f"http://127.0.0.1:{health}/readyz", f"{page}/readyz"],
            children,
        )


def _demo_token(database_url: str) -> str:
    """A token for everything, of a database that is thrown away with it."""
    credential = new_credential(Kind.TOKEN, secrets.token_bytes)
    with closing(connect(database_url, application_name="huewatch-demo")) as connection:
        access_store.create(connection, credential, "demo", Scope.ADMINISTER, "demo", None)
    return credential.text


def page_url(host: str, port: int) -> str:
    """Where a browser of this machine finds a page that listens on `host`."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


@contextmanager
def _child(words: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """`huewatch WORDS` as a child, ended in good order; its last words are shown when it failed."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "huewatch", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends its children
        )
    try:
        yield process
    finally:
        failed = process.poll() is not None
        process.terminate()
        process.wait(CHILD_STOP_SECONDS)
        if failed:
            typer.echo(f"{log.name}, last lines:\n{log.read_text(errors='replace')[-2000:]}", err=True)


def _demo_environment(
    postgres: EmbeddedPostgres, broker: EmbeddedBroker, account: str, health: int, config: Path | None
) -> dict[str, str]:
    """The settings of a demo's child: nothing of a city's environment reaches it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HUEWATCH_")}
    return own | {
        "HUEWATCH_DATABASE_URL": postgres.url,
        "HUEWATCH_BROKER_HOST": "127.0.0.1",
        "HUEWATCH_BROKER_PORT": str(broker.port),
        "HUEWATCH_BROKER_USERNAME": account,
        "HUEWATCH_BROKER_PASSWORD": broker.accounts[account],
        "HUEWATCH_NATURE": Nature.EXERCISE.value,
        "HUEWATCH_METRICS_PORT": str(health),
        "HUEWATCH_FEED_METRICS_PORT": str(health),
        **({} if config is None else {"HUEWATCH_CONFIG_DIR": str(config)}),
    }


def _print_settings(loaded: Loaded) -> None:
    table = Table("setting", "value", "from", title="Settings in force")
    for name, value, origin in in_force(loaded):
        table.add_row(name, printable(value), printable(origin))
    Console().print(table)


def _read_configuration(settings: Settings) -> tuple[Catalogue, tuple[Rule, ...], list[Problem]]:
    folder = config_folder(settings)
    catalogue, problems = read_catalogue(folder / "catalog", settings.nature)
    rules, faults = read_rules(folder / "rules", catalogue)
    return catalogue, rules, [*problems, *faults]


def _configured(settings: Settings) -> Configuration:
    """Catalogue and rules as the files say now; `ConfigError` with every problem in either."""
    catalogue, rules, problems = _read_configuration(settings)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise ConfigError(problems)

    def make_sinks(ids: Mapping[str, int]) -> list[Sink]:
        numbered = [rule.numbered(ids) for rule in rules]
        deciding = AlertSink(Engine(numbered), Judge(numbered, settings.allowed_lateness))
        return [ForecastSink(Tracker(gauges_of(catalogue, ids))), deciding]  # events come last

    return Configuration(catalogue, make_sinks, config_version(catalogue, [rule.settings for rule in rules]))


def _migrate(database_url: str, nature: Nature) -> None:
    with closing(connect(database_url, application_name="huewatch-migrate")) as connection:
        migrate(connection, MIGRATIONS, nature)


def main() -> None:
    """Entry point of the command `huewatch`."""
    app()


if __name__ == "__main__":
    main()
