"""`step`: by how much a value has changed within a window, such as a reservoir's outflow within an hour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ingest.config_model import Duration, Identifier
from ingest.derive.checks import check_input, check_rhythm, check_same_unit, check_window, find, source
from ingest.derive.intervals import REACH_IN_CADENCES
from ingest.derive.kind import (
    PLAUSIBLE,
    Accept,
    Computed,
    DeriveSettings,
    Fault,
    Kind,
    Series,
    Times,
    micros,
    rows_for,
)
from ingest.derive.outputs import AtReadings

if TYPE_CHECKING:
    from ingest.catalog import Datastream, Station
    from ingest.derive.settings import DerivedDatastream


class StepSettings(DeriveSettings):
    """The window, and how much older than its begin the earlier reading may be (None: 1.5 cadences)."""

    kind: Literal["step"]
    of: Identifier
    window: Duration = 3_600.0
    tolerance: Duration | None = None
    accept: Accept = PLAUSIBLE


@dataclass(frozen=True, slots=True)
class Step(AtReadings):
    """Value at `at` minus the newest value in [at - window - tolerance, at - window]."""

    inputs: tuple[str, ...] = field(compare=False)
    window: int
    tolerance: int
    accept: Accept
    rows: int

    @property
    def lookback(self) -> int:
        return self.window + self.tolerance

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        series = inputs[0].between(int(at[0]) - self.lookback, int(at[-1]))
        series = series.take(series.ranks(self.accept) > 0)
        now, before = series.at(at), series.newest(at - self.window, self.tolerance)
        step = now.value - before.value
        ranks = np.maximum(now.ranks(self.accept), before.ranks(self.accept))
        return Computed.of(at, step, ranks, np.isfinite(step).astype(np.float64), at)

    def since(self, at: Times) -> Times:
        return at - self.window


def _tolerance(settings: StepSettings, stream: Datastream) -> int:
    return micros(settings.tolerance or stream.cadence * REACH_IN_CADENCES)


def _build(settings: StepSettings, station: Station) -> Step:
    stream = source(settings.of, station)
    window, tolerance = micros(settings.window), _tolerance(settings, stream)
    rows = rows_for(window + tolerance, stream.cadence)
    return Step((settings.of,), window, tolerance, settings.accept, rows)


def _problems(derived: DerivedDatastream, settings: Any, station: Station) -> Iterator[Fault]:
    yield from check_input(settings.of, station, "derive", "of")
    stream = find(settings.of, station)
    if stream is None:
        return
    yield from check_same_unit(derived, stream)
    yield from check_rhythm(derived, stream.cadence)
    yield from check_window(settings.window, stream, "derive", "window")


KIND = Kind(
    name="step",
    settings=StepSettings,
    build=_build,
    problems=_problems,
    documentation="""\
Value of `of` minus its value one `window` (1 h) earlier, at each reading, in the unit of `of`.

The earlier value is the newest that counts at the window's begin or up to `tolerance` (1.5 cadences) before
it. Without it, or where the reading itself does not count, the step is unknown: a gap is never read as "no
change".

Coverage: 1 when both ends are known, else 0.
""",
)
