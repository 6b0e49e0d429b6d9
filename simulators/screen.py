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
WIDE_COLUMNS = 130  # room for levels and alerts side by side
KIND_ORDER = {"river": 0, "street": 1, "reservoir": 2}


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


def clock_words(micros: int) -> str:
    """Local time of Huế, e.g. `27-10 06:15`."""
    return f"{to_datetime(micros).astimezone(LOCAL):%d-%m %H:%M}"


def render(view: View, width: int) -> Layout:
    """The whole screen, for a terminal of `width` columns: levels beside the alerts, or above them."""
    layout = Layout()
    layout.split_column(Layout(_header(view), size=4), Layout(name="body"), Layout(_footer(view), size=3))
    split = layout["body"].split_row if width >= WIDE_COLUMNS else layout["body"].split_column
    split(
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
    return Panel(counts)


def _stations(view: View) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    for station in sorted(view.stations, key=lambda each: KIND_ORDER.get(each["kind"], len(KIND_ORDER))):
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
    yield Text(f"{round(newest['value'], 2) + 0.0:.2f}", style=style, justify="right")
    yield Text(bar(newest["value"], [each["value"] for each in datastream["levels"]]), style=style)
    yield Text(trend_sign(datastream["trend_per_hour"]))
    yield Text(level["name"], style=style, no_wrap=True)


def bar(value: float, levels: Sequence[float]) -> str:
    """The value from a quarter span below the first level to a little above the last; levels marked `┃`."""
    span = levels[-1] - levels[0] or 1.0
    low, high = levels[0] - span / 4, levels[-1] + span * (BAR_HEADROOM - 1)
    filled = round((value - low) / (high - low) * BAR_CELLS)
    marks = {min(BAR_CELLS - 1, round((level - low) / (high - low) * BAR_CELLS)) for level in levels}
    cells = ("┃" if cell in marks else "█" if cell < filled else "·" for cell in range(BAR_CELLS))
    return "".join(cells)


def trend_sign(per_hour: float | None) -> str:
    """An arrow and centimetres per hour."""
    if per_hour is None:
        return ""
    arrow = "→" if abs(per_hour) < TREND_STEADY else "↑" if per_hour > 0 else "↓"
    return f"{arrow}{round(per_hour * 100) + 0:+d} cm/h"


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
    table.add_column("", min_width=1, no_wrap=True)
    table.add_column("nơi · where", max_width=36)
    table.add_column("điều · what", min_width=16)
    table.add_column("thực tế · truth", min_width=11)
    table.add_column("cho phép · window", min_width=13)
    table.add_column("báo · told", min_width=5)
    table.add_column("lệch · min", min_width=4, justify="right")
    for line in verdict.lines:
        table.add_row(*_verdict_row(line), style=None if line.ok else "bold red")
    return table


def _verdict_row(line: Line) -> tuple[str, ...]:
    expected = line.expected
    window = truth = told = ""
    if line.told is not None:
        told = clock_words(line.told)
    if expected is not None:
        truth = clock_words(expected.at)
        window = f"{_beside(expected.earliest, expected.at)} – {_beside(expected.latest, expected.at)}"
        told = told and _beside(line.told or 0, expected.at)
    off = "" if line.minutes_off is None else f"{round(line.minutes_off) + 0:+d}"
    what = f"{line.what}: {line.remark}" if line.remark else line.what
    return "✓" if line.ok else "✗", line.place, what, truth, window, told, off


def _beside(micros: int, other: int) -> str:
    """A time without its date where the time beside it is of the same day."""
    words = clock_words(micros)
    return words[6:] if words[:5] == clock_words(other)[:5] else words
