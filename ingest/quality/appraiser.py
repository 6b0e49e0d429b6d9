"""The quality of rows as they come: what each is worth, and which earlier rows a later one has decided.

Promises: however a stream is cut into batches, each row has the same flags when it comes and the same in the
end, and an appraiser rebuilt from stored rows goes on as the one that lived. `evaluate` is pure: nothing
changes until `adopt`, which is called after COMMIT only. `Appraisal` has a row's flags as they were when it
came, also where a later row of the same batch decided it: what is told must not depend on the cut. All of
`Appraisal.revisions` must be stored. What a row is judged by: see `judge`.
Series without tests cost a look-up and their gross range. Called by the writer, from one thread at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.memory import NEVER, grouped_order
from ingest.model import Quality
from ingest.quality import qartod
from ingest.quality.flags import RANK, Flags, Test, pack, roll_up, set_flag, unpack, with_flags
from ingest.quality.judge import Judge, Judged
from ingest.quality.limits import Limits, needs_rows
from ingest.quality.lookback import Step
from ingest.quality.qartod import GrossRanges
from ingest.quality.resets import Resets
from ingest.quality.rings import Rings
from ingest.quality.steps import newest_before, number_steps

if TYPE_CHECKING:  # the catalogue's lint calls this package
    from ingest.catalog import Datastream

LOCAL_TIME = 7 * 3_600_000_000  # UTC+07:00, without summer time: whose months a climatology means

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Columns(Protocol):
    """Rows in order of arrival, as `ObservationBatch` has them; `quality` is what is known so far of each."""

    @property
    def datastream(self) -> NDArray[np.int32]: ...
    @property
    def time(self) -> NDArray[np.int64]: ...
    @property
    def value(self) -> NDArray[np.float64]: ...
    @property
    def quality(self) -> NDArray[np.int8]: ...


class StoredColumns(Columns, Protocol):
    """Rows as they are stored, with their packed flags after all revisions."""

    @property
    def tests(self) -> NDArray[np.int64]: ...


@dataclass(frozen=True, slots=True)
class Revisions:
    """Rows that a later one has decided; `was` is the quality that they had until then."""

    datastream: NDArray[np.int32]
    time: NDArray[np.int64]
    quality: Flags
    tests: NDArray[np.int64]
    was: Flags

    def __len__(self) -> int:
        return len(self.datastream)


@dataclass(frozen=True, slots=True)
class Need:
    """What `rebuild` must be given: of these datastreams the newest `rows` within `span` microseconds."""

    datastreams: tuple[int, ...]
    rows: int
    span: int


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What a batch came to: quality and packed flags of its rows as each came, revisions of them and of
    earlier ones by the rows that came after, and what `adopt` takes over."""

    quality: Flags
    tests: NDArray[np.int64]
    revisions: Revisions
    quiet: tuple[Step, Judged] | None  # series that took one step, judged against the adopted memory
    series: Index  # those that took several, with their memory after them
    rings: Rings | None

    @property
    def consistent_failures(self) -> Mask:
        """Rows that fail range or rate as the third in a row, in agreement with each other: "verify now"."""
        return np.asarray(unpack(self.tests, Test.VERIFY) == Quality.SUSPECT, np.bool_)


