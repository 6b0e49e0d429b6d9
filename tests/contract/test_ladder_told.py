"""The ladder from end to end: a severe alert that nobody answers reaches real receivers one by one."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from alerts.api.feed_settings import FeedSettings
from alerts.api.serve import running_feed
from alerts.handling import Action
from alerts.handling_store import act
from alerts.model import EventKind
from alerts.receivers.book import Escalation, ReceiverBook
from alerts.receivers.wants import Wants
from alerts.receivers.webhook import WebhookSettings
from alerts.watching import Watch
from ingest.clock import system_clock
from tests.support.databases import Database
from tests.support.feed import NATURE, PHUOC, Connection, catalogue, commit, happening, prepare, tell, until

CITY = catalogue()
RAISED = happening(1, level=3)
K = EventKind


class Desk:
    """Somebody's own server: what it was told, in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.told: list[dict[str, Any]] = []

    @property
    def kinds(self) -> list[str]:
        return [notice["kind"] for notice in self.told]


@contextmanager
def desk() -> Iterator[Desk]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Desk(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    with prepare(plain_database.url, CITY) as connection:
        commit(connection)
        yield connection


@pytest.fixture
def desks() -> Iterator[dict[str, Desk]]:
    with desk() as duty, desk() as leader, desk() as chief:
        yield {"duty": duty, "leader": leader, "chief": chief}


def book(desks: dict[str, Desk], folder: Path, escalation: Escalation, on_call: str | None) -> ReceiverBook:
    """Duty hears of everything at once, leader and chief of nothing until an alert goes to them."""
    secret = folder / "secret"
    secret.write_text("whsec_" + base64.b64encode(b"x" * 32).decode(), encoding="ascii")
    receivers = [
        WebhookSettings(
            name=name,
            natures=frozenset({NATURE}),
            wants=Wants(unanswered_only=name != "duty"),
            url=f"http://127.0.0.1:{each.port}/",
            secret_file=secret,
            allow_private=True,
            insecure=True,
        )
        for name, each in desks.items()
    ]
    return ReceiverBook(tuple(receivers), escalation, on_call)


async def test_nobody_answers_until_the_chief_does(
    plain_database: Database, table: Connection, desks: dict[str, Desk], tmp_path: Path
) -> None:
    ladder = Escalation(after=2.0, steps=(("leader",),))
    duty, leader, chief = desks.values()
    names = book(desks, tmp_path, ladder, None)
    async with (
        running_feed(plain_database.url, None, CITY, NATURE, book=names),
        # Another that climbs too. It tells nobody: one process counts as one owner of the leases.
        running_feed(plain_database.url, None, CITY, NATURE, book=ReceiverBook((), ladder)),
    ):
        tell(table, RAISED, happening(2, alert=2, station=PHUOC, level=1))

        async def at_the_chiefs() -> bool:
            return "unanswered" in chief.kinds

        await until(at_the_chiefs, 40)
        assert leader.kinds[0] == "unanswered"
        assert [each["told_to"] for each in leader.told[:1]] == [["leader"]]
        assert [(each["told_to"], each["silent"]) for each in chief.told] == [(["*"], False)]
        assert chief.told[0]["alert_id"] == RAISED.alert_id
        assert "CHƯA AI TIẾP NHẬN" in chief.told[0]["headline"]["vi"]
        act(table, RAISED.alert_id, Action(K.ACKNOWLEDGED, "Chi"), system_clock().now())
        tell(table, happening(3, kind=K.CLEARED, level=3))

        async def over() -> bool:
            return all(each.kinds[-1:] == ["cleared"] for each in desks.values())

        await until(over, 40)
    assert leader.kinds == ["unanswered", "unanswered", "acknowledged", "cleared"]
    assert chief.kinds == ["unanswered", "acknowledged", "cleared"]
    assert duty.kinds == ["raised", "raised", "unanswered", "unanswered", "acknowledged", "cleared"]
    every = [each["event_id"] for each in duty.told]
    assert len(set(every)) == len(every)


async def test_who_is_on_call_hears_that_nobody_watches(
    plain_database: Database, table: Connection, desks: dict[str, Desk], tmp_path: Path
) -> None:
    names = book(desks, tmp_path, Escalation(), "chief")
    watch = Watch(grace_s=1.0)
    async with running_feed(
        plain_database.url, None, CITY, NATURE, settings=FeedSettings(watch=watch), book=names
    ):
        tell(table, happening(1, level=1))

        async def called() -> bool:
            return chief.kinds == ["raised"]

        chief = desks["chief"]
        await until(called, 40)
    assert chief.told[0]["target"] == "@watch"
    assert "KHÔNG AI TRỰC" in chief.told[0]["headline"]["vi"]
    assert desks["leader"].told == []
