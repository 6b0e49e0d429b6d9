"""A new station as YAML, and a folder of one's own to keep it in: what `station new` and `config init` do.

Promises that what it wrote loads, or that it wrote nothing. One file for each new station, so that a file
that people edit is never rewritten. Called by the command line.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ingest.catalog import Catalogue, Level, read_catalogue
from ingest.config_model import Identifier
from ingest.model import Nature
from ingest.yaml_lines import ConfigError, Problem, Severity, display_name

SHIPPED = "huewatch_config"  # the package that carries config/
CONFIG_SUFFIXES = (".yaml", ".json", ".md")


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a kind of station measures by default: property, unit, cadence.

    `plausible`: how far below its lowest and above its highest level a reading is still believed, None where
    nobody can say. A proposal for the file's owner to correct; the flood of record lies inside.
    """

    property: str
    unit: str
    cadence: str
    plausible: tuple[float, float] | None = None


QUANTITIES = {
    "river": Quantity("water_level", "m", "5min", (4.0, 5.0)),
    "street": Quantity("water_level", "m", "5min", (1.0, 3.0)),
    "rain": Quantity("rainfall", "mm", "10min"),
    "reservoir": Quantity("reservoir_level", "m", "15min"),
    "barrage": Quantity("water_level", "m", "10min"),
    "tide": Quantity("water_level", "m", "10min"),
    "air": Quantity("pm2_5", "ug/m3", "1h"),
    "water": Quantity("turbidity", "NTU", "15min"),
}


@dataclass(frozen=True, slots=True)
class Sensor:
    """How a device type publishes: the channel and its unit (None: the datastream's), and what it can see."""

    title: str
    channel: str | None = None
    unit: str | None = None
    blanking: float | None = None  # m
    max_range: float | None = None  # m
    sentinels: tuple[str, ...] = ()

    @property
    def ranging(self) -> bool:
        """Whether it measures the distance down to the water."""
        return self.blanking is not None


# Distances from the vendors' data sheets as remembered: check them against the sheet of the device bought.
SENSORS = {
    "huewatch-json": Sensor("Huewatch JSON over MQTT"),
    "em500-udl": Sensor("Milesight EM500-UDL behind ChirpStack v4", "distance", "mm", 0.50, 10.0),
    "ldds75": Sensor(
        "Dragino LDDS75 behind ChirpStack v4", "distance", "mm", 0.28, 7.5, ("No Sensor", "Invalid Reading")
    ),
}


@dataclass(frozen=True, slots=True)
class NewStation:
    """The answers that make a station with one datastream. Lengths in metres, coordinates in degrees."""

    id: str
    name_vi: str
    name_en: str
    kind: str
    lat: float
    lon: float
    sensor: str
    gateway: str
    device: str
    cadence: str
    zero_elevation: float | None
    levels: tuple[Level, ...]
    nature: Nature


