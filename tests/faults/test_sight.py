"""What the feed says while we cannot see, and what it tells once we can see again."""

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.embedded import EmbeddedBroker, EmbeddedPostgres, free_port
from tests.faults.harness import ROUTES, Service, connected, wait_stored

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

STATION = """\
stations:
  - id: KIMLONG
    name: {vi: Kim Long, en: Kim Long}
    kind: river
    river: {vi: sông Hương, en: Hương river}
    location: {lat: 16.4536, lon: 107.5633}
    datastreams:
      - name: water_level
        property: water_level
        unit: m
        cadence: 5min
        source: {gateway: load, device: kimlong, channel: level}
        levels: [{name: BĐ I, value: 1.0}, {name: BĐ II, value: 2.0}, {name: BĐ III, value: 3.5}]
"""
RULE = """\
rules:
  - id: river-level
    kind: threshold
    title: {vi: Mực nước, en: Level}
    select: {property: water_level}
    levels: catalogue
    confirm: {samples: 2}
    clear: {below: 0.1, hold: 30min}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    (folder / "catalog").mkdir(parents=True)
    (folder / "rules").mkdir()
    (folder / "catalog" / "stations.yaml").write_text(STATION)
    (folder / "catalog" / "routes.yaml").write_text(ROUTES)
    (folder / "rules" / "rules.yaml").write_text(RULE)
    return folder


@pytest.fixture
def feed(
    tmp_path: Path, config: Path, broker: EmbeddedBroker, own_postgres: EmbeddedPostgres, service: Service
) -> Iterator[Service]:
    """`huewatch feed` beside `huewatch run`, both started."""
    (tmp_path / "feed").mkdir()
    feed = Service(
        tmp_path / "feed",
        config,
        broker,
        own_postgres.url,
        HUEWATCH_BROKER_USERNAME="feed",
        HUEWATCH_BROKER_PASSWORD=broker.accounts["feed"],
        HUEWATCH_FEED_PORT=str(free_port()),
    )
    service.start().wait_ready()
    feed.start("feed").wait_ready()
    yield feed
    if feed.running:
        feed.kill()


def _publish(broker: EmbeddedBroker, readings: list[tuple[datetime, float]]) -> None:
    client = connected(broker, "simulator")
    for at, value in readings:
        payload = {"channel": "level", "value": value, "unit": "m", "time": at.isoformat()}
        client.publish("hue/v1/load/kimlong/readings", json.dumps(payload), qos=1).wait_for_publish(10)
    client.disconnect()


def _get(feed: Service, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{feed.feed_port}{path}", timeout=5) as answer:
        return json.load(answer)


def test_a_level_crossed_while_the_database_was_down_is_told_once_with_its_age(
    service: Service, feed: Service, broker: EmbeddedBroker, own_postgres: EmbeddedPostgres
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    before = [(now - timedelta(minutes=m), 3.1) for m in range(90, 45, -5)]
    _publish(broker, before)
    wait_stored(own_postgres.url, len(before), 20)
    told: list[dict[str, Any]] = []
    arrived = threading.Event()
    listener = connected(broker, "ioc")
    listener.on_message = lambda _client, _data, message: (
        told.append(json.loads(message.payload)),
        arrived.set(),
    )
    listener.subscribe("ioc/alerts/events", qos=1)

    own_postgres.stop()
    during = [(now - timedelta(minutes=m), 3.2 + 0.08 * (45 - m) / 5) for m in range(45, -1, -5)]
    _publish(broker, during)
    time.sleep(3)
    own_postgres.start()
    returned = time.monotonic()
    while not any(event["level"] == 3 for event in told):
        arrived.wait(6)
        arrived.clear()
        assert time.monotonic() - returned < 6, f"not told: {told}"
    print(f"told {time.monotonic() - returned:.2f} s after the database returned")
    assert time.monotonic() - returned < 5

    wait_stored(own_postgres.url, len(before) + len(during), 20)
    time.sleep(3)  # whatever would be told a second time has been told by now
    listener.disconnect()
    third = [event for event in told if event["level"] == 3]
    assert len(third) == 1
    assert third[0]["kind"] == "escalated"
    told_events = _get(feed, "/api/v1/events?after=0")["items"]
    assert sum(event["level"] == 3 for event in told_events) == 1
    age = _micros(told_events[-1]["detected_at"]) - _micros(told_events[-1]["event_time"])
    assert age > 10 * 60 * 1_000_000, "the event does not carry its age"


def test_every_feed_reads_unknown_within_a_minute_of_a_kill(
    service: Service, feed: Service, broker: EmbeddedBroker, own_postgres: EmbeddedPostgres
) -> None:
    now = datetime.now(UTC)
    _publish(broker, [(now - timedelta(minutes=5), 0.4), (now, 0.4)])
    wait_stored(own_postgres.url, 2, 20)
    assert _get(feed, "/api/v1/status")["as_of"]["state"] == "current"
    statuses: list[dict[str, Any]] = []
    listener = connected(broker, "ioc")
    listener.on_message = lambda _client, _data, message: statuses.append(json.loads(message.payload))
    listener.subscribe("ioc/alerts/status", qos=1)
    service.kill()
    killed = time.monotonic()
    while _get(feed, "/api/v1/status")["as_of"]["state"] != "unknown" or (
        not statuses or statuses[-1]["as_of"]["state"] != "unknown"
    ):
        assert time.monotonic() - killed < 60, "a feed still claims to know"
        time.sleep(0.5)
    listener.disconnect()
    stations = _get(feed, "/api/v1/stations")["items"]
    assert [station["state"] for station in stations] == ["unknown"]


def _micros(value: str | int) -> int:
    if isinstance(value, int):
        return value
    return int(datetime.fromisoformat(value).timestamp() * 1_000_000)
