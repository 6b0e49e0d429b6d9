"""Streams for the judge: rows in any order of arrival, flags that change later, a player with a store.

Built on `engine_world`'s city. Everything random comes from the seed that a test prints.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from msgspec.structs import replace

from alerts.account import JudgedCondition
from alerts.engine import Engine
from alerts.episode import Entry
from alerts.judge_state import Judgement, in_order
from alerts.judged import Judge
from alerts.model import Event
from alerts.rules.book import Rule
from ingest.model import Changes, Moment, ObservationBatch, Quality, Revised
from tests.property.engine_world import MINUTE, Row, Store, columns, random_stream

LATENESS = 60 * MINUTE
NOW = 1_800_000_000_000_000  # the clock has no say: every batch is decided at this moment


@dataclass(frozen=True)
class Flag:
    """A word on a row that came before."""

    number: int
    time: int
    quality: int


Item = Row | Flag


def rows_of(seed: int, steps: int = 150) -> list[Row]:
    """The rows of a random stream in the order of their times."""
    rows = [item for item in random_stream(seed, steps) if isinstance(item, Row)]
    return sorted(rows, key=lambda row: (row.time, row.number))


def arriving(rows: Sequence[Row], rng: random.Random, delay: float = 0.95) -> list[Row]:
    """The rows in an order of arrival in which none is behind another of its series by the lateness."""
    due = [(row.time + rng.randrange(int(delay * LATENESS)) * (rng.random() < 0.4), row) for row in rows]
    return [row for _, row in sorted(due, key=lambda one: one[0])]


def flagged(rows: Sequence[Row], rng: random.Random) -> list[Item]:
    """Some rows get another flag before they are final, and come with the one that they had first."""
    items: list[Item] = []
    pending: list[tuple[int, Flag]] = []
    for row in rows:
        while pending and pending[0][0] < row.time - LATENESS // 2:
            items.append(pending.pop(0)[1])
        if rng.random() < (0.8 if row.quality == Quality.FAIL else 0.1):
            pending.append((row.time, Flag(row.number, row.time, row.quality)))
            pending.sort(key=lambda one: one[0])
            items.append(other_flag(row, rng))
        else:
            items.append(row)
    return [*items, *(flag for _, flag in pending)]


def other_flag(row: Row, rng: random.Random) -> Row:
    quality = rng.choice([one for one in (Quality.PASS, Quality.SUSPECT, Quality.FAIL) if one != row.quality])
    return Row(row.number, row.time, row.value, quality, row.received)


def batches(items: Sequence[Item], rng: random.Random, longest: int) -> list[list[Item]]:
    """The items in batches of random length."""
    found: list[list[Item]] = []
    at = 0
    while at < len(items):
        length = rng.randint(1, longest)
        found.append(list(items[at : at + length]))
        at += length
    return found


@dataclass
class JudgedStore(Store):
    """What the database would hold of the judged record, too."""

    entries: list[Entry] = field(default_factory=list)
    held: dict[tuple[str, str], JudgedCondition] = field(default_factory=dict)
    flags: dict[tuple[int, int], int] = field(default_factory=dict)
    too_late: int = 0

    def as_they_stand(self, memory: int, limit: int) -> ObservationBatch:
        batch = self.recent(memory, limit)
        keys = zip(batch.datastream.tolist(), batch.time.tolist(), batch.quality.tolist(), strict=True)
        batch.quality[:] = [self.flags.get((number, time), quality) for number, time, quality in keys]
        return batch


class JudgedPlayer:
    """An engine and a judge with their store: plays batches, and restarts from what is stored alone."""

    def __init__(self, found: Sequence[Rule], lateness: int = LATENESS) -> None:
        self.rules, self.lateness = found, lateness
        self.engine, self.judge = Engine(found), Judge(found, lateness / 1e6)
        self.store = JudgedStore()

    def restart(self, found: Sequence[Rule] | None = None) -> None:
        self.rules = found or self.rules
        self.engine, self.judge = Engine(self.rules), rebuilt(self.rules, self.store, self.lateness)
        stored = self.store.recent(self.engine.memory_span, self.engine.memory_rows)
        self.engine.load(stored, list(self.store.conditions.values()), self.store.last)

    def play(self, items: Sequence[Item]) -> Judgement:
        changes = changes_of(items)
        outcome = self.engine.evaluate(changes)
        judged = self.judge.evaluate(changes, self.engine.numbers[outcome.judged], outcome.told)
        self.store.rows += [item for item in items if isinstance(item, Row)]
        self.store.flags |= {(it.number, it.time): it.quality for it in items if isinstance(it, Flag)}
        self.store.conditions |= {(one.rule, one.target): one for one in outcome.conditions}
        self.store.last |= {event.alert_id: event for event in outcome.events}
        self.store.events += in_order(outcome.told, judged.verdicts)
        self.store.entries += judged.entries
        self.store.held |= {(one.rule, one.target): _stored(one) for one in judged.conditions}
        self.store.too_late += judged.too_late
        self.engine.adopt(outcome)
        self.judge.adopt(judged)
        return judged

    def chain(self) -> list[bytes]:
        """The record as bytes, by rule, target and ordinal."""
        ordered = sorted(self.store.entries, key=lambda entry: (entry.rule, entry.target, entry.ordinal))
        return [msgspec.json.encode(entry) for entry in ordered]

    def told(self) -> list[Event]:
        return [replace(event, detected_at=0) for event in self.store.events]


def _stored(held: JudgedCondition) -> JudgedCondition:
    """Through the form in which the database keeps it."""
    return msgspec.json.decode(msgspec.json.encode(held), type=JudgedCondition)


def changes_of(items: Sequence[Item]) -> Changes:
    rows = [item for item in items if isinstance(item, Row)]
    flags = [item for item in items if isinstance(item, Flag)]
    revised = Revised(
        np.array([flag.number for flag in flags], np.int32),
        np.array([flag.time for flag in flags], np.int64),
        np.array([flag.quality for flag in flags], np.int8),
    )
    return Changes(columns(rows), Moment(NOW, False, None), revised=revised)


def rebuilt(found: Sequence[Rule], store: JudgedStore, lateness: int = LATENESS) -> Judge:
    """A judge that knows only what is stored."""
    judge = Judge(found, lateness / 1e6)
    stored = store.as_they_stand(judge.memory_span, judge.memory_rows)
    judge.load(stored, store.held.values(), store.conditions.values())
    return judge


def assert_same_judge(live: Judge, again: Judge) -> None:
    """Column by column: what was rebuilt is what lived."""
    everything = np.arange(len(live.numbers))
    ours, theirs = live._state, again._state
    one, two = ours.memory.gather(everything), theirs.memory.gather(everything)
    for name in ("time", "value", "quality", "received"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), name)
    for left, right in zip(ours.states, theirs.states, strict=True):
        assert not left.differs(right).any()
    np.testing.assert_array_equal(ours.busy, theirs.busy)
    np.testing.assert_array_equal(ours.claims, theirs.claims)
    assert ours.ends == theirs.ends
    assert ours.accounts == theirs.accounts
