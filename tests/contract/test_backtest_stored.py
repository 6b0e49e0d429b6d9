"""A backtest of what is stored tells what was told when it was stored."""

from __future__ import annotations

import random

from msgspec.structs import replace

from alerts import store
from alerts.backtest.material import of_database
from alerts.backtest.study import examine
from alerts.backtest.truth import Truth
from alerts.model import Event
from ingest.model import Nature
from ingest.store import connect
from tests.contract.test_alert_sink import play, prepare, renumbered, sink_over
from tests.property.engine_world import MINUTE, START, Row, city, cut, random_stream
from tests.support.databases import Database
from tests.support.store import claimed

HOUR = 60 * MINUTE


def essence(events: list[Event]) -> list[Event]:
    """Events of rules on values, without the time of decision, which was the batch's."""
    return [replace(event, detected_at=0) for event in events if event.rule_kind != "silence"]


def test_stored_rows_are_played_in_their_order_of_arrival(database: Database) -> None:
    rules = prepare(database.url)
    writer, sink = claimed(database.url), sink_over(database.url, rules)
    rows = [item for item in renumbered(random_stream(7), rules) if isinstance(item, Row)]
    for batch in cut(rows, random.Random(7), 40):
        play(writer, sink, batch)
    writer.close()
    with connect(database.url, application_name="test") as connection:
        told = [one.event for one in reversed(store.newest_events(connection, 10_000))]
        since, until = START - HOUR, rows[-1].received + 1
        material = of_database(connection, city(), Nature.EXERCISE, since, until)
        later = of_database(connection, city(), Nature.EXERCISE, START + 6 * HOUR, until)
        nothing = of_database(connection, city(), Nature.EXERCISE, until, until + HOUR)
    assert material is not None
    assert later is not None
    assert nothing is None
    assert len(material.rows) == len(later.rows) == len(rows)  # the warm-up reaches back a day
    found = examine(material, rules, rules, Truth())
    assert essence(list(found.events)) == essence(told)
    assert len(essence(told)) > 10
    part = examine(later, rules, rules, Truth())
    assert [event.event_id for event in part.events] == [
        event.event_id for event in found.events if event.detected_at >= START + 6 * HOUR
    ]
