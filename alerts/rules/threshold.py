"""`threshold`: a value at or above a level, the level of the catalogue or one that the rule names.

Opens when `confirm` says so (`alerts.rules.confirm`): by default two usable samples in a row at or above
the level. Where the cadence is longer than `confirm.at_once_above`, one sample opens at once and the alert
is told as not verified. Ends when the value has been more than `clear.below` under the level for
`clear.hold` of event time. `steps` adds levels above the catalogue's highest, up to what can be measured.

With `direction: below` it is the other way round, as for a battery: at or below a level, the levels from high
to low, and `clear.above`. Inside, values and bands are then negated; whatever is told is the value itself.

With `direction: outside` each level is a band, `low` or `high` or both, the next one further out;
`clear.inside` is how far inside its edge a value must come back. Inside, see `alerts.rules.outside`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from alerts.condition import Signal
from alerts.model import Severity
from alerts.rules.confirm import sure_beyond
from alerts.rules.kind import (
    MEMORY_BOUND,
    Band,
    Plan,
    RuleSettings,
    Target,
    Told,
    as_measured,
    flags,
    levels_at,
    micros,
    rows_needed,
)
from alerts.rules.outside import HALF, Edges, bends, on_scale, scale
from alerts.rules.reach import highest_possible, lowest_possible
from alerts.rules.threshold_settings import Settings, Steps
from ingest.catalog import Datastream
from ingest.memory import Windows
from ingest.model import Quality
from ingest.yaml_lines import Place, Problem

MOST_STEPS = 20  # where nothing says how high the water can stand: 10 m in steps of half a metre


class Threshold:
    name: ClassVar[str] = "threshold"
    settings: ClassVar[type[RuleSettings]] = Settings
    across_installations: ClassVar[bool] = True  # a level is a level, whichever sensor says so

    def plan(self, settings: Settings, target: Target) -> Plan | None:
        datastream = target.datastream
        bands = _bands(settings, datastream)
        if not bands:
            return None
        cadence, confirm = datastream.cadence, settings.confirm
        slow = cadence > confirm.at_once_above
        sustained = confirm.sustained or 0.0
        counted = max(confirm.samples, confirm.of or 0)
        span = max(settings.clear.hold + counted * cadence, sustained + 2 * cadence)
        return Plan(
            bands=bands,
            unit=datastream.unit,
            hold=micros(settings.clear.hold),
            samples=1 if slow else confirm.samples,
            verified_samples=confirm.samples,
            quiet_below=-np.inf if settings.outside else min(band.raise_at for band in bands),
            # Samples further apart than this do not confirm one another.
            memory=max(MEMORY_BOUND, micros(span)),
            rows=rows_needed(span, cadence),
            evidence=counted,
            of=0 if slow else confirm.of or 0,
            sustain=micros(sustained),
            neighbours=confirm.neighbours and bool(datastream.neighbours),
            own=_own(settings, datastream),
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
        """The values themselves, in the datastream's unit, with the rule's sign; outside bands, on their
        scale."""
        measured = as_measured(windows, usable, settings.sign)
        if settings.outside:
            return replace(measured, value=on_scale(measured.value, own, _scale(settings)))
        if settings.confirm.at_once_beyond is None:
            return measured
        trusted = usable & ~measured.suspect
        return replace(measured, sure=sure_beyond(measured.value, windows.time, trusted, own[:, 0]))

    def told(self, settings: Settings, plan: Plan, band: Band, signal: float, observed: float) -> Told | None:
        """Outside a band: the value, and the edge that it is nearer to."""
        if not settings.outside:
            return None
        edges = next(one for one in _edges(settings, plan.unit) if one.rank == band.rank)
        known = [
            (edge, side) for edge, side in ((edges.low, "below"), (edges.high, "above")) if edge is not None
        ]
        edge, side = min(known, key=lambda one: abs(observed - one[0]))
        return Told(observed, edge, side)

    def words(self, settings: Settings, plan: Plan, band: Band) -> tuple[str, str] | None:
        """How `rule test` says of a band that a value is outside it, and that it is back inside."""
        if not settings.outside:
            return None
        edges = next(one for one in _edges(settings, plan.unit) if one.rank == band.rank)
        sides = (("at or below", edges.low), ("at or above", edges.high))
        reached = " or ".join(f"{side} {edge:g}" for side, edge in sides if edge is not None)
        back = settings.hysteresis.in_unit(plan.unit)
        return f"outside {band.name} ({reached} {plan.unit})", f"inside by {back:g} {plan.unit}"

    def lint(
        self, settings: Settings, plans: Sequence[tuple[Target, Plan]], place: Place
    ) -> Iterable[Problem]:
        for target, plan in plans:
            if settings.outside:
                yield from _unreachable_edges(settings, target, plan, place)
                continue
            end, why = (highest_possible if settings.sign > 0 else lowest_possible)(target.datastream)
            for band in plan.bands:
                if band.raise_at > settings.sign * end:
                    yield _unreachable(
                        target, plan, band.name, settings.sign * band.raise_at, why, end, place
                    )


def _unreachable_edges(settings: Settings, target: Target, plan: Plan, place: Place) -> Iterator[Problem]:
    top, above = highest_possible(target.datastream)
    bottom, below = lowest_possible(target.datastream)
    names = {band.rank: band.name for band in plan.bands}
    for one in _edges(settings, plan.unit):
        if one.low is not None and one.low < bottom:
            yield _unreachable(target, plan, names[one.rank], one.low, below, bottom, place)
        if one.high is not None and one.high > top:
            yield _unreachable(target, plan, names[one.rank], one.high, above, top, place)


def _unreachable(
    target: Target, plan: Plan, name: str, limit: float, why: str, end: float, place: Place
) -> Problem:
    return place.at("levels").problem(
        f"Level {name} ({limit:g} {plan.unit}) of {target.key} can never "
        f"be reached: {why} {end:g} {plan.unit}.",
        "Correct the level, the gross range or the sensor's height.",
    )


def _bands(settings: Settings, datastream: Datastream) -> tuple[Band, ...]:
    if settings.outside:
        return tuple(
            Band(rank, level.name, level.severity, float(rank), rank - HALF) for rank, level in settings.bands
        )
    sign, back = settings.sign, settings.hysteresis.in_unit(datastream.unit)
    return tuple(
        Band(rank, name, severity, sign * value, round(sign * value - back, 9))
        for rank, name, value, severity in _levels(settings, datastream)
    )


def _levels(settings: Settings, datastream: Datastream) -> Iterator[tuple[int, str, float, Severity]]:
    """(rank, name, value, severity) of each level that there is at a datastream."""
    yield from levels_at(datastream, settings.named, settings.severities)
    if settings.levels == "catalogue" and settings.steps is not None and datastream.levels:
        yield from _steps(settings.steps, datastream)


def _steps(steps: Steps, datastream: Datastream) -> Iterator[tuple[int, str, float, Severity]]:
    """The levels above the highest one, where that is the one that the steps count from."""
    highest, every = datastream.levels[-1], steps.every.in_unit(datastream.unit)
    if highest.name != steps.above:
        return
    if every <= 0:
        raise ValueError("`steps.every` is not above 0")
    top, _ = highest_possible(datastream)
    room = min((top - highest.value) / every, MOST_STEPS)
    for number in range(1, int(round(room, 6)) + 1):
        by = f"{round(number * every, 9):g}".replace(".", ",")
        value = round(highest.value + number * every, 9)
        yield highest.rank + number, f"{highest.name} +{by} {datastream.unit}", value, steps.severity


def _edges(settings: Settings, unit: str) -> list[Edges]:
    return [
        Edges(rank, *(None if edge is None else edge.in_unit(unit) for edge in (level.low, level.high)))
        for rank, level in settings.bands
    ]


def _own(settings: Settings, datastream: Datastream) -> tuple[float, ...]:
    """What the signal needs of a target: where the scale of bands bends, or how far beyond its level is
    sure."""
    if settings.outside:
        return bends(_edges(settings, datastream.unit), settings.hysteresis.in_unit(datastream.unit))
    beyond = settings.confirm.at_once_beyond
    return () if beyond is None else (beyond.in_unit(datastream.unit),)


def _scale(settings: Settings) -> tuple[float, ...]:
    low = [rank for rank, level in settings.bands if level.low is not None]
    high = [rank for rank, level in settings.bands if level.high is not None]
    return scale(low, high)


KIND = Threshold()
