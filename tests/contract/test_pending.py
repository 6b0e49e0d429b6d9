"""Devices that nobody has put into the catalogue, and sensors against a staff gauge, as people type it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from ingest.catalog import load_catalogue
from ingest.cli import register
from ingest.clock import system_clock, to_datetime
from ingest.model import Nature, Quality, RawMessage
from ingest.normalise import Normaliser
from ingest.pending import MOST_CHANNELS
from ingest.settings import load_settings
from ingest.store import connect
from ingest.store import datastreams as store_datastreams
from ingest.store.migrate import INGEST, migrate
from tests.support.databases import Database
from tests.support.store import claimed, commit

SECOND, MINUTE = 1_000_000, 60_000_000
APPLICATION, DEV_EUI = "5d1f0a52-8c37-4b19-b7e6-2f64c9e0d802", "24e124713c16abcd"
CITY = """\
routes:
  - { filter: hue/v1/+/+/readings, codec: huewatch-json, gateway_level: 3, device_level: 4 }
  - { filter: application/+/device/+/event/+, codec: chirpstack-v4, gateway_level: 2, device_level: 4 }
stations:
  - id: ST
    name: { vi: Trạm, en: Station }
    kind: river
    location: { lat: 16.4, lon: 107.5 }
    datastreams:
      - name: water_level
        property: water_level
        unit: m
        cadence: 5min
        source: { gateway: gw, device: udl, channel: distance, unit: mm }
        ranging: { zero_elevation: 8.0, blanking: 0.5, max_range: 10.0 }
      - name: rainfall
        property: rainfall
        unit: mm
        cadence: 10min
        source: { gateway: gw, device: rain, channel: rain }
"""


def huewatch(*arguments: str, **settings: object) -> Result:
    app = typer.Typer()

    @app.callback()
    def load(context: typer.Context) -> None:
        context.obj = load_settings(settings, environ={})

    register(app, [INGEST])
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "400"})


class City:
    """A configuration folder of one station, and a database that has heard what is said to it."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database = folder, database
        (folder / "catalog").mkdir(parents=True)
        (folder / "catalog" / "city.yaml").write_text(CITY, encoding="utf-8")
        with connect(database.url, application_name="test") as connection:
            migrate(connection, [INGEST], Nature.ACTUAL)
        self.writer = claimed(database.url)

    def hear(self, *messages: RawMessage) -> None:
        catalogue = load_catalogue(self.folder / "catalog")
        keys = [key for key, _, _ in catalogue.datastreams()]
        with connect(self.database.url, application_name="test") as connection:
            ids = store_datastreams.register(connection, keys, Nature.ACTUAL)
        now = system_clock().now()
        commit(self.writer, Normaliser(catalogue, ids, Nature.ACTUAL).intake(messages, now), now=now)

    def type(self, *words: str) -> Result:
        return huewatch(*words, config_dir=self.folder, database_url=self.database.url)


@pytest.fixture
def city(tmp_path: Path, plain_database: Database) -> Iterator[City]:
    city = City(tmp_path / "city", plain_database)
    yield city
    city.writer.close()


def said(topic: str, body: object, ago: int = 0) -> RawMessage:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RawMessage(topic, payload, 1, False, False, system_clock().now() - ago, 1, 1)


def ours(
    device: str, *readings: tuple[str, object, str | None], ago: int = 0, gateway: str = "gw"
) -> RawMessage:
    listed = [
        {"channel": channel, "value": value} | ({"unit": unit} if unit else {})
        for channel, value, unit in readings
    ]
    return said(f"hue/v1/{gateway}/{device}/readings", {"readings": listed}, ago)


def uplink(data: str = "01756403821E00", event: str = "up", ago: int = 0) -> RawMessage:
    body = {
        "time": "2025-10-27T13:00:00+00:00",
        "deviceInfo": {"devEui": DEV_EUI, "deviceProfileName": "EM500-UDL"},
        "fPort": 85,
        "data": base64.b64encode(bytes.fromhex(data)).decode(),
    }
    return said(f"application/{APPLICATION}/device/{DEV_EUI}/event/{event}", body, ago)


# -- station pending


def test_an_unknown_device_is_listed_with_what_it_says(city: City) -> None:
    city.hear(ours("new-1", ("water_level", 1.25, "m"), ("battery", 80, "%"), ago=MINUTE), uplink())
    city.hear(ours("new-1", ("water_level", 1.30, "m"), ("battery", 79, "%")))
    result = city.type("station", "pending")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if "new-1" in line or DEV_EUI in line]
    assert len(lines) == 2
    assert "water_level 1.3 m, battery 79 %" in result.stdout
    assert "distance 30 mm" in result.stdout
    assert "2 devices." in result.stdout
    assert f"huewatch --config {city.folder} station adopt" in result.stdout


