"""Poison: payloads and topics that must each end as one quarantined message or reading, for one reason.

Fault F7 of the reliability list. `POISON` runs against `CATALOGUE`; `GOOD` is the message that must still
be stored after any of them. Everything is built here, so that no odd bytes lie in files.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.catalog import Catalogue
from ingest.model import RawMessage, RejectReason
from tests.cases.poison_formats import DATASTREAMS, ROUTES, formats

NOW = 1_761_570_000_000_000  # 2025-10-27T13:00:00Z, microseconds
DAY = 86_400_000_000
TOPIC = "hue/v1/gw-1/radar-1/readings"
APPLICATION, DEV_EUI = "17c82e96", "0101010101010101"
UPLINK_TOPIC = f"application/{APPLICATION}/device/{DEV_EUI}/event/up"


def _station(identifier: str, *datastreams: dict[str, object]) -> dict[str, object]:
    return {
        "id": identifier,
        "name": {"vi": identifier, "en": identifier},
        "kind": "river",
        "location": {"lat": 16.45, "lon": 107.56},
        "datastreams": datastreams,
    }


def _datastream(name: str, own_unit: str, /, **source: object) -> dict[str, object]:
    return {"name": name, "property": name, "unit": own_unit, "cadence": 300.0, "source": source}


CATALOGUE = Catalogue.model_validate(
    {
        "stations": (
            _station(
                "RIVER",
                _datastream(
                    "level",
                    "m",
                    gateway="gw-1",
                    device="radar-1",
                    channel="level",
                    sentinels=(9999.9999, "--"),
                )
                | {"gross_range": {"fail": (-1.5, 9.0), "suspect": (-0.8, 6.2)}},
                _datastream("rain", "mm", gateway="gw-1", device="radar-1", channel="rain"),
                _datastream("level2", "m", gateway="gw-2", device="radar-2", channel="level"),
            ),
            _station(
                "STREET",
                _datastream("depth", "m", gateway=APPLICATION, device=DEV_EUI, channel="distance", unit="mm")
                | {"ranging": {"zero_elevation": 5.0, "blanking": 0.5, "max_range": 10.0}},
            ),
            _station(
                "FORMATS",
                *(
                    _datastream(name, unit, gateway=gateway, device=device, channel=channel)
                    for name, unit, gateway, device, channel in DATASTREAMS
                ),
                _datastream("planned", "m", gateway="gw-1", device="radar-7", channel="level")
                | {"installations": ({"valid_from": NOW + 365 * DAY},)},
            ),
        ),
        "routes": (
            {
                "filter": "hue/v1/+/+/readings",
                "codec": "huewatch-json",
                "gateway_level": 3,
                "device_level": 4,
            },
            {
                "filter": "application/+/device/+/event/+",
                "codec": "chirpstack-v4",
                "gateway_level": 2,
                "device_level": 4,
            },
            *(
                {
                    "filter": topics,
                    "codec": codec,
                    "gateway_level": gateway,
                    "device_level": device,
                    "settings": settings,
                }
                for topics, codec, gateway, device, settings in ROUTES
            ),
        ),
    }
)
IDS = {key: number for number, (key, _, _) in enumerate(CATALOGUE.datastreams(), start=101)}


@dataclass(frozen=True)
class Poison:
    """One message and why it, or its one reading, must be refused."""

    name: str
    payload: bytes
    reason: RejectReason
    topic: str = TOPIC
    retain: bool = False

    def message(self, packet_id: int = 1) -> RawMessage:
        return RawMessage(self.topic, self.payload, 1, self.retain, False, NOW, 1, packet_id)


def _time(text: str) -> bytes:
    return b'{"channel":"level","value":1.0,"time":%s}' % text.encode()


def _value(text: bytes) -> bytes:
    return b'{"channel":"level","value":%s}' % text


def _uplink(**fields: object) -> bytes:
    info = {"devEui": DEV_EUI, "applicationId": APPLICATION, "deviceProfileName": "EM500-UDL"}
    body = {
        "deviceInfo": info,
        "time": "2025-10-27T12:59:58.123456789+00:00",
        "fPort": 85,
        "data": "A4IeAA==",
    }
    return json.dumps(body | fields).encode()


_GOOD_PAYLOAD = b'{"channel":"level","value":1.23,"unit":"m","time":"2025-10-27T20:00:00+07:00"}'
GOOD = RawMessage(TOPIC, _GOOD_PAYLOAD, 1, False, False, NOW, 1, 65_000)

_NOT_JSON = {
    "empty": b"",
    "one_nul": b"\x00",
    "white_space": b" \t\r\n",
    "text": b"1.23",
    "word": b"hello",
    "null": b"null",
    "array": b"[1.0]",
    "string": b'"level"',
    "trailing_nul": _GOOD_PAYLOAD + b"\x00",
    "trailing_text": _GOOD_PAYLOAD + b" ok",
    "two_messages": _GOOD_PAYLOAD * 2,
    "byte_order_mark": b"\xef\xbb\xbf" + _GOOD_PAYLOAD,
    "utf_16": _GOOD_PAYLOAD.decode().encode("utf-16"),
    "utf_32": _GOOD_PAYLOAD.decode().encode("utf-32-le"),
    "gzip": gzip.compress(_GOOD_PAYLOAD, mtime=0),
    "zlib": zlib.compress(_GOOD_PAYLOAD),
    "xml": b"<?xml version='1.0'?><level>1.23</level>",
    "html": b"<!doctype html><title>502 Bad Gateway</title>",
    "csv": b"level;1,23;m\r\n",
    "cbor": bytes.fromhex("a2676368616e6e656c656c6576656c6576616c7565f93ceb"),
    "single_quotes": b"{'channel':'level','value':1.0}",
    "trailing_comma": b'{"channel":"level","value":1.0,}',
    "comment": b'{"channel":"level",/* m */"value":1.0}',
    "random_bytes": bytes(range(256)),
    "all_high_bytes": b"\xff" * 1_000,
    "invalid_utf8_value": _value(b'"\xff\xfe"'),
    "invalid_utf8_key": b'{"\xc3\x28":1.0,"channel":"level","value":1.0}',
    "utf8_surrogate": _value(b'"\xed\xa0\x80"'),
    "overlong_utf8": _value(b'"\xc0\xaf"'),
    "lone_surrogate": _value(b'"\\ud800"'),
    "swapped_surrogates": _value(b'"\\udc00\\ud800"'),
    "line_feed_in_text": _value(b'"a\nb"'),
}
_BAD_VALUES = {
    "nan": b"NaN",
    "infinity": b"Infinity",
    "minus_infinity": b"-Infinity",
    "overflow": b"1e999",
    "minus_overflow": b"-1e999",
    "400_digits": b"9" * 400,
    "true": b"true",
    "false": b"false",
    "array": b"[1.0]",
    "object": b'{"value":1.0}',
    "leading_zero": b"01.5",
    "leading_plus": b"+1.5",
    "leading_point": b".5",
    "hexadecimal": b"0x10",
    "decimal_comma": b"1,5",
    "missing": b"",
    "deep_array": b"[" * 100_000 + b"]" * 100_000,
    "long_word": b'"' + b"x" * 65 + b'"',
}
_WORDS = {
    "number_in_quotes": b'"12.5"',
    "nan_in_quotes": b'"NaN"',
    "empty_word": b'""',
    "null": b"null",
    "nul_character": b'"\\u0000"',
    "bidi": '"\u202e5.21"'.encode(),
    "sql": b'"\'; DROP TABLE observation;--"',
    "ansi": b'"\\u001b[31m1.0"',
    "format": b'"%s%n{0.__class__}"',
}
_BAD_TIMES = {
    "naive": '"2025-10-27T20:00:00"',
    "date": '"2025-10-27"',
    "epoch_seconds": "1761570000",
    "epoch_in_quotes": '"1761570000"',
    "null": "null",
    "leap_second": '"2016-12-31T23:59:60Z"',
    "30_february": '"2025-02-30T00:00:00Z"',
    "hour_24": '"2025-10-27T24:00:00Z"',
    "year_0": '"0000-01-01T00:00:00Z"',
    "week_date": '"2025-W44-1T20:00:00Z"',
    "zone_name": '"2025-10-27T20:00:00 Asia/Ho_Chi_Minh"',
    "zone_25_hours": '"2025-10-27T20:00:00+25:00"',
    "other_digits": '"２０２５-10-27T20:00:00Z"',
    "trailing_line": '"2025-10-27T20:00:00Z\\n"',
    "american": '"10/27/2025 8:00 PM"',
}
_TIMES_OUT_OF_WINDOW = {
    "year_1": ('"0001-01-01T00:00:00Z"', RejectReason.TIME_TOO_OLD),
    "1970": ('"1970-01-01T00:00:00Z"', RejectReason.CLOCK_RESET),
    "2000": ('"2000-01-01T00:00:00Z"', RejectReason.CLOCK_RESET),
    "46_days": ('"2025-09-11T13:00:00Z"', RejectReason.TIME_TOO_OLD),
    "6_minutes_ahead": ('"2025-10-27T13:06:00Z"', RejectReason.TIME_IN_FUTURE),
    "local_time_as_utc": ('"2025-10-27T20:00:00Z"', RejectReason.CLOCK_ZONE),
    "2106": ('"2106-02-07T06:28:15Z"', RejectReason.CLOCK_RESET),
    "9999": ('"9999-12-31T23:59:59.999999Z"', RejectReason.TIME_IN_FUTURE),
}
_BAD_SHAPES = {
    "no_fields": b"{}",
    "no_value": b'{"channel":"level"}',
    "no_channel": b'{"value":1.0}',
    "channel_number": b'{"channel":1,"value":1.0}',
    "channel_empty": b'{"channel":"","value":1.0}',
    "channel_long": b'{"channel":"%s","value":1.0}' % (b"x" * 65),
    "unit_null": b'{"channel":"level","value":1.0,"unit":null}',
    "unknown_field": b'{"channel":"level","value":1.0,"station_id":"HUE-WL-KIMLONG"}',
    "unknown_field_deep": b'{"channel":"level","value":1.0,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "status_number": b'{"channel":"level","value":1.0,"status":1}',
    "readings_empty": b'{"readings":[]}',
    "readings_object": b'{"readings":{"channel":"level","value":1.0}}',
    "readings_null": b'{"readings":null}',
    "readings_1001": b'{"readings":[%s]}' % b",".join([b'{"channel":"level","value":1.0}'] * 1_001),
    "readings_nested": b'{"readings":[{"readings":[{"channel":"level","value":1.0}]}]}',
    "readings_and_value": b'{"value":1.0,"readings":[{"channel":"level","value":1.0}]}',
    "one_bad_of_two": b'{"readings":[{"channel":"level","value":1.0},{"channel":"rain","value":true}]}',
    "wide": b"{%s}" % b",".join(b'"k%d":1' % number for number in range(20_000)),
}
_BAD_UPLINKS = {
    "empty": b"",
    "no_device": b"{}",
    "device_null": _uplink(deviceInfo=None),
    "device_without_eui": _uplink(deviceInfo={"deviceProfileName": "EM500-UDL"}),
    "unknown_profile": _uplink(deviceInfo={"devEui": DEV_EUI, "deviceProfileName": "EM300-TH"}),
    "no_profile": _uplink(deviceInfo={"devEui": DEV_EUI}),
    "data_not_base64": _uplink(data="A4I*"),
    "data_number": _uplink(data=1),
    "data_unknown_channel": _uplink(data="BIIeAA=="),
    "data_cut": _uplink(data="A4Ie"),
    "data_zeros": _uplink(data="AAAAAAAA"),
    "time_naive": _uplink(time="2025-10-27T12:59:58"),
    "time_number": _uplink(time=1761570000),
    "object_array": _uplink(object=[1]),
    "object_deep": _uplink(object=None)[:-5] + b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "object_nan": _uplink(object=None)[:-5] + b'{"distance":NaN}}',
    "object_wide": _uplink(object={f"k{number}": 1 for number in range(1_001)}),
    "deep_unknown_field": _uplink()[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "tags_array": _uplink(deviceInfo={"devEui": DEV_EUI, "tags": ["Exercise"]}),
    "f_port_text": _uplink(fPort="85"),
}
_BAD_OBJECTS: dict[str, object] = {
    "null": None,
    "true": True,
    "text": "No Sensor",
    "number_in_quotes": "12.5",
    "array": [30],
    "object": {"mm": 30},
    "400_digits": 10**400,
}
_BAD_TOPICS = {
    "no_level": "",
    "one_slash": "/",
    "unrouted": "zigbee2mqtt/cau-truoi",
    "too_short": "hue/v1/gw-1/readings",
    "too_long": "hue/v1/gw-1/radar-1/readings/more",
    "leading_slash": "/hue/v1/gw-1/radar-1/readings",
    "trailing_slash": "hue/v1/gw-1/radar-1/readings/",
    "other_case": "HUE/v1/gw-1/radar-1/readings",
    "empty_device": "hue/v1/gw-1//readings",
    "empty_gateway": "hue/v1//radar-1/readings",
    "plus": "hue/v1/+/radar-1/readings",
    "hash": "hue/v1/#/radar-1/readings",
    "dollar": "hue/v1/$SYS/radar-1/readings",
    "system": "$SYS/broker/load/messages",
    "nul": "hue/v1/gw-1\x00/radar-1/readings",
    "line_feed": "hue/v1/gw-1/radar-1\n/readings",
    "bidi": "hue/v1/gw-1/\u202e1-radar/readings",
    "zero_width": "hue/v1/gw-1/radar-\u200b1/readings",
    "look_alike": "hue/v1/gw-1/rad\u0430r-1/readings",
    "full_width": "hue/v1/gw-１/radar-1/readings",
    "space": "hue/v1/gw-1/radar 1/readings",
    "dots": "hue/v1/gw-1/../readings",
    "quote": "hue/v1/gw-1/radar-1'--/readings",
    "braces": "hue/v1/{0}/%s/readings",
    "long_level": f"hue/v1/gw-1/{'x' * 65}/readings",
    "longest_topic": "hue/v1/gw-1/" + "x" * 65_000 + "/readings",
    "many_levels": "/".join("a" * 30_000),
}


def _all() -> Iterator[Poison]:
    undecodable = RejectReason.UNDECODABLE
    for length in range(1, len(_GOOD_PAYLOAD)):
        yield Poison(f"truncated_to_{length}", _GOOD_PAYLOAD[:length], undecodable)
    for kind, payloads in {"not_json": _NOT_JSON, "shape": _BAD_SHAPES}.items():
        for name, payload in payloads.items():
            yield Poison(f"{kind}_{name}", payload, undecodable)
    for name, payload in _BAD_VALUES.items():
        yield Poison(f"value_{name}", _value(payload), undecodable)
    for name, payload in _WORDS.items():
        yield Poison(f"word_{name}", _value(payload), RejectReason.NOT_A_NUMBER)
    for name, text in _BAD_TIMES.items():
        yield Poison(f"time_{name}", _time(text), undecodable)
    for name, (text, reason) in _TIMES_OUT_OF_WINDOW.items():
        yield Poison(f"time_{name}", _time(text), reason)
    for name, payload in _BAD_UPLINKS.items():
        yield Poison(f"uplink_{name}", payload, undecodable, UPLINK_TOPIC)
    for name, value in _BAD_OBJECTS.items():
        payload = _uplink(object={"distance": value})
        yield Poison(f"object_{name}", payload, RejectReason.NOT_A_NUMBER, UPLINK_TOPIC)
    for name, topic in _BAD_TOPICS.items():
        yield Poison(f"topic_{name}", _GOOD_PAYLOAD, RejectReason.NO_ROUTE, topic)
    yield from _others()
    for name, payload, reason, topic in formats():
        yield Poison(name, payload, reason, topic)


def _others() -> Iterator[Poison]:
    yield Poison("too_large_word", _value(b'"' + b"x" * 2_000_000 + b'"'), RejectReason.TOO_LARGE)
    yield Poison("too_large_spaces", b" " * 1_900_000 + _GOOD_PAYLOAD, RejectReason.TOO_LARGE)
    wide = b"{%s}" % b",".join(b'"k%d":1' % number for number in range(1_000_000))
    yield Poison("too_large_wide", wide, RejectReason.TOO_LARGE)
    yield Poison("sentinel_number", _value(b"9999.9999"), RejectReason.SENTINEL)
    yield Poison("sentinel_word", _value(b'"--"'), RejectReason.SENTINEL)
    yield Poison("unit_unknown", b'{"channel":"level","value":1,"unit":"furlong"}', RejectReason.UNKNOWN_UNIT)
    yield Poison("unit_empty_like", b'{"channel":"level","value":1,"unit":" "}', RejectReason.UNKNOWN_UNIT)
    yield Poison("unit_dimension", b'{"channel":"level","value":1,"unit":"degC"}', RejectReason.UNKNOWN_UNIT)
    yield Poison("unit_other_case", b'{"channel":"level","value":1,"unit":"MM"}', RejectReason.UNKNOWN_UNIT)
    yield Poison(
        "conversion_overflows", b'{"channel":"rain","value":1e308,"unit":"m"}', RejectReason.NOT_A_NUMBER
    )
    yield Poison("channel_unknown", b'{"channel":"Level","value":1}', RejectReason.UNKNOWN_CHANNEL)
    yield Poison("channel_with_nul", b'{"channel":"level\\u0000","value":1}', RejectReason.UNKNOWN_CHANNEL)
    yield Poison("channel_with_space", b'{"channel":"level ","value":1}', RejectReason.UNKNOWN_CHANNEL)
    yield Poison(
        "status_other", b'{"channel":"level","value":1,"status":"Test"}', RejectReason.NATURE_MISMATCH
    )
    yield Poison(
        "status_case", b'{"channel":"level","value":1,"status":"actual"}', RejectReason.NATURE_MISMATCH
    )
    yield Poison(
        "uplink_status_other",
        _uplink(
            deviceInfo={"devEui": DEV_EUI, "deviceProfileName": "EM500-UDL", "tags": {"status": "Exercise"}}
        ),
        RejectReason.NATURE_MISMATCH,
        UPLINK_TOPIC,
    )
    yield Poison("retained", _value(b"1.0"), RejectReason.RETAINED_WITHOUT_TIME, retain=True)
    yield Poison("device_unknown", _GOOD_PAYLOAD, RejectReason.UNKNOWN_DEVICE, "hue/v1/gw-1/radar-9/readings")
    yield Poison(
        "gateway_unknown", _GOOD_PAYLOAD, RejectReason.IDENTITY_MISMATCH, "hue/v1/gw-9/radar-1/readings"
    )
    yield Poison(
        "gateway_of_another", _GOOD_PAYLOAD, RejectReason.IDENTITY_MISMATCH, "hue/v1/gw-1/radar-2/readings"
    )
    for name, info in {
        "device": {"devEui": "0202020202020202", "deviceProfileName": "EM500-UDL"},
        "application": {"devEui": DEV_EUI, "applicationId": "x", "deviceProfileName": "EM500-UDL"},
    }.items():
        payload = _uplink(deviceInfo=info)
        yield Poison(f"uplink_other_{name}", payload, RejectReason.IDENTITY_MISMATCH, UPLINK_TOPIC)
    yield Poison("tick_malformed", b'{"now":"soon"}', RejectReason.UNDECODABLE, "huewatch/tick")


POISON = tuple(_all())
