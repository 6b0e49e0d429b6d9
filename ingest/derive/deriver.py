"""What new rows of measured datastreams mean for the derived ones: which results, and from which rows.

Promises the results of one pass over all rows, for any order and batching of arrival. Derivations that give
a result at each reading are done together, all alike in one go, where the reading came in order; the others
one by one. `evaluate` changes nothing; what it returns is adopted after COMMIT only. It does no I/O: rows
that are older than its memory come through `load`. Called by the refiner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ingest.derive import Change, Computed, Derivation, Series, derivation
from ingest.derive.inputs import EVER, REACH, Inputs, News, StagedPool
from ingest.derive.kind import NEVER
from ingest.derive.together import Task, compute_all
from ingest.model import ObservationBatch
from ingest.quality.appraiser import Need

if TYPE_CHECKING:  # the catalogue's models ask this package for the kinds
    from ingest.catalog import Catalogue

Index = NDArray[np.int64]
Span = tuple[int, int, int]  # datastream id, and from when to when (microseconds), both included
Load = Callable[[Sequence[Span]], Sequence[Series]]
Staged = Sequence[StagedPool | None]


@dataclass(frozen=True, slots=True)
class DerivedRows:
    """Results to be stored, as columns of one length; `value` NaN is unknown. `new`: of a time at which the
    datastream has no result yet."""

    datastream: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int8]
    coverage: NDArray[np.float64]
    inputs_until: NDArray[np.int64]
    new: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.datastream)

    def take(self, rows: NDArray[np.bool_]) -> DerivedRows:
        return DerivedRows(*(getattr(self, name)[rows] for name in self.__slots__))

    def as_observations(self) -> ObservationBatch:
        """The results as rows for those who decide on them; each came at its own time, of no message."""
        count = len(self)
        return ObservationBatch(
            self.datastream,
            self.time,
            self.value,
            self.quality,
            self.time,
            np.full(count, -1, np.int32),
            np.zeros(count, np.bool_),
            np.zeros(count, np.int8),
            np.zeros(count, np.int64),
        )

    @classmethod
    def of(cls, datastream: NDArray[np.int32], computed: Computed, new: bool) -> DerivedRows:
        """One computation's results, row by row of these datastreams."""
        return cls(
            datastream,
            computed.at,
            computed.value,
            computed.quality,
            computed.coverage,
            computed.inputs_until,
            np.full(len(datastream), new),
        )


@dataclass(frozen=True, slots=True)
class _Derived:
    """A derived datastream: its number, how it is computed, and the numbers of its inputs."""

    number: int
    made: Derivation
    inputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Alike:
    """Derivations that compute alike, at the readings of inputs of one pool: done in one go."""

    made: Derivation
    pool: int
    place: Index
    derived: NDArray[np.int64]  # where each stands among all
    number: NDArray[np.int32]


