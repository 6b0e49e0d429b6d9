"""Mapped CSV: any gateway whose messages are tables in text, by a few lines of YAML in its route.

Topic: whatever the gateway has, as long as one level names it and one the device. The payload is UTF-8 (a
byte order mark may precede it), one row a line, fields optionally in double quotes (RFC 4180). The route's
`settings` name columns; wide tables have a column a channel, long ones a column that says the channel:

    settings:
      delimiter: ";"
      decimal: comma
      time: { columns: [Ngày, Giờ], format: "%d/%m/%Y %H:%M", zone: "+07:00" }
      readings:
        - { channel: level, value: Mực nước, unit: cm }
        - { channel: { column: tag }, value: value, unit: { column: unit } }   # long form

- `delimiter`: one character, "," by default. `comment`: lines that begin with it are passed over.
  `skip_lines`: numbers of further lines (from 1) that are no data, such as a logger's preamble.
- `columns`: the names of the columns in order. Without it the first line names them, in any order.
- `readings`: one entry per value column. `channel` and `unit` are constants or `{ column: ... }`; without
  `unit` the catalogue's `source.unit` holds. An empty field becomes the word "absent", which is quarantined
  under its channel; with `absent: skip` it is optional. A row of another width than the columns has no value
  at all: each of its entries becomes a word. A column that is missing, a table without rows and one whose
  values are all empty make the message unreadable.
- `time`: `format`, `zone` and `clock` as of `mapped-json`; several columns are joined by a space. A time
  that cannot be read makes its row's values words. Without `time` the time of arrival holds.
- Numbers: `decimal: comma` reads 12,5 and refuses 12.5; `numbers: with_units` also reads "12.5 cm".
- `quality: { column: q, good: ["00"] }` of an entry, as of `mapped-json`.
- `units`: how the gateway spells units. `device`, `status`: columns, as the paths of `mapped-json`; all rows
  must have one status.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator

from ingest.codecs.base import (
    MAX_READINGS,
    Address,
    Codec,
    CodecSettings,
    Decode,
    Decoded,
    Undecodable,
    needs_settings,
    printable,
    quoted,
)
from ingest.codecs.mapping import (
    ABSENT_WORD,
    MAX_RULES,
    Absent,
    DecimalSign,
    Given,
    Numbers,
    QualitySettings,
    Spellings,
    TimeSettings,
    Untimed,
    Values,
    Word,
    check_unit,
    name_of,
    same_device,
    word,
)
from ingest.model import Quality, Reading, RejectReason, TimeSource

MAX_COLUMNS: Final = 500  # of a table: more than the fields of any logger's
MAX_ROWS: Final = MAX_READINGS  # a row without a reading is no use
_MOST_LINES: Final = 10 * MAX_ROWS  # blank ones, comments and both ends of a line included

Character = Annotated[str, Field(min_length=1, max_length=1)]


class GivenByColumn(Given):
    column: Word | None = None

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.constant is None) == (self.column is None):
            raise ValueError("write a plain text, or { column: ... } where the row says it")
        return self


class CsvTime(TimeSettings):
    columns: tuple[Word, ...] = Field(min_length=1, max_length=4)


class CsvQuality(QualitySettings):
    column: Word


class CsvReading(CodecSettings):
    channel: GivenByColumn
    value: Word
    unit: GivenByColumn | None = None
    quality: CsvQuality | None = None
    absent: Absent = Absent.WORD

    @model_validator(mode="after")
    def _unit_is_known(self) -> Self:
        if self.unit is not None and self.unit.constant is not None:
            check_unit(self.unit.constant)
        return self


class CsvSettings(CodecSettings):
    readings: tuple[CsvReading, ...] = Field(min_length=1, max_length=MAX_RULES)
    delimiter: Character = ","
    comment: Character | None = None
    skip_lines: tuple[Annotated[int, Field(ge=1, le=100)], ...] = ()
    columns: tuple[Word, ...] = Field((), max_length=MAX_COLUMNS)
    decimal: DecimalSign = DecimalSign.POINT
    numbers: Numbers = Numbers.IN_STRINGS
    time: CsvTime | None = None
    units: Spellings = Field(default_factory=dict)
    device: Word | None = None
    status: Word | None = None

    @field_validator("numbers")
    @classmethod
    def _numbers_are_texts(cls, numbers: Numbers) -> Numbers:
        if numbers is Numbers.STRICT:
            raise ValueError("a table has nothing but texts: write in_strings or with_units")
        return numbers

    @model_validator(mode="after")
    def _columns_are_there(self) -> Self:
        if self.delimiter in '"\r\n' or self.comment in ('"', self.delimiter):
            raise ValueError("`delimiter` and `comment` are two characters, neither a quote nor a line's end")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("`columns` has a name twice: give each column its own")
        missing = [name for name in self.named() if self.columns and name not in self.columns]
        if missing:
            raise ValueError(f"column {missing[0]!r} is not one of `columns`")
        return self

    def named(self) -> Iterator[str]:
        """Every column that the settings speak of."""
        for entry in self.readings:
            yield entry.value
            places = (entry.channel, entry.unit, entry.quality)
            yield from (place.column for place in places if place is not None and place.column is not None)
        yield from () if self.time is None else self.time.columns
        yield from (name for name in (self.device, self.status) if name is not None)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row by the names of its columns, or what is wrong with it."""

    line: int
    fields: Mapping[str, str]
    fault: str | None


