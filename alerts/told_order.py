"""Which row of a batch each told event came of, and the one order of all that a batch tells. Pure.

Needed since a verdict of the judge stands behind what the engine tells of the same row and before what it
tells of the next, however rows were batched. Called by `alerts.sink`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from alerts.judge_state import BEFORE_ROWS, Told
from alerts.model import Event
from ingest.model import Changes, ObservationBatch

AFTER_ROWS = np.iinfo(np.int64).max


def placed(events: Sequence[Event], changes: Changes, numbers: Mapping[str, int]) -> list[Told]:
    """The engine's events, in its order, with the places of their rows; `numbers`: the datastream of each
    target. What a tick tells comes after the rows, what a changed configuration tells before them."""
    if not events:
        return []
    rows = _rows(events, changes.inserted, numbers)
    found: list[Told] = []
    place = BEFORE_ROWS
    last = max(
        (at for at, event in enumerate(events) if (event.target, event.event_time) in rows), default=-1
    )
    for at, event in enumerate(events):
        place = rows.get((event.target, event.event_time), place)
        ticked = changes.moment.tick and at > last and not event.reason
        found.append(Told(AFTER_ROWS if ticked else place, event))
    return found


def merged(told: Iterable[Told], verdicts: Iterable[Told]) -> tuple[Event, ...]:
    """All events of a batch in the order of their rows, the engine's first."""
    order = sorted([*told, *verdicts], key=lambda one: one.place)  # stable
    return tuple(one.event for one in order)


def _rows(
    events: Sequence[Event], batch: ObservationBatch, numbers: Mapping[str, int]
) -> dict[tuple[str, int], int]:
    """The place of each (target, time) that an event can have come of: a row's own time, or its arrival,
    which ends a silence."""
    targets = {numbers[event.target]: event.target for event in events if event.target in numbers}
    asked = np.flatnonzero(np.isin(batch.datastream, list(targets)))
    found: dict[tuple[str, int], int] = {}
    for times in (batch.received_at, batch.time):
        for place in asked[::-1].tolist():
            found[targets[int(batch.datastream[place])], int(times[place])] = place
    return found
