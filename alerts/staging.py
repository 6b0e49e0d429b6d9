"""What one batch would change, staged beside the adopted state: columns, conditions, events to tell.

A `Staging` lives for one call of `Engine.evaluate` and is shared by what judges rows, the passing of time and
changed rules. It copies what it changes, so that an outcome which is not committed leaves no trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts import events
from alerts.condition import Signal, State
from alerts.links import Links
from alerts.model import Condition, Event, EventKind, Phase, Severity
from alerts.rules.table import Columns, RuleTable
from ingest.memory import NEVER, Rows, SeriesMemory, Windows
from ingest.model import Moment, Nature

Index = NDArray[np.int64]
Codes = NDArray[np.int8]

# Places in the order of telling, before the batch's first row and after its last.
BEFORE_ROWS, AFTER_ROWS = -1, np.iinfo(np.int64).max


@dataclass(slots=True)
class EngineState:
    """The adopted state. `ours`: conditions about ourselves, by what they are about. `revisions`: (rule,
    pair) of open conditions that were held under another version; `orphans`: open conditions whose rule or
    target is gone, each with the last event told of it.
    """

    tables: tuple[RuleTable, ...]
    memory: SeriesMemory
    columns: list[Columns]
    links: Links
    ours: dict[str, Condition] = field(default_factory=dict)
    revisions: list[tuple[int, int]] = field(default_factory=list)
    orphans: list[tuple[Condition, Event]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of one target at one row (`index`: its place in the batch) or at a tick."""

    rule: int
    pair: int
    index: int
    kind: EventKind
    previous_level: int
    time: int
    rate: float | None = None
    reason: str = ""
    learnt_late: bool = False
    severity: Severity | None = None  # where it is not its level's


