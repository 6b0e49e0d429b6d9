"""Write the tables and pictures of docs/detection.md and docs/dry-month.md. A test holds the tables true.

The real series are read from the folder that HUEWATCH_TEST_HISTORIES names, or ../shared/data; without them
their tables stay as they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from alerts.backtest.draw import draw_floods
from alerts.backtest.material import of_histories, rules_on
from alerts.backtest.score import Card, median_lead
from alerts.backtest.study import Result, examine
from alerts.backtest.truth import Truth
from alerts.history import History, read_history
from ingest.catalog import load_catalogue
from ingest.model import Nature
from simulators.history import write_history
from simulators.plan import make_plan
from simulators.scenario import load_scenario

ROOT = Path(__file__).parents[1]
CONFIG, DOCS = ROOT / "config", ROOT / "docs"
SERIES = Path(os.environ.get("HUEWATCH_TEST_HISTORIES") or ROOT.parent / "shared" / "data")
FLOODS = {
    "usgs-01589330-stage-2018-06": "Dead Run, 31 days",
    "hubeau-agly-Y0634020-2020-01": "Agly, upper gauge, 30 days",
    "hubeau-agly-Y0674060-2020-01": "Agly, lower gauge, 30 days",
}
SEA = "ioos-qc-water-level-2018-2019"
MAIN = ("HUE-WL-KIMLONG", "HUE-WL-PHUOC")
PICTURES = {  # those that are shown, of all that are drawn
    "USGS-01589330-water_level-2018-06-02": "Dead Run, 3 June 2018",
    "USGS-01589330-water_level-2018-06-09": "Dead Run, 10 and 11 June 2018",
    "AGLY-Y0634020-water_level-2020-01-22": "Agly, upper gauge, storm Gloria",
    "AGLY-Y0674060-water_level-2020-01-22": "Agly, lower gauge, storm Gloria",
    "HUE-WL-KIMLONG-water_level-2025-10-26": "Kim Long, October 2025",
    "HUE-WL-PHUOC-water_level-2025-10-26": "Phú Ốc, October 2025",
}
SEEDS = (20260301, 1, 2, 3)  # of the dry month: the scenario's own, and three more
MINUTE = 60_000_000


@cache
def real(stem: str) -> Result:
    """The shipped rules on one real series."""
    return backtest([read_history(SERIES / f"{stem}.csv", CONFIG)])


def simulated(scenario: str, seed: int | None = None, stations: Sequence[str] = ()) -> tuple[Result, History]:
    """The shipped rules on a scenario, through the file that `simulate-history` writes."""
    played = load_scenario(scenario)
    chosen = played.seed if seed is None else seed
    plan = make_plan(played, load_catalogue(CONFIG / "catalog", Nature.EXERCISE), chosen, stations)
    with TemporaryDirectory() as folder:
        file, _ = write_history(plan, chosen, Path(folder))
        history = read_history(file, CONFIG)
    return backtest([history]), history


def backtest(histories: Sequence[History]) -> Result:
    (material,) = of_histories(histories)
    book = rules_on(CONFIG / "rules", load_catalogue(CONFIG / "catalog", Nature.EXERCISE), material)
    return examine(material, book, book, Truth())


def card(result: Result, rule: str) -> Card:
    return next(card for card in result.cards if card.rule == rule)


def scores(rows: Iterable[tuple[str, Card]], first: str = "series") -> str:
    """A Markdown table of scorecards."""
    head = (
        first,
        "alerts",
        "crossings",
        "hits",
        "missed",
        "false",
        "lead, median",
        "lead, least",
        "flaps/week",
        "told/day",
    )
    lines = [head, ("---",) * len(head)]
    for name, one in rows:
        median = median_lead(one)
        leads = ("–", "–") if median is None else (minutes(median), minutes(one.leads[0]))
        counts = (one.alerts, len(one.verdicts), one.hits, one.misses, len(one.false))
        rates = (f"{one.flaps_per_week:.2f}", f"{one.notifications_per_day:.2f}")
        lines.append((name, *map(str, counts), *leads, *rates))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def minutes(micros: float) -> str:
    return f"{micros / MINUTE:.0f} min"


def levels() -> str:
    return scores((name, card(real(stem), "river-level")) for stem, name in FLOODS.items())


def rates() -> str:
    return scores((name, card(real(stem), "river-rate")) for stem, name in FLOODS.items())


def sea() -> str:
    return scores([("silence", card(real(SEA), "silence"))], "rule")


def flood() -> str:
    result, _ = simulated("flood-2025-10", stations=MAIN)
    rows = [(rule, card(result, rule)) for rule in ("river-level", "river-rate")]
    told = []
    for verdict in rows[0][1].verdicts:
        crossed, when = local(verdict.crossing.time), told_at(verdict.lead)
        told.append(f"| {verdict.target.station.name.vi} | {verdict.level} | {crossed} | {when} |")
    head = "| station | level | crossed (UTC+7) | told |\n| --- | --- | --- | --- |"
    return scores(rows, "rule") + "\n\n" + "\n".join([head, *told])


def told_at(lead: int | None) -> str:
    return "stood already" if lead is None else f"{-lead / MINUTE:.0f} min after it"


def local(time: int) -> str:
    return f"{np.datetime64(time + 7 * 60 * MINUTE, 'us').astype(object):%d-%m %H:%M}"


def dry(seeds: Sequence[int] = SEEDS) -> tuple[str, str]:
    """Notifications by rule and seed; and the outages, counted from the arrivals alone."""
    found = [simulated("dry-month", seed) for seed in seeds]
    head = ["rule", *(f"seed {seed}" for seed in seeds)]
    lines = [head, ["---"] * len(head)]
    for place, one in enumerate(found[0][0].cards):
        lines.append([f"`{one.rule}`", *(str(result.cards[place].notifications) for result, _ in found)])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    apart = [
        f"- seed {seed}: {deserved(history)} outages deserved an alert,"
        f" {card(result, 'silence').alerts} silences were told of"
        for seed, (result, history) in zip(seeds, found, strict=True)
    ]
    return table, "\n".join(apart)


def deserved(history: History) -> int:
    """Times without an arrival for longer than 4 cadences and half an hour, but for devices' health."""
    streams = {key: stream for key, _, stream in history.catalogue.datastreams()}
    health = {"battery", "battery_voltage", "rssi", "snr", "gateways", "f_cnt", "tilt", "gateway_frames"}
    count = 0
    end = max(int(readings.received.max()) for readings in history.readings.values())
    for key, readings in history.readings.items():
        if streams[key].property not in health:
            limit = max(4 * streams[key].cadence, 1_800.0) * 1e6
            arrivals = np.append(np.sort(readings.received), end)
            count += int((np.diff(arrivals) > limit).sum())
    return count


