"""Columns to and from PostgreSQL's binary formats, without a Python object per row.

`encode` and `decode` speak COPY ... (FORMAT binary) for the columns datastream, time, value, quality,
received_at, time_source, tests, in this order; `Int4s`, `Int8s`, `Float8s` and `Times` pass a numpy column
as an array parameter.
Pure but for `register_arrays`. Called by this package only.
Format: PostgreSQL manual, "COPY, Binary Format", and array_send() in its source.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ingest.model import ObservationBatch

if TYPE_CHECKING:
    from ingest.derive.deriver import DerivedRows

POSTGRES_EPOCH = 946_684_800_000_000  # 2000-01-01T00:00:00Z in microseconds since 1970

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("datastream_size", ">i4"),
        ("datastream", ">i4"),
        ("time_size", ">i4"),
        ("time", ">i8"),
        ("value_size", ">i4"),
        ("value", ">f8"),
        ("quality_size", ">i4"),
        ("quality", ">i2"),
        ("received_at_size", ">i4"),
        ("received_at", ">i8"),
        ("time_source_size", ">i4"),
        ("time_source", ">i2"),
        ("tests_size", ">i4"),
        ("tests", ">i8"),
    ]
)
_SIZES = {
    "datastream": 4,
    "time": 8,
    "value": 8,
    "quality": 2,
    "received_at": 8,
    "time_source": 2,
    "tests": 8,
}


def encode(batch: ObservationBatch) -> bytes:
    """The whole COPY stream for the rows of `batch`."""
    rows = np.empty(len(batch), _ROW)
    rows["fields"] = len(_SIZES)
    for name, size in _SIZES.items():
        rows[f"{name}_size"] = size
    rows["datastream"] = batch.datastream
    rows["time"] = batch.time - POSTGRES_EPOCH
    rows["value"] = batch.value
    rows["quality"] = batch.quality
    rows["received_at"] = batch.received_at - POSTGRES_EPOCH
    rows["time_source"] = batch.time_source
    rows["tests"] = batch.tests
    return b"".join((_HEADER, rows.tobytes(), _TRAILER))


def encode_derived(rows: DerivedRows, *, known: bool) -> bytes:
    """The whole COPY stream for results under their first revision: all with a value, or all without that
    column since it is unknown."""
    columns = {
        "datastream": (">i4", rows.datastream),
        "time": (">i8", rows.time - POSTGRES_EPOCH),
        "quality": (">i2", rows.quality),
        "coverage": (">f4", rows.coverage),
        "inputs_until": (">i8", rows.inputs_until - POSTGRES_EPOCH),
        "revision": (">i4", 1),
    }
    if known:
        columns["value"] = (">f8", rows.value)
    fields = [("fields", ">i2")]
    for name, (kind, _) in columns.items():
        fields += [(f"{name}_size", ">i4"), (name, kind)]
    table = np.empty(len(rows), np.dtype(fields))
    table["fields"] = len(columns)
    for name, (kind, column) in columns.items():
        table[f"{name}_size"] = np.dtype(kind).itemsize
        table[name] = column
    return b"".join((_HEADER, table.tobytes(), _TRAILER))


def decode(stream: bytes | bytearray) -> ObservationBatch:
    """The rows of a COPY stream with these columns, none of them NULL; messages are unknown (-1)."""
    count = (len(stream) - len(_HEADER) - len(_TRAILER)) // _ROW.itemsize
    rows = np.frombuffer(stream, _ROW, count, len(_HEADER))
    return ObservationBatch(
        datastream=rows["datastream"].astype(np.int32),
        time=rows["time"].astype(np.int64) + POSTGRES_EPOCH,
        value=rows["value"].astype(np.float64),
        quality=rows["quality"].astype(np.int8),
        received_at=rows["received_at"].astype(np.int64) + POSTGRES_EPOCH,
        message=np.full(count, -1, np.int32),
        timeless=np.zeros(count, np.bool_),
        time_source=rows["time_source"].astype(np.int8),
        tests=rows["tests"].astype(np.int64),
    )


class _Column:
    """A numpy column on its way to an array parameter."""

    element: ClassVar[tuple[int, str]]  # the element type's oid and its big-endian numpy type
    array_oid: ClassVar[int]

    def __init__(self, values: NDArray[Any]) -> None:
        self._values = values

    def wire(self) -> bytes:
        """The array in PostgreSQL's binary form: one dimension, no NULL, lower bound 1."""
        oid, kind = self.element
        size = np.dtype(kind).itemsize
        items = np.empty(len(self._values), np.dtype([("size", ">i4"), ("value", kind)]))
        items["size"] = size
        items["value"] = self._values
        return struct.pack(">iiIii", 1, 0, oid, len(items), 1) + items.tobytes()


class Int4s(_Column):
    """`int4[]`."""

    element = (23, ">i4")
    array_oid = 1007


class Int8s(_Column):
    """`int8[]`."""

    element = (20, ">i8")
    array_oid = 1016


class Float8s(_Column):
    """`float8[]`."""

    element = (701, ">f8")
    array_oid = 1022


class Times(_Column):
    """`timestamptz[]` from microseconds since 1970."""

    element = (1184, ">i8")
    array_oid = 1185

    def __init__(self, micros: NDArray[np.int64]) -> None:
        super().__init__(micros - POSTGRES_EPOCH)


class _ColumnDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: _Column) -> Buffer:
        return obj.wire()

    def quote(self, obj: _Column) -> Buffer:
        raise psycopg.NotSupportedError("columns travel as parameters only")


class _Int4sDumper(_ColumnDumper):
    oid = Int4s.array_oid


class _Int8sDumper(_ColumnDumper):
    oid = Int8s.array_oid


class _Float8sDumper(_ColumnDumper):
    oid = Float8s.array_oid


class _TimesDumper(_ColumnDumper):
    oid = Times.array_oid


_DUMPERS: dict[type[_Column], type[_ColumnDumper]] = {
    Int4s: _Int4sDumper,
    Int8s: _Int8sDumper,
    Float8s: _Float8sDumper,
    Times: _TimesDumper,
}


def register_arrays(connection: psycopg.Connection[Any]) -> None:
    """Teach this connection to send `Int4s`, `Int8s`, `Float8s` and `Times`."""
    for column, dumper in _DUMPERS.items():
        connection.adapters.register_dumper(column, dumper)
