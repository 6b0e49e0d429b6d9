"""The protobuf message of Sparkplug B, and the values in its metrics.

`read` gives a payload's metrics as plain values or raises `Undecodable`; `value` gives what a metric says by
its datatype; `rebirth` is the command that asks an edge node for its births. The message is described by a
table of field numbers (Sparkplug 3.0, section 6), of which only those are declared that are used: the rest
is skipped by its length. Texts are declared as bytes, so that we judge them and not the protobuf runtime.
Pure. Called by `ingest.codecs.sparkplug_b`.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from ingest.codecs.base import MAX_READINGS, MAX_WORD, Undecodable, quoted
from ingest.codecs.float32 import from_float32
from ingest.model import RejectReason

REBIRTH = "Node Control/Rebirth"
BD_SEQ = "bdSeq"
UNIT = b"engUnit"

FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME, TEXT, UUID = 9, 10, 11, 12, 13, 14, 15
_INTEGERS = {  # datatype: name, bits, signed
    1: ("Int8", 8, True),
    2: ("Int16", 16, True),
    3: ("Int32", 32, True),
    4: ("Int64", 64, True),
    5: ("UInt8", 8, False),
    6: ("UInt16", 16, False),
    7: ("UInt32", 32, False),
    8: ("UInt64", 64, False),
}
_WITHOUT_NUMBER = {16: "DataSet", 17: "Bytes", 18: "File", 19: "Template"} | dict.fromkeys(
    range(20, 35), "set or array"
)
_CARRIER_BITS = {"int_value": 32, "long_value": 64}
_OPAQUE = frozenset({"bytes_value", "dataset_value", "template_value", "extension_value"})
_COMPRESSED = b"SPBV1.0_COMPRESSED"

_F = FieldDescriptorProto
_FIELDS: dict[str, tuple[tuple[str, int, int | str], ...]] = {  # name, number, type or message
    "Payload": (
        ("timestamp", 1, _F.TYPE_UINT64),
        ("metrics", 2, "Metric"),
        ("seq", 3, _F.TYPE_UINT64),
        ("uuid", 4, _F.TYPE_BYTES),
    ),
    "Metric": (
        ("name", 1, _F.TYPE_BYTES),
        ("alias", 2, _F.TYPE_UINT64),
        ("timestamp", 3, _F.TYPE_UINT64),
        ("datatype", 4, _F.TYPE_UINT32),
        ("is_historical", 5, _F.TYPE_BOOL),
        ("is_null", 7, _F.TYPE_BOOL),
        ("properties", 9, "PropertySet"),
        ("int_value", 10, _F.TYPE_UINT32),
        ("long_value", 11, _F.TYPE_UINT64),
        ("float_value", 12, _F.TYPE_FLOAT),
        ("double_value", 13, _F.TYPE_DOUBLE),
        ("boolean_value", 14, _F.TYPE_BOOL),
        ("string_value", 15, _F.TYPE_BYTES),
        ("bytes_value", 16, _F.TYPE_BYTES),
        ("dataset_value", 17, _F.TYPE_BYTES),
        ("template_value", 18, _F.TYPE_BYTES),
        ("extension_value", 19, _F.TYPE_BYTES),
    ),
    "PropertySet": (("keys", 1, _F.TYPE_BYTES), ("values", 2, "PropertyValue")),
    "PropertyValue": (("string_value", 8, _F.TYPE_BYTES),),
}
_REPEATED = frozenset({"metrics", "keys", "values"})
_ONE_OF_VALUE = "value"  # of a metric, its fields from 10 on


def _message_class() -> Any:
    file = FileDescriptorProto(name="sparkplug_b.proto", package="huewatch", syntax="proto2")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            added = message.field.add(name=field, number=number)
            added.label = _F.LABEL_REPEATED if field in _REPEATED else _F.LABEL_OPTIONAL
            if isinstance(kind, str):
                added.type, added.type_name = _F.TYPE_MESSAGE, f".huewatch.{kind}"
            else:
                added.type = _F.Type.ValueType(kind)
            if name == "Metric" and number >= 10:
                added.oneof_index = 0
        if name == "Metric":
            message.oneof_decl.add(name=_ONE_OF_VALUE)
    pool = DescriptorPool()  # its own: another part of the process may know a Sparkplug message too
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("huewatch.Payload"))


_Payload = _message_class()


class Metric(msgspec.Struct, frozen=True, gc=False):
    """One metric as it came. `carrier` is the field that holds `content`, "" when there is none."""

    name: str
    alias: int | None
    timestamp: int | None
    datatype: int
    historical: bool
    null: bool
    unit: str | None
    carrier: str
    content: Any


class Payload(msgspec.Struct, frozen=True, gc=False):
    """A message: time of sending (milliseconds), sequence number, metrics."""

    timestamp: int | None
    seq: int | None
    metrics: list[Metric]


def read(payload: bytes) -> Payload:
    """The message of these bytes."""
    try:
        message = _Payload.FromString(payload)
    except DecodeError:
        raise unreadable("not a Sparkplug B payload") from None
    if message.uuid == _COMPRESSED:
        raise unreadable("compressed payload: switch compression off at the edge node")
    if len(message.metrics) > MAX_READINGS:
        raise unreadable(f"{len(message.metrics)} metrics")
    metrics = [_metric(metric) for metric in message.metrics]
    return Payload(_optional(message, "timestamp"), _optional(message, "seq"), metrics)


def _metric(metric: Any) -> Metric:
    carrier = metric.WhichOneof(_ONE_OF_VALUE) or ""
    return Metric(
        # one character beyond the longest channel that the catalogue can have, so that none is met by
        # a part of a longer name
        _text(metric.name, "a metric's name")[: MAX_WORD + 1],
        _optional(metric, "alias"),
        _optional(metric, "timestamp"),
        metric.datatype,
        metric.is_historical,
        metric.is_null,
        _unit(metric.properties) if metric.HasField("properties") else None,
        carrier,
        getattr(metric, carrier) if carrier else None,
    )


def _optional(message: Any, field: str) -> int | None:
    return getattr(message, field) if message.HasField(field) else None


def _unit(properties: Any) -> str | None:
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key == UNIT:
            return _text(value.string_value, "a unit")[:MAX_WORD] or None
    return None


def _text(raw: bytes, what: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise unreadable(f"{what} is not UTF-8") from None


def value(metric: Metric, datatype: int) -> float | str:
    """What the metric says; a datatype that has neither a number nor a word is a word itself."""
    if metric.null:
        return "null"
    if datatype in _WITHOUT_NUMBER:
        return _WITHOUT_NUMBER[datatype]
    if metric.carrier in _OPAQUE:
        return metric.carrier
    match metric.carrier:
        case "int_value" | "long_value":
            return _integer(metric, datatype)
        case "float_value" | "double_value" if datatype in (0, FLOAT, DOUBLE):
            return _finite(metric)
        case "boolean_value" if datatype in (0, BOOLEAN):
            return float(metric.content)
        case "string_value" if datatype in (0, STRING, TEXT, UUID):
            return _text(metric.content, "a value")[:MAX_WORD]
        case "":
            return "no value"
    return f"{metric.carrier} of datatype {datatype}"


def _finite(metric: Metric) -> float | str:
    number: float = metric.content
    if not math.isfinite(number):
        return str(number)
    return from_float32(number) if metric.carrier == "float_value" else number


def _integer(metric: Metric, datatype: int) -> float | str:
    """Two's complement in a carrier that may be wider: -1 of an Int8 comes as 0xFF or as 0xFFFFFFFF.

    In one that is narrower the upper half says nothing certain: 0xFFFFFFFF is -1 or 4,294,967,295.
    """
    if datatype not in _INTEGERS:
        return f"{'DateTime' if datatype == DATETIME else f'datatype {datatype}'}: {metric.content}"
    name, bits, signed = _INTEGERS[datatype]
    raw: int = metric.content
    if signed and bits > _CARRIER_BITS[metric.carrier]:
        return (
            float(raw) if raw < 1 << _CARRIER_BITS[metric.carrier] - 1 else f"{raw} in 32 bits is no {name}"
        )
    if signed and raw >= (1 << _CARRIER_BITS[metric.carrier]) - (1 << bits - 1):
        return float(raw - (1 << _CARRIER_BITS[metric.carrier]))
    if raw >= 1 << bits:
        return f"{raw} is no {name}"
    return float(raw - (1 << bits) if signed and raw >= 1 << bits - 1 else raw)


def rebirth(timestamp: int | None) -> bytes:
    """The payload of an NCMD that asks for the births. The specification wants the time of sending in it;
    for want of a clock it is that of the message which made us ask."""
    message = _Payload()
    if timestamp is not None:
        message.timestamp = timestamp
    message.metrics.add(name=REBIRTH.encode(), datatype=BOOLEAN, boolean_value=True)
    encoded: bytes = message.SerializeToString(deterministic=True)
    return encoded


def unreadable(detail: str) -> Undecodable:
    """An error of the message itself."""
    return Undecodable(RejectReason.UNDECODABLE, detail)


def describe(name: str, alias: int | None) -> str:
    """A metric in words, for people."""
    return quoted(name) if name else f"alias {alias}"
