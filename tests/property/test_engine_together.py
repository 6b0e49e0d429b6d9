"""Rules that look at several series, and at the time that an alert stands: the same for any batches and
restarts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from alerts.model import EventKind
from ingest.catalog import Catalogue
from ingest.model import Quality
from tests.property.engine_world import (
    GATEWAYS,
    MINUTE,
    Item,
    Player,
    Row,
    Tick,
    city,
    cut,
    random_stream,
    rules,
)
from tests.property.test_engine_batches import told

SEEDS = range(300, 308)
PARTITIONS = (1, 7, 60, 10_000)  # longest batch
HOUR = 60 * MINUTE

TOGETHER = """
rules:
  - id: level
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { property: water_level }
    levels: catalogue
    severities: { I: Minor, II: Moderate, III: Severe }
    confirm: { samples: 3, neighbours: true }
    clear: { below: 0.10 m, hold: 30min }
    remind: { every: 3h, levels: { II: 1h } }
    escalate: [{ level: I, after: 2h, severity: Severe }]
  - id: several
    kind: compound
    title: { vi: Nhiều trạm, en: Several }
    select: { stations: [R3] }
    of:
      - { rule: level, target: R1/water_level }
      - { rule: level, target: R2/water_level, level: II }
      - { rule: level, level: II }
    at_least: 2
    level: { name: several, severity: Severe }
    unknown: { name: unknown, severity: Minor }
    clear: { hold: 20min }
"""

REQUIRED = (
    "compound raised", "compound escalated", "compound cleared", "compound unknown",
    "reminded", "stood too long", "a neighbour confirmed", "split", "restart with the compound open",
)  # fmt: skip


def neighbours() -> Catalogue:
    """The small city, whose R1 and R2 lie on one river."""
    catalogue = city()
    stations = list(catalogue.stations)
    for place, other in ((0, "R2"), (1, "R1")):
        gauge = stations[place].datastreams[0].model_copy(update={"neighbours": (f"{other}/water_level",)})
        stations[place] = stations[place].model_copy(update={"datastreams": (gauge,)})
    return catalogue.model_copy(update={"stations": tuple(stations)})


def player() -> Player:
    return Player(rules(TOGETHER, neighbours()))


def one_by_one(items: Sequence[Item]) -> Player:
    alone = player()
    for item in items:
        alone.play([item])
    return alone


def test_what_is_told_of_series_together_is_the_same_for_any_batches_and_restarts() -> None:
    met: Counter[str] = Counter()
    for seed in SEEDS:
        items = random_stream(seed, steps=120)
        expected = one_by_one(items)
        met.update(cases(items, expected))
        for longest in PARTITIONS:
            rng, other = random.Random(1_000 * seed + longest), player()
            for batch in cut(items, rng, longest):
                met["split"] += 1
                if rng.random() < (0.02 if longest == 1 else 0.3):
                    standing = other.store.conditions.get(("several", "R3/water_level"))
                    met["restart with the compound open"] += bool(standing and standing.level)
                    other.restart()
                other.play(batch)
            assert told(other.store.events) == told(expected.store.events), f"seed {seed}, to {longest}"
            assert other.store.conditions == expected.store.conditions, f"seed {seed}, to {longest}"
    print(dict(met))
    assert [case for case in REQUIRED if not met[case]] == []


def cases(items: Sequence[Item], played: Player) -> Iterator[str]:
    for event in played.store.events:
        if event.rule == "several":
            yield f"compound {event.kind.value}"
            if event.level_name == "unknown":
                yield "compound unknown"
        if event.kind is EventKind.REMINDED:
            yield "reminded"
        if event.kind is EventKind.ESCALATED and event.level == event.previous_level:
            yield "stood too long"
    without = Player(rules(TOGETHER.replace(", neighbours: true", ""), neighbours()))
    for item in items:
        without.play([item])
    if [e for e in without.store.events if e.rule == "level"] != [
        e for e in played.store.events if e.rule == "level"
    ]:
        yield "a neighbour confirmed"


class Watcher:
    """The compound once more, slowly: from the level events that were told, the rows and the ticks alone."""

    def __init__(self) -> None:
        self.wanted = {"R1/water_level": 1, "R2/water_level": 2, "R3/water_level": 2}
        self.level = dict.fromkeys(self.wanted, 0)
        self.heard: dict[str, int] = {}
        self.newest: dict[str, int] = {}
        self.open, self.clearing_since = 0, None

    def row(self, target: str, row: Row) -> Iterator[tuple[str, int]]:
        if target not in self.wanted:
            return
        self.heard[target] = max(row.received, self.heard.get(target, 0))
        self.newest[target] = max(row.time, self.newest.get(target, 0))
        yield from self.settle(row.received, 0, max(self.newest.values()), False)

    def tick(self, tick: Tick) -> Iterator[tuple[str, int]]:
        if tick.sighted_since is not None:
            yield from self.settle(tick.now, tick.sighted_since, tick.now, True)

    def settle(self, now: int, sighted: int, time: int, ticking: bool) -> Iterator[tuple[str, int]]:
        so = [key for key, rank in self.wanted.items() if self.level[key] >= rank]
        lost = [
            key
            for key in self.wanted
            if key not in so and (key not in self.heard or now - max(self.heard[key], sighted) > 30 * MINUTE)
        ]
        rank = 2 if len(so) >= 2 else 1 if len(so) + len(lost) >= 2 else 0
        if rank > self.open and (rank == 2 or ticking):
            kind = "escalated" if self.open else "raised"
            self.open, self.clearing_since = rank, None
            yield kind, rank
        elif rank:
            self.clearing_since = None
        elif self.open and not ticking:
            if self.clearing_since is None:
                self.clearing_since = time
            elif time - self.clearing_since >= 20 * MINUTE:
                self.open, self.clearing_since = 0, None
                yield "cleared", 0


def test_a_compound_tells_what_a_slow_watcher_of_its_members_tells() -> None:
    names = {10 * (n + 1): f"R{n + 1}/water_level" for n in range(len(GATEWAYS))}
    met: Counter[str] = Counter()
    for seed in SEEDS:
        watcher, alone, expected = Watcher(), player(), []
        for item in random_stream(seed, steps=120):
            before = len(alone.store.events)
            alone.play([item])
            for event in alone.store.events[before:]:
                if event.rule == "level":
                    watcher.level[event.target] = event.level
            if isinstance(item, Tick):
                expected += watcher.tick(item)
            elif known(item):
                expected += watcher.row(names[item.number], item)
        found = [(e.kind.value, e.level) for e in alone.store.events if e.rule == "several"]
        assert found == expected, f"seed {seed}"
        met.update(kind for kind, _ in expected)
    print(dict(met))
    assert set(met) == {"raised", "escalated", "cleared"}


def known(row: Row) -> bool:
    return row.quality != Quality.MISSING
