"""The condition machine, for many targets at once: inactive, pending, firing(level), clearing.

Promises, for each target and each new usable sample of its signal:

- A level is raised when the newest usable sample stands at or above it and it is confirmed: `samples` of the
  newest `of` usable samples stand at or above it, and where `sustain` is set, the unbroken run of them began
  at least so long ago. Or at once, where the sample is `sure` of it. The highest such level.
- Clearing starts at a sample below the level's clear value and ends after `hold` of event time without a
  sample at or above it. The target then steps down to the highest level that was still held within `hold`,
  or ends. A lower level is judged by the window alone; where that reaches back less than `hold`, it is kept.
- A suspect sample may raise, and may stop clearing; it never starts or ends it.
- Nothing but the stored state, the window and the settings takes part, so a restart changes nothing.

Pure and vectorised; called by the engine, which gives only targets whose newest sample is usable.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.model import EventKind, Phase
from ingest.memory import NEVER, Times

LATER = np.iinfo(np.int64).max  # the start of a run that has no sample

KINDS = (None, EventKind.RAISED, EventKind.ESCALATED, EventKind.LOWERED, EventKind.CLEARED)
NOTHING, RAISED, ESCALATED, LOWERED, CLEARED = range(len(KINDS))


@dataclass(frozen=True, slots=True)
class Signal:
    """n signals as arrays (n, m), newest last, NaN where a sample is missing or not usable.

    `sure` (n): the newest sample alone confirms every level up to the lower of its value and this; by default
    -inf, no level. Whoever knows more than the series (a neighbour that agrees) raises it:
    `replace(signal, sure=np.maximum(signal.sure, ...))`.
    """

    value: NDArray[np.float64]
    time: Times
    suspect: NDArray[np.bool_]
    sure: NDArray[np.float64] = None  # type: ignore[assignment]  # never None once it is made

    def __post_init__(self) -> None:
        if self.sure is None:
            object.__setattr__(self, "sure", np.full(len(self.value), -np.inf))

    def take(self, rows: NDArray[Any]) -> Signal:
        return Signal(self.value[rows], self.time[rows], self.suspect[rows], self.sure[rows])


@dataclass(frozen=True, slots=True)
class Limits:
    """Levels of n targets: `raise_at` and `clear_at` (n, ranks), infinite where a rank has no level.

    `samples` of the newest `of` confirm a level (n); `sustain` (n, microseconds; 0: off) is for how long.
    """

    raise_at: NDArray[np.float64]
    clear_at: NDArray[np.float64]
    hold: Times
    samples: NDArray[np.int64]
    of: NDArray[np.int64]
    sustain: Times

    def take(self, rows: NDArray[Any]) -> Limits:
        return Limits(*(getattr(self, field.name)[rows] for field in fields(self)))

    def raising_only(self, allowed: NDArray[np.bool_]) -> Limits:
        """The limits, with no level to raise where it is not allowed (n); lowering and clearing stay."""
        return replace(self, raise_at=np.where(allowed[:, None], self.raise_at, np.inf))


@dataclass(frozen=True, slots=True)
class State:
    """The state of n targets as columns; times are `NEVER` where there is none."""

    phase: NDArray[np.int8]
    level: NDArray[np.int64]
    since: Times
    candidate_level: NDArray[np.int64]
    candidate_since: Times

    @classmethod
    def inactive(cls, targets: int) -> State:
        """Targets that nothing is known of."""
        none, never = np.zeros(targets, np.int64), np.full(targets, NEVER)
        return cls(np.zeros(targets, np.int8), none, never, none.copy(), never.copy())

    def copy(self) -> State:
        return State(*(getattr(self, field.name).copy() for field in fields(self)))

    def take(self, rows: NDArray[Any]) -> State:
        return State(*(getattr(self, field.name)[rows] for field in fields(self)))

    def put(self, rows: NDArray[Any], other: State) -> None:
        """Write other states over those named by an index array, in place."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)

    def differs(self, other: State) -> NDArray[np.bool_]:
        """Where any column differs."""
        parts = [getattr(self, field.name) != getattr(other, field.name) for field in fields(self)]
        return np.asarray(np.logical_or.reduce(parts), np.bool_)