def test_the_newest_message_with_readings_speaks_for_a_device(city: City) -> None:
    city.hear(uplink(ago=2 * MINUTE), uplink(event="join", ago=MINUTE), uplink(event="join"))
    assert "distance 30 mm" in city.type("station", "pending").stdout


def test_a_device_that_cannot_be_read_is_listed_with_the_reason(city: City) -> None:
    city.hear(said("hue/v1/gw/broken/readings", b"\xff\x00"), said("hue/v1/gw/long/readings", b"[" * 9_000))
    shown = city.type("station", "pending").stdout
    assert "undecodable" in shown
    assert "only the first 8192 of 9000 bytes were kept" in shown


def test_hostile_devices_are_bounded_and_cannot_act_on_a_terminal(city: City) -> None:
    many = [(f"c{number}", number, None) for number in range(200)]
    city.hear(ours("many", *many), ours("odd", ("\x1b[31m[bold]\u202e", 1.0, "\x1b]0;x\x07")))
    city.hear(*(ours(f"x{number}", ("c", 1, None)) for number in range(120)))
    shown = city.type("station", "pending", "--limit", "500").stdout
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}
    assert f"and {MOST_CHANNELS - 12} more" in shown
    assert "122 devices, 72 not shown" in city.type("station", "pending").stdout


# -- station adopt


def test_a_device_becomes_a_new_station_whose_readings_are_then_stored(city: City) -> None:
    city.hear(uplink("01756403824C09"))
    flags = ("--station", "NEW", "--kind", "street", "--sensor", "em500-udl", "--zero-elevation", "4.2")
    result = city.type("station", "adopt", APPLICATION, DEV_EUI, *flags)
    assert result.exit_code == 0, result.output
    assert "quarantine replay --reason unknown_device" in result.stdout
    station = load_catalogue(city.folder / "catalog").station("NEW")
    (stream,) = station.datastreams
    assert (stream.property, stream.unit, stream.source.device) == ("water_level", "m", DEV_EUI)
    assert stream.ranging is not None
    assert (stream.ranging.zero_elevation, stream.ranging.blanking) == (4.2, 0.5)
    city.hear(uplink("01756403824C09", ago=SECOND))
    shown = city.type("station", "pending").stdout
    assert "0 devices." in shown  # it is known now


def test_every_channel_that_measures_something_is_adopted(city: City) -> None:
    city.hear(ours("air", ("pm2_5", 12.0, "ug/m3"), ("no2", 11.0, "ppb"), ("pm 10", 20.0, None)))
    result = city.type("station", "adopt", "gw", "air", "--station", "AIR", "--kind", "air")
    assert result.exit_code == 1
    assert "Give --unit pm 10=UNIT" in result.stderr
    result = city.type(
        "station", "adopt", "gw", "air", "--station", "AIR", "--kind", "air", "--unit", "pm 10=ug/m3"
    )
    assert result.exit_code == 0, result.output
    streams = load_catalogue(city.folder / "catalog").station("AIR").datastreams
    assert [(one.name, one.unit, one.source.channel) for one in streams] == [
        ("pm2_5", "ug/m3", "pm2_5"), ("no2", "ppb", "no2"), ("pm_10", "ug/m3", "pm 10"),
    ]  # fmt: skip


def test_at_an_existing_station_it_is_printed_and_no_file_is_touched(city: City) -> None:
    city.hear(ours("extra", ("turbidity", 12.0, "NTU")))
    before = {path: path.read_bytes() for path in city.folder.rglob("*") if path.is_file()}
    result = city.type("station", "adopt", "gw", "extra", "--station", "ST", "--cadence", "15min")
    assert result.exit_code == 0, result.output
    assert "Paste this under `datastreams` of ST" in result.stdout
    assert before == {path: path.read_bytes() for path in city.folder.rglob("*") if path.is_file()}
    pasted = result.stdout.split("\n\n")[1]
    (city.folder / "catalog" / "city.yaml").write_text(CITY + pasted, encoding="utf-8")
    stream = load_catalogue(city.folder / "catalog").station("ST").datastreams[-1]
    assert (stream.name, stream.unit, stream.cadence) == ("turbidity", "NTU", 900)


