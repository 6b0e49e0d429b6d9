"""Floods as pictures: the hydrograph of a station, its levels, and what was told when. SVG, its text as text.

One picture for each station with levels and each flood of it. Above the water level, broken at gaps, with
true crossings and the events of rules on the level, each with its lead; below a strip for each rule that
stood.
Words in Vietnamese and English, local time. Writes files; called by `huewatch backtest --draw`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

from alerts.backtest.score import NEVER_ENDED, Alert, Card, Verdict, alerts_of
from alerts.backtest.study import Result
from alerts.backtest.truth import Samples
from alerts.model import EventKind
from alerts.rules.book import Rule
from ingest.catalog import Datastream, Station
from ingest.clock import to_datetime
from ingest.model import Quality

HOUR = 3_600_000_000
AROUND = 12 * HOUR  # shown before a flood and after it
APART = 36 * HOUR  # what lies further apart is two floods
GAP_CADENCES = 3.0  # as the gap test: beyond it readings are missing
WATER, FAINT, GRID = "#1f6f9e", "#8a9199", "#e4e7ea"
LEVELS = ("#c99700", "#e06c00", "#c1121f", "#7b2d8b")  # by rank, the last for all above
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "huewatch",  # the same picture is the same file
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "axes.edgecolor": FAINT,
    "axes.unicode_minus": True,
}
DATES = ["%Y", "%m/%Y", "%d/%m", "%H:%M", "%H:%M", "%S"]  # of a new year, month, day, hour, minute, second
EXERCISE = "DIỄN TẬP, phát lại / EXERCISE, a replay"
RISES = (EventKind.RAISED, EventKind.ESCALATED)


@dataclass(frozen=True, slots=True)
class Flood:
    """One picture's content: a station's datastream from `begins` to `ends`; the flood itself begins at
    `rises` (microseconds)."""

    result: Result
    station: Station
    stream: Datastream
    key: str
    rises: int
    begins: int
    ends: int

    @property
    def zone(self) -> timezone:
        """The zone that its times are shown in."""
        return timezone(timedelta(microseconds=self.result.material.shown_in[self.station.id]))

    def shows(self, time: int) -> bool:
        """Whether a time lies in the picture."""
        return self.begins <= time <= self.ends


def draw_floods(results: Sequence[Result], folder: Path, kind: str = "svg") -> list[Path]:
    """One file for each station and flood; the folder is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with matplotlib.rc_context(STYLE):
        for flood in (flood for result in results for flood in _floods(result)):
            day = to_datetime(flood.rises).astimezone(flood.zone)
            file = folder / f"{flood.station.id}-{flood.stream.name}-{day:%Y-%m-%d}.{kind}"
            _picture(flood).savefig(file, dpi=110, metadata={"Date": None} if kind == "svg" else None)
            drawn.append(file)
    return drawn


def _floods(result: Result) -> Iterator[Flood]:
    """Times in which a level was crossed or an alert about water stood, by station."""
    alerts = [alert for card, alert in _alerts(result) if card.truth != "none"]
    for key, station, stream in result.material.catalogue.datastreams():
        if key not in result.samples or not stream.levels or not len(result.samples[key]):
            continue
        first, last = int(result.samples[key].time[0]), int(result.samples[key].time[-1])
        spans = [(alert.event_time, min(alert.ended, last)) for alert in alerts if alert.target == key]
        spans += [(v.crossing.time, v.crossing.time) for v in _verdicts(result, key)]
        for begins, ends in _merged(sorted(spans)):
            shown = max(begins - AROUND, first), min(ends + AROUND, last)
            yield Flood(result, station, stream, key, begins, *shown)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for begins, ends in spans:
        if found and begins - found[-1][1] < APART:
            found[-1] = found[-1][0], max(ends, found[-1][1])
        else:
            found.append((begins, ends))
    return found


def _alerts(result: Result) -> Iterator[tuple[Card, Alert]]:
    by_rule = alerts_of(result.events)
    for card in result.cards:
        for alert in by_rule.get(card.rule, ()):
            yield card, alert


def _verdicts(result: Result, key: str) -> list[Verdict]:
    """The crossings of a datastream under rules on its level."""
    return [
        verdict
        for card in result.cards
        if card.truth == "levels"
        for verdict in card.verdicts
        if verdict.target.key == key
    ]