@dataclass(frozen=True, slots=True)
class _Plan:
    settings: CsvSettings
    values: Values
    read_time: Callable[[object], int] | None

    @classmethod
    def of(cls, settings: CsvSettings) -> _Plan:
        time = None if settings.time is None else settings.time.reader(settings.numbers)
        return cls(settings, Values(settings.numbers, settings.decimal), time)

    def decode(self, address: Address, payload: bytes) -> Decoded:
        rows = self._rows(payload)
        readings: list[Reading] = []
        found = False
        for row in rows:
            for reading, there in self._readings(address.device, row):
                found = found or there
                readings.append(reading)
            if len(readings) > MAX_READINGS:
                raise Undecodable(RejectReason.UNDECODABLE, f"more than {MAX_READINGS} readings")
        if not found:
            fault = next((row.fault for row in rows if row.fault), "no row has one of the route's values")
            raise Undecodable(RejectReason.UNDECODABLE, fault)
        return Decoded(readings, self._status(rows))

    def _rows(self, payload: bytes) -> Sequence[_Row]:
        table = list(self._table(payload))
        names = self.settings.columns or tuple(table.pop(0)[1] if table else ())
        if len(names) > MAX_COLUMNS or len(set(names)) < len(names):
            raise Undecodable(RejectReason.UNDECODABLE, f"a column is named twice, or over {MAX_COLUMNS} are")
        for name in self.settings.named():
            if name not in names:
                detail = f"column {quoted(name)} is not in the first line, {quoted(','.join(names))}"
                raise Undecodable(RejectReason.UNDECODABLE, detail)
        return [_row(line, names, fields) for line, fields in table]

    def _table(self, payload: bytes) -> Iterator[tuple[int, list[str]]]:
        """The rows with their line numbers, without comments, preamble and blank lines."""
        try:
            text = payload.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            detail = f"not UTF-8 at byte {error.start}"
            raise Undecodable(RejectReason.UNDECODABLE, detail) from None
        if text.count("\n") + text.count("\r") > _MOST_LINES:
            raise Undecodable(RejectReason.UNDECODABLE, f"more than {_MOST_LINES} lines")
        reader = csv.reader(self._lines(text), delimiter=self.settings.delimiter, strict=True)
        kept = 0
        try:
            for row in reader:
                fields = [field.strip() for field in row]
                if any(fields):
                    kept += 1
                    yield reader.line_num, fields
                if kept > MAX_ROWS + 1:
                    raise Undecodable(RejectReason.UNDECODABLE, f"more than {MAX_ROWS} rows")
        except csv.Error as error:
            detail = f"line {reader.line_num}: {printable(str(error))}"  # it repeats the delimiter
            raise Undecodable(RejectReason.UNDECODABLE, detail) from None

    def _lines(self, text: str) -> Iterator[str]:
        """The lines; those that are no data are blank, so that the others keep their numbers."""
        for number, line in enumerate(StringIO(text, newline=""), start=1):
            comment = self.settings.comment is not None and line.startswith(self.settings.comment)
            yield "\n" if comment or number in self.settings.skip_lines else line

    def _readings(self, device: str, row: _Row) -> Iterator[tuple[Reading, bool]]:
        """The readings of a row, and whether each one's value is there; what cannot be read is a word."""
        time, fault = None, row.fault
        if fault is None:
            try:
                time = self._time(row)
            except Undecodable as error:
                fault = error.detail
        source = TimeSource.DEVICE if self.settings.time is None else self.settings.time.clock.source
        who = device if self.settings.device is None else _device(row.fields, self.settings.device, device)
        for entry in self.settings.readings:
            text = row.fields.get(entry.value, "")
            if not text and fault is None and entry.absent is Absent.SKIP:
                continue
            value, own_unit = self.values.read(text) if text else (ABSENT_WORD, None)
            unit = self._unit(entry, row) if own_unit is None else self.settings.units.get(own_unit, own_unit)
            value = value if fault is None else word(f"({fault})")
            quality = _quality(entry, row)
            reading = Reading(who, _channel(entry, row), value, unit, time, source, quality=quality)
            yield reading, bool(text) and row.fault is None

    def _time(self, row: _Row) -> int | None:
        if self.settings.time is None or self.read_time is None:
            return None
        text = " ".join(row.fields[name] for name in self.settings.time.columns).strip()
        if not text and self.settings.time.absent is Untimed.ARRIVAL:
            return None
        return self.read_time(text)

    def _unit(self, entry: CsvReading, row: _Row) -> str | None:
        if entry.unit is None or entry.unit.column is None:
            return None if entry.unit is None else entry.unit.constant
        unit = row.fields.get(entry.unit.column) or ABSENT_WORD
        return self.settings.units.get(unit, word(unit))

    def _status(self, rows: Sequence[_Row]) -> str | None:
        if self.settings.status is None:
            return None
        said = {row.fields[self.settings.status] for row in rows if row.fault is None}
        if len(said) > 1:
            raise Undecodable(RejectReason.NATURE_MISMATCH, f"rows of {len(said)} different statuses")
        return name_of(said.pop()) if said else None


def _row(line: int, names: Sequence[str], fields: Sequence[str]) -> _Row:
    width = f"line {line} has {len(fields)} fields, not {len(names)}"
    return _Row(line, dict(zip(names, fields, strict=False)), None if len(fields) == len(names) else width)


def _channel(entry: CsvReading, row: _Row) -> str:
    if entry.channel.constant is not None:
        return entry.channel.constant
    return word(row.fields.get(entry.channel.column or "") or f"(line {row.line})")


def _quality(entry: CsvReading, row: _Row) -> Quality:
    if entry.quality is None:
        return Quality.NOT_EVALUATED
    return entry.quality.flag(row.fields.get(entry.quality.column, ""))


def _device(fields: Mapping[str, str], column: str, device: str) -> str:
    """The topic's device where the row says the same, else what it says."""
    said = word(fields.get(column) or ABSENT_WORD)
    return device if same_device(said, device) else said


def _configure(settings: CsvSettings) -> Decode:
    return _Plan.of(settings).decode


CODEC = Codec(
    name="mapped-csv",
    version=1,
    decode=needs_settings,
    auxiliary=frozenset(),
    documentation=__doc__,
    settings=CsvSettings,
    configure=_configure,
)