class Deriver:
    """The derivations of one catalogue; `ids` are the numbers of its datastreams, derived ones too.

    Derived datastreams without a number belong to another nature and are left out.
    """

    def __init__(self, catalogue: Catalogue, ids: Mapping[str, int]) -> None:
        self._derived = list(_derived(catalogue, ids))
        rows: dict[int, int] = {}
        for one in self._derived:
            for number in one.inputs:
                rows[number] = max(rows.get(number, 0), one.made.rows)
        self._inputs = Inputs(rows)
        self._of_input: dict[int, list[int]] = {number: [] for number in rows}
        for place, one in enumerate(self._derived):
            for number in one.inputs:
                self._of_input[number].append(place)
        self._alike = list(self._grouped())
        self._alone = {
            number: [place for place in places if not self._derived[place].made.at_readings]
            for number, places in self._of_input.items()
        }

    def _grouped(self) -> Iterator[_Alike]:
        groups: dict[tuple[Derivation, int], list[int]] = {}
        for place, one in enumerate(self._derived):
            if one.made.at_readings:
                pool, _ = self._inputs.place_of(one.inputs[0])
                groups.setdefault((one.made, pool), []).append(place)
        for (made, pool), places in groups.items():
            members = [self._derived[place] for place in places]
            at = np.array([self._inputs.place_of(one.inputs[0])[1] for one in members], np.int64)
            numbers = np.array([one.number for one in members], np.int32)
            yield _Alike(made, pool, at, np.array(places, np.int64), numbers)

    def needs(self) -> list[Need]:
        """What `rebuild` will read: of these datastreams the newest `rows`."""
        return [
            Need(tuple(of.tolist()), size, REACH)
            for of, size in zip(self._inputs.numbers, self._inputs.sizes, strict=True)
        ]

    def rebuild(self, read: Callable[[Need], Iterable[News]]) -> None:
        """Forget all and remember what `read` gives of each of `needs`, a part of it at a time."""
        self._inputs.forget()
        for pool, need in enumerate(self.needs()):
            for rows in read(need):
                self._inputs.recall(pool, rows)

    def evaluate(self, news: News, revised: News, load: Load) -> tuple[DerivedRows, Staged]:
        """The results of new rows and of rows with a new flag, and what is to be adopted."""
        staged = self._inputs.stage(news, revised)
        results, left = self._at_readings(staged)
        tasks = self._tasks(left, staged, news, revised, load)
        computed = compute_all([task for _, task in tasks])
        for (number, _), one in zip(tasks, computed, strict=True):
            results.append(DerivedRows.of(np.full(len(one), number, np.int32), one, new=False))
        return _all(results), staged

    def adopt(self, staged: Staged) -> None:
        """After COMMIT: what was staged becomes memory."""
        self._inputs.adopt(staged)

    def rederive(self, number: int, rows: Series, newest: int, load: Load) -> DerivedRows:
        """The results on which these stored rows of an input bear, since their values have changed.

        `newest`: the newest time of any of its rows.
        """
        if number not in self._of_input or not len(rows):
            return _all(())
        change = Change(rows.time, newest, newest)
        found = []
        for place in self._of_input[number]:
            one = self._derived[place]
            since, until = one.made.span(change)
            inputs = load([(of, since, until) for of in one.inputs])
            at = one.made.affected(change, inputs)
            if len(at):
                computed = one.made.compute(at, inputs)
                found.append(DerivedRows.of(np.full(len(at), one.number, np.int32), computed, new=False))
        return _all(found)

    # -- results at the readings of inputs that were touched by one row in order: all alike in one go

    def _at_readings(self, staged: Staged) -> tuple[list[DerivedRows], list[int]]:
        """Their results, and the derivations that must be looked at one by one."""
        results: list[DerivedRows] = []
        left: set[int] = set()
        for group in self._alike:
            pool = staged[group.pool]
            if pool is None:
                continue
            row = pool.place[group.place]
            touched = np.flatnonzero(row >= 0)
            row = row[touched]
            floor = self._inputs.floors(pool.windows)[row]
            whole = pool.simple[row] & (floor <= pool.windows.time[row, -1] - group.made.lookback)
            left.update(group.derived[touched[~whole]].tolist())
            if whole.any():
                numbers = group.number[touched[whole]]
                results.append(_of_newest(group.made, numbers, pool, row[whole]))
        for pool_number, pool in enumerate(staged):
            if pool is not None and any(self._alone.values()):
                for number in self._inputs.numbers[pool_number][pool.series].tolist():
                    left.update(self._alone[number])
        return results, sorted(left)

    # -- all others

    def _tasks(
        self, places: Sequence[int], staged: Staged, news: News, revised: News, load: Load
    ) -> list[tuple[int, Task]]:
        """What is to be computed one by one, with the number of each result's datastream."""
        if not places:
            return []
        wanted = {number for place in places for number in self._derived[place].inputs}
        changed = {number: _changed(number, news, revised) for number in sorted(wanted)}
        held = {number: self._held(number, staged) for number in changed}
        asked = [self._change(self._derived[place], changed, staged, held) for place in places]
        spans = [self._derived[place].made.span(change) for place, change in zip(places, asked, strict=True)]
        found = self._rows(places, spans, changed, held, load)
        tasks = []
        for place, change, rows in zip(places, asked, found, strict=True):
            one = self._derived[place]
            at = one.made.affected(change, rows)
            if len(at):
                tasks.append((one.number, Task(one.made, at, rows)))
        return tasks

    def _held(self, number: int, staged: Staged) -> tuple[Series, int]:
        """What is remembered of an input after the batch, and since when that is all of it."""
        pool, place = self._inputs.place_of(number)
        found = staged[pool]
        if found is not None and found.place[place] >= 0:
            rows = found.rows_of(place)
        else:
            rows = self._inputs.remembered(number)
        return rows, EVER if len(rows) < self._inputs.sizes[pool] else int(rows.time[0])

    def _change(
        self,
        one: _Derived,
        changed: Mapping[int, Series],
        staged: Staged,
        held: Mapping[int, tuple[Series, int]],
    ) -> Change:
        times = np.unique(np.concatenate([changed[number].time for number in one.inputs]))
        before, newest = NEVER, NEVER
        for number in one.inputs:
            pool, place = self._inputs.place_of(number)
            found, rows = staged[pool], held[number][0]
            last = int(rows.time[-1]) if len(rows) else NEVER
            touched = found is not None and found.place[place] >= 0
            before = max(before, int(found.before[found.place[place]]) if touched and found else last)
            newest = max(newest, last)
        return Change(times, before, newest)

    def _rows(
        self,
        places: Sequence[int],
        spans: Sequence[tuple[int, int]],
        changed: Mapping[int, Series],
        held: Mapping[int, tuple[Series, int]],
        load: Load,
    ) -> list[list[Series]]:
        """Each derivation's inputs in its span: from memory, or from the table where that began too late."""
        wanted: list[Span] = []
        for place, (since, until) in zip(places, spans, strict=True):
            wanted += [(number, since, until) for number in self._derived[place].inputs]
        missing = [span for span in wanted if held[span[0]][1] > span[1]]
        loaded = dict(zip(missing, load(missing), strict=True)) if missing else {}
        found = []
        for span in wanted:
            number, since, until = span
            if span in loaded:
                found.append(_merged(loaded[span], changed[number].between(since, until)))
            else:
                found.append(held[number][0].between(since, until))
        ends = np.cumsum([0, *(len(self._derived[place].inputs) for place in places)]).tolist()
        return [found[first:last] for first, last in pairwise(ends)]


