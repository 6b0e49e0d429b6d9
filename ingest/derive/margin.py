"""`margin`: how far a level stands above (or, negative, below) one of its station's alert levels.

"Above BĐ III by x" is what people speak in. Printed margins have been subtracted wrongly: never copy one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ingest.config_model import Identifier
from ingest.derive.checks import check_input, check_rhythm, check_same_unit, find, source
from ingest.derive.kind import (
    PLAUSIBLE,
    Accept,
    Computed,
    DeriveSettings,
    Fault,
    Kind,
    Series,
    Times,
    rows_for,
)
from ingest.derive.outputs import AtReadings
from ingest.yaml_lines import nearest

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream


class MarginSettings(DeriveSettings):
    """The input and the name of one of its levels, such as "BĐ III"."""

    kind: Literal["margin"]
    of: Identifier
    level: Annotated[str, Field(min_length=1)]
    accept: Accept = PLAUSIBLE


@dataclass(frozen=True, slots=True)
class Margin(AtReadings):
    """Value minus threshold, row by row."""

    inputs: tuple[str, ...] = field(compare=False)
    threshold: float
    accept: Accept
    rows: int

    @property
    def lookback(self) -> int:
        return 0

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        series = inputs[0].at(at)
        ranks = series.ranks(self.accept)
        counts = ranks > 0
        value = np.where(counts, series.value - self.threshold, np.nan)
        return Computed.of(at, value, ranks, counts.astype(np.float64), at)

    def since(self, at: Times) -> Times:
        return at


def _threshold(settings: MarginSettings, station: Station) -> float:
    for level in source(settings.of, station).levels:
        if level.name == settings.level:
            return level.value
    raise ValueError(f"{settings.of} of {station.id} has no level {settings.level!r}")


def _build(settings: MarginSettings, station: Station) -> Margin:
    cadence = source(settings.of, station).cadence
    return Margin((settings.of,), _threshold(settings, station), settings.accept, rows_for(0, cadence))


def _problems(derived: DerivedDatastream, settings: Any, station: Station) -> Iterator[Fault]:
    yield from check_input(settings.of, station, "derive", "of")
    stream = find(settings.of, station)
    if stream is None:
        return
    yield from check_same_unit(derived, stream)
    yield from check_rhythm(derived, stream.cadence)
    levels = [level.name for level in stream.levels]
    if settings.level not in levels:
        message = f"{stream.name} has no level {settings.level!r} with a value."
        known = f"Write one of: {', '.join(levels)}." if levels else "Remove it: nothing is published here."
        yield ("derive", "level"), message, nearest(settings.level, levels) or known


KIND = Kind(
    name="margin",
    settings=MarginSettings,
    build=_build,
    problems=_problems,
    documentation="""\
Value of `of` minus its own level named `level`, at each reading, in the unit of `of`: positive above the
level.

The level is the one that the catalogue gives when it is loaded; one that is not published has no margin.

Coverage: 1, or 0 where the reading does not count; the margin is then unknown.
""",
)