class Appraiser:
    """Judges the rows of the datastreams given (their database ids, keys and settings)."""

    def __init__(
        self,
        streams: Sequence[tuple[int, str, Datastream]],
        resets: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        """`resets`: for each datastream id the times at which a new installation begins."""
        ordered = sorted(streams, key=lambda stream: stream[0])
        self._ids = np.array([number for number, _, _ in ordered], np.int64)
        # by number; those between ours, and the last for all beyond, are the unknown one's
        self._places = np.full(int(self._ids.max(initial=-1)) + 2, len(ordered))
        self._places[self._ids] = np.arange(len(ordered))
        settings = [stream for _, _, stream in ordered]
        self._ranges = GrossRanges.of([*(stream.gross_range for stream in settings), None])
        attended = self._attend([key for _, key, _ in ordered], settings)
        self._series = np.full(
            len(ordered) + 1, -1
        )  # of each datastream; the last place is the unknown one's
        self._series[attended] = np.arange(len(attended))
        self._number = self._ids[attended]
        keys = [ordered[place][1] for place in attended]
        self._limits = Limits.of_streams([settings[place] for place in attended], keys)
        self._together = self._limits.neighbour_on.copy()
        self._together[self._limits.of[self._limits.neighbour_on]] = True
        known = {int(number): series for series, number in enumerate(self._number)}
        begins = {known[number]: times for number, times in (resets or {}).items() if number in known}
        self._resets = Resets(len(attended), begins)
        self._rings = Rings(self._limits.rows)

    @staticmethod
    def _attend(keys: Sequence[str], settings: Sequence[Datastream]) -> Index:
        """The places of datastreams that have tests, or that another is compared with."""
        watched = {stream.quality.neighbour.of for stream in settings if stream.quality.neighbour}
        return np.array(
            [
                place
                for place, (key, stream) in enumerate(zip(keys, settings, strict=True))
                if needs_rows(stream.quality) or stream.quality.climatology or key in watched
            ],
            np.int64,
        )

    @property
    def nbytes(self) -> int:
        """The bytes of memory that remembered rows take."""
        return self._rings.nbytes

    def needs(self) -> list[Need]:
        """What `rebuild` wants to be given, one entry for all datastreams that need the same."""
        pairs, which = np.unique(
            np.column_stack((self._limits.rows, self._limits.span)), axis=0, return_inverse=True
        )
        return [
            Need(tuple(self._number[which.reshape(-1) == at].tolist()), int(rows), int(span))
            for at, (rows, span) in enumerate(pairs)
        ]

    def rebuild(self, stored: StoredColumns) -> None:
        """Forget everything and remember these rows: see `recall`."""
        self.forget()
        self.recall(stored)

    def forget(self) -> None:
        """Remember nothing."""
        self._rings = Rings(self._limits.rows)

    def recall(self, stored: StoredColumns) -> None:
        """Remember these rows, in any order, of datastreams that nothing is remembered of."""
        series = self._series[self._place(stored.datastream)]
        known = np.flatnonzero(series >= 0)
        tests = stored.tests[known]
        told = (tests == 0) & (stored.quality[known] != Quality.NOT_EVALUATED)  # before there were tests
        tests = np.where(told, set_flag(tests, Test.SENSOR, stored.quality[known]), tests)
        self._rings.load(series[known], stored.time[known], stored.value[known], tests)

    def remembered(self, datastream: int) -> tuple[Index, NDArray[np.float64], Index]:
        """Times, values and packed flags that rows of a datastream can still be judged by, oldest first."""
        series = self._series[self._place(np.array([datastream], np.int32))]
        if series[0] < 0:
            none = np.empty(0, np.int64)
            return none, np.empty(0), none
        rings = self._rings
        back = np.arange(int(rings.count[series[0]]), 0, -1)
        at = rings.address(np.repeat(series, len(back)), back)
        at = at[rings.time[at] >= rings.newest[series] - self._limits.span[series]]
        return rings.time[at], rings.value[at], rings.tests[at]

    def evaluate(self, rows: Columns, calibrated: NDArray[np.bool_] | None = None) -> Appraisal:
        """Judge new rows, without duplicates, in their order of arrival.

        `calibrated`: which of them were measured while somebody worked on the sensor; they are suspect, and
        neither compared with others nor others with them.
        """
        place = self._place(rows.datastream)
        tests = self._by_value(place, rows)
        if calibrated is not None and calibrated.any():
            suspect = np.full(np.count_nonzero(calibrated), Quality.SUSPECT, np.int8)
            tests = with_flags(tests, np.flatnonzero(calibrated), Test.CALIBRATION, suspect)
        series = self._series[place]
        attended = np.flatnonzero(series >= 0)
        if not len(attended):
            return Appraisal(roll_up(tests), tests, self._no_revisions(), None, attended, None)
        return self._evaluate(rows, tests, series, attended)

    def adopt(self, appraisal: Appraisal) -> None:
        """After COMMIT: what was judged becomes memory."""
        if appraisal.quiet is not None:
            _remember(self._rings, *appraisal.quiet)
        if appraisal.rings is not None:
            self._rings.replace(appraisal.series, appraisal.rings)

    def _place(self, datastream: NDArray[np.int32]) -> Index:
        """Each row's datastream by its place in ours; the place after the last when it is not known."""
        return self._places.take(datastream, mode="clip")

    def _by_value(self, place: Index, rows: Columns) -> Index:
        """What each row's value alone says, packed."""
        gross = qartod.gross_range(rows.value, place, self._ranges)
        sensor = np.where(RANK[rows.quality] > RANK[gross], rows.quality, Quality.NOT_EVALUATED).astype(
            np.int8
        )
        return pack({Test.SYNTAX: qartod.syntax(len(place)), Test.GROSS_RANGE: gross, Test.SENSOR: sensor})

    def _evaluate(self, rows: Columns, tests: Index, series: Index, attended: Index) -> Appraisal:
        at, time = series[attended], rows.time[attended]
        own = self._climatology(at, time, rows.value[attended], tests[attended])
        floor, ceiling = self._resets.floor(at, time), self._resets.ceiling(at, time)
        doubted = rows.quality[attended] == Quality.SUSPECT
        whole = Step(at, time, rows.value[attended], attended, own, doubted, floor, ceiling)
        work = _Work(self._limits, self._resets, tests)
        late, blind = self._late(at, time)
        if blind.any():
            work.blind(whole.take(blind))
            whole, late = whole.take(~blind), late[~blind]
        steps = number_steps(whole.series, late, self._together[whole.series])
        several = self._several(whole.series, steps)
        quiet = np.flatnonzero(~several[whole.series])
        first = work.step(self._rings, whole.take(quiet)) if len(quiet) else None
        restless = np.flatnonzero(several)
        rings = self._step_by_step(work, whole, steps, restless) if len(restless) else None
        return Appraisal(roll_up(work.tests), work.tests, self._revisions(work), first, restless, rings)

    def _late(self, series: Index, time: Index) -> tuple[Mask, Mask]:
        """Rows that are not newer than all before them, and those of them that are too late to see another.

        The blind ones are seen by none either, so that they need no step of their own.
        """
        newest = newest_before(series, time, self._rings.newest[series])
        late, span = time <= newest, self._limits.span[series]
        blind = late & (time < np.maximum(newest, NEVER + span) - span) & ~self._together[series]
        return late, blind

    def _step_by_step(self, work: _Work, rows: Step, steps: Index, restless: Index) -> Rings:
        """Judge the series that take several steps; their memory after that."""
        rings = self._rings.copy_of(restless)
        order = grouped_order(steps)
        order = order[np.isin(rows.series[order], restless)]
        for chosen in np.split(order, np.flatnonzero(np.diff(steps[order])) + 1):
            if len(chosen):
                _remember(rings, *work.step(rings, rows.take(chosen)))
        return rings

    def _several(self, series: Index, steps: Index) -> Mask:
        """Which series take several steps; those that are compared with each other do so together."""
        several = np.zeros(len(self._number), np.bool_)
        several[series[steps > 0]] = True
        if (several & self._together).any():
            several |= self._together
        return several

    def _climatology(self, series: Index, time: Index, value: NDArray[np.float64], tests: Index) -> Index:
        asked = np.flatnonzero(self._limits.season_on[series])
        if not len(asked):
            return tests
        local = (time[asked] + LOCAL_TIME).view("datetime64[us]").astype("datetime64[M]").astype(
            np.int64
        ) % 12
        low, high = self._limits.low[series[asked], local], self._limits.high[series[asked], local]
        tests = tests.copy()
        tests[asked] = set_flag(tests[asked], Test.CLIMATOLOGY, qartod.climatology(value[asked], low, high))
        return tests

    def _revisions(self, work: _Work) -> Revisions:
        """The rows that later ones decided."""
        if not work.decided:
            return self._no_revisions()
        of, time, before, tests = (np.concatenate(column) for column in zip(*work.decided, strict=True))
        quality, was = roll_up(tests), roll_up(before)
        return Revisions(self._number[of].astype(np.int32), time, quality, tests, was)

    @staticmethod
    def _no_revisions() -> Revisions:
        none = np.empty(0, np.int64)
        flags = np.empty(0, np.int8)
        return Revisions(none.astype(np.int32), none, flags, none, flags)


class _Work:
    """The flags of a batch while its steps are judged: those that rows had when they came, and (`decided`)
    series, time, flags before and after of those that a later row decided."""

    def __init__(self, limits: Limits, resets: Resets, tests: Index) -> None:
        self._limits, self._resets = limits, resets
        self.tests = tests
        self.decided: list[tuple[Index, Index, Index, Index]] = []

    def step(self, rings: Rings, rows: Step) -> tuple[Step, Judged]:
        """Judge rows that are one step, in order of arrival."""
        rows = rows.take(grouped_order(rows.series))
        judged = self._judge(rings, rows, _places(rows.series))
        if len(judged.address):
            series = np.searchsorted(rings.base, judged.address, side="right") - 1
            before = rings.tests[judged.address]
            self.decided.append((series, rings.time[judged.address], before, judged.decided))
        at = np.flatnonzero(judged.tests != judged.arrived)
        if len(at):
            self.decided.append((rows.series[at], rows.time[at], judged.arrived[at], judged.tests[at]))
        return rows, judged

    def blind(self, rows: Step) -> None:
        """Judge rows that see no other."""
        none = np.empty(0, np.int64)
        self._judge(Rings(self._limits.rows, none), rows, np.zeros(len(rows), np.int64))

    def _judge(self, rings: Rings, rows: Step, place: Index) -> Judged:
        judged = Judge(rings, self._limits, self._resets, rows, place).judge()
        self.tests[rows.order] = judged.arrived
        return judged


def _remember(rings: Rings, rows: Step, judged: Judged) -> None:
    """Make a judged step part of memory."""
    rings.tests[judged.address] = judged.decided
    late = rows.time <= rings.newest[rows.series]
    if late.any():
        series, time = rows.series[late], rows.time[late]
        rings.insert(series, rings.newer_than(series, time), time, rows.value[late], judged.tests[late])
    if not late.all():
        on = ~late
        series = rows.series[on]
        lines = judged.lines.take(np.flatnonzero(on))
        rings.append(series, _places(series), rows.time[on], rows.value[on], judged.tests[on], lines)


def _places(series: Index) -> Index:
    """The place of each row within its series, for rows sorted by series."""
    first = np.flatnonzero(np.r_[True, series[1:] != series[:-1]])
    return np.arange(len(series)) - np.repeat(first, np.diff(np.r_[first, len(series)]))
