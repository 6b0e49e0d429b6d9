"""The real service under test: `huewatch run` as a child process, and the oracle over its tables."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psycopg

from ingest.embedded import EmbeddedBroker, free_port
from ingest.store import connect
from tests.faults.publisher import GATEWAY, Ledger, Sent, device_name

CLEAR_HOLD_SECONDS = 5
CONFIRM_SAMPLES = 2
RAISE_AT = 1.0

ROUTES = """\
routes:
  - {filter: hue/v1/+/+/readings, codec: huewatch-json, gateway_level: 3, device_level: 4}
"""
COUNTERS = (
    "messages",
    "readable",
    "empty",
    "unreadable",
    "decoded",
    "stored",
    "duplicate",
    "conflict",
    "rejected",
)
RULES = f"""\
rules:
  - id: wave-level
    kind: threshold
    title: {{vi: Sóng, en: Wave}}
    select: {{property: water_level}}
    levels: [{{name: High, value: {RAISE_AT}, severity: Moderate}}]
    confirm: {{samples: {CONFIRM_SAMPLES}}}
    clear: {{below: 0.1, hold: {CLEAR_HOLD_SECONDS} s}}
"""


def write_config(folder: Path, waves: int, timeless: int) -> Path:
    """A configuration of its own: one station per device, one rule, the shipped route."""
    (folder / "catalog").mkdir(parents=True)
    (folder / "rules").mkdir()
    stations = ["stations:"]
    for name in [device_name(i, timeless=False) for i in range(waves)] + [
        device_name(i, timeless=True) for i in range(timeless)
    ]:
        prop = "water_level" if name.startswith("wave") else "uncovered"
        stations.append(
            f"""\
  - id: {name}
    name: {{vi: {name}, en: {name}}}
    kind: river
    location: {{lat: 16.4, lon: 107.5}}
    datastreams:
      - {{name: level, property: {prop}, unit: m, cadence: 1 s,
          source: {{gateway: {GATEWAY}, device: {name}, channel: level}}}}"""
        )
    (folder / "catalog" / "stations.yaml").write_text("\n".join(stations) + "\n")
    (folder / "catalog" / "routes.yaml").write_text(ROUTES)
    (folder / "rules" / "wave.yaml").write_text(RULES)
    return folder


class Service:
    """`huewatch run` against a given broker and database; its log is kept for the failure report."""

    def __init__(
        self, folder: Path, config: Path, broker: EmbeddedBroker, database: str, **settings: str
    ) -> None:
        self.health_port = free_port()
        self.log = folder / "ingest.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = os.environ | {
            "HUEWATCH_DATABASE_URL": database,
            "HUEWATCH_BROKER_HOST": "127.0.0.1",
            "HUEWATCH_BROKER_PORT": str(broker.port),
            "HUEWATCH_BROKER_USERNAME": "ingest",
            "HUEWATCH_BROKER_PASSWORD": broker.accounts["ingest"],
            "HUEWATCH_CONFIG_DIR": str(config),
            "HUEWATCH_NATURE": "Exercise",
            "HUEWATCH_METRICS_PORT": str(self.health_port),
            "HUEWATCH_FEED_METRICS_PORT": str(self.health_port),
            **settings,
        }

    def set(self, name: str, value: str) -> None:
        """Another setting for the next start."""
        self._environment[name] = value

    @property
    def feed_port(self) -> int:
        return int(self._environment["HUEWATCH_FEED_PORT"])

    def start(self, command: str = "run") -> Service:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "huewatch", command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        return self

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `huewatch` command with the same settings."""
        return subprocess.run(
            [sys.executable, "-m", "huewatch", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_ready(self, seconds: float = 30) -> None:
        """Until `/readyz` is green: connected, committing, seeing."""
        deadline = time.monotonic() + seconds
        while not self.ready():
            assert self._process is not None
            assert self._process.poll() is None, f"the service ended: {self.last_words()}"
            assert time.monotonic() < deadline, f"not ready within {seconds} s: {self.last_words()}"
            time.sleep(0.05)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9, and reap."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def wait(self, seconds: float) -> int:
        """The exit code of a service that ends by itself."""
        assert self._process is not None
        return self._process.wait(seconds)

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(20)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


@dataclass(frozen=True)
class Tables:
    """What the database holds at the end, as the oracle reads it."""

    waves: Counter[tuple[str, float, float]]  # (device, time in s, value)
    timeless: Counter[tuple[str, float]]  # (device, value)
    events: Counter[tuple[str, str, float]]  # (device, kind, event time in s)
    ledger: dict[str, int]
    quarantined: int


def read_tables(database: str) -> Tables:
    with connect(database, application_name="oracle") as connection:
        rows = connection.execute(
            "SELECT split_part(d.key, '/', 1), extract(epoch from o.time)::float8, o.value"
            " FROM observation o JOIN datastream d ON d.id = o.datastream"
        ).fetchall()
        events = connection.execute(
            "SELECT station, kind, extract(epoch from event_time)::float8 FROM alert_event"
        ).fetchall()
        sums = connection.execute(
            f"SELECT {', '.join(f'coalesce(sum({name}), 0)' for name in COUNTERS)} FROM ledger"
        ).fetchone()
        quarantined = connection.execute("SELECT coalesce(sum(count), 0) FROM quarantine").fetchone()
    assert sums is not None
    assert quarantined is not None
    return Tables(
        Counter(row for row in rows if row[0].startswith("wave")),
        Counter((device, value) for device, _, value in rows if device.startswith("timeless")),
        Counter(events),
        {name: int(value) for name, value in zip(COUNTERS, sums, strict=True)},
        int(quarantined[0]),
    )


def expected_events(sent: list[Sent]) -> Counter[tuple[str, str, float]]:
    """A slow, separate reading of the rule: raised by the second high sample, cleared after the hold."""
    expected: Counter[tuple[str, str, float]] = Counter()
    high_run: Counter[str] = Counter()
    low_since: dict[str, float] = {}
    firing: set[str] = set()
    for reading in sent:
        if reading.time is None:
            continue
        device, at = reading.device, reading.time.timestamp()
        if reading.value >= RAISE_AT:
            high_run[device] += 1
            low_since.pop(device, None)
            if device not in firing and high_run[device] == CONFIRM_SAMPLES:
                firing.add(device)
                expected[device, "raised", at] += 1
        else:
            high_run[device] = 0
            if device in firing and at - low_since.setdefault(device, at) >= CLEAR_HOLD_SECONDS:
                firing.discard(device)
                expected[device, "cleared", at] += 1
    return expected


def assert_exactly_once(ledger: Ledger, tables: Tables) -> None:
    """Every publish that the broker took is stored once, with its value; every expected event exists once."""
    waves = Counter((s.device, s.time.timestamp(), s.value) for s in ledger.sent if s.time is not None)
    timeless = Counter((s.device, s.value) for s in ledger.sent if s.time is None)
    assert waves - tables.waves == Counter(), "lost readings"
    assert tables.waves - waves == Counter(), "readings stored twice or never sent"
    assert timeless - tables.timeless == Counter(), "lost readings without a time"
    assert tables.timeless - timeless == Counter(), "readings without a time stored twice"
    expected = expected_events(ledger.sent)
    assert expected, "the run was too short to expect an event"
    assert expected - tables.events == Counter(), "missing alert events"
    assert tables.events - expected == Counter(), "alert events told twice or for nothing"
    sums = tables.ledger
    assert sums["decoded"] == sums["stored"] + sums["duplicate"] + sums["conflict"] + sums["rejected"]
    assert sums["stored"] == len(ledger.sent)
    assert sums["conflict"] == sums["rejected"] == tables.quarantined == 0


def connected(broker: EmbeddedBroker, user: str) -> mqtt.Client:
    """A paho client with that account, connected and running."""
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=f"test-{user}", protocol=mqtt.MQTTv5
    )
    client.username_pw_set(user, broker.accounts[user])
    accepted = threading.Event()
    client.on_connect = lambda _client, _data, _flags, reason, _properties: (
        None if reason.is_failure else accepted.set()
    )
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert accepted.wait(10), "the broker did not accept the connection within 10 s"
    return client


def wait_stored(database: str, count: int, seconds: float) -> float:
    """Wait until `count` observations are stored; the seconds it took. Fails after `seconds`."""
    started = time.monotonic()
    stored = -1
    while time.monotonic() - started < seconds:
        try:
            with connect(database, application_name="oracle") as connection:
                row: Any = connection.execute("SELECT count(*) FROM observation").fetchone()
                stored = row[0]
        except psycopg.OperationalError:
            stored = -1
        if stored >= count:
            return time.monotonic() - started
        time.sleep(0.2)
    raise AssertionError(f"{stored} of {count} stored after {seconds} s")
