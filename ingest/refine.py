"""What new rows are worth and what follows from them: quality tests, then derived datastreams.

Called by the writer between classifying rows and letting the sinks decide. `evaluate` changes nothing: it
returns what is to be stored and, after COMMIT only, adopted. Flags of a row are those at its arrival; what a
later row decides of it is a revision, so that neither depends on how a stream is cut into batches. Derived
results are the same for any order of arrival. It does no I/O: rows that are older than its memory come
through `load`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ingest.catalog import Catalogue
from ingest.derive import Change, Computed, Derivation, Series, derivation
from ingest.derive.kind import DAY, NEVER
from ingest.derive.together import Task, compute_all
from ingest.model import ObservationBatch
from ingest.quality.appraiser import Appraisal, Appraiser, Need, Revisions

EVER = -(2**63)
_REACH = 20 * 365 * DAY  # microseconds: all that is kept

Span = tuple[int, int, int]  # datastream id, and from when to when (microseconds), both included
Load = Callable[[Sequence[Span]], Sequence[Series]]


@dataclass(frozen=True, slots=True)
class DerivedRows:
    """Results to be stored, as columns of one length; `value` NaN is unknown."""

    datastream: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int8]
    coverage: NDArray[np.float64]
    inputs_until: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.datastream)


@dataclass(frozen=True, slots=True)
class Refined:
    """What a batch of new rows came to: the rows with their flags, revisions of earlier ones, results."""

    rows: ObservationBatch
    revisions: Revisions
    derived: DerivedRows
    appraisal: Appraisal
    inputs: Mapping[int, _Input]


@dataclass(frozen=True, slots=True)
class _Input:
    """The newest rows of an input of derivations: all that it has since `floor`."""

    rows: Series
    floor: int
    most: int

    @property
    def newest(self) -> int:
        return int(self.rows.time[-1]) if len(self.rows) else NEVER

    def with_rows(self, changed: Series) -> _Input:
        """With rows that are new or have another flag; those below the floor are left to the table."""
        rows = _merged(self.rows, changed.take(changed.time >= self.floor))
        if len(rows) <= self.most:
            return replace(self, rows=rows)
        kept = Series(rows.time[-self.most :], rows.value[-self.most :], rows.quality[-self.most :])
        return _Input(kept, int(kept.time[0]), self.most)


class Refiner:
    """The tests and derivations of one catalogue; `ids` are the numbers of its datastreams, derived ones too.

    Datastreams without a number belong to another nature and are left out.
    """

    def __init__(self, catalogue: Catalogue, ids: Mapping[str, int]) -> None:
        resets = catalogue.resets()
        self._appraiser = Appraiser(
            [(ids[key], key, stream) for key, _, stream in catalogue.datastreams() if key in ids],
            {ids[key]: times for key, times in resets.items() if key in ids},
        )
        self._derivations: list[tuple[int, Derivation, tuple[int, ...]]] = []
        self._of_input: dict[int, list[int]] = {}
        self._inputs: dict[int, _Input] = {}
        for key, station, derived in catalogue.derived():
            if key in ids:
                made = derivation(derived, station)
                inputs = tuple(ids[f"{station.id}/{name}"] for name in made.inputs)
                self._add(ids[key], made, inputs)

    def _add(self, number: int, made: Derivation, inputs: tuple[int, ...]) -> None:
        for datastream in inputs:
            self._of_input.setdefault(datastream, []).append(len(self._derivations))
            known = self._inputs.get(datastream)
            most = max(made.rows, known.most if known else 0)
            self._inputs[datastream] = _Input(Series.empty(), EVER, most)
        self._derivations.append((number, made, inputs))

    # -- memory

    def needs(self) -> list[Need]:
        """What `rebuild` must be given: of these datastreams the newest `rows` within `span` microseconds."""
        by_most: dict[int, list[int]] = {}
        for datastream, held in self._inputs.items():
            by_most.setdefault(held.most, []).append(datastream)
        inputs = [Need(tuple(of), most, _REACH) for most, of in sorted(by_most.items())]
        return [*self._appraiser.needs(), *inputs]

    def rebuild(self, stored: Sequence[ObservationBatch]) -> None:
        """Forget all and remember these rows, one batch for each of `needs`, as they are to be read now."""
        tests = len(self._appraiser.needs())
        self._appraiser.rebuild(_joined(stored[:tests]))
        for need, rows in zip(self.needs()[tests:], stored[tests:], strict=True):
            for datastream in need.datastreams:
                found = _series(rows, rows.datastream == datastream)
                floor = int(found.time[0]) if len(found) >= need.rows else EVER
                self._inputs[datastream] = _Input(found, floor, need.rows)

    # -- a batch

    def evaluate(self, fresh: ObservationBatch, load: Load) -> Refined:
        """Judge and derive; `fresh` are rows without duplicates, in order of arrival."""
        appraisal = self._appraiser.evaluate(fresh)
        rows = replace(fresh, quality=appraisal.quality, tests=appraisal.tests)
        changed = self._changed(rows, appraisal.revisions)
        inputs = {number: self._inputs[number].with_rows(series) for number, series in changed.items()}
        tasks = self._tasks(changed, inputs, load)
        results = compute_all([task for _, task in tasks])
        derived = _columns([number for number, _ in tasks], results)
        return Refined(rows, appraisal.revisions, derived, appraisal, inputs)

    def adopt(self, refined: Refined) -> None:
        """After COMMIT: what was judged and derived becomes memory."""
        self._appraiser.adopt(refined.appraisal)
        self._inputs.update(refined.inputs)

    def _changed(self, rows: ObservationBatch, revisions: Revisions) -> dict[int, Series]:
        """The rows of inputs that are new or newly flagged, by datastream, in order of time."""
        changed: dict[int, Series] = {}
        for number, of in _groups(rows.datastream, self._of_input):
            changed[number] = _by_time(Series(rows.time[of], rows.value[of], rows.quality[of]))
        for number, of in _groups(revisions.datastream, self._of_input):
            mine = changed.get(number, Series.empty())
            known = self._inputs[number].rows
            changed[number] = _reflagged(mine, known, revisions.time[of], revisions.quality[of])
        return {number: series for number, series in changed.items() if len(series)}

    def _tasks(
        self, changed: Mapping[int, Series], inputs: Mapping[int, _Input], load: Load
    ) -> list[tuple[int, Task]]:
        """What is to be computed, with the number of each result's datastream."""
        touched = sorted({place for number in changed for place in self._of_input[number]})
        asked = [self._change(place, changed, inputs) for place in touched]
        spans = [
            self._derivations[place][1].span(change) for place, change in zip(touched, asked, strict=True)
        ]
        found = self._rows(touched, spans, changed, inputs, load)
        tasks = []
        for place, change, rows in zip(touched, asked, found, strict=True):
            number, made, _ = self._derivations[place]
            at = made.affected(change, rows)
            if len(at):
                tasks.append((number, Task(made, at, rows)))
        return tasks

    def _change(self, place: int, changed: Mapping[int, Series], inputs: Mapping[int, _Input]) -> Change:
        _, _, of = self._derivations[place]
        times = np.unique(np.concatenate([changed[number].time for number in of if number in changed]))
        before = max(self._inputs[number].newest for number in of)
        newest = max(inputs.get(number, self._inputs[number]).newest for number in of)
        return Change(times, before, newest)

    def _rows(
        self,
        touched: Sequence[int],
        spans: Sequence[tuple[int, int]],
        changed: Mapping[int, Series],
        inputs: Mapping[int, _Input],
        load: Load,
    ) -> list[list[Series]]:
        """Each derivation's inputs in its span: from memory, or from the table where that began too late."""
        wanted: list[Span] = []
        for place, (since, until) in zip(touched, spans, strict=True):
            wanted += [(number, since, until) for number in self._derivations[place][2]]
        held = [inputs.get(number, self._inputs[number]) for number, _, _ in wanted]
        missing = [span for span, one in zip(wanted, held, strict=True) if one.floor > span[1]]
        loaded = dict(zip(missing, load(missing), strict=True)) if missing else {}
        found = []
        for span, one in zip(wanted, held, strict=True):
            number, since, until = span
            if span in loaded:
                rows = _merged(loaded[span], changed.get(number, Series.empty()).between(since, until))
            else:
                rows = one.rows.between(since, until)
            found.append(rows)
        sizes = [len(self._derivations[place][2]) for place in touched]
        ends = np.cumsum([0, *sizes]).tolist()
        return [found[first:last] for first, last in zip(ends[:-1], ends[1:], strict=True)]


