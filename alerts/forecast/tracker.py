"""Forecasts of a city's gauges as their rows come, and their scores as the truth comes. Pure.

Promises: what is made and scored is a function of the stored rows in their order, whatever the batches and
wherever the service was restarted. Of one series a forecast is made at most once in ten minutes of the clock,
at the first row of them that is newer than all before, and only while the water moves: a quiet series costs a
few array operations. A horizon is scored once, by the first usable row at or after its time; later rows of
before that change nothing.

`evaluate` changes nothing; `adopt` makes its outcome the state. Called by the sink.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from alerts.forecast import model
from alerts.forecast.gates import MOVING, TIDAL, beyond_tide
from alerts.forecast.lattice import (
    GAP_STEPS,
    HOUR,
    LEAST_GAP,
    SPAN,
    STEP,
    Floats,
    Lattice,
    Mask,
    Times,
    lattice_of,
)
from alerts.forecast.model import HIGH, LOW, Forecast
from alerts.forecast.outlook import INPUTS, Withheld, doubt, since_installed
from alerts.forecast.passing import Passing, next_mark, passing
from alerts.forecast.priors import PRIORS
from alerts.forecast.records import Due, Made, Scored, waiting
from alerts.forecast.slots import Index, Slots
from ingest.catalog import Datastream, Station
from ingest.memory import NEVER, occurrences
from ingest.model import ObservationBatch, Quality
from ingest.store.read import Observed

LATER = np.iinfo(np.int64).max  # nothing is due
HEARD = (
    *INPUTS,
    Quality.SUSPECT,
)  # a row that failed its tests says nothing, not even that the gauge is alive
MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Gauge:
    """A datastream that may be forecast, with the number that the database gave it."""

    number: int
    station: Station
    datastream: Datastream


@dataclass(frozen=True, slots=True)
class Columns:
    """The state of n series: the day's samples, the newest row heard, the newest usable one, the next due."""

    slots: Slots
    heard: Times
    known: Times
    due: Times

    @classmethod
    def empty(cls, series: int) -> Columns:
        never = np.full(series, NEVER)
        return cls(Slots.empty(series), never, never.copy(), np.full(series, LATER))

    def take(self, series: Index) -> Columns:
        return Columns(self.slots.take(series), self.heard[series], self.known[series], self.due[series])

    def replace(self, series: Index, other: Columns) -> None:
        self.slots.replace(series, other.slots)
        self.heard[series], self.known[series], self.due[series] = other.heard, other.known, other.due


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a batch came to: forecasts and scores in order, and the state of the series that it touched."""

    made: tuple[Made, ...]
    scored: tuple[Scored, ...]
    series: Index
    columns: Columns
    pending: dict[int, tuple[Due, ...]]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of distinct series, as columns; `at` is each one's place among the series that a batch touches."""

    at: Index
    time: Times
    value: Floats
    quality: Index
    received: Times

    def take(self, rows: Mask | Index) -> _Rows:
        return _Rows(
            self.at[rows], self.time[rows], self.value[rows], self.quality[rows], self.received[rows]
        )


class Tracker:
    """The gauges' state. Call `load` before the first `evaluate`."""

    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges = sorted(gauges, key=lambda gauge: gauge.number)
        self.numbers = np.array([gauge.number for gauge in self._gauges], np.int64)
        self._columns = Columns.empty(len(self._gauges))
        self._pending: dict[int, tuple[Due, ...]] = {}

    def load(self, stored: ObservationBatch, made: Sequence[Made]) -> None:
        """Forget all; take the rows of `store.last_day`, and the forecasts that may wait for their truth."""
        columns = self._columns = Columns.empty(len(self._gauges))
        for rows in _rounds(stored, self.numbers):
            _hear(columns, rows)
        self._pending = {}
        for one in made:
            series = int(np.searchsorted(self.numbers, one.datastream))
            if series < len(self.numbers) and self.numbers[series] == one.datastream:
                open_ = [due for due in waiting(one) if due.time > columns.known[series]]
                self._pending[series] = (*self._pending.get(series, ()), *open_)
        for series, dues in self._pending.items():
            columns.due[series] = _first(dues)

    def evaluate(self, batch: ObservationBatch) -> Tracked:
        """What the rows come to; nothing is changed."""
        series = np.unique(_series(batch, self.numbers)[1])
        staged = _Staged([self._gauges[each] for each in series], self._columns.take(series))
        staged.pending = {
            at: self._pending[each] for at, each in enumerate(series.tolist()) if each in self._pending
        }
        for rows in _rounds(batch, self.numbers[series]):
            staged.hear(rows)
        pending = {int(series[at]): dues for at, dues in staged.pending.items()}
        return Tracked(tuple(staged.made), tuple(staged.scored), series, staged.columns, pending)

    def adopt(self, tracked: Tracked) -> None:
        """Make the outcome of the newest `evaluate` the state."""
        self._columns.replace(tracked.series, tracked.columns)
        self._pending.update(tracked.pending)


