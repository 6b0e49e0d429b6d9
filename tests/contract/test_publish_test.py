"""`huewatch publish-test`: what it sends is read back as it was meant, and what must not be sent is not.

That a reading reaches the page through the whole service is seen in test_first_steps.py.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from ingest.catalog import Catalogue, load_catalogue
from ingest.embedded import EmbeddedBroker
from ingest.embedded_server import free_port
from ingest.installation import Installation
from ingest.model import Nature, Quality, RawMessage
from ingest.normalise import Normaliser
from ingest.settings import load_settings
from simulators import cli, publish_test
from simulators.broker import Address, connected
from simulators.feed_client import FeedClient
from simulators.publish_test import Refused, Trial, choose, message_of
from tests.support.certificates import Authority
from tests.support.mqtt import Client
from tests.support.parts import need_program

SHIPPED = files("huewatch_config") / "catalog"
NOW = 1_761_523_200_123_456
DAY = 86_400_000_000
KIMLONG = "HUE-WL-KIMLONG"
ODD_STATIONS = """\
stations:
  - id: CM
    name: {vi: Xăng ti mét, en: Centimetres}
    kind: street
    location: {lat: 16.4, lon: 107.5}
    datastreams:
      - name: depth
        property: water_level
        unit: m
        cadence: 5min
        source: {gateway: gw-cm, device: d, channel: depth, unit: cm}
  - id: RADAR
    name: {vi: Ra đa, en: Radar}
    kind: river
    location: {lat: 16.4, lon: 107.5}
    datastreams:
      - name: level
        property: water_level
        unit: m
        cadence: 5min
        source: {gateway: gw-radar, device: d, channel: distance, unit: mm}
        ranging: {zero_elevation: 8.0, blanking: 0.5, max_range: 10.0}
  - id: MOVED
    name: {vi: Dời, en: Moved}
    kind: river
    location: {lat: 16.4, lon: 107.5}
    datastreams:
      - name: level
        property: water_level
        unit: m
        cadence: 5min
        source: {gateway: gw-moved, device: radar, channel: distance, unit: mm}
        ranging: {zero_elevation: 8.0, blanking: 0.5, max_range: 10.0}
        installations:
          - {}
          - valid_from: 2025-10-20T00:00:00+07:00
            device: probe
            channel: depth
            measures: depth
            zero_elevation: -1.0
            blanking: 0
            max_range: 6.0
          - {valid_from: 2025-12-01T00:00:00+07:00, device: planned, zero_elevation: 9.0}
  - id: SOIL
    name: {vi: Đất, en: Soil}
    kind: water
    location: {lat: 16.4, lon: 107.5}
    datastreams:
      - name: moisture
        property: moisture
        unit: "%"
        cadence: 1h
        source: {gateway: app, device: 24e124713c160099, channel: moisture, unit: "%"}
"""


def shipped(nature: Nature) -> Catalogue:
    return load_catalogue(SHIPPED, nature)


def odd(folder: Path) -> Catalogue:
    (folder / "odd.yaml").write_text(ODD_STATIONS, encoding="utf-8")
    routes = (SHIPPED / "routes.yaml").read_text(encoding="utf-8")
    (folder / "routes.yaml").write_text(routes, encoding="utf-8")
    return load_catalogue(folder, Nature.EXERCISE)


def sent(catalogue: Catalogue, station: str, value: float, name: str | None = None):
    """What ingest's own normaliser makes of the message: value, quality, and the rejects."""
    trial = Trial(*choose(catalogue, station, name), value, NOW)
    message, _ = message_of(trial, catalogue)
    ids = {key: number for number, (key, _, _) in enumerate(catalogue.datastreams())}
    nature = trial.station.nature
    raw = RawMessage(message.topic, message.payload, 1, False, False, NOW, 1, 1)
    intake = Normaliser(catalogue, ids, nature).intake([raw], NOW)
    assert intake.rejects == []
    rows = intake.observations
    assert set(rows.time.tolist()) == {NOW}
    (row,) = np.flatnonzero(rows.datastream == ids[trial.key])  # beside it an uplink tells its health
    return rows.value[row], rows.quality[row]