def _derived(catalogue: Catalogue, ids: Mapping[str, int]) -> Iterator[_Derived]:
    for key, station, derived in catalogue.derived():
        if key in ids:
            made = derivation(derived, station)
            yield _Derived(ids[key], made, tuple(ids[f"{station.id}/{name}"] for name in made.inputs))


def _of_newest(made: Derivation, numbers: NDArray[np.int32], pool: StagedPool, row: Index) -> DerivedRows:
    """The results at the newest row of each of these windows, laid far apart on one line of time."""
    time = pool.windows.time[row]
    at = time[:, -1]
    reached = (time != NEVER) & (time >= at[:, None] - made.lookback)
    shift = np.arange(len(row)) * (2 * made.lookback + 2) - at
    line = Series(
        (time + shift[:, None])[reached], pool.windows.value[row][reached], pool.windows.quality[row][reached]
    )
    found = made.compute(at + shift, [line])
    own = replace(found, at=at, inputs_until=found.inputs_until - shift)
    return DerivedRows.of(numbers, own, new=True)


def _changed(number: int, news: News, revised: News) -> Series:
    """The rows of an input that are new or have a new flag, by time; the values of the latter are unknown."""
    rows = _by_time(_of(news, number))
    again = _of(revised, number)
    order = np.argsort(again.time, kind="stable")
    last = Series(again.time[order], again.value[order], again.quality[order])
    last = last.take(np.r_[last.time[1:] != last.time[:-1], True]) if len(last) else last
    if not len(last):
        return rows
    values = rows.at(last.time)
    return _merged(rows, Series(last.time, values.value, last.quality))


def _of(news: News, number: int) -> Series:
    mine = news.datastream == number
    return Series(news.time[mine], news.value[mine], news.quality[mine])


def _by_time(series: Series) -> Series:
    if (series.time[1:] > series.time[:-1]).all():
        return series
    order = np.argsort(series.time, kind="stable")
    return Series(series.time[order], series.value[order], series.quality[order])


def _merged(rows: Series, news: Series) -> Series:
    """Both in order of time; of two rows at one time the new flag, and the new value where it is known."""
    if not len(news):
        return rows
    known = rows.at(news.time)
    value = np.where(np.isnan(news.value), known.value, news.value)
    kept = rows.take(~np.isin(rows.time, news.time))
    return _by_time(
        Series(
            np.concatenate((kept.time, news.time)),
            np.concatenate((kept.value, value)),
            np.concatenate((kept.quality, news.quality)),
        )
    )


def _all(results: Sequence[DerivedRows]) -> DerivedRows:
    if not results:
        none = np.empty(0, np.int64)
        flags = none.astype(np.int8)
        return DerivedRows(none.astype(np.int32), none, np.empty(0), flags, np.empty(0), none, flags > 0)
    return DerivedRows(
        *(np.concatenate([getattr(one, name) for one in results]) for name in DerivedRows.__slots__)
    )
