"""The commands `config init` and `station new`: a city's own configuration, begun by asking.

Mounted by `ingest.cli`. A flag answers a question in advance; without a terminal nothing is asked.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ingest.catalog import Level
from ingest.cli_support import problems_reported, settings_of
from ingest.lint import report
from ingest.model import Nature
from ingest.new_station import (
    QUANTITIES,
    SENSORS,
    NewStation,
    copy_shipped_config,
    parse_levels,
    write_station,
)
from ingest.yaml_lines import ConfigError, Problem

T = TypeVar("T")
Text = str | None
Number = float | None

CENTRE = 16.4637, 107.5909  # of Huế, degrees north and east: a default to be corrected

station_app = typer.Typer(no_args_is_help=True, help="Stations of a catalogue of one's own.")
config_app = typer.Typer(no_args_is_help=True, help="A configuration folder of one's own.")


@config_app.command("init")
def config_init(folder: Annotated[Path, typer.Argument(help="New folder, e.g. my-city.")]) -> None:
    """Copy the shipped catalogue and rules into a folder of your own, to change there.

    Example: huewatch config init my-city
    """
    with problems_reported():
        written = copy_shipped_config(folder)
    typer.echo(f"Wrote {len(written)} files to {folder}.")
    typer.echo(f"Next: huewatch --config {folder} station new, or huewatch --config {folder} check")


@station_app.command("new")
def station_new(
    context: typer.Context,
    station_id: Annotated[Text, typer.Option("--id", help="Station id, e.g. HUE-FL-MINE.")] = None,
    name_vi: Annotated[Text, typer.Option(help="Vietnamese name.")] = None,
    name_en: Annotated[Text, typer.Option(help="English name.")] = None,
    kind: Annotated[Text, typer.Option(help=f"One of: {', '.join(QUANTITIES)}.")] = None,
    lat: Annotated[Number, typer.Option(help="Latitude, degrees.")] = None,
    lon: Annotated[Number, typer.Option(help="Longitude, degrees.")] = None,
    sensor: Annotated[Text, typer.Option(help=f"One of: {', '.join(SENSORS)}.")] = None,
    gateway: Annotated[Text, typer.Option(help="Gateway in the topic; ChirpStack: application id.")] = None,
    device: Annotated[Text, typer.Option(help="Device in the topic; ChirpStack: devEui.")] = None,
    cadence: Annotated[Text, typer.Option(help="How often it reports, e.g. 5min.")] = None,
    zero_elevation: Annotated[Number, typer.Option(help="Ranging sensor's height above level 0, m.")] = None,
    levels: Annotated[Text, typer.Option(help='"BĐ I=1.0, BĐ II=2.0"; "" for none.')] = None,
    nature: Annotated[Nature, typer.Option(help="What its readings are for.")] = Nature.ACTUAL,
) -> None:
    """Add a station to your configuration: asks what no flag says, and writes one YAML file.

    Without a terminal it asks nothing: defaults hold, and what has none must be a flag.

    Example: huewatch --config my-city station new --id HUE-FL-MINE --kind street --sensor huewatch-json
    """
    with problems_reported():
        folder = settings_of(context).config_dir
        if folder is None:
            message = "The shipped configuration cannot be changed."
            remedy = "Copy it by `huewatch config init DIR`, then `huewatch --config DIR station new`."
            raise ConfigError([Problem("--config", None, message, remedy)])
        identifier = ask(station_id, "id", "Station id", None)
        vi = ask(name_vi, "name-vi", "Vietnamese name", identifier)
        en = ask(name_en, "name-en", "English name", vi)
        kind = choose(kind, "kind", QUANTITIES, "street")
        sensor = choose(sensor, "sensor", SENSORS, "huewatch-json")
        known = SENSORS[sensor]
        station = NewStation(
            id=identifier,
            name_vi=vi,
            name_en=en,
            kind=kind,
            lat=ask(lat, "lat", "Latitude, degrees", CENTRE[0]),
            lon=ask(lon, "lon", "Longitude, degrees", CENTRE[1]),
            sensor=sensor,
            gateway=ask(gateway, "gateway", "Gateway", None if known.ranging else f"gw-{identifier.lower()}"),
            device=ask(device, "device", "Device", None if known.ranging else "sensor-1"),
            cadence=ask(cadence, "cadence", "How often it reports", QUANTITIES[kind].cadence),
            zero_elevation=_zero_elevation(zero_elevation, known.ranging),
            levels=_levels(ask(levels, "levels", "Levels, NAME=VALUE, lowest first", _usual_levels(kind))),
            nature=nature,
        )
        path, text, warnings = write_station(folder, station)
    report(warnings)
    typer.echo(f"Wrote {path}:\n\n{text}")
    ours = f"huewatch --config {folder}"
    typer.echo(f"Next: {ours} check; once `run` uses it: {ours} publish-test {identifier} 0.25")


def ask(given: T | None, flag: str, question: str, default: T | None) -> T:
    """The flag's value, else what the person at the terminal says, else the default (`ConfigError`: none)."""
    if given is not None:
        return given
    if sys.stdin.isatty():
        answer: T = typer.prompt(question, default=default)
        return answer
    if default is None:
        raise ConfigError([Problem(f"--{flag}", None, "There is nobody to ask.", f"Give --{flag}.")])
    return default


def choose(given: str | None, flag: str, choices: dict[str, Any], default: str) -> str:
    """As `ask`, for one of `choices`."""
    choice = ask(given, flag, f"{flag.capitalize()} ({', '.join(choices)})", default)
    if choice not in choices:
        message = f"{choice!r} is not one of them."
        raise ConfigError([Problem(f"--{flag}", None, message, f"Use one of: {', '.join(choices)}.")])
    return choice


def _zero_elevation(given: float | None, ranging: bool) -> float | None:
    return ask(given, "zero-elevation", "Height of the sensor above level 0, m", 4.0) if ranging else None


def _usual_levels(kind: str) -> str:
    return "Ngập 20 cm=0.2, Ngập 50 cm=0.5, Ngập 100 cm=1.0" if kind == "street" else ""


def _levels(text: str) -> tuple[Level, ...]:
    try:
        return parse_levels(text)
    except ValueError as error:
        raise ConfigError([Problem("--levels", None, f"{error}.", 'Write "BĐ I=1.0, BĐ II=2.0".')]) from None
