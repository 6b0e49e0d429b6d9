"""What may be said of one gauge now: a forecast with its next level, or why there is none. Pure.

A forecast is withheld where it could mislead: from an input that is old, doubted or at the end of its sight,
across a gap, from a zero that nobody surveyed, and where the tide may be what moves the water. `outlook` is
for one gauge, as the command line shows it; the sink asks for the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from alerts.forecast import model
from alerts.forecast.gates import TIDAL, beyond_tide, stale_after
from alerts.forecast.lattice import SPAN, lattice_of
from alerts.forecast.model import Forecast
from alerts.forecast.passing import Mark, Passing, next_mark, passing
from alerts.forecast.priors import PRIORS
from alerts.station_view import comparable
from ingest.catalog import Datastream, Station, is_height
from ingest.model import Quality
from ingest.store.read import Observed

SIGHT = 1e-9  # m; a sensor under water repeats its highest level
INPUTS = (Quality.PASS, Quality.NOT_EVALUATED)


class Withheld(StrEnum):
    """Why there is no forecast."""

    NO_LEVELS = "no_levels"
    UNREFERENCED = "unreferenced"
    TIDE = "tide"
    NO_DATA = "no_data"
    STALE = "stale"
    SATURATED = "saturated"
    SUSPECT = "suspect"
    GAP = "gap"


WORDS = {
    Withheld.NO_LEVELS: (
        "trạm không có mực nước báo động tính bằng m",
        "the station has no levels in metres",
    ),
    Withheld.UNREFERENCED: ("mốc 0 chưa quy chiếu", "the zero is not referenced"),
    Withheld.TIDE: ("mực nước có thể chỉ theo triều", "the tide may be what moves the water"),
    Withheld.NO_DATA: ("không có số liệu", "there is no data"),
    Withheld.STALE: ("số liệu mới nhất đã cũ", "the newest value is old"),
    Withheld.SATURATED: (
        "cảm biến đã bị ngập, chỉ biết mực nước ít nhất",
        "the sensor is at the end of its sight",
    ),
    Withheld.SUSPECT: ("số liệu mới nhất đáng ngờ", "the newest value is suspect"),
    Withheld.GAP: ("số liệu một giờ qua bị gián đoạn", "the last hour has a gap"),
}


@dataclass(frozen=True, slots=True)
class Outlook:
    """One gauge at `now`: its newest usable sample, and either `withheld` or a forecast of one series.

    `mark` is the level that comes next, and `passing` how it is approached.
    """

    now: int
    newest: Observed | None
    withheld: Withheld | None
    forecast: Forecast | None = None
    mark: Mark | None = None
    passing: Passing | None = None


def outlook(
    station: Station, datastream: Datastream, rows: Sequence[Observed], now: int, *, blind: bool = False
) -> Outlook:
    """What may be said of a gauge from its rows of the last day, oldest first.

    `blind`: whether readings may be missing although the service runs.
    """
    heard = [row for row in rows if row.quality not in (Quality.FAIL, Quality.MISSING)]
    newest = heard[-1] if heard else None
    reason = unsuited(station, datastream)
    if reason is None:
        reason = Withheld.NO_DATA if newest is None else doubt(datastream, newest, now)
    if reason is None and blind:
        reason = Withheld.GAP
    if reason is not None:
        return Outlook(now, newest, reason)
    return _made(station, datastream, heard, now)


def unsuited(station: Station, datastream: Datastream) -> Withheld | None:
    """Why a datastream is never forecast; None where it may be."""
    if not datastream.levels or datastream.unit != "m" or not is_height(datastream):
        return Withheld.NO_LEVELS
    if not comparable(station, datastream):
        return Withheld.UNREFERENCED
    return Withheld.TIDE if station.kind == "tide" else None  # at Thuận An the sea itself is measured


def doubt(datastream: Datastream, newest: Observed, now: int) -> Withheld | None:
    """Why nothing may be said from this newest row at that time; None where it may serve."""
    if now - newest.time > stale_after(datastream.cadence):
        return Withheld.STALE
    installed = datastream.installed(newest.time)
    ranging = None if installed is None else installed.ranging
    if ranging is not None and newest.value >= ranging.highest - SIGHT:
        return Withheld.SATURATED
    return None if newest.quality in INPUTS else Withheld.SUSPECT


def since_installed(datastream: Datastream, newest: int) -> int:
    """When the sensor of a time was put in place, or the day before that time, whichever came later."""
    return max([newest - SPAN, *(time for time in datastream.resets() if time <= newest)])


def _made(station: Station, datastream: Datastream, heard: Sequence[Observed], now: int) -> Outlook:
    newest = heard[-1]
    since = since_installed(datastream, newest.time)
    used = [row for row in heard if row.quality in INPUTS and row.time >= since]
    lattice = lattice_of(
        np.array([[row.time for row in used]]), np.array([[row.value for row in used]]), _all(len(used))
    )
    made = model.forecast(lattice, PRIORS)
    if not made.known[0]:
        return Outlook(now, newest, Withheld.GAP)
    if TIDAL in station.tags and not beyond_tide(lattice)[0]:
        return Outlook(now, newest, Withheld.TIDE)
    mark = next_mark(newest.value, datastream.levels)
    assert mark is not None  # without levels it is unsuited
    return Outlook(now, newest, None, made, mark, passing(made, np.array([mark.value])))


def _all(count: int) -> NDArray[np.bool_]:
    return np.ones((1, count), np.bool_)
