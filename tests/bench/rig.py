"""Broker, database and the two consumers of the benchmark, and how they are measured."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ingest.clock import system_clock
from ingest.embedded import EmbeddedBroker, EmbeddedPostgres
from ingest.embedded_server import free_port
from ingest.store.connection import Connection, connect
from simulators.broker import Address
from simulators.load import publish_load
from simulators.load_sheet import SERIES_PER_GATEWAY, load_catalogue_yaml

SERIES = 10_000
PROBES = 400  # more series, which the load leaves alone
# What the second configuration adds: quality tests to every series, a margin to three of ten, two means
# over windows to one of ten.
QUALITY = """\
        quality:
          gap: true
          spike: { suspect: 0.15, fail: 0.5 }
          rate_of_change: { suspect: 1.0, fail: 2.0 }
          flat_line: { suspect: 30min, fail: 1h, tolerance: 0.002 }
"""
MARGIN = """\
    derived:
      - name: margin
        property: margin_1
        unit: m
        cadence: 1min
        derive: { kind: margin, of: water_level, level: BĐ I }
"""
MEANS = """\
    derived:
      - name: mean_1h
        property: mean_1h
        unit: m
        cadence: 1min
        derive: { kind: window_mean, of: water_level, window: 1h }
      - name: mean_3h
        property: mean_3h
        unit: m
        cadence: 1min
        derive: { kind: window_mean, of: water_level, window: 3h }
"""
DERIVED = {0: MEANS, 1: MARGIN, 2: MARGIN, 3: MARGIN}  # by the last digit of the series
FILTER = "hue/v1/+/+/readings"
POLL_SECONDS = 0.05
DRAIN_SECONDS = 300
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STORED = "SELECT coalesce(sum(stored), 0)::bigint FROM huewatch.ledger"
LATENCY = """
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
    ORDER BY extract(epoch from pg_xact_commit_timestamp(xmin) - time)::float8 * 1000)
