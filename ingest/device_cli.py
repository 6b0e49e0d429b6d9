"""The commands `station check`, `pending` and `adopt`: sensors in the field, known and not yet known.

They read the database and write no file but that of a new station: what people edit is theirs, so an entry
for an existing station is printed, to be pasted. Mounted by `ingest.station_cli`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ingest import adoption
from ingest.adoption import Mount, adopted, chosen_channels, refused, replacement_yaml, unit_flags
from ingest.asking import CENTRE, ask, ask_levels, choose, own_config
from ingest.catalog import Catalogue, Datastream, Station, load_catalogue
from ingest.cli_support import config_folder, database, printable, problems_reported, settings_of
from ingest.clock import system_clock, to_datetime
from ingest.installation import TIME
from ingest.lint import report
from ingest.model import Nature, RejectReason
from ingest.new_station import QUANTITIES, SENSORS, NewDatastream, NewStation, datastream_yaml, write_station
from ingest.pending import MOST_ROWS, FoundChannel, PendingDevice, pending
from ingest.settings import Settings
from ingest.staff_check import BIG_ERROR, NotComparable, StaffCheck, compare, minutes
from ingest.store import read
from ingest.store.connection import Connection
from ingest.yaml_lines import nearest

MOST_SHOWN = 12  # channels in a line of the list

Text = str | None
Number = float | None


def station_check(
    context: typer.Context,
    station_id: Annotated[str, typer.Argument(metavar="ID", help="Station id.")],
    staff: Annotated[float, typer.Option(help="What the staff gauge reads now, in the datastream's unit.")],
    staff_zero: Annotated[float, typer.Option(help="The staff's own zero in the station's datum.")] = 0.0,
    name: Annotated[Text, typer.Option("--datastream", help="Which one, if it has several levels.")] = None,
) -> None:
    """Compare a sensor's newest level with the staff gauge beside it, and say which zero would agree.

    Refuses when the newest reading is stale, has failed or is saturated.

    Example: huewatch station check HUE-WL-PHUOC --staff 0.62 --datastream water_level
    """
    with problems_reported():
        settings = settings_of(context)
        catalogue = load_catalogue(config_folder(settings) / "catalog", settings.nature)
        station, datastream = choose_level(catalogue, station_id, name)
        if not (math.isfinite(staff) and math.isfinite(staff_zero)):
            raise refused("--staff", "It is not a finite number.", "Write it in the datastream's unit.")
        key = f"{station.id}/{datastream.name}"
        with database(settings) as connection:
            latest, now = _latest(connection, key), _now(connection)
        try:
            check = compare(datastream, latest, staff + staff_zero, now)
        except NotComparable as error:
            raise refused(
                key, f"It cannot be compared now: {error}.", "Repeat it with a fresh reading."
            ) from None
    for line in check_lines(station, datastream, check):
        typer.echo(line)


def choose_level(catalogue: Catalogue, station_id: str, name: str | None) -> tuple[Station, Datastream]:
    """The station's datastream of that name, or its only level; `ConfigError` names the choices."""
    try:
        station = catalogue.station(station_id)
    except KeyError:
        known = nearest(station_id, (station.id for station in catalogue.stations))
        raise refused(
            "ID", f"There is no station {printable(station_id)}.", known or "See `check`."
        ) from None
    names = [datastream.name for datastream in station.datastreams]
    levels = [one for one in station.datastreams if station.reference(one) != "not_a_level"]
    wanted = [one for one in station.datastreams if one.name == name] if name else levels
    if len(wanted) != 1:
        message = f"{station.id} has {'no such' if not wanted else 'several'} levels."
        raise refused("--datastream", message, f"Give one of: {', '.join(names) or 'none'}.")
    return station, wanted[0]


def _latest(connection: Connection, key: str) -> read.Latest | None:
    mark = read.nature_mark(connection)
    found = (one for one in read.latest(connection) if one.key == key and one.nature == mark)
    return next(found, None)


def _now(connection: Connection) -> int:
    """The time that the data live by: the clock's, or that of an exercise."""
    if read.nature_mark(connection) is not Nature.ACTUAL:
        told = [
            one.now_at + (one.age or 0) for one in read.writer_state(connection) if one.now_at is not None
        ]
        if told:
            return max(told)
    return system_clock().now()


