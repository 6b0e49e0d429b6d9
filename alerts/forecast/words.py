"""An outlook in words, and as a small chart for a terminal. Pure; called by the command line.

Whatever is shown carries the notice, its age, its interval and its model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alerts.forecast.lattice import HOUR
from alerts.forecast.model import HIGH, LOW, MODEL, NOTICE, VERSION, Forecast
from alerts.forecast.outlook import WORDS, Outlook
from alerts.forecast.passing import Mark, Passing
from alerts.headline import Words, local_time, number, span
from ingest.catalog import Level
from ingest.clock import MICROS_PER_SECOND
from ingest.store.read import Observed

LIKELY, UNLIKELY = 0.95, 0.05  # beyond these probabilities are not told apart
WIDTH, HEIGHT = 72, 12  # characters of the chart
BACK = 12 * HOUR  # of the past that it shows, as much as it shows of the future
PAST, EXPECTED, INTERVAL, LEVEL = "•", "─", "░", "┈"


def newest_words(outlook: Outlook) -> Words:
    """ "3,12 m lúc 07:00 27/10, 4 phút trước"."""
    if outlook.newest is None:
        return WORDS[outlook.withheld] if outlook.withheld else ("", "")
    value, at = number(outlook.newest.value, 2), local_time(outlook.newest.time)
    age = span(max(0, outlook.now - outlook.newest.time) / MICROS_PER_SECOND)
    return f"{value[0]} m lúc {at}, {age[0]} trước", f"{value[1]} m at {at}, {age[1]} ago"


def withheld_words(outlook: Outlook) -> Words:
    """Why there is no forecast."""
    assert outlook.withheld is not None
    vi, en = WORDS[outlook.withheld]
    return f"Không dự báo: {vi}", f"No forecast: {en}"


def notice_words() -> Words:
    """What every forecast carries, and the model that made it."""
    return f"{NOTICE[0]} ({MODEL} {VERSION})", f"{NOTICE[1]} ({MODEL} {VERSION})"


def passing_words(made: Forecast, mark: Mark, ahead: Passing) -> Words:
    """ "BĐ III (3,50 m): khoảng 09:20 27/10, 80 % từ 08:40 đến 11:30; trong 3 giờ 62 %"."""
    level = number(mark.value, 2)
    longest = f"{made.hours[-1]:g}"
    early, middle, late = (None if np.isnan(hours) else float(hours) for hours in ahead.hours[0])
    chances = "; ".join(
        f"{hours:g} h {chance(share)}" for hours, share in zip(made.hours, ahead.within[0], strict=True)
    )
    if early is None:
        when = (
            f"không trong {longest} giờ (xác suất dưới 10 %)",
            f"not within {longest} h (less than 10 % likely)",
        )
    else:
        origin = int(made.origin[0])
        begin = _at(origin, early)
        end = (_at(origin, late),) * 2 if late is not None else (f"sau {longest} giờ", f"beyond {longest} h")
        mid = (
            (_at(origin, middle),) * 2
            if middle is not None
            else (f"sau {longest} giờ", f"beyond {longest} h")
        )
        when = (
            f"khoảng {mid[0]}, 80 % từ {begin} đến {end[0]}",
            f"about {mid[1]}, 80 % from {begin} to {end[1]}",
        )
    return (
        f"{mark.name} ({level[0]} m): {when[0]}; xác suất trong {chances}",
        f"{mark.name} ({level[1]} m): {when[1]}; probability within {chances}",
    )


def chance(probability: float) -> str:
    """A probability as a percentage; very likely and very unlikely ones are not told apart."""
    if probability >= LIKELY - 1e-9:
        return "≥ 95 %"
    return "≤ 5 %" if probability <= UNLIKELY + 1e-9 else f"{100 * probability:.0f} %"


def chart(made: Forecast, rows: Sequence[Observed], levels: Sequence[Level]) -> list[str]:
    """The last half day and the next as lines of text, the newest sample in the middle."""
    origin = int(made.origin[0])
    time = origin + np.linspace(-BACK, BACK, WIDTH)
    past, ahead = time <= origin, (time - origin) / HOUR
    at, level = np.array([row.time for row in rows]), np.array([row.value for row in rows])
    known = np.where(past, np.interp(time, at, level, left=np.nan), np.nan)
    knots = np.array([0.0, *made.hours])
    low, middle, high = (
        np.where(past, np.nan, np.interp(ahead, knots, np.r_[made.level[0], path]))
        for path in (made.quantile[0, :, LOW], made.expected[0], made.quantile[0, :, HIGH])
    )
    bottom, top = float(np.nanmin([known, low])), float(np.nanmax([known, high]))
    step = max(top - bottom, 0.1) / (HEIGHT - 1)
    return [
        _line(bottom + step * row, step, known, low, middle, high, levels) for row in reversed(range(HEIGHT))
    ]


def _line(
    height: float,
    step: float,
    known: np.ndarray,
    low: np.ndarray,
    middle: np.ndarray,
    high: np.ndarray,
    levels: Sequence[Level],
) -> str:
    """One line of the chart: all that lies within half a step of a height."""
    named = next((level for level in levels if abs(level.value - height) <= step / 2), None)
    signs = np.full(WIDTH, LEVEL if named else " ")
    signs[(low - step / 2 <= height) & (height <= high + step / 2)] = INTERVAL
    signs[np.abs(middle - height) <= step / 2] = EXPECTED
    signs[np.abs(known - height) <= step / 2] = PAST
    return f"{height:6.2f} {''.join(signs)} {named.name if named else ''}".rstrip()


def _at(origin: int, hours: float) -> str:
    return local_time(origin + round(hours * HOUR))