def step(before: State, limits: Limits, signal: Signal) -> tuple[State, NDArray[np.int8]]:
    """One sample for each of n targets: the new states, and what is to be told (index into `KINDS`)."""
    state = before.copy()
    told = np.zeros(len(state.phase), np.int8)
    value, time = signal.value[:, -1], signal.time[:, -1]
    risen = np.maximum(confirmed_level(limits, signal), before.level)
    up = risen > before.level
    told[up] = np.where(before.level[up] > 0, ESCALATED, RAISED)
    state.level[up] = risen[up]
    state.phase[up] = Phase.FIRING
    state.since[up] = time[up]
    open_before = np.flatnonzero(~up & (before.level > 0))
    if len(open_before):
        _clear(state, told, limits, signal, open_before)
    _propose(state, rank_reached(limits.raise_at, value), time)
    return state, told


def _clear(
    state: State, told: NDArray[np.int8], limits: Limits, signal: Signal, rows: NDArray[np.int64]
) -> None:
    """Start, stop and end clearing in the open targets `rows`, in place."""
    value, time, suspect = signal.value[rows, -1], signal.time[rows, -1], signal.suspect[rows, -1]
    holds = value >= limits.clear_at[rows, state.level[rows] - 1]
    resumed = rows[holds & (state.phase[rows] == Phase.CLEARING)]
    state.phase[resumed] = Phase.FIRING
    state.since[resumed] = signal.time[resumed, -1]

    falls = ~holds & ~suspect
    rows, time = rows[falls], time[falls]
    starts = state.phase[rows] == Phase.FIRING
    run, broken = run_start(signal.take(rows), limits.clear_at[rows, state.level[rows] - 1])
    state.phase[rows] = Phase.CLEARING
    # A late row at or above the clear value, inside the run, makes the run begin after it.
    restarted = np.where(broken, np.maximum(state.since[rows], run), state.since[rows])
    state.since[rows] = np.where(starts, time, restarted)

    ended = rows[time - state.since[rows] >= limits.hold[rows]]
    if len(ended):
        _step_down(state, told, limits.take(ended), signal.take(ended), ended)


def _step_down(
    state: State, told: NDArray[np.int8], limits: Limits, signal: Signal, rows: NDArray[np.int64]
) -> None:
    """End the level of the targets `rows` (as which `limits` and `signal` are given), in place."""
    time = signal.time[:, -1]
    level, since = np.zeros(len(rows), np.int64), time.copy()
    phase = np.full(len(rows), Phase.INACTIVE, np.int8)
    for rank in range(1, limits.raise_at.shape[1] + 1):
        clear_at = limits.clear_at[:, rank - 1]
        run, _ = run_start(signal, clear_at)
        stands = run == LATER  # the newest sample itself holds this level
        held = np.isfinite(clear_at) & (rank < state.level[rows])
        held &= stands | (time - np.where(stands, time, run) < limits.hold)
        level[held] = rank
        since[held] = np.where(stands, time, run)[held]
        phase[held] = np.where(stands, Phase.FIRING, Phase.CLEARING)[held]
    state.level[rows], state.since[rows], state.phase[rows] = level, since, phase
    told[rows] = np.where(level > 0, LOWERED, CLEARED)


def _propose(state: State, reached: NDArray[np.int64], time: Times) -> None:
    """Note a level that was reached and is not confirmed, in place; without an alert that is *pending*."""
    candidate = np.where(reached > state.level, reached, 0)
    changed = candidate != state.candidate_level
    state.candidate_since[changed] = np.where(candidate > 0, time, NEVER)[changed]
    state.candidate_level[changed] = candidate[changed]
    closed = state.level == 0
    phase = np.where(candidate > 0, Phase.PENDING, Phase.INACTIVE).astype(np.int8)
    moved = closed & (phase != state.phase)
    state.phase[moved] = phase[moved]
    state.since[moved] = time[moved]


