"""Each flood of a history with its forecasts, as SVG that needs nothing else. Pure.

Black: the level. Blue ribbon and line: what was forecast for that moment three hours before, with 80 %
between the edges. Thin lines: each hour's forecast of the next six hours. Dashed: the gauge's levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from alerts.forecast import model, skill
from alerts.forecast.lattice import HOUR, Floats, Times
from alerts.forecast.model import HIGH, LOW, MODEL, NOTICE, VERSION, Forecast
from alerts.forecast.priors import PRIORS
from alerts.forecast.skill import Origins, Series
from ingest.clock import to_datetime

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 44, 40  # pixels around the plot
AROUND = 12 * HOUR  # of still water before and after a flood
AHEAD = 3.0  # hours; the lead of the ribbon
DRAWN = tuple(prior for prior in PRIORS if prior.hours <= 6)
TICKS = 6  # marks on either axis, about
STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # m between marks
CLOCK = (1, 2, 3, 6, 12, 24, 48)  # hours between marks
LINES = {
    "level": "fill:none;stroke:#111;stroke-width:1.8",
    "ribbon": "fill:#2b7bba;fill-opacity:.22;stroke:none",
    "expected": "fill:none;stroke:#2b7bba;stroke-width:1.4",
    "path": "fill:none;stroke:#2b7bba;stroke-opacity:.45;stroke-width:.7",
    "mark": "stroke:#b5372b;stroke-dasharray:5 4;stroke-width:1",
    "grid": "stroke:#ddd;stroke-width:1",
}


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where times (microseconds) and levels (m) lie on the picture."""

    begin: int
    end: int
    low: float
    high: float

    def x(self, time: Times | int) -> Floats:
        share = (np.asarray(time) - self.begin) / (self.end - self.begin)
        return np.asarray(LEFT + share * (WIDTH - LEFT - RIGHT), np.float64)

    def y(self, level: Floats | float) -> Floats:
        share = (np.asarray(level) - self.low) / (self.high - self.low)
        return np.asarray(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), np.float64)

    def line(self, style: str, time: Times, level: Floats) -> str:
        known = np.isfinite(level) & (time >= self.begin) & (time <= self.end)
        return f'<polyline style="{LINES[style]}" points="{self._points(time[known], level[known])}"/>'

    def ribbon(self, time: Times, low: Floats, high: Floats) -> str:
        known = np.isfinite(low) & (time >= self.begin) & (time <= self.end)
        edge = self._points(time[known], low[known]), self._points(time[known][::-1], high[known][::-1])
        return f'<polygon style="{LINES["ribbon"]}" points="{edge[0]} {edge[1]}"/>'

    def _points(self, time: Times, level: Floats) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(self.x(time), self.y(level), strict=True))


def draw(series: Series) -> Iterator[tuple[str, str]]:
    """A name and a picture for each flood of a series."""
    for number, (first, last) in enumerate(skill.floods(series), start=1):
        part = (series.time >= first - AROUND) & (series.time <= last + AROUND)
        origins = skill.at_samples(series, np.flatnonzero(part))
        made = model.forecast(origins.lattice, DRAWN)
        yield (
            f"{series.key}-flood-{number}",
            _picture(origins, made, f"{series.key} ({series.river}), {number}"),
        )


def _picture(origins: Origins, made: Forecast, title: str) -> str:
    series, time = origins.series, origins.lattice.origin
    lead = made.hours.index(AHEAD)
    later = time + round(AHEAD * HOUR)
    low, high = made.quantile[:, lead, LOW], made.quantile[:, lead, HIGH]
    shown = np.concatenate([origins.level, *_near(series, origins.level)])
    room = 0.08 * float(np.ptp(shown))
    frame = _Frame(int(time[0]), int(time[-1]), float(shown.min()) - room, float(shown.max()) + 2 * room)
    parts = [
        *_axes(frame),
        *_marks(frame, series.levels),
        '<g clip-path="url(#plot)">',
        frame.ribbon(later, low, high),
        frame.line("expected", later, made.expected[:, lead]),
        *_paths(frame, made),
        frame.line("level", time, origins.level),
        "</g>",
    ]
    return _svg(title, parts)


def _near(series: Series, level: Floats) -> list[Floats]:
    """The levels of a gauge that its water came near to, as arrays of one."""
    near = float(level.max()) + 0.2 * float(np.ptp(level))
    return [np.array([each]) for each in series.levels if each <= near]


def _paths(frame: _Frame, made: Forecast) -> Iterator[str]:
    """Each hour's forecast."""
    hour = made.origin // HOUR
    first = np.flatnonzero(np.diff(hour, prepend=hour[0] - 1) > 0)
    knots = np.round(np.array([0.0, *made.hours]) * HOUR).astype(np.int64)
    for row in first:
        level = np.r_[made.level[row], made.expected[row]]
        yield frame.line("path", made.origin[row] + knots, level)


def _axes(frame: _Frame) -> Iterator[str]:
    span = frame.high - frame.low
    step = next((each for each in STEPS if span / each <= TICKS), STEPS[-1])
    for level in np.arange(np.ceil(frame.low / step) * step, frame.high, step):
        y = float(frame.y(float(level)))
        yield _across("grid", y)
        yield _text(LEFT - 6, y + 4, f"{level:.1f} m", "end")
    hours = (
        next((each for each in CLOCK if (frame.end - frame.begin) / HOUR / each <= TICKS), CLOCK[-1]) * HOUR
    )
    for time in range(-(-frame.begin // hours) * hours, frame.end, hours):
        x = float(frame.x(time))
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" style="{LINES["grid"]}"/>'
        yield _text(x, HEIGHT - BOTTOM + 16, f"{to_datetime(time):%d/%m %H:%M}", "middle")


def _marks(frame: _Frame, levels: Sequence[float]) -> Iterator[str]:
    for level in levels:
        if level < frame.high:
            yield _across("mark", float(frame.y(level)))


def _across(style: str, y: float) -> str:
    return f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" style="{LINES[style]}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(title: str, parts: Sequence[str]) -> str:
    what = f"80 % {AHEAD:g} h ahead, UTC, {MODEL} {VERSION}; {NOTICE[0]} / {NOTICE[1]}"
    box = f'x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
            ' font-size="11">',
            f'<defs><clipPath id="plot"><rect {box}/></clipPath></defs>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}</text>',
            f'<text x="{LEFT}" y="34" fill="#555">{escape(what)}</text>',
            *parts,
            "</svg>",
            "",
        ]
    )
