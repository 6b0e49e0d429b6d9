"""Sparkplug B and SenML: declared errors only, a resolution like the RFC's, and a session that asks."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.codecs import Address, Decoded, NoReadings, Undecodable, codecs
from ingest.codecs.base import MAX_READINGS, MAX_WORD
from ingest.codecs.float32 import from_float32, narrowed
from ingest.codecs.sparkplug_payload import read
from ingest.codecs.sparkplug_session import ASK_EVERY
from ingest.model import RejectReason, Request

CASES = Path(__file__).parent.parent / "cases"
MINUTE = 60_000
NOW = 1_761_570_000_000  # milliseconds
SENML = Address(("senml", "gw-1", "radar-1"), "gw-1", "radar-1")


def payloads(codec: str) -> list[bytes]:
    return sorted({path.read_bytes() for path in CASES.glob(f"{codec}/**/payload.bin")})


def judge(error: Undecodable) -> None:
    assert isinstance(error.reason, RejectReason)
    assert 0 < len(error.detail) <= 400
    assert error.detail.isascii()
    assert error.detail.isprintable()


def check(codec: str, address: Address, payload: bytes) -> Decoded | Undecodable | None:
    """Decode and judge the outcome; an error that is not declared fails the test by itself."""
    try:
        decoded = codecs()[codec].decode(address, payload)
    except NoReadings:
        return None
    except Undecodable as error:
        judge(error)
        return error
    assert len(decoded.readings) <= MAX_READINGS
    for reading in decoded.readings:
        assert reading.device == address.device
        assert len(reading.channel) <= MAX_WORD + 1
        assert (isinstance(reading.value, str) and len(reading.value) <= MAX_WORD) or (
            type(reading.value) is float and math.isfinite(reading.value)
        )
        assert reading.unit is None or isinstance(reading.unit, str)
        assert reading.time is None or type(reading.time) is int
        assert type(reading.age) is int
        assert abs(reading.age) <= 2**61
    return decoded


@st.composite
def damaged(draw: st.DrawFn, good: Sequence[bytes]) -> bytes:
    """A good payload with some bytes replaced, left out or added."""
    payload = draw(st.sampled_from(good))
    at = draw(st.integers(0, len(payload)))
    return payload[:at] + draw(st.binary(max_size=4)) + payload[at + draw(st.integers(0, 4)) :]


@settings(max_examples=300)
@given(payload=st.binary(max_size=200) | damaged(payloads("senml-json")))
@example(payload=b"[" * 100_000)
@example(payload=b'[{"n":"a","v":' + b"9" * 100_000 + b"}]")
@example(payload=b'[{"n":"a","v":1,"t":' + b"9" * 400 + b"}]")
@example(payload=b'[{"n":"a","bv":1,"v":' + b"9" * 400 + b"}]")
@example(payload=b'[{"n":"a","bv":1e308,"v":1e308}]')
@example(payload=b'[{"n":"a","v":1,"t":-1e300}]')
@example(payload=b'[{"n":"a","v":1,"t":1e300}]')
@example(payload=b'[{"bver":true,"n":"a","v":1}]')
@example(payload=b"[" + b'{"n":"a","v":1},' * 1_000 + b'{"n":"a","v":1}]')
def test_senml_json_gives_only_declared_errors(payload: bytes) -> None:
    check("senml-json", SENML, payload)


@settings(max_examples=500)
@given(payload=st.binary(max_size=200) | damaged(payloads("senml-cbor")))
@example(payload=b"\x81" * 100_000)
@example(payload=b"\x9f" * 100_000)
@example(payload=b"\xc4" * 100_000)
@example(payload=b"\x80" * 200_000)
@example(payload=b"\x81\xa1" + b"\xa1" * 100)
@example(payload=b"\x81\xa2\x00\x61a\x02\xc4\x82\x3b\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(payload=b"\x81\xa3\x00\x61a\x02\x01\x06\x1b\xff\xff\xff\xff\xff\xff\xff\xff")
def test_senml_cbor_gives_only_declared_errors(payload: bytes) -> None:
    check("senml-cbor", SENML, payload)


NUMBERS = (
    st.integers(-(2**62), 2**62) | st.floats(-1e12, 1e12) | st.decimals(-1000, 1000, places=3).map(float)
)
SECONDS = (
    st.integers(-1_000, 1_000) | st.integers(1_700_000_000, 1_800_000_000) | st.floats(-1e4, 2e9).map(float)
)
NAMES = st.text("abz019:./_-", min_size=1, max_size=5).map(lambda text: f"n{text}")
RECORDS = st.fixed_dictionaries(
    {"n": NAMES, "v": NUMBERS},
    optional={
        "bn": st.sampled_from(["", "radar-1:", "urn:x:"]),
        "bt": SECONDS,
        "bu": st.sampled_from(["m", "Cel"]),
        "bv": NUMBERS,
        "t": SECONDS,
        "u": st.sampled_from(["mm", "%RH"]),
    },
)


@dataclass
class Resolved:
    """What RFC 8428 makes of one record, worked out field by field over the records before it."""

    name: str
    unit: str | None
    value: float
    micros: int
    absolute: bool


def resolve(records: Sequence[Mapping[str, Any]]) -> list[Resolved]:
    """Slow and obvious: for each record, look back for every base field; all numbers as written decimals."""

    def base(place: int, label: str, default: Any) -> Any:
        return next((r[label] for r in reversed(records[: place + 1]) if label in r), default)

    resolved = []
    for place, record in enumerate(records):
        seconds = Fraction(str(base(place, "bt", 0))) + Fraction(str(record.get("t", 0)))
        value = Fraction(str(base(place, "bv", 0))) + Fraction(str(record["v"]))
        resolved.append(
            Resolved(
                base(place, "bn", "") + record["n"],
                record.get("u", base(place, "bu", None)),
                float(value),
                round(seconds * 1_000_000),
                seconds >= 2**28,
            )
        )
    return resolved


def judge_resolution(codec: str, records: list[dict[str, Any]], payload: bytes) -> None:
    decoded = check(codec, SENML, payload)
    assert isinstance(decoded, Decoded)
    for reading, expected in zip(decoded.readings, resolve(records), strict=True):
        assert reading.channel == (expected.name.removeprefix("radar-1:"))
        assert reading.unit == {"Cel": "degC"}.get(expected.unit or "", expected.unit)
        assert reading.value == expected.value
        assert (reading.time, reading.age) == (
            (expected.micros, 0) if expected.absolute else (None, -expected.micros)
        )


@settings(max_examples=200)
@given(records=st.lists(RECORDS, min_size=1, max_size=6))
def test_senml_json_resolves_as_the_rfc_says(records: list[dict[str, Any]]) -> None:
    judge_resolution("senml-json", records, json.dumps(records).encode())


LABELS = {"bt": -3, "bn": -2, "bu": -4, "bv": -5, "n": 0, "u": 1, "v": 2, "t": 6}


@settings(max_examples=200)
@given(records=st.lists(RECORDS, min_size=1, max_size=6))
def test_senml_cbor_says_the_same_as_json(records: list[dict[str, Any]]) -> None:
    meant = [
        {key: narrowed(value) if key in ("v", "bv") and isinstance(value, float) else value
         for key, value in record.items()}
        for record in records
    ]  # fmt: skip
    pack = [{LABELS[key]: value for key, value in record.items()} for record in records]
    judge_resolution("senml-cbor", meant, cbor2.dumps(pack))


@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float32_is_read_as_a_decimal_of_the_same_float32(value: float) -> None:
    meant = from_float32(value)
    assert struct.pack("<f", meant) == struct.pack("<f", value)
    assert len(repr(meant)) <= len(repr(value))
    assert narrowed(meant) == meant


CARRIERS = {"int": 10, "long": 11, "float": 12, "double": 13, "bool": 14, "string": 15, "bytes": 16}


def varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def field_of(number: int, content: int | float | bytes, *, single: bool = False) -> bytes:
    if isinstance(content, bytes):
        return varint(number << 3 | 2) + varint(len(content)) + content
    if isinstance(content, float):
        kind, form = (5, "<f") if single else (1, "<d")
        return varint(number << 3 | kind) + struct.pack(form, content)
    return varint(number << 3) + varint(content)


def metric(
    name: str = "",
    alias: int | None = None,
    datatype: int | None = None,
    at: int | None = None,
    **content: int | float | bytes,
) -> bytes:
    out = field_of(1, name.encode()) if name else b""
    for number, whole in ((2, alias), (3, at), (4, datatype)):
        out += b"" if whole is None else field_of(number, whole)
    for carrier, held in content.items():
        out += field_of(CARRIERS[carrier], held, single=carrier == "float")
    return field_of(2, out)


def payload_of(*metrics: bytes, seq: int | None, at: int | None) -> bytes:
    head = b"" if at is None else field_of(1, at)
    return head + b"".join(metrics) + (b"" if seq is None else field_of(3, seq))


@dataclass
class Host:
    """What the normaliser does for a codec: keep what it remembers, collect what it asks."""

    memory: dict[str, bytes] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def hear(self, kind: str, payload: bytes) -> Decoded | Undecodable | None:
        levels = ("spBv1.0", "hue", kind, "edge-1", *(() if kind[0] == "N" else ("radar-1",)))
        address = Address(levels, "edge-1", levels[-1], MappingProxyType(dict(self.memory)))
        said = check("sparkplug-b", address, payload)
        if said is not None:
            self.memory.update(said.remember)
            self.memory = {key: value for key, value in self.memory.items() if value}
            self.requests += said.requests
        return said

    def node_birth(self, bd_seq: int = 0, seq: int = 0, at: int = NOW) -> None:
        self.hear("NBIRTH", payload_of(metric("bdSeq", datatype=8, long=bd_seq), seq=seq, at=at))

    def device_birth(self, seq: int = 1, at: int = NOW, name: str = "level") -> None:
        self.hear("DBIRTH", payload_of(metric(name, 1, 10, double=0.5), seq=seq, at=at))

    def data(self, seq: int | None, at: int | None, alias: int = 1) -> Decoded | Undecodable | None:
        return self.hear("DDATA", payload_of(metric(alias=alias, double=1.5), seq=seq, at=at))


def born() -> Host:
    host = Host()
    host.node_birth()
    host.device_birth()
    assert host.requests == []
    return host


KINDS = st.sampled_from(["NBIRTH", "NDEATH", "NDATA", "NCMD", "DBIRTH", "DDEATH", "DDATA", "DCMD"])


@settings(max_examples=300)
@given(
    messages=st.lists(
        st.tuples(KINDS, st.binary(max_size=60) | damaged(payloads("sparkplug-b"))), min_size=1, max_size=4
    )
)
@example(messages=[("DDATA", b"\x12\x80\x80\x80\x80\x10")])
@example(messages=[("DDATA", b"\x7b" * 100_000)])
@example(messages=[("DDATA", b"\x12\x00" * 100_000)])
def test_sparkplug_gives_only_declared_errors(messages: list[tuple[str, bytes]]) -> None:
    host = Host()
    for kind, payload in messages:
        host.hear(kind, payload)
    for request in host.requests:
        assert request.topic == "spBv1.0/hue/NCMD/edge-1"
        (asked,) = read(request.payload).metrics
        assert (asked.name, asked.content) == ("Node Control/Rebirth", True)


@given(memory=st.dictionaries(st.sampled_from(["node/hue", "birth/hue/radar-1"]), st.binary(max_size=20)))
def test_sparkplug_takes_an_unreadable_memory_for_none(memory: dict[str, bytes]) -> None:
    host = Host(memory)
    said = host.data(2, NOW)
    assert isinstance(said, Undecodable)
    assert said.reason is RejectReason.NEEDS_BIRTH


@given(count=st.integers(1, 600), first=st.integers(0, 255))
def test_sparkplug_asks_nothing_of_an_edge_node_that_counts_well(count: int, first: int) -> None:
    host = Host()
    host.node_birth(seq=first)
    host.device_birth(seq=(first + 1) % 256)
    for number in range(count):
        assert isinstance(host.data((first + 2 + number) % 256, NOW + number), Decoded)
    assert host.requests == []


@given(lost=st.sets(st.integers(1, 60), min_size=1, max_size=20))
def test_sparkplug_asks_for_each_loss_until_a_birth_comes(lost: set[int]) -> None:
    host = born()
    for number in range(62):
        if number not in lost:
            assert isinstance(host.data(2 + number, NOW + number), Decoded)
    assert 1 <= len(host.requests) <= 1 + 62 // ASK_EVERY
    host.node_birth(at=NOW + 100)
    host.device_birth(at=NOW + 100)
    before = len(host.requests)
    for number in range(100):
        host.data(2 + number, NOW + 101 + number)
    assert len(host.requests) == before


@given(again=st.lists(st.integers(0, 19), max_size=40))
def test_sparkplug_reads_redeliveries_the_same_and_asks_nothing(again: list[int]) -> None:
    host = born()
    first = [host.data(2 + number, NOW + number) for number in range(20)]
    for number in again:
        said = host.data(2 + number, NOW + number)
        assert isinstance(said, Decoded)
        assert isinstance(first[number], Decoded)
        assert said.readings == first[number].readings
    assert isinstance(host.data(22, NOW + 20), Decoded)
    assert host.requests == []


def test_sparkplug_asks_again_every_so_many_messages_while_no_birth_comes() -> None:
    host = Host()
    for number in range(3 * ASK_EVERY):
        said = host.data(number % 256, NOW + number)
        assert isinstance(said, Undecodable)
        assert said.reason is RejectReason.NEEDS_BIRTH
    assert len(host.requests) == 3


def test_sparkplug_request_is_a_rebirth_command_with_the_time_of_what_made_us_ask() -> None:
    host = Host()
    host.data(5, NOW)
    (request,) = host.requests
    assert request.topic == "spBv1.0/hue/NCMD/edge-1"
    rebirth = field_of(1, b"Node Control/Rebirth") + field_of(4, 11) + field_of(14, 1)
    assert request.payload == field_of(1, NOW) + field_of(2, rebirth)


def test_sparkplug_message_that_waited_is_read_by_the_birth_that_answers_it() -> None:
    host = Host()
    assert isinstance(host.data(5, NOW), Undecodable)
    host.node_birth(at=NOW + MINUTE)
    host.device_birth(at=NOW + MINUTE)
    replayed = host.data(5, NOW)
    assert isinstance(replayed, Decoded)
    assert [reading.channel for reading in replayed.readings] == ["level"]


def test_sparkplug_message_from_before_a_birth_that_nobody_waited_for_is_not_read_by_it() -> None:
    host = born()
    host.device_birth(seq=2, at=NOW + MINUTE, name="rain")
    assert isinstance(host.data(2, NOW), Undecodable)
    assert isinstance(host.data(3, NOW + MINUTE), Decoded)


def test_sparkplug_clock_that_was_set_back_is_healed_by_the_birth_that_is_asked_for() -> None:
    host = Host()
    host.node_birth(at=NOW + 1_000 * MINUTE)
    host.device_birth(at=NOW + 1_000 * MINUTE)
    assert isinstance(host.data(2, NOW), Undecodable)
    assert len(host.requests) == 1
    host.node_birth(at=NOW + 1)
    host.device_birth(at=NOW + 1)
    assert isinstance(host.data(2, NOW + 2), Decoded)
    assert isinstance(host.data(3, NOW + 3), Decoded)
    assert len(host.requests) == 1


@pytest.mark.parametrize(
    ("bits", "datatype", "carrier"), [(8, 1, "int"), (16, 2, "int"), (32, 3, "int"), (64, 4, "long")]
)
@given(data=st.data())
def test_sparkplug_signed_integer_is_the_same_in_its_own_width_and_extended(
    bits: int, datatype: int, carrier: str, data: st.DataObject
) -> None:
    number = data.draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    for width, held in ((bits, carrier), (32, "int"), (64, "long")):
        if width >= bits:
            content: dict[str, int | float | bytes] = {held: number % 2**width}
            host = Host()
            host.node_birth()
            said = host.hear("DBIRTH", payload_of(metric("x", 1, datatype, **content), seq=1, at=NOW))
            assert isinstance(said, Decoded)
            assert [reading.value for reading in said.readings] == [float(number)]