def rank_reached(limits: NDArray[np.float64], value: NDArray[np.float64]) -> NDArray[np.int64]:
    """The highest rank (from 1; 0 for none) whose limit (n, ranks) the value (n) reaches."""
    ranks = np.arange(1, limits.shape[1] + 1)
    return np.asarray(np.where(limits <= value[:, None], ranks, 0).max(axis=1), np.int64)


def confirmed_level(limits: Limits, signal: Signal) -> NDArray[np.int64]:
    """The highest rank that the newest usable sample reaches and that is confirmed; 0 where there is none."""
    usable = ~np.isnan(signal.value)
    newest = np.where(usable[:, -1], signal.value[:, -1], -np.inf)
    agreed = np.minimum(_reached_by(limits, signal, usable), _sustained(limits, signal, usable))
    return rank_reached(limits.raise_at, np.minimum(newest, np.maximum(agreed, signal.sure)))


def _reached_by(limits: Limits, signal: Signal, usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The value that `samples` of the newest `of` usable samples reach; -inf where there are fewer."""
    counted = np.cumsum(usable[:, ::-1], axis=1)[:, ::-1]
    taken = usable & (counted <= limits.of[:, None])
    if (limits.of == limits.samples).all():
        lowest = np.where(taken, signal.value, np.inf).min(axis=1)
        return np.where(counted[:, 0] >= limits.samples, lowest, -np.inf)
    ranked = -np.sort(np.where(taken, -signal.value, np.inf), axis=1)
    place = np.minimum(limits.samples, ranked.shape[1]) - 1
    enough = ranked.shape[1] >= limits.samples
    return np.where(enough, np.take_along_axis(ranked, place[:, None], axis=1)[:, 0], -np.inf)


def _sustained(limits: Limits, signal: Signal, usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The value that an unbroken run of usable samples, `sustain` long, reaches; inf where that is off."""
    if not limits.sustain.any():
        return np.full(len(signal.value), np.inf)
    value = np.where(usable, signal.value, np.inf)
    lowest_since = np.minimum.accumulate(value[:, ::-1], axis=1)[:, ::-1]
    begun = usable & (signal.time <= (signal.time[:, -1] - limits.sustain)[:, None])
    reached = np.where(begun, lowest_since, -np.inf).max(axis=1)
    return np.where(limits.sustain > 0, reached, np.inf)


def run_start(signal: Signal, limit: NDArray[np.float64]) -> tuple[Times, NDArray[np.bool_]]:
    """When the unbroken run of samples below `limit` up to now began (its oldest one that is not suspect),

    `LATER` where there is no such run, and whether a sample at or above the limit stands before it in the
    window. Suspect samples below the limit neither break nor begin a run.
    """
    at_or_above = signal.value >= limit[:, None]  # False for NaN
    broken = np.logical_or.accumulate(at_or_above[:, ::-1], axis=1)[:, ::-1]
    run = ~broken & ~signal.suspect & ~np.isnan(signal.value)
    return np.where(run, signal.time, LATER).min(axis=1), broken[:, 0]


def surviving_level(limits: Limits, signal: Signal, level: int) -> int:
    """The level at which one open target stands under changed limits, as if `hold` had passed; 0: none.

    Without a usable sample nothing is known, and the alert stays at the nearest rank that there still is.
    """
    finite = np.flatnonzero(np.isfinite(limits.raise_at[0])) + 1
    if np.isnan(signal.value[0, -1]):
        return int(max(finite[finite <= level], default=finite[0]))
    recent = signal.time[0] > signal.time[0, -1] - max(int(limits.hold[0]), 1)
    highest = np.nanmax(signal.value[0][recent])
    held = finite[(finite <= level) & (limits.clear_at[0, finite - 1] <= highest)]
    return int(max(int(confirmed_level(limits, signal)[0]), max(held, default=0)))
