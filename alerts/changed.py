"""What a changed configuration leaves behind: conditions of other rules and versions, levels of corrected
zeros.

Called by the engine before a batch's rows. Whatever cannot survive ends with a reason, never in silence.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alerts.condition import surviving_level
from alerts.model import EventKind
from alerts.staging import BEFORE_ROWS, Staging, Turn, settled
from ingest.memory import Windows

ToWindow = Callable[[int], Windows]


def end_orphans(staging: Staging) -> None:
    """End the alerts that have lost their rule or their target."""
    for condition, last in staging.adopted.orphans:
        staging.end(condition, last, "rule removed")


def revise_versions(staging: Staging, window_of: ToWindow) -> None:
    """Judge again what was held under another version of its rule."""
    for rule, pair in staging.adopted.revisions:
        revise(staging, rule, pair, window_of, "rule changed")


def revise(staging: Staging, rule: int, pair: int, window_of: ToWindow, reason: str) -> None:
    """Let an open condition stand, move or end as the rule of now would have it; `window_of` gives a series'
    newest rows."""
    table = staging.adopted.tables[rule]
    columns = staging.touch(rule, pair)  # its new version is stored in any case
    if table.kind is None:
        return
    window = window_of(int(table.series[pair]))
    try:
        signal = table.signal(window, np.array([-np.inf]), np.array([pair]))
    except Exception as error:
        staging.fail(rule, BEFORE_ROWS, error)
        return
    before = int(columns.state.level[pair])
    level = surviving_level(table.limits.take(np.array([pair])), signal, before)
    if level == before:
        return
    kind = EventKind.ESCALATED if level > before else EventKind.LOWERED if level else EventKind.CANCELLED
    time = int(window.time[0, -1]) if level else staging.moment.now
    columns.state.put(np.array([pair]), settled(level, time))
    staging.tell(Turn(rule, pair, BEFORE_ROWS, kind, before, time, reason=reason), window, signal)
