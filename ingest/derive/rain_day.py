"""`rain_day`: the rain since the day's begin at each reading, and of the whole day at its end.

A rain day in Vietnam runs from 19:00 to 19:00 local time; its total stands at its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ingest.derive.checks import source
from ingest.derive.intervals import Windows
from ingest.derive.kind import DAY, HOUR, Change, Computed, Fault, Kind, Series, Times, rows_for
from ingest.derive.outputs import at_ends, at_inputs, ends_of, newest_input, span_at_ends, span_at_inputs
from ingest.derive.rain import Gauge, RainSettings, rain_problems

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream

MINUTE = HOUR // 60
_ZONE = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")

TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Zone = Annotated[str, Field(pattern=f"^{_ZONE.pattern}$")]


class RainDaySettings(RainSettings):
    """The rain of days that begin at a local time; YAML needs quotes around both."""

    kind: Literal["rain_day"]
    day_starts: TimeOfDay = "19:00"
    zone: Zone = "+07:00"


@dataclass(frozen=True, slots=True)
class RainDay:
    """Rain in (the day's begin, at]; the reading after a day's end tells of the end's last minutes."""

    inputs: tuple[str, ...] = field(compare=False)
    gauge: Gauge
    phase: int  # of the days' ends, microseconds after 00:00 UTC
    rows: int
    at_readings: bool = False

    @property
    def lookback(self) -> int:
        return DAY + self.gauge.reach

    @property
    def lookahead(self) -> int:
        return self.gauge.reach

    def span(self, change: Change) -> tuple[int, int]:
        rows = span_at_inputs(change, self.lookback)
        ends = span_at_ends(change, self.lookback, self.lookback, self.lookahead)
        return min(rows[0], ends[0]), max(rows[1], ends[1])

    def affected(self, change: Change, inputs: Sequence[Series]) -> Times:
        rows = at_inputs(change, inputs[0], self.lookback)
        ends = at_ends(change, DAY, self.phase, self.lookback, self.lookahead)
        return np.union1d(rows, ends) if len(ends) else rows

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        series = inputs[0].between(int(at[0]) - self.lookback, int(at[-1]) + self.lookahead)
        intervals, fell = self.gauge.read(series)
        end = ends_of(at, DAY, self.phase)
        windows = Windows.of(intervals, end - DAY, at, closing=at == end)
        ranks = windows.rank()
        total = np.where(ranks > 0, windows.total(fell), np.nan)
        until = newest_input(at, self.lookback, series)
        if windows.tail.any():
            closing = windows.tail > 0
            until[closing] = intervals.end[windows.tail_at[closing]]
        covered = windows.covered()
        return Computed.of(at, total, self.gauge.worth(ranks, covered), covered, until)

    def since(self, at: Times) -> Times:
        return ends_of(at, DAY, self.phase) - DAY


def phase_of(day_starts: str, zone: str) -> int:
    """When a day that begins at a local time begins, in microseconds after 00:00 UTC."""
    sign, hours, minutes = _ZONE.fullmatch(zone).groups()  # type: ignore[union-attr]
    east = int(hours) * HOUR + int(minutes) * MINUTE
    local = int(day_starts[:2]) * HOUR + int(day_starts[3:]) * MINUTE
    return (local - east if sign == "+" else local + east) % DAY


def _build(settings: RainDaySettings, station: Station) -> RainDay:
    gauge = Gauge.of(settings, station)
    rows = rows_for(DAY + 2 * gauge.reach, source(settings.of, station).cadence)
    return RainDay((settings.of,), gauge, phase_of(settings.day_starts, settings.zone), rows)


def _problems(derived: DerivedDatastream, settings: Any, station: Station) -> Iterator[Fault]:
    yield from rain_problems(derived, settings, station)


KIND = Kind(
    name="rain_day",
    settings=RainDaySettings,
    build=_build,
    problems=_problems,
    documentation="""\
Sum of rain since the rain day began, at each reading of `of`, and the day's total at its end, in the unit of
`of`.

A rain day begins and ends at `day_starts` in `zone` (19:00 at +07:00, the custom in Vietnam). A reading at
the very end belongs to the day that ends. The total at the end is there once a reading has come from then or
later; of the reading that straddles the end, each day has its share in time. The gauge is set as for
`window_sum`.

Coverage: the share of the time since the day's begin that readings speak for. The sum is a lower bound; below
`complete` (0.9) it is suspect.
""",
)
