"""Times without a zone: exact forms only, read by the declared offset and by no other."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.clock import to_micros
from ingest.codecs import Address, CodecSettings, Undecodable
from ingest.codecs.local_time import TimePattern, Zone, parse_format, parse_local
from ingest.codecs.tasmota import CODEC as TASMOTA
from ingest.codecs.teltonika import CODEC as TELTONIKA

HOUR = 3_600_000_000
HUE = 7 * HOUR
EIGHT_IN_THE_EVENING = to_micros(datetime.fromisoformat("2025-10-27T13:00:00+00:00"))


class Settings(CodecSettings):
    zone: Zone
    format: TimePattern = "%Y%m%d%H%M%S"


def settings(text: str) -> Settings:
    return Settings.model_validate_json(text)


@pytest.mark.parametrize(
    ("text", "east"),
    [
        ("Z", 0),
        ("+00:00", 0),
        ("+07:00", HUE),
        ("+05:45", 5 * HOUR + 45 * 60_000_000),
        ("-03:30", -3 * HOUR - 30 * 60_000_000),
        ("-00:30", -30 * 60_000_000),
        ("-12:00", -12 * HOUR),
        ("+14:00", 14 * HOUR),
    ],
)
def test_zone_is_a_fixed_offset_in_microseconds_east(text: str, east: int) -> None:
    assert settings(f'{{"zone": "{text}"}}').zone == east


@pytest.mark.parametrize(
    "text",
    [
        '"+7"', '"07:00"', '"+0700"', '"+07:60"', '"+14:30"', '"-12:30"', '"-00:00"', '"UTC"', '"z"', '""',
        '"Asia/Ho_Chi_Minh"', '"+07:00\\n"', '" +07:00"', '"+0٧:00"', "7", "25200", "420",
        "null", "true", "[]", '"+15:00"', '"-99:59"',
    ],
)  # fmt: skip
def test_anything_else_is_no_zone(text: str) -> None:
    with pytest.raises(ValueError, match="is not an offset such as"):
        settings(f'{{"zone": {text}}}')


def test_zone_has_no_default() -> None:
    with pytest.raises(ValueError, match="Field required"):
        settings("{}")


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2025-10-27T20:00:00", EIGHT_IN_THE_EVENING),
        ("2025-10-27T20:00:00.25", EIGHT_IN_THE_EVENING + 250_000),
        ("2025-10-27T20:00:00.123456789", EIGHT_IN_THE_EVENING + 123_456),
        ("2025-10-27T20:00:00+07:00", EIGHT_IN_THE_EVENING),
        ("1970-01-01T07:00:00", 0),
        ("0001-01-01T00:00:00", -62_135_596_800_000_000 - HUE),
    ],
)
def test_local_time_is_read_in_its_zone(text: str, micros: int) -> None:
    assert parse_local(text, HUE) == micros


@pytest.mark.parametrize(
    "text", ["2025-10-27T13:00:00Z", "2025-10-27T20:00:00+08:00", "2025-10-27T20:00:00-07:00"]
)
def test_time_of_another_zone_is_refused(text: str) -> None:
    with pytest.raises(Undecodable, match="another zone"):
        parse_local(text, HUE)


def test_zulu_agrees_with_a_declared_utc() -> None:
    assert parse_local("2025-10-27T13:00:00Z", 0) == EIGHT_IN_THE_EVENING
    assert parse_local("2025-10-27T13:00:00+00:00", 0) == EIGHT_IN_THE_EVENING


@pytest.mark.parametrize(
    "text",
    [
        "", "T", "Z", "20:00:00", "2025-10-27", "2025-10-27T20:00", "2025-10-27 20:00:00",
        "2025-10-27t20:00:00",
        "2025-10-27T24:00:00", "2025-10-27T23:59:60", "2025-02-30T00:00:00", "0000-00-00T00:00:00",
        "2025-10-27T20:00:00\n", "2025-10-27T20:00:00 ", "2025-10-27T20:00:00+07", "٢٠٢٥-10-27T20:00:00",
        "2025-W44-1T20:00:00", "2025-10-27T20:00:00,5", "2025-10-27T20:00:00ZZ", "2025-10-27T20:00:00+07:00Z",
    ],
)  # fmt: skip
def test_local_time_in_another_form_is_undecodable(text: str) -> None:
    with pytest.raises(Undecodable):
        parse_local(text, HUE)


@pytest.mark.parametrize(
    ("text", "pattern", "micros"),
    [
        ("20251027200000", "%Y%m%d%H%M%S", EIGHT_IN_THE_EVENING),
        ("27/10/2025 20:00:00", "%d/%m/%Y %H:%M:%S", EIGHT_IN_THE_EVENING),
        ("2025-10-27 20:00:00.5", "%Y-%m-%d %H:%M:%S.%f", EIGHT_IN_THE_EVENING + 500_000),
        ("2025-10-27 20:00", "%Y-%m-%d %H:%M", EIGHT_IN_THE_EVENING),
        ("27.10.2025 100% 20h", "%d.%m.%Y 100%% %Hh", EIGHT_IN_THE_EVENING),
        ("2025-10-27", "%Y-%m-%d", EIGHT_IN_THE_EVENING - 20 * HOUR),
        ("20:00:00 2025.10.27(+)", "%H:%M:%S %Y.%m.%d(+)", EIGHT_IN_THE_EVENING),
    ],
)
def test_pattern_is_read_exactly(text: str, pattern: str, micros: int) -> None:
    assert parse_format(text, pattern, HUE) == micros


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("2025102720000", "%Y%m%d%H%M%S"),
        ("202510272000000", "%Y%m%d%H%M%S"),
        ("20251027240000", "%Y%m%d%H%M%S"),
        ("20251327200000", "%Y%m%d%H%M%S"),
        ("20250229200000", "%Y%m%d%H%M%S"),
        ("00001027200000", "%Y%m%d%H%M%S"),
        ("20251027200060", "%Y%m%d%H%M%S"),
        ("20251027200000\n", "%Y%m%d%H%M%S"),
        ("2025102720000٠", "%Y%m%d%H%M%S"),
        ("2025.10.27", "%Y-%m-%d"),
        ("2025-1-27", "%Y-%m-%d"),
        ("2025-10-27 20x00", "%Y-%m-%d %H.%M"),
        ("", "%Y-%m-%d"),
    ],
)
def test_text_of_another_form_is_undecodable(text: str, pattern: str) -> None:
    with pytest.raises(Undecodable, match="is not of the form"):
        parse_format(text, pattern, HUE)


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "lacks %Y"),
        ("%Y-%m", "lacks %d"),
        ("%Y-%m-%d %M", "lacks %H"),
        ("%Y-%m-%d %H:%M.%f", "lacks %S"),
        ("%y%m%d", "%y in a time pattern"),
        ("%Y%m%d%z", "%z in a time pattern"),
        ("%Y%m%d%", "% in a time pattern"),
        ("%Y%m%d%d", "a part twice"),
        ("%Y%m%d" + "x" * 60, "at most 64"),
    ],
)
def test_pattern_that_would_need_a_guess_is_refused(pattern: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        settings(f'{{"zone": "Z", "format": "{pattern}"}}')


def test_a_board_whose_clock_is_local_needs_its_zone() -> None:
    address = Address(("tele", "cau-truoi", "SENSOR"), "cau-truoi", "cau-truoi")
    with pytest.raises(ValueError, match="zone: Field required"):
        TASMOTA.decoder({})
    with pytest.raises(ValueError, match="is not an offset such as"):
        TASMOTA.decoder({"zone": "Asia/Ho_Chi_Minh"})
    with pytest.raises(Undecodable, match="no settings"):
        TASMOTA.decode(address, b"{}")


def test_a_local_time_in_a_template_needs_form_and_zone() -> None:
    for time in ("unix", {"format": "%Y%m%d"}, {"zone": "Z"}, {"format": "%y%m%d", "zone": "Z"}):
        with pytest.raises(ValueError, match="time"):
            TELTONIKA.decoder({"time": time})
    TELTONIKA.decoder({"time": {"format": "%Y%m%d%H%M%S", "zone": "+07:00"}})


@given(
    st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)),
    st.integers(-12 * 60, 14 * 60),
)
def test_every_local_time_is_its_instant(local: datetime, minutes: int) -> None:
    instant = (local - datetime(1970, 1, 1)) // timedelta(microseconds=1) - minutes * 60_000_000
    east = minutes * 60_000_000
    assert parse_local(local.isoformat(timespec="microseconds"), east) == instant
    text = f"{local.year:04}{local:%m%d%H%M%S%f}"
    assert parse_format(text, "%Y%m%d%H%M%S%f", east) == instant
    if minutes > -1440 and local.year not in (1, 9999):
        zoned = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
        assert to_micros(zoned) == instant


@given(st.text(), st.integers(-12 * 60, 14 * 60))
def test_no_text_raises_anything_else(text: str, minutes: int) -> None:
    for read in (parse_local, lambda text, zone: parse_format(text, "%Y%m%d%H%M%S", zone)):
        with suppress(Undecodable):
            read(text, minutes * 60_000_000)
