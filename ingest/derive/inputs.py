"""The newest rows of the datastreams that derivations read, as far back as they look.

`Inputs` holds them; `stage` shows them as they are after a batch, without changing them. What an input has
since its `floor` is all there: what is older must be asked of the table. Pure; called by the refiner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.derive.kind import DAY, NEVER, Flags, Floats, Series, Times
from ingest.memory import Rows, SeriesMemory, Windows, occurrences

Index = NDArray[np.int64]

EVER = -(2**63)
REACH = 20 * 365 * DAY  # microseconds: all that is kept


@dataclass(frozen=True, slots=True)
class News:
    """Rows of inputs that are new, in order of arrival, or (`revised`) stored ones with a new flag."""

    datastream: NDArray[np.int32]
    time: Times
    value: Floats
    quality: Flags

    def __len__(self) -> int:
        return len(self.datastream)


@dataclass(frozen=True, slots=True)
class StagedPool:
    """One pool after a batch. `series`: the touched places; `place`: each place's row in `windows`, -1 where
    it was not touched; `simple`: touched by one row, newer than all; `before`: the newest time before."""

    series: Index
    place: Index
    windows: Windows
    simple: NDArray[np.bool_]
    before: Times
    rows: Rows

    def rows_of(self, place: int) -> Series:
        """All that is remembered of one touched place."""
        return _series(self.windows, int(self.place[place]))


class Inputs:
    """Rows of some datastreams; `rows` says how many of each are needed.

    Those that need as many lie in one pool, each at a place of it: see `place_of`.
    """

    def __init__(self, rows: Mapping[int, int]) -> None:
        self.sizes = sorted(set(rows.values()))
        highest = max(rows, default=-1)
        self._pool = np.full(highest + 2, -1)
        self._place = np.full(highest + 2, -1)
        self.numbers: list[NDArray[np.int64]] = []  # of each pool the datastreams, by place
        for number, size in enumerate(self.sizes):
            members = np.array(sorted(of for of, wanted in rows.items() if wanted == size), np.int64)
            self._pool[members] = number
            self._place[members] = np.arange(len(members))
            self.numbers.append(members)
        self._memories = self._blank()

    def _blank(self) -> list[SeriesMemory]:
        return [SeriesMemory(len(of), size, REACH) for of, size in zip(self.numbers, self.sizes, strict=True)]

    def place_of(self, datastream: int) -> tuple[int, int]:
        """Pool and place of an input."""
        return int(self._pool[datastream]), int(self._place[datastream])

    def forget(self) -> None:
        """Remember nothing."""
        self._memories = self._blank()

    def recall(self, pool: int, rows: News) -> None:
        """Remember these stored rows, of datastreams of a pool that nothing is remembered of."""
        of_pool = np.flatnonzero(self._pools(rows.datastream) == pool)
        self._memories[pool].load(self._rows(rows, of_pool))

    def stage(self, news: News, revised: News) -> list[StagedPool | None]:
        """Each pool after these rows; None where it is untouched."""
        of, again = self._pools(news.datastream), self._pools(revised.datastream)
        return [
            self._stage(
                pool, self._rows(news, np.flatnonzero(of == pool)), revised, np.flatnonzero(again == pool)
            )
            for pool in range(len(self.sizes))
        ]

    def adopt(self, staged: Iterable[StagedPool | None]) -> None:
        """After COMMIT: what was staged becomes memory."""
        for memory, pool in zip(self._memories, staged, strict=True):
            if pool is None:
                continue
            appended = pool.simple[pool.place[pool.rows.series]]
            rows = pool.rows.take(appended)
            memory.append(rows, np.zeros(len(rows), np.int64))
            others = ~pool.simple
            if others.any():
                memory.replace(pool.series[others], pool.windows.take(others))

    def remembered(self, datastream: int) -> Series:
        """All that is remembered of an input."""
        pool, place = self.place_of(datastream)
        return _series(self._memories[pool].gather(np.array([place])), 0)

    def floors(self, windows: Windows) -> Times:
        """Since when each window has all rows: since ever where it is not full."""
        oldest = windows.time[:, 0]
        return np.where(oldest == NEVER, EVER, oldest)

    def _pools(self, datastream: NDArray[np.int32]) -> Index:
        return np.asarray(self._pool[np.minimum(datastream, len(self._pool) - 1)], np.int64)

    def _rows(self, news: News, chosen: NDArray[np.intp]) -> Rows:
        time = news.time[chosen]
        series = self._place[news.datastream[chosen]].astype(np.int64)
        return Rows(series, time, news.value[chosen], news.quality[chosen], time)

    def _stage(self, pool: int, rows: Rows, revised: News, again: NDArray[np.intp]) -> StagedPool | None:
        memory = self._memories[pool]
        marked = self._place[revised.datastream[again]].astype(np.int64)
        series, count = np.unique(rows.series, return_counts=True)
        touched = np.union1d(series, marked)
        if not len(touched):
            return None
        place = np.full(len(self.numbers[pool]), -1)
        place[touched] = np.arange(len(touched))
        windows, before = memory.gather(touched), memory.newest[touched]
        simple = np.zeros(len(touched), np.bool_)
        simple[place[series]] = count == 1
        simple[place[rows.series[rows.time <= memory.newest[rows.series]]]] = False
        occurrence = occurrences(rows.series)
        for number in range(int(occurrence.max(initial=-1)) + 1):
            now = rows.take(occurrence == number)
            windows.push(place[now.series], now)
        for at, time, quality in zip(
            place[marked].tolist(), revised.time[again].tolist(), revised.quality[again].tolist(), strict=True
        ):
            simple[at] = False
            windows.quality[at][windows.time[at] == time] = quality
        return StagedPool(touched, place, windows, simple, before, rows)


def _series(windows: Windows, at: int) -> Series:
    known = windows.time[at] != NEVER
    return Series(windows.time[at][known], windows.value[at][known], windows.quality[at][known])
