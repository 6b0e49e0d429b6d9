"""What the judge holds of all series, and what one batch comes to. Pure; used by `alerts.judged`, which keeps
the state, and by `alerts.judging`, which stages changes beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.account import Account, JudgedCondition
from alerts.condition import State
from alerts.episode import End, Entry
from alerts.model import Event, EventKind, Phase
from alerts.rules.table import RuleTable
from alerts.staging import Told
from ingest.memory import NEVER, Rows, SeriesMemory, Windows

Index = NDArray[np.int64]
Pair = tuple[int, int]  # the place of a rule's table, and of a target in it

RISES = (EventKind.RAISED, EventKind.ESCALATED)
OPENS = frozenset({*RISES, EventKind.LOWERED, EventKind.CLEARED, EventKind.CANCELLED})


def opens(event: Event) -> bool:
    """Whether an event says at which level its target stands from then on."""
    return event.kind in OPENS


def in_order(told: Iterable[Told], verdicts: Iterable[Told]) -> tuple[Event, ...]:
    """All events of a batch by the places of their rows, what is told before the verdicts of the same row."""
    return tuple(one.event for one in sorted([*told, *verdicts], key=lambda one: one.place))  # a stable sort


@dataclass(slots=True)
class JudgeState:
    """The adopted state. `lateness` in microseconds; `rows`: of a window; `busy`: series that are looked at
    row by row; `claims`: those with anything told or judged that is not settled; `restarts`: what was held
    under another version; `removed`: what was held of rules or targets that are gone."""

    lateness: int
    rows: int
    tables: tuple[RuleTable, ...]
    memory: SeriesMemory
    states: list[State]
    busy: NDArray[np.bool_]
    claims: NDArray[np.bool_]
    ends: dict[Pair, End] = field(default_factory=dict)
    accounts: dict[Pair, Account] = field(default_factory=dict)
    restarts: list[tuple[Pair, JudgedCondition]] = field(default_factory=list)
    removed: list[JudgedCondition] = field(default_factory=list)

    def series_of(self, pair: Pair) -> int:
        return int(self.tables[pair[0]].series[pair[1]])

    def put(self, place: Pair, held: JudgedCondition) -> None:
        """Take over a stored condition, in place."""
        state, pair = self.states[place[0]], place[1]
        state.phase[pair] = held.phase
        state.level[pair] = held.level
        state.since[pair] = NEVER if held.since is None else held.since
        state.candidate_level[pair] = held.candidate_level
        state.candidate_since[pair] = NEVER if held.candidate_since is None else held.candidate_since

    def keep(self, place: Pair, account: Account) -> None:
        """Hold an account while there is anything in it."""
        if account == Account():
            self.accounts.pop(place, None)
        else:
            self.accounts[place] = account

    def watermarks(self, windows: Windows) -> Index:
        """Up to which time the rows of each series are final; `NEVER` where none is."""
        newest = windows.time[:, -1]
        by_time = np.where(newest == NEVER, NEVER, newest - self.lateness)
        return np.asarray(np.maximum(by_time, self.crowded(windows)), np.int64)

    def crowded(self, windows: Windows) -> Index:
        """Up to which time the rows stand that can wait no longer, since too many newer ones do."""
        return windows.time[:, self.rows - 1]

    def busy_among(
        self, series: Index, windows: Windows, marks: Index, states: list[State]
    ) -> NDArray[np.bool_]:
        """Which of some series have a target that is not inactive, or a waiting row that could change one."""
        row, place = np.nonzero((windows.time > marks[:, None]) & np.isfinite(windows.value))
        value = windows.value[row, place]
        busy = np.zeros(len(series), np.bool_)
        for table, state in zip(self.tables, states, strict=True):
            pair = table.pair_of[series]
            busy |= (pair >= 0) & (state.phase[pair] != Phase.INACTIVE)
            stirring = (pair[row] >= 0) & table.stirs(value, pair[row])
            busy[row[stirring]] = True
        return busy


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a batch came to: entries and changed conditions to be stored, events with the places of the rows
    that caused them, rows that were too late, rules that failed, and what `Judge.adopt` takes over."""

    entries: tuple[Entry, ...]
    conditions: tuple[JudgedCondition, ...]
    verdicts: tuple[Told, ...]
    too_late: int
    faults: tuple[tuple[str, str], ...]
    quiet: Rows
    quiet_occurrence: Index
    judged: Index
    windows: Windows
    busy: NDArray[np.bool_]
    claims: NDArray[np.bool_]
    states: dict[int, State]
    ends: dict[Pair, End]
    accounts: dict[Pair, Account]
