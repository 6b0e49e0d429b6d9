"""What is kept of forecasts: those made or withheld, and what became of each of their horizons."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.forecast.lattice import HOUR
from alerts.forecast.outlook import Withheld


@dataclass(frozen=True, slots=True)
class Made:
    """One stored forecast of a datastream from its newest row at `origin` (microseconds); levels in metres.

    Where it is `withheld` there are no `hours`, and nothing behind them. `chance`: the probability at each
    horizon of having passed `mark` by then; `passes`: hours until it is passed with 10, 50 and 90 %.
    """

    datastream: int
    origin: int
    made_at: int
    level: float
    withheld: Withheld | None
    hours: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    mark: float | None = None
    chance: tuple[float, ...] = ()
    passes: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """One horizon of a forecast that waits for its truth at `time`."""

    time: int
    datastream: int
    origin: int
    hours: float
    level: float
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scored:
    """A horizon whose time has come. `truth` None: the series has a gap there, and nobody will know."""

    due: Due
    truth: float | None

    @property
    def error(self) -> float | None:
        return None if self.truth is None else self.due.expected - self.truth

    @property
    def persistence_error(self) -> float | None:
        return None if self.truth is None else self.due.level - self.truth

    @property
    def covered(self) -> bool | None:
        return None if self.truth is None else self.due.low <= self.truth <= self.due.high


def waiting(made: Made) -> list[Due]:
    """What is to be scored of a forecast."""
    parts = zip(made.hours, made.expected, made.low, made.high, strict=True)
    return [
        Due(made.origin + round(hours * HOUR), made.datastream, made.origin, hours, made.level, *rest)
        for hours, *rest in parts
    ]
