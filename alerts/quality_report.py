"""What the readings of a series were worth in a stretch of time: flags, tests, completeness, gaps, lateness.

A reading counts as present in the interval of one cadence that it falls into, counted from the first one, so
that several at once hide no gap. *Late* is what came after a newer reading of its series had come. Pure;
called by the HTTP feed with the rows of one series.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.clock import MICROS_PER_SECOND
from ingest.model import ObservationBatch, Quality
from ingest.quality import Test

Times = NDArray[np.int64]
Counts = Mapping[Quality, int]


@dataclass(frozen=True, slots=True)
class Worth:
    """One series between two times; shares are in 0..1, None where there is nothing to share."""

    readings: int
    flags: Counts
    tests: Mapping[Test, Counts]
    present: float | None
    longest_gap: int  # microseconds
    gap_since: int
    late: float | None
    newest: int | None


def worth(rows: ObservationBatch, since: int, until: int, cadence: float) -> Worth:
    """Judge the rows of one series, ascending in time, with since <= time < until; `cadence` in seconds."""
    time = rows.time
    longest, begun = _longest_gap(time, since, until)
    return Worth(
        readings=len(time),
        flags=_counts(rows.quality),
        tests={test: found for test in Test if (found := _counts(rows.tests >> test.shift & 0xF))},
        present=_present(time, since, until, cadence),
        longest_gap=longest,
        gap_since=begun,
        late=_late(rows.received_at),
        newest=int(time[-1]) if len(time) else None,
    )


def _counts(flags: NDArray[np.int8] | NDArray[np.int64]) -> Counts:
    """How many rows have each flag; 0 is a test that was not run."""
    values, counts = np.unique(flags, return_counts=True)
    found = zip(values.tolist(), counts.tolist(), strict=True)
    return {Quality(value): count for value, count in found if value}


def _present(time: Times, since: int, until: int, cadence: float) -> float | None:
    step = cadence * MICROS_PER_SECOND
    wanted = (until - since) / step
    if wanted < 1:
        return None
    slots = len(np.unique(np.round((time - time[0]) / step))) if len(time) else 0
    return min(1.0, slots / wanted)


def _longest_gap(time: Times, since: int, until: int) -> tuple[int, int]:
    """How long, and since when; the edges are ends of gaps too."""
    edges = np.concatenate([[since], time, [until]])
    gaps = np.diff(edges)
    place = int(np.argmax(gaps))
    return int(gaps[place]), int(edges[place])


def _late(received: Times) -> float | None:
    if not len(received):
        return None
    soonest = np.minimum.accumulate(received[::-1])[::-1]  # of this row and all newer ones
    return float(np.mean(received[:-1] > soonest[1:])) * (len(received) - 1) / len(received)