def _groups(
    datastream: NDArray[np.int32], wanted: Mapping[int, object]
) -> Iterable[tuple[int, NDArray[np.intp]]]:
    """Each wanted datastream among these with its rows, in order of arrival."""
    if not wanted or not len(datastream):
        return
    order = np.argsort(datastream, kind="stable")
    numbers, first = np.unique(datastream[order], return_index=True)
    for number, rows in zip(numbers.tolist(), np.split(order, first[1:]), strict=True):
        if number in wanted:
            yield number, rows


def _by_time(series: Series) -> Series:
    if (series.time[1:] > series.time[:-1]).all():
        return series
    order = np.argsort(series.time, kind="stable")
    return Series(series.time[order], series.value[order], series.quality[order])


def _merged(rows: Series, news: Series) -> Series:
    """Both in order of time; of two rows at one time the new one."""
    if not len(news):
        return rows
    if not len(rows) or news.time[0] > rows.time[-1]:
        parts = (rows, news)
    else:
        parts = (rows.take(~np.isin(rows.time, news.time)), news)
    joined = Series(
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.quality for part in parts]),
    )
    return _by_time(joined)


def _reflagged(mine: Series, known: Series, time: NDArray[np.int64], quality: NDArray[np.int8]) -> Series:
    """`mine` and the known rows at those times, with the flags that they have now."""
    stored = known.take(np.isin(known.time, time))
    rows = _merged(stored, mine)
    order = np.argsort(time, kind="stable")  # the last word on a row stands
    place = np.searchsorted(time[order], rows.time, "right") - 1
    told = (place >= 0) & (time[order][place] == rows.time)
    return Series(rows.time, rows.value, np.where(told, quality[order][place], rows.quality))


def _series(rows: ObservationBatch, chosen: NDArray[np.bool_]) -> Series:
    return _by_time(Series(rows.time[chosen], rows.value[chosen], rows.quality[chosen]))


def _joined(batches: Sequence[ObservationBatch]) -> ObservationBatch:
    if not batches:
        return ObservationBatch.empty()
    columns = {
        name: np.concatenate([getattr(batch, name) for batch in batches])
        for name in ObservationBatch.__slots__
    }
    return ObservationBatch(**columns)


def _columns(numbers: Sequence[int], results: Sequence[Computed]) -> DerivedRows:
    sizes = [len(result) for result in results]
    if not results:
        none = np.empty(0)
        return DerivedRows(
            none.astype(np.int32),
            none.astype(np.int64),
            none,
            none.astype(np.int8),
            none,
            none.astype(np.int64),
        )
    return DerivedRows(
        np.repeat(np.array(numbers, np.int32), sizes),
        np.concatenate([result.at for result in results]),
        np.concatenate([result.value for result in results]),
        np.concatenate([result.quality for result in results]),
        np.concatenate([result.coverage for result in results]),
        np.concatenate([result.inputs_until for result in results]),
    )
