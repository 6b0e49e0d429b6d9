"""A backtest tells what the live service tells of the same rows: a row a transaction, a tick a second."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from alerts.backtest import replay
from alerts.engine import Engine
from alerts.model import Event
from alerts.rules.book import Rule
from ingest.catalog import Catalogue
from ingest.derive import Series
from ingest.model import Changes, Moment, ObservationBatch
from ingest.quality_settings import FlatLine, QualityTests, RateOfChange, Spike
from ingest.refine import Refiner
from tests.property.engine_world import MINUTE, RULES, SECOND, Row, city, columns, random_stream, rules

QUALITY = QualityTests(
    gap=True,
    spike=Spike(suspect=0.3, fail=1.0),
    rate_of_change=RateOfChange(suspect=3.0, fail=6.0),
    flat_line=FlatLine(suspect=7_200.0, tolerance=0.002),
)
REQUIRED = ("raised", "escalated", "lowered", "cleared", "silence", "late row", "flag of a test")


def city_with_tests() -> Catalogue:
    """The small city of the engine's tests, its gauges with quality tests."""
    stations = tuple(
        one.model_copy(update={"datastreams": (one.datastreams[0].model_copy(update={"quality": QUALITY}),)})
        for one in city().stations
    )
    return Catalogue(stations=stations, routes=())


def history(seed: int) -> ObservationBatch:
    rows = columns([item for item in random_stream(seed, steps=120) if isinstance(item, Row)])
    return replace(rows, datastream=(rows.datastream // 10).astype(np.int32))


def live(catalogue: Catalogue, book: Sequence[Rule], rows: ObservationBatch) -> list[Event]:
    """Every row in a transaction of its own; between them a tick at every whole second."""
    ids = {key: number for number, (key, _, _) in enumerate(catalogue.datastreams(), start=1)}
    refiner, engine = Refiner(catalogue, ids), Engine([rule.numbered(ids) for rule in book])
    began, told = int(rows.received_at[0]), []
    tick = began // SECOND * SECOND
    for place in range(len(rows)):
        now = int(rows.received_at[place])
        while tick + SECOND < now:
            tick += SECOND
            told += commit(engine, ObservationBatch.empty(), Moment(tick, True, began))
        refined = refiner.evaluate(rows.take(np.array([place])), no_load)
        refiner.adopt(refined)
        told += commit(engine, refined.rows, Moment(now, False, began))
    return told


def no_load(spans: Sequence[object]) -> list[Series]:
    assert not spans
    return []


def commit(engine: Engine, rows: ObservationBatch, moment: Moment) -> tuple[Event, ...]:
    outcome = engine.evaluate(Changes(rows, moment))
    engine.adopt(outcome)
    return outcome.events


def test_a_backtest_tells_what_the_live_service_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue, met = city_with_tests(), Counter[str]()
    book = rules(RULES, catalogue)
    for seed in range(2):
        rows = history(seed)
        expected = live(catalogue, book, rows)
        keys = [key for key, _, _ in catalogue.datastreams()]
        ids = replay.numbering(keys, catalogue, book)
        for batch in (7, 20_000):
            monkeypatch.setattr(replay, "BATCH", batch)
            played = replay.play(catalogue, [book, book[:1]], ids, rows)
            assert list(played.events[0]) == expected, f"seed {seed}, batches of {batch}"
            assert list(played.events[1]) == [event for event in expected if event.rule == book[0].id]
        count(met, expected, rows, played)
    print(dict(met))
    assert {case: met[case] for case in REQUIRED if not met[case]} == {}


def count(met: Counter[str], told: Sequence[Event], given: ObservationBatch, played: replay.Played) -> None:
    met.update(event.kind.value for event in told if event.rule != "silence")
    met["silence"] += sum(event.rule == "silence" for event in told)
    rows = played.rows
    for number in np.unique(rows.datastream):
        met["late row"] += int((np.diff(rows.time[rows.datastream == number]) < 0).sum())
    met["flag of a test"] += int((rows.quality != given.quality).sum())


def test_ticks_come_where_somebody_falls_silent_and_nowhere_else() -> None:
    catalogue = city()
    book = [
        rule.numbered({key: n for n, (key, _, _) in enumerate(catalogue.datastreams(), 1)})
        for rule in rules()
    ]
    rng = random.Random(1)
    times = [0, 5, 10, 200, 205, 400]  # minutes; silent after 30
    rows = columns([Row(1, t * MINUTE, rng.random(), 1, t * MINUTE) for t in times])
    assert replay.due_ticks(book, rows).tolist() == [40 * MINUTE, 235 * MINUTE]
