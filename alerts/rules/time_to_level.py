"""`time_to_level`: a level that will be passed within some hours with some probability ("BĐ III within 3 h").

The signal is the level that `alerts.forecast` says is passed within `within` with at least `probability`. It
raises the highest level that lies above the newest value and not above it; `confirm` forecasts in a row must
agree. A level that is reached is foretold no more: there the `threshold` rule speaks. Ends when the signal
has been more than `clear.below` under the level, or has foretold nothing, for `clear.hold`.

Judged from `reach` below the lowest level on. Nothing is foretold of water that moves by less than 2 cm/h,
and at a station with the tag `tidal` of water that moves as the tide may. From rows that came late (more than
two cadences, at least 15 min) or across a gap nothing changes. Only series in metres; no sea level (kind
`tide`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag

from alerts.condition import Signal
from alerts.forecast import model
from alerts.forecast.gates import MOVING, TIDAL, beyond_tide, stale_after
from alerts.forecast.lattice import STEPS_PER_HOUR, Lattice, lattice_of
from alerts.forecast.model import PROBABILITIES, Prior
from alerts.forecast.passing import exceeded
from alerts.forecast.priors import HOURS, LONGEST, PRIORS
from alerts.model import Severity
from alerts.rules.kind import (
    HOUR,
    ROWS_BOUND,
    Accept,
    Band,
    ExplicitLevel,
    Plan,
    RuleSettings,
    Target,
    flags,
    levels_at,
    micros,
    rows_needed,
)
from alerts.rules.quantity import QuantityField
from alerts.rules.reach import highest_possible
from alerts.rules.threshold_settings import ClearBelow
from ingest.config_model import Duration
from ingest.memory import NEVER, Windows
from ingest.model import Quality
from ingest.yaml_lines import Place, Problem

LOOK_BACK = 12 * 3_600.0  # seconds; half a day of outcomes is enough to weigh the members by
MOST_LEVELS = 8  # of one target
STILL = 100 * 60.0  # seconds: an hour, and as much more as two rows may be apart
EVIDENCE = 8  # rows that a raise is told with


def _which_levels(levels: Any) -> str:
    return "list" if isinstance(levels, list | tuple) else "word"


Levels = Annotated[
    Annotated[Literal["catalogue"], Tag("word")] | Annotated[tuple[ExplicitLevel, ...], Tag("list")],
    Discriminator(_which_levels),
]


class Settings(RuleSettings):
    kind: Literal["time_to_level"]
    levels: Levels
    severities: dict[str, Severity] = Field(default_factory=dict)
    within: Duration
    probability: Annotated[float, Field(ge=0.5, le=PROBABILITIES[-1])]
    reach: QuantityField
    confirm: Annotated[int, Field(ge=1, le=5)] = 2
    clear: ClearBelow
    accept: Accept = ("pass", "not_evaluated")


class TimeToLevel:
    name: ClassVar[str] = "time_to_level"
    settings: ClassVar[type[RuleSettings]] = Settings

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        datastream = target.datastream
        if target.station.kind == "tide":
            return None
        bands = _bands(settings, target)
        if not bands:
            return None
        if datastream.unit != "m":
            raise ValueError(f"only series in m are foretold, not in {datastream.unit}")
        levels = [band.raise_at for band in bands]
        if len(levels) > MOST_LEVELS:
            raise ValueError(f"at most {MOST_LEVELS} levels of a station are foretold")
        return Plan(
            bands=bands,
            unit=datastream.unit,
            hold=micros(settings.clear.hold),
            samples=settings.confirm,
            verified_samples=settings.confirm,
            quiet_below=min(levels) - settings.reach.in_unit(datastream.unit),
            memory=micros(LOOK_BACK),
            rows=min(rows_needed(LOOK_BACK, datastream.cadence), ROWS_BOUND),
            evidence=EVIDENCE,
            own=(
                float(stale_after(datastream.cadence)),
                float(TIDAL in target.station.tags),
                *levels,
                *[np.inf] * (MOST_LEVELS - len(levels)),
            ),
        )

    def accepted(self, settings: Settings) -> frozenset[Quality]:
        return flags(settings.accept)

    def signal(
        self,
        settings: Settings,
        windows: Windows,
        usable: NDArray[np.bool_],
        floor: NDArray[np.float64],
        own: NDArray[np.float64],
    ) -> Signal:
        """The level (m) passed with the probability, from each of the newest rows; -inf: nothing is foretold,
        NaN: not known.

        Of a target with an alert (`floor` is -inf) from the rows of the last `clear.hold` too: all its levels
        end together then.
        """
        rank = np.cumsum(usable[:, ::-1], axis=1)[:, ::-1]  # 1 at the newest usable row
        held = windows.time >= windows.time[:, -1:] - micros(settings.clear.hold)
        asked = usable & ((rank <= settings.confirm) | (held & np.isneginf(floor)[:, None]))
        columns = max(int(asked.sum(axis=1).max(initial=0)), settings.confirm)
        value, time = np.full((len(windows), columns), np.nan), np.zeros((len(windows), columns), np.int64)
        for back in range(columns):
            if back == 1:  # what foretells nothing now raises nothing, whatever it foretold before
                asked &= (np.isfinite(value[:, -1]) | np.isneginf(floor))[:, None]
            series, row = np.nonzero(asked & (rank == back + 1))
            if not len(series):
                break
            found = _foretold(settings, windows.take(series), (usable & (rank > back))[series], own[series])
            late = windows.received[series, row] - windows.time[series, row] > own[series, 0]
            value[series, columns - 1 - back] = np.where(late, np.nan, found)
            time[series, columns - 1 - back] = windows.time[series, row]
        return Signal(value, time, np.zeros(value.shape, np.bool_))

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        if settings.within > LONGEST * 3_600:
            yield place.at("within").problem(
                f"Nothing is foretold beyond {LONGEST:g} h.", f"Write {LONGEST:g}h or less."
            )
        for target, plan in plans:
            top, why = highest_possible(target.datastream)
            for band in plan.bands:
                if band.raise_at > top:
                    yield place.at("levels").problem(
                        f"Level {band.name} ({band.raise_at:g} {plan.unit}) of {target.key} can never be "
                        f"reached: {why} {top:g} {plan.unit}.",
                        "Correct the level, the gross range or the sensor's height.",
                    )


def _bands(settings: Settings, target: Target) -> tuple[Band, ...]:
    """The levels, each by a name that says within what time and how likely it is to be passed."""
    words = f"≤ {settings.within / 3_600:g} h (p ≥ {100 * settings.probability:g} %)"
    below = settings.clear.below.in_unit(target.datastream.unit)
    return tuple(
        Band(rank, f"{name} {words}", severity, value, round(value - below, 9))
        for rank, name, value, severity in levels_at(target.datastream, settings.levels, settings.severities)
    )


def _foretold(
    settings: Settings, windows: Windows, usable: NDArray[np.bool_], own: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What is foretold from the newest usable row of each series (n); for `own` see the plan."""
    value = np.full(len(windows), -np.inf)
    restless = np.flatnonzero(~_still(windows, usable))
    if len(restless):
        value[restless] = _foretold_of(settings, windows.take(restless), usable[restless], own[restless])
    return value


