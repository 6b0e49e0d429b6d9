"""`flat_line`: values that have stayed within `tolerance` of one another for too long: stuck, iced or
unplugged.

The signal is for how many hours the newest readings lie within the tolerance, counted over readings that
follow one another within four cadences. Values below `above` (a dry road), or at the highest that the
sensor can see (`saturation` speaks of them), are no flat line. Any reading may take part, failed ones too:
a quality test that fails a stuck sensor must not hide it. Ends when the values have moved for `clear.hold`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from alerts.condition import Signal
from alerts.rules.kind import (
    HOUR,
    Band,
    ExplicitLevel,
    Plan,
    RuleSettings,
    Target,
    Told,
    micros,
    ranked,
    rows_needed,
)
from alerts.rules.quantity import QuantityField
from ingest.config_model import Duration, Model
from ingest.memory import Windows
from ingest.model import Quality
from ingest.yaml_lines import Place, Problem

Floats = NDArray[np.float64]

UNIT = "h"
GAP = 4  # cadences without a reading; beyond it nobody knows whether the value stood still
READINGS = frozenset({Quality.PASS, Quality.NOT_EVALUATED, Quality.SUSPECT, Quality.FAIL})


class Clear(Model):
    hold: Duration


class Settings(RuleSettings):
    kind: Literal["flat_line"]
    tolerance: QuantityField
    above: QuantityField | None = None
    levels: Annotated[tuple[ExplicitLevel, ...], Field(min_length=1)]
    clear: Clear


class FlatLine:
    name: ClassVar[str] = "flat_line"
    settings: ClassVar[type[RuleSettings]] = Settings
    needs_zero: ClassVar[bool] = False

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        datastream = target.datastream
        bands = tuple(
            Band(rank, level.name, level.severity, hours, hours)
            for rank, level, value in ranked(settings.levels)
            for hours in (value.in_unit(UNIT),)
        )
        if not bands:
            return None
        tolerance = settings.tolerance.in_unit(datastream.unit)
        above = -np.inf if settings.above is None else settings.above.in_unit(datastream.unit)
        ranging = datastream.current().ranging
        highest = np.inf if ranging is None else round(ranging.highest - tolerance, 9)
        longest = bands[-1].raise_at * HOUR + micros(datastream.cadence)
        return Plan(
            bands=bands,
            unit=UNIT,
            hold=micros(settings.clear.hold),
            samples=1,  # each value of the signal is of many readings
            verified_samples=1,
            quiet_below=above,
            memory=int(longest),
            rows=rows_needed(longest / 1e6, datastream.cadence),
            evidence=1,
            own=(tolerance, above, highest, float(micros(GAP * datastream.cadence))),
        )

    def accepted(self, settings: Settings) -> frozenset[Quality]:
        return READINGS

    def signal(
        self,
        settings: Settings,
        windows: Windows,
        usable: NDArray[np.bool_],
        floor: Floats,
        own: Floats,
    ) -> Signal:
        """For how many hours the newest value has stood."""
        tolerance, above, highest, gap = (own[:, column] for column in range(own.shape[1]))
        began = standing_since(windows, usable, tolerance, gap)
        newest = windows.value[:, -1]
        hours = np.where((newest >= above) & (newest < highest), (windows.time[:, -1] - began) / HOUR, 0.0)
        known = np.where(usable[:, -1], hours, np.nan)
        return Signal(known[:, None], windows.time[:, -1:], np.zeros((len(windows), 1), np.bool_))

    def told(self, settings: Settings, plan: Plan, band: Band, signal: float, observed: float) -> Told:
        """The hours, and no slope."""
        return Told(round(signal, 2), band.raise_at, "above", steady=True)

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        for target, plan in plans:
            if plan.own[0] < 0 or plan.bands[0].raise_at * HOUR < micros(GAP * target.datastream.cadence):
                yield place.at("levels").problem(
                    f"{plan.bands[0].raise_at:g} h are less than {GAP} readings of {target.key}: too few to "
                    "say that its value stands.",
                    "Wait longer, or leave the station out.",
                )


def standing_since(
    windows: Windows, usable: NDArray[np.bool_], tolerance: Floats, gap: Floats
) -> NDArray[np.int64]:
    """When the run of values began that lie within `tolerance` (n) of one another, up to the newest."""
    began = windows.time[:, -1].copy()
    low = high = np.where(usable[:, -1], windows.value[:, -1], np.nan)
    running = usable[:, -1].copy()
    for place in range(windows.time.shape[1] - 2, -1, -1):
        value, time, known = windows.value[:, place], windows.time[:, place], usable[:, place]
        low, high = np.where(known, np.fmin(low, value), low), np.where(known, np.fmax(high, value), high)
        running &= ~known | ((high - low <= tolerance + 1e-9) & (began - time <= gap))
        if not running.any():
            break
        began = np.where(running & known, time, began)
    return began


KIND = FlatLine()
