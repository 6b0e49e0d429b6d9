"""`huewatch decode`: what a captured message would become, as a person sees it, and what it refuses."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from ingest.catalog import Catalogue, load_catalogue
from ingest.clock import MICROS_PER_SECOND
from ingest.decode_cli import REMEDIES, decode
from ingest.explain import Explanation, Stored, explain
from ingest.model import Nature, Quality, RawMessage, RejectReason, TimeSource
from ingest.settings import load_settings

NOW = 1_761_570_004 * MICROS_PER_SECOND  # 2025-10-27 13:00:04 UTC
ARRIVED = "2025-10-27T20:00:04+07:00"
TOPIC = "songbox/songbox-12/st-7/up"
CITY = """
stations:
  - id: HUE-FL-MINE
    name: { vi: Cống nhà tôi, en: My culvert }
    kind: street
    location: { lat: 16.4637, lon: 107.5909 }
    datastreams:
      - name: water_level
        property: water_level
        unit: m
        cadence: 5min
        source: { gateway: songbox-12, device: st-7, channel: distance, sentinels: [-999] }
        ranging: { zero_elevation: 3.2, blanking: 0.5, max_range: 10.0 }
        gross_range: { fail: [-0.5, 3.5], suspect: [-0.1, 2.6] }
      - name: rainfall
        property: rainfall
        unit: mm
        cadence: 5min
        source: { gateway: songbox-12, device: st-7, channel: rain }
routes:
  - filter: songbox/+/+/up
    codec: mapped-json
    gateway_level: 2
    device_level: 3
    settings:
      time: { path: ts, format: unix_s, absent: arrival }
      readings:
        - { each: "probes[*]", channel: { path: kind }, value: val, unit: { path: unit } }
      without_readings: { path: type, is: [hello] }
    ignore: [battery]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "mine.yaml").write_text(CITY, encoding="utf-8")
    return tmp_path


@pytest.fixture
def city(folder: Path) -> Catalogue:
    return load_catalogue(folder / "catalog")


def message(*probes: dict[str, object], topic: str = TOPIC, ts: int | None = 1_761_570_000) -> RawMessage:
    payload = {"probes": list(probes), **({} if ts is None else {"ts": ts})}
    return RawMessage(topic, json.dumps(payload).encode(), 1, False, False, NOW, 0, 0)


def probe(kind: str, val: object, unit: str = "mm") -> dict[str, object]:
    return {"kind": kind, "val": val, "unit": unit}


def explained(city: Catalogue, sent: RawMessage) -> Explanation:
    return explain(city, Nature.ACTUAL, sent)


def test_a_reading_says_its_datastream_value_time_and_flag(city: Catalogue) -> None:
    explanation = explained(city, message(probe("distance", 1965)))
    assert (explanation.route, explanation.codec) == ("songbox/+/+/up", "mapped-json")
    assert (explanation.gateway, explanation.device) == ("songbox-12", "st-7")
    at = 1_761_570_000 * MICROS_PER_SECOND
    row = Stored("HUE-FL-MINE/water_level", 1.235, "m", at, TimeSource.DEVICE, Quality.PASS)
    assert [outcome.stored for outcome in explanation.outcomes] == [row]


def test_each_reading_has_its_own_end_in_the_order_of_the_message(city: Catalogue) -> None:
    probes = [
        probe("rain", 0.4, "giọt"),
        probe("distance", 300),
        probe("battery", 3.6, "V"),
        probe("distance", -999),
        probe("wind", 2.0),
        probe("rain", "wet"),
        probe("rain", 0.2),
    ]
    outcomes = explained(city, message(*probes)).outcomes
    assert [outcome.reading.channel for outcome in outcomes] == [one["kind"] for one in probes]
    assert [outcome.why and outcome.why[0] for outcome in outcomes] == [
        RejectReason.UNKNOWN_UNIT,
        None,
        None,
        RejectReason.SENTINEL,
        RejectReason.UNKNOWN_CHANNEL,
        RejectReason.NOT_A_NUMBER,
        None,
    ]
    kept = [outcome.stored for outcome in outcomes]
    assert kept[1] is not None
    assert (kept[1].value, kept[1].quality) == (2.7, Quality.SUSPECT)  # within the blanking zone: at least
    assert kept[2] is None  # a battery that nobody lists
    assert kept[6] is not None


def test_a_message_without_a_time_is_of_its_arrival(city: Catalogue) -> None:
    row = explained(city, message(probe("rain", 0.2), ts=None)).outcomes[0].stored
    assert row is not None
    assert (row.time, row.time_source) == (NOW, TimeSource.ARRIVAL)


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("songbox/songbox-12/st-8/up", RejectReason.UNKNOWN_DEVICE),
        ("songbox/songbox-13/st-7/up", RejectReason.IDENTITY_MISMATCH),
        ("songbox/songbox-12/st 7/up", RejectReason.NO_ROUTE),
        ("elsewhere", RejectReason.NO_ROUTE),
    ],
)
def test_a_topic_that_leads_nowhere_says_why(city: Catalogue, topic: str, reason: RejectReason) -> None:
    explanation = explained(city, message(probe("rain", 0.2), topic=topic))
    assert explanation.why is not None
    assert explanation.why[0] is reason
    assert not explanation.outcomes


