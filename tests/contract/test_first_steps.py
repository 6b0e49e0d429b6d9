"""The walk of the README, as a new user takes it: its own commands, and the output that it prints, compared.

Everything is real: `run` and `feed` as processes, the embedded PostgreSQL and mosquitto, one page.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.embedded_server import free_port
from tests.support.parts import need_program

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPORT = re.compile(r"export (\w+)=\$\((huewatch .*)\)")
SECONDS = 60
STOP_SECONDS = 30
PORTS = ("HUEWATCH_FEED_PORT", "HUEWATCH_METRICS_PORT", "HUEWATCH_FEED_METRICS_PORT")
READY = {"run": "HUEWATCH_METRICS_PORT", "feed": "HUEWATCH_FEED_METRICS_PORT"}
PASSING = re.compile(
    r"\d+\.\d{3} s|\d\d:\d\d(:\d\d)?|\d\d/\d\d(?= )|\d\d/\d\d,"
)  # times differ from day to day


def section(title: str) -> list[tuple[str, str]]:
    """The kinds and texts of the blocks under a heading of the README, in order."""
    return BLOCK.findall(README.split(f"\n## {title}\n")[1].split("\n## ")[0])


def lasting(text: str) -> list[str]:
    """Lines without what changes from run to run: times, durations, and the padding around them."""
    return [" ".join(PASSING.sub("~", line).split()) for line in text.splitlines() if line.strip()]


class Walker:
    """A user at one terminal, with `run` and `feed` in two others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = ""
        self.ports = {name: str(free_port()) for name in PORTS}
        own = {name: value for name, value in os.environ.items() if not name.startswith("HUEWATCH_")}
        self._environment = own | self.ports | {"COLUMNS": "80"}
        self._services: dict[str, subprocess.Popen[bytes]] = {}

    def walk(self, title: str) -> None:
        """Do what a section says: commands are run, YAML is written, printed output must have been seen."""
        for kind, text in section(title):
            if kind == "sh":
                self.said = "".join(map(self._do, text.replace("\\\n", " ").splitlines()))
            elif kind == "yaml":
                (self.folder / "my-city" / "rules" / "mine.yaml").write_text(text, encoding="utf-8")
            elif kind == "text":
                seen = lasting(self.said)
                assert [line for line in lasting(text) if line not in seen] == [], self.said

    def ask(self, path: str) -> dict[str, Any]:
        """What the feed answers."""
        url = f"http://127.0.0.1:{self.ports['HUEWATCH_FEED_PORT']}{path}"
        headers = {"Authorization": f"Bearer {self._environment['HUEWATCH_FEED_TOKEN']}"}
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return dict(json.load(answer))

    def stop(self) -> None:
        """Ctrl-C in both terminals; either must end in good order."""
        for name in ("feed", "run"):
            self._end(name)

    def _do(self, line: str) -> str:
        if kept := EXPORT.fullmatch(line):
            self._environment[kept[1]] = self._do(kept[2]).strip()
            return ""
        words = shlex.split(line)
        if words[0] != "huewatch":
            return ""
        for name in READY:
            if name in words:
                self._end(name)
                self._start(name, words[1:])
                return ""
        done = subprocess.run(
            self._command(words[1:]),
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}\n{self._last_words()}"
        return done.stdout

    def _start(self, name: str, words: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._services[name] = subprocess.Popen(
                self._command(words), cwd=self.folder, env=self._environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + SECONDS
        while not self._ready(name):
            assert self._services[name].poll() is None, self._last_words()
            assert time.monotonic() < deadline, self._last_words()
            time.sleep(0.05)

    def _ready(self, name: str) -> bool:
        url = f"http://127.0.0.1:{self.ports[READY[name]]}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _end(self, name: str) -> None:
        service = self._services.pop(name, None)
        if service is not None:
            service.terminate()
            assert service.wait(STOP_SECONDS) == 0, self._last_words()

    def _command(self, words: list[str]) -> list[str]:
        return [sys.executable, "-m", "huewatch", *words]

    def log(self, name: str) -> str:
        """What a service has said."""
        log = self.folder / f"{name}.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def _last_words(self) -> str:
        return "\n".join(self.log(name)[-2_000:] for name in READY)


@pytest.fixture
def walker(server_folder: Path) -> Iterator[Walker]:
    need_program("mosquitto", "mosquitto")
    with tempfile.TemporaryDirectory(dir=server_folder, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        walker = Walker(Path(name))
        try:
            yield walker
        finally:
            walker.stop()


@pytest.mark.timeout(300)  # a dozen programs start, each in a second or two
def test_first_sensor_first_rule_and_every_feed_are_as_the_readme_says(walker: Walker) -> None:
    walker.walk("Your first sensor")
    (mine,) = [each for each in walker.ask("/api/v1/stations")["stations"] if each["id"] == "HUE-FL-MINE"]
    assert mine["nature"] == "Exercise"
    assert "huewatch --embedded data token create me --scope acknowledge" in walker.log("feed")
    assert mine["datastreams"][0]["newest"]["value"] == 0.05
    assert walker.ask("/api/v1/alerts")["alerts"] == []

    walker.walk("Your first rule")
    (alert,) = walker.ask("/api/v1/alerts")["alerts"]
    assert alert["newest"]["rule"] == "my-culvert"
    assert alert["newest"]["level_name"] == "Gần tràn"
    assert "every message and every reading is accounted for" in walker.said

    paths = re.findall(r"^curl -H \"\$AUTH\" '?http://127\.0\.0\.1:8080(/[^\s']*)'?$", README, re.MULTILINE)
    assert len(paths) >= 10
    answers = {path: walker.ask(path) for path in paths}
    assert all("as_of" in answer for path, answer in answers.items() if "openapi" not in path)
