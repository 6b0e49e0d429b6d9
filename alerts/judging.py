"""The judging of one batch: what has become final, staged beside the judge's adopted state.

A `Judging` lives for one call of `Judge.evaluate`. Rows are taken in rounds, no series twice in one, so that
what becomes final does not depend on how rows were batched. In a round each series first steps through what
the new row's time makes final, then takes the row in: a window never holds a row that is newer than the one
that is judged.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from msgspec.structs import replace

from alerts import verdicts
from alerts.account import Account, JudgedCondition, Step, settle, tolerance
from alerts.condition import KINDS, Signal, State, step
from alerts.episode import End, Entry, EntryKind, sealed
from alerts.judge_state import RISES, Index, Judgement, JudgeState, Pair
from alerts.model import Event, EventKind, Phase
from alerts.rules.kind import told
from alerts.staging import Told
from ingest.memory import NEVER, Rows, Windows, occurrences
from ingest.model import Revised


class Judging:
    """One batch against the adopted state; call `revise`, `hear`, `restart`, `take`, then `outcome`.

    `rows` are those of the series that are looked at row by row, `index` their places in the batch; `others`:
    series that are looked at without a row.
    """

    def __init__(self, state: JudgeState, now: int, rows: Rows, index: Index, others: Index) -> None:
        self._state, self._now = state, now
        self._rows, self._index = rows, index
        self._series = np.union1d(rows.series, others)
        self._windows = state.memory.gather(self._series)
        self._marks = state.watermarks(self._windows)
        self._told: dict[int, list[tuple[Told, Pair]]] = {}
        self._states: dict[int, State] = {}
        self._ends: dict[Pair, End] = {}
        self._accounts: dict[Pair, Account] = {}
        self._touched: dict[Pair, None] = {}
        self._entries: list[Entry] = []
        self._verdicts: list[tuple[int, int, Event]] = []
        self._ended: list[JudgedCondition] = []
        self._faults: list[tuple[str, str]] = []
        self._too_late = 0
        self._claims = state.claims[self._series]

    def outcome(self, quiet: Rows, occurrence: Index) -> Judgement:
        """What it came to; `quiet` are the rows of all other series."""
        for at, heard in self._told.items():
            for one, pair in heard:
                self._tell(one.event, pair, at, int(self._windows.time[at, -1]))
        states = [self._states.get(rule, state) for rule, state in enumerate(self._state.states)]
        busy = self._state.busy_among(self._series, self._windows, self._marks, states)
        self._verdicts.sort(key=lambda one: one[:2])  # stable: by row, then by rule
        return Judgement(
            entries=tuple(self._entries),
            conditions=(*self._ended, *(self._condition(pair) for pair in sorted(self._touched))),
            verdicts=tuple(Told(place, event) for place, _, event in self._verdicts),
            too_late=self._too_late,
            faults=tuple(self._faults),
            quiet=quiet,
            quiet_occurrence=occurrence,
            judged=self._series,
            windows=self._windows,
            busy=busy | self._claims,
            claims=self._claims,
            states=self._states,
            ends=self._ends,
            accounts=self._accounts,
        )

    # -- before the rows

    def revise(self, series: Index, revised: Revised) -> None:
        """Put the newest flags in the place of those that rows had, in memory and in the batch."""
        known = np.flatnonzero(series >= 0)
        at = np.searchsorted(self._series, series[known])
        for window, time, quality in zip(
            at.tolist(), revised.time[known].tolist(), revised.quality[known].tolist(), strict=True
        ):
            self._windows.quality[window, self._windows.time[window] == time] = quality
            own = (self._rows.series == self._series[window]) & (self._rows.time == time)
            self._rows.quality[own] = quality

    def hear(self, told: Iterable[tuple[Told, Pair]]) -> None:
        """Note what the engine tells, for when its row's turn comes."""
        for one, pair in told:
            at = int(np.searchsorted(self._series, self._state.series_of(pair)))
            self._told.setdefault(at, []).append((one, pair))

    def restart(self) -> None:
        """Say of what was held under another version that it begins again, or has ended."""
        for pair, held in self._state.restarts:
            at = int(np.searchsorted(self._series, self._state.series_of(pair)))
            version = self._state.tables[pair[0]].rule.versions[pair[1]]
            time = max(int(self._marks[at]), held.since or 0)
            self._accounts[pair] = self._account(pair).forgiven()
            self._touched[pair] = None
            if held.phase is not Phase.INACTIVE:
                entry = self._blank(held, EntryKind.RULE_CHANGED, time, version)
                self._enter(pair, entry)
        for held in self._state.removed:
            entry = self._blank(held, EntryKind.RULE_REMOVED, held.since or 0, held.rule_version)
            entry = sealed(replace(entry, ordinal=held.ordinal + 1, previous=held.hash))
            self._entries.append(entry)
            self._ended.append(_inactive(held, entry))

    def _blank(self, held: JudgedCondition, kind: EntryKind, time: int, version: str) -> Entry:
        return Entry(
            rule=held.rule,
            target=held.target,
            ordinal=0,
            kind=kind,
            level=0,
            event_time=time,
            value=None,
            threshold=None,
            rule_version=version,
            previous="",
        )

    # -- the rows

    def take(self) -> None:
        """Take the rows in, round by round: no series twice in one round."""
        occurrence = occurrences(self._rows.series)
        order = np.lexsort((self._rows.series, occurrence))
        ends = np.cumsum(np.bincount(occurrence)) if len(order) else np.empty(0, np.int64)
        start = 0
        for end in ends:
            self._round(self._rows.take(order[start:end]), self._index[order[start:end]])
            start = end

    def _round(self, rows: Rows, place: Index) -> None:
        at = np.searchsorted(self._series, rows.series)
        self._listen(at, place, rows.time)
        marks = self._marks[at]
        reached = np.where(rows.time > self._windows.time[at, -1], rows.time - self._state.lateness, marks)
        self._advance(at, np.maximum(marks, reached), place)
        self._too_late += int(np.count_nonzero(rows.time <= self._marks[at]))
        self._windows.push(at, rows)
        self._advance(at, np.maximum(self._marks[at], self._state.crowded(self._windows)[at]), place)

    def _advance(self, at: Index, high: Index, place: Index) -> None:
        """Move watermarks on to `high`, and step through the rows that this makes final."""
        low = self._marks[at]
        moved = high > low
        if not moved.any():
            return
        at, high, place, low = at[moved], high[moved], place[moved], low[moved]
        self._marks[at] = high
        time = self._windows.time[at]
        final = (time > low[:, None]) & (time <= high[:, None])
        count, first = final.sum(axis=1), final.argmax(axis=1)
        for turn in range(int(count.max(initial=0))):
            now = np.flatnonzero(count > turn)
            self._final(at[now], first[now] + turn, place[now])
        for one in np.flatnonzero(self._claims[at]).tolist():
            self._settle(int(at[one]), int(place[one]))

    def _final(self, at: Index, column: Index, place: Index) -> None:
        """One row that is final (`column` of its window) for each series."""
        time, value = self._windows.time[at, column], self._windows.value[at, column]
        quality = self._windows.quality[at, column]
        known = np.isfinite(value)
        for rule, table in enumerate(self._state.tables):
            pair = table.pair_of[self._series[at]]
            state = self._states.get(rule, self._state.states[rule])
            active = (state.phase[pair] != Phase.INACTIVE) | table.stirs(value, pair)
            # What was judged before a start with a longer lateness is not judged again.
            active &= time > state.since[pair]
            judged = np.flatnonzero(known & active & (pair >= 0) & table.accepted[quality])
            if len(judged):
                self._step(rule, pair[judged], at[judged], column[judged])

    def _as_of(self, at: Index, column: Index) -> Windows:
        """Windows that end with their row at `column`."""
        place = column[:, None] + np.arange(1 - self._state.rows, 1)
        row, own = at[:, None], self._windows
        return Windows(
            own.span,
            own.time[row, place],
            own.value[row, place],
            own.quality[row, place],
            own.received[row, place],
        )

    def _step(self, rule: int, pair: Index, at: Index, column: Index) -> None:
        table, windows = self._state.tables[rule], self._as_of(at, column)
        try:
            state = self._states.get(rule, self._state.states[rule])
            closed = state.phase[pair] == Phase.INACTIVE
            signal = table.signal(windows, np.where(closed, table.lowest[pair], -np.inf), pair)
            known = np.flatnonzero(~np.isnan(signal.value[:, -1]))
            pair, at, signal = pair[known], at[known], signal.take(known)
            before = state.take(pair)
            after, codes = step(before, table.limits_at(pair, signal.time[:, -1]), signal)
        except Exception as error:
            self._faults.append((table.rule.id, f"{type(error).__name__}: {error}"))
            return
        moved = np.flatnonzero(after.differs(before))
        if not len(moved):
            return
        self._staged(rule).put(pair[moved], after.take(moved))
        self._touched.update(((rule, one), None) for one in pair[moved].tolist())
        for row in np.flatnonzero(codes).tolist():
            kind = KINDS[codes[row]]
            assert kind is not None
            observed = float(windows.value[known[row], -1])
            self._entered(
                rule, int(pair[row]), kind, int(after.level[row]), signal.take(np.array([row])), observed
            )
            self._claims[at[row]] |= kind in RISES

    # -- the record

    def _entered(
        self, rule: int, pair: int, kind: EventKind, level: int, signal: Signal, observed: float
    ) -> None:
        table, plan = self._state.tables[rule], self._state.tables[rule].plans[pair]
        band = table.band(pair, level) or min(plan.bands, key=lambda one: one.rank)
        said = told(table.rule.kind, table.rule.settings, plan, band, float(signal.value[0, -1]), observed)
        entry = Entry(
            rule=table.rule.id,
            target=table.targets[pair].key,
            ordinal=0,
            kind=EntryKind(kind.value),
            level=level,
            event_time=int(signal.time[0, -1]),
            value=said.value,
            threshold=said.threshold,
            rule_version=table.rule.versions[pair],
            previous="",
        )
        self._enter((rule, pair), entry)

    def _enter(self, pair: Pair, entry: Entry) -> None:
        """Chain an entry to those before it; a level that it raises is a claim."""
        end = self._ends.get(pair) or self._state.ends.get(pair) or End()
        entry = sealed(replace(entry, ordinal=end.ordinal + 1, previous=end.hash))
        self._ends[pair] = End(entry.ordinal, entry.hash)
        self._entries.append(entry)
        rises = entry.kind in (EntryKind.RAISED, EntryKind.ESCALATED)
        made = Step(entry.event_time, entry.level, judged=entry if rises else None)
        self._accounts[pair] = self._account(pair).judge(made)
        self._touched[pair] = None

    # -- told and judged

    def _listen(self, at: Index, place: Index, time: Index) -> None:
        """Hear what was told up to each series' row."""
        if not self._told:
            return
        newest = np.maximum(self._windows.time[at, -1], time)
        for series, until, now in zip(at.tolist(), place.tolist(), newest.tolist(), strict=True):
            waiting = self._told.get(series, [])
            while waiting and waiting[0][0].place <= until:
                one, pair = waiting.pop(0)
                self._tell(one.event, pair, series, now)

    def _tell(self, event: Event, pair: Pair, at: int, newest: int) -> None:
        """A told step of a level; a cancellation, which has the clock's time, ends with the newest row."""
        claims = event.kind in RISES and event.event_time > self._marks[at]
        cancelled = event.kind is EventKind.CANCELLED and newest != NEVER
        time = newest if cancelled else event.event_time
        made = Step(time, event.level, event.alert_id, event if claims else None)
        self._accounts[pair] = self._account(pair).tell(made)
        self._touched[pair] = None
        self._claims[at] |= claims

    def _settle(self, at: int, place: int) -> None:
        """Compare what was told of a series with its record, as far as the watermark has come."""
        still, window = False, self._windows.take(np.array([at]))
        for rule, table in enumerate(self._state.tables):
            pair = int(table.pair_of[self._series[at]])
            account = self._account((rule, pair)) if pair >= 0 else Account()
            if not account.waiting:
                continue
            plan, cadence = table.plans[pair], table.targets[pair].datastream.cadence
            spare = tolerance(max(plan.samples, plan.of), cadence) + plan.sustain
            after, findings = settle(account, int(self._marks[at]), spare)
            for finding in findings:
                entry, told = finding.step.judged, finding.step.told
                if entry is not None:
                    event = verdicts.late(table, pair, entry, account, finding, window, self._now)
                else:
                    assert told is not None
                    event = verdicts.revised(table, pair, told, account, finding, window, self._now)
                self._verdicts.append((place, rule, event))
            if after is not account:
                self._accounts[rule, pair] = after
                self._touched[rule, pair] = None
            still |= after.waiting
        self._claims[at] = still

    # -- staging

    def _account(self, pair: Pair) -> Account:
        return self._accounts.get(pair) or self._state.accounts.get(pair) or Account()

    def _staged(self, rule: int) -> State:
        if rule not in self._states:
            self._states[rule] = self._state.states[rule].copy()
        return self._states[rule]

    def _condition(self, place: Pair) -> JudgedCondition:
        rule, pair = place
        table, state = self._state.tables[rule], self._states.get(rule, self._state.states[rule])
        end = self._ends.get(place) or self._state.ends.get(place) or End()
        return JudgedCondition(
            rule=table.rule.id,
            target=table.targets[pair].key,
            phase=Phase(int(state.phase[pair])),
            level=int(state.level[pair]),
            since=_known(state.since[pair]),
            candidate_level=int(state.candidate_level[pair]),
            candidate_since=_known(state.candidate_since[pair]),
            ordinal=end.ordinal,
            hash=end.hash,
            rule_version=table.rule.versions[pair],
            account=self._account(place),
        )


def _known(time: np.int64) -> int | None:
    return None if time == NEVER else int(time)


def _inactive(held: JudgedCondition, entry: Entry) -> JudgedCondition:
    return replace(
        held,
        phase=Phase.INACTIVE,
        level=0,
        since=entry.event_time,
        candidate_level=0,
        candidate_since=None,
        ordinal=entry.ordinal,
        hash=entry.hash,
        account=Account(),
    )
