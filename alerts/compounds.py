"""The compound's machine: how many members are so, how many unknown, and what follows. Pure.

Called by the engine after each row of a member, and on ticks, when a member may have fallen silent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alerts.condition import State
from alerts.links import Compound
from alerts.model import EventKind, Phase
from alerts.rules.compound import SO, UNKNOWN
from alerts.staging import AFTER_ROWS, Index, Staging, Turn, one, settled
from ingest.memory import NEVER, Windows


@dataclass(frozen=True, slots=True)
class Count:
    """The names of the members that are so, and of those that nobody can know."""

    so: tuple[str, ...]
    unknown: tuple[str, ...]

    def rank(self, needed: int) -> int:
        """`SO`, `UNKNOWN`, or 0: too few are so, whatever the unknown ones are."""
        if len(self.so) >= needed:
            return SO
        return UNKNOWN if len(self.so) + len(self.unknown) >= needed else 0

    def sentence(self, needed: int) -> str:
        """Why, for an event's reason: "2/2: R1/water_level I, R2/water_level II", and after a "?" who is
        unknown."""
        so, unknown = ", ".join(self.so), ", ".join(self.unknown)
        parts = (f"{len(self.so)}/{needed}", f": {so}" if so else "", f"; ? {unknown}" if unknown else "")
        return "".join(parts)


def count(compound: Compound, staging: Staging, arrival: Index, now: int) -> Count:
    """Judge the members at `now`; `arrival`: when each member's series was last heard of."""
    so, unknown = [], []
    for member, heard in zip(compound.members, arrival.tolist(), strict=True):
        if staging.state(member.rule).level[member.pair] >= member.rank:
            so.append(member.name)
        elif heard == NEVER or now - heard > member.silent_after:
            unknown.append(member.name)
    return Count(tuple(so), tuple(unknown))


def settle(compound: Compound, staging: Staging, members: Count, time: int, index: int) -> None:
    """Move the compound's condition to what its members are at `time`, and tell of it.

    Only a tick (`index` is `AFTER_ROWS`) makes it unknown, since it knows whether readings could come; no
    tick ends an alert, since silence never does.
    """
    rule, pair = compound.rule, compound.pair
    before = staging.state(rule).take(np.array([pair]))
    level, rank = int(before.level[0]), members.rank(compound.needed)
    if rank > level and (rank == SO or index == AFTER_ROWS):
        kind = EventKind.ESCALATED if level else EventKind.RAISED
        _put(staging, rule, pair, settled(rank, time))
    elif rank or not level or index == AFTER_ROWS:
        if rank and before.phase[0] == Phase.CLEARING:
            _put(staging, rule, pair, settled(level, time))
        return
    elif before.phase[0] != Phase.CLEARING:
        clearing = settled(level, time)
        clearing.phase[0] = Phase.CLEARING
        _put(staging, rule, pair, clearing)
        return
    elif time - int(before.since[0]) < staging.adopted.tables[rule].limits.hold[pair]:
        return
    else:
        kind = EventKind.CLEARED
        _put(staging, rule, pair, settled(0, time))
    turn = Turn(rule, pair, index, kind, level, time, reason=members.sentence(compound.needed))
    staging.tell(turn, Windows.empty(1, 1, 0), one(np.nan, time))


def _put(staging: Staging, rule: int, pair: int, state: State) -> None:
    staging.move(rule, np.array([pair]), state, np.ones(1, np.bool_))
