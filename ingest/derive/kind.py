"""What a kind of derived datastream is: the contract between the catalogue and the writer's transaction.

A kind declares its settings, its lint and its documentation, and builds a `Derivation` for one derived
datastream of one station. A derivation is pure: from its inputs' rows to output rows, the same for any order
and batching of arrival. A result is never better than its inputs: NaN is unknown, `coverage` says how much of
what was asked for the inputs could tell. Called by the catalogue's lint and by the writer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ingest.clock import MICROS_PER_SECOND
from ingest.config_model import Model
from ingest.model import Quality

if TYPE_CHECKING:  # the catalogue's models hold the settings of kinds
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream

HOUR = 3_600 * MICROS_PER_SECOND
DAY = 24 * HOUR
NEVER = -(2**63)  # the newest input of a datastream that has none yet
DECIMALS = 9  # far below any sensor, far above what float64 leaves of 0.1 + 0.2: 30 mm must reach 30 mm
ROWS_SPARE = 4  # room in a memory for jitter of the cadence

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.int8]
Bools = NDArray[np.bool_]
Ranks = NDArray[np.int8]  # of a row: 0 it does not count, else its flag's place in `_BY_RANK`

Accept = Annotated[tuple[Literal["pass", "not_evaluated", "suspect"], ...], Field(min_length=1)]
GOOD: Accept = ("pass", "not_evaluated")
# A record lies outside every range that looks plausible today: rain and levels count while only suspect.
PLAUSIBLE: Accept = ("pass", "not_evaluated", "suspect")

_FLAG_OF = {"pass": Quality.PASS, "not_evaluated": Quality.NOT_EVALUATED, "suspect": Quality.SUSPECT}
# QARTOD's roll-up among the flags that can count, from the weakest.
_BY_RANK: Flags = np.array(
    [Quality.MISSING, Quality.NOT_EVALUATED, Quality.PASS, Quality.SUSPECT], dtype=np.int8
)
SUSPECT = np.int8(3)  # the rank of a result that is doubtful in itself


@dataclass(frozen=True, slots=True)
class Series:
    """Rows of one input: `time` microseconds UTC ascending, `value`, `quality` the QARTOD roll-up."""

    time: Times
    value: Floats
    quality: Flags

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def empty(cls) -> Series:
        """No rows."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.int8))

    def between(self, begin: int, end: int) -> Series:
        """The rows with begin <= time <= end, as views."""
        first, last = np.searchsorted(self.time, (begin, end + 1)).tolist()
        return Series(self.time[first:last], self.value[first:last], self.quality[first:last])

    def take(self, rows: Bools) -> Series:
        """The rows that a mask names."""
        return Series(self.time[rows], self.value[rows], self.quality[rows])

    def at(self, times: Times) -> Series:
        """The rows at exactly these times; NaN and MISSING where there is none."""
        return self.newest(times, 0)

    def newest(self, times: Times, tolerance: int) -> Series:
        """The newest row at or before each time, `tolerance` at most; NaN and MISSING where there is none."""
        if not len(self):
            return Series(times, np.full(len(times), np.nan), np.full(len(times), Quality.MISSING, np.int8))
        index = np.searchsorted(self.time, times, "right") - 1
        there = (index >= 0) & (times - self.time[index] <= tolerance)
        value = np.where(there, self.value[index], np.nan)
        return Series(times, value, np.where(there, self.quality[index], np.int8(Quality.MISSING)))

    def ranks(self, accept: Accept) -> Ranks:
        """Each row's rank: 0 where its flag is not accepted or its value is no number."""
        ranks = _rank_table(accept)[self.quality.view(np.uint8)]
        ranks[~np.isfinite(self.value)] = 0
        return ranks


@cache
def _rank_table(accept: Accept) -> Ranks:
    """The rank of every flag (as an unsigned byte) when only those of `accept` count."""
    table = np.zeros(256, np.int8)
    counting = [_FLAG_OF[word] for word in accept]
    for rank, flag in enumerate(_BY_RANK.tolist()):
        table[flag] = rank if flag in counting else 0
    return table


@dataclass(frozen=True, slots=True)
class Computed:
    """Output rows of one length: `at` ascending, `value` (NaN: unknown), `quality` the worst flag of the
    inputs that counted (MISSING: unknown), `coverage` in 0..1, `inputs_until` the newest input looked at."""

    at: Times
    value: Floats
    quality: Flags
    coverage: Floats
    inputs_until: Times

    def __len__(self) -> int:
        return len(self.at)

    @classmethod
    def of(cls, at: Times, value: Floats, ranks: Ranks, coverage: Floats, until: Times) -> Computed:
        """Rounded values; what is not a number has no flag but MISSING."""
        flags = _BY_RANK[ranks]
        flags[np.isnan(value)] = Quality.MISSING
        return cls(at, np.round(value, DECIMALS), flags, np.minimum(np.maximum(coverage, 0.0), 1.0), until)


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction adds to the inputs of a derivation, all of them together.

    `times`: times of rows that are new or have a new flag, ascending unique, at least one. `before` and
    `newest`: the newest time of any row of any input, before (`NEVER`: none) and after the transaction.
    """

    times: Times
    before: int
    newest: int


class Derivation(Protocol):
    """One derived datastream, ready to be computed. Two are equal when they compute alike, whatever the names
    of their inputs: `together.compute_all` computes those in one go.

    `inputs`: datastreams of the same station by name, in the order in which `Series` are given. Input rows
    older than `lookback` before an output, or more than `lookahead` after it, do not matter to it
    (microseconds). `rows`: how many rows of each input a memory should hold so that readings in order need no
    query. `at_readings`: it has one input and an output at each of its rows, of the rows before it alone.
    First ask `span`, load the inputs' rows there, then `affected`, then `compute`.
    """

    @property
    def inputs(self) -> Sequence[str]: ...
    @property
    def lookback(self) -> int: ...
    @property
    def lookahead(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def at_readings(self) -> bool: ...

    def span(self, change: Change) -> tuple[int, int]:
        """From when to when, both included, input rows are needed to answer a change."""

    def affected(self, change: Change, inputs: Sequence[Series]) -> Times:
        """Output times on which the change bears, ascending unique; `inputs` hold the rows of the span."""

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        """The outputs at those times (at least one); `inputs` hold all rows that matter to them."""

    def since(self, at: Times) -> Times:
        """The other end of the time that each output speaks of: it is (since, at], or a moment."""


class DeriveSettings(Model):
    """What every `derive:` has; each kind narrows `kind` to its own name."""

    kind: str


Fault = tuple[tuple[str | int, ...], str, str]  # path below the derived datastream, what is wrong, remedy


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of derived datastream. `build` may rely on `problems` having found none.

    `documentation` is Markdown for people: what it computes, from what, and what its coverage means.
    """

    name: str
    settings: type[DeriveSettings]
    build: Callable[[Any, Station], Derivation]
    problems: Callable[[DerivedDatastream, Any, Station], Iterator[Fault]]
    documentation: str


def micros(seconds: float) -> int:
    """A duration of the configuration (seconds) in microseconds."""
    return round(seconds * MICROS_PER_SECOND)


def rows_for(span: int, *cadences: float) -> int:
    """How many rows a span (microseconds) holds at the shortest of some cadences (seconds)."""
    return ceil(span / micros(min(cadences))) + 1 + ROWS_SPARE
