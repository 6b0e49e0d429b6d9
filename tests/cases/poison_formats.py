"""Poison in the formats of gateways: a device, a route and the payloads of each that must be refused.

`poison` makes a catalogue of `DATASTREAMS` and `ROUTES`, and a `Poison` of each of `formats`. All are built
by hand from the formats' descriptions, and differ in one thing from a message that would be stored.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from ingest.model import RejectReason as Why

NOW_SECONDS = 1_761_570_000  # 2025-10-27T13:00:00Z
YEAR_2000 = 946_684_800  # 2000-01-01T00:00:00Z, seconds

BOARD = "tele/board-1/SENSOR"
THING = "v3/hue@city/devices/phuoc-01/up"
EDGE = "spBv1.0/hue/DDATA/edge-1/radar-3"
PACK, BINARY_PACK = "senml/gw-3/radar-4", "senml-cbor/gw-3/radar-5"
ROUTER = "teltonika/rut-1/modbus"
MODULE = "Advantech/00D0C9EFDBBD/data"
LOGGER, TABLE = "cs/v2/data/945/gauge/cj", "cs/v1/data/24833/gauge"
AIR = "airgradient/readings/ecda3b1eaaaf"
OBSERVATION = "sta/gw-4/v1.1/Datastreams(1)/Observations"
STATISTICS, CONNECTION = (
    "as923/gateway/0016c001f153a14c/event/stats",
    "as923/gateway/0016c001f153a14c/state/conn",
)
STATION = "tt10/gw-5/kcn-1"
MAPPED, MAPPED_TABLE = "iot/gw-6/st-7/data", "csv/gw-6/st-8/data"
NEXT_YEAR = "hue/v1/gw-1/radar-7/readings"

# Name of the datastream, its unit, gateway, device, channel.
DATASTREAMS = (
    ("board", "m", "board-1", "board-1", "SR04.Distance"),
    ("thing", "mm", "hue@city", "phuoc-01", "distance"),
    ("edge", "m", "edge-1", "radar-3", "level"),
    ("pack", "m", "gw-3", "radar-4", "level"),
    ("binary", "m", "gw-3", "radar-5", "level"),
    ("router", "mm", "rut-1", "rut-1", "2.40001"),
    ("module", "m", "00D0C9EFDBBD", "00D0C9EFDBBD", "ai1"),
    ("logger", "m", "945", "945", "level"),
    ("table", "m", "24833", "24833", "level"),
    ("air", "ug/m3", "ecda3b1eaaaf", "ecda3b1eaaaf", "pm02"),
    ("observation", "m", "gw-4", "Datastreams(1)", "result"),
    ("gateway", "1", "0016c001f153a14c", "0016c001f153a14c", "online"),
    ("battery", "V", "0016c001f153a14c", "0016c001f153a14c", "battery"),
    ("station", "mg/L", "gw-5", "kcn-1", "DO"),
    ("mapped", "m", "gw-6", "st-7", "level"),
    ("mapped_table", "m", "gw-6", "st-8", "level"),
)
_LEVEL = {"channel": "level", "value": "level", "unit": "cm"}
ROUTES: tuple[tuple[str, str, int, int, dict[str, Any]], ...] = (
    ("tele/+/+", "tasmota", 2, 2, {"zone": "+07:00"}),
    ("v3/+/devices/+/up", "the-things-stack-v3", 2, 4, {"profiles": {"*": "LDDS75"}}),
    ("spBv1.0/+/+/+", "sparkplug-b", 4, 4, {}),
    ("spBv1.0/+/+/+/+", "sparkplug-b", 4, 5, {}),
    ("senml/+/+", "senml-json", 2, 3, {"prefix": "{device}:"}),
    ("senml-cbor/+/+", "senml-cbor", 2, 3, {}),
    ("teltonika/+/modbus", "teltonika", 2, 2, {}),
    ("Advantech/+/+", "advantech-wise", 2, 2, {}),
    ("cs/v2/+/+/+/cj", "campbell-geojson", 4, 4, {}),
    ("cs/v1/+/+/+", "campbell-csijson", 4, 4, {"zone": "+07:00"}),
    ("airgradient/readings/+", "airgradient", 3, 3, {}),
    ("sta/+/v1.1/+/Observations", "sensorthings", 2, 4, {}),
    ("as923/gateway/+/+/+", "chirpstack-gateway", 3, 3, {"metadata": {"battery": "V"}}),
    ("tt10/+/+", "tt10", 2, 3, {"zone": "+07:00"}),
    (
        "iot/+/+/data",
        "mapped-json",
        2,
        3,
        {
            "time": {"path": "ts", "format": "unix_s"},
            "device": "id",
            "status": "status",
            "readings": [_LEVEL],
        },
    ),
    (
        "csv/+/+/data",
        "mapped-csv",
        2,
        3,
        {
            "time": {"columns": ["time"], "format": "%Y-%m-%d %H:%M:%S", "zone": "+07:00"},
            "readings": [_LEVEL],
        },
    ),
)

Case = tuple[str, bytes, Why, str]  # name, payload, reason, topic


def _raw(body: dict[str, object], **texts: str) -> bytes:
    """JSON with some of its values replaced by what no encoder writes."""
    written = json.dumps(body | dict.fromkeys(texts, "@"))
    for name, text in texts.items():
        written = written.replace(f'"{name}": "@"', f'"{name}": {text}')
    return written.encode()


def _board(distance: str = "16.7", time: str = '"2025-10-27T20:00:00"') -> bytes:
    return f'{{"Time":{time},"SR04":{{"Distance":{distance}}}}}'.encode()


def _boards() -> Iterator[tuple[str, bytes, Why]]:
    for name, distance, reason in (
        ("null", "null", Why.NOT_A_NUMBER),
        ("in_quotes", '"16.7"', Why.NOT_A_NUMBER),
        ("true", "true", Why.NOT_A_NUMBER),
        ("nan", "NaN", Why.UNDECODABLE),
        ("400_digits", "9" * 400, Why.NOT_A_NUMBER),
    ):
        yield f"distance_{name}", _board(distance), reason
    yield "sensor_without_fields", b'{"SR04":{}}', Why.UNKNOWN_CHANNEL
    yield "sensor_renumbered", b'{"SR04-1":{"Distance":16.7}}', Why.UNKNOWN_CHANNEL
    yield "empty_object", b"{}", Why.UNDECODABLE
    yield "clock_of_1970", _board(time='"1970-01-01T07:00:12"'), Why.CLOCK_RESET
    yield "utc_in_seven_hours", _board(time='"2025-10-28T03:00:00"'), Why.CLOCK_ZONE
    yield "time_in_another_zone", _board(time='"2025-10-27T20:00:00+08:00"'), Why.UNDECODABLE
    yield "time_true", _board(time="true"), Why.UNDECODABLE
    yield "time_beyond_columns", _board(time="9" * 30), Why.TIME_IN_FUTURE
    yield "time_before_columns", _board(time="-" + "9" * 30), Why.TIME_TOO_OLD


def _thing(frame: str, device: str = "phuoc-01", application: str = "hue", **more: object) -> bytes:
    ids = {"device_id": device, "application_ids": {"application_id": application}}
    message = {"f_port": 2, "frm_payload": frame, "received_at": "2025-10-27T13:00:00Z"}
    return json.dumps({"end_device_ids": ids, "uplink_message": message | more}).encode()


def _things() -> Iterator[tuple[str, bytes, Why]]:
    yield "no_sensor", _thing("DGUAAAA="), Why.NOT_A_NUMBER  # 0C65 0000 00
    yield "too_near", _thing("DGUAEwA="), Why.NOT_A_NUMBER  # 0C65 0013 00
    yield "frame_cut", _thing("DGUEuA=="), Why.UNDECODABLE
    yield "other_port", _thing("DGUEuAA=", f_port=85), Why.UNDECODABLE
    yield "port_of_9_bits", _thing("DGUEuAA=", f_port=256), Why.UNDECODABLE
    yield "other_device", _thing("DGUEuAA=", "phuoc-02"), Why.IDENTITY_MISMATCH
    yield "other_application", _thing("DGUEuAA=", application="hue2"), Why.IDENTITY_MISMATCH
    yield "encrypted", _thing("DGUEuAA=", app_s_key={"key": "AA=="}), Why.UNDECODABLE
    yield "decoded_true", _thing("", decoded_payload={"Distance": True}), Why.NOT_A_NUMBER
    yield "decoded_in_quotes", _thing("", decoded_payload={"Distance": "1208"}), Why.NOT_A_NUMBER
    yield "decoded_in_furlongs", _thing("", decoded_payload={"Distance": "12 fur"}), Why.UNKNOWN_UNIT
    yield "decoded_renamed", _thing("", decoded_payload={"Dist": 1208}), Why.UNKNOWN_CHANNEL
    yield "server_in_2106", _thing("DGUEuAA=", received_at="2106-02-07T06:28:15Z"), Why.CLOCK_RESET
    yield "protobuf", bytes.fromhex("0a0a0a0870686f756f632d3031"), Why.UNDECODABLE


def _field(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2, len(payload)]) + payload


def _edge(metric: bytes) -> bytes:
    return _field(2, metric) + b"\x18\x01"


def _edges() -> Iterator[tuple[str, bytes, Why]]:
    half = b"\x20\x09\x65" + struct.pack("<f", 0.5)  # datatype Float, float_value
    yield "alias_without_a_birth", _edge(b"\x10\x01" + half), Why.NEEDS_BIRTH
    yield "name_without_a_birth", _edge(_field(1, b"level") + half), Why.NEEDS_BIRTH
    yield "no_name", _edge(half), Why.UNDECODABLE
    yield "name_not_utf8", _edge(_field(1, b"\xff\xfe") + half), Why.UNDECODABLE
    yield "empty", b"", Why.UNDECODABLE
    yield "json", b'{"metrics":[]}', Why.UNDECODABLE
    yield "cut", _edge(_field(1, b"level") + half)[:-4], Why.UNDECODABLE
    yield "compressed", _field(4, b"SPBV1.0_COMPRESSED") + _field(5, b"\x78\x9c"), Why.UNDECODABLE
    yield "many_metrics", b"\x12\x00" * 1_001, Why.UNDECODABLE


def _births() -> Iterator[tuple[str, bytes, Why]]:
    level = _field(1, b"level") + b"\x10\x01"
    for name, value in {
        "nan": b"\x20\x09\x65" + struct.pack("<f", float("nan")),
        "infinity": b"\x20\x0a\x69" + struct.pack("<d", float("inf")),
        "null": b"\x20\x09\x38\x01",
        "none": b"\x20\x09",
        "text": b"\x20\x0c" + _field(15, b"0.5"),
        "of_another_type": b"\x20\x03\x65" + struct.pack("<f", 0.5),
        "beyond_its_type": b"\x20\x05\x50\x80\x02",
        "of_half_its_bits": b"\x20\x04\x50\xff\xff\xff\xff\x0f",
        "historical_without_a_time": b"\x20\x09\x28\x01\x65" + struct.pack("<f", 0.5),
    }.items():
        yield f"value_{name}", _edge(level + value), Why.NOT_A_NUMBER
    half = b"\x20\x09\x65" + struct.pack("<f", 0.5)
    unit = _field(9, _field(1, b"engUnit") + _field(2, _field(8, b"fathom")))
    yield "unit", _edge(level + half + unit), Why.UNKNOWN_UNIT
    yield "renamed", _edge(_field(1, b"Level") + half), Why.UNKNOWN_CHANNEL
    yield "time_of_all_ones", _edge(level + half + b"\x18" + b"\xff" * 9 + b"\x01"), Why.TIME_IN_FUTURE


def _packs() -> Iterator[tuple[str, bytes, Why]]:
    base: dict[str, object] = {"n": "radar-4:level", "u": "m", "v": 5.05, "t": NOW_SECONDS}
    for name, record, reason in (
        ("value_in_quotes", base | {"v": "5.05"}, Why.NOT_A_NUMBER),
        ("value_null", base | {"v": None}, Why.NOT_A_NUMBER),
        ("value_true", base | {"v": True}, Why.UNDECODABLE),
        ("two_values", base | {"vs": "5.05"}, Why.UNDECODABLE),
        ("other_device", base | {"n": "radar-5:level"}, Why.IDENTITY_MISMATCH),
        ("name_of_a_longer_device", base | {"n": "radar-44:level"}, Why.IDENTITY_MISMATCH),
        ("name_long", base | {"n": "radar-4:" + "x" * 5_000}, Why.UNDECODABLE),
        ("percent_of_battery", base | {"u": "%EL"}, Why.UNKNOWN_UNIT),
        ("version_11", base | {"bver": 11}, Why.UNDECODABLE),
        ("must_be_understood", base | {"x_": 1}, Why.UNDECODABLE),
        ("time_in_quotes", base | {"t": str(NOW_SECONDS)}, Why.UNDECODABLE),
        ("time_in_milliseconds", base | {"t": NOW_SECONDS * 1_000}, Why.TIME_IN_FUTURE),
        ("time_too_long_ago", base | {"t": -(46 * 86_400)}, Why.TIME_TOO_OLD),
    ):
        yield name, json.dumps([record]).encode(), reason
    yield "overflow", b"[" + _raw(base, v="1e999") + b"]", Why.UNDECODABLE
    yield "400_digits", b"[" + _raw(base, v="9" * 400) + b"]", Why.NOT_A_NUMBER
    yield "empty", b"[]", Why.UNDECODABLE
    yield "one_record_alone", json.dumps(base).encode(), Why.UNDECODABLE


def _binary_packs() -> Iterator[tuple[str, bytes, Why]]:
    level = b"\x00\x65level"  # n: level
    yield "nan", b"\x81\xa2" + level + b"\x02\xf9\x7e\x00", Why.NOT_A_NUMBER
    yield "infinity", b"\x81\xa2" + level + b"\x02\xf9\x7c\x00", Why.NOT_A_NUMBER
    yield "decimal_beyond_all", b"\x81\xa2" + level + b"\x02\xc4\x82\x19\x03\xe8\x01", Why.NOT_A_NUMBER
    yield "bignum", b"\x81\xa2" + level + b"\x02\xc2\x41\x05", Why.UNDECODABLE
    yield "undefined", b"\x81\xa2" + level + b"\x02\xf7", Why.UNDECODABLE
    yield "name_in_bytes", b"\x81\xa2\x00\x45level\x02\x05", Why.UNDECODABLE
    yield "two_values", b"\x81\xa3" + level + b"\x02\x05\x02\x06", Why.UNDECODABLE
    yield "bytes_behind", b"\x81\xa2" + level + b"\x02\x05\x00", Why.UNDECODABLE
    yield "many_items", b"\x9a\x00\x03\xd0\x90" + b"\x80" * 250_000, Why.UNDECODABLE
    yield "deep", b"\x81" * 100_000, Why.UNDECODABLE
    yield "json", b'[{"n":"level","v":5.05}]', Why.UNDECODABLE


def _routers() -> Iterator[tuple[str, bytes, Why]]:
    base: dict[str, object] = {"ID": "2", "TS": str(NOW_SECONDS), "ST": "40001", "VR": "[1208]"}
    for name, value, reason in (
        ("empty", "[]", Why.NOT_A_NUMBER),
        ("nan", "[nan]", Why.NOT_A_NUMBER),
        ("hexadecimal", "[0x4B8]", Why.NOT_A_NUMBER),
        ("decimal_comma", "12,5", Why.NOT_A_NUMBER),
        ("not_filled_in", "%a", Why.NOT_A_NUMBER),
        ("overflow", "1e999", Why.NOT_A_NUMBER),
        ("null", None, Why.NOT_A_NUMBER),
    ):
        yield f"value_{name}", json.dumps(base | {"VR": value}).encode(), reason
    yield "no_value", b'{"ID":"2","TS":"1761570000","ST":"40001"}', Why.UNDECODABLE
    yield "other_register", json.dumps(base | {"ST": "40002"}).encode(), Why.UNKNOWN_CHANNEL
    yield "time_in_milliseconds", json.dumps(base | {"TS": f"{NOW_SECONDS}000"}).encode(), Why.UNDECODABLE
    yield "clock_of_2000", json.dumps(base | {"TS": str(YEAR_2000)}).encode(), Why.CLOCK_RESET
    yield "many_values", json.dumps(base | {"VR": f"[{'1,' * 2_000}]"}).encode(), Why.UNDECODABLE


def _modules() -> Iterator[tuple[str, bytes, Why]]:
    base: dict[str, object] = {"s": 1, "t": "2025-10-27T13:00:00Z", "q": 192, "c": 1, "ai1": 4.2}
    for name, fields, reason in (
        ("disabled", {"ai1": 9999.9999}, Why.NOT_A_NUMBER),
        ("disabled_by_status", {"ai_st1": 0}, Why.NOT_A_NUMBER),
        ("status_8", {"ai_st1": 8}, Why.NOT_A_NUMBER),
        ("true", {"ai1": True}, Why.NOT_A_NUMBER),
        ("in_quotes", {"ai1": "4.2"}, Why.NOT_A_NUMBER),
        ("quality_of_9_bits", {"q": 256}, Why.UNDECODABLE),
        ("quality_in_quotes", {"q": "192"}, Why.UNDECODABLE),
        ("time_naive", {"t": "2025-10-27T13:00:00"}, Why.UNDECODABLE),
        ("time_1", {"t": 1}, Why.UNDECODABLE),
    ):
        yield name, json.dumps(base | fields).encode(), reason
    yield "channel_from_0", b'{"t":0,"ai0":4.2}', Why.UNKNOWN_CHANNEL
    yield "many_channels", json.dumps({f"ai{number}": 1 for number in range(2_000)}).encode(), Why.UNDECODABLE


def _feature(values: str, logger: str = "945", time: str = "2025-10-27T13:00:00Z") -> bytes:
    said = f'"loggerID":"{logger}","observationNames":["level"],"observations":{{"{time}":{values}}}'
    return f'{{"type":"Feature","properties":{{{said}}}}}'.encode()


def _loggers() -> Iterator[tuple[str, bytes, Why]]:
    yield "nan", _feature('["NAN"]'), Why.NOT_A_NUMBER
    yield "true", _feature("[true]"), Why.NOT_A_NUMBER
    yield "two_values_for_one_name", _feature("[5.05,1]"), Why.UNDECODABLE
    yield "no_value", _feature("[]"), Why.UNDECODABLE
    yield "other_logger", _feature("[5.05]", "946"), Why.IDENTITY_MISMATCH
    yield "time_naive", _feature("[5.05]", time="2025-10-27T13:00:00"), Why.UNDECODABLE
    yield "no_observations", _feature("[5.05]").replace(b"observations", b"observation"), Why.UNDECODABLE


def _table(value: object, units: str = "m", time: str = "2025-10-27T20:00:00") -> bytes:
    head = {"environment": {"serial_no": "24833"}, "fields": [{"name": "level", "units": units}]}
    return json.dumps({"head": head, "data": [{"time": time, "no": 0, "vals": [value]}]}).encode()


def _tables() -> Iterator[tuple[str, bytes, Why]]:
    yield "nan", _table("NAN"), Why.NOT_A_NUMBER
    yield "units", _table(5.05, "kilofurlong"), Why.UNKNOWN_UNIT
    yield "time_in_another_zone", _table(5.05, time="2025-10-27T13:00:00Z"), Why.UNDECODABLE
    yield "utc_for_local", _table(5.05, time="2025-10-28T03:00:00"), Why.CLOCK_ZONE
    yield "other_logger", _table(5.05).replace(b"24833", b"24834"), Why.IDENTITY_MISMATCH
    yield "no_rows", _table(5.05).replace(b'"data": [', b'"data": [], "x": ['), Why.UNDECODABLE


def _air() -> Iterator[tuple[str, bytes, Why]]:
    yield "null", b'{"pm02":null}', Why.NOT_A_NUMBER
    yield "in_quotes", b'{"pm02":"7"}', Why.NOT_A_NUMBER
    yield "other_serial_number", b'{"serialno":"ecda3b1eaaae","pm02":7}', Why.IDENTITY_MISMATCH
    yield "renamed", b'{"pm2.5":7}', Why.UNKNOWN_CHANNEL
    yield "list", b'{"pm02":[]}', Why.NOT_A_NUMBER
    yield "empty_object", b"{}", Why.UNDECODABLE


def _observations() -> Iterator[tuple[str, bytes, Why]]:
    base: dict[str, object] = {"phenomenonTime": "2025-10-27T20:00:00+07:00", "result": 5.05}
    for name, fields, reason in (
        ("true", {"result": True}, Why.NOT_A_NUMBER),
        ("in_quotes", {"result": "5.05"}, Why.NOT_A_NUMBER),
        ("object", {"result": {"value": 5.05}}, Why.NOT_A_NUMBER),
        ("missing", {"resultQuality": "9"}, Why.NOT_A_NUMBER),
        ("other_datastream", {"Datastream": {"@iot.id": 2}}, Why.IDENTITY_MISMATCH),
        (
            "interval_backwards",
            {"phenomenonTime": "2025-10-27T13:00:00Z/2025-10-27T12:00:00Z"},
            Why.UNDECODABLE,
        ),
        ("time_naive", {"phenomenonTime": "2025-10-27T20:00:00"}, Why.UNDECODABLE),
    ):
        yield name, json.dumps(base | fields).encode(), reason
    yield "no_result", b'{"phenomenonTime":"2025-10-27T20:00:00+07:00"}', Why.UNDECODABLE


def _statistics() -> Iterator[tuple[str, bytes, Why]]:
    base: dict[str, object] = {"gatewayId": "0016c001f153a14c", "time": "2025-10-27T13:00:00Z"}
    battery: dict[str, object] = {"metadata": {"battery": "12,1"}}
    yield "battery_with_a_comma", json.dumps(base | battery).encode(), Why.NOT_A_NUMBER
    yield "battery_as_a_number", json.dumps(base | {"metadata": {"battery": 12.1}}).encode(), Why.UNDECODABLE
    yield (
        "other_gateway",
        json.dumps(base | {"gatewayId": "0016c001f153a14d"}).encode(),
        Why.IDENTITY_MISMATCH,
    )
    yield "count_below_zero", json.dumps(base | {"rxPacketsReceived": -1}).encode(), Why.UNDECODABLE
    yield "protobuf", bytes.fromhex("0a103030313663303031663135336131346312"), Why.UNDECODABLE


def _connections() -> Iterator[tuple[str, bytes, Why]]:
    yield "state_unknown", b'{"gatewayId":"0016c001f153a14c","state":"ASLEEP"}', Why.UNDECODABLE
    yield "state_true", b'{"gatewayId":"0016c001f153a14c","state":true}', Why.UNDECODABLE


def _stations() -> Iterator[tuple[str, bytes, Why]]:
    for name, line, reason in (
        ("value_word", "DO\tn/a\tmg/L\t20251027200000\t00", Why.NOT_A_NUMBER),
        ("value_absent", "DO\t\tmg/L\t20251027200000\t00", Why.NOT_A_NUMBER),
        ("decimal_comma", "DO\t5,83\tmg/L\t20251027200000\t00", Why.NOT_A_NUMBER),
        ("status_07", "DO\t5.83\tmg/L\t20251027200000\t07", Why.NOT_A_NUMBER),
        ("31_february", "DO\t5.83\tmg/L\t20250231200000\t00", Why.NOT_A_NUMBER),
        ("unit", "DO\t5.83\tspoons\t20251027200000\t00", Why.UNKNOWN_UNIT),
        ("parameter", "DO2\t5.83\tmg/L\t20251027200000\t00", Why.UNKNOWN_CHANNEL),
        ("spaces", "DO 5.83 mg/L 20251027200000 00", Why.UNDECODABLE),
        ("clock_of_2000", "DO\t5.83\tmg/L\t20000101080000\t00", Why.CLOCK_RESET),
    ):
        yield name, line.encode(), reason
    yield "utf_16", "DO\t5.83\tmg/L\t20251027200000\t00".encode("utf-16"), Why.UNDECODABLE


def _mapped() -> Iterator[tuple[str, bytes, Why]]:
    base: dict[str, object] = {"id": "st-7", "ts": NOW_SECONDS, "level": 505}
    for name, fields, reason in (
        ("null", {"level": None}, Why.NOT_A_NUMBER),
        ("in_quotes", {"level": "505"}, Why.NOT_A_NUMBER),
        ("other_device", {"id": "st-9"}, Why.IDENTITY_MISMATCH),
        ("device_as_a_list", {"id": ["st-7"]}, Why.IDENTITY_MISMATCH),
        ("status", {"status": "Exercise"}, Why.NATURE_MISMATCH),
        ("status_true", {"status": True}, Why.NATURE_MISMATCH),
        ("time_in_quotes", {"ts": str(NOW_SECONDS)}, Why.UNDECODABLE),
        ("time_beyond_columns", {"ts": 10**18}, Why.TIME_IN_FUTURE),
    ):
        yield name, json.dumps(base | fields).encode(), reason
    yield "time_deep", _raw(base, ts="[" * 990 + "]" * 990), Why.UNDECODABLE
    yield "renamed", json.dumps({"id": "st-7", "ts": NOW_SECONDS, "Level": 505}).encode(), Why.UNDECODABLE
    yield "a_list", b"[505]", Why.IDENTITY_MISMATCH


def _mapped_tables() -> Iterator[tuple[str, bytes, Why]]:
    yield "word", b"time,level\n2025-10-27 20:00:00,high\n", Why.NOT_A_NUMBER
    yield "decimal_comma", b'time,level\n2025-10-27 20:00:00,"5,05"\n', Why.NOT_A_NUMBER
    yield "time_by_slashes", b"time,level\n27/10/2025 20:00:00,505\n", Why.NOT_A_NUMBER
    yield "column_renamed", b"time,Level\n2025-10-27 20:00:00,505\n", Why.UNDECODABLE
    yield "no_rows", b"time,level\n", Why.UNDECODABLE
    yield "cut_row", b"time,level\n2025-10-27 20:00:00\n", Why.UNDECODABLE
    yield "open_quote", b'time,level\n2025-10-27 20:00:00,"505\n', Why.UNDECODABLE
    yield "blank_lines", b"\n" * 200_000, Why.UNDECODABLE


def _planned() -> Iterator[tuple[str, bytes, Why]]:
    yield "not_yet_there", b'{"channel":"level","value":1.0}', Why.NOT_INSTALLED


_BY_FORMAT = (
    ("tasmota", BOARD, _boards),
    ("things", THING, _things),
    ("sparkplug", EDGE, _edges),
    ("birth", EDGE.replace("DDATA", "DBIRTH"), _births),
    ("senml", PACK, _packs),
    ("senml_cbor", BINARY_PACK, _binary_packs),
    ("teltonika", ROUTER, _routers),
    ("advantech", MODULE, _modules),
    ("geojson", LOGGER, _loggers),
    ("csijson", TABLE, _tables),
    ("airgradient", AIR, _air),
    ("sensorthings", OBSERVATION, _observations),
    ("gateway", STATISTICS, _statistics),
    ("connection", CONNECTION, _connections),
    ("tt10", STATION, _stations),
    ("mapped", MAPPED, _mapped),
    ("mapped_csv", MAPPED_TABLE, _mapped_tables),
    ("installation", NEXT_YEAR, _planned),
)


_HALF = b"\x20\x09\x65" + struct.pack("<f", 0.5)
GOOD = (  # topic, payload, value: what each format's poison would be without its poison
    (BOARD, _board(), 0.167),
    (THING, _thing("DGUEuAA="), 1208.0),
    (EDGE.replace("DDATA", "DBIRTH"), _edge(_field(1, b"level") + b"\x10\x01" + _HALF), 0.5),
    (PACK, json.dumps([{"n": "radar-4:level", "u": "m", "v": 5.05, "t": NOW_SECONDS}]).encode(), 5.05),
    (BINARY_PACK, b"\x81\xa2\x00\x65level\x02\x05", 5.0),
    (ROUTER, b'{"ID":"2","TS":"1761570000","ST":"40001","VR":"[1208]"}', 1208.0),
    (MODULE, b'{"s":1,"t":"2025-10-27T13:00:00Z","q":192,"c":1,"ai1":4.2}', 4.2),
    (LOGGER, _feature("[5.05]"), 5.05),
    (TABLE, _table(5.05), 5.05),
    (AIR, b'{"serialno":"ecda3b1eaaaf","pm02":7}', 7.0),
    (OBSERVATION, b'{"phenomenonTime":"2025-10-27T20:00:00+07:00","result":5.05}', 5.05),
    (STATISTICS, b'{"gatewayId":"0016c001f153a14c","metadata":{"battery":"12.1"}}', 12.1),
    (CONNECTION, b'{"gatewayId":"0016c001f153a14c","state":"ONLINE"}', 1.0),
    (STATION, b"DO\t5.83\tmg/L\t20251027200000\t00", 5.83),
    (MAPPED, b'{"id":"st-7","ts":1761570000,"level":505}', 5.05),
    (MAPPED_TABLE, b"time,level\n2025-10-27 20:00:00,505\n", 5.05),
)


def formats() -> Iterator[Case]:
    """Every poison of these formats."""
    for name, topic, make in _BY_FORMAT:
        for what, payload, reason in make():
            yield f"{name}_{what}", payload, reason, topic
    yield "tasmota_kind", b"{}", Why.UNDECODABLE, BOARD.replace("SENSOR", "RESULT")
    yield "tasmota_last_word", b"Gone", Why.UNDECODABLE, BOARD.replace("SENSOR", "LWT")
    yield "sparkplug_kind", b"", Why.UNDECODABLE, EDGE.replace("DDATA", "XDATA")
    yield "sparkplug_data_of_the_node_below_it", b"", Why.UNDECODABLE, EDGE.replace("DDATA", "NDATA")
    yield "advantech_status", b'{"status":"asleep"}', Why.UNDECODABLE, MODULE.replace("data", "Device_Status")
    yield "gateway_event", b"{}", Why.UNDECODABLE, STATISTICS.replace("stats", "mood")
    yield "board_unknown", _board(), Why.UNKNOWN_DEVICE, "tele/board-2/SENSOR"
    yield "thing_of_another", _thing("DGUEuAA="), Why.IDENTITY_MISMATCH, THING.replace("hue@city", "gw-3")