@dataclass(frozen=True, slots=True)
class Told:
    """An event with the place in the batch of the row that it is told at, `BEFORE_ROWS` or `AFTER_ROWS`."""

    place: int
    event: Event


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch came to: what is told, in order, changed conditions, rules that failed (id, error), and
    the staged state that `Engine.adopt` takes over."""

    told: tuple[Told, ...]
    conditions: tuple[Condition, ...]
    faults: tuple[tuple[str, str], ...]
    quiet: Rows
    quiet_occurrence: Index
    judged: Index
    windows: Windows
    columns: dict[int, Columns]
    ours: dict[str, Condition]

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(one.event for one in self.told)


class Staging:
    """The changes of one batch so far, over the adopted state, at one moment."""

    def __init__(self, state: EngineState, moment: Moment, index: Index, received: Index) -> None:
        """`index`: the places in the batch, ascending, of rows that may be told of; `received`: when each
        came."""
        self.adopted = state
        self.moment = moment
        self._index = index
        self._received = received
        self._columns: dict[int, Columns] = {}
        self._touched: set[tuple[int, int]] = set()
        self._ours: dict[str, Condition] = {}
        self._ended: list[Condition] = []
        self._told: list[tuple[int, int, Event]] = []
        self._faults: list[tuple[str, str]] = []

    def columns(self, rule: int) -> Columns:
        """A rule's conditions as they stand now, to be read."""
        return self._columns.get(rule, self.adopted.columns[rule])

    def state(self, rule: int) -> State:
        """The machine's part of `columns`."""
        return self.columns(rule).state

    def ours(self, about: str) -> Condition | None:
        """The condition about ourselves, if there ever was one."""
        return self._ours.get(about) or self.adopted.ours.get(about)

    def touch(self, rule: int, pair: int) -> Columns:
        """A rule's conditions, to be written; that of `pair` is stored."""
        self._touched.add((rule, pair))
        return self._writable(rule)

    def move(self, rule: int, pair: Index, after: State, moved: NDArray[np.bool_]) -> None:
        """Put the states of some pairs where they have moved."""
        self._writable(rule).state.put(pair[moved], after.take(moved))
        self._touched.update((rule, each) for each in pair[moved].tolist())

    def tell(self, turn: Turn, window: Windows, signal: Signal) -> None:
        """Number an event, give it its alert, and note it; the state already stands where the event leads."""
        table, columns = self.adopted.tables[turn.rule], self.touch(turn.rule, turn.pair)
        pair, target = turn.pair, table.targets[turn.pair].key
        ordinal = int(columns.ordinal[pair]) + 1
        columns.ordinal[pair] = ordinal
        if turn.previous_level == 0:
            columns.opened_at[pair] = turn.time
            columns.alert_id[pair] = events.alert_identity(table.rule.id, target, turn.time, ordinal)
        alert_id = columns.alert_id[pair]
        assert alert_id is not None
        decision = events.Decision(
            kind=turn.kind,
            previous_level=turn.previous_level,
            level=int(columns.state.level[pair]),
            event_time=turn.time,
            detected_at=self.moment.now,
            ordinal=ordinal,
            alert_id=alert_id,
            rate_per_hour=turn.rate,
            reason=turn.reason,
            learnt_late=turn.learnt_late,
            severity=turn.severity,
        )
        self._told.append((turn.index, turn.rule, events.tell(table, pair, window, signal, decision)))
        columns.told_at[pair] = self._came(turn.index)
        if decision.level != turn.previous_level:
            columns.level_since[pair], columns.prolonged[pair] = turn.time, False
        if decision.level == 0:
            columns.opened_at[pair], columns.alert_id[pair] = NEVER, None

    def tell_of_us(self, event: Event, condition: Condition, index: int, rule: int) -> None:
        """Note an event about ourselves and the condition that it leads to."""
        self._told.append((index, rule, event))
        self._ours[condition.target] = condition

    def keep_of_us(self, condition: Condition) -> None:
        """Store a condition about ourselves of which nothing is told."""
        self._ours[condition.target] = condition

    def end(self, condition: Condition, last: Event, reason: str) -> None:
        """End an alert that has lost its rule or its target."""
        event, ended = events.cancel(condition, last, self.moment.now, reason)
        self._told.append((BEFORE_ROWS, BEFORE_ROWS, event))
        self._ended.append(ended)

    def fail(self, rule: int, index: int, error: Exception) -> None:
        """Leave the rule's targets as they were, and tell of the rule once."""
        table = self.adopted.tables[rule]
        name, reason = table.rule.id, f"{type(error).__name__}: {error}"
        self._faults.append((name, reason))
        if self.ours(name) is None:
            fault = events.OurFault(name, "rule failed", table.version, self.nature([table]), reason)
            self.tell_of_us(*events.tell_self(fault, self.moment.now), index, rule)

    def nature(self, tables: list[RuleTable] | None = None) -> str:
        """What an alert about ourselves is: real if any target of the rules is."""
        chosen = self.adopted.tables if tables is None else tables
        natures = {target.station.nature for table in chosen for target in table.targets}
        return (Nature.ACTUAL if Nature.ACTUAL in natures else min(natures, default=Nature.ACTUAL)).value

    def outcome(self, quiet: Rows, quiet_occurrence: Index, judged: Index, windows: Windows) -> Outcome:
        """What it all came to; the arguments are the rows and windows to be adopted."""
        conditions = [
            self.adopted.tables[rule].condition(self._columns[rule], pair)
            for rule, pair in sorted(self._touched)
        ]
        self._told.sort(key=lambda told: told[:2])  # stable: by row, then by rule
        return Outcome(
            told=tuple(Told(place, event) for place, _, event in self._told),
            conditions=(*self._ended, *conditions, *self._ours.values()),
            faults=tuple(self._faults),
            quiet=quiet,
            quiet_occurrence=quiet_occurrence,
            judged=judged,
            windows=windows,
            columns=self._columns,
            ours=self._ours,
        )

    def _came(self, index: int) -> int:
        """When what is told at a place was learnt: as the rows say it, since a batch's moment depends on the
        cut."""
        if index in (BEFORE_ROWS, AFTER_ROWS):
            return self.moment.now
        return int(self._received[np.searchsorted(self._index, index)])

    def _writable(self, rule: int) -> Columns:
        if rule not in self._columns:
            self._columns[rule] = self.adopted.columns[rule].copy()
        return self._columns[rule]


def settled(level: int, time: int) -> State:
    """One target that stands at a level, or at none, since a time."""
    state = State.inactive(1)
    state.level[0], state.since[0] = level, time
    state.phase[0] = Phase.FIRING if level else Phase.INACTIVE
    return state


def one(value: float, time: int) -> Signal:
    """A signal of one target and one sample."""
    return Signal(np.array([[value]]), np.array([[time]]), np.zeros((1, 1), np.bool_))
