"""What one message may cost: little time and memory, however deep, wide or repetitive it is (F9).

The payloads are as long as the normaliser lets through. Each was slow or large once, or is the obvious way to
try. The golden cases lend topics and settings.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from itertools import count

import pytest

from ingest.codecs import Undecodable, codecs
from ingest.codecs.lorawan import read_data
from ingest.normalise import Limits
from tests.support.cost import assert_cheap
from tests.support.goldens import Golden, goldens

LONGEST = Limits().max_payload
MOST_MEMORY = 50_000_000
DEPTHS = (200, 201, 100_000)
NAME = "x" * 100_000  # of a field: twice, and the message is full


def golden(codec: str, case: str) -> Golden:
    return next(golden for golden in goldens(codec) if golden.name == case)


def full(item: str, length: int = LONGEST - 1_000) -> str:
    """As many items as fit, each `#` a number of its own."""
    items: list[str] = []
    size = 0
    for number in count():
        items.append(item.replace("#", str(number)))
        size += len(items[-1]) + 1
        if size > length:
            return ",".join(items[:-1])
    raise AssertionError


def uplink(profile: str, decoded: str) -> bytes:
    body = json.loads(golden("chirpstack-v4", "em500_object").payload)
    body["deviceInfo"]["deviceProfileName"] = profile
    body["object"] = "HERE"
    return json.dumps(body).replace('"HERE"', decoded, 1).encode()


def segment(identity: str, values: str) -> bytes:
    return f'{{"ID":"{identity}","TS":"1761570000","ST":"1","VR":"[{values}]"}}'.encode()


FLAT = full('"k#":1')
RECORD, EMPTY = '{"n":"a","v":1}', '{"vals":[]}'
HALF = full('"k#":1', 120_000)
WORST = {
    ("chirpstack-v4", "em500_object"): {
        "wide history": uplink("EM500-UDL", f'{{"history":[{{"timestamp":1,{FLAT[:-900]}}}]}}'),
        "long history": uplink("EM500-UDL", f'{{"history":[{full("{}")[:-898]}]}}'),
        "long list": uplink("DDS75-LB", f'{{"Additional_Distance_Data":[{full("1")[:-899]}]}}'),
        "long number of a sensor": uplink("CayenneLPP", f'{{"temperatureSensor":{{"{NAME}":{{{HALF}}}}}}}'),
        "many sensors": uplink("CayenneLPP", f'{{"temperatureSensor":{{{FLAT[:-900]}}}}}'),
        "long names": uplink("other", f'{{"{NAME}":1,"{NAME}b":2}}'),
    },
    ("tasmota", "trap_laser_distance_is_in_mm"): {
        "long name": f'{{"{NAME}":{{{full(chr(34) + "k#" + chr(34) + ":1", 7_000)}}}}}'.encode(),
        "long name of distances": f'{{"{NAME}":{{"Distance":[{full("1", 1_900)}]}}}}'.encode(),
        "empty sensors": f"{{{full(chr(34) + 'k#' + chr(34) + ':{}')}}}".encode(),
    },
    ("airgradient", "sensors_without_values"): {
        "long name": f'{{"{NAME}":{{{full(chr(34) + "k#" + chr(34) + ":1", 7_000)}}}}}'.encode(),
    },
    ("advantech-wise", "no_channel_is_enabled"): {"many channels": f"{{{FLAT}}}".encode()},
    ("teltonika", "several_registers_are_counted_from_one"): {
        "many values": segment("2", full("1")[:-900]),
        "many values and a long name": segment("x" * 120_000, full("1", 120_000)),
    },
    ("senml-json", "base_fields_carry_over"): {
        "long base name": f'[{{"bn":"{NAME}"}},{",".join(990 * [RECORD])}]'.encode(),
        "many records": f"[{full('{}')}]".encode(),
    },
    ("senml-cbor", "labels_as_texts"): {
        "many empty items": b"\x9a\x00\x03\xd0\x90" + b"\x80" * 250_000,
        "many empty items without a length": b"\x9f" + b"\xa0" * 250_000 + b"\xff",
        "many items in an unknown field": b"\x81\xa1\x61a\x9a\x00\x03\xd0\x90" + b"\x80" * 250_000,
        "many tags": b"\x81\xa1\x61a\x99\xff\xff" + b"\xc4\x82\x01\x02" * 60_000,
        "a text in many pieces": b"\x81\xa1\x61a\x7f" + b"\x60" * 250_000 + b"\xff",
    },
    ("sparkplug-b", "device_birth_names_its_metrics_and_is_a_reading"): {
        "many metrics": b"\x12\x00" * (LONGEST // 2),
        "many properties": b"\x12\xd4\xa9\x0e\x0a\x01a\x4a\xcd\xa9\x0e\x0a\xc9\xa9\x0e"
        + b"\x0a\x00" * 60_000,
    },
    ("mapped-json", "nested_lists_with_the_time_further_out"): {
        "many empty items": f'{{"d":[{full(EMPTY)}]}}'.encode(),
        "many items": f'{{"d":[{{"ts":1,"vals":[{full("{}")[:-900]}]}}]}}'.encode(),
    },
    ("mapped-csv", "wide_table_with_names_in_the_first_line"): {
        "blank lines": b"\n" * LONGEST,
        "blank lines of an old computer": b"\r" * LONGEST,
        "many columns": full("c#").encode(),
        "an open quote": b'"' + b"x" * (LONGEST - 1),
    },
    ("tt10", "decimal_comma"): {"short lines": b"a\n" * (LONGEST // 2), "blank lines": b"\n" * LONGEST},
}
COSTS = [
    pytest.param(golden(*place), payload, id=f"{place[0]}: {name}")
    for place, payloads in WORST.items()
    for name, payload in payloads.items()
]


def judge_cost(golden: Golden, payload: bytes) -> None:
    assert len(payload) <= LONGEST
    assert_cheap(lambda: golden.outcome(payload))
    tracemalloc.start()
    try:
        golden.outcome(payload)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("golden", "payload"), COSTS)
def test_worst_message_costs_little(golden: Golden, payload: bytes) -> None:
    judge_cost(golden, payload)


def everywhere() -> Iterator[bytes]:
    for depth in DEPTHS:
        yield b"[" * depth + b"]" * depth
        yield b'{"a":' * min(depth, LONGEST // 6) + b"1" + b"}" * min(depth, LONGEST // 6)
    yield f"[{full('[]')}]".encode()
    yield f"{{{FLAT}}}".encode()
    yield b'"' + b"x" * (LONGEST - 2) + b'"'
    yield b"9" * LONGEST
    yield b"," * LONGEST
    yield b"\t" * LONGEST


EVERYWHERE = tuple(everywhere())


@pytest.mark.parametrize("codec", codecs())
def test_deep_wide_and_long_messages_cost_little(codec: str) -> None:
    for payload in EVERYWHERE:
        judge_cost(goldens(codec)[0], payload)


@pytest.mark.parametrize("codec", ["mapped-json", "senml-json", "sensorthings", "advantech-wise", "tasmota"])
def test_nesting_near_the_interpreters_own_limit_is_refused_or_read(codec: str) -> None:
    """What the parser just manages, whatever shows the value in words must manage too."""
    for golden in goldens(codec)[::8]:
        for key in ("ts", "t", "bver", "result", "resultQuality", "Time", "ai1", "level"):
            for depth in range(940, 1_000):
                nested = "[" * depth + "]" * depth
                head, brace, tail = golden.payload.decode("latin-1").rpartition("}")
                golden.outcome(f'{head},"{key}":{nested}{brace}{tail}'.encode("latin-1"))


def test_delimiter_in_an_error_of_a_table_is_printable() -> None:
    settings = {"delimiter": "\t", "readings": [{"channel": "level", "value": "a"}]}
    decode = codecs()["mapped-csv"].decoder(settings)
    with pytest.raises(Undecodable) as raised:
        decode(goldens("mapped-csv")[0].address, b'"a"x\tb\n1\t2\n')
    assert raised.value.detail.isprintable()


@pytest.mark.parametrize(
    "block", ["CayenneLPP 0000 01", "EM500-UDL 20CE 00000000 0100", "DDS75-LB 0000000000000000000001"]
)
def test_frame_longer_than_the_radio_carries_is_refused(block: str) -> None:
    """A server can be made to say anything; a long one would be more readings than a message may have."""
    profile, _, digits = block.partition(" ")
    frame = bytes.fromhex(digits)
    port = 3 if profile == "DDS75-LB" else 85
    several = frame * (255 // len(frame)) if profile != "CayenneLPP" else frame
    assert read_data(profile, port, several)
    with pytest.raises(Undecodable, match="no frame is longer"):
        read_data(profile, port, frame * 2_000)
