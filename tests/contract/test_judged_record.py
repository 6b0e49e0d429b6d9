"""The judged record in the store's own transaction: late rows, restarts, flags that change, and its proof."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from importlib.resources import files

import msgspec
import pytest
from typer.testing import CliRunner, Result

import huewatch
from alerts import episode_store, store
from alerts.account import JudgedCondition
from alerts.engine import Engine
from alerts.episode import Entry
from alerts.judged import Judge
from alerts.model import Event, EventKind
from alerts.rules.book import Rule, parse_rules
from alerts.sink import AlertSink
from ingest.catalog import Catalogue
from ingest.model import Moment, Nature, Quality
from ingest.refine import Refiner
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.migrate import INGEST, migrate
from ingest.store.write import Writer
from tests.contract.test_alert_sink import intake, prepare, renumbered
from tests.property.engine_world import Row
from tests.property.judged_world import LATENESS, JudgedPlayer, arriving, batches, rows_of
from tests.support.databases import Database
from tests.support.store import MINUTE, NOW, WINDOW, TellingSink, claimed, says, table

ALERTS = ("alerts", files("alerts") / "migrations")


def judging(url: str, rules: Sequence[Rule]) -> AlertSink:
    """A sink that knows only what is stored."""
    sink = AlertSink(Engine(rules), Judge(rules, LATENESS / 1e6))
    with connect(url, application_name="test") as connection:
        sink.rebuild(connection)
    return sink


def commit(writer: Writer, sink: AlertSink, rows: Sequence[Row]) -> None:
    writer.commit(intake(list(rows)), Moment(rows[-1].received, False, None), [sink], "test")


def entries(url: str) -> list[Entry]:
    with connect(url, application_name="test") as connection:
        return [entry for _, chain in episode_store.chains(connection) for entry in chain]


def events(url: str) -> list[Event]:
    with connect(url, application_name="test") as connection:
        return [each.event for each in store.events_since(connection, 0, 10_000)]


def recorded(database: Database, seed: int = 5) -> JudgedPlayer:
    """A random city's rows through the real writer, out of order and across restarts; the same in memory."""
    print(f"seed {seed}")
    rules, rng = prepare(database.url), random.Random(seed)
    in_time = renumbered([*rows_of(seed, steps=100)], rules)
    came = arriving([row for row in in_time if isinstance(row, Row)], rng)
    expected = JudgedPlayer(rules)
    writer, sink = claimed(database.url), judging(database.url, rules)
    for place, batch in enumerate(batches(came, rng, 25)):
        rows = [item for item in batch if isinstance(item, Row)]
        if place % 7 == 6:
            sink = judging(database.url, rules)
        commit(writer, sink, rows)
        expected.play(rows)
    writer.close()
    return expected


def verify(url: str, patch: pytest.MonkeyPatch, *words: str) -> Result:
    patch.setenv("HUEWATCH_DATABASE_URL", url)
    return CliRunner().invoke(huewatch.app, ["alerts", "verify", *words])


@pytest.mark.every_database
def test_stored_record_is_what_memory_alone_would_judge_across_restarts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = recorded(database)
    found = entries(database.url)
    assert [msgspec.json.encode(entry) for entry in found] == expected.chain()
    assert len(found) >= 10
    ids = [event.event_id for event in events(database.url)]
    assert ids == [event.event_id for event in expected.store.events]
    with connect(database.url, application_name="test") as connection:
        held = {(one.rule, one.target): one for one in episode_store.held(connection)}
    assert undated(held) == undated(expected.store.held)
    shown = verify(database.url, monkeypatch)
    chains = len({(entry.rule, entry.target) for entry in found})
    assert shown.exit_code == 0
    assert f"with {len(found)} entries, 0 broken." in shown.output
    assert int(shown.output.split()[0]) == chains


def undated(held: dict[tuple[str, str], JudgedCondition]) -> list[bytes]:
    """Without the times of decision, which are the batch's and not the data's."""
    lines = (msgspec.json.encode(held[key]) for key in sorted(held))
    return [re.sub(rb'"detected_at":\d+', b"", line) for line in lines]


