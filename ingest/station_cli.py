"""The commands `config init` and `station new`: a city's own configuration, begun by asking.

Mounted by `ingest.cli`, with the commands about devices beside them. A flag answers a question in advance;
without a terminal nothing is asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ingest.asking import CENTRE, ask, ask_levels, choose, own_config
from ingest.cli_support import problems_reported, settings_of
from ingest.clock_cli import station_clocks
from ingest.device_cli import station_adopt, station_check, station_pending
from ingest.lint import report
from ingest.model import Nature
from ingest.new_station import (
    QUANTITIES,
    SENSORS,
    NewStation,
    copy_shipped_config,
    usual_datastream,
    write_station,
)

Text = str | None
Number = float | None

station_app = typer.Typer(no_args_is_help=True, help="Stations, their sensors and devices.")
station_app.command("check")(station_check)
station_app.command("pending")(station_pending)
station_app.command("adopt")(station_adopt)
station_app.command("clocks")(station_clocks)
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
    datum: Annotated[Text, typer.Option(help="Datum that its levels are given in.")] = None,
    surveyed_by: Annotated[Text, typer.Option(help="Who surveyed its zero in that datum.")] = None,
    nature: Annotated[Nature, typer.Option(help="What its readings are for.")] = Nature.ACTUAL,
) -> None:
    """Add a station to your configuration: asks what no flag says, and writes one YAML file.

    Without a terminal it asks nothing: defaults hold, and what has none must be a flag.

    Example: huewatch --config my-city station new --id HUE-FL-MINE --kind street --sensor huewatch-json
    """
    with problems_reported():
        folder = own_config(settings_of(context))
        identifier = ask(station_id, "id", "Station id", None)
        vi = ask(name_vi, "name-vi", "Vietnamese name", identifier)
        en = ask(name_en, "name-en", "English name", vi)
        kind = choose(kind, "kind", QUANTITIES, "street")
        sensor = choose(sensor, "sensor", SENSORS, "huewatch-json")
        known = SENSORS[sensor]
        datastream = usual_datastream(
            kind,
            sensor,
            ask(gateway, "gateway", "Gateway", None if known.ranging else f"gw-{identifier.lower()}"),
            ask(device, "device", "Device", None if known.ranging else "sensor-1"),
            ask(cadence, "cadence", "How often it reports", QUANTITIES[kind].cadence),
            _zero_elevation(zero_elevation, known.ranging),
            ask_levels(levels, kind),
        )
        station = NewStation(
            id=identifier,
            name_vi=vi,
            name_en=en,
            kind=kind,
            lat=ask(lat, "lat", "Latitude, degrees", CENTRE[0]),
            lon=ask(lon, "lon", "Longitude, degrees", CENTRE[1]),
            nature=nature,
            datastreams=(datastream,),
            datum=datum,
            surveyed_by=surveyed_by,
        )
        path, text, warnings = write_station(folder, station)
    report(warnings)
    typer.echo(f"Wrote {path}:\n\n{text}")
    ours = f"huewatch --config {folder}"
    typer.echo(f"Next: {ours} check; once `run` uses it: {ours} publish-test {identifier} 0.25")


def _zero_elevation(given: float | None, ranging: bool) -> float | None:
    return ask(given, "zero-elevation", "Height of the sensor above level 0, m", 4.0) if ranging else None
