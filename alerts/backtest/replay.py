"""History through the service's own refiner and engine, as fast as arrays go.

Promises what the service would have told, had each row come in a transaction of its own and had time ticked
all the while: rows go in order of arrival in large batches, which changes nothing (design of the engine), and
a tick comes where it can change anything. Only reminders may be up to `STANDING` late. What it remembers of
stored rows, for derived datastreams that look far back, is `Past`. No I/O; called by `huewatch backtest` and
the benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from alerts.backtest.past import Past
from alerts.engine import Engine
from alerts.model import Event
from alerts.rules.book import Rule
from alerts.rules.compound import Compound
from alerts.rules.kind import MICROS, ArrivalKind, Plan
from alerts.staging import AFTER_ROWS, Told
from ingest.catalog import Catalogue
from ingest.memory import grouped_order
from ingest.model import Changes, Moment, ObservationBatch
from ingest.refine import Refiner

BATCH = 20_000  # rows, the most that a transaction of the service takes
# Rows of one series in a batch, at most: where one of them could change anything the engine judges all of
# them one after the other, so that of few series short batches are the faster ones (measured on 1 to 50).
ROWS_OF_ONE = 2_000
STANDING = 10 * 60 * MICROS  # between two ticks while an alert stands that is to be said again
Times = NDArray[np.int64]
Advance = Callable[[int], None]  # told of so many rows more


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a history.

    `events`: those told by each book, with `detected_at` the arrival of the row that told them. `rows`: with
    their flags at arrival; `settled`: as these stand in the end. `derived`: results that a rule looks at, as
    they first were known. `faults`: rules that failed (id, error).
    """

    events: tuple[tuple[Event, ...], ...]
    rows: ObservationBatch
    settled: NDArray[np.int8]
    derived: ObservationBatch
    faults: tuple[tuple[str, str], ...]


def numbering(keys: Sequence[str], catalogue: Catalogue, rules: Iterable[Rule]) -> dict[str, int]:
    """A number for each measured datastream, from 1, `keys` first; and for derived ones that a rule watches.

    Of the others nobody would be told, so that they need not be worked out.
    """
    measured = (key for key, _, _ in catalogue.datastreams())
    derived = (target.key for rule in rules for target, _ in rule.plans if target.derived)
    return {key: number for number, key in enumerate(dict.fromkeys((*keys, *measured, *derived)), start=1)}


def play(
    catalogue: Catalogue,
    books: Sequence[Sequence[Rule]],
    ids: Mapping[str, int],
    rows: ObservationBatch,
    advance: Advance = lambda _rows: None,
) -> Played:
    """Play rows (no duplicates, in order of arrival) to one or more rule books, side by side.

    `ids` as of `numbering` for the rules of all of them.
    """
    numbered = [[rule.numbered(ids) for rule in book] for book in books]
    every = [rule for book in numbered for rule in book]
    player = _Player(Refiner(catalogue, ids), [Engine(book) for book in numbered], rows, ids)
    pace = _Pace(every, rows)
    first, clock = 0, int(rows.received_at[0]) if len(rows) else 0
    while first < len(rows):
        last, tick = pace.next(first, clock, standing=player.standing)
        player.transact(first, last, tick)
        advance(last - first)
        clock = int(rows.received_at[last - 1]) if tick is None else tick
        first = last
    return player.played()