@dataclass(slots=True)
class _Staged:
    """The series that a batch touches, as they become row by row."""

    gauges: list[Gauge]
    columns: Columns
    pending: dict[int, tuple[Due, ...]] = field(default_factory=dict)
    made: list[Made] = field(default_factory=list)
    scored: list[Scored] = field(default_factory=list)

    def hear(self, rows: _Rows) -> None:
        """One row of each of some series: score, remember, forecast."""
        usable = np.isin(rows.quality, INPUTS)
        self._score(rows.take(usable & (rows.time >= self.columns.due[rows.at])))
        heard = self.columns.heard[rows.at]
        first = (rows.time > heard) & (rows.time // STEP > heard // STEP)
        _hear(self.columns, rows)
        rows = rows.take(first)
        self._forecast(rows.take(self._moving(rows.at)))

    def _score(self, rows: _Rows) -> None:
        before = self.columns.known[rows.at]
        values = self.columns.slots.at(rows.at, before)
        for row, (at, time) in enumerate(zip(rows.at.tolist(), rows.time.tolist(), strict=True)):
            come = [due for due in self.pending[at] if due.time <= time]
            self.pending[at] = tuple(due for due in self.pending[at] if due.time > time)
            self.columns.due[at] = _first(self.pending[at])
            widest = max(LEAST_GAP, GAP_STEPS * self.gauges[at].datastream.cadence * MICROS)
            old, new = (int(before[row]), float(values[row])), (time, float(rows.value[row]))
            self.scored += [Scored(due, _between(old, new, due.time, widest)) for due in come]

    def _moving(self, at: Index) -> Mask:
        """Whether the newest usable sample is apart from that of an hour before by more than 2 cm an hour."""
        newest = np.maximum(self.columns.known[at], NEVER + SPAN)  # a day before it is still a time
        now = self.columns.slots.at(at, newest)
        time, value = self.columns.slots.before(at, newest - HOUR, newest - SPAN)
        hours = np.where(time == NEVER, np.inf, (newest - np.where(time == NEVER, 0, time)) / HOUR)
        return np.asarray(np.abs(now - value) > MOVING * hours, np.bool_)  # False for NaN

    def _forecast(self, rows: _Rows) -> None:
        if not len(rows.at):
            return
        reasons = [self._doubt(rows, row) for row in range(len(rows.at))]
        sound = np.flatnonzero([reason is None for reason in reasons])
        for row, reason in enumerate(reasons):
            if reason is not None:
                self.made.append(self._withheld(rows, row, reason))
        if len(sound):
            self._forecast_sound(rows.take(sound))

    def _forecast_sound(self, rows: _Rows) -> None:
        lattice = self._lattice(rows.at)
        forecast = model.forecast(lattice, PRIORS)
        levels = [self.gauges[at].datastream.levels for at in rows.at.tolist()]
        marks = [next_mark(value, own) for value, own in zip(rows.value.tolist(), levels, strict=True)]
        values = np.array([np.nan if mark is None else mark.value for mark in marks])
        ahead, steady, known = passing(forecast, values), beyond_tide(lattice), forecast.known
        for row in range(len(rows.at)):
            reason = self._reason(int(rows.at[row]), bool(known[row]), bool(steady[row]))
            if reason is not None:
                self.made.append(self._withheld(rows, row, reason))
            else:
                self._keep(rows, row, forecast, values, ahead)

    def _doubt(self, rows: _Rows, row: int) -> Withheld | None:
        received = int(rows.received[row])
        newest = Observed(int(rows.time[row]), float(rows.value[row]), int(rows.quality[row]), received)
        return doubt(self.gauges[int(rows.at[row])].datastream, newest, received)

    def _reason(self, at: int, known: bool, steady: bool) -> Withheld | None:
        if not known:
            return Withheld.GAP
        return Withheld.TIDE if TIDAL in self.gauges[at].station.tags and not steady else None

    def _lattice(self, at: Index) -> Lattice:
        newest = self.columns.known[at]
        pairs = zip(at.tolist(), newest.tolist(), strict=True)
        since = np.array(
            [since_installed(self.gauges[each].datastream, time) for each, time in pairs], np.int64
        )
        return lattice_of(*self.columns.slots.windows(at, newest, since))

    def _withheld(self, rows: _Rows, row: int, reason: Withheld) -> Made:
        number, received = self.gauges[int(rows.at[row])].number, int(rows.received[row])
        return Made(number, int(rows.time[row]), received, float(rows.value[row]), reason)

    def _keep(self, rows: _Rows, row: int, forecast: Forecast, marks: Floats, ahead: Passing) -> None:
        at = int(rows.at[row])
        made = Made(
            self.gauges[at].number,
            int(rows.time[row]),
            int(rows.received[row]),
            float(rows.value[row]),
            None,
            forecast.hours,
            _rounded(forecast.expected[row]),
            _rounded(forecast.quantile[row, :, LOW]),
            _rounded(forecast.quantile[row, :, HIGH]),
            float(marks[row]),
            _rounded(ahead.within[row]),
            tuple(None if np.isnan(hours) else float(hours) for hours in ahead.hours[row]),
        )
        self.made.append(made)
        self.pending[at] = (*self.pending.get(at, ()), *waiting(made))
        self.columns.due[at] = _first(self.pending[at])


def _hear(columns: Columns, rows: _Rows) -> None:
    """Remember one row of each of some series, in place."""
    usable = rows.take(np.isin(rows.quality, INPUTS))
    columns.slots.put(usable.at, usable.time, usable.value)
    columns.known[usable.at] = np.maximum(columns.known[usable.at], usable.time)
    columns.heard[rows.at] = np.maximum(columns.heard[rows.at], rows.time)


def _series(batch: ObservationBatch, numbers: Index) -> tuple[Index, Index]:
    """The rows of a batch that count, and the series of each among these numbers."""
    if not len(numbers):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    series = np.searchsorted(numbers, batch.datastream)
    series[series == len(numbers)] = 0
    counts = (numbers[series] == batch.datastream) & np.isfinite(batch.value) & np.isin(batch.quality, HEARD)
    index = np.flatnonzero(counts)
    return index, series[index]


def _rounds(batch: ObservationBatch, numbers: Index) -> Iterator[_Rows]:
    """The rows of a batch in rounds: the first of each series, then the second."""
    index, series = _series(batch, numbers)
    turn = occurrences(series)
    order = np.argsort(turn, kind="stable")
    for part in np.split(order, np.cumsum(np.bincount(turn))[:-1]) if len(order) else ():
        rows = index[part]
        yield _Rows(
            series[part],
            batch.time[rows],
            batch.value[rows],
            batch.quality[rows].astype(np.int64),
            batch.received_at[rows],
        )


def _between(old: tuple[int, float], new: tuple[int, float], time: int, widest: float) -> float | None:
    """The level at a time between two samples; None across a gap."""
    if new[0] == time:
        return new[1]
    if old[0] == NEVER or new[0] - old[0] > widest or not np.isfinite(old[1]):
        return None
    share = (time - old[0]) / (new[0] - old[0])
    return old[1] + share * (new[1] - old[1])


def _first(dues: Sequence[Due]) -> int:
    return min((due.time for due in dues), default=LATER)


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(np.round(values, 4).tolist())  # a tenth of a millimetre, a hundredth of a per cent