def station_yaml(station: NewStation) -> str:
    """The text of a catalogue file with this station alone."""
    quantity, sensor = QUANTITIES[station.kind], SENSORS[station.sensor]
    text, lines = json.dumps, []
    lines += [
        "# yaml-language-server: $schema=../catalog.schema.json",
        "stations:",
        f"  - id: {text(station.id)}",
        f"    name: {{ vi: {_quoted(station.name_vi)}, en: {_quoted(station.name_en)} }}",
        f"    kind: {station.kind}",
        f"    location: {{ lat: {station.lat}, lon: {station.lon}, quality: approximate }}",
        f"    nature: {station.nature.value}",
        "    datastreams:",
        f"      - name: {quantity.property}",
        f"        property: {quantity.property}",
        f"        unit: {quantity.unit}",
        f"        cadence: {_quoted(station.cadence)}",
        f"        source: # {sensor.title}",
        f"          gateway: {text(station.gateway)}",
        f"          device: {text(station.device)}",
        f"          channel: {sensor.channel or quantity.property}",
        f"          unit: {sensor.unit or quantity.unit}",
    ]
    if sensor.sentinels:
        lines.append(f"          sentinels: {text(sensor.sentinels)}")
    if station.zero_elevation is not None:
        lines += [
            "        ranging: # level = zero_elevation - distance; blanking and range as on the data sheet",
            f"          zero_elevation: {station.zero_elevation}",
            f"          blanking: {sensor.blanking}",
            f"          max_range: {sensor.max_range}",
        ]
    if station.levels and quantity.plausible is not None:
        below, above = quantity.plausible
        lowest, highest = station.levels[0].value - below, station.levels[-1].value + above
        lines += [
            "        gross_range: # a reading outside it fails: neither raises nor ends an alert",
            f"          fail: [{round(lowest, 3)}, {round(highest, 3)}]",
        ]
    if station.levels:
        lines.append("        levels: # from the lowest to the highest")
        lines += [
            f"          - {{ name: {_quoted(one.name)}, value: {one.value} }}" for one in station.levels
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text as a double-quoted YAML scalar; JSON's escapes are YAML's too."""
    return json.dumps(text, ensure_ascii=False)


def write_station(folder: Path, station: NewStation) -> tuple[Path, str, list[Problem]]:
    """Add the station to `folder`/catalog: the file, its text, and warnings. Raises `ConfigError`."""
    _check_id(station.id)
    catalogue = folder / "catalog"
    before = _must_load(catalogue)
    if any(known.id == station.id for known in before.stations):
        message = f"Station {station.id} exists already."
        raise ConfigError([Problem(display_name(catalogue), None, message, "Choose another id.")])
    path, text = catalogue / f"{station.id.lower()}.yaml", station_yaml(station)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        remedy = "Move the file away, or make the folder writable."
        raise ConfigError(
            [Problem(display_name(path), None, f"Cannot be written: {error}.", remedy)]
        ) from None
    _, problems = read_catalogue(catalogue)
    if any(problem.severity is Severity.ERROR for problem in problems):
        path.unlink()
        raise ConfigError(problems)
    return path, text, [problem for problem in problems if problem.file == display_name(path)]


def _check_id(identifier: str) -> None:
    """It becomes a file's name, so it is looked at before the rest."""
    try:
        TypeAdapter(Identifier).validate_python(identifier)
    except ValidationError:
        remedy = "Use letters, digits, '.', '_' and '-', a letter or digit first, at most 64."
        raise ConfigError([Problem("--id", None, f"{identifier!r} cannot be an id.", remedy)]) from None


def _must_load(folder: Path) -> Catalogue:
    if not folder.is_dir():
        remedy = "Make it with `huewatch config init DIR`."
        raise ConfigError([Problem(display_name(folder), None, "There is no such folder.", remedy)])
    catalogue, problems = read_catalogue(folder)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors and catalogue.stations:
        raise ConfigError(errors)
    return catalogue


def parse_levels(text: str) -> tuple[Level, ...]:
    """Levels from "BĐ I=1.0, BĐ II=2.0"; `ValueError` says what is wrong."""
    levels = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = part.rpartition("=")
        if not equals or not name.strip():
            raise ValueError(f"{part!r} is not NAME=VALUE, such as BĐ I=1.0")
        height = float(value)
        if not math.isfinite(height):
            raise ValueError(f"{part!r} has no finite value")
        levels.append(Level(name=name.strip(), value=height))
    return tuple(levels)


def copy_shipped_config(target: Path) -> list[Path]:
    """Copy the shipped catalogue, rules and schemas into `target`; the files. Raises `ConfigError`."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        message = "This exists already and is not an empty folder."
        raise ConfigError([Problem(display_name(target), None, message, "Name a new folder.")])
    written: list[Path] = []
    try:
        _copy(files(SHIPPED), target, written)
    except OSError as error:
        remedy = "Name a folder that you may write to."
        raise ConfigError(
            [Problem(display_name(target), None, f"Cannot be written: {error}.", remedy)]
        ) from None
    return written


def _copy(source: Traversable, target: Path, written: list[Path]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and not entry.name.startswith("__") and _holds_config(entry):
            _copy(entry, target / entry.name, written)
        elif entry.name.endswith(CONFIG_SUFFIXES):
            (target / entry.name).write_bytes(entry.read_bytes())
            written.append(target / entry.name)


def _holds_config(folder: Traversable) -> bool:
    return any(entry.name.endswith(CONFIG_SUFFIXES) for entry in folder.iterdir())