FROM observation WHERE time >= to_timestamp(%s)
"""


@dataclass(frozen=True)
class Drained:
    """A backlog read by one consumer: messages per second, own CPU per message in microseconds."""

    rate: float
    cpu_us: float


@contextmanager
def rig() -> Iterator[Rig]:
    """The servers, migrated, with an empty session at the broker for each consumer."""
    with TemporaryDirectory(prefix="huewatch-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedPostgres(folder / "postgres") as postgres, EmbeddedBroker(folder / "broker") as broker:
            with closing(connect(postgres.url, application_name="bench")) as connection:
                connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
            postgres.restart()
            with closing(connect(postgres.url, application_name="bench")) as connection:
                bench = Rig(folder, postgres, broker, connection)
                bench.prepare()
                yield bench


class Rig:
    """One benchmark's servers and consumers."""

    def __init__(
        self, folder: Path, postgres: EmbeddedPostgres, broker: EmbeddedBroker, connection: Connection
    ) -> None:
        self._folder, self._postgres, self._broker, self._connection = folder, postgres, broker, connection
        self._health, self._feed, feed_health = free_port(), free_port(), free_port()
        self._environment = os.environ | {
            "HUEWATCH_DATABASE_URL": postgres.url,
            "HUEWATCH_BROKER_HOST": "127.0.0.1",
            "HUEWATCH_BROKER_PORT": str(broker.port),
            "HUEWATCH_BROKER_USERNAME": "ingest",
            "HUEWATCH_BROKER_PASSWORD": broker.accounts["ingest"],
            "HUEWATCH_CONFIG_DIR": str(folder / "config"),
            "HUEWATCH_NATURE": "Exercise",
            "HUEWATCH_METRICS_PORT": str(self._health),
            "HUEWATCH_FEED_PORT": str(self._feed),
            "HUEWATCH_FEED_METRICS_PORT": str(feed_health),
        }
        self.database_url = postgres.url
        self.feed_url = f"http://127.0.0.1:{self._feed}"

    def prepare(self) -> None:
        """Catalogues of 10,000 series under the shipped rules; both sessions made."""
        self._configure("config", SERIES, meaning=False)
        self._configure("probes", SERIES + PROBES, meaning=False)
        self._configure("meaning", SERIES, meaning=True)
        subprocess.run(self.huewatch("migrate"), env=self._environment, check=True, capture_output=True)
        with self.running(self.huewatch("run")) as process:
            self.until(process, self.ready)
        subprocess.run(self._usual(0), check=True)

    def _configure(self, name: str, series: int, *, meaning: bool) -> None:
        """A configuration; with `meaning` it has quality tests and derived datastreams."""
        rules, catalog = (self._folder / name / part for part in ("rules", "catalog"))
        with as_file(files("huewatch_config")) as shipped:
            rules.mkdir(parents=True)
            catalog.mkdir()
            for file in ("rivers.yaml", "silence.yaml"):
                shutil.copy(shipped / "rules" / file, rules)
            shutil.copy(shipped / "catalog" / "routes.yaml", catalog)
        for first in range(0, series, SERIES_PER_GATEWAY):
            numbers = range(first, first + SERIES_PER_GATEWAY)
            text = load_catalogue_yaml(numbers)
            if meaning:
                text = "stations:\n" + "".join(_with_meaning(number) for number in numbers)
            (catalog / f"load-{first:05d}.yaml").write_text(text)

    async def publish(self, messages: int, seed: int, *, storm: bool = False) -> None:
        """Fill both queues."""
        signals = {"signal": _storm} if storm else {}
        ledger = await publish_load(
            self.simulator(),
            system_clock(),
            series=SERIES,
            messages=messages,
            seed=seed,
            prepared=True,
            **signals,
        )
        assert ledger.acked.all(), "the broker did not take every message"

    def drain_huewatch(self, messages: int, *, meaning: bool = False) -> Drained:
        """Start `huewatch run` on its backlog, stop it when all is stored."""
        before = self._count(STORED)
        self.use("meaning" if meaning else "config")
        with self.running(self.huewatch("run")) as process:
            return self._watch(process, messages, lambda: self._count(STORED) - before)

    def use(self, name: str) -> None:
        """The configuration of the processes to come: `config`, `probes` or `meaning`."""
        self._environment["HUEWATCH_CONFIG_DIR"] = str(self._folder / name)

    def drain_usual(self, messages: int) -> Drained:
        """Start the usual way on its backlog."""
        self._connection.execute("TRUNCATE usual")
        with self.running(self._usual(messages)) as process:
            return self._watch(process, messages, lambda: self._count("SELECT count(*) FROM usual"))

    async def live(
        self, rate: int, seconds: int, *, meaning: bool = False
    ) -> tuple[tuple[float, float], float]:
        """p50 and p99 from publish to commit in milliseconds, and resident memory in MB."""
        self.use("meaning" if meaning else "config")
        with self.running(self.huewatch("run")) as process:
            self.until(process, self.ready)
            began = self._count("SELECT (extract(epoch from clock_timestamp()) * 1000000)::bigint")
            before = self._count(STORED)
            await publish_load(
                self.simulator(), system_clock(), series=SERIES, messages=rate * seconds, seed=99, rate=rate
            )
            self.until(process, lambda: self._count(STORED) - before >= rate * seconds)
            memory = _resident_mb(process.pid)
        row = self._connection.execute(LATENCY, (began / 1e6,)).fetchone()
        assert row is not None
        return (row[0][0], row[0][1]), memory

    def _watch(self, process: subprocess.Popen[bytes], messages: int, stored: Callable[[], int]) -> Drained:
        """From the first commit that is seen to the last."""
        deadline = time.monotonic() + DRAIN_SECONDS
        first: tuple[float, float, int] | None = None
        while True:
            count, at, cpu = stored(), time.monotonic(), _cpu_seconds(process.pid)
            if first is None and count:
                first = at, cpu, count
            if first is not None and count >= messages:
                done = count - first[2]
                return Drained(done / (at - first[0]), (cpu - first[1]) / done * 1e6)
            if process.poll() is not None or at > deadline:
                words = (self._folder / "consumer.log").read_text()[-2000:]
                raise RuntimeError(f"{count} of {messages} stored; the consumer's last words: {words}")
            time.sleep(POLL_SECONDS)

    def _count(self, query: str) -> int:
        row = self._connection.execute(query).fetchone()  # type: ignore[call-overload]
        assert row is not None
        return int(row[0])

    def rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """What the database answers."""
        return self._connection.execute(query, values).fetchall()  # type: ignore[call-overload]

    def huewatch(self, command: str) -> list[str]:
        """A command of ours, for `running`."""
        return [sys.executable, "-m", "huewatch", command]

    def _usual(self, count: int) -> list[str]:
        options = {
            "database": self._postgres.url,
            "port": self._broker.port,
            "username": "ingest",
            "password": self._broker.accounts["ingest"],
            "filter": FILTER,
            "count": count,
        }
        return [
            sys.executable,
            "-m",
            "tests.bench.usual_way",
            *(f"--{name}={value}" for name, value in options.items()),
        ]

    def simulator(self) -> Address:
        """The broker's door for whoever plays gateways."""
        return Address("127.0.0.1", self._broker.port, "simulator", self._broker.accounts["simulator"])

    @contextmanager
    def running(self, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """A process for as long as the block runs."""
        with (self._folder / "consumer.log").open("ab") as log:
            process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    def ready(self) -> bool:
        """Whether `run` says so."""
        return _is_green(f"http://127.0.0.1:{self._health}/readyz")

    def feed_ready(self) -> bool:
        """Whether `feed` says so."""
        return _is_green(f"{self.feed_url}/readyz")

    def until(self, process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
        """Wait for it; `TimeoutError` with the process's last words."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while not condition():
            if process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError((self._folder / "consumer.log").read_text()[-3000:])
            time.sleep(POLL_SECONDS)


def _is_green(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError:
        return False
    return True


def _with_meaning(series: int) -> str:
    """One station of the load's catalogue, with tests and derived datastreams."""
    text = load_catalogue_yaml([series]).removeprefix("stations:\n")
    levels = "        levels:\n"
    return text.replace(levels, QUALITY + levels) + DERIVED.get(series % 10, "")


def _storm(_series: int, number: int) -> float:
    """Every series above BĐ I, rising fast, through BĐ II: levels, rates and events for each."""
    return 1.2 + 0.1 * number


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
