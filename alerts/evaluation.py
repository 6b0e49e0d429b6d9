"""The evaluation of one batch: what the engine would tell and hold, staged beside its adopted state.

An `Evaluation` lives for one call of `Engine.evaluate`. It copies what it changes (the windows of the series
it judges, the columns of the rules that move), so that an outcome which is not committed leaves no trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts import events
from alerts.condition import KINDS, Signal, State, step, surviving_level
from alerts.model import Condition, Event, EventKind, Phase
from alerts.rules.kind import MICROS
from alerts.rules.table import Columns, RuleTable
from ingest.memory import NEVER, Rows, SeriesMemory, Windows, occurrences
from ingest.model import Moment, Nature

Index = NDArray[np.int64]
Codes = NDArray[np.int8]

# Places in the order of telling, before the batch's first row and after its last.
BEFORE_ROWS, AFTER_ROWS = -1, np.iinfo(np.int64).max


@dataclass(slots=True)
class EngineState:
    """The adopted state. `revisions`: (rule, pair) of open conditions that were held under another version;
    `orphans`: open conditions whose rule or target is gone, each with the last event told of it."""

    tables: tuple[RuleTable, ...]
    memory: SeriesMemory
    columns: list[Columns]
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch came to: events in the order in which they are told, changed conditions, rules that failed
    (id, error), and the staged state that `Engine.adopt` takes over."""

    events: tuple[Event, ...]
    conditions: tuple[Condition, ...]
    faults: tuple[tuple[str, str], ...]
    quiet: Rows
    quiet_occurrence: Index
    judged: Index
    windows: Windows
    columns: dict[int, Columns]
    ours: dict[str, Condition]