@pytest.mark.parametrize("nature", list(Nature))
@pytest.mark.parametrize(
    ("station", "name", "value"),
    [
        (KIMLONG, "water_level", 1.234),
        (KIMLONG, "water_level", -0.2),
        ("HUE-WL-PHUOC", None, 4.6),  # EM500-UDL
        ("HUE-FL-BATRIEU", None, 0.31),  # LDDS75
        ("HUE-RS-TATRACH", "inflow", 6921.0),
    ],
)
def test_ingest_reads_back_the_value_that_was_meant(
    nature: Nature, station: str, name: str | None, value: float
) -> None:
    read, quality = sent(shipped(nature), station, value, name)
    assert read == pytest.approx(value, abs=1e-9)
    assert quality == Quality.PASS


@pytest.mark.parametrize(("station", "value"), [("CM", 0.25), ("RADAR", 3.125), ("RADAR", 7.5)])
def test_value_survives_a_gateway_that_speaks_another_unit(
    tmp_path: Path, station: str, value: float
) -> None:
    read, _ = sent(odd(tmp_path), station, value)
    assert read == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("time", "device", "said"),
    [
        (
            NOW,
            "probe",
            "a depth of 4.25 m",
        ),  # the one before it is gone, the planned one to come
        (NOW - 30 * DAY, "radar", "a distance of 4.75 m"),
        (NOW + 60 * DAY, "planned", "a distance of 5.75 m"),
    ],
)
def test_a_reading_is_sent_as_the_sensor_says_it_that_stands_there_at_its_time(
    tmp_path: Path, time: int, device: str, said: str
) -> None:
    catalogue = odd(tmp_path)
    message, words = message_of(Trial(*choose(catalogue, "MOVED", None), 3.25, time), catalogue)
    assert (message.topic.split("/")[3], words) == (device, said)
    if time == NOW:
        assert sent(catalogue, "MOVED", 3.25)[0] == pytest.approx(3.25, abs=1e-9)


@pytest.mark.parametrize(("value", "allowed"), [(-1.01, False), (-1.0, True), (4.99, True), (5.0, False)])
def test_a_probe_in_the_water_tells_levels_from_its_own_height_up(
    tmp_path: Path, value: float, allowed: bool
) -> None:
    if allowed:
        assert sent(odd(tmp_path), "MOVED", value)[0] == pytest.approx(value, abs=1e-9)
    else:
        with pytest.raises(Refused, match="from -1 m and below 5 m"):
            sent(odd(tmp_path), "MOVED", value)


def test_a_time_without_a_sensor_is_refused(tmp_path: Path) -> None:
    catalogue = odd(tmp_path)
    station, stream = choose(catalogue, "RADAR", None)
    gone = stream.model_copy(update={"installations": (Installation(valid_until=NOW),)})
    with pytest.raises(Refused, match="no sensor"):
        message_of(Trial(station, gone, 3.0, NOW), catalogue)


@pytest.mark.parametrize(
    ("station", "name", "value", "said"),
    [
        ("NOWHERE", None, 1.0, "no station NOWHERE"),
        (KIMLONG, None, 1.0, "--datastream water_level or rainfall"),
        (KIMLONG, "wind", 1.0, "no datastream wind"),
        ("HUE-FL-VYDA", None, 1.33, "up to 1.32 m"),
        ("HUE-FL-VYDA", None, -5.9, "above -5.9 m"),
        (KIMLONG, "water_level", np.nan, "not a number"),
        (KIMLONG, "water_level", 1e300, "not a number"),
    ],
)
def test_what_no_gateway_could_send_is_refused(
    station: str, name: str | None, value: float, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        sent(shipped(Nature.EXERCISE), station, value, name)


def test_lorawan_device_that_cannot_be_imitated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="moisture"):
        sent(odd(tmp_path), "SOIL", 12.0)


