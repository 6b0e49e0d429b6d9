"""Catalogue and rules are taken up while `run` and `feed` work: whole or not at all, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts import store
from alerts.model import Event, EventKind
from ingest.embedded import EmbeddedBroker
from ingest.embedded_server import free_port
from ingest.store import connect
from tests.fakes.hook import SECRET, Hook
from tests.faults.service import Service
from tests.support.databases import Database
from tests.support.mqtt import Client
from tests.support.receivers import secret_in
from tests.support.store import table

SECONDS = 60
PAUSE_SECONDS = 0.002  # between two readings of the load: some hundred a second
USUAL = "hue/v1/+/+/readings"


class City:
    """A configuration's folder, written anew for each reload."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "catalog").mkdir(parents=True)
        (folder / "rules").mkdir()
        self.write(stations=1)

    def write(self, stations: int, routes: tuple[str, ...] = (USUAL,), **levels: float) -> None:
        """Stations S0, S1 and so on, and a rule with these levels; without any, no rule."""
        entries = ["stations:", *map(_station, range(stations)), "routes:"]
        entries += [
            f"  - {{filter: {each}, codec: huewatch-json, gateway_level: 3, device_level: 4}}"
            for each in routes
        ]
        (self.folder / "catalog" / "city.yaml").write_text("\n".join(entries) + "\n")
        named = ", ".join(
            f"{{name: {name}, value: {value} m, severity: Severe}}" for name, value in levels.items()
        )
        (self.folder / "rules" / "rules.yaml").write_text(
            "rules: []\n"
            if not levels
            else "rules:\n  - id: level\n    kind: threshold\n    title: {vi: Mực nước, en: Level}\n"
            f"    select: {{property: water_level}}\n    levels: [{named}]\n"
            "    confirm: {samples: 2}\n    clear: {below: 0.1 m, hold: 30 s}\n"
        )


def _station(index: int) -> str:
    return (
        f"  - id: S{index}\n    name: {{vi: Trạm {index}, en: Station {index}}}\n    kind: river\n"
        "    location: {lat: 16.4, lon: 107.5}\n    datastreams:\n"
        "      - {name: level, property: water_level, unit: m, cadence: 1 s,\n"
        f"         source: {{gateway: gw, device: S{index}, channel: level}}}}"
    )


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path / "city")


@pytest.fixture
def service(tmp_path: Path, city: City, broker: EmbeddedBroker, database: Database) -> Iterator[Service]:
    """`huewatch run`, migrated but not yet started."""
    service = Service(tmp_path, city.folder, broker, database.url)
    done = service.command("migrate")
    assert done.returncode == 0, done.stderr
    yield service
    if service.running:
        service.kill()


def payload(level: float, time: datetime) -> bytes:
    return json.dumps({"channel": "level", "value": level, "time": time.isoformat()}).encode()


