"""`rate`: how fast a value rises, as a robust slope over an irregular window.

The slope is Theil-Sen over the rows of the newest `window` that may take part: at least `points` of them,
spanning at least `span`; with less, nothing changes. Where they are not written, each series needs half of
what its cadence gives, over half of the window. Ends when the slope has been below `clear.fraction` of the
limit for `clear.hold`.

Judged while the value is at or above the lowest level of the catalogue less `gate`, so that the tide at low
water stays quiet, or below that once it has risen for `rising`: in both halves of it, at half the lowest
limit. With `gate` alone, series without levels are left out; with neither, every value is judged.

`jump`: a row that differs by more than this from its newer neighbour is of another water, and is left out
with all before it, until one comes near again. So neither a glitch to 0.0 nor the way back is a rise.
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
    Accept,
    Band,
    ExplicitLevel,
    Plan,
    RuleSettings,
    Target,
    flags,
    micros,
    ranked,
    rows_needed,
)
from alerts.rules.quantity import QuantityField
from alerts.rules.slope import MOST_POINTS, recent_slope
from ingest.catalog import Datastream
from ingest.config_model import Duration, Model
from ingest.memory import Windows
from ingest.model import Quality
from ingest.yaml_lines import Place, Problem

LEAST_POINTS = 3  # two are a difference; of three one may be wrong
SHARE = 0.5  # of a window, of its rows, and of a limit, where the rule does not say how much is needed

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Clear(Model):
    fraction: Annotated[float, Field(gt=0, le=1)]
    hold: Duration


class Settings(RuleSettings):
    kind: Literal["rate"]
    levels: tuple[ExplicitLevel, ...]
    window: Duration
    span: Duration | None = None
    points: Annotated[int, Field(ge=LEAST_POINTS)] | None = None
    gate: QuantityField | None = None
    rising: Duration | None = None
    jump: QuantityField | None = None
    clear: Clear
    accept: Accept = ("pass", "not_evaluated")


class Rate:
    name: ClassVar[str] = "rate"
    settings: ClassVar[type[RuleSettings]] = Settings

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        datastream = target.datastream
        if settings.gate is not None and settings.rising is None and not datastream.levels:
            return None
        bands = tuple(
            Band(rank, level.name, level.severity, limit, round(limit * settings.clear.fraction, 9))
            for rank, level, value in ranked(settings.levels)
            for limit in (value.per_hour(datastream.unit),)
        )
        gate = _gate(settings, datastream)
        span = _span(settings)
        jump = np.inf if settings.jump is None else settings.jump.in_unit(datastream.unit)
        return Plan(
            bands=bands,
            unit=f"{datastream.unit}/h",
            hold=micros(settings.clear.hold),
            samples=1,  # the slope is a median over at least `points` samples
            verified_samples=1,
            quiet_below=gate if settings.rising is None else -np.inf,
            memory=micros(settings.window),
            rows=rows_needed(settings.window, datastream.cadence),
            evidence=MOST_POINTS,
            own=(float(micros(span)), float(_points(settings, datastream)), gate, jump),
        )

    def accepted(self, settings: Settings) -> frozenset[Quality]:
        return flags(settings.accept)

    def signal(
        self,
        settings: Settings,
        windows: Windows,
        usable: Mask,
        floor: Floats,
        own: Floats,
    ) -> Signal:
        """The slope now, in the datastream's unit per hour; NaN where there is too little to judge by."""
        span, points, gate, jump = own[:, 0], own[:, 1], own[:, 2], own[:, 3]
        if settings.jump is not None:
            usable = of_one_water(windows.value, usable, jump)
        slope = recent_slope(windows, usable, micros(settings.window), span, points, floor)
        if settings.rising is not None:
            low = np.isfinite(floor) & (windows.value[:, -1] < gate) & ~np.isnan(slope)
            lasted = rose_throughout(windows, usable, micros(settings.rising), SHARE * floor)
            slope[low & ~lasted] = -np.inf
        doubted = (usable & (windows.quality == Quality.SUSPECT)).any(axis=1)
        return Signal(slope[:, None], windows.time[:, -1:], doubted[:, None])

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        if _span(settings) > settings.window:
            yield place.at("span").problem(
                "The span is longer than the window.", "Make `span` at most as long as `window`."
            )
        if settings.rising is not None and settings.rising > settings.window:
            yield place.at("rising").problem(
                "A rise cannot be seen for longer than the window.",
                "Make `rising` at most as long as `window`.",
            )
        for target, _ in plans:
            points = _points(settings, target.datastream)
            if settings.window < points * target.datastream.cadence:
                yield place.at("window").problem(
                    f"{target.key} sends too seldom to have {points} points in the window.",
                    "Make the window longer, or leave the station out.",
                )


def of_one_water(value: Floats, usable: Mask, jump: Floats) -> Mask:
    """The usable rows of (n, k) that are within `jump` (n) of the next newer one that is."""
    kept = np.zeros(usable.shape, np.bool_)
    newer = np.full(len(value), np.nan)
    for place in range(value.shape[1] - 1, -1, -1):
        far = np.abs(value[:, place] - newer) > jump  # False of the newest, which has none to differ from
        near = usable[:, place] & ~far
        kept[:, place] = near
        newer = np.where(near, value[:, place], newer)
    return kept


def rose_throughout(windows: Windows, usable: Mask, time: int, least: Floats) -> Mask:
    """Whether n series rose in both halves of the newest `time` (microseconds), by `least` (n) per hour."""
    value, at = windows.value, windows.time
    newest = at[:, -1:]
    here, rose = value[:, -1], np.ones(len(value), np.bool_)
    then = newest[:, 0]
    for part in (0.5, 1.0):
        known = usable & (at <= newest - int(part * time))
        place = known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
        before, since = value[np.arange(len(value)), place], at[np.arange(len(value)), place]
        hours = np.maximum(then - since, 1) / HOUR
        rose &= known.any(axis=1) & ((here - before) / hours >= least)
        here, then = before, since
    return rose


def _gate(settings: Settings, datastream: Datastream) -> float:
    """The value from which the slope is judged as it is."""
    if settings.gate is None:
        return np.inf if settings.rising is not None else -np.inf
    if not datastream.levels:
        return np.inf
    below: float = settings.gate.in_unit(datastream.unit)
    return min(level.value for level in datastream.levels) - below


def _span(settings: Settings) -> float:
    return SHARE * settings.window if settings.span is None else settings.span


def _points(settings: Settings, datastream: Datastream) -> int:
    """How many rows a slope needs: as written, or half of what the cadence gives."""
    if settings.points is not None:
        return settings.points
    return max(LEAST_POINTS, int(np.ceil(SHARE * settings.window / datastream.cadence)))


KIND = Rate()
