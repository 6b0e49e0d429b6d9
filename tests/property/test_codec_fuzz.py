"""Whatever bytes come, a codec gives readings that are in order or one of its two declared errors.

Every codec of the registry is covered by construction, through the topics, settings and memory of its golden
cases; what "in order" means is in `tests.support.goldens`. Some formats have strategies of their own besides.
"""

from __future__ import annotations

import json
import math
import random
from base64 import b64encode
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.codecs import Address, Decoded, NoReadings, Undecodable, codecs
from ingest.codecs.base import MAX_WORD
from ingest.codecs.dragino import LDDS75
from ingest.codecs.lorawan import DEVICES, read_data, read_object
from ingest.codecs.milesight import EM500_UDL
from tests.cases.poison import APPLICATION, DEV_EUI, TOPIC, UPLINK_TOPIC
from tests.support.goldens import goldens, judge_error, outcome
from tests.support.mutations import mutated

MUTATIONS = 3_000  # of each codec's golden payloads: a fifth of a second

ADDRESSES = {
    "huewatch-json": Address(tuple(TOPIC.split("/")), "gw-1", "radar-1"),
    "chirpstack-v4": Address(tuple(UPLINK_TOPIC.split("/")), APPLICATION, DEV_EUI),
}

KEYS = st.sampled_from(
    [
        "channel",
        "value",
        "unit",
        "time",
        "status",
        "readings",
        "object",
        "data",
        "fPort",
        "deviceInfo",
        "devEui",
        "applicationId",
        "tags",
        "deviceProfileName",
        "distance",
        "battery",
        "Distance",
        "Bat",
        "history",
    ]
)
TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=80),
    TIMES,
    st.sampled_from(
        ["level", "m", "Exercise", DEV_EUI, APPLICATION, "EM500-UDL", "LDDS75", "AXVkA4IeAA==", "12 mm"]
    ),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=15,
)
PAYLOADS = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())

INFO = st.fixed_dictionaries(
    {"devEui": st.just(DEV_EUI)},
    optional={
        "deviceProfileName": st.sampled_from(["EM500-UDL", "LDDS75", "WQS-LB"]) | SCALARS,
        "tags": st.dictionaries(st.sampled_from(["status", "x"]), SCALARS, max_size=2) | JSON,
        "applicationId": st.just(APPLICATION) | SCALARS,
    },
)
UPLINKS = st.fixed_dictionaries(
    {"deviceInfo": INFO},
    optional={
        "object": st.dictionaries(KEYS, JSON, max_size=5),
        "data": st.binary(max_size=12).map(lambda data: b64encode(data).decode()) | SCALARS,
        "fPort": st.sampled_from([2, 85]) | SCALARS,
        "time": TIMES | SCALARS,
    },
).map(lambda value: json.dumps(value).encode())


def check(name: str, payload: bytes) -> Decoded | None:
    """Decode, and judge the outcome; an error that is not declared fails the test by itself."""
    address = ADDRESSES[name]
    said = outcome(codecs()[name].decode, address, payload)
    if not isinstance(said, Decoded):
        return None
    assert all(reading.device == address.device for reading in said.readings)
    return said


@pytest.mark.parametrize("codec", codecs())
def test_every_codec_has_golden_payloads_that_it_reads(codec: str) -> None:
    said = [case.outcome(case.payload) for case in goldens(codec)]
    assert any(isinstance(one, Decoded) and one.readings for one in said)
    assert any(isinstance(one, Undecodable) for one in said)


@pytest.mark.parametrize("codec", codecs())
def test_damaged_golden_payload_gives_only_declared_errors(codec: str, rng: random.Random) -> None:
    for _ in range(MUTATIONS):
        case = rng.choice(goldens(codec))
        payload = mutated(rng, case.payload)
        try:
            case.outcome(payload)
        except Exception as error:
            error.add_note(f"{codec}/{case.name}: {payload[:2_000]!r}")
            raise


@pytest.mark.parametrize("codec", codecs())
@settings(max_examples=100)
@given(data=st.data())
def test_every_codec_gives_only_declared_errors_for_any_bytes(codec: str, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(goldens(codec)))
    case.outcome(data.draw(st.binary(max_size=200)))


@pytest.mark.parametrize("name", sorted(ADDRESSES))
@settings(max_examples=200)
@given(payload=PAYLOADS)
@example(payload=b"[" * 100_000)
@example(payload=b'{"object":' * 50_000)
def test_codec_gives_only_declared_errors_for_any_payload(name: str, payload: bytes) -> None:
    check(name, payload)


@settings(max_examples=200)
@given(payload=UPLINKS)
def test_chirpstack_gives_only_declared_errors_for_any_uplink(payload: bytes) -> None:
    check("chirpstack-v4", payload)


