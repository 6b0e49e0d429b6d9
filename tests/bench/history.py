"""The engine and the backtest alone: no broker, no database, one core; the live path in the same run.

`engine_costs` gives 100,000 series under five rules what arrives at 5,000 readings a second, a transaction
and a tick each second. `backtest_rates` plays made-up history of a city, and of few series over a long time;
the live path takes the same rows in a transaction for each second in which something arrived. CPU seconds
count, since other work on the machine is no cost of ours.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alerts.backtest.replay import numbering, play
from alerts.engine import Engine
from alerts.rules.book import Rule, parse_rules
from ingest.catalog import Catalogue
from ingest.model import Changes, Moment, ObservationBatch, Quality
from ingest.refine import Refiner

MANY, RATE, SECONDS = 100_000, 5_000, 200  # ten readings of each series
CASES = {  # series, days, share of them that has a flood
    "a quiet city": (2_000, 4, 0.0),
    "a city with floods at one gauge in ten": (2_000, 4, 0.1),
    "four gauges, each with a flood": (4, 180, 1.0),
}
LIVE_ROWS = 40_000  # of a history, in its middle, that the live path takes
SECOND, CADENCE, START = 1_000_000, 300_000_000, 1_761_400_000_000_000

STATION = {
    "name": {"vi": "Trạm", "en": "Gauge"},
    "kind": "river",
    "location": {"lat": 16.4, "lon": 107.5},
    "nature": "Exercise",
}
STREAM = {
    "name": "water_level",
    "property": "water_level",
    "unit": "m",
    "cadence": "5min",
    "gross_range": {"fail": [-1.5, 9.0], "suspect": [-0.8, 6.2]},
    "levels": [
        {"name": "BĐ I", "value": 1.0},
        {"name": "BĐ II", "value": 2.0},
        {"name": "BĐ III", "value": 3.5},
    ],
}
QUALITY = {
    "gap": True,
    "spike": {"suspect": 0.15, "fail": 0.5},
    "rate_of_change": {"suspect": 1.0, "fail": 2.0},
    "flat_line": {"tolerance": 0.002, "suspect": "3h", "fail": "6h"},
}
LEVEL = """
  - id: {name}
    kind: threshold
    title: {{ vi: Mực nước, en: Level }}
    select: {{ property: water_level }}
    levels: [{{ name: high, value: {value} m, severity: Minor }}]
    clear: {{ below: 0.10 m, hold: 30min }}
"""
RULES = (
    """
rules:
  - id: level
    kind: threshold
    title: { vi: Mực nước, en: Level }
    select: { property: water_level }
    levels: catalogue
    severities: { BĐ I: Minor, BĐ II: Moderate, BĐ III: Severe }
    clear: { below: 0.10 m, hold: 30min }
  - id: rate
    kind: rate
    title: { vi: Nước lên, en: Rising }
    select: { property: water_level }
    window: 60min
    span: 30min
    points: 4
    gate: 0.5 m
    levels:
      - { name: fast, value: 8 cm/h, severity: Minor }
      - { name: faster, value: 15 cm/h, severity: Moderate }
    clear: { fraction: 0.6, hold: 30min }
  - id: silence
    kind: silence
    title: { vi: Im lặng, en: Silence }
    select: {}
    after: { cadences: 4, at_least: 30min }
    level: { name: silent, severity: Minor }
