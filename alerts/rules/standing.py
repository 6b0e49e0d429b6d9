"""What any rule may say of time: when it may raise, and how an alert that stands is said again.

    active: { months: [9, 10, 11, 12], hours: "06:00-22:00" }     local time, UTC+07:00
    remind: { every: 3h, levels: { BĐ III: 1h } }                 while nothing changes
    escalate: [{ level: BĐ II, after: 2h, severity: Severe }]     a level that stands is told as worse

Pure; read by the rule book and, worked out for each target, by the engine. Outside `active` a rule raises
and escalates nothing; what is open is held, lowered and cleared as ever. `remind` counts from the last event
told of the alert, `escalate` from when its level began to stand; both run on ticks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from alerts.model import Severity
from ingest.config_model import Duration, Model

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
LOCAL = 7 * 60 * MINUTE  # Huế is at UTC+07:00, without summer time
SEVERITIES = (Severity.UNKNOWN, Severity.MINOR, Severity.MODERATE, Severity.SEVERE, Severity.EXTREME)
CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"


class Active(Model):
    """Months of the local calendar, and hours "06:00-22:00" of the local day, which may span midnight; the
    second is outside."""

    months: Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Field(min_length=1)] | None = None
    hours: Annotated[str, Field(pattern=f"^{CLOCK}-(?:{CLOCK}|24:00)$")] | None = None

    @model_validator(mode="after")
    def _ever(self) -> Active:
        if self.months is None and self.hours is None:
            raise ValueError("`active` needs `months`, `hours` or both")
        if self.hours is not None and len(set(self._minutes())) == 1:
            raise ValueError(f"the hours {self.hours} begin when they end: the rule would never hold")
        return self

    def holds(self, time: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a rule may raise at each of n times (microseconds UTC)."""
        local = time + LOCAL
        holds = np.ones(len(time), np.bool_)
        if self.months is not None:
            month = local.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12 + 1
            holds &= np.isin(month, self.months)
        if self.hours is not None:
            begin, end = self._minutes()
            minute = local % DAY // MINUTE
            inside = (minute >= begin, minute < end)
            holds &= inside[0] & inside[1] if begin < end else inside[0] | inside[1]
        return holds

    def _minutes(self) -> tuple[int, int]:
        begin, end = (
            int(clock[:2]) * 60 + int(clock[3:]) for clock in (self.hours or "00:00-24:00").split("-")
        )
        return begin, end


class Remind(Model):
    """How often an open alert is said again; `levels`: another time from that level upwards."""

    every: Duration
    levels: dict[str, Duration] = Field(default_factory=dict)


class EscalateAfter(Model):
    """How long a level may stand before it is told again, as this severe."""

    level: Annotated[str, Field(min_length=1)]
    after: Duration
    severity: Severity


class Ranked(Protocol):
    """A level of a target, as the settings here need it."""

    @property
    def rank(self) -> int: ...

    @property
    def name(self) -> str: ...


def reminders(remind: Remind | None, levels: tuple[Ranked, ...]) -> tuple[tuple[int, int], ...]:
    """(rank, every in microseconds) of each level, which go from low to high."""
    if remind is None:
        return ()
    found, every = [], remind.every
    for level in levels:
        every = remind.levels.get(level.name, every)
        found.append((level.rank, round(every * SECOND)))
    return tuple(found)


def escalations(
    escalate: tuple[EscalateAfter, ...] | None, levels: tuple[Ranked, ...]
) -> tuple[tuple[int, int, Severity], ...]:
    """(rank, after in microseconds, severity) of each level that escalates by time."""
    ranks: Mapping[str, int] = {level.name: level.rank for level in levels}
    return tuple(
        (ranks[one.level], round(one.after * SECOND), one.severity)
        for one in escalate or ()
        if one.level in ranks
    )