def test_catalogue_without_the_gateways_route_is_refused() -> None:
    catalogue = shipped(Nature.EXERCISE).model_copy(update={"routes": ()})
    with pytest.raises(Refused, match="no route"):
        sent(catalogue, KIMLONG, 1.0, "water_level")


def test_a_level_without_a_zero_is_told_as_not_referenced(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    trial = Trial(*choose(odd(tmp_path), "RADAR", None), 3.0, NOW)
    shown = {"value": 3.0, "quality": 1}
    stream = {"key": trial.key, "name": "level", "newest": shown, "newest_usable": shown}
    stream |= {"comparable": False, "level": None, "freshness": "fresh"}
    station = {"id": "RADAR", "state": "unknown", "datastreams": [stream]}
    monkeypatch.setattr(FeedClient, "station", lambda _, identifier: {"RADAR": station}.get(identifier))
    words = publish_test.page_words(trial, FeedClient("http://127.0.0.1:1"))
    assert words.startswith("3 m, not referenced")
    assert "BĐ I" not in words


class Feed(BaseHTTPRequestHandler):
    """A feed that shows Kim Long and never a new observation."""

    nature = "Exercise"
    sight = "current"

    def do_GET(self) -> None:
        stream = {"key": f"{KIMLONG}/water_level"}
        answers = {
            "/api/v1/status": {"as_of": {"state": self.sight, "reason": "commit_too_old"}},
            f"/api/v1/stations/{KIMLONG}": {"id": KIMLONG, "nature": self.nature, "datastreams": [stream]},
        }
        body = json.dumps(answers.get(self.path, {"observations": []})).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def feed_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Feed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def ingest(broker: EmbeddedBroker) -> Iterator[Client]:
    """Stands for `run`: it has subscribed, and does nothing with what comes."""
    with Client.login(broker, "ingest", "test-ingest") as client:
        client.subscribe("hue/v1/#")
        yield client


def huewatch(*words: str, **settings: object) -> Result:
    app = typer.Typer()

    @app.callback()
    def load(context: typer.Context) -> None:
        context.obj = load_settings(settings, environ={})

    cli.register(app)
    return CliRunner().invoke(app, words)


def publish(
    broker: EmbeddedBroker, feed: str, *words: str, nature: Nature | None = Nature.EXERCISE
) -> Result:
    folder = broker.folder.parent
    named = ("publish-test", KIMLONG, "1.5", "--datastream", "water_level", "--feed", feed, *words)
    return huewatch(*named, embedded=folder, nature=nature)


def test_actual_reading_is_refused_before_anything_is_sent(broker, ingest, feed_url):
    result = publish(broker, feed_url, nature=None)
    assert result.exit_code == 2
    assert "--really-measured" in result.output
    assert ingest.settle() == []


def test_actual_reading_that_was_measured_is_sent_as_actual(broker, ingest, feed_url, monkeypatch):
    monkeypatch.setattr(Feed, "nature", "Actual")
    monkeypatch.setattr(publish_test, "SEEN_SECONDS", 0.2)
    publish(broker, feed_url, "--really-measured", nature=None)
    (packet,) = ingest.settle()
    assert json.loads(packet.payload)["status"] == "Actual"


def test_reading_of_another_nature_than_the_feed_shows_is_not_sent(broker, ingest, feed_url, monkeypatch):
    monkeypatch.setattr(Feed, "nature", "Actual")
    result = publish(broker, feed_url)
    assert result.exit_code == 2
    assert "--nature Actual" in result.output
    assert ingest.settle() == []


def test_nothing_is_sent_while_the_feed_sees_nothing(broker, ingest, feed_url, monkeypatch):
    monkeypatch.setattr(Feed, "sight", "unknown")
    result = publish(broker, feed_url)
    assert result.exit_code == 2
    assert "commit_too_old" in result.output
    assert ingest.settle() == []


def test_nothing_is_sent_without_a_feed(broker, ingest):
    result = publish(broker, f"http://127.0.0.1:{free_port()}")
    assert result.exit_code == 2
    assert "start `feed`" in result.output
    assert ingest.settle() == []


def test_reading_that_never_shows_ends_with_1_and_says_what_to_look_at(broker, ingest, feed_url, monkeypatch):
    monkeypatch.setattr(publish_test, "SEEN_SECONDS", 0.2)
    result = publish(broker, feed_url)
    assert result.exit_code == 1
    assert "✓" in result.output
    assert "PUBACK" in result.output
    assert f"huewatch --embedded {broker.folder.parent} quarantine list --since 5min" in result.output


def test_reading_that_nobody_subscribes_to_says_so(broker, feed_url):
    result = publish(broker, feed_url)
    assert result.exit_code == 1
    assert "nobody subscribes" in result.output


def test_broker_that_is_not_there_is_named(feed_url):
    port = free_port()
    words = ("--broker-port", str(port), "--datastream", "water_level", "--feed", feed_url)
    result = huewatch("publish-test", KIMLONG, "1.5", *words, nature=Nature.EXERCISE)
    assert result.exit_code == 2
    assert f"127.0.0.1:{port}" in result.output


def test_level_below_zero_is_a_value_and_not_an_option(broker, feed_url):
    words = ("--datastream", "water_level", "--feed", feed_url)
    result = huewatch(
        "publish-test", KIMLONG, "-0.5", *words, embedded=broker.folder.parent, nature=Nature.EXERCISE
    )
    assert "-0.5 m" in result.output


def test_embedded_folder_without_a_broker_says_how_to_start_one(tmp_path):
    result = huewatch("publish-test", "HUE-FL-DAPDA", "0.2", embedded=tmp_path, nature=Nature.EXERCISE)
    assert result.exit_code == 2
    assert f"huewatch --embedded {tmp_path} run" in result.output


def test_embedded_broker_and_a_named_one_are_refused_together(tmp_path):
    words = ("publish-test", "HUE-FL-DAPDA", "0.2", "--broker-host", "broker.example")
    result = huewatch(*words, embedded=tmp_path, nature=Nature.EXERCISE)
    assert result.exit_code == 2
    assert "HUEWATCH_BROKER_HOST" in result.output


def test_broken_catalogue_is_named_by_file_and_line(tmp_path):
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "city.yaml").write_text("stations:\n  - id: A B\n")
    result = huewatch("publish-test", "A", "0.2", config_dir=tmp_path, nature=Nature.EXERCISE)
    assert result.exit_code == 2
    assert "city.yaml:2" in result.output


def test_gateways_own_certificate_opens_the_gateways_door(server_folder, tmp_path):
    need_program("mosquitto", "mosquitto")
    need_program("openssl", "openssl")
    authority = Authority(tmp_path / "authority")
    authority.gateway("gw-kimlong")
    keys = authority.folder / "gateways"
    with tempfile.TemporaryDirectory(dir=server_folder, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        with EmbeddedBroker(Path(name) / "mosquitto", certificates=authority.folder) as broker:
            assert broker.gateways_port is not None
            tls = cli.tls_context(
                authority.folder / "ca.crt", keys / "gw-kimlong.crt", keys / "gw-kimlong.key"
            )
            with (
                Client.login(broker, "ingest") as ingest,
                connected(Address("localhost", broker.gateways_port, tls=tls), "test") as gateway,
            ):
                ingest.subscribe("hue/v1/#")
                gateway.publish("hue/v1/gw-kimlong/radar-1/readings", b"{}")
                gateway.settle(10)
                assert [packet.payload for packet in ingest.settle()] == [b"{}"]
                assert gateway.unheard == 0