def pictures() -> str:
    """Draw the floods that are shown, and the lines that show them."""
    folder = DOCS / "floods"
    folder.mkdir(exist_ok=True)
    drawn = [real(stem) for stem in FLOODS] + [simulated("flood-2025-10", stations=MAIN)[0]]
    for file in draw_floods(drawn, folder):
        if file.stem not in PICTURES:
            file.unlink()
    return "\n\n".join(f"![{name}](floods/{stem}.svg)" for stem, name in PICTURES.items())


def put(page: Path, section: str, text: str) -> None:
    """Write what stands between a section's marker and its end."""
    old = page.read_text(encoding="utf-8")
    new = re.sub(
        f"(<!-- {section} -->\n).*?(<!-- end -->)",
        lambda m: f"{m[1]}{text}\n{m[2]}",
        old,
        count=1,
        flags=re.S,
    )
    page.write_text(new, encoding="utf-8")


def main() -> None:
    """Write every table that can be written here."""
    sections: dict[str, Callable[[], str]] = {"flood": flood}
    if all((SERIES / f"{stem}.csv").exists() for stem in (*FLOODS, SEA)):
        sections |= {"levels": levels, "rates": rates, "sea": sea, "pictures": pictures}
    for section, write in sections.items():
        put(DOCS / "detection.md", section, write())
    table, apart = dry()
    put(DOCS / "dry-month.md", "dry", table)
    put(DOCS / "dry-month.md", "outages", apart)


if __name__ == "__main__":
    main()
