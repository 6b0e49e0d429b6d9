"""Histories: CSV files of measurements, each with a small YAML that says what its columns are.

`read_history` gives a catalogue of the stations that a file is of, and its readings as columns in the units
of that catalogue, with the flags that a normaliser would have given them. Rows may stand in any order. What
one cell has wrong costs its row and is reported with its line; what the description has wrong is a
`ConfigError`. Everything read is an Exercise: what is played again is not reality. Reads files and nothing
else. Called by `huewatch backtest` and by whoever scores forecasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alerts.history_csv import Cells, read_cells
from alerts.history_description import (
    Description,
    QualityColumn,
    ValueColumn,
    catalogue_of,
    read_description,
)
from ingest.catalog import Catalogue, Datastream, Station
from ingest.model import ObservationBatch, Quality, TimeSource
from ingest.quality import GrossRanges, gross_range, worst
from ingest.units import UNITS, UnknownUnit, conversion
from ingest.yaml_lines import ConfigError, Place, Problem, display_name, nearest

ROUNDING = 1e-9  # metres; a sensor under water repeats its highest level


@dataclass(frozen=True, slots=True)
class Readings:
    """One datastream's readings by time (no two alike): microseconds UTC, its unit, flags at arrival."""

    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int8]
    received: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a file's values: read = kept + duplicate + conflict + unreadable, and `empty` cells.

    `disordered`: how many rows stood before an earlier one. A conflict is another value for the same time;
    the first stays.
    """

    kept: int
    duplicate: int
    conflict: int
    unreadable: int
    empty: int
    disordered: int


@dataclass(frozen=True, slots=True)
class History:
    """One file: the catalogue of its stations, each datastream's readings by key, and what was found."""

    file: str
    catalogue: Catalogue
    readings: Mapping[str, Readings]
    shown_in: int
    tally: Tally
    problems: tuple[Problem, ...]


def read_history(csv_file: Path, config: Path | Traversable) -> History:
    """The readings of a CSV; its YAML lies beside it, or in `histories/` of the configuration folder.

    Raises `ConfigError` when the file or its description cannot be used.
    """
    place, description = read_description(csv_file, config)
    catalogue = catalogue_of(description, place, config)
    cells = read_cells(csv_file, description.time.column, description.time.zone, description.received)
    reader = _Reader(catalogue, description, place, cells)
    return reader.history(display_name(csv_file))


def observations(histories: Iterable[History], ids: Mapping[str, int]) -> ObservationBatch:
    """The readings of all histories as one batch, in order of arrival; without those that have no number."""
    parts = [
        _columns(readings, ids[key])
        for history in histories
        for key, readings in history.readings.items()
        if key in ids
    ]
    batch = ObservationBatch.joined(parts)
    return batch.take(np.lexsort((batch.datastream, batch.time, batch.received_at)))


def joined_catalogue(histories: Sequence[History]) -> Catalogue:
    """The stations of all histories; `ConfigError` where two files describe one station differently."""
    stations: dict[str, Station] = {}
    for history in histories:
        for station in history.catalogue.stations:
            if stations.setdefault(station.id, station) != station:
                message = f"Station {station.id} is described differently by another of these files."
                remedy = "Give one of the two stations another id."
                raise ConfigError([Problem(history.file, None, message, remedy)])
    return Catalogue(stations=tuple(stations.values()), routes=())


def _columns(readings: Readings, number: int) -> ObservationBatch:
    count = len(readings)
    return ObservationBatch(
        np.full(count, number, np.int32),
        readings.time,
        readings.value,
        readings.quality,
        readings.received,
        np.full(count, -1, np.int32),
        np.zeros(count, np.bool_),
        np.full(count, TimeSource.DEVICE, np.int8),
        np.zeros(count, np.int64),
    )


