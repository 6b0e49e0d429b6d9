"""The demo's edges: a service that ends, one that is never ready, a feed that pages, a refused simulate."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import parse_qs, urlsplit

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from ingest.catalog import load_catalogue
from ingest.clock import system_clock
from ingest.embedded import free_port
from ingest.model import Nature
from simulators import cli
from simulators import demo as demo_module
from simulators.broker import Address
from simulators.demo import Services, demo
from simulators.feed_client import FeedClient, FeedError, is_ready
from simulators.scenario import load_scenario

CATALOGUE = load_catalogue(files("huewatch_config") / "catalog", Nature.EXERCISE)
TOLD = 1_203


class Child:
    """A process that has ended with a code, or runs (None)."""

    def __init__(self, code: int | None) -> None:
        self._code = code

    def poll(self) -> int | None:
        return self._code


class Feed(BaseHTTPRequestHandler):
    """A feed with `TOLD` events, two gateways, and a `/readyz` that is never ready."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
        answers = {
            "/api/v1/events": lambda: {
                "events": [
                    {"seq": seq}
                    for seq in range(query["after"] + 1, min(TOLD, query["after"] + query["limit"]) + 1)
                ]
            },
            "/api/v1/ledger": lambda: {
                "gateways": [{"gateway": "a", "stored": 2}, {"gateway": "b", "stored": 3}]
            },
            "/api/v1/stations": lambda: {"no": "stations"},
        }
        body = json.dumps(answers[url.path]() if url.path in answers else {}).encode()
        self.send_response(200 if url.path in answers else 503)
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


async def play(url: str, child: Child) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200, record=True)
    address = Address("127.0.0.1", free_port())
    services = Services(address, url, "hw_test", [f"{url}/readyz"], {"run": child})
    code = await demo(services, CATALOGUE, load_scenario(), system_clock(), once=True, console=console)
    return code, console.export_text()


async def test_demo_ends_with_1_and_names_the_service_that_ended(feed_url):
    code, said = await play(feed_url, Child(3))
    assert code == 1
    assert "run ended with code 3" in said


async def test_demo_ends_with_1_and_names_what_never_became_ready(feed_url, monkeypatch):
    monkeypatch.setattr(demo_module, "READY_SECONDS", 0.3)
    code, said = await play(feed_url, Child(None))
    assert code == 1
    assert f"{feed_url}/readyz" in said


def test_feed_is_read_to_its_last_page(feed_url):
    events = FeedClient(feed_url).events(100)
    assert [event["seq"] for event in events] == list(range(101, TOLD + 1))


def test_ledger_is_summed_over_gateways(feed_url):
    assert FeedClient(feed_url).ledger() == {"stored": 5}


def test_feed_that_is_not_there_is_an_error_and_not_ready():
    url = f"http://127.0.0.1:{free_port()}"
    assert not is_ready(f"{url}/readyz")
    with pytest.raises(FeedError, match=url):
        FeedClient(url).events(0)


def test_feed_that_answers_otherwise_than_documented_is_an_error(feed_url):
    with pytest.raises(FeedError, match="stations"):
        FeedClient(feed_url).stations()


def simulate(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    cli.register(app)
    result = CliRunner().invoke(app, ["simulate", *words])
    return result.exit_code, result.output


def test_simulate_names_a_broker_that_is_not_there():
    port = free_port()
    code, said = simulate("--broker-port", str(port), "--station", "HUE-WL-KIMLONG")
    assert code == 2
    assert f"127.0.0.1:{port}" in said


def test_simulate_names_stations_that_the_scenario_lacks():
    code, said = simulate("--station", "HUE-NO-SUCH")
    assert code == 2
    assert "HUE-NO-SUCH" in said
