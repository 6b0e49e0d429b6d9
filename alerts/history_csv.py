"""The cells of a CSV: a time for each row, columns of numbers and words, and what could not be read.

Knows nothing of stations and units. A cell that cannot be read costs its row; each is remembered by its line
in the file. Called by `alerts.history`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.codecs.base import Undecodable, parse_time
from ingest.codecs.local_time import parse_local
from ingest.yaml_lines import ConfigError, Problem, Severity, display_name, nearest

MOST_REPORTED = 10  # bad cells named one by one; a file of another kind has nothing else
Numbers = NDArray[np.float64]
Times = NDArray[np.int64]


class Cells:
    """One file's rows: `time` and `received` in microseconds UTC, `readable` where both are known.

    `disordered`: how many rows stand before an earlier one.
    """

    def __init__(self, file: str, header: list[str], rows: list[list[str]], lines: list[int]) -> None:
        self._file, self._header, self._lines = file, header, lines
        self._faults: dict[int, Problem] = {}
        self.readable = np.ones(len(rows), np.bool_)
        for place, row in enumerate(rows):
            if len(row) != len(header):
                self._fault(place, f"This row has {len(row)} cells, the header {len(header)}.")
                rows[place] = [""] * len(header)
        self._columns = list(zip(*rows, strict=True)) if rows else [() for _ in header]
        self.time = self.received = np.zeros(len(rows), np.int64)
        self.disordered = 0

    def read_times(self, column: str, zone: int, received: str | None) -> None:
        """Read the times, those without a zone in `zone` (microseconds east)."""
        self.time = self.received = self._times(column, zone)
        if received is not None:
            self.received = self._times(received, zone)
        self.disordered = int(np.count_nonzero(np.diff(self.time[self.readable]) < 0))

    def words(self, column: str) -> Sequence[str]:
        """A column as it is written."""
        if column not in self._header:
            remedy = nearest(column, self._header) or f"It has {', '.join(self._header)}."
            raise ConfigError([Problem(self._file, 1, f"There is no column {column!r}.", remedy)])
        return self._columns[self._header.index(column)]

    def numbers(self, column: str, rows: NDArray[np.intp]) -> Numbers:
        """A column's numbers in some rows, NaN where a cell is empty; a bad cell makes its row unreadable."""
        words = self.words(column)
        chosen = [words[row] for row in rows.tolist()]
        try:
            found = np.array(chosen, np.float64)
        except ValueError:
            found = np.array([self._number(word) for word in chosen], np.float64)
        blank = np.array([not word.strip() for word in chosen], np.bool_)
        for place in rows[~np.isfinite(found) & ~blank & self.readable[rows]].tolist():
            self._fault(place, f"`{column}` {words[place]!r} is not a number.")
        return found

    @property
    def unreadable(self) -> int:
        """How many rows cannot be read."""
        return len(self._faults)

    def problems(self) -> Iterator[Problem]:
        """What could not be read, as warnings: the first ones, and how many more there are."""
        yield from [self._faults[place] for place in sorted(self._faults)[:MOST_REPORTED]]
        more = len(self._faults) - MOST_REPORTED
        if more > 0:
            message = f"{more} more rows cannot be read."
            yield Problem(self._file, None, message, "Correct the first ones.", Severity.WARNING)

    def _times(self, column: str, zone: int) -> Times:
        words = self.words(column)
        found = np.zeros(len(words), np.int64)
        for place, word in enumerate(words):
            if not self.readable[place]:
                continue
            try:
                found[place] = _moment(word, zone)
            except Undecodable:
                self._fault(place, f"`{column}` {word!r} is not a time such as 2025-10-27T20:00:00Z.")
        return found

    def _number(self, word: str) -> float:
        try:
            return float(word)
        except ValueError:
            return np.nan

    def _fault(self, place: int, message: str) -> None:
        remedy = "Correct the cell or remove the row; it is left out."
        problem = Problem(self._file, self._lines[place], message, remedy, Severity.WARNING)
        self._faults.setdefault(place, problem)
        self.readable[place] = False


def read_cells(file: Path, time: str, zone: int, received: str | None) -> Cells:
    """The cells of a CSV with a header; `ConfigError` when it is none or lacks a column of times."""
    name = display_name(file)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            rows, lines = [], []
            for row in reader:
                if row:
                    rows.append(row)
                    lines.append(reader.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message, remedy = f"Cannot be read: {error}.", "Name a readable CSV in UTF-8 with a header."
        raise ConfigError([Problem(name, None, message, remedy)]) from None
    cells = Cells(name, header, rows, lines)
    cells.read_times(time, zone, received)
    return cells


def _moment(word: str, zone: int) -> int:
    """A time with its own zone, or a local one in `zone`; a date and a time may stand apart by a blank."""
    text = word.strip().replace(" ", "T", 1)
    try:
        return parse_time(text)
    except Undecodable:
        return parse_local(text, zone)
