"""History through the service's own refiner and engine, as fast as arrays go.

Promises what the service would have told, had each row come in a transaction of its own and had time ticked
all the while: rows go in order of arrival in large batches, which changes nothing (design of the engine), and
a tick comes at each moment at which some datastream has been quiet for as long as a rule allows. What it
remembers of stored rows, for derived datastreams that look far back, is `Past`. No I/O; called by
`huewatch backtest` and the benchmark.
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
from alerts.rules.kind import MICROS, RowKind
from ingest.catalog import Catalogue
from ingest.memory import grouped_order
from ingest.model import Changes, Moment, ObservationBatch
from ingest.refine import Refiner

BATCH = 20_000  # rows, the most that a transaction of the service takes
# Rows of one series in a batch, at most: where one of them could change anything the engine judges all of
# them one after the other, so that of few series short batches are the faster ones (measured on 1 to 50).
ROWS_OF_ONE = 2_000
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
    player = _Player(Refiner(catalogue, ids), [Engine(book) for book in numbered], rows, ids)
    ticks = due_ticks([rule for book in numbered for rule in book], rows)
    most = min(BATCH, ROWS_OF_ONE * len(np.unique(rows.datastream)))
    for first, last, tick in _transactions(rows.received_at, ticks, most):
        player.transact(first, last, tick)
        advance(last - first)
    return player.played()


def due_ticks(rules: Sequence[Rule], rows: ObservationBatch) -> Times:
    """When some datastream has been quiet for longer than a rule allows, in whole seconds, until the end.

    Only such a tick can change anything: silence is judged on nothing but the time since the last arrival.
    """
    end = int(rows.received_at[-1]) if len(rows) else 0
    order = grouped_order(rows.datastream)
    number, heard = rows.datastream[order], rows.received_at[order]
    until = np.full(len(heard), end)
    until[:-1] = np.where(number[1:] == number[:-1], heard[1:], end)
    found = [np.empty(0, np.int64)]
    for rule in rules:
        if isinstance(rule.kind, RowKind):
            continue
        limit = np.full(int(number.max(initial=0)) + 1, np.iinfo(np.int64).max // 4)
        for target, plan in rule.plans:
            if target.number < len(limit):
                limit[target.number] = int(plan.bands[0].raise_at * MICROS)
        due = -(-(heard + limit[number]) // MICROS) * MICROS
        found.append(due[due < until])
    return np.unique(np.concatenate(found))


def _transactions(arrival: Times, ticks: Times, most: int) -> Iterator[tuple[int, int, int | None]]:
    """Rows from-to, `most` of them, and the tick after them: what came until a tick comes before it."""
    first = 0
    ends = np.searchsorted(arrival, ticks, side="right").tolist()
    for end, tick in zip([*ends, len(arrival)], [*ticks.tolist(), None], strict=True):
        while end - first > most:
            yield first, first + most, None
            first += most
        if end > first or tick is not None:
            yield first, end, tick
        first = end


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

    def transact(self, first: int, last: int, tick: int | None) -> None:
        """One transaction: these rows, then the tick."""
        told = self._refine(first, last) if last > first else ObservationBatch.empty()
        now = tick if tick is not None else int(self._rows.received_at[last - 1])
        changes = Changes(told, Moment(now, tick is not None, self._began))
        for engine, events in zip(self._engines, self._events, strict=True):
            outcome = engine.evaluate(changes)
            engine.adopt(outcome)
            events += [self._when_known(event, now) for event in outcome.events]
            self._faults += outcome.faults

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

    def _when_known(self, event: Event, now: int) -> Event:
        """The event as decided when its row arrived, not at the end of our large batch."""
        return replace(event, detected_at=min(now, self._past.arrival(event.target, event.event_time)))

    def played(self) -> Played:
        """What it all came to."""
        rows = dataclass_replace(self._rows, quality=self._arrived)
        events = tuple(map(tuple, self._events))
        results = ObservationBatch.joined(self._results)
        return Played(events, rows, self._past.flags, results, tuple(self._faults))
