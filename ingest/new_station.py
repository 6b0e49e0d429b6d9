"""New stations as YAML, and a folder of one's own for them: what `station new`, `adopt` and `config init` do.

Promises that what it wrote loads, or that it wrote nothing. One file for each new station, so that a file
that people edit is never rewritten. Called by the command line.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ingest.catalog import Catalogue, Level, Ranging, read_catalogue
from ingest.config_model import Identifier
from ingest.model import Nature
from ingest.yaml_lines import ConfigError, Problem, Severity, display_name

SHIPPED = "huewatch_config"  # the package that carries config/
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_/]*")
NO_WORDS = ("true", "false", "null")  # to YAML 1.2
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
class NewDatastream:
    """The answers that make a datastream; lengths in metres.

    `unit` is the datastream's, `source_unit` that of a reading which says none, `title` its sensor's.
    """

    name: str
    property: str
    unit: str
    cadence: str
    gateway: str
    device: str
    channel: str
    source_unit: str
    title: str = ""
    sentinels: tuple[str, ...] = ()
    ranging: Ranging | None = None
    plausible: tuple[float, float] | None = None
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True)
class NewStation:
    """The answers that make a station. Coordinates in degrees.

    `datum`: in which its levels are given and its zeros are surveyed, by `surveyed_by`; None: they are not.
    """

    id: str
    name_vi: str
    name_en: str
    kind: str
    lat: float
    lon: float
    nature: Nature
    datastreams: tuple[NewDatastream, ...]
    datum: str | None = None
    surveyed_by: str | None = None


def usual_datastream(
    kind: str,
    sensor: str,
    gateway: str,
    device: str,
    cadence: str,
    zero_elevation: float | None,
    levels: tuple[Level, ...],
) -> NewDatastream:
    """What a station of that kind measures by a sensor of that type."""
    quantity, known = QUANTITIES[kind], SENSORS[sensor]
    ranging = None
    if zero_elevation is not None and known.blanking is not None and known.max_range is not None:
        ranging = Ranging(zero_elevation=zero_elevation, blanking=known.blanking, max_range=known.max_range)
    return NewDatastream(
        name=quantity.property,
        property=quantity.property,
        unit=quantity.unit,
        cadence=cadence,
        gateway=gateway,
        device=device,
        channel=known.channel or quantity.property,
        source_unit=known.unit or quantity.unit,
        title=known.title,
        sentinels=known.sentinels,
        ranging=ranging,
        plausible=quantity.plausible,
        levels=levels,
    )


def station_yaml(station: NewStation) -> str:
    """The text of a catalogue file with this station alone."""
    lines = [
        "# yaml-language-server: $schema=../catalog.schema.json",
        "stations:",
        f"  - id: {json.dumps(station.id)}",
        f"    name: {{ vi: {quoted(station.name_vi)}, en: {quoted(station.name_en)} }}",
        f"    kind: {station.kind}",
        f"    location: {{ lat: {station.lat}, lon: {station.lon}, quality: approximate }}",
        f"    nature: {station.nature.value}",
    ]
    if station.datum is not None:
        lines.append(f"    datum: {quoted(station.datum)}")
    lines.append("    datastreams:")
    for datastream in station.datastreams:
        has_zero = datastream.property.endswith("level")
        lines += datastream_yaml(datastream, station.datum if has_zero else None, station.surveyed_by)
    return "\n".join(lines) + "\n"


def datastream_yaml(
    datastream: NewDatastream, datum: str | None = None, surveyed_by: str | None = None
) -> list[str]:
    """The lines of one entry of a station's `datastreams`."""
    text, title = json.dumps, f" # {datastream.title}" if datastream.title else ""
    lines = [
        f"      - name: {datastream.name}",
        f"        property: {datastream.property}",
        f"        unit: {_word(datastream.unit)}",
        f"        cadence: {quoted(datastream.cadence)}",
        f"        source:{title}",
        f"          gateway: {text(datastream.gateway)}",
        f"          device: {text(datastream.device)}",
        f"          channel: {_word(datastream.channel)}",
        f"          unit: {_word(datastream.source_unit)}",
    ]
    if datastream.sentinels:
        lines.append(f"          sentinels: {text(datastream.sentinels)}")
    if datastream.ranging is not None:
        lines += _ranging_yaml(datastream.ranging)
    if datum is not None and surveyed_by is not None:
        lines += [
            "        installations:",
            f"          - {{ datum: {quoted(datum)}, surveyed: true, by: {quoted(surveyed_by)} }}",
        ]
    if datastream.levels and datastream.plausible is not None:
        below, above = datastream.plausible
        lowest, highest = datastream.levels[0].value - below, datastream.levels[-1].value + above
        lines += [
            "        gross_range: # a reading outside it fails: neither raises nor ends an alert",
            f"          fail: [{round(lowest, 3)}, {round(highest, 3)}]",
        ]
    if datastream.levels:
        lines.append("        levels: # from the lowest to the highest")
        lines += [
            f"          - {{ name: {quoted(one.name)}, value: {one.value} }}" for one in datastream.levels
        ]
    return lines


def _ranging_yaml(ranging: Ranging) -> list[str]:
    sign = "+" if ranging.measures == "depth" else "-"
    lines = [
        f"        ranging: # level = zero_elevation {sign} {ranging.measures}; the rest as on the data sheet",
        f"          zero_elevation: {ranging.zero_elevation}",
        f"          blanking: {ranging.blanking}",
        f"          max_range: {ranging.max_range}",
    ]
    return [*lines, "          measures: depth"] if ranging.measures == "depth" else lines


def _word(text: str) -> str:
    """A word as it is where YAML reads it as one, quoted otherwise."""
    return text if WORD.fullmatch(text) and text.lower() not in NO_WORDS else quoted(text)


def quoted(text: str) -> str:
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