class _Reader:
    """Takes one file's cells apart into readings; keeps count of what it leaves out."""

    def __init__(self, catalogue: Catalogue, description: Description, place: Place, cells: Cells) -> None:
        self._streams = {key: stream for key, _, stream in catalogue.datastreams()}
        self._catalogue, self._description, self._place, self._cells = catalogue, description, place, cells
        self._kept = self._duplicate = self._conflict = self._empty = 0

    def history(self, file: str) -> History:
        readings: dict[str, Readings] = {}
        for index, column in enumerate(self._description.values):
            for key, rows in self._rows_of(column, self._place.at("values", index)):
                if key in readings:
                    where = self._place.at("values", index, "datastream")
                    message = f"Two columns give values of {key}."
                    raise ConfigError([where.problem(message, "Name another datastream, or remove one.")])
                found = self._readings(column, key, rows, self._place.at("values", index, "unit"))
                if len(found):
                    readings[key] = found
        cells = self._cells
        tally = Tally(
            self._kept, self._duplicate, self._conflict, cells.unreadable, self._empty, cells.disordered
        )
        return History(
            file, self._catalogue, readings, self._description.shown_in, tally, tuple(cells.problems())
        )

    def _rows_of(self, column: ValueColumn, place: Place) -> Iterator[tuple[str, NDArray[np.intp]]]:
        """The datastreams that a column has values of, with the rows of each."""
        if self._description.key is None:
            yield self._key(column, place), np.arange(len(self._cells.time))
            return
        words = np.array(self._cells.words(self._description.key))
        for key in np.unique(words).tolist():
            if key not in self._streams:
                message = f"The column {self._description.key!r} names {key!r}, which is no datastream."
                remedy = nearest(key, self._streams) or "Write a key of the catalogue."
                raise ConfigError([self._place.at("key").problem(message, remedy)])
            yield key, np.flatnonzero(words == key)

    def _key(self, column: ValueColumn, place: Place) -> str:
        station = self._description.station
        name = column.datastream or ""
        key = name if station is None else f"{station.id}/{name}"
        if key in self._streams:
            return key
        known = [one.removeprefix(f"{station.id}/") for one in self._streams] if station else self._streams
        remedy = nearest(name, known) or "Write the name of a datastream of the station, or a key."
        raise ConfigError([place.at("datastream").problem(f"There is no datastream {name!r}.", remedy)])

    def _readings(self, column: ValueColumn, key: str, rows: NDArray[np.intp], place: Place) -> Readings:
        stream, cells = self._streams[key], self._cells
        value = cells.numbers(column.column, rows)
        value = _converted(value, column.unit or stream.unit, stream.unit, place)
        time, received = cells.time[rows], cells.received[rows]
        quality = arrival_flags(stream, value)
        if column.quality is not None:
            quality = worst(quality, _told_flags(column.quality, cells, rows))
        whole = cells.readable[rows]
        usable = whole & np.isfinite(value)
        self._empty += int(np.count_nonzero(whole & ~usable))
        order = np.flatnonzero(usable)[np.argsort(time[usable], kind="stable")]
        repeated = np.zeros(len(order), np.bool_)
        repeated[1:] = time[order][1:] == time[order][:-1]
        same = repeated.copy()
        same[1:] &= value[order][1:] == value[order][:-1]
        self._duplicate += int(same.sum())
        self._conflict += int((repeated & ~same).sum())
        order = order[~repeated]
        self._kept += len(order)
        return Readings(time[order], value[order], quality[order], received[order])


def _converted(value: NDArray[np.float64], source: str, target: str, place: Place) -> NDArray[np.float64]:
    try:
        numerator, offset, denominator = conversion(source, target)
    except UnknownUnit as error:
        remedy = nearest(source, UNITS) or "Write the unit of the column's values."
        raise ConfigError(
            [place.problem(f"Values in {source!r} are not understood: {error}.", remedy)]
        ) from None
    return np.asarray((value * numerator + offset) / denominator, np.float64)


def _told_flags(column: QualityColumn, cells: Cells, rows: NDArray[np.intp]) -> NDArray[np.int8]:
    words = np.array(cells.words(column.column), dtype=np.str_)[rows]
    flags = np.full(len(rows), Quality.NOT_EVALUATED, np.int8)
    flags[np.isin(words, column.suspect)] = Quality.SUSPECT
    flags[np.isin(words, column.fail)] = Quality.FAIL
    return flags


def arrival_flags(stream: Datastream, value: NDArray[np.float64]) -> NDArray[np.int8]:
    """The flags of a datastream's values before any test looks back: by its range and its sensor's sight."""
    ranges = GrossRanges.of([stream.gross_range])
    flags = gross_range(value, np.zeros(len(value), np.intp), ranges)
    ranging = stream.current().ranging
    if ranging is not None:
        flags = flags.copy()
        under = value >= ranging.highest - ROUNDING
        flags[under] = worst(flags[under], np.full(int(under.sum()), Quality.SUSPECT, np.int8))
    return flags
