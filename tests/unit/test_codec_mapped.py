"""Formats that a route describes: settings that cannot be are refused with place and remedy, and whatever
bytes come, only the declared errors leave a codec.
"""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.codecs import Address, NoReadings, Undecodable, codecs
from ingest.codecs.base import MAX_READINGS, MAX_WORD, Decode
from ingest.codecs.mapped_json import MAX_LOOKUPS
from ingest.codecs.mapped_path import ABSENT, Item, find, items, parse_path
from ingest.model import Reading

ADDRESS = Address(("iot", "gw-1", "st-7", "data"), "gw-1", "st-7")
LEVEL = {"channel": "level", "value": "level"}
LOCAL = "%Y-%m-%d %H:%M:%S"


def json_decoder(**given: Any) -> Decode:
    return codecs()["mapped-json"].decoder({"readings": [LEVEL], **given})


def read(decoder: Decode, message: Any) -> list[Reading]:
    return list(decoder(ADDRESS, json.dumps(message).encode()).readings)


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        ({"readings": []}, "readings", "at least 1"),
        ({"readings": [{"channel": "level"}]}, "readings.0.value", "required"),
        ({"readings": [{**LEVEL, "value": "$.level"}]}, "readings.0.value", "write it as payload.level"),
        ({"readings": [{**LEVEL, "value": "s[*].v"}]}, "readings.0.value", "give the list by `each`"),
        ({"readings": [{**LEVEL, "each": "sensors"}]}, "readings.0.each", "write [*] after the list"),
        ({"readings": [{**LEVEL, "channel": {}}]}, "readings.0.channel", "write a plain text, or"),
        ({"readings": [{**LEVEL, "unit": "cubits"}]}, "readings.0", "'cubits' is not known"),
        ({"readings": [{**LEVEL, "absent": "zero"}]}, "readings.0.absent", "'word' or 'skip'"),
        ({"readings": [{**LEVEL, "valu": "x"}]}, "readings.0.valu", "not permitted"),
        ({"time": {"path": "t", "format": "iso"}}, "time.format", "rfc3339, unix_s"),
        ({"time": {"path": "t", "format": "%d.%m.%y"}}, "time.format", "%y in a time pattern"),
        ({"time": {"path": "t", "format": LOCAL}}, "time", 'add `zone`, such as "+07:00"'),
        ({"time": {"path": "t", "format": "iso_local"}}, "time", 'add `zone`, such as "+07:00"'),
        ({"time": {"path": "t", "format": "unix_s", "zone": "Z"}}, "time", "leave `zone` out"),
        ({"time": {"path": "t", "format": LOCAL, "zone": "ICT"}}, "time.zone", 'offset such as "+07:00"'),
        ({"units": {"Volts": "volt"}}, "units.Volts", "'volt' is not known"),
        ({"without_readings": {"path": "type", "is": []}}, "without_readings.is", "at least 1"),
    ],
)
def test_settings_that_cannot_be_name_their_place_and_the_remedy(
    given: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        json_decoder(**given)
    assert str(raised.value).startswith(f"{place}: ")
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        ({"delimiter": ",,"}, "delimiter", "at most 1"),
        ({"delimiter": '"'}, "settings", "neither a quote"),
        ({"comment": ","}, "settings", "two characters"),
        ({"columns": ["a", "a"]}, "settings", "twice"),
        ({"columns": ["a", "b"]}, "settings", "'level' is not one of `columns`"),
        ({"time": {"columns": [], "format": "rfc3339"}}, "time.columns", "at least 1"),
        ({"time": {"columns": ["t"], "format": LOCAL}}, "time", "add `zone`"),
        ({"numbers": "strict"}, "numbers", "write in_strings or with_units"),
    ],
)
def test_settings_of_a_table_that_cannot_be_are_refused(
    given: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        codecs()["mapped-csv"].decoder({"readings": [LEVEL], **given})
    assert str(raised.value).startswith(f"{place}: ")
    assert words in str(raised.value)


@pytest.mark.parametrize("name", ["mapped-json", "mapped-csv", "campbell-csijson", "tt10"])
def test_a_format_that_must_be_described_is_not_read_undescribed(name: str) -> None:
    with pytest.raises(ValueError, match="required"):
        codecs()[name].decoder({})
    with pytest.raises(Undecodable):
        codecs()[name].decode(ADDRESS, b"{}")


def test_an_item_of_another_device_keeps_that_name_for_the_normaliser_to_refuse() -> None:
    entry = {"each": "s[*]", "channel": "level", "value": "v", "device": "id"}
    readings = read(
        json_decoder(readings=[entry]), {"s": [{"id": "ST-7", "v": 1}, {"id": "st-8", "v": 2}, {"v": 3}]}
    )
    assert [reading.device for reading in readings] == ["st-7", "st-8", "absent"]


def test_a_row_of_another_device_keeps_that_name_for_the_normaliser_to_refuse() -> None:
    decoder = codecs()["mapped-csv"].decoder({"readings": [LEVEL], "device": "id"})
    readings = decoder(ADDRESS, b"id,level\nST-7,1\nst-8,2\n,3\n").readings
    assert [reading.device for reading in readings] == ["st-7", "st-8", "absent"]


def test_places_to_look_at_are_bounded_also_where_nothing_is_found() -> None:
    entry = {"each": "[*]", "channel": "level", "value": "v", "absent": "skip"}
    decoder = json_decoder(readings=[entry] * 5)
    assert len(read(decoder, [{"v": 1}] + [{}] * (MAX_LOOKUPS // 5 - 1))) == 5
    with pytest.raises(Undecodable, match="places to look"):
        read(decoder, [{"v": 1}] + [{}] * (MAX_LOOKUPS // 5))


def test_a_full_message_is_read_and_one_more_is_refused() -> None:
    decoder = json_decoder(readings=[{"each": "[*]", "channel": "level", "value": "@"}])
    assert len(read(decoder, [1] * MAX_READINGS)) == MAX_READINGS
    with pytest.raises(Undecodable):
        read(decoder, [1] * (MAX_READINGS + 1))
    tables = codecs()["mapped-csv"].decoder({"readings": [LEVEL]})
    assert len(tables(ADDRESS, b"level\n" + b"1\n" * MAX_READINGS).readings) == MAX_READINGS
    with pytest.raises(Undecodable):
        tables(ADDRESS, b"level\n" + b"1\n" * (MAX_READINGS + 1))


def test_a_time_may_be_a_number_beyond_every_calendar() -> None:
    decoder = json_decoder(time={"path": "t", "format": "unix_s"})
    assert read(decoder, {"t": 1e308, "level": 1})[0].time == int(1e308) * 1_000_000


@pytest.mark.parametrize(
    "text", ["", ".a", "a.", "a..b", "a[]", "a[-1]", "a b", "$.a", "a[", "*", "^a", "@key.x"]
)
def test_a_path_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        parse_path(text)


@given(
    st.lists(st.text(st.characters(exclude_characters="\"'"), min_size=1, max_size=8), min_size=1, max_size=5)
)
def test_every_member_can_be_named(names: list[str]) -> None:
    nested: Any = 42
    for name in reversed(names):
        nested = {name: nested}
    path = parse_path("".join(f'["{name}"]' for name in names))
    assert find(path, Item(nested)) == 42
    assert find(path, Item([nested])) is ABSENT


def test_going_out_beyond_the_message_finds_nothing() -> None:
    (item,) = items(parse_path("a[*]", every=True), Item({"a": [1], "t": 5}))
    assert find(parse_path("^.t"), item) == 5
    assert find(parse_path("^.^.t"), item) is ABSENT
    assert list(items(parse_path("^.a[*]", every=True), Item({"a": [1]}))) == []


# --- whatever bytes come

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=70),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["a", "t", "n", "u", "q", "id", "type", "level"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)
TIME = {"path": "t", "format": "unix_s", "absent": "arrival"}
EVERYTHING = {
    "numbers": "with_units",
    "units": {"V": "V"},
    "status": "type",
    "readings": [
        {**LEVEL, "absent": "skip", "time": {"path": "t", "format": "rfc3339"}},
        {"each": "a[*]", "channel": {"path": "@key"}, "value": "@", "time": TIME},
        {
            "each": "[*]",
            "channel": {"path": "n"},
            "value": "level",
            "unit": {"path": "u"},
            "device": "^.id",
            "quality": {"path": "q", "good": [0, "ok"]},
            "time": {"path": "^.t", "format": LOCAL, "zone": "+07:00"},
        },
    ],
}
ROWS = {
    "readings": [
        {**LEVEL, "absent": "skip"},
        {"channel": {"column": "n"}, "value": "q", "unit": {"column": "u"}},
    ]
}
TABLE = {**ROWS, "numbers": "with_units", "time": {"columns": ["t"], "format": "iso_local", "zone": "Z"}}
DECODERS = [
    codecs()["mapped-json"].decoder(EVERYTHING),
    codecs()["mapped-json"].decoder({**EVERYTHING, "time": TIME, "device": "id"}),
    codecs()["mapped-csv"].decoder(TABLE),
    codecs()["mapped-csv"].decoder({**TABLE, "columns": ["t", "level", "n", "q", "u"], "decimal": "comma"}),
    codecs()["campbell-geojson"].decoder({"channels": "tables_and_fields"}),
    codecs()["campbell-csijson"].decoder({"zone": "Z"}),
    codecs()["tt10"].decoder({"zone": "+07:00"}),
]
TEXT = st.text(st.sampled_from("t,;\t\"'\r\n level nqu0123456789.-:TZe#\u00a0"), max_size=80)
TABLES = st.builds("t,level,n,q,u\n{}".format, TEXT)
CAMPBELL = st.fixed_dictionaries(
    {
        "properties": st.fixed_dictionaries({"observationNames": JSON, "observations": JSON}),
        "head": st.fixed_dictionaries(
            {"fields": st.lists(st.fixed_dictionaries({"name": st.text(max_size=70)}))}
        ),
        "data": st.lists(st.fixed_dictionaries({"time": TEXT, "vals": st.lists(JSON, max_size=3)})),
    }
)
PAYLOADS = st.one_of(
    JSON.map(msgspec.json.encode),
    CAMPBELL.map(msgspec.json.encode),
    TEXT.map(str.encode),
    TABLES.map(str.encode),
    st.binary(max_size=80),
)


@settings(max_examples=300)
@given(PAYLOADS)
def test_whatever_comes_only_declared_errors_leave(payload: bytes) -> None:
    for decoder in DECODERS:
        with suppress(Undecodable, NoReadings):
            for reading in decoder(ADDRESS, payload).readings:
                assert len(reading.channel) <= MAX_WORD
                assert reading.unit is None or len(reading.unit) <= MAX_WORD
                assert isinstance(reading.value, float) or len(reading.value) <= MAX_WORD
                assert reading.time is None or isinstance(reading.time, int)
