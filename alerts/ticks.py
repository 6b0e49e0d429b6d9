"""What the passing of time decides: silence, blindness, compounds whose members fall silent, reminders.

Judged on ticks, at the moment's `now`, after the batch's rows. Silence counts from the later of the last
arrival and the end of our own blindness, and is not judged while we are blind: that is one alert about
ourselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from alerts import compounds, events
from alerts.evaluation import Evaluation
from alerts.model import NEVER_HEARD, SIGHT, Condition, EventKind, Phase
from alerts.rules.kind import MICROS, Target
from alerts.rules.table import RuleTable
from alerts.staging import AFTER_ROWS, BEFORE_ROWS, Index, Staging, Turn, one, settled
from ingest.memory import NEVER

MOST_NAMED = 20  # of the sensors behind a gateway; an application server may have thousands
BLIND_AFTER = 120 * MICROS  # a reconnect and its backlog take less; nobody is called for those


class Tick:
    """One tick over a batch that has been judged."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._staging: Staging = evaluation.staging
        self._window = evaluation.window
        self._arrival = evaluation.arrival()
        self._now = self._staging.moment.now

    def judge(self) -> None:
        """Everything that time decides."""
        self._look()
        sighted = self._staging.moment.sighted_since
        if sighted is not None:
            for rule, table in enumerate(self._staging.adopted.tables):
                if table.listens:
                    self._silence(rule, table, sighted)
            self._compounds(sighted)
        for rule, table in enumerate(self._staging.adopted.tables):
            self._remind(rule, table)

    # -- blindness

    def _look(self) -> None:
        """Begin, tell or end the alert about our own blindness."""
        condition, blind = self._staging.ours(SIGHT), self._staging.moment.sighted_since is None
        phase = condition.phase if condition else Phase.INACTIVE
        if blind and phase is Phase.INACTIVE:
            self._staging.keep_of_us(self._sight(condition, Phase.PENDING, self._now))
        elif blind and phase is Phase.PENDING and self._now - self._since(condition) >= BLIND_AFTER:
            self._tell_blind(condition)
        elif not blind and phase is Phase.PENDING:
            self._staging.keep_of_us(self._sight(condition, Phase.INACTIVE, self._now))
        elif not blind and phase is Phase.FIRING:
            assert condition is not None
            event, ended = events.clear_self(
                condition, self._staging.nature(), self._now, "readings reach us again"
            )
            self._staging.tell_of_us(event, ended, AFTER_ROWS, BEFORE_ROWS)

    def _tell_blind(self, condition: Condition | None) -> None:
        reason = "no reading can reach us: nobody is watching, whatever the stations show"
        fault = events.OurFault(SIGHT, "blind", "", self._staging.nature(), reason)
        ordinal = condition.ordinal + 1 if condition else 1
        event, firing = events.tell_self(fault, self._now, ordinal)
        self._staging.tell_of_us(event, firing, AFTER_ROWS, BEFORE_ROWS)

    def _sight(self, before: Condition | None, phase: Phase, since: int) -> Condition:
        if before is None:
            return replace(events.nothing_of_us(SIGHT), phase=phase, since=since)
        return replace(before, phase=phase, since=since)

    @staticmethod
    def _since(condition: Condition | None) -> int:
        assert condition is not None
        assert condition.since is not None
        return condition.since

    # -- silence

    def _silence(self, rule: int, table: RuleTable, sighted: int) -> None:
        """Who has been silent for too long: a gateway speaks for all that only it hears."""
        if not table.may_raise(np.array([self._now]))[0]:
            return
        state = self._staging.state(rule)
        limit = np.round(table.limits.raise_at[:, 0] * MICROS).astype(np.int64)
        returned = np.where(table.behind >= 0, state.since[table.behind], NEVER)
        heard = np.where(table.leads, self._last_of(table), self._arrival[table.series])
        begin = np.maximum(np.maximum(heard, sighted), returned)
        late = (heard != NEVER) & (state.level == 0) & (self._now - begin >= limit)
        for pair in np.flatnonzero(late & table.leads).tolist():
            self._fall_silent(rule, table, pair, int(begin[pair]) + int(limit[pair]))
        state = self._staging.state(rule)
        alone = ~table.leads & ~((table.behind >= 0) & (state.level[table.behind] > 0))
        for pair in np.flatnonzero(late & alone).tolist():
            self._fall_silent(rule, table, pair, int(begin[pair]) + int(limit[pair]))
        due = np.maximum(table.commissioned, sighted)
        missing = (heard == NEVER) & (table.commissioned != NEVER) & (state.level == 0) & (self._now >= due)
        for pair in np.flatnonzero(missing & ~table.leads).tolist():
            self._fall_silent(rule, table, pair, int(table.commissioned[pair]), NEVER_HEARD)

    def _last_of(self, table: RuleTable) -> Index:
        """Of each gateway the last arrival from any sensor behind it."""
        last = np.full(len(table.targets), NEVER)
        behind = np.flatnonzero(table.behind >= 0)
        np.maximum.at(last, table.behind[behind], self._arrival[table.series[behind]])
        return last

    def _fall_silent(self, rule: int, table: RuleTable, pair: int, since: int, reason: str = "") -> None:
        self._staging.move(rule, np.array([pair]), settled(1, since), np.ones(1, np.bool_))
        silent = (self._now - since) / MICROS
        if reason != NEVER_HEARD:
            silent += float(table.limits.raise_at[pair, 0])
        reason = reason or _named(table.targets[pair].behind)
        turn = Turn(rule, pair, AFTER_ROWS, EventKind.RAISED, 0, since, reason=reason)
        self._staging.tell(turn, self._window(int(table.series[pair])), one(silent, since))

    # -- compounds

    def _compounds(self, sighted: int) -> None:
        links = self._staging.adopted.links
        for compound in links.every_compound:
            heard = self._arrival[compound.series]
            arrival = np.where(heard == NEVER, NEVER, np.maximum(heard, sighted))
            members = compounds.count(compound, self._staging, arrival, self._now)
            compounds.settle(compound, self._staging, members, self._now, AFTER_ROWS)

    # -- reminders

    def _remind(self, rule: int, table: RuleTable) -> None:
        """Say again what is still open, and as worse what has stood for too long."""
        columns = self._staging.columns(rule)
        opened = np.flatnonzero(columns.state.level > 0)
        if not len(opened) or not (table.remind.any() or table.escalate.any()):
            return
        rank = columns.state.level[opened] - 1
        worse, again = table.escalate[opened, rank], table.remind[opened, rank]
        may_raise = table.may_raise(np.full(len(opened), self._now))
        stood = (worse > 0) & ~columns.prolonged[opened] & may_raise
        stood &= self._now - columns.level_since[opened] >= worse
        due = (again > 0) & ~stood & (self._now - columns.told_at[opened] >= again)
        for pair in opened[stood].tolist():
            self._say(rule, table, pair, EventKind.ESCALATED)
        for pair in opened[due].tolist():
            self._say(rule, table, pair, EventKind.REMINDED)

    def _say(self, rule: int, table: RuleTable, pair: int, kind: EventKind) -> None:
        """Tell of an alert again, with its newest signal."""
        columns = self._staging.touch(rule, pair)
        columns.prolonged[pair] |= kind is EventKind.ESCALATED
        level = int(columns.state.level[pair])
        severity = table.escalated(pair, level) if columns.prolonged[pair] else None
        window = self._window(int(table.series[pair]))
        signal = one(np.nan, self._now)
        if table.kind is not None:
            try:
                signal = table.signal(window, np.array([-np.inf]), np.array([pair]))
            except Exception as error:
                self._staging.fail(rule, AFTER_ROWS, error)
                return
        reason = "stands for too long" if kind is EventKind.ESCALATED else "still open"
        turn = Turn(rule, pair, AFTER_ROWS, kind, level, self._now, reason=reason, severity=severity)
        self._staging.tell(turn, window, signal)


def _named(behind: Sequence[Target]) -> str:
    """The sensors behind a gateway, the first by name and the others counted."""
    more = len(behind) - MOST_NAMED
    names = [target.key for target in behind[:MOST_NAMED]]
    return ", ".join([*names, f"+{more}"] if more > 0 else names)
