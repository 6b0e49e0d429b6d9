"""The rows of one batch against the adopted state: what they make of the targets that they touch.

An `Evaluation` lives for one call of `Engine.evaluate`. Most rows are *quiet*: no rule could change its mind
on them; they cost a few array operations. The others are judged in rounds, no series twice in one, and series
that are looked at together (a neighbour that confirms, the members of a compound) in the order of their rows:
what is told must not depend on how rows were batched.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alerts import compounds, events
from alerts.changed import revise
from alerts.condition import KINDS, Signal, State, confirmed_level, rank_reached, step
from alerts.links import Compound
from alerts.model import EventKind, Phase
from alerts.rules.kind import HOUR, MICROS
from alerts.staging import BEFORE_ROWS, Codes, EngineState, Index, Outcome, Staging, Turn, one
from ingest.memory import Rows, SeriesMemory, Windows, grouped_order, occurrences
from ingest.model import Moment

Mask = NDArray[np.bool_]
NEIGHBOUR_WITHIN = HOUR // 2  # a reading older than "no data" of a quick station says nothing of now


class Evaluation:
    """One batch against the adopted state; call `rejudge`, `take`, then `outcome`.

    `rejudged`: series whose remembered levels have changed since they were judged.
    """

    def __init__(
        self, state: EngineState, moment: Moment, rows: Rows, index: Index, rejudged: Index | None = None
    ) -> None:
        self._state = state
        self._rejudged = np.empty(0, np.int64) if rejudged is None else rejudged
        self._split(rows, index, self._judged(rows))
        self.staging = Staging(state, moment, self._index, self._rows.received)

    def outcome(self) -> Outcome:
        """What it came to."""
        return self.staging.outcome(self._quiet, self._quiet_occurrence, self._series, self._windows)

    def rejudge(self) -> None:
        """Judge the newest row of each such series again, as if it had just come with its new level."""
        for rule, table in enumerate(self._state.tables):
            if table.kind is None:
                continue
            for series in self._rejudged.tolist():
                pair = int(table.pair_of[series])
                if pair < 0:
                    continue
                if self.staging.state(rule).level[pair]:
                    revise(self.staging, rule, pair, self.window, "zero corrected")
                at = np.flatnonzero(self._series == series)
                self._judge(rule, np.array([pair]), at, np.array([BEFORE_ROWS]))

    def take(self) -> None:
        """Judge the rows, round by round: no group of series twice in one round."""
        turn = occurrences(self._state.links.group[self._rows.series])
        order = np.lexsort((self._rows.series, turn))
        ends = np.cumsum(np.bincount(turn)) if len(order) else np.empty(0, np.int64)
        start = 0
        for end in ends:
            self._round(order[start:end])
            start = end

    def window(self, series: int) -> Windows:
        """One series' window with the batch's rows in it."""
        at = np.flatnonzero(self._series == series)
        if len(at):
            return self._windows.take(at)
        window = self._state.memory.gather(np.array([series]))
        for row in np.flatnonzero(self._quiet.series == series):
            window.push(np.array([0]), self._quiet.take(np.array([row])))
        return window

    def arrival(self) -> Index:
        """When each series was last heard of, the batch's rows included; `NEVER` before the first."""
        arrival = self._state.memory.arrival.copy()
        arrival[self._series] = self._windows.arrival()
        np.maximum.at(arrival, self._quiet.series, self._quiet.received)
        return arrival

    # -- which rows are looked at

    def _judged(self, rows: Rows) -> Mask:
        """Which rows belong to a series, or to the group of a series, that some rule must look at row by
        row."""
        loud = _disordered(rows, self._state.memory)
        for table, held in zip(self._state.tables, self._state.columns, strict=True):
            pair = table.pair_of[rows.series]
            active = table.active(held.state, pair)
            if table.kind is not None:
                active |= table.stirs(rows.value, pair)
            loud |= active & (pair >= 0)
        loud |= np.isin(rows.series, self._rejudged)
        links, columns = self._state.links, self._state.columns
        attentive = [
            int(one.series[0])
            for one in links.every_compound
            if columns[one.rule].state.phase[one.pair] != Phase.INACTIVE
        ]
        if not loud.any() and not attentive:
            return loud
        groups = np.zeros(len(links.group), np.bool_)
        groups[links.group[rows.series[loud]]] = True
        groups[links.group[attentive]] = True
        return groups[links.group[rows.series]]

    def _split(self, rows: Rows, index: Index, judged: Mask) -> None:
        self._quiet = rows.take(~judged)
        self._quiet_occurrence = occurrences(rows.series)[~judged]
        self._rows = rows.take(judged)
        self._index = index[judged]
        self._series = self._needed()
        self._windows = self._state.memory.gather(self._series)

    def _needed(self) -> Index:
        """The series judged, with those that are looked at beside them."""
        needed = np.union1d(self._rows.series, self._rejudged)
        group = self._state.links.group
        if not len(needed) or not self._state.links.any:
            return needed
        asked = np.zeros(len(group), np.bool_)
        asked[group[needed]] = True
        return np.flatnonzero(asked[group])

    # -- rows

    def _round(self, selected: Index) -> None:
        rows, index = self._rows.take(selected), self._index[selected]
        at = np.searchsorted(self._series, rows.series)
        fresh, taken = self._windows.push(at, rows)
        usable = taken & np.isfinite(rows.value)
        for rule, table in enumerate(self._state.tables):
            pair = table.pair_of[rows.series]
            active = table.active(self.staging.state(rule), pair)
            if table.kind is None:
                heard = np.flatnonzero(taken & active & (pair >= 0) & table.listens)
                heard = heard[np.argsort(index[heard])]  # the first row of a batch ends a gateway's silence
                if len(heard):
                    self._hear(rule, pair[heard], at[heard], index[heard], rows.received[heard])
                continue
            judged = usable & (pair >= 0) & table.accepted[rows.quality]
            now = judged & fresh & (active | table.stirs(rows.value, pair))
            if now.any():
                self._judge(rule, pair[now], at[now], index[now])
            late = judged & ~fresh
            if late.any():
                self._learn(rule, pair[late], at[late], index[late])
        for row in np.flatnonzero(usable & self._state.links.member[rows.series]).tolist():
            for compound in self._state.links.compounds[int(rows.series[row])]:
                self._judge_compound(compound, int(index[row]), int(rows.received[row]))

    def _judge(self, rule: int, pair: Index, at: Index, index: Index) -> None:
        """One usable row, the newest of its window, for each pair."""
        table = self._state.tables[rule]
        windows = self._windows.view(at)
        try:
            state = self.staging.state(rule)
            closed = state.phase[pair] == Phase.INACTIVE
            signal = table.signal(windows, np.where(closed, table.lowest[pair], -np.inf), pair)
            known = np.flatnonzero(~np.isnan(signal.value[:, -1]))
            pair, signal = pair[known], signal.take(known)
            before = state.take(pair)
            signal = self._with_neighbours(rule, pair, signal)
            after, told = step(before, table.limits_at(pair, signal.time[:, -1]), signal)
        except Exception as error:
            self.staging.fail(rule, int(index[0]), error)
            return
        moved = after.differs(before)
        if not moved.any():
            return
        self.staging.move(rule, pair, after, moved)
        self._tell_rows(rule, pair, index[known], before.level, windows.take(known), signal, told)

    def _learn(self, rule: int, pair: Index, at: Index, index: Index) -> None:
        """One late row for each pair: it may complete what the newest row of its series shows, never end
        it."""
        table, windows = self._state.tables[rule], self._windows.take(at)
        try:
            signal = table.signal(windows, table.lowest[pair], pair)
            signal = self._with_neighbours(rule, pair, signal)
            limits = table.limits_at(pair, signal.time[:, -1])
            before = self.staging.state(rule).take(pair)
            known = ~np.isnan(signal.value[:, -1]) & table.accepted[windows.quality[:, -1]]
            known &= (before.phase != Phase.INACTIVE) | table.stirs(windows.value[:, -1], pair)
            rises = np.flatnonzero(known & (confirmed_level(limits, signal) > before.level))
            if not len(rises):
                return
            pair, signal, before = pair[rises], signal.take(rises), before.take(rises)
            after, told = step(before, limits.take(rises), signal)
        except Exception as error:
            self.staging.fail(rule, int(index[0]), error)
            return
        self.staging.move(rule, pair, after, after.differs(before))
        windows = windows.take(rises)
        self._tell_rows(rule, pair, index[rises], before.level, windows, signal, told, learnt_late=True)

    def _with_neighbours(self, rule: int, pair: Index, signal: Signal) -> Signal:
        """The signal, sure of a level where a neighbour stands at its own of that rank."""
        neighbours = self._state.links.neighbours
        if not neighbours:
            return signal
        reached = rank_reached(self._state.tables[rule].limits.raise_at[pair], signal.value[:, -1])
        sure = signal.sure.copy()
        for row in np.flatnonzero(reached > self.staging.state(rule).level[pair]).tolist():
            place = (rule, int(pair[row]))
            ranks = [
                self._neighbour_rank(*each, int(signal.time[row, -1])) for each in neighbours.get(place, ())
            ]
            agreed = min(max(ranks, default=0), int(reached[row]))
            own = self._state.tables[rule].limits.raise_at[place[1], :agreed]
            sure[row] = max(sure[row], own[np.isfinite(own)].max(initial=-np.inf))
        return replace(signal, sure=sure)

    def _neighbour_rank(self, rule: int, pair: int, time: int) -> int:
        """The rank that a neighbour's newest usable reading reaches, if it is of about the same time."""
        table = self._state.tables[rule]
        window = self.window(int(table.series[pair]))
        usable = np.flatnonzero(table.usable(window)[0])
        if not len(usable) or abs(int(window.time[0, usable[-1]]) - time) > NEIGHBOUR_WITHIN:
            return 0
        value = np.array([window.value[0, usable[-1]]])
        return int(rank_reached(table.limits.raise_at[[pair]], value)[0])

    def _tell_rows(
        self,
        rule: int,
        pair: Index,
        index: Index,
        level: Index,
        windows: Windows,
        signal: Signal,
        told: Codes,
        *,
        learnt_late: bool = False,
    ) -> None:
        """Tell of the rows that the machine wants told; all arguments have one entry for each row."""
        rows = np.flatnonzero(told)
        rates = events.slopes(self._state.tables[rule], windows.take(rows), pair[rows])
        for row, rate in zip(rows.tolist(), rates, strict=True):
            kind, only = KINDS[told[row]], np.array([row])
            assert kind is not None
            place, time = int(index[row]), int(signal.time[row, -1])
            turn = Turn(
                rule, int(pair[row]), place, kind, int(level[row]), time, rate, learnt_late=learnt_late
            )
            self.staging.tell(turn, windows.take(only), signal.take(only))

    def _judge_compound(self, compound: Compound, index: int, received: int) -> None:
        """After a row of one of its members: what is true of them at its time, and what cannot be known."""
        windows = self._windows.take(np.searchsorted(self._series, compound.series))
        count = compounds.count(compound, self.staging, windows.arrival(), received)
        compounds.settle(compound, self.staging, count, int(windows.time[:, -1].max()), index)

    def _hear(self, rule: int, pair: Index, at: Index, index: Index, received: Index) -> None:
        """An arrival ends a silence, that of its gateway too; it was as long as from its begin to the
        arrival."""
        table = self._state.tables[rule]
        for row, (target, time) in enumerate(zip(pair.tolist(), received.tolist(), strict=True)):
            window = self._windows.take(at[row : row + 1])
            for silent in (target, int(table.behind[target])):
                if silent >= 0 and self.staging.state(rule).level[silent]:
                    self._end_silence(rule, silent, int(index[row]), time, window)

    def _end_silence(self, rule: int, pair: int, index: int, received: int, window: Windows) -> None:
        before = self.staging.state(rule).take(np.array([pair]))
        limit = float(self._state.tables[rule].limits.raise_at[pair, 0])
        ended = State.inactive(1)
        ended.since[0] = received
        self.staging.move(rule, np.array([pair]), ended, np.ones(1, np.bool_))
        silent = (received - int(before.since[0])) / MICROS + limit
        turn = Turn(rule, pair, index, EventKind.CLEARED, int(before.level[0]), received)
        self.staging.tell(turn, window, one(silent, received))


def _disordered(rows: Rows, memory: SeriesMemory) -> Mask:
    """Which rows are not newer than the row before them in their series."""
    order = grouped_order(rows.series)
    series, time = rows.series[order], rows.time[order]
    first = np.ones(len(series), np.bool_)
    first[1:] = series[1:] != series[:-1]
    before = np.where(first, memory.newest[series], np.roll(time, 1))
    result = np.empty(len(series), np.bool_)
    result[order] = time <= before
    return result
