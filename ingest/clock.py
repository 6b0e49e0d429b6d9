"""The one place where Huewatch reads a clock.

Everything else is given a `Clock`: event times come from data, durations from
`monotonic`, the time of arrival and of a decision from `now`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MICROS_PER_SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """`now()` in microseconds since 1970-01-01T00:00:00Z, `monotonic()` in seconds, `sleep(seconds)`."""

    now: Callable[[], int]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


def system_clock() -> Clock:
    """The machine's own clock."""
    return Clock(now=lambda: time.time_ns() // 1_000, monotonic=time.monotonic, sleep=asyncio.sleep)


class LogicalNow:
    """A `now` that stands still until it is set: the time of a flood played at speed.

    Keepalives, back-off and latencies keep real time; only `now` is logical.
    """

    def __init__(self, start: int) -> None:
        self._now = start

    def __call__(self) -> int:
        return self._now

    def advance_to(self, now: int) -> None:
        """Move to `now` (microseconds); a step back is ignored, since time in the data may be late."""
        self._now = max(self._now, now)


def to_datetime(micros: int) -> datetime:
    """Microseconds since 1970 as an aware UTC datetime."""
    return EPOCH + timedelta(microseconds=micros)


def to_micros(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970; a naive one raises `ValueError`."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone has no meaning here")
    return (moment - EPOCH) // timedelta(microseconds=1)
