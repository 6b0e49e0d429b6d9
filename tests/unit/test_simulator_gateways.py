"""Payloads as the vendors' documents print them, byte for byte, and every one marked as an exercise."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from importlib.resources import files

import pytest

from ingest.catalog import Catalogue, Datastream, load_catalogue
from ingest.model import Nature
from simulators.gateways import Message, Sample, Topics, distance_mm, encode
from simulators.scenario import SeriesSpec, load_scenario

CATALOGUE: Catalogue = load_catalogue(files("huewatch_config") / "catalog", Nature.EXERCISE)
TOPICS = Topics(CATALOGUE)
DATASTREAMS = {key: datastream for key, _, datastream in CATALOGUE.datastreams()}
AT: int = load_scenario().start + 300_000_000


def datastream(key: str) -> Datastream:
    return DATASTREAMS[key]


def sample(key: str, value: float, time: int = AT, invalid: bool = False, **spec: object) -> Sample:
    return Sample(SeriesSpec(datastream=key, curve="any", **spec), datastream(key), time, value, invalid)


def body(message: Message) -> dict[str, object]:
    return json.loads(message.payload)


def data(message: Message) -> str:
    return base64.b64decode(str(body(message)["data"])).hex()


def test_em500_udl_frame_is_battery_then_distance_little_endian():
    (message,) = encode([sample("HUE-WL-PHUOC/water_level", 5.25, device="em500-udl")], TOPICS, 7)
    assert data(message) == "01755c" + "0382" + "be0a"  # 92 %, 8.00 m - 5.25 m = 2750 mm = 0x0abe
    assert body(message)["fPort"] == 85
    assert body(message)["fCnt"] == 7
    assert "object" not in body(message)


def test_ldds75_frame_is_battery_then_distance_big_endian():
    (message,) = encode([sample("HUE-FL-BATRIEU/water_level", 1.992, device="ldds75")], TOPICS, 1)
    # Vendor's example: 3173 mV and 1208 mm; 3.20 m - 1.992 m = 1208 mm.
    assert body(message)["data"] == "DGUEuAA="
    assert body(message)["fPort"] == 2


def test_ldds75_decoded_by_the_server_writes_its_units_as_words():
    spec = {"device": "ldds75", "server_decodes": True}
    (message,) = encode([sample("HUE-FL-BATRIEU/water_level", 1.992, **spec)], TOPICS, 1)
    assert body(message)["object"] == {"Node_type": "LDDS75", "Bat": "3.173 V", "Distance": "1208 mm"}


def test_ldds75_that_cannot_measure_says_so_and_counts_as_refused():
    spec = {"device": "ldds75", "server_decodes": True}
    (message,) = encode([sample("HUE-FL-VYDA/water_level", 1.32, invalid=True, **spec)], TOPICS, 1)
    assert body(message)["object"]["Distance"] == "Invalid Reading"  # type: ignore[index]
    assert int(data(message)[4:8], 16) < 20
    assert message.refused == 1


@pytest.mark.parametrize(
    "listed", [(), ("battery",), ("battery", "rssi", "snr", "gateways", "f_cnt", "tilt")]
)
def test_an_uplink_counts_the_readings_that_the_catalogue_lists(listed):
    station = CATALOGUE.station("HUE-FL-VYDA")
    level = next(stream for stream in station.datastreams if stream.name == "water_level")
    source = level.source
    streams = [
        level.model_copy(update={"name": name, "source": source.model_copy(update={"channel": name})})
        for name in listed
    ]
    station = station.model_copy(update={"datastreams": (level, *streams), "derived": ()})
    topics = Topics(CATALOGUE.model_copy(update={"stations": (station,)}))
    (message,) = encode([sample("HUE-FL-VYDA/water_level", 0.5, device="ldds75")], topics, 1)
    assert message.readings == 1 + len([name for name in listed if name != "tilt"])


def test_two_gateways_hear_an_uplink_and_its_frame_counts_what_the_device_sent():
    told = replace(sample("HUE-FL-VYDA/water_level", 0.5, device="ldds75"), frame=412)
    (message,) = encode([told], TOPICS, 3)
    heard = body(message)["rxInfo"]
    assert len({each["gatewayId"] for each in heard}) == 2  # type: ignore[attr-defined]
    assert body(message)["fCnt"] == 412


@pytest.mark.parametrize(("level", "expected"), [(1.0, 600), (1.32, 280), (1.9, 280), (-9.0, 7500)])
def test_distance_is_never_below_the_blanking_nor_beyond_the_range(level, expected):
    assert distance_mm(sample("HUE-FL-VYDA/water_level", level)) == expected


def test_topics_carry_the_identities_of_the_catalogue():
    (json_message,) = encode([sample("HUE-WL-KIMLONG/water_level", 1.0)], TOPICS, 1)
    assert json_message.topic == "hue/v1/gw-kimlong/radar-1/readings"
    (uplink,) = encode([sample("HUE-WL-PHUOC/water_level", 1.0, device="em500-udl")], TOPICS, 1)
    source = datastream("HUE-WL-PHUOC/water_level").source
    assert uplink.topic == f"application/{source.gateway}/device/{source.device}/event/up"
    info = body(uplink)["deviceInfo"]
    assert (info["applicationId"], info["devEui"]) == (source.gateway, source.device)  # type: ignore[index]


def test_json_of_one_time_says_the_time_once_and_rounds_to_the_resolution():
    (message,) = encode([sample("HUE-RN-HUE/rainfall", 0.6000001, resolution=0.2)], TOPICS, 1)
    assert body(message) == {
        "status": "Exercise",
        "time": "2025-10-25T12:05:00+00:00",
        "readings": [{"channel": "rainfall", "value": 0.6, "unit": "mm"}],
    }


def test_json_batch_gives_each_reading_its_own_time():
    late = [sample("HUE-RN-HUE/rainfall", 0.2, AT + offset * 600_000_000) for offset in range(3)]
    (message,) = encode(late, TOPICS, 1)
    times = [reading["time"] for reading in body(message)["readings"]]  # type: ignore[attr-defined]
    assert times == [f"2025-10-25T12:{minute}:00+00:00" for minute in ("05", "15", "25")]
    assert message.readings == 3


@pytest.mark.parametrize("device", ["json", "em500-udl", "ldds75"])
def test_every_payload_says_that_it_is_an_exercise(device):
    key = "HUE-WL-KIMLONG/water_level" if device == "json" else "HUE-FL-VYDA/water_level"
    (message,) = encode([sample(key, 0.5, device=device)], TOPICS, 1)
    said = body(message)
    status = said["status"] if device == "json" else said["deviceInfo"]["tags"]["status"]  # type: ignore[index]
    assert status == "Exercise"


def test_uplink_repeated_through_another_gateway_keeps_its_deduplication_id():
    one, again = (encode([sample("HUE-FL-VYDA/water_level", 0.5, device="ldds75")], TOPICS, 3) for _ in "ab")
    other = encode([sample("HUE-FL-VYDA/water_level", 0.5, AT + 1, device="ldds75")], TOPICS, 3)
    assert one == again
    assert body(one[0])["deduplicationId"] != body(other[0])["deduplicationId"]
