"""`window_mean`: the mean over the last hours, as limits on 8 h of ozone or 24 h of PM2.5 ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ingest.derive.kind import Computed, Fault, Kind, Series, Times
from ingest.derive.outputs import AtReadings
from ingest.derive.samples import Sampler, SampleSettings, sample_problems

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream


class WindowMeanSettings(SampleSettings):
    """Below `min_coverage` the mean is unknown."""

    kind: Literal["window_mean"]
    min_coverage: Annotated[float, Field(gt=0, le=1)] = 0.75


@dataclass(frozen=True, slots=True)
class WindowMean(AtReadings):
    """The arithmetic mean of the values in (at - window, at]."""

    inputs: tuple[str, ...] = field(compare=False)
    sampler: Sampler
    min_coverage: float
    rows: int

    @property
    def lookback(self) -> int:
        return self.sampler.window

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        samples = self.sampler.take(at, inputs[0])
        mean = samples.runs.sums(samples.value) / np.maximum(samples.count, 1)
        mean[(samples.count == 0) | (samples.coverage < self.min_coverage)] = np.nan
        return Computed.of(at, mean, samples.ranks, samples.coverage, at)

    def since(self, at: Times) -> Times:
        return at - self.sampler.window


def _build(settings: WindowMeanSettings, station: Station) -> WindowMean:
    sampler = Sampler.of(settings, station)
    return WindowMean((settings.of,), sampler, settings.min_coverage, sampler.rows)


def _problems(derived: DerivedDatastream, settings: Any, station: Station) -> Iterator[Fault]:
    yield from sample_problems(derived, settings, station)


KIND = Kind(
    name="window_mean",
    settings=WindowMeanSettings,
    build=_build,
    problems=_problems,
    documentation="""\
Mean of the readings of `of` in the `window` that ends at each of them, in its unit.

Coverage: the share of the window that readings speak for, each for the time since the one before it, at most
one cadence. Below `min_coverage` (0.75) the mean is unknown: a mean of part of a day is not a daily mean.
""",
)