def test_a_sensor_takes_anothers_place_from_a_time_on(city: City) -> None:
    city.hear(uplink())
    flags = ("--sensor", "em500-udl", "--zero-elevation", "7.9", "--replaces", "water_level")
    result = city.type(
        "station",
        "adopt",
        APPLICATION,
        DEV_EUI,
        "--station",
        "ST",
        *flags,
        "--from",
        "2025-10-01T09:00+07:00",
    )
    assert result.exit_code == 0, result.output
    pasted = result.stdout.split("\n\n")[1]
    text = CITY.replace("max_range: 10.0 }\n", "max_range: 10.0 }\n" + pasted + "\n")
    (city.folder / "catalog" / "city.yaml").write_text(text, encoding="utf-8")
    old, new = load_catalogue(city.folder / "catalog").station("ST").datastreams[0].history()
    assert (old.source.device, new.source.device) == ("udl", DEV_EUI)
    assert new.ranging is not None
    assert new.ranging.zero_elevation == 7.9
    assert not new.surveyed
    assert yaml.safe_load(pasted)["installations"][1]["valid_from"] == "2025-10-01T09:00+07:00"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gw", "nobody", "--station", "X"), "gw / nobody is not pending"),
        (("gw", "new", "--station", "ST"), "has a datastream water_level already"),
        (("gw", "new", "--station", "X", "--channel", "pressure"), "'pressure' is not among its channels"),
        (("gw", "new", "--station", "X", "--unit", "pm10"), "'pm10' is not CHANNEL=UNIT"),
        (("gw", "new", "--station", "X", "--replaces", "water_level"), "There is no station X yet"),
        (("gw", "new", "--station", "ST", "--replaces", "depth"), "takes the place of one datastream"),
        (("gw", "new", "--station", "ST", "--from", "2025-10-01"), "when a sensor took another's place"),
        (("gw", "new", "--station", "../X", "--kind", "river"), "cannot be an id"),
        (("gw", "far", "--station", "X"), "A sensor of distance needs it"),
    ],
)
def test_what_cannot_be_adopted_is_refused_with_a_remedy(
    city: City, words: tuple[str, ...], message: str
) -> None:
    city.hear(ours("new", ("water_level", 1.0, "m")), ours("far", ("distance", 3.0, "m")))
    result = city.type("station", "adopt", *words)
    assert result.exit_code == 1, result.output
    assert message in result.stderr
    assert "Remedy" in result.stderr
    assert [path.name for path in (city.folder / "catalog").iterdir()] == ["city.yaml"]


# -- station check


def check(city: City, *words: str) -> Result:
    return city.type("station", "check", "ST", *words)


def test_the_staff_beside_a_sensor_gives_the_zero_to_write(city: City) -> None:
    city.hear(ours("udl", ("distance", 7380, "mm"), ago=3 * MINUTE))
    result = check(city, "--staff", "0.65")
    assert result.exit_code == 0, result.output
    assert "distance  7.380 m" in result.stdout
    assert "level     0.620 m, 3 min old" in result.stdout
    assert "error     -0.030 m: the sensor's level is 0.030 too low" in result.stdout
    assert "zero      8.000 m; 8.030 m would agree with the staff" in result.stdout
    assert "zero_elevation: 8.030" in result.stdout
    result = check(city, "--staff", "-0.08", "--staff-zero", "0.70")
    assert "zero      8.000 m; 8.000 m would agree" in result.stdout
    assert "This is much" in check(city, "--staff", "5").stdout


@pytest.mark.parametrize(
    ("distance", "ago", "message"),
    [
        (7380, 16 * MINUTE, "its newest reading is 16 min old"),
        (400, 0, "the sensor is saturated: it only says that the level is at least 7.5 m"),
        (10_000, 0, "failed its quality tests"),
    ],
)
def test_a_reading_that_says_nothing_of_now_is_refused(
    city: City, distance: int, ago: int, message: str
) -> None:
    city.hear(ours("udl", ("distance", distance, "mm"), ago=ago))
    result = check(city, "--staff", "0.62")
    assert result.exit_code == 1
    assert message in result.stderr


def test_a_check_names_what_can_be_checked(city: City) -> None:
    assert "nothing has been received" in check(city, "--staff", "0.62").stderr
    assert "has no such levels" in check(city, "--staff", "0.62", "--datastream", "depth").stderr
    assert "Write `ST` instead" in city.type("station", "check", "SST", "--staff", "1").stderr
    assert "not a finite number" in check(city, "--staff", "nan").stderr


def test_a_level_that_comes_ready_is_mended_at_the_device(city: City) -> None:
    city.hear(ours("rain", ("rain", 2.0, "mm")))
    result = check(city, "--staff", "1.5", "--datastream", "rainfall")
    assert result.exit_code == 0, result.output
    assert "set the zero there" in result.stdout
    assert Quality.NOT_EVALUATED.name.lower() in result.stdout


def test_the_reading_of_an_earlier_installation_is_refused(city: City) -> None:
    city.hear(ours("udl", ("distance", 7380, "mm"), ago=5 * MINUTE))
    started = system_clock().now() - 2 * MINUTE
    entry = f"        installations: [{{}}, {{ valid_from: {iso(started)}, zero_elevation: 7.9 }}]\n"
    text = CITY.replace("max_range: 10.0 }\n", "max_range: 10.0 }\n" + entry)
    (city.folder / "catalog" / "city.yaml").write_text(text, encoding="utf-8")
    assert "is of an earlier installation" in check(city, "--staff", "0.62").stderr


def iso(time: int) -> str:
    return f'"{to_datetime(time):%Y-%m-%dT%H:%M:%SZ}"'
