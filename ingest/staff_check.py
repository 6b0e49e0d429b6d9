"""A staff gauge against a sensor: the error of its level, and the zero that would take it away.

Pure. Called by `huewatch station check`, by somebody who stands at the station and reads the staff.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.catalog import Datastream
from ingest.clock import MICROS_PER_SECOND
from ingest.installation import ZERO_DECIMALS, Installed
from ingest.model import Quality

if TYPE_CHECKING:
    from ingest.store.read import Latest

# A river that rises by 25 cm/h moves 6 cm in 15 minutes; more than that says nothing of the zero.
STALE_CADENCES, STALE_AT_LEAST = 2, 15 * 60 * MICROS_PER_SECOND
BIG_ERROR = 1.0  # m: more likely a staff in another datum, or a misread one


class NotComparable(Exception):
    """The sensor's newest reading cannot be compared with a staff now, and why."""


@dataclass(frozen=True, slots=True)
class StaffCheck:
    """A level beside the staff's, in the datastream's unit (metres where the sensor ranges).

    `reading`: what the sensor itself said, `zero` and `new_zero`: its zero, and the one that the staff
    implies; None where the level comes ready from the device.
    """

    level: float
    staff: float
    age: int  # microseconds
    quality: Quality
    reading: float | None
    zero: float | None
    new_zero: float | None

    @property
    def error(self) -> float:
        """How much too high the level is."""
        return round(self.level - self.staff, ZERO_DECIMALS)


def compare(datastream: Datastream, latest: Latest | None, staff: float, now: int) -> StaffCheck:
    """The newest reading against the staff's level in the same datum; `NotComparable` says why not."""
    if latest is None:
        raise NotComparable("nothing has been received from it yet")
    age = now - latest.time
    if age > max(STALE_AT_LEAST, round(STALE_CADENCES * datastream.cadence * MICROS_PER_SECOND)):
        raise NotComparable(f"its newest reading is {minutes(age)} old: the water has moved since")
    if latest.quality in (Quality.FAIL, Quality.MISSING):
        raise NotComparable("its newest reading failed its quality tests")
    installed = datastream.installed(latest.time)
    if installed is None or installed != datastream.current():
        raise NotComparable(
            "its newest reading is of an earlier installation: wait for one of the new sensor"
        )
    return _compared(installed, latest, staff, age)


def _compared(installed: Installed, latest: Latest, staff: float, age: int) -> StaffCheck:
    ranging, quality = installed.ranging, Quality(latest.quality)
    if ranging is None:
        return StaffCheck(latest.value, staff, age, quality, None, None, None)
    if latest.value >= ranging.highest:
        raise NotComparable(
            f"the sensor is saturated: it only says that the level is at least {latest.value:g} m"
        )
    zero = ranging.zero_elevation
    reading = round(ranging.reading_of(latest.value), ZERO_DECIMALS)
    new_zero = round(zero - (latest.value - staff), ZERO_DECIMALS)
    return StaffCheck(latest.value, staff, age, quality, reading, zero, new_zero)


def minutes(age: int) -> str:
    """An age for people."""
    seconds = age / MICROS_PER_SECOND
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