"""
    + LEVEL.format(name="bank", value=2.8)
    + LEVEL.format(name="dyke", value=5.5)
)


def city(series: int, *, tests: bool) -> tuple[Catalogue, list[Rule], dict[str, int]]:
    """So many gauges under five rules; with `tests` each has quality tests."""
    more = {"quality": QUALITY} if tests else {}
    stations = [
        STATION
        | {"id": f"R{number}"}
        | {
            "datastreams": [
                STREAM | more | {"source": {"gateway": "g", "device": f"{number}", "channel": "c"}}
            ]
        }
        for number in range(series)
    ]
    catalogue = Catalogue.model_validate_json(json.dumps({"stations": stations, "routes": []}))
    rules, problems = parse_rules(RULES, "bench.yaml", catalogue)
    assert not problems
    keys = [key for key, _, _ in catalogue.datastreams()]
    return catalogue, rules, numbering(keys, catalogue, rules)


def history(series: int, steps: int, flooding: float, seed: int) -> ObservationBatch:
    """Readings every 5 minutes, 2 in 1,000 lost; a flood of 1 to 4.5 m lasts for a day or so."""
    rng = np.random.default_rng(seed)
    step = np.arange(steps)
    time = START + step * CADENCE + rng.integers(0, CADENCE, (series, 1))
    peak, width = rng.uniform(0, steps, (series, 1)), rng.uniform(60, 200, (series, 1))
    height = rng.uniform(1.0, 4.5, (series, 1)) * (rng.random((series, 1)) < flooding)
    value = 0.2 + 0.05 * np.sin(2 * np.pi * step / 149) + rng.uniform(-0.05, 0.2, (series, 1))
    value = value + height * np.exp(-(((step - peak) / width) ** 2)) + rng.normal(0, 0.003, (series, steps))
    kept = rng.random(time.size) >= 0.002
    number = np.repeat(np.arange(1, series + 1, dtype=np.int32), steps)[kept]
    time, value = time.reshape(-1)[kept], np.round(value.reshape(-1)[kept], 3)
    received = time + rng.integers(SECOND // 5, 3 * SECOND, len(time))
    order = np.argsort(received, kind="stable")
    return rows_of(number[order], time[order], value[order], received[order])


def rows_of(number: Any, time: Any, value: Any, received: Any) -> ObservationBatch:
    count = len(number)
    unknown = np.full(count, Quality.NOT_EVALUATED, np.int8)
    none, no = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    return ObservationBatch(
        number, time, value, unknown, received, none.astype(np.int32) - 1, no, np.ones(count, np.int8), none
    )


def backtest_rates() -> dict[str, dict[str, float]]:
    """Readings per CPU second of each case: the backtest's, the live path's, and their ratio."""
    found = {}
    for name, (series, days, flooding) in CASES.items():
        catalogue, rules, ids = city(series, tests=True)
        rows = history(series, days * 288, flooding, seed=1)
        began = time.process_time()
        play(catalogue, [rules], ids, rows)
        rate = len(rows) / (time.process_time() - began)
        middle = len(rows) // 2 + np.arange(-LIVE_ROWS // 2, LIVE_ROWS // 2)
        live = _live(catalogue, rules, ids, rows.take(middle))
        found[name] = {"readings_per_second": rate, "live": live, "ratio": rate / live}
    return found


def _live(catalogue: Catalogue, rules: Sequence[Rule], ids: dict[str, int], rows: ObservationBatch) -> float:
    """Readings per CPU second of refiner and engine, a transaction and a tick for each busy second."""
    refiner, engine = Refiner(catalogue, ids), Engine([rule.numbered(ids) for rule in rules])
    second = rows.received_at // SECOND
    began, since = time.process_time(), int(rows.received_at[0])
    for part in np.split(np.arange(len(rows)), 1 + np.flatnonzero(np.diff(second))):
        refined = refiner.evaluate(rows.take(part), lambda spans: [])
        refiner.adopt(refined)
        moment = Moment(int(rows.received_at[part[-1]]), True, since)
        engine.adopt(engine.evaluate(Changes(refined.rows, moment)))
    return len(rows) / (time.process_time() - began)


def engine_costs() -> dict[str, float]:
    """In a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "tests.bench.history"]
    figures: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return figures


def _engine_costs() -> dict[str, float]:
    _, rules, ids = city(MANY, tests=False)
    before = _resident_mb()
    engine = Engine([rule.numbered(ids) for rule in rules])
    rng = np.random.default_rng(1)
    flooded = rng.random(MANY) < 0.02
    seconds = []
    for second in range(SECONDS):
        batch = _arriving(second, flooded, rng)
        began = time.process_time()
        now = int(batch.received_at[-1])
        engine.adopt(engine.evaluate(Changes(batch, Moment(now, True, START))))
        seconds.append(time.process_time() - began)
    busy = statistics.mean(seconds[1:])  # the first touches all memory
    return {
        "series": MANY,
        "rules": len(rules),
        "share_of_a_core": busy,
        "evaluations_per_second": RATE * len(rules) / busy,
        "worst_second": max(seconds[1:]),
        "engine_mb": _resident_mb() - before,
        "resident_mb": _resident_mb(),
    }


def _arriving(second: int, flooded: Any, rng: np.random.Generator) -> ObservationBatch:
    """What arrives in one second: each series in turn, a reading every 5 minutes of a backlog that drains."""
    place = (second * RATE + np.arange(RATE)) % MANY
    turn = (second * RATE + np.arange(RATE)) // MANY
    value = np.round(0.3 + rng.normal(0, 0.003, RATE) + flooded[place] * (0.6 + 0.35 * turn), 3)
    time = START + turn * CADENCE + place % 300 * SECOND
    received = np.full(RATE, START + MANY * SECOND + second * SECOND)
    return rows_of((place + 1).astype(np.int32), time, value, received)


def _resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    print(json.dumps(_engine_costs()))