def test_a_payload_that_cannot_be_read_says_why(city: Catalogue) -> None:
    explanation = explained(city, message())
    assert explanation.why is not None
    assert explanation.why[0] is RejectReason.UNDECODABLE
    assert "probes" in explanation.why[1] or "val" in explanation.why[1]


def test_a_message_that_is_known_to_carry_nothing_is_named(city: Catalogue) -> None:
    sent = RawMessage(TOPIC, b'{"type": "hello"}', 1, False, False, NOW, 0, 0)
    assert explained(city, sent).empty == "hello"


def test_an_exercise_is_refused_where_all_is_real(city: Catalogue) -> None:
    explanation = explain(city, Nature.EXERCISE, message(probe("rain", 0.2)))
    assert explanation.outcomes[0].why is not None
    assert explanation.outcomes[0].why[0] is RejectReason.NATURE_MISMATCH


def test_earlier_messages_are_read_first_and_not_told_of(city: Catalogue) -> None:
    before = [message(probe("wind", 1.0)), message()]
    explanation = explain(city, Nature.ACTUAL, message(probe("rain", 0.2)), before)
    assert explanation.stored == len(explanation.outcomes) == 1


def test_every_reject_reason_has_a_remedy() -> None:
    assert set(REMEDIES) == set(RejectReason)


# --- as typed


def huewatch(folder: Path, *arguments: str, stdin: bytes | None = None) -> Result:
    app = typer.Typer()

    @app.callback()
    def load(context: typer.Context) -> None:
        context.obj = load_settings({"config_dir": folder}, environ={})

    app.command("decode")(decode)
    return CliRunner().invoke(app, ["decode", *arguments], input=stdin)


def test_a_file_is_shown_and_ends_with_0(folder: Path) -> None:
    file = folder / "message.json"
    file.write_bytes(message(probe("distance", 1965), probe("rain", "[red]\u202e")).payload)
    result = huewatch(folder, "--topic", TOPIC, "--file", str(file), "--received-at", ARRIVED)
    assert result.exit_code == 0, result.output
    assert "HUE-FL-MINE/water_level 1.235 m  2025-10-27 13:00:00.000  device  pass" in result.stdout
    assert "'rain' says '[red]\\u202e'" in result.stdout
    assert "\u202e" not in result.stdout
    assert "Remedy: correct the gateway" in result.stdout
    assert "1 of 2 readings would be stored, 1 quarantined." in result.stdout


def test_stdin_and_nothing_to_store_end_with_1(folder: Path) -> None:
    sent = message(probe("wind", 2.0)).payload
    result = huewatch(folder, "--topic", TOPIC, "--file", "-", "--received-at", ARRIVED, stdin=sent)
    assert result.exit_code == 1
    assert "wind: unknown_channel" in result.stdout


def test_hexadecimal_is_a_payload(folder: Path) -> None:
    sent = message(probe("rain", 0.2)).payload.hex(" ")
    assert huewatch(folder, "--topic", TOPIC, "--hex", sent, "--received-at", ARRIVED).exit_code == 0


def test_a_retained_message_without_a_time_is_refused(folder: Path) -> None:
    sent = message(probe("rain", 0.2), ts=None).payload.hex()
    result = huewatch(folder, "--topic", TOPIC, "--hex", sent, "--retained")
    assert result.exit_code == 1
    assert "retained_without_time" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ((), "Give either --file or --hex."),
        (("--hex", "0x1"), "two digits a byte"),
        (("--file", "/no/such/file"), "Name a file"),
        (("--hex", "00", "--received-at", "2025-10-27 20:00"), "with its offset"),
        (("--hex", "00", "--before", "topic"), "TOPIC=FILE"),
        (("--hex", "00", "--before", f"{TOPIC}=/no/such/file"), "Name a file"),
    ],
)
def test_a_misused_flag_says_how_to_use_it(folder: Path, arguments: tuple[str, ...], remedy: str) -> None:
    result = huewatch(folder, "--topic", TOPIC, *arguments)
    assert result.exit_code == 1
    assert remedy in result.stderr


def test_a_route_that_cannot_be_read_is_refused_with_its_place(folder: Path) -> None:
    file = folder / "catalog" / "mine.yaml"
    file.write_text(CITY.replace("value: val", "value: $.val"), encoding="utf-8")
    result = huewatch(folder, "--topic", TOPIC, "--hex", "00")
    assert result.exit_code == 1
    assert "readings.0.value" in result.stderr
    assert "$.val" in result.stderr