def _picture(flood: Flood) -> Figure:
    strips = _strips(flood)
    height = 5.4 + 0.32 * len(strips)
    figure = Figure(figsize=(11.5, height), layout="constrained")
    ratios = [5.0, 0.32 * max(len(strips), 1)]
    water, below = figure.subplots(2, 1, sharex=True, height_ratios=ratios)
    _draw_water(water, flood)
    _draw_strips(below, flood, strips)
    begins, ends = _local(flood, np.array([flood.begins, flood.ends]))
    water.set_xlim(begins, ends)
    locator = AutoDateLocator(minticks=4, maxticks=12)  # type: ignore[no-untyped-call]
    below.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False, formats=DATES)  # type: ignore[no-untyped-call]
    below.xaxis.set_major_formatter(formatter)
    below.set_xlabel(f"giờ địa phương / local time ({flood.zone})", color=FAINT)
    name = flood.station.name
    date = to_datetime(flood.rises).astimezone(flood.zone)
    water.set_title(
        f"{name.vi} – mực nước và cảnh báo, {date:%d/%m/%Y}", loc="left", fontweight="bold", pad=22
    )
    english = f"{name.en}: water level and alerts, {date.day} {date:%B %Y}. {EXERCISE}"
    water.text(0.0, 1.02, english, transform=water.transAxes, color=FAINT, fontsize=9)
    handles, labels = water.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
    return figure


