"""What the feeds say while we cannot see, and what they tell once we can see again."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.embedded import EmbeddedBroker, EmbeddedPostgres
from ingest.embedded_server import free_port
from tests.faults.oracle import wait_stored
from tests.faults.service import Service, connected, write_files

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
TOLD_SECONDS = 5
UNKNOWN_SECONDS = 60
OLD_SECONDS = 10 * 60

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
    severities: {BĐ I: Minor, BĐ II: Moderate, BĐ III: Severe}
    confirm: {samples: 2}
    clear: {below: 0.1, hold: 30min}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_files(tmp_path / "config", STATION, RULE)


@pytest.fixture
def feed(
    tmp_path: Path, config: Path, broker: EmbeddedBroker, database_url: str, service: Service
) -> Iterator[Service]:
    """`huewatch feed` beside `huewatch run`, both started."""
    (tmp_path / "feed").mkdir()
    feed = Service(
        tmp_path / "feed",
        config,
        broker,
        database_url,
        HUEWATCH_BROKER_USERNAME="feed",
        HUEWATCH_BROKER_PASSWORD=broker.accounts["feed"],
        HUEWATCH_FEED_PORT=str(free_port()),
    )
    service.start().wait_ready()
    feed.start("feed").wait_ready()
    yield feed
    if feed.running:
        feed.kill()


class Heard:
    """What the IOC's account hears on one topic, parsed."""

    def __init__(self, broker: EmbeddedBroker, topic: str) -> None:
        self.messages: list[dict[str, Any]] = []
        self.retained: list[bool] = []
        self._arrived = threading.Event()
        self._client = connected(broker, "ioc")
        self._client.on_message = self._take
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.subscribe(topic, qos=1)
        assert subscribed.wait(10)

    def _take(self, _client: object, _data: object, message: Any) -> None:
        self.messages.append(json.loads(message.payload))
        self.retained.append(message.retain)
        self._arrived.set()

    def wait(self, seconds: float) -> None:
        """Until something more arrives, or the time is over."""
        self._arrived.wait(seconds)
        self._arrived.clear()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Stream:
    """The live stream of the feed: the state in its newest `status` event."""

    def __init__(self, feed: Service) -> None:
        self.states: list[str] = []
        self._answer = urllib.request.urlopen(feed.request("/api/v1/events/stream"), timeout=30)
        threading.Thread(target=self._read, name="stream", daemon=True).start()

    def _read(self) -> None:
        event = b""
        for line in self._answer:
            name, _, value = line.strip().partition(b": ")
            if name == b"event":
                event = value
            elif name == b"data" and event == b"status":
                self.states.append(json.loads(value)["as_of"]["state"])


def publish(broker: EmbeddedBroker, readings: list[tuple[datetime, float]]) -> None:
    client = connected(broker, "simulator")
    for at, value in readings:
        payload = {"channel": "level", "value": value, "unit": "m", "time": at.isoformat()}
        client.publish("hue/v1/load/kimlong/readings", json.dumps(payload), qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def get(feed: Service, path: str) -> Any:
    with urllib.request.urlopen(feed.request(path), timeout=5) as answer:
        return json.load(answer)


def test_a_level_crossed_while_the_database_was_down_is_told_once_with_its_age(
    service: Service, feed: Service, broker: EmbeddedBroker, own_postgres: EmbeddedPostgres
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    before = [(now - timedelta(minutes=m), 3.1) for m in range(90, 45, -5)]
    publish(broker, before)
    wait_stored(own_postgres.url, len(before), 20)
    ioc = Heard(broker, "ioc/alerts/events")

    own_postgres.stop()
    during = [(now - timedelta(minutes=m), 3.2 + 0.08 * (45 - m) / 5) for m in range(45, -1, -5)]
    publish(broker, during)
    time.sleep(5)  # long enough for every back-off to be at its longest
    own_postgres.start()
    returned = time.monotonic()
    while not any(event["level"] == 3 for event in ioc.messages):
        ioc.wait(1)
        assert time.monotonic() - returned < 2 * TOLD_SECONDS, f"not told: {ioc.messages}"
    took = time.monotonic() - returned
    print(f"told {took:.2f} s after the database returned")
    assert took < TOLD_SECONDS

    wait_stored(own_postgres.url, len(before) + len(during), 20)
    time.sleep(3)  # whatever would be told a second time has been told by now
    ioc.close()
    [third] = [event for event in ioc.messages if event["level"] == 3]
    assert (third["kind"], third["previous_level"]) == ("escalated", 2)
    assert third["delay_s"] > OLD_SECONDS
    assert "nhận lúc" in third["headline"]["vi"]
    events = get(feed, "/api/v1/events?after=0")["events"]
    assert [event["event_id"] for event in events if event["level"] == 3] == [third["event_id"]]


def test_every_feed_reads_unknown_within_a_minute_of_a_kill(
    service: Service, feed: Service, broker: EmbeddedBroker, database_url: str
) -> None:
    now = datetime.now(UTC)
    publish(broker, [(now - timedelta(minutes=5), 1.2), (now, 1.3)])
    wait_stored(database_url, 2, 20)
    statuses, stream = Heard(broker, "ioc/alerts/status"), Stream(feed)
    said: dict[str, Callable[[], str]] = {
        "status over HTTP": lambda: get(feed, "/api/v1/status")["as_of"]["state"],
        "station": lambda: get(feed, "/api/v1/stations")["stations"][0]["state"],
        "alert": lambda: get(feed, "/api/v1/alerts")["alerts"][0]["state"],
        "status over MQTT": lambda: statuses.messages[-1]["state"] if statuses.messages else "",
        "status over SSE": lambda: stream.states[-1] if stream.states else "",
    }
    known = {"current", "normal", "alert", "open"}
    deadline = time.monotonic() + 15
    while not {say() for say in said.values()} <= known:
        assert time.monotonic() < deadline, {name: say() for name, say in said.items()}
        time.sleep(0.1)

    service.kill()
    killed = time.monotonic()
    after: dict[str, float] = {}
    while len(after) < len(said):
        after |= {
            name: time.monotonic() - killed
            for name, say in said.items()
            if name not in after and say() == "unknown"
        }
        assert time.monotonic() - killed < UNKNOWN_SECONDS, f"still claims to know: {said.keys() - after}"
        time.sleep(0.5)
    print("unknown after", {name: round(seconds, 1) for name, seconds in after.items()})
    statuses.close()
    newcomer = Heard(broker, "ioc/alerts/status")
    newcomer.wait(10)
    newcomer.close()
    assert (newcomer.messages[0]["state"], newcomer.retained[0]) == ("unknown", True)
