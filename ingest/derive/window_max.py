"""`window_max`: the highest value of the last hours, a lower bound with its coverage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ingest.derive.kind import Computed, Fault, Kind, Series, Times
from ingest.derive.outputs import AtReadings
from ingest.derive.samples import Sampler, SampleSettings, sample_problems

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream


class WindowMaxSettings(SampleSettings):
    """The highest value in a window that ends at each input row."""

    kind: Literal["window_max"]


@dataclass(frozen=True, slots=True)
class WindowMax(AtReadings):
    """The highest of the values in (at - window, at]."""

    inputs: tuple[str, ...] = field(compare=False)
    sampler: Sampler
    rows: int

    @property
    def lookback(self) -> int:
        return self.sampler.window

    def compute(self, at: Times, inputs: Sequence[Series]) -> Computed:
        samples = self.sampler.take(at, inputs[0])
        highest = samples.runs.highest(samples.value)
        return Computed.of(at, highest, samples.ranks, samples.coverage, at)

    def since(self, at: Times) -> Times:
        return at - self.sampler.window


def _build(settings: WindowMaxSettings, station: Station) -> WindowMax:
    sampler = Sampler.of(settings, station)
    return WindowMax((settings.of,), sampler, sampler.rows)


def _problems(derived: DerivedDatastream, settings: Any, station: Station) -> Iterator[Fault]:
    yield from sample_problems(derived, settings, station)


KIND = Kind(
    name="window_max",
    settings=WindowMaxSettings,
    build=_build,
    problems=_problems,
    documentation="""\
Highest reading of `of` in the `window` that ends at each of them, in its unit.

Coverage: as for `window_mean`. The maximum is a lower bound of what was; without any reading it is unknown.
""",
)
