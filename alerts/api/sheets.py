"""Tables as files: CSV and Parquet, written piece by piece in bounded memory.

Promises: CSV is RFC 4180 (comma, CRLF, quotes where needed) in UTF-8 with one header line, times as RFC 3339
in UTC, numbers with a point, what is not known as an empty field; a text that a spreadsheet would take for a
formula begins with an apostrophe. Parquet has the same columns with their types, one row group for each
piece. Pure; called by the routers that answer with files.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from alerts import wire

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet carries out (OWASP)


class Kind(StrEnum):
    """What a column holds; times are microseconds UTC."""

    TEXT = "text"
    TIME = "time"
    NUMBER = "number"
    WHOLE = "whole"
    TRUTH = "truth"


class Format(StrEnum):
    """The file formats."""

    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES = {Format.CSV: "text/csv", Format.PARQUET: "application/vnd.apache.parquet"}
_ARROW = {
    Kind.TEXT: pa.string(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
    Kind.NUMBER: pa.float64(),
    Kind.WHOLE: pa.int64(),
    Kind.TRUTH: pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its columns by name, and its rows in pieces; `about` is kept in a Parquet file."""

    columns: Mapping[str, Kind]
    pieces: Iterable[Sequence[Sequence[Any]]]
    about: Mapping[str, str]


def written(sheet: Sheet, form: Format) -> Iterator[bytes]:
    """The file, in pieces that are not empty."""
    return (piece for piece in (_csv(sheet) if form is Format.CSV else _parquet(sheet)) if piece)


def _csv(sheet: Sheet) -> Iterator[bytes]:
    page = io.StringIO(newline="")
    writer = csv.writer(page, lineterminator="\r\n")
    writer.writerow(sheet.columns)
    kinds = tuple(sheet.columns.values())
    for rows in sheet.pieces:
        writer.writerows([_cell(kind, value) for kind, value in zip(kinds, row, strict=True)] for row in rows)
        yield page.getvalue().encode()
        page.seek(0)
        page.truncate()
    yield page.getvalue().encode()


def _cell(kind: Kind, value: Any) -> Any:
    if value is None:
        return ""
    if kind is Kind.TIME:
        return wire.stamp(value)
    if kind is Kind.TRUTH:
        return "true" if value else "false"
    return _harmless(value) if kind is Kind.TEXT else value


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


class _Sink(io.RawIOBase):
    """What was written and not yet taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _parquet(sheet: Sheet) -> Iterator[bytes]:
    schema = pa.schema([(name, _ARROW[kind]) for name, kind in sheet.columns.items()], dict(sheet.about))
    sink = _Sink()
    file = pa.PythonFile(sink, mode="w")
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:  # type: ignore[no-untyped-call]
        for rows in sheet.pieces:
            columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield sink.take()
    yield sink.take()