class Load:
    """Readings to each topic in turn, a few hundred a second, each with a time of its own."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.topics = ["hue/v1/gw/S0/readings"]
        self.sent: Counter[str] = Counter()
        self._broker = broker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        start = datetime.now(UTC) - timedelta(hours=6)
        with Client.login(self._broker, "simulator") as gateway:
            while not self._stop.wait(PAUSE_SECONDS):
                for topic in tuple(self.topics):
                    self.sent[topic] += 1
                    gateway.publish(topic, payload(0.5, start + timedelta(seconds=self.sent[topic])))

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(SECONDS)


def until(holds: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def count(database: Database, key: str = "%") -> int:
    query = "SELECT count(*) FROM observation JOIN datastream ON id = datastream WHERE key LIKE %s"
    return int(table(database.url, query, key)[0][0])


def told(database: Database) -> list[Event]:
    with connect(database.url, application_name="test") as connection:
        return [each.event for each in store.events_since(connection, 0, 1_000)]


def metrics(service: Service) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{service.health_port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def publish(broker: EmbeddedBroker, topic: str, *levels: float, minutes: int = 1) -> None:
    """A level every so many minutes, the last of them now."""
    with Client.login(broker, "simulator") as gateway:
        for place, level in enumerate(levels, start=1 - len(levels)):
            gateway.publish(topic, payload(level, datetime.now(UTC) + timedelta(minutes=minutes * place)))


def reloaded(service: Service, outcome: str = "applied") -> str:
    """Ask for a reload that must succeed; the version in force since."""
    done = service.command("reload")
    assert done.returncode == 0, done.stdout + done.stderr + service.last_words()
    assert f"OK: hue {outcome}, version " in done.stdout
    return done.stdout.split()[-1].rstrip(".")


def test_new_stations_and_routes_are_stored_at_once_and_nothing_is_lost(
    service: Service, city: City, broker: EmbeddedBroker, database: Database
) -> None:
    service.start().wait_ready()
    with Load(broker) as load:
        city.write(2)
        first = reloaded(service)
        load.topics.append("hue/v1/gw/S1/readings")
        city.write(3, (USUAL, "hue/v1/+/+/other"))
        second = reloaded(service)
        load.topics.append("hue/v1/gw/S2/other")
        time.sleep(0.5)
        load.topics.remove("hue/v1/gw/S2/other")
        time.sleep(0.5)  # the load's round in which it still was there has ended
        until(lambda: count(database, "S2/level") == load.sent["hue/v1/gw/S2/other"])
        city.write(4, (USUAL,))
        reloaded(service)
        load.topics.append("hue/v1/gw/S3/readings")
        assert reloaded(service, "unchanged") not in (first, second)
        time.sleep(0.5)
    sent = load.sent.total()
    until(lambda: count(database) == sent)
    assert sent > 1_000
    assert table(database.url, "SELECT reason, topic FROM quarantine") == []
    with Client.login(broker, "simulator") as gateway:
        gateway.publish("hue/v1/gw/S2/other", payload(0.5, datetime.now(UTC)))
        gateway.publish("hue/v1/gw/S3/readings", payload(0.5, datetime.now(UTC)))
    until(lambda: count(database) == sent + 1)
    assert 'huewatch_config_reloads_total{outcome="applied"} 3.0' in metrics(service)
    assert service.command("ledger").returncode == 0
    assert service.stop() == 0
    assert table(database.url, "SELECT filters FROM writer") == [([USUAL],)]


def test_process_killed_while_it_reloads_loses_nothing_and_starts_with_the_new(
    service: Service, city: City, broker: EmbeddedBroker, database: Database
) -> None:
    service.start().wait_ready()
    with Load(broker) as load:
        routes = [USUAL]
        for stations, pause in ((2, 0.0), (3, 0.03), (4, 0.1)):
            routes.append(f"hue/v1/+/+/route{stations}")
            city.write(stations, tuple(routes))
            os.kill(service.pid, signal.SIGHUP)
            time.sleep(pause)
            service.kill()
            service.start().wait_ready()
            load.topics.append(f"hue/v1/gw/S{stations - 1}/route{stations}")
            time.sleep(0.3)
    until(lambda: count(database) == load.sent.total())
    assert table(database.url, "SELECT reason, topic FROM quarantine") == []
    assert reloaded(service, "unchanged")
    assert service.command("ledger").returncode == 0


def test_bad_file_changes_nothing_and_says_where(
    service: Service, city: City, broker: EmbeddedBroker, database: Database
) -> None:
    city.write(1, low=1.0)
    service.start().wait_ready()
    version = reloaded(service, "unchanged")
    city.write(2, low=0.2)
    rules = city.folder / "rules" / "rules.yaml"
    rules.write_text(rules.read_text().replace("severity: Severe", "severity: Terrible"))
    done = service.command("reload")
    assert done.returncode == 1
    assert "rules.yaml:6: " in done.stderr
    assert "Remedy: " in done.stderr
    assert f"hue: refused; version {version} stays in force." in done.stderr
    checked = service.command("check").stderr.splitlines()
    assert set(checked) <= set(done.stderr.splitlines())
    assert 'huewatch_config_reloads_total{outcome="refused"} 1.0' in metrics(service)
    assert f'huewatch_config_info{{version="{version}"}} 1.0' in metrics(service)
    publish(broker, "hue/v1/gw/S1/readings", 5.0)
    publish(broker, "hue/v1/gw/S0/readings", 0.3, 0.4)
    publish(broker, "hue/v1/gw/S0/readings", 1.3, 1.4, minutes=0)
    until(lambda: len(told(database)) == 1)
    assert told(database)[0].threshold == 1.0
    assert table(database.url, "SELECT reason FROM quarantine") == [("unknown_device",)]
    rules.write_text(rules.read_text().replace("severity: Terrible", "severity: Severe"))
    assert reloaded(service) != version
    assert service.log.read_text().count("configuration refused") == 1


def test_lowered_level_speaks_at_once_and_a_removed_rule_ends_its_alert(
    service: Service, city: City, broker: EmbeddedBroker, database: Database
) -> None:
    city.write(1, low=1.0, high=2.0)
    service.start().wait_ready()
    publish(broker, "hue/v1/gw/S0/readings", 1.5, 1.6)
    until(lambda: len(told(database)) == 1)
    city.write(1, low=1.0, high=1.4)
    reloaded(service)
    until(lambda: len(told(database)) == 2)
    city.write(1)
    reloaded(service)
    until(lambda: len(told(database)) == 3)
    raised, worse, ended = told(database)
    assert (raised.kind, raised.level, raised.threshold) == (EventKind.RAISED, 1, 1.0)
    assert (worse.kind, worse.level, worse.threshold) == (EventKind.ESCALATED, 2, 1.4)
    assert worse.rule_version != raised.rule_version
    assert (ended.kind, ended.reason) == (EventKind.CANCELLED, "rule removed")
    service.kill()
    service.start().wait_ready()
    publish(broker, "hue/v1/gw/S0/readings", 1.7)
    until(lambda: count(database) == 3)
    assert len(told(database)) == 3
    assert reloaded(service, "unchanged")


def test_signal_asks_as_well_and_a_request_while_nobody_runs_is_answered_at_the_start(
    service: Service, city: City, database: Database
) -> None:
    assert service.command("reload").returncode == 1  # no `run` has been here
    service.start().wait_ready()
    city.write(2)
    os.kill(service.pid, signal.SIGHUP)
    until(lambda: 'huewatch_config_reloads_total{outcome="applied"} 1.0' in metrics(service))
    (before,) = table(database.url, "SELECT version FROM configuration")
    assert service.stop() == 0
    city.write(3)
    asking = threading.Thread(target=lambda: answers.append(service.command("reload")))
    answers: list[Any] = []
    asking.start()
    until(lambda: table(database.url, "SELECT asked FROM configuration") == [(1,)])
    service.start().wait_ready()
    asking.join(SECONDS)
    assert answers[0].returncode == 0
    assert "OK: hue started, version " in answers[0].stdout
    assert table(database.url, "SELECT version FROM configuration") != [before]


@contextmanager
def stream(feed: Service) -> Iterator[Any]:
    """An open event stream of the feed."""
    with urllib.request.urlopen(feed.request("/api/v1/events/stream"), timeout=SECONDS) as answer:
        yield answer


def ask(feed: Service, path: str) -> Any:
    with urllib.request.urlopen(feed.request(path), timeout=SECONDS) as answer:
        return json.load(answer)


def test_feed_follows_and_keeps_its_live_clients(
    tmp_path: Path, service: Service, city: City, broker: EmbeddedBroker, database: Database
) -> None:
    service.start().wait_ready()
    (tmp_path / "feed").mkdir()
    port = str(free_port())
    feed = Service(
        tmp_path / "feed", city.folder, broker, database.url,
        HUEWATCH_FEED_PORT=port,
        HUEWATCH_BROKER_USERNAME="feed", HUEWATCH_BROKER_PASSWORD=broker.accounts["feed"],
    )  # fmt: skip
    feed.start("feed").wait_ready()
    try:
        with stream(feed) as live:
            city.write(2, low=1.0)
            reloaded(service)
            until(lambda: len(ask(feed, "/api/v1/stations")["stations"]) == 2)
            publish(broker, "hue/v1/gw/S1/readings", 1.5, 1.6)
            lines = iter(live.readline, b"")
            alert = next(line for line in lines if line.startswith(b"data: ") and b"level" in line)
        assert "Trạm 1" in alert.decode()
        (city.folder / "catalog" / "city.yaml").write_text("stations: []\n")
        os.kill(feed.pid, signal.SIGHUP)
        until(lambda: 'huewatch_config_reloads_total{outcome="refused"} 1.0' in metrics(feed))
        assert len(ask(feed, "/api/v1/stations")["stations"]) == 2
    finally:
        assert feed.stop() == 0


def test_receivers_are_taken_up_by_the_feed_though_nothing_is_new_to_run(
    tmp_path: Path, service: Service, city: City, broker: EmbeddedBroker, database: Database
) -> None:
    city.write(1, low=1.0)
    service.start().wait_ready()
    (tmp_path / "feed").mkdir()
    feed = Service(
        tmp_path / "feed", city.folder, broker, database.url,
        HUEWATCH_FEED_PORT=str(free_port()),
        HUEWATCH_BROKER_USERNAME="feed", HUEWATCH_BROKER_PASSWORD=broker.accounts["feed"],
    )  # fmt: skip
    feed.start("feed").wait_ready()
    book, secret = city.folder / "receivers.yaml", secret_in(tmp_path)
    try:
        with Hook().serving() as hook:
            book.write_text(
                "receivers:\n  - name: app\n    kind: webhook\n    natures: [Exercise]\n"
                "    allow_private: true\n    insecure: true\n"
                f"    url: http://127.0.0.1:{hook.port}/\n    secret_file: {secret}\n"
            )
            reloaded(service, "unchanged")
            publish(broker, "hue/v1/gw/S0/readings", 1.5, 1.6)
            until(lambda: len(hook.numbers) == 1)
            book.write_text("receivers: [{ name: app, kind: webhok }]\n")
            os.kill(feed.pid, signal.SIGHUP)
            until(lambda: 'huewatch_config_reloads_total{outcome="refused"} 1.0' in metrics(feed))
            assert "There is no receiver kind 'webhok'." in feed.log.read_text()
            city.write(1)
            reloaded(service)  # the rule's end is told by who is still there
            until(lambda: len(hook.numbers) == 2)
    finally:
        assert feed.stop() == 0
    assert SECRET not in feed.log.read_text()
