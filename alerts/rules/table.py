"""One rule over all its targets as columns, and the conditions it holds. Pure; used by the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from alerts.condition import Limits, Signal, State
from alerts.model import Condition, Phase, Severity
from alerts.rules.book import Rule
from alerts.rules.kind import ArrivalKind, Band, Plan, RowKind, Target, across_installations
from ingest.memory import NEVER, Windows
from ingest.model import Quality

ANY_FLAG = frozenset({Quality.PASS, Quality.NOT_EVALUATED, Quality.SUSPECT})


class RuleTable:
    """The plans of a rule's targets as arrays; a *pair* is a target's place in them.

    `series` is each pair's series, `pair_of` each series' pair (-1 for none). The engine judges under
    `limits_at`. `remind` and `escalate` (pairs, ranks) are microseconds, 0 for never: after so long without
    an event of its alert a level is told again as it is; after so long at it, once, as `escalated` severe.
    """

    def __init__(self, rule: Rule, series_of: Mapping[int, int]) -> None:
        self.rule = rule
        self.kind = rule.kind if isinstance(rule.kind, RowKind) else None
        self.listens = isinstance(rule.kind, ArrivalKind)
        self.targets: tuple[Target, ...] = tuple(target for target, _ in rule.plans)
        self.plans: tuple[Plan, ...] = tuple(plan for _, plan in rule.plans)
        self.pairs = {target.key: pair for pair, target in enumerate(self.targets)}
        self.series = np.array([series_of[target.number] for target in self.targets], np.int64)
        self.pair_of = np.full(len(series_of), -1)
        self.pair_of[self.series] = np.arange(len(self.series))
        self.leads = np.array([bool(target.behind) for target in self.targets], np.bool_)
        self.behind = self._behind()
        self.commissioned = np.array(
            [_stored(target.station.commissioned) for target in self.targets], np.int64
        )
        self.limits = _limits(self.plans)
        ranks = self.limits.raise_at.shape[1]
        self.remind = _by_rank(ranks, [plan.remind for plan in self.plans])
        self.escalate = _by_rank(ranks, [tuple(one[:2] for one in plan.escalate) for plan in self.plans])
        self._sign = rule.settings.sign
        self._own = np.array([plan.own for plan in self.plans], np.float64).reshape(len(self.plans), -1)
        self._quiet_below = np.array([plan.quiet_below for plan in self.plans], np.float64)
        self.lowest = self.limits.raise_at.min(axis=1, initial=np.inf)
        self.memory = max((plan.memory for plan in self.plans), default=0)
        self._rows = max((plan.rows for plan in self.plans), default=1)
        accepted = self.kind.accepted(rule.settings) if self.kind else ANY_FLAG
        self._resets = _resets(self.targets)
        self._cut = self.kind is not None and not across_installations(self.kind)
        self.accepted = np.zeros(max(Quality) + 1, np.bool_)
        self.accepted[list(accepted)] = True

    @property
    def version(self) -> str:
        """The version of the rule as a whole: of its first target, since all share its settings."""
        return self.rule.versions[0]

    def active(self, state: State, pair: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a row can change some pairs whatever its value: an alert or a candidate is there, the
        silence of the gateway that it came by too."""
        active = state.phase[pair] != Phase.INACTIVE
        if self.leads.any():
            gateway = self.behind[pair]
            active |= (gateway >= 0) & (state.phase[gateway] != Phase.INACTIVE)
        return np.asarray(active, np.bool_)

    def stirs(self, value: NDArray[np.float64], pair: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a value can change its pair while that has no alert; NaN cannot."""
        return np.asarray(self._sign * value >= self._quiet_below[pair], np.bool_)

    def may_raise(self, time: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the rule may raise or escalate at each of n times: its `active`, in local time."""
        active = self.rule.settings.active
        return np.ones(len(time), np.bool_) if active is None else active.holds(time)

    def limits_at(self, pair: NDArray[np.int64], time: NDArray[np.int64]) -> Limits:
        """The limits of some pairs at their times; where the rule is not active no level can be raised."""
        limits = self.limits.take(pair)
        return limits if self.rule.settings.active is None else limits.raising_only(self.may_raise(time))

    def escalated(self, pair: int, rank: int) -> Severity | None:
        """The severity of a level that has stood for `escalate`; None where it does not escalate."""
        return next((severity for one, _, severity in self.plans[pair].escalate if one == rank), None)

    def usable(self, windows: Windows) -> NDArray[np.bool_]:
        """The rows that may take part: accepted flag, a finite value, within the rule's memory."""
        known = (windows.time != NEVER) & np.isfinite(windows.value)
        known &= windows.time >= windows.time[:, -1:] - self.memory
        return np.asarray(known & self.accepted[windows.quality], np.bool_)

    def comparable(self, windows: Windows, pair: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The usable rows of each pair's window that the sensor measured which measured its newest row."""
        usable = self.usable(windows)
        if not self._resets.shape[1]:
            return usable
        resets, newest = self._resets[pair], windows.time[:, -1:]
        begin = np.where(resets <= newest, resets, NEVER).max(axis=1)
        return np.asarray(usable & (windows.time >= begin[:, None]), np.bool_)

    def signal(self, windows: Windows, floor: NDArray[np.float64], pair: NDArray[np.int64]) -> Signal:
        """The signal of some pairs, from as many rows as their rule looks at, whatever others remember; only
        of a rule whose kind has one. For `floor` see `RowKind.signal`."""
        assert self.kind is not None
        windows = windows.last(self._rows)
        usable = self.comparable(windows, pair) if self._cut else self.usable(windows)
        return self.kind.signal(self.rule.settings, windows, usable, floor, self._own[pair])

    def band(self, pair: int, rank: int) -> Band | None:
        """The level of that rank at a target."""
        return next((band for band in self.plans[pair].bands if band.rank == rank), None)

    def columns(self) -> Columns:
        """Conditions of which nothing is known yet."""
        return Columns.blank(len(self.targets))

    def condition(self, columns: Columns, pair: int) -> Condition:
        """One condition as it is stored."""
        state = columns.state
        return Condition(
            rule=self.rule.id,
            target=self.targets[pair].key,
            phase=Phase(int(state.phase[pair])),
            level=int(state.level[pair]),
            since=_known(state.since[pair]),
            candidate_level=int(state.candidate_level[pair]),
            candidate_since=_known(state.candidate_since[pair]),
            alert_id=columns.alert_id[pair],
            opened_at=_known(columns.opened_at[pair]),
            ordinal=int(columns.ordinal[pair]),
            rule_version=self.rule.versions[pair],
            told_at=_known(columns.told_at[pair]),
            level_since=_known(columns.level_since[pair]),
            prolonged=bool(columns.prolonged[pair]),
        )

    def _behind(self) -> NDArray[np.int64]:
        """Each pair's gateway in this table, -1 where it has none: the pair whose sensors it is among."""
        behind = np.full(len(self.targets), -1)
        for gateway in np.flatnonzero(self.leads).tolist():
            for target in self.targets[gateway].behind:
                behind[self.pairs[target.key]] = gateway
        return behind


@dataclass(frozen=True, slots=True)
class Columns:
    """The conditions of one rule: the machine's state, the alert that each belongs to, and what was told."""

    state: State
    opened_at: NDArray[np.int64]
    ordinal: NDArray[np.int64]
    told_at: NDArray[np.int64]
    level_since: NDArray[np.int64]
    prolonged: NDArray[np.bool_]
    alert_id: list[str | None]

    @classmethod
    def blank(cls, pairs: int) -> Columns:
        """So many conditions of which nothing is known."""
        never = np.full(pairs, NEVER)
        return cls(
            State.inactive(pairs),
            never,
            np.zeros(pairs, np.int64),
            never.copy(),
            never.copy(),
            np.zeros(pairs, np.bool_),
            [None] * pairs,
        )

    def copy(self) -> Columns:
        return Columns(*(getattr(self, field.name).copy() for field in fields(self)))

    def put(self, pair: int, condition: Condition) -> None:
        """Take over a stored condition, in place."""
        state = self.state
        state.phase[pair] = condition.phase
        state.level[pair] = condition.level
        state.since[pair] = _stored(condition.since)
        state.candidate_level[pair] = condition.candidate_level
        state.candidate_since[pair] = _stored(condition.candidate_since)
        self.opened_at[pair] = _stored(condition.opened_at)
        self.ordinal[pair] = condition.ordinal
        self.told_at[pair] = _stored(condition.told_at)
        self.level_since[pair] = _stored(condition.level_since)
        self.prolonged[pair] = condition.prolonged
        self.alert_id[pair] = condition.alert_id


def _resets(targets: tuple[Target, ...]) -> NDArray[np.int64]:
    """(targets, most of any): when each target's new installations begin; `NEVER` in empty places."""
    times = [target.datastream.resets() for target in targets]
    resets = np.full((len(times), max(map(len, times), default=0)), NEVER)
    for target, known in enumerate(times):
        resets[target, : len(known)] = known
    return resets


def _limits(plans: tuple[Plan, ...]) -> Limits:
    ranks = max((band.rank for plan in plans for band in plan.bands), default=1)
    raise_at = np.full((len(plans), ranks), np.inf)
    clear_at = np.full((len(plans), ranks), np.inf)
    for pair, plan in enumerate(plans):
        for band in plan.bands:
            raise_at[pair, band.rank - 1] = band.raise_at
            clear_at[pair, band.rank - 1] = band.clear_at
    hold = np.array([plan.hold for plan in plans], np.int64)
    samples = np.array([plan.samples for plan in plans], np.int64)
    of = np.array([plan.of or plan.samples for plan in plans], np.int64)
    sustain = np.array([plan.sustain for plan in plans], np.int64)
    return Limits(raise_at, clear_at, hold, samples, of, sustain)


def _by_rank(ranks: int, times: Sequence[tuple[tuple[int, int], ...]]) -> NDArray[np.int64]:
    """(targets, ranks) of (rank, time) given for each target; 0 where none is."""
    found = np.zeros((len(times), ranks), np.int64)
    for pair, known in enumerate(times):
        for rank, time in known:
            found[pair, rank - 1] = time
    return found


def _known(time: np.int64) -> int | None:
    return None if time == NEVER else int(time)


def _stored(time: int | None) -> int:
    return NEVER if time is None else time
