"""Many derivations that compute alike in one go, so that a batch over hundreds of gauges costs little.

Their inputs are laid one after the other on one line of time, far enough apart not to see each other.
Promises the very results of one by one. Pure; called by the writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ingest.derive.kind import DAY, Computed, Derivation, Series, Times


@dataclass(frozen=True, slots=True)
class Task:
    """One derivation with what its `compute` takes."""

    derivation: Derivation
    at: Times
    inputs: Sequence[Series]


def compute_all(tasks: Sequence[Task]) -> list[Computed]:
    """What each task's own `compute` would give, in their order."""
    alike: dict[Derivation, list[int]] = {}
    for number, task in enumerate(tasks):
        alike.setdefault(task.derivation, []).append(number)
    results: dict[int, Computed] = {}
    for derivation, numbers in alike.items():
        group = [tasks[number] for number in numbers]
        results.update(zip(numbers, _compute(derivation, group), strict=True))
    return [results[number] for number in range(len(tasks))]


def _compute(derivation: Derivation, group: Sequence[Task]) -> list[Computed]:
    if len(group) == 1:
        return [derivation.compute(group[0].at, group[0].inputs)]
    shifts = _shifts(derivation, group)
    at = np.concatenate([task.at + shift for task, shift in zip(group, shifts, strict=True)])
    inputs = [_joined(derivation, group, shifts, number) for number in range(len(derivation.inputs))]
    return _parted(derivation.compute(at, inputs), group, shifts)


def _shifts(derivation: Derivation, group: Sequence[Task]) -> list[int]:
    """By how many whole days each task's times are moved, so that none sees its neighbours' rows."""
    apart = derivation.lookback + derivation.lookahead + 1
    shifts, free = [], int(group[0].at[0])
    for task in group:
        first, last = int(task.at[0]), int(task.at[-1])
        shift = -((first - free) // DAY) * DAY  # the ends of hours and days stay where they are
        shifts.append(shift)
        free = last + shift + 2 * apart
    return shifts


def _joined(derivation: Derivation, group: Sequence[Task], shifts: Sequence[int], number: int) -> Series:
    """One input of all tasks on the common line of time, cut to what their outputs need."""
    cut = [
        task.inputs[number].between(
            int(task.at[0]) - derivation.lookback, int(task.at[-1]) + derivation.lookahead
        )
        for task in group
    ]
    return Series(
        np.concatenate([series.time + shift for series, shift in zip(cut, shifts, strict=True)]),
        np.concatenate([series.value for series in cut]),
        np.concatenate([series.quality for series in cut]),
    )


def _parted(joint: Computed, group: Sequence[Task], shifts: Sequence[int]) -> list[Computed]:
    """Each task's own rows, at their own times."""
    parts, first = [], 0
    for task, shift in zip(group, shifts, strict=True):
        rows = slice(first, first := first + len(task.at))
        until = joint.inputs_until[rows] - shift
        parts.append(Computed(task.at, joint.value[rows], joint.quality[rows], joint.coverage[rows], until))
    return parts
