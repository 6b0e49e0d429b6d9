"""A scenario as data: which curves the water follows, which sensor reads which curve, what goes wrong.

`load_scenario` reads and checks a YAML file; it does no other I/O. All times in a file carry their offset.
Called by `plan`, `demo` and the command line.
"""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from ingest.clock import to_micros

DEFAULT_SCENARIO = "flood-2025-10"

MINUTE = 60_000_000  # microseconds
HOUR = 60 * MINUTE


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _whole_second(moment: datetime) -> datetime:
    if moment.microsecond:
        raise ValueError("times in a scenario are whole seconds")
    return moment


Time = Annotated[AwareDatetime, AfterValidator(_whole_second)]
Point = tuple[Time, float]


class Text(Part):
    """One text in Vietnamese and English."""

    vi: str
    en: str


class PointsCurve(Part):
    """Shape-preserving interpolation (PCHIP) through dated points, with a tide of `tide` metres at low water.

    The tide is whole below `tide_full_below` and gone above `tide_gone_above` (metres).
    """

    kind: Literal["points"]
    points: tuple[Point, ...] = Field(min_length=2)
    tide: float = Field(default=0.0, ge=0)
    tide_full_below: float = 0.0
    tide_gone_above: float = 0.0


class FollowCurve(Part):
    """`offset + scale * other(t - lag)`."""

    kind: Literal["follow"]
    of: str
    scale: float
    offset: float
    lag_hours: float = 0.0


class StreetCurve(Part):
    """Depth in a street: what the river sends over its bank, or what rain leaves (m per mm/h, slow drain)."""

    kind: Literal["street"]
    of: str | None = None
    bank: float = 0.0
    share: float = 1.0
    rain: str | None = None
    metres_per_mm_hour: float = 0.0
    drain_hours: float = 2.0


class Storm(Part):
    """A sin² envelope of rain with about `total_mm` in all."""

    begins: Time
    ends: Time
    total_mm: float = Field(gt=0)


class RainCurve(Part):
    """Cumulative rain in mm: storms of gamma pulses times an orographic factor, below a physical rate."""

    kind: Literal["rain"]
    storms: tuple[Storm, ...]
    factor: float = 1.0


CurveSpec = Annotated[
    PointsCurve | FollowCurve | StreetCurve | RainCurve,
    Field(discriminator="kind"),
]


class SeriesSpec(Part):
    """One simulated sensor: the catalogue's datastream, the curve it reads, how it reads and speaks.

    `noise_mm` bounds the noise (2.5 standard deviations). `device` names the vendor's payload.
    `server_decodes`: the LoRaWAN network server has the vendor's decoder and adds its object.
    `main` stations are judged within the narrow tolerance and suffer no outage.
    """

    datastream: str
    curve: str
    noise_mm: float = Field(default=0.0, ge=0)
    resolution: float = Field(default=0.001, gt=0)
    device: Literal["json", "em500-udl", "ldds75"] = "json"
    server_decodes: bool = False
    main: bool = False
    per_reading: bool = False  # the reading is the sum since the reading before (rain)


class Interval(Part):
    """A fault of one station's sensor from `begins` until before `ends`."""

    datastream: str
    begins: Time
    ends: Time


class Late(Part):
    """Store-and-forward: `count` times, one of `datastreams` holds its readings back for some minutes."""

    datastreams: tuple[str, ...]
    count: int = Field(ge=0)
    hold_minutes: tuple[int, int]


class Spiking(Part):
    """Single wild samples at `share` of the readings, `size` metres above the water."""

    datastream: str
    share: float = Field(gt=0, lt=0.2)
    size: tuple[float, float]


class Wear(Part):
    """What goes wrong by chance at every sensor alike (domain figures 7.5), by reading.

    `spikes`: single wild samples of `spike_metres` up or down. `stuck`: the value stands still for
    `stuck_hours`; both of what is measured in metres. `outages`: nothing comes of its device, for
    `outage_minutes` in the mean. `held_back`: its device keeps `held_readings` and sends them at once.
    """

    spikes: float = Field(default=0.0, ge=0, le=0.01)
    spike_metres: tuple[float, float] = (0.3, 3.0)
    stuck: float = Field(default=0.0, ge=0, le=0.01)
    stuck_hours: tuple[float, float] = (1.0, 24.0)
    outages: float = Field(default=0.0, ge=0, le=0.01)
    outage_minutes: float = Field(default=40.0, gt=0)
    held_back: float = Field(default=0.0, ge=0, le=0.01)
    held_readings: tuple[int, int] = (6, 72)


class FaultsSpec(Part):
    """What goes wrong; `submerged` sensors are under water while the water is above their blanking height."""

    duplicates: float = Field(default=0.0, ge=0, le=0.5)
    late: Late | None = None
    dropouts: tuple[Interval, ...] = ()
    stuck: tuple[Interval, ...] = ()
    spiking: tuple[Spiking, ...] = ()
    submerged: tuple[str, ...] = ()
    wear: Wear = Wear()


class Limits(Part):
    """What truth expects of rules, in the domain's own figures (m, m/h, minutes)."""

    hysteresis: float = 0.10
    street_hysteresis: float = 0.05
    hold_minutes: int = 30
    rate_per_hour: tuple[float, ...] = (0.08, 0.15, 0.25)
    rate_below_first_level: float = 0.5
    late_cadences: float = 2.0
    late_minutes: float = 15.0
    silent_cadences: float = 4.0
    silent_minutes: float = 30.0
    steps_above: str = "BĐ III"  # each so many metres above this level, the highest of a river
    step: float = 0.5
    rain_mm: dict[int, tuple[float, ...]] = {  # within so many hours
        1: (30, 50, 70, 100),
        3: (60, 100, 150, 200),
        24: (100, 200, 400),
    }
    rain_fraction: float = 0.5
    rain_hold_minutes: int = 60
    outflow_step: tuple[float, ...] = (500, 1000)  # m3/s more than an hour before
    outflow_back: float = 250
    stuck_minutes: int = 240


class Scenario(Part):
    """One flood, from its curves to its faults."""

    name: str
    title: Text
    begins: Time
    hours: float = Field(gt=0)
    step_minutes: int = Field(default=5, ge=1)
    seed: int
    limits: Limits = Limits()
    curves: dict[str, CurveSpec]
    series: tuple[SeriesSpec, ...]
    faults: FaultsSpec = FaultsSpec()

    @property
    def start(self) -> int:
        """The first tick, microseconds UTC."""
        return to_micros(self.begins)

    @property
    def step(self) -> int:
        """Microseconds from one tick to the next."""
        return self.step_minutes * MINUTE

    @property
    def steps(self) -> int:
        """How many steps there are; tick k happens at `start + k * step`, k from 0 to `steps`."""
        return round(self.hours * 60 / self.step_minutes)

    @property
    def end(self) -> int:
        """The last tick, microseconds UTC."""
        return self.start + self.steps * self.step


def load_scenario(name_or_path: str = DEFAULT_SCENARIO) -> Scenario:
    """A scenario that ships with Huewatch by its name, or one of yours by its path.

    Raises `FileNotFoundError`, or pydantic's `ValidationError` that names the field.
    """
    shipped = files("simulators.scenarios") / f"{name_or_path}.yaml"
    source = shipped if shipped.is_file() else Path(name_or_path)
    document = yaml.safe_load(source.read_text(encoding="utf-8"))
    return Scenario.model_validate(document)