class _Pace:
    """How far each transaction goes, and at what moment it ticks.

    A tick comes when somebody has been silent for too long; while an alert stands that is to be said again,
    or compounds are watched, every `STANDING`.
    """

    def __init__(self, rules: Sequence[Rule], rows: ObservationBatch) -> None:
        self._arrival = rows.received_at
        self._due = due_ticks(rules, rows)
        self._most = min(BATCH, ROWS_OF_ONE * len(np.unique(rows.datastream)))
        again = [every for rule in rules for _, plan in rule.plans for every in _intervals(plan)]
        self._soonest = min(again, default=None)
        self._always = any(isinstance(rule.kind, Compound) for rule in rules)

    def next(self, first: int, clock: int, *, standing: bool) -> tuple[int, int | None]:
        """The end of the rows of the next transaction, and its tick."""
        tick = self._tick(first, clock, standing=standing)
        last = first + self._most
        if tick is None or (last < len(self._arrival) and self._arrival[last] <= tick):
            return min(last, len(self._arrival)), None
        return int(np.searchsorted(self._arrival, tick, side="right")), tick

    def _tick(self, first: int, clock: int, *, standing: bool) -> int | None:
        """When the next tick is due, None before the end."""
        at = int(np.searchsorted(self._due, clock, side="right"))
        due = [int(self._due[at])] if at < len(self._due) else []
        if self._always or (standing and self._soonest is not None):
            due.append(clock + STANDING)
        elif self._soonest is not None:  # what opens within a batch is not to be said again before its end
            due.append(int(self._arrival[first]) + self._soonest)
        tick = min(due, default=None)
        return None if tick is None or tick >= self._arrival[-1] else -(-tick // MICROS) * MICROS


def _intervals(plan: Plan) -> Iterator[int]:
    yield from (every for _, every in plan.remind)
    yield from (after for _, after, _ in plan.escalate)


def due_ticks(rules: Sequence[Rule], rows: ObservationBatch) -> Times:
    """When something has been silent for longer than a rule allows, or was to be heard of, until the end."""
    found = [np.empty(0, np.int64)]
    if not len(rows):
        return found[0]
    began, end = int(rows.received_at[0]), int(rows.received_at[-1])
    arrivals = _arrivals(rows)
    for rule in rules:
        if not isinstance(rule.kind, ArrivalKind):
            continue
        for target, plan in (*rule.plans, *rule.kind.gateways(rule.plans)):
            numbers = [one.number for one in target.behind] or [target.number]
            heard = [arrivals[number] for number in numbers if number in arrivals]
            if heard:
                together = np.append(np.sort(np.concatenate(heard)), end)
                due = together[:-1] + int(plan.bands[0].raise_at * MICROS)
                silent = due < together[1:]
                found.append(due[silent])
                if target.behind:  # the sensors of a gateway that is back are given their own time again
                    limits = {int(one.bands[0].raise_at * MICROS) for _, one in rule.plans}
                    found += [together[1:][silent] + limit for limit in limits]
            if target.station.commissioned is not None:
                found.append(np.array([max(target.station.commissioned, began)], np.int64))
    due = np.unique(-(-np.concatenate(found) // MICROS) * MICROS)
    return due[due < end]


def _arrivals(rows: ObservationBatch) -> dict[int, Times]:
    """When each datastream was heard of, in order."""
    order = grouped_order(rows.datastream)
    number = rows.datastream[order]
    starts = np.flatnonzero(np.r_[True, number[1:] != number[:-1]])
    parts = np.split(rows.received_at[order], starts[1:])
    return dict(zip(number[starts].tolist(), parts, strict=True))


class _Player:
    """The writer's part: refine, evaluate, adopt; and what it would have stored."""

    def __init__(
        self, refiner: Refiner, engines: Sequence[Engine], rows: ObservationBatch, ids: Mapping[str, int]
    ) -> None:
        self._refiner, self._engines = refiner, engines
        self._rows, self._past = rows, Past(rows, ids)
        self._began = int(rows.received_at[0]) if len(rows) else 0
        self._arrived = rows.quality.copy()
        self._watched = np.zeros(max(ids.values(), default=0) + 1, np.bool_)
        for engine in engines:
            self._watched[engine.numbers] = True
        self._results: list[ObservationBatch] = []
        self._events: list[list[Event]] = [[] for _ in engines]
        self._faults: list[tuple[str, str]] = []
        self._standing: set[str] = set()

    @property
    def standing(self) -> bool:
        """Whether any alert is open."""
        return bool(self._standing)

    def transact(self, first: int, last: int, tick: int | None) -> None:
        """One transaction: these rows, then the tick."""
        told = self._refine(first, last) if last > first else ObservationBatch.empty()
        now = tick if tick is not None else int(self._rows.received_at[last - 1])
        changes = Changes(told, Moment(now, tick is not None, self._began))
        for engine, events in zip(self._engines, self._events, strict=True):
            outcome = engine.evaluate(changes)
            engine.adopt(outcome)
            events += [self._when_known(one, first, last, now) for one in outcome.told]
            self._faults += outcome.faults
            for event in outcome.events:
                (self._standing.add if event.level else self._standing.discard)(event.alert_id)

    def _refine(self, first: int, last: int) -> ObservationBatch:
        fresh = self._rows.take(np.arange(first, last))
        refined = self._refiner.evaluate(fresh, lambda spans: self._past.load(spans, first))
        self._refiner.adopt(refined)
        self._arrived[first:last] = refined.rows.quality
        self._past.store(first, last, refined.rows.quality)
        self._past.revise(refined.revisions)
        results = self._past.first_known(refined.derived, self._watched)
        if not len(results):
            return refined.rows
        self._results.append(results)
        return ObservationBatch.joined([refined.rows, results])

    def _when_known(self, told: Told, first: int, last: int, now: int) -> Event:
        """The event as decided when its row arrived, not at the end of our large batch."""
        if 0 <= told.place < last - first:
            now = int(self._rows.received_at[first + told.place])
        elif told.place != AFTER_ROWS:  # at a result, which comes with a row of its station
            now = min(now, self._past.arrival(told.event.target, told.event.event_time))
        return replace(told.event, detected_at=now)

    def played(self) -> Played:
        """What it all came to."""
        rows = dataclass_replace(self._rows, quality=self._arrived)
        events = tuple(map(tuple, self._events))
        results = ObservationBatch.joined(self._results)
        return Played(events, rows, self._past.flags, results, tuple(self._faults))