def check_lines(station: Station, datastream: Datastream, check: StaffCheck) -> list[str]:
    """The comparison in words, and what to write where."""
    unit, installed = datastream.unit, datastream.current()
    lines = [f"{station.id}/{datastream.name} of {' / '.join(installed.identity)}"]
    if check.reading is not None and installed.ranging is not None:
        lines.append(f"{installed.ranging.measures:<10}{check.reading:.3f} m")
    lines += [
        f"{'level':<10}{check.level:.3f} {unit}, {minutes(check.age)} old, flag {check.quality.name.lower()}",
        f"{'staff':<10}{check.staff:.3f} {unit}",
        f"{'error':<10}{check.error:+.3f} {unit}: the sensor's level is {_direction(check.error)}",
    ]
    if abs(check.error) >= BIG_ERROR:
        lines.append("This is much: is the staff's zero in the station's datum, and was the unit right?")
    if check.zero is None:
        lines.append("Its level comes ready from the device: set the zero there.")
    else:
        lines += [
            f"{'zero':<10}{check.zero:.3f} m; {check.new_zero:.3f} m would agree with the staff",
            f"To correct it write `zero_elevation: {check.new_zero:.3f}` in the installation that began"
            f"{_since(installed.since)}, and who surveyed it.",
        ]
    return lines


def _direction(error: float) -> str:
    if abs(error) < 0.0005:
        return "the staff's"
    return f"{abs(error):.3f} too {'high' if error > 0 else 'low'}"


def _since(since: int) -> str:
    return " first" if since < 0 else f" on {to_datetime(since):%Y-%m-%d %H:%M} UTC"


def station_pending(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many devices.")] = 50,
) -> None:
    """Devices that publish and are not in the catalogue, seen last first, with what they measure.

    Example: huewatch station pending
    """
    with problems_reported():
        settings = settings_of(context)
        devices = _pending(settings)
    table = Table("gateway", "device", "codec", "first seen (UTC)", "last seen (UTC)", "count", "says")
    for one in devices[:limit]:
        says = printable(one.trouble) if one.trouble else _says(one.channels)
        times = (f"{to_datetime(seen):%Y-%m-%d %H:%M}" for seen in (one.first_seen, one.last_seen))
        table.add_row(printable(one.gateway), printable(one.device), one.codec, *times, str(one.count), says)
    Console().print(table)
    more = len(devices) - limit
    typer.echo(f"{len(devices)} devices" + (f", {more} not shown; raise --limit." if more > 0 else "."))
    if devices:
        typer.echo(f"Next: {_ours(settings)} station adopt GATEWAY DEVICE --station ID")


def _pending(settings: Settings) -> list[PendingDevice]:
    catalogue = load_catalogue(config_folder(settings) / "catalog", settings.nature)
    with database(settings) as connection:
        rows = read.quarantine(connection, RejectReason.UNKNOWN_DEVICE.value, None, MOST_ROWS)
    known = {
        one.identity[:2] for _, _, datastream in catalogue.datastreams() for one in datastream.history()
    }  # adopted since; their rows wait for a replay
    return [one for one in pending(rows, catalogue.routes) if (one.gateway, one.device) not in known]


def _says(channels: Sequence[FoundChannel]) -> str:
    words = [f"{one.name} {_value(one.value)} {one.unit or ''}".rstrip() for one in channels]
    more = [f"and {len(words) - MOST_SHOWN} more"] if len(words) > MOST_SHOWN else []
    return printable(", ".join(words[:MOST_SHOWN] + more))


def _value(value: float | str) -> str:
    return repr(value[:32]) if isinstance(value, str) else f"{value:g}"


def _ours(settings: Settings) -> str:
    return f"huewatch --config {settings.config_dir}" if settings.config_dir else "huewatch"