def _draw_water(axes: Axes, flood: Flood) -> None:
    samples, quality = _shown(flood)
    good = quality != Quality.FAIL
    low, high = _extent(flood, samples.value[good])
    axes.set_ylim(low, high)
    axes.grid(True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylabel(f"mực nước / water level ({flood.stream.unit})")
    _draw_gaps(axes, flood, samples)
    time, value = _broken(flood, samples, good)
    axes.plot(time, value, color=WATER, linewidth=1.8, label="mực nước / water level")
    for level in flood.stream.levels:
        if level.value <= high:
            colour = _colour(level.rank)
            axes.axhline(level.value, color=colour, linewidth=1.1, linestyle=(0, (6, 3)))
            text = f"{level.name}  {level.value:g} {flood.stream.unit}"
            _margin(axes, text, level.value, colour)
    _draw_flags(axes, flood, samples, quality, (low, high))
    _draw_crossings(axes, flood)
    _draw_events(axes, flood, samples, (low, high))


def _draw_gaps(axes: Axes, flood: Flood, samples: Samples) -> None:
    edges = np.concatenate(([flood.begins], samples.time, [flood.ends]))
    wide = np.flatnonzero(np.diff(edges) > GAP_CADENCES * flood.stream.cadence * 1e6)
    for number, place in enumerate(wide.tolist()):
        begins, ends = _local(flood, edges[place : place + 2])
        label = "không có số liệu / no data" if number == 0 else None
        axes.axvspan(
            begins, ends, facecolor="#f1f1ee", hatch="///", edgecolor="#d5d5cf", linewidth=0, label=label
        )


def _draw_flags(
    axes: Axes, flood: Flood, samples: Samples, quality: NDArray[np.int8], span: tuple[float, float]
) -> None:
    marks = (
        (Quality.SUSPECT, "#e08a00", "nghi ngờ / suspect"),
        (Quality.FAIL, "#c1121f", "bị loại / failed"),
    )
    for flag, colour, label in marks:
        own = quality == flag
        if own.any():
            inside = np.clip(samples.value[own], *span)
            time = _local(flood, samples.time[own])
            axes.plot(time, inside, "x", color=colour, markersize=6, clip_on=False, label=label, zorder=4)


def _draw_crossings(axes: Axes, flood: Flood) -> None:
    shown = [v for v in _verdicts(flood.result, flood.key) if flood.shows(v.crossing.time)]
    for hit, face, label in (
        (True, "white", "vượt mức thật / true crossing"),
        (False, "black", "bỏ sót / missed"),
    ):
        mine = [verdict for verdict in shown if verdict.hit is hit]
        if mine:
            time = _local(flood, np.array([verdict.crossing.time for verdict in mine]))
            level = [verdict.limit for verdict in mine]
            axes.plot(
                time, level, "o", color="black", markerfacecolor=face, markersize=6, label=label, zorder=5
            )


def _draw_events(axes: Axes, flood: Flood, samples: Samples, span: tuple[float, float]) -> None:
    """Events of rules on the level, at the water's height when they were told; each rise with its lead."""
    leads: dict[tuple[str, int], int] = {}
    for verdict in sorted(_verdicts(flood.result, flood.key), key=lambda verdict: -abs(verdict.lead or 0)):
        if verdict.lead is not None:  # of two crossings under one alert the nearer one stays
            leads[verdict.level, verdict.crossing.arrived - verdict.lead] = verdict.lead
    rules = {card.rule for card in flood.result.cards if card.truth == "levels"}
    labelled: set[str] = set()
    for event in flood.result.events:
        if event.rule not in rules or event.target != flood.key or not flood.shows(event.detected_at):
            continue
        if event.kind is EventKind.REMINDED:
            continue  # nothing has changed
        rises = event.kind in RISES
        colour = _colour(event.level if rises else event.previous_level)
        label = "báo, ′ sau khi vượt / told, min after it" if rises else "hạ, hết / lowered, over"
        height = float(np.clip(np.interp(event.detected_at, samples.time, samples.value), *span))
        time = _local(flood, np.array([event.detected_at]))
        once = None if label in labelled else label
        labelled.add(label)
        axes.plot(time, [height], "^" if rises else "v", color=colour, markersize=9, label=once, zorder=6)
        if rises:
            text = f"{event.level_name} {_lead(leads.get((event.level_name, event.detected_at)))}".strip()
            _beside(axes, text, (time[0], height), colour)


def _beside(axes: Axes, text: str, place: tuple[Any, float], colour: str) -> None:
    """A word to the left above a mark, where the water has not been yet."""
    axes.annotate(
        text,
        place,
        xytext=(-8, 7),
        textcoords="offset points",
        ha="right",
        fontsize=8.5,
        color=colour,
        zorder=7,
        bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
    )


def _lead(lead: int | None) -> str:
    """ "+10'" told ten minutes after the crossing, "−60'" an hour before."""
    if lead is None:
        return ""
    minutes = -lead / 60e6
    return f"{minutes:+.0f}′".replace("-", "−")


def _strips(flood: Flood) -> list[tuple[Rule, list[Alert]]]:
    """The rules that stood at the station while the picture lasts, with their alerts."""
    rules = {rule.id: rule for rule in flood.result.book}
    found: dict[str, list[Alert]] = {}
    for card, alert in _alerts(flood.result):
        ours = alert.target.split("/")[0] == flood.station.id
        if ours and alert.opened < flood.ends and alert.ended > flood.begins:
            found.setdefault(card.rule, []).append(alert)
    return [(rules[rule], alerts) for rule, alerts in found.items() if rule in rules]


def _draw_strips(axes: Axes, flood: Flood, strips: Sequence[tuple[Rule, Sequence[Alert]]]) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_ylim(len(strips) - 0.5, -0.5)
    axes.set_yticks(range(len(strips)), [rule.settings.title.vi for rule, _ in strips], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x", color=GRID, linewidth=0.8)
    for place, (rule, alerts) in enumerate(strips):
        english = rule.settings.title.en
        _margin(axes, english, place, FAINT)
        for alert in alerts:
            for stretch in alert.stretches:
                ends = min(stretch.ends, flood.ends) if stretch.ends != NEVER_ENDED else flood.ends
                left, right = _local(flood, np.array([max(stretch.begins, flood.begins), ends]))
                if right > left:
                    bar = [(left, right - left)]
                    axes.broken_barh(bar, (place - 0.32, 0.64), color=_colour(stretch.level), linewidth=0)


def _margin(axes: Axes, text: str, height: float, colour: str) -> None:
    """A word in the right margin."""
    place = (1.005, height)
    axes.annotate(text, place, xycoords=("axes fraction", "data"), color=colour, va="center", fontsize=9)


def _shown(flood: Flood) -> tuple[Samples, NDArray[np.int8]]:
    """The rows in the picture by time, and their flags as they stand in the end."""
    samples = flood.result.samples[flood.key]
    rows, played = flood.result.played.rows, flood.result.played
    number = flood.result.material.keys.index(flood.key) + 1
    own = np.flatnonzero(rows.datastream == number)
    quality = played.settled[own[np.argsort(rows.time[own], kind="stable")]]
    inside = (samples.time >= flood.begins) & (samples.time <= flood.ends)
    shown = Samples(samples.time[inside], samples.value[inside], samples.received[inside])
    return shown, quality[inside]


def _broken(flood: Flood, samples: Samples, good: NDArray[np.bool_]) -> tuple[Any, NDArray[np.float64]]:
    """The line, with a hole where readings are missing."""
    time, value = samples.time[good], samples.value[good]
    gaps = 1 + np.flatnonzero(np.diff(time) > GAP_CADENCES * flood.stream.cadence * 1e6)
    time = np.insert(time, gaps, time[gaps] - 1)
    return _local(flood, time), np.insert(value, gaps, np.nan)


def _extent(flood: Flood, value: NDArray[np.float64]) -> tuple[float, float]:
    """From below the water to above the next level over its peak."""
    low, high = float(value.min()), float(value.max())
    above = [level.value for level in flood.stream.levels if level.value > high]
    top = min([high + 0.25 * (high - low), *above[:1]]) if above else high
    high = max(high, top)
    room = 0.08 * (high - low or 1.0)
    return low - room, high + room


def _local(flood: Flood, time: NDArray[np.int64]) -> Any:
    """Times as local ones without a zone, as matplotlib takes them."""
    shift = flood.zone.utcoffset(None) // timedelta(microseconds=1)
    return (time + shift).astype("datetime64[us]")


def _colour(rank: int) -> str:
    return LEVELS[min(max(rank, 1), len(LEVELS)) - 1]