class Evaluation:
    """One batch against the adopted state; call `revise`, `rejudge`, `take`, `tick`, then `outcome`.

    `rejudged`: series whose remembered levels have changed since they were judged.
    """

    def __init__(
        self, state: EngineState, moment: Moment, rows: Rows, index: Index, rejudged: Index | None = None
    ) -> None:
        self._state = state
        self._moment = moment
        self._columns: dict[int, Columns] = {}
        self._touched: set[tuple[int, int]] = set()
        self._ours: dict[str, Condition] = {}
        self._ended: list[Condition] = []
        self._told: list[tuple[int, int, Event]] = []
        self._faults: list[tuple[str, str]] = []
        self._rejudged = np.empty(0, np.int64) if rejudged is None else rejudged
        self._split(rows, index, occurrences(rows.series), self._judged(rows))

    def outcome(self) -> Outcome:
        """What it came to."""
        conditions = [
            self._state.tables[rule].condition(self._columns[rule], pair)
            for rule, pair in sorted(self._touched)
        ]
        self._told.sort(key=lambda told: told[:2])  # stable: by row, then by rule
        return Outcome(
            events=tuple(event for _, _, event in self._told),
            conditions=(*self._ended, *conditions, *self._ours.values()),
            faults=tuple(self._faults),
            quiet=self._quiet,
            quiet_occurrence=self._quiet_occurrence,
            judged=self._series,
            windows=self._windows,
            columns=self._columns,
            ours=self._ours,
        )

    # -- before the rows: what a changed configuration leaves behind

    def revise(self) -> None:
        """Judge again what was held under another version of its rule; end what has lost rule or target."""
        for condition, last in self._state.orphans:
            event, ended = events.cancel(condition, last, self._moment.now, "rule removed")
            self._told.append((BEFORE_ROWS, BEFORE_ROWS, event))
            self._ended.append(ended)
        for rule, pair in self._state.revisions:
            self._revise(rule, pair, "rule changed")

    def rejudge(self) -> None:
        """Judge the newest row of each such series again, as if it had just come with its new level."""
        for rule, table in enumerate(self._state.tables):
            if table.kind is None:
                continue
            for series in self._rejudged.tolist():
                pair = int(table.pair_of[series])
                if pair < 0:
                    continue
                columns = self._columns.get(rule, self._state.columns[rule])
                if columns.state.level[pair]:
                    self._revise(rule, pair, "zero corrected")
                at = np.flatnonzero(self._series == series)
                self._judge(rule, np.array([pair]), at, np.array([BEFORE_ROWS]))

    def _revise(self, rule: int, pair: int, reason: str) -> None:
        table, columns = self._state.tables[rule], self._staged(rule)
        self._touched.add((rule, pair))  # its new version is stored in any case
        if table.kind is None:
            return
        window = self._window(int(table.series[pair]))
        try:
            signal = table.signal(window, np.array([-np.inf]), np.array([pair]))
        except Exception as error:
            self._failed(rule, BEFORE_ROWS, error)
            return
        before = int(columns.state.level[pair])
        level = surviving_level(table.limits.take(np.array([pair])), signal, before)
        if level == before:
            return
        kind = EventKind.ESCALATED if level > before else EventKind.LOWERED if level else EventKind.CANCELLED
        time = int(window.time[0, -1]) if level else self._moment.now
        columns.state.put(np.array([pair]), _settled(level, time))
        self._tell(Turn(rule, pair, BEFORE_ROWS, kind, before, time, reason=reason), window, signal)

    # -- the rows

    def _judged(self, rows: Rows) -> NDArray[np.bool_]:
        """Which rows belong to a series that some rule must look at row by row."""
        memory = self._state.memory
        loud = _disordered(rows, memory)
        for table, columns in zip(self._state.tables, self._state.columns, strict=True):
            pair = table.pair_of[rows.series]
            active = columns.state.phase[pair] != Phase.INACTIVE
            if table.kind is not None:
                active |= table.stirs(rows.value, pair)
            loud |= active & (pair >= 0)
        loud |= np.isin(rows.series, self._rejudged)
        if not loud.any():
            return loud
        series = np.zeros(len(memory.newest), np.bool_)
        series[rows.series[loud]] = True
        return series[rows.series]

    def _split(self, rows: Rows, index: Index, occurrence: Index, judged: NDArray[np.bool_]) -> None:
        self._quiet = rows.take(~judged)
        self._quiet_occurrence = occurrence[~judged]
        self._rows = rows.take(judged)
        self._index = index[judged]
        self._occurrence = occurrence[judged]
        self._series = np.union1d(self._rows.series, self._rejudged)
        self._windows = self._state.memory.gather(self._series)

    def take(self) -> None:
        """Judge the rows, round by round: no series twice in one round."""
        order = np.lexsort((self._rows.series, self._occurrence))
        ends = np.cumsum(np.bincount(self._occurrence)) if len(order) else np.empty(0, np.int64)
        start = 0
        for end in ends:
            self._round(order[start:end])
            start = end

    def _round(self, selected: Index) -> None:
        rows, index = self._rows.take(selected), self._index[selected]
        at = np.searchsorted(self._series, rows.series)
        fresh, taken = self._windows.push(at, rows)
        known = fresh & np.isfinite(rows.value)
        for rule, table in enumerate(self._state.tables):
            columns = self._columns.get(rule, self._state.columns[rule])
            pair = table.pair_of[rows.series]
            active = columns.state.phase[pair] != Phase.INACTIVE
            if table.kind is None:
                heard = taken & active & (pair >= 0)
                if heard.any():
                    self._hear(rule, pair[heard], at[heard], index[heard], rows.received[heard])
                continue
            active |= table.stirs(rows.value, pair)
            judged = known & active & (pair >= 0) & table.accepted[rows.quality]
            if judged.any():
                self._judge(rule, pair[judged], at[judged], index[judged])

    def _judge(self, rule: int, pair: Index, at: Index, index: Index) -> None:
        """One usable row, the newest of its window, for each pair."""
        table = self._state.tables[rule]
        windows = self._windows.view(at)
        try:
            state = self._columns.get(rule, self._state.columns[rule]).state
            closed = state.phase[pair] == Phase.INACTIVE
            signal = table.signal(windows, np.where(closed, table.lowest[pair], -np.inf), pair)
            known = np.flatnonzero(~np.isnan(signal.value[:, -1]))
            pair, signal = pair[known], signal.take(known)
            before = state.take(pair)
            after, told = step(before, table.limits_at(pair, signal.time[:, -1]), signal)
        except Exception as error:
            self._failed(rule, int(index[0]), error)
            return
        moved = after.differs(before)
        if not moved.any():
            return
        self._move(rule, pair, after, moved)
        self._tell_rows(rule, pair, index[known], before.level, windows.take(known), signal, told)

    def _tell_rows(
        self,
        rule: int,
        pair: Index,
        index: Index,
        level: Index,
        windows: Windows,
        signal: Signal,
        told: Codes,
    ) -> None:
        """Tell of the rows that the machine wants told; all arguments have one entry for each row."""
        rows = np.flatnonzero(told)
        rates = events.slopes(self._state.tables[rule], windows.take(rows), pair[rows])
        for row, rate in zip(rows.tolist(), rates, strict=True):
            kind, one = KINDS[told[row]], np.array([row])
            assert kind is not None
            place, time = int(index[row]), int(signal.time[row, -1])
            turn = Turn(rule, int(pair[row]), place, kind, int(level[row]), time, rate)
            self._tell(turn, windows.take(one), signal.take(one))

    # -- time and arrivals, for the kinds that judge silence

    def _hear(self, rule: int, pair: Index, at: Index, index: Index, received: Index) -> None:
        """An arrival ends a silence; it was as long as from its begin to the arrival."""
        state, limits = self._staged(rule).state, self._state.tables[rule].limits
        before = state.take(pair)
        self._move(rule, pair, State.inactive(len(pair)), np.ones(len(pair), np.bool_))
        for row, (target, time) in enumerate(zip(pair.tolist(), received.tolist(), strict=True)):
            state.since[target] = time
            silent = (time - int(before.since[row])) / MICROS + float(limits.raise_at[target, 0])
            turn = Turn(rule, target, int(index[row]), EventKind.CLEARED, int(before.level[row]), time)
            self._tell(turn, self._windows.take(at[row : row + 1]), _one(silent, time))

    def tick(self) -> None:
        """Judge silence at the moment's `now`, unless we are blind."""
        sighted, now = self._moment.sighted_since, self._moment.now
        if sighted is None:
            return
        arrival = self._arrival()
        for rule, table in enumerate(self._state.tables):
            if table.kind is not None:
                continue
            columns = self._columns.get(rule, self._state.columns[rule])
            heard = arrival[table.series]
            begin = np.maximum(heard, sighted)
            silent = (now - begin) / MICROS
            late = (heard != NEVER) & (columns.state.level == 0) & (silent >= table.limits.raise_at[:, 0])
            for pair in np.flatnonzero(late).tolist():
                limit = round(float(table.limits.raise_at[pair, 0]) * MICROS)
                self._fall_silent(rule, pair, int(begin[pair]) + limit, float(silent[pair]))

    def _fall_silent(self, rule: int, pair: int, since: int, silent: float) -> None:
        self._move(rule, np.array([pair]), _settled(1, since), np.ones(1, np.bool_))
        window = self._window(int(self._state.tables[rule].series[pair]))
        self._tell(Turn(rule, pair, AFTER_ROWS, EventKind.RAISED, 0, since), window, _one(silent, since))

    def _arrival(self) -> Index:
        arrival = self._state.memory.arrival.copy()
        arrival[self._series] = self._windows.arrival()
        np.maximum.at(arrival, self._quiet.series, self._quiet.received)
        return arrival

    # -- staging and telling

    def _staged(self, rule: int) -> Columns:
        if rule not in self._columns:
            self._columns[rule] = self._state.columns[rule].copy()
        return self._columns[rule]

    def _move(self, rule: int, pair: Index, after: State, moved: NDArray[np.bool_]) -> None:
        self._staged(rule).state.put(pair[moved], after.take(moved))
        self._touched.update((rule, each) for each in pair[moved].tolist())

    def _window(self, series: int) -> Windows:
        """One series' window with the batch's rows in it."""
        at = np.flatnonzero(self._series == series)
        if len(at):
            return self._windows.take(at)
        window = self._state.memory.gather(np.array([series]))
        for row in np.flatnonzero(self._quiet.series == series):
            window.push(np.array([0]), self._quiet.take(np.array([row])))
        return window

    def _tell(self, turn: Turn, window: Windows, signal: Signal) -> None:
        """Number an event, give it its alert, and note it; the state already stands where the event leads."""
        rule, pair = turn.rule, turn.pair
        table, columns = self._state.tables[rule], self._staged(rule)
        target = table.targets[pair].key
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
            detected_at=self._moment.now,
            ordinal=ordinal,
            alert_id=alert_id,
            rate_per_hour=turn.rate,
            reason=turn.reason,
        )
        self._told.append((turn.index, rule, events.tell(table, pair, window, signal, decision)))
        if decision.level == 0:
            columns.opened_at[pair], columns.alert_id[pair] = NEVER, None

    def _failed(self, rule: int, index: int, error: Exception) -> None:
        """Leave the rule's targets as they were, and tell of the rule once."""
        table = self._state.tables[rule]
        name, reason = table.rule.id, f"{type(error).__name__}: {error}"
        self._faults.append((name, reason))
        if name in self._state.ours or name in self._ours:
            return
        natures = {target.station.nature for target in table.targets}
        nature = (Nature.ACTUAL if Nature.ACTUAL in natures else min(natures)).value  # real if any of it is
        event, condition = events.tell_self(name, table.version, nature, self._moment.now, reason)
        self._told.append((index, rule, event))
        self._ours[name] = condition


def _disordered(rows: Rows, memory: SeriesMemory) -> NDArray[np.bool_]:
    """Which rows are not newer than the row before them in their series."""
    order = np.argsort(rows.series, kind="stable")
    series, time = rows.series[order], rows.time[order]
    first = np.ones(len(series), np.bool_)
    first[1:] = series[1:] != series[:-1]
    before = np.where(first, memory.newest[series], np.roll(time, 1))
    result = np.empty(len(series), np.bool_)
    result[order] = time <= before
    return result


def _settled(level: int, time: int) -> State:
    """One target that stands at a level, or at none, since a time."""
    state = State.inactive(1)
    state.level[0], state.since[0] = level, time
    state.phase[0] = Phase.FIRING if level else Phase.INACTIVE
    return state


def _one(value: float, time: int) -> Signal:
    return Signal(np.array([[value]]), np.array([[time]]), np.zeros((1, 1), np.bool_))