def station_adopt(
    context: typer.Context,
    gateway: Annotated[str, typer.Argument(help="As `station pending` shows it.")],
    device: Annotated[str, typer.Argument(help="As `station pending` shows it.")],
    station: Annotated[str, typer.Option(help="Station id: a new one, or one of the catalogue.")],
    channel: Annotated[list[str] | None, typer.Option(help="Which channels; all but auxiliary ones.")] = None,
    unit: Annotated[list[str] | None, typer.Option(help="CHANNEL=UNIT where the device says none.")] = None,
    cadence: Annotated[Text, typer.Option(help="How often it reports, e.g. 5min.")] = None,
    sensor: Annotated[Text, typer.Option(help="Type of a ranging sensor: em500-udl, ldds75.")] = None,
    zero_elevation: Annotated[Number, typer.Option(help="Ranging sensor's height above level 0, m.")] = None,
    blanking: Annotated[Number, typer.Option(help="Its blanking distance, m.")] = None,
    max_range: Annotated[Number, typer.Option(help="Its range, m.")] = None,
    replaces: Annotated[Text, typer.Option(help="Datastream whose sensor it takes the place of.")] = None,
    since: Annotated[Text, typer.Option("--from", help="Since when: 2025-03-01T09:00+07:00.")] = None,
    kind: Annotated[Text, typer.Option(help=f"New station: {', '.join(QUANTITIES)}.")] = None,
    name_vi: Annotated[Text, typer.Option(help="New station: Vietnamese name.")] = None,
    name_en: Annotated[Text, typer.Option(help="New station: English name.")] = None,
    lat: Annotated[Number, typer.Option(help="New station: latitude, degrees.")] = None,
    lon: Annotated[Number, typer.Option(help="New station: longitude, degrees.")] = None,
    levels: Annotated[Text, typer.Option(help='New station: "BĐ I=1.0, BĐ II=2.0".')] = None,
    datum: Annotated[Text, typer.Option(help="New station: datum of its levels.")] = None,
    surveyed_by: Annotated[Text, typer.Option(help="New station: who surveyed its zero.")] = None,
    nature: Annotated[Nature, typer.Option(help="New station: what its readings are for.")] = Nature.ACTUAL,
) -> None:
    """Turn a pending device into catalogue entries: a new station's file, or YAML for an existing one's.

    Example: huewatch --config my-city station adopt app-1 24e124713c160001 --station HUE-FL-MINE
    --sensor em500-udl --zero-elevation 4.2
    """
    with problems_reported():
        settings = settings_of(context)
        folder = own_config(settings)
        catalogue = load_catalogue(folder / "catalog", settings.nature)
        found = _find(settings, gateway, device)
        known = next((one for one in catalogue.stations if one.id == station), None)
        kind = known.kind if known else choose(kind, "kind", QUANTITIES, "street")
        if sensor is not None:
            choose(sensor, "sensor", SENSORS, None)
        mount = Mount(sensor, zero_elevation, blanking, max_range)
        every = ask(cadence, "cadence", "How often it reports", QUANTITIES[kind].cadence)
        streams = [
            adopted(found, one, kind, every, mount, unit_flags(unit or ()))
            for one in chosen_channels(found, channel or ())
        ]
        if known is not None:
            typer.echo(_to_paste(folder, known, streams, replaces, since))
        else:
            if replaces is not None or since is not None:
                raise refused("--replaces", f"There is no station {printable(station)} yet.", "Leave it out.")
            asked = ask_levels(levels, kind)
            new = NewStation(
                id=station,
                name_vi=ask(name_vi, "name-vi", "Vietnamese name", station),
                name_en=ask(name_en, "name-en", "English name", name_vi or station),
                kind=kind,
                lat=ask(lat, "lat", "Latitude, degrees", CENTRE[0]),
                lon=ask(lon, "lon", "Longitude, degrees", CENTRE[1]),
                nature=nature,
                datastreams=tuple(adoption.with_levels(streams, kind, asked)),
                datum=datum,
                surveyed_by=surveyed_by,
            )
            path, text, warnings = write_station(folder, new)
            report(warnings)
            typer.echo(f"Wrote {path}:\n\n{text}")
    typer.echo(
        f"Next: {_ours(settings)} reload, then what it has sent so far:\n"
        f"      {_ours(settings)} quarantine replay --reason unknown_device"
    )


def _find(settings: Settings, gateway: str, device: str) -> PendingDevice:
    devices = _pending(settings)
    for one in devices:
        if (one.gateway, one.device) == (gateway, device):
            return one
    remedy = nearest(device, (one.device for one in devices)) or "See `huewatch station pending`."
    raise refused("DEVICE", f"{printable(gateway)} / {printable(device)} is not pending.", remedy)


def _to_paste(
    folder: Path, station: Station, streams: list[NewDatastream], replaces: str | None, since: str | None
) -> str:
    """What belongs into an existing station's file, with where to put it; `ConfigError` when it cannot be."""
    where = f"in its file in {folder / 'catalog'}"
    there = {one.name: one for one in station.datastreams}
    if since is not None and (replaces is None or not TIME.fullmatch(since)):
        remedy = "Give --replaces NAME --from 2025-03-01T09:00+07:00."
        raise refused("--from", "It says when a sensor took another's place, with its offset.", remedy)
    if replaces is not None:
        if replaces not in there or len(streams) != 1:
            remedy = f"Name one of {', '.join(there)}, and one --channel."
            raise refused("--replaces", "One sensor takes the place of one datastream's.", remedy)
        now = f"{to_datetime(system_clock().now()):%Y-%m-%dT%H:%M:%SZ}"
        text = replacement_yaml(there[replaces], streams[0], since or now)
        return f"Paste this under the datastream {replaces} of {station.id}, {where}:\n\n{text}"
    for stream in streams:
        if stream.name in there:
            message = f"{station.id} has a datastream {stream.name} already."
            remedy = f"Give --replaces {stream.name}, or name other channels by --channel."
            raise refused("--station", message, remedy)
    text = "\n".join(line for stream in streams for line in datastream_yaml(stream))
    return f"Paste this under `datastreams` of {station.id}, {where}:\n\n{text}\n"
