"""Whether a reading's time can be believed, and what the catalogue lets be done when it cannot.

A device's clock is compared with the arrival of its message. Three faults are told apart from an old reading:

- *reset*: the clock lost its battery and counts from an epoch (1970, the GPS epoch of 1980, 2000), or a
  32-bit counter of seconds is at its end (2106);
- *zone*: it is ahead by the city's offset from UTC, as where local time was sent as if it were UTC;
- *ahead*: it is further in the future than a clock without NTP drifts.

What a policy mends says so in its `TimeSource`, and nothing is mended that the catalogue does not declare.
A clock that is behind by hours cannot be told from a backlog by one message: `huewatch station clocks` judges
the lag of each device over days (`assess`). Pure; called by the normaliser and by that command.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ingest.clock import MICROS_PER_SECOND
from ingest.config_model import Model
from ingest.model import Quality, RejectReason, TimeSource

HOUR = 3_600 * MICROS_PER_SECOND
DAY = 24 * HOUR
ZONE_OFFSET = 7 * HOUR  # Vietnam, the year round
ZONE_TOLERANCE = HOUR // 4  # a device that sends at once, with some drift
# Counting from these, for as long as somebody may take to notice; microseconds since 1970.
RESET_EPOCHS = (0, 315_964_800 * MICROS_PER_SECOND, 946_684_800 * MICROS_PER_SECOND)
RESET_REACH = 400 * DAY
COUNTER_END = (2**32 - 1) * MICROS_PER_SECOND - DAY  # 32 bits of seconds all set, less a day of zones


class ClockPolicy(Model):
    """What may be done with a time that is known to be wrong; by default the reading is quarantined.

    `correct` takes the city's offset off; `arrival` takes the time of arrival, and the value is SUSPECT.
    """

    zone: Literal["reject", "correct"] = "reject"
    reset: Literal["reject", "arrival"] = "reject"
    ahead: Literal["reject", "arrival"] = "reject"


class Fault(IntEnum):
    """What is wrong with a time."""

    NONE = 0
    OLD = 1
    AHEAD = 2
    RESET = 3
    ZONE = 4


REASONS = {
    Fault.OLD: RejectReason.TIME_TOO_OLD,
    Fault.AHEAD: RejectReason.TIME_IN_FUTURE,
    Fault.RESET: RejectReason.CLOCK_RESET,
    Fault.ZONE: RejectReason.CLOCK_ZONE,
}


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of all series: whether each fault is mended, by series number."""

    zone: NDArray[np.bool_]
    reset: NDArray[np.bool_]
    ahead: NDArray[np.bool_]

    @classmethod
    def of(cls, policies: Sequence[ClockPolicy]) -> Policies:
        """One policy for each series, in their order."""
        return cls(
            np.array([policy.zone == "correct" for policy in policies], np.bool_),
            np.array([policy.reset == "arrival" for policy in policies], np.bool_),
            np.array([policy.ahead == "arrival" for policy in policies], np.bool_),
        )


@dataclass(frozen=True, slots=True)
class Times:
    """Times as they are believed, row by row: microseconds, `TimeSource`, whether the time is the arrival's,
    the least quality that follows, and the `Fault` that was not mended."""

    time: NDArray[np.int64]
    source: NDArray[np.int8]
    timeless: NDArray[np.bool_]
    quality: NDArray[np.int8]
    fault: NDArray[np.int8]


def judge(
    time: NDArray[np.int64],
    source: NDArray[np.int8],
    timeless: NDArray[np.bool_],
    received_at: NDArray[np.int64],
    series: NDArray[np.intp],
    policies: Policies,
    oldest: int,
    max_skew: int,
) -> Times:
    """Judge each row's time against its arrival; `oldest` and `max_skew` in microseconds."""
    quality = np.full(len(time), Quality.NOT_EVALUATED, np.int8)
    fault = np.zeros(len(time), np.int8)
    ahead = time - received_at
    suspicious = (time < oldest) | (ahead > max_skew)
    if not suspicious.any():
        return Times(time, source, timeless, quality, fault)
    fault[suspicious & (time < oldest)] = Fault.OLD
    fault[suspicious & (ahead > max_skew)] = Fault.AHEAD
    fault[suspicious & (np.abs(ahead - ZONE_OFFSET) <= ZONE_TOLERANCE)] = Fault.ZONE
    fault[suspicious & _counts_from_reset(time)] = Fault.RESET
    zone = (fault == Fault.ZONE) & policies.zone[series]
    arrival = ((fault == Fault.RESET) & policies.reset[series]) | (
        (fault == Fault.AHEAD) & policies.ahead[series]
    )
    time = np.where(zone, time - ZONE_OFFSET, np.where(arrival, received_at, time))
    source = np.where(zone, TimeSource.CORRECTED, np.where(arrival, TimeSource.ARRIVAL, source))
    quality[arrival] = Quality.SUSPECT
    fault[zone | arrival] = Fault.NONE
    return Times(time, source.astype(np.int8), timeless | arrival, quality, fault)


def _counts_from_reset(time: NDArray[np.int64]) -> NDArray[np.bool_]:
    found = (time >= COUNTER_END) & (time <= COUNTER_END + 2 * DAY)
    for epoch in RESET_EPOCHS:
        found |= (time >= epoch - DAY) & (time < epoch + RESET_REACH)
    return found


def explain(fault: Fault, time: int, received_at: int, oldest: int) -> str:
    """The fault in words for a quarantine row."""
    if fault is Fault.OLD:
        return f"{(oldest - time) // MICROS_PER_SECOND} s past the limit"
    if fault is Fault.RESET:
        return "the clock counts from an epoch: it has lost its time"
    ahead = f"{(time - received_at) // MICROS_PER_SECOND} s ahead"
    return f"{ahead}, the city's offset from UTC" if fault is Fault.ZONE else ahead


LEAST_READINGS = 10  # fewer say nothing of a clock
AHEAD_SECONDS = 2.0  # more than the resolution of any clock: nothing arrives before it was measured
BEHIND_SECONDS = 120.0  # a slower path than any that is well
DRIFT_SECONDS = 5.0  # a day; a quartz without correction drifts 1 to 2


@dataclass(frozen=True, slots=True)
class Lag:
    """How long after their own time a datastream's readings arrived, in seconds, over some days.

    `least` is the clock's own error and the quickest path; `drift`: seconds a day by which it grows.
    """

    readings: int
    least: float
    median: float
    drift: float


def assess(lag: Lag) -> str:
    """What the lag says of the clock, in words; empty where nothing is wrong with it."""
    if lag.readings < LEAST_READINGS:
        return "too few readings to say"
    seven_hours = ZONE_OFFSET / MICROS_PER_SECOND
    if abs(lag.least - seven_hours) <= ZONE_TOLERANCE / MICROS_PER_SECOND:
        return "seven hours behind: is its UTC read as local time?"
    if lag.least < -AHEAD_SECONDS:
        return f"ahead by {-lag.least:.0f} s at least"
    if lag.least > BEHIND_SECONDS:
        return f"behind by {lag.least:.0f} s, or its path is never quicker"
    if abs(lag.drift) > DRIFT_SECONDS:
        return f"drifts by {lag.drift:+.0f} s a day"
    return ""
