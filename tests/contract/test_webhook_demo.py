"""A webhook receiver that is down for the whole demo gets each event once, by its id, when it is back, though
the feed is killed while it catches up."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg
import pytest

import huewatch
from ingest.catalog import load_catalogue
from ingest.clock import system_clock
from ingest.embedded_server import free_port
from ingest.model import Nature
from ingest.new_station import copy_shipped_config
from ingest.store import connect
from simulators.demo import demo
from simulators.scenario import load_scenario
from tests.fakes.hook import Answer, Hook
from tests.support.parts import need_program
from tests.support.receivers import comes, secret_in

RECEIVER = """
  - name: app
    kind: webhook
    natures: [Exercise]
    url: http://127.0.0.1:{port}/hook
    secret_file: {secret}
    allow_private: true
    insecure: true
"""
SLOW_S = 0.005  # an answer, so that there is a time between beginning and end in which to kill


def environment_of(process: subprocess.Popen[bytes]) -> dict[str, str]:
    """What a child of the demo was started with: database, broker, configuration."""
    entries = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    return dict(entry.decode().split("=", 1) for entry in entries if entry)


def add_receiver(book: Path, port: int, secret: Path) -> None:
    text, entry = book.read_text(encoding="utf-8"), RECEIVER.format(port=port, secret=secret)
    book.write_text(text.replace("    kind: mqtt\n", f"    kind: mqtt\n{entry}"), encoding="utf-8")


def lots(table: psycopg.Connection[tuple[object, ...]]) -> dict[str, set[str]]:
    """Ids of events by what became of them at the webhook."""
    rows = table.execute(
        "SELECT coalesce(o.outcome, 'none'), e.event_id::text FROM alert_event e"
        " LEFT JOIN delivery_outcome o ON o.seq = e.seq AND o.receiver = 'app'"
    ).fetchall()
    found: dict[str, set[str]] = {}
    for outcome, event_id in rows:
        found.setdefault(str(outcome), set()).add(str(event_id))
    return found


@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads a child's environment from /proc")
async def test_down_for_the_whole_demo_it_gets_each_event_once_after_it(tmp_path: Path) -> None:
    need_program("mosquitto", "mosquitto")
    city, port = tmp_path / "city", free_port()
    copy_shipped_config(city)
    add_receiver(city / "receivers.yaml", port, secret_in(tmp_path))
    catalogue = load_catalogue(city / "catalog", Nature.EXERCISE)
    with huewatch.demo_services("127.0.0.1", free_port(), city) as services:
        assert await demo(services, catalogue, load_scenario(), system_clock(), once=True) == 0
        feed = services.children["feed"]
        assert isinstance(feed, subprocess.Popen)
        environment = environment_of(feed)
        table = await asyncio.to_thread(
            connect, environment["HUEWATCH_DATABASE_URL"], application_name="test"
        )
        assert "delivered" not in lots(table)
        hook = Hook()
        hook.answer = lambda request: Answer(after_s=SLOW_S)
        with hook.serving(port):
            await comes(lambda: len(hook.unique) > 100, 60)
            feed.send_signal(signal.SIGKILL)
            await asyncio.to_thread(feed.wait)
            after_kill = len(hook.seen)
            command = [sys.executable, "-m", "huewatch", "feed", f"--port={free_port()}"]
            again = await asyncio.create_subprocess_exec(
                *command, env=environment, cwd=os.getcwd(), stderr=subprocess.DEVNULL
            )
            try:
                await comes(lambda: "none" not in lots(table), 240)
            finally:
                again.terminate()
                await again.wait()
        found = lots(table)
        table.close()
    assert set(hook.unique) == found["delivered"]
    assert hook.numbers == sorted(hook.numbers)
    repeats = Counter(request.id for request in hook.seen)
    print({name: len(ids) for name, ids in found.items()}, f"killed after {after_kill}")
    print(f"{len(hook.seen)} requests for {len(repeats)} events: {len(hook.seen) - len(repeats)} repeats")
