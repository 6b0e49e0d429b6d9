"""Write the tables and pictures of docs/forecast-skill.md. A test holds the tables true.

The real series are read from the folder that HUEWATCH_TEST_HISTORIES names, or ../shared/data. The curve of
October 2025 is that of the scenario, without noise; it is an interpolant, so it is drawn and not scored.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from alerts.forecast.drawing import draw
from alerts.forecast.report import gauges, judged, markdown
from simulators.scenario import load_scenario
from simulators.world import World

ROOT = Path(__file__).parents[1]
CONFIG, PAGE, PICTURES = ROOT / "config", ROOT / "docs" / "forecast-skill.md", ROOT / "docs" / "forecasts"
SERIES = Path(os.environ.get("HUEWATCH_TEST_HISTORIES") or ROOT.parent / "shared" / "data")
SCORED = ("usgs-01589330-stage-2018-06", "hubeau-agly-Y0634020-2020-01", "hubeau-agly-Y0674060-2020-01")
SHOWN = {"kim_long": "HUE-WL-KIMLONG", "phu_oc": "HUE-WL-PHUOC"}
SAMPLE = 10 * 60_000_000  # microseconds
YAML = """\
time: {{ column: time }}
values: [{{ column: level, datastream: {station}/water_level, unit: m }}]
"""


def main() -> None:
    scored = gauges([SERIES / f"{stem}.csv" for stem in SCORED], CONFIG)
    table = markdown(judged(scored, print))
    text = PAGE.read_text(encoding="utf-8")
    between = f"<!-- table -->\n\n{table}\n<!-- end -->"
    PAGE.write_text(
        re.sub("<!-- table -->.*?<!-- end -->", lambda _: between, text, flags=re.S), encoding="utf-8"
    )
    with TemporaryDirectory() as folder:
        shown = gauges([curve(Path(folder), *names) for names in SHOWN.items()], CONFIG)
    PICTURES.mkdir(exist_ok=True)
    for series in (*scored, *shown):
        for name, picture in draw(series):
            (PICTURES / f"{name}.svg").write_text(picture, encoding="utf-8")


def curve(folder: Path, name: str, station: str) -> Path:
    """The scenario's curve of one station as a history."""
    scenario = load_scenario()
    world = World(scenario, scenario.seed)
    times = np.arange(world.start, world.end, SAMPLE, dtype=np.int64)
    stamps = (times // 1_000_000).astype("datetime64[s]").astype(str)
    rows = [f"{at}Z,{level:.4f}" for at, level in zip(stamps, world.curve(name)(times), strict=True)]
    file = folder / f"{station}.csv"
    file.write_text("\n".join(["time,level", *rows]), encoding="utf-8")
    file.with_suffix(".yaml").write_text(YAML.format(station=station), encoding="utf-8")
    return file


if __name__ == "__main__":
    main()