TAMPERING = {
    "changed": ("UPDATE alert_episode SET value = value + 0.01 WHERE {0} AND ordinal = 2", 2),
    "level": ("UPDATE alert_episode SET level = level + 1 WHERE {0} AND ordinal = 2", 2),
    "deleted": ("DELETE FROM alert_episode WHERE {0} AND ordinal = 2", 2),
    "first deleted": ("DELETE FROM alert_episode WHERE {0} AND ordinal = 1", 1),
    "end deleted": ("DELETE FROM alert_episode WHERE {0} AND ordinal = {1}", -1),
    "reordered": (
        "UPDATE alert_episode e SET kind = o.kind, level = o.level, event_time = o.event_time,"
        " value = o.value, threshold = o.threshold, previous = o.previous, hash = o.hash FROM alert_episode o"
        " WHERE e.rule = o.rule AND e.target = o.target AND e.ordinal + o.ordinal = 5 AND e.ordinal IN (2, 3)"
        " AND (e.rule, e.target) = (SELECT rule, target FROM alert_judged WHERE {0})",
        2,
    ),
    "put in": (
        "INSERT INTO alert_episode SELECT rule, target, ordinal + 1, kind, level, event_time, value,"
        " threshold, rule_version, hash, hash FROM alert_episode WHERE {0} AND ordinal = {1}",
        0,
    ),
    "end forgotten": ("DELETE FROM alert_judged WHERE {0}", -1),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_is_found_and_its_place_is_named(
    plain_database: Database, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    recorded(plain_database)
    rule, target, length = longest(plain_database.url)
    statement, ordinal = TAMPERING[what]
    here = f"rule = '{rule}' AND target = '{target}'"
    with connect(plain_database.url, application_name="test") as connection:
        assert connection.execute(statement.format(here, length)).rowcount
    shown = verify(plain_database.url, monkeypatch)
    place = {-1: length, 0: length + 1}.get(ordinal, ordinal)
    assert shown.exit_code == 1
    assert f"{rule} on {target}: entry {place}: " in shown.output
    assert shown.output.rstrip().endswith(", 1 broken.")
    other = verify(plain_database.url, monkeypatch, "--target", "nobody/nothing")
    assert (other.exit_code, other.output.strip()) == (0, "0 chains with 0 entries, 0 broken.")


def longest(url: str) -> tuple[str, str, int]:
    query = "SELECT rule, target, count(*) FROM alert_episode GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 1"
    ((rule, target, length),) = table(url, query)
    assert length > 3
    return rule, target, length


# -- flags that change after a row was stored

RULES = """
rules:
  - id: level
    kind: threshold
    title: {vi: Mực nước, en: Level}
    select: {property: water_level}
    levels: [{name: I, value: 2 m, severity: Moderate}]
    confirm: {samples: 1}
    clear: {below: 0.1 m, hold: 10min}
"""


def spiky_city() -> Catalogue:
    gauge = {
        "name": "level",
        "property": "water_level",
        "unit": "m",
        "cadence": 300.0,
        "source": {"gateway": "gw", "device": "dev", "channel": "level"},
        "quality": {"spike": {"suspect": 0.2, "fail": 0.6}},
    }
    station = {
        "id": "RIVER",
        "name": {"vi": "Sông", "en": "River"},
        "kind": "river",
        "nature": Nature.EXERCISE,
        "location": {"lat": 16.45, "lon": 107.56},
        "datastreams": (gauge,),
    }
    return Catalogue.model_validate({"stations": (station,), "routes": ()})


def spiky(url: str) -> tuple[list[Rule], Writer, int]:
    with connect(url, application_name="test") as connection:
        migrate(connection, [INGEST, ALERTS], Nature.EXERCISE)
        ids = register(connection, ["RIVER/level"], Nature.EXERCISE)
    rules, problems = parse_rules(RULES, "rules.yaml", spiky_city())
    assert problems == []
    writer = Writer(url, "city", "test", WINDOW, Refiner(spiky_city(), ids))
    writer.claim()
    writer.rebuild(())
    return [rule.numbered(ids) for rule in rules], writer, ids["RIVER/level"]


@pytest.mark.every_database
@pytest.mark.parametrize("cut", [1, 4, 40])
def test_spike_that_was_told_is_revised_when_its_flag_is_final(database: Database, cut: int) -> None:
    rules, writer, number = spiky(database.url)
    values = [1.0, 1.0, 3.0, *([1.0] * 20)]
    times = [NOW + place * 5 * MINUTE for place in range(len(values))]
    readings = [(number, time, value) for time, value in zip(times, values, strict=True)]
    sink = judging(database.url, rules)
    for first in range(0, len(readings), cut):
        part = readings[first : first + cut]
        writer.commit(says(*part), Moment(part[-1][1], False, None), [sink], "test")
        if first == 8:
            sink = judging(database.url, rules)
    writer.close()
    told = events(database.url)
    assert [event.kind for event in told] == [EventKind.RAISED, EventKind.CLEARED, EventKind.REVISED]
    assert "3 m, flag fail (was pass), came 2025-10-27T" in told[2].reason
    assert entries(database.url) == []


def test_sinks_hear_of_each_row_whose_flag_is_another_now(plain_database: Database) -> None:
    _, writer, number = spiky(plain_database.url)
    sink = TellingSink(plain_database.url)
    for place, value in enumerate([1.0, 1.0, 3.0, 1.0]):
        writer.commit(
            says((number, NOW + place * 5 * MINUTE, value)), Moment(NOW, False, None), [sink], "test"
        )
    writer.close()
    heard = [
        (
            place,
            changes.revised.datastream.tolist(),
            changes.revised.time.tolist(),
            changes.revised.quality.tolist(),
        )
        for place, changes in enumerate(sink.evaluated)
        if len(changes.revised)
    ]
    assert heard == [(3, [number], [NOW + 10 * MINUTE], [Quality.FAIL])]


def test_a_judge_that_fails_stops_no_alert_and_goes_on_after_a_start(plain_database: Database) -> None:
    rules = prepare(plain_database.url)
    rows = [item for item in renumbered([*rows_of(4, steps=80)], rules) if isinstance(item, Row)]
    writer, sink = claimed(plain_database.url), judging(plain_database.url, rules)
    assert sink._judge is not None
    sink._judge._state.busy = None  # type: ignore[assignment]
    commit(writer, sink, rows[:150])
    told = events(plain_database.url)
    assert told
    assert entries(plain_database.url) == []
    sink = judging(plain_database.url, rules)
    commit(writer, sink, rows[150:])
    assert entries(plain_database.url)
    writer.close()