@settings(max_examples=200)
@given(data=st.data())
def test_codec_gives_only_declared_errors_for_a_damaged_payload(data: st.DataObject) -> None:
    good = b'{"time":"2025-10-27T20:00:00+07:00","readings":[{"channel":"level","value":1.5e0,"unit":"m"}]}'
    assert check("huewatch-json", good) is not None
    at = data.draw(st.integers(0, len(good) - 1))
    damage = data.draw(st.binary(max_size=3))
    check("huewatch-json", good[:at] + damage + good[at + data.draw(st.integers(0, 3)) :])


@given(
    channel=st.text(min_size=1, max_size=64),
    value=st.floats(allow_nan=False, allow_infinity=False),
    micros=st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999),
)
def test_huewatch_json_gives_back_what_was_sent(channel: str, value: float, micros: int) -> None:

    time = f"{np.datetime64(micros, 'us')}Z"
    decoded = check("huewatch-json", json.dumps({"channel": channel, "value": value, "time": time}).encode())
    assert decoded is not None
    (reading,) = decoded.readings
    assert (reading.channel, reading.value, reading.time) == (channel, value, micros)
    assert isinstance(reading.value, float)
    assert math.copysign(1, reading.value) == math.copysign(1, value)


BLOCKS = st.one_of(
    st.integers(0, 255).map(lambda level: bytes([0x01, 0x75, level])),
    st.integers(0, 65_535).map(lambda mm: b"\x03\x82" + mm.to_bytes(2, "little")),
    st.binary(min_size=6, max_size=6).map(lambda earlier: b"\x20\xce" + earlier),
    st.binary(min_size=8, max_size=8).map(lambda serial: b"\xff\x16" + serial),
)
KNOWN = {(0x01, 0x75), (0x03, 0x82), (0x83, 0xE9), (0x20, 0xCE)} | {
    (0xFF, kind) for kind in (0x01, 0x09, 0x0A, 0x0B, 0x0F, 0x16, 0xFE, 0xFF)
}
UNKNOWN_PAIRS = st.tuples(st.integers(0, 255), st.integers(0, 255)).filter(lambda pair: pair not in KNOWN)


@given(blocks=st.lists(BLOCKS, max_size=5), pair=UNKNOWN_PAIRS, rest=st.binary(max_size=8))
def test_milesight_frame_with_an_unknown_channel_is_never_framed_on(
    blocks: list[bytes], pair: tuple[int, int], rest: bytes
) -> None:
    with pytest.raises(Undecodable, match=f"unknown channel {bytes(pair).hex(' ').upper()} at byte"):
        EM500_UDL.frame(b"".join(blocks) + bytes(pair) + rest)


@given(blocks=st.lists(BLOCKS, min_size=1, max_size=5), data=st.data())
def test_milesight_frame_cut_within_a_block_is_refused(blocks: list[bytes], data: st.DataObject) -> None:
    kept = data.draw(st.integers(1, len(blocks[-1]) - 1))
    with pytest.raises(Undecodable):
        EM500_UDL.frame(b"".join(blocks[:-1]) + blocks[-1][:kept])


@given(frame=st.binary(max_size=20))
def test_dragino_frame_of_another_length_is_refused(frame: bytes) -> None:
    if len(frame) in (5, 8):
        battery, distance = LDDS75.frame(frame)[:2]
        assert isinstance(battery.value, float)
        assert 0 <= battery.value < 16.384
        assert isinstance(distance.value, str) == (frame[2:4] < b"\x00\x14")
    else:
        with pytest.raises(Undecodable):
            LDDS75.frame(frame)


DEVICE_KEYS = st.sampled_from(sorted({name for device in DEVICES.values() for name in device.fields}))
OTHER_KEYS = st.sampled_from(
    ["history", "timestamp", "Additional_Distance_Data", "temperatureSensor", "gps_1"]
)


@settings(max_examples=500)
@given(
    profile=st.sampled_from(sorted(DEVICES)),
    port=st.sampled_from([2, 3, 5, 85]),
    frame=st.binary(max_size=60),
    fields=st.dictionaries(DEVICE_KEYS | OTHER_KEYS, JSON, max_size=5),
)
def test_device_gives_only_declared_errors_for_any_frame_and_object(
    profile: str, port: int, frame: bytes, fields: dict[str, object]
) -> None:
    for read in (partial(read_data, profile, port, frame), partial(read_object, profile, fields)):
        try:
            values = read()
        except NoReadings:
            continue
        except Undecodable as error:
            judge_error(error)
            continue
        for value in values:
            assert isinstance(value.value, float) or 0 <= len(value.value) <= MAX_WORD
            assert value.time is None or type(value.time) is int
