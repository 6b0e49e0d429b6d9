"""`rate`: how fast a value rises, as a robust slope over an irregular window.

The slope is Theil-Sen over the rows of the newest `window` that may take part: at least `points` of them,
spanning at least `span`; with less, nothing changes. Judged only while the value is at or above the lowest
level of the catalogue less `gate`: series without levels are left out, so that the tide at low water stays
quiet. Ends when the slope has been below `clear.fraction` of the limit for `clear.hold`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from alerts.condition import Signal
from alerts.rules.kind import (
    Accept,
    Band,
    ExplicitLevel,
    Plan,
    RuleSettings,
    Target,
    flags,
    micros,
    rows_needed,
)
from alerts.rules.quantity import QuantityField
from alerts.rules.slope import MOST_POINTS, recent_slope
from ingest.config_model import Duration, Model
from ingest.memory import Windows
from ingest.model import Quality
from ingest.yaml_lines import Place, Problem


class Clear(Model):
    fraction: Annotated[float, Field(gt=0, le=1)]
    hold: Duration


class Settings(RuleSettings):
    kind: Literal["rate"]
    levels: tuple[ExplicitLevel, ...]
    window: Duration
    span: Duration
    points: Annotated[int, Field(ge=3)]
    gate: QuantityField
    clear: Clear
    accept: Accept = ("pass", "not_evaluated")


class Rate:
    name: ClassVar[str] = "rate"
    settings: ClassVar[type[RuleSettings]] = Settings

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        datastream = target.datastream
        if not datastream.levels:
            return None
        limits = [
            (rank, level, level.value.per_hour(datastream.unit))
            for rank, level in enumerate(settings.levels, start=1)
            if level.value is not None
        ]
        bands = tuple(
            Band(rank, level.name, level.severity, limit, round(limit * settings.clear.fraction, 9))
            for rank, level, limit in limits
        )
        lowest = min(level.value for level in datastream.levels)
        return Plan(
            bands=bands,
            unit=f"{datastream.unit}/h",
            hold=micros(settings.clear.hold),
            samples=1,  # the slope is a median over at least `points` samples
            verified_samples=1,
            quiet_below=lowest - settings.gate.in_unit(datastream.unit),
            memory=micros(settings.window),
            rows=rows_needed(settings.window, datastream.cadence),
            evidence=MOST_POINTS,
        )

    def accepted(self, settings: Settings) -> frozenset[Quality]:
        return flags(settings.accept)

    def signal(
        self, settings: Settings, windows: Windows, usable: NDArray[np.bool_], floor: NDArray[np.float64]
    ) -> Signal:
        """The slope now, in the datastream's unit per hour; NaN where there is too little to judge by."""
        span, window = micros(settings.span), micros(settings.window)
        slope = recent_slope(windows, usable, window, span, settings.points, floor)
        doubted = (usable & (windows.quality == Quality.SUSPECT)).any(axis=1)
        return Signal(slope[:, None], windows.time[:, -1:], doubted[:, None])

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        if settings.span > settings.window:
            yield place.at("span").problem(
                "The span is longer than the window.", "Make `span` at most as long as `window`."
            )
        for target, _ in plans:
            if settings.window < settings.points * target.datastream.cadence:
                yield place.at("window").problem(
                    f"{target.key} sends too seldom to have {settings.points} points in the window.",
                    "Make the window longer, or leave the station out.",
                )


KIND = Rate()
