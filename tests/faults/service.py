"""The real service under test: `huewatch run` or `feed` as a child process, and a configuration for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ingest.embedded import EmbeddedBroker
from ingest.embedded_server import free_port
from tests.faults.publisher import GATEWAY, device_name
from tests.support import access

START_SECONDS = 60  # one that is slow to start is no fault of this project's
STOP_SECONDS = 20
HUEWATCH = ("-m", "huewatch")

CLEAR_HOLD_SECONDS = 5
CONFIRM_SAMPLES = 2
RAISE_AT = 1.0

ROUTES = """\
routes:
  - {filter: hue/v1/+/+/readings, codec: huewatch-json, gateway_level: 3, device_level: 4}
"""
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
    return write_files(folder, "\n".join(stations) + "\n", RULES)


def write_files(folder: Path, stations: str, rules: str) -> Path:
    """A configuration folder with these stations and rules."""
    (folder / "catalog").mkdir(parents=True)
    (folder / "rules").mkdir()
    (folder / "catalog" / "stations.yaml").write_text(stations)
    (folder / "catalog" / "routes.yaml").write_text(ROUTES)
    (folder / "rules" / "rules.yaml").write_text(rules)
    return folder


class Service:
    """`huewatch` against a given broker and database; its log is kept for the failure report."""

    def __init__(
        self, folder: Path, config: Path, broker: EmbeddedBroker, database: str, **settings: str
    ) -> None:
        self.health_port = free_port()
        self._database = database
        self.log = folder / "service.log"
        self._process: subprocess.Popen[bytes] | None = None
        own = {name: value for name, value in os.environ.items() if not name.startswith("HUEWATCH_")}
        self._environment = own | {
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
    def feed_url(self) -> str:
        return f"http://127.0.0.1:{self._environment['HUEWATCH_FEED_PORT']}"

    def request(self, path: str) -> urllib.request.Request:
        """What somebody who may read asks the feed."""
        return urllib.request.Request(f"{self.feed_url}{path}", headers=access.headers(self._database))

    def start(self, command: str = "run", program: Sequence[str] = HUEWATCH) -> Service:
        """Start it; `program` is what Python is to run instead of `huewatch` itself."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *program, command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        return self

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `huewatch` command with the same settings."""
        return subprocess.run(
            [sys.executable, *HUEWATCH, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_alive(self) -> None:
        """Until the health port answers: the partition is claimed, the work begins."""
        self._wait("/healthz")

    def wait_ready(self) -> None:
        """Until `/readyz` is green: connected, committing, seeing."""
        self._wait("/readyz")

    def _wait(self, path: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._green(path):
            assert self.running, f"the service ended: {self.last_words()}"
            assert time.monotonic() < deadline, f"no {path} in {START_SECONDS} s: {self.last_words()}"
            time.sleep(0.02)

    def ready(self) -> bool:
        return self._green("/readyz")

    def _green(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=5) as answer:
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
        assert self.running, f"the service had ended before: {self.last_words()}"
        self._process.send_signal(how)
        return self._process.wait(STOP_SECONDS)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def connected(broker: EmbeddedBroker, user: str) -> mqtt.Client:
    """A paho client with that account, connected and running."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{user}", protocol=mqtt.MQTTv5)
    client.username_pw_set(user, broker.accounts[user])
    accepted = threading.Event()
    client.on_connect = lambda _client, _data, _flags, reason, _properties: (
        None if reason.is_failure else accepted.set()
    )
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert accepted.wait(10), "the broker did not accept the connection within 10 s"
    return client