def _still(windows: Windows, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether all rows of the last hour and some more stay so close that the water cannot be moving."""
    newest = np.where(usable, windows.time, NEVER).max(axis=1, keepdims=True)
    recent = usable & (windows.time >= newest - micros(STILL))
    low = np.where(recent, windows.value, np.inf).min(axis=1, initial=np.inf)
    high = np.where(recent, windows.value, -np.inf).max(axis=1, initial=-np.inf)
    whole = (recent & (windows.time <= newest - HOUR)).any(axis=1)
    return np.asarray(whole & (high - low <= MOVING), np.bool_)


def _foretold_of(
    settings: Settings, windows: Windows, usable: NDArray[np.bool_], own: NDArray[np.float64]
) -> NDArray[np.float64]:
    tidal, levels = own[:, 1] > 0, own[:, 2:]
    lattice = lattice_of(windows.time, windows.value, usable)
    now, before = lattice.level[:, -1], lattice.level[:, -1 - STEPS_PER_HOUR]
    value = np.where(np.isnan(before), np.nan, -np.inf)
    moves = np.abs(now - before) > MOVING
    moving = np.flatnonzero(moves & (~tidal | beyond_tide(lattice)))
    passed = _passed(settings, lattice.take(moving))
    ahead = (levels[moving] > now[moving, None]) & (levels[moving] <= passed[:, None])
    value[moving] = np.where(ahead.any(axis=1), passed, np.where(np.isnan(passed), np.nan, -np.inf))
    return value


def _passed(settings: Settings, lattice: Lattice) -> NDArray[np.float64]:
    within = settings.within / 3_600
    return exceeded(model.forecast(lattice, _priors(within)), within, settings.probability)


def _priors(within: float) -> tuple[Prior, ...]:
    """The horizons until that time, and the next one."""
    return PRIORS[: 1 + sum(hours < within for hours in HOURS)]


KIND = TimeToLevel()
