"""What the demo shows: the scenario's clock, stations against BĐ I/II/III, alerts as they are told, counts.

Pure rendering with rich from a `View` that `demo` fills with what the feed says; nothing here asks anybody.
`verdict_table` and `plain_event` also serve output that is no terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import Any

from rich.console import Group
from rich.layout import Layout
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ingest.clock import to_datetime
from simulators.judge import Line, Verdict, moment
from simulators.scenario import Scenario

LOCAL = timezone(timedelta(hours=7))
BAR_CELLS = 18
BAR_HEADROOM = 1.15  # the bar's end lies this much above the highest level
RANK_STYLES = ("green", "yellow", "dark_orange", "bold red")
KIND_SIGNS = {"raised": "▲", "escalated": "▲", "lowered": "▼", "cleared": "✓", "cancelled": "✗"}
TREND_STEADY = 0.02  # m/h
ALERTS_SHOWN = 40


@dataclass(slots=True)
class View:
    """What is known at the moment; `now` in microseconds UTC, `told` in order."""

    scenario: Scenario
    url: str
    now: int
    step: int = 0
    confirmed: int = 0
    stations: Sequence[Mapping[str, Any]] = ()
    told: list[Mapping[str, Any]] = field(default_factory=list)
    ledger: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


def clock_words(micros: int) -> str:
    """Local time of Huế, e.g. `27-10 06:15`."""
    return f"{to_datetime(micros).astimezone(LOCAL):%d-%m %H:%M}"


def render(view: View) -> Layout:
    """The whole screen."""
    layout = Layout()
    layout.split_column(Layout(_header(view), size=4), Layout(name="body"), Layout(_footer(view), size=4))
    layout["body"].split_row(
        Layout(Panel(_stations(view), title="Mực nước · Water levels"), ratio=5),
        Layout(Panel(_alerts(view), title="Cảnh báo · Alerts, newest first"), ratio=6),
    )
    return layout


def _header(view: View) -> Panel:
    line = Text.assemble(
        ("DIỄN TẬP · EXERCISE  ", "bold white on red"),
        f"  {view.scenario.title.vi} · {view.scenario.title.en}   ",
        (clock_words(view.now), "bold cyan"),
        f"   {view.url}",
    )
    done = ProgressBar(total=view.scenario.steps, completed=view.step)
    return Panel(Group(line, done))


def _footer(view: View) -> Panel:
    sums = view.ledger
    counts = Text.assemble(
        ("nhận · received ", "dim"),
        f"{sums.get('decoded', 0):,}",
        ("   lưu · stored ", "dim"),
        f"{sums.get('stored', 0):,}",
        ("   trùng · duplicate ", "dim"),
        f"{sums.get('duplicate', 0):,}",
        ("   cách ly · quarantined ", "dim"),
        f"{sums.get('rejected', 0) + sums.get('unreadable', 0):,}",
        ("   broker đã nhận · confirmed messages ", "dim"),
        f"{view.confirmed:,}",
    )
    return Panel(Group(counts, Text(view.note, style="dim")))


def _stations(view: View) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    for station in view.stations:
        for datastream in station["datastreams"]:
            if datastream["levels"]:
                table.add_row(*_station_row(station, datastream))
    return table


def _station_row(station: Mapping[str, Any], datastream: Mapping[str, Any]) -> Iterator[Text]:
    name = Text(station["name"]["vi"], no_wrap=True)
    if station["name"]["en"] != station["name"]["vi"]:
        name.append(f" {station['name']['en']}", style="dim")
    newest = datastream["newest_usable"]
    yield name
    if newest is None:
        yield from (Text("–"), Text(""), Text(""), Text(""))
        return
    level = datastream["level"] or {"rank": 0, "name": ""}
    style = RANK_STYLES[min(level["rank"], len(RANK_STYLES) - 1)]
    yield Text(f"{newest['value']:.2f}", style=style, justify="right")
    yield Text(bar(newest["value"], [each["value"] for each in datastream["levels"]]), style=style)
    yield Text(trend_sign(datastream["trend_per_hour"]))
    yield Text(level["name"], style=style, no_wrap=True)


def bar(value: float, levels: Sequence[float]) -> str:
    """The value from half a span below the first level to a little above the last; levels marked `|`."""
    span = max(levels[-1] - levels[0], 1.0)
    low, high = levels[0] - span / 2, levels[-1] + span * (BAR_HEADROOM - 1)
    filled = round((value - low) / (high - low) * BAR_CELLS)
    marks = {min(BAR_CELLS - 1, round((level - low) / (high - low) * BAR_CELLS)) for level in levels}
    cells = ("█" if cell < filled else "|" if cell in marks else "·" for cell in range(BAR_CELLS))
    return "".join(cells)


def trend_sign(per_hour: float | None) -> str:
    """An arrow and centimetres per hour."""
    if per_hour is None:
        return ""
    arrow = "→" if abs(per_hour) < TREND_STEADY else "↑" if per_hour > 0 else "↓"
    return f"{arrow}{per_hour * 100:+.0f} cm/h"


def _alerts(view: View) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    for event in reversed(view.told[-ALERTS_SHOWN:]):
        style = RANK_STYLES[min(int(event["level"]), len(RANK_STYLES) - 1)]
        sign = KIND_SIGNS.get(event["kind"], "?")
        words = Text(f"{event['headline']['vi']}", style=style)
        words.append(f"\n{event['headline']['en']}", style="dim")
        table.add_row(Text(f"{sign} {clock_words(moment(event['event_time']))}", no_wrap=True), words)
    return table


def plain_event(event: Mapping[str, Any]) -> str:
    """One told event as a line of text."""
    when = clock_words(moment(event["event_time"]))
    return f"{when}  {event['kind']:<9}  {event['headline']['vi']}  ·  {event['headline']['en']}"


def verdict_table(verdict: Verdict) -> Table:
    """Every judged line: what was expected when, what was told when, and how far from the truth."""
    title = "Đối chiếu với thực tế · Compared with the truth"
    table = Table(title=title, title_justify="left", pad_edge=False, box=None)
    for heading in (
        "",
        "nơi · where",
        "điều · what",
        "thực tế · truth",
        "cho phép · window",
        "báo · told",
        "lệch · min",
    ):
        table.add_column(heading, no_wrap=heading not in ("điều · what",))
    for line in verdict.lines:
        table.add_row(*_verdict_row(line), style=None if line.ok else "bold red")
    return table


def _beside(micros: int, other: int) -> str:
    """A time without its date where the time beside it is of the same day."""
    words = clock_words(micros)
    return words[6:] if words[:5] == clock_words(other)[:5] else words


def _verdict_row(line: Line) -> tuple[str, ...]:
    expected = line.expected
    window = truth = ""
    if expected is not None:
        truth = clock_words(expected.at)
        window = f"{_beside(expected.earliest, expected.at)} – {_beside(expected.latest, expected.at)}"
    told = "" if line.told is None else clock_words(line.told)
    off = "" if line.minutes_off is None else f"{line.minutes_off:+.0f}"
    what = f"{line.what}: {line.remark}" if line.remark else line.what
    return "✓" if line.ok else "✗", line.place, what, truth, window, told, off
