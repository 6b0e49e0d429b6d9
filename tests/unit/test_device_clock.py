"""A clock that is wrong is recognised, and mended only where the catalogue says so."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from ingest.clock import to_micros
from ingest.device_clock import ClockPolicy, Fault, Lag, Policies, Times, assess, judge
from ingest.model import Quality, TimeSource

SECOND = 1_000_000
HOUR, DAY = 3_600 * SECOND, 86_400 * SECOND
RECEIVED = to_micros(datetime(2025, 10, 27, 13, tzinfo=UTC))
SKEW = 300 * SECOND
STRICT = ClockPolicy()
TRUSTING = ClockPolicy(zone="correct", reset="arrival", ahead="arrival")


def judged(time: int, policy: ClockPolicy = STRICT) -> Times:
    return judge(
        np.array([time]),
        np.array([TimeSource.DEVICE], np.int8),
        np.zeros(1, np.bool_),
        np.array([RECEIVED]),
        np.zeros(1, np.intp),
        Policies.of([policy]),
        RECEIVED - 45 * DAY,
        SKEW,
    )


def utc(*parts: int) -> int:
    return to_micros(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]


CASES = {
    "now": (RECEIVED, Fault.NONE),
    "a backlog of a month": (RECEIVED - 30 * DAY, Fault.NONE),
    "a drift within the skew": (RECEIVED + SKEW, Fault.NONE),
    "ten minutes ahead": (RECEIVED + 600 * SECOND, Fault.AHEAD),
    "seven hours ahead": (RECEIVED + 7 * HOUR, Fault.ZONE),
    "seven hours ahead, sent a minute late": (RECEIVED + 7 * HOUR - 60 * SECOND, Fault.ZONE),
    "six hours ahead": (RECEIVED + 6 * HOUR, Fault.AHEAD),
    "a year old": (RECEIVED - 365 * DAY, Fault.OLD),
    "1970": (utc(1970, 1, 1, 0, 5), Fault.RESET),
    "the GPS epoch": (utc(1980, 1, 6, 12), Fault.RESET),
    "2000, four months after the reset": (utc(2000, 5, 1), Fault.RESET),
    "2000 in local time": (utc(1999, 12, 31, 17), Fault.RESET),
    "all bits set": (utc(2106, 2, 7, 6, 28, 15), Fault.RESET),
    "9999": (utc(9999, 1, 1), Fault.AHEAD),
    "1900": (utc(1900, 1, 1), Fault.OLD),
}


@pytest.mark.parametrize("name", CASES)
def test_fault_is_recognised(name: str) -> None:
    time, fault = CASES[name]
    found = judged(time)
    assert found.fault.tolist() == [fault]
    assert found.time.tolist() == [time]
    assert found.source.tolist() == [TimeSource.DEVICE]


def test_declared_zone_fault_is_taken_off_and_said() -> None:
    found = judged(RECEIVED + 7 * HOUR - SECOND, TRUSTING)
    assert found.fault.tolist() == [Fault.NONE]
    assert found.time.tolist() == [RECEIVED - SECOND]
    assert found.source.tolist() == [TimeSource.CORRECTED]
    assert not found.timeless.any()


@pytest.mark.parametrize("time", [utc(1970, 1, 1), RECEIVED + HOUR], ids=["reset", "ahead"])
def test_declared_arrival_stands_in_and_makes_the_value_suspect(time: int) -> None:
    found = judged(time, TRUSTING)
    assert found.fault.tolist() == [Fault.NONE]
    assert found.time.tolist() == [RECEIVED]
    assert found.source.tolist() == [TimeSource.ARRIVAL]
    assert found.quality.tolist() == [Quality.SUSPECT]
    assert found.timeless.tolist() == [True]


def test_old_reading_is_never_mended() -> None:
    assert judged(RECEIVED - 50 * DAY, TRUSTING).fault.tolist() == [Fault.OLD]


@pytest.mark.parametrize(
    ("lag", "words"),
    [
        (Lag(500, 1.5, 3.0, 0.1), ""),
        (Lag(9, 900.0, 900.0, 0.0), "too few"),
        (Lag(500, -90.0, -80.0, 0.0), "ahead by 90 s"),
        (Lag(500, 600.0, 640.0, 0.0), "behind by 600 s"),
        (Lag(500, 25_210.0, 25_300.0, 0.0), "seven hours behind"),
        (Lag(500, 4.0, 30.0, 12.0), "drifts by +12 s a day"),
        (Lag(500, 2.0, 7_200.0, 0.0), ""),  # half of it came from a backlog: the clock is in order
    ],
)
def test_lag_over_days_tells_what_one_message_cannot(lag: Lag, words: str) -> None:
    assert assess(lag).startswith(words)
    assert bool(assess(lag)) == bool(words)
