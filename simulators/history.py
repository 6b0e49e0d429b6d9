"""A scenario as a history: one CSV of all readings with their arrivals, and the YAML that describes it.

The same readings as `simulate` sends, without gateways and broker, for `huewatch backtest`. The readings are
those of the plan: the same scenario and seed give the same file. Called by the command line and by tests.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ingest.clock import to_datetime
from simulators.plan import Plan

DESCRIPTION = """\
# {title}: {rows} readings, made by `huewatch simulate-history --scenario {name} --seed {seed}`. An exercise.
time: {{ column: time }}
received: received
key: datastream
values: [{{ column: value }}]
shown_in: "+07:00"
"""

Row = tuple[int, int, str, float]  # received, measured, datastream, value


def write_history(plan: Plan, seed: int, folder: Path) -> tuple[Path, int]:
    """Write `<scenario>.csv` and its YAML into a folder; the CSV, and how many rows it has."""
    name = plan.scenario.name
    rows = sorted(_rows(plan, seed))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("time", "received", "datastream", "value"))
        for received, measured, key, value in rows:
            writer.writerow((_text(measured), _text(received), key, f"{value:.6g}"))
    described = DESCRIPTION.format(title=plan.scenario.title.en, rows=len(rows), name=name, seed=seed)
    file.with_suffix(".yaml").write_text(described, encoding="utf-8")
    return file, len(rows)


def _rows(plan: Plan, seed: int) -> Iterator[Row]:
    """What was sent and can be read, with the repeats of redundant gateways."""
    rng = np.random.default_rng([seed, len(plan.tracks)])
    for track in plan.tracks:
        sent = ~track.lost & ~track.invalid
        step = track.spec.resolution
        value = np.round(np.round(track.value[sent] / step) * step, 6)
        times = track.arrives[sent].tolist(), track.time[sent].tolist()
        again = rng.random(len(value)) < plan.scenario.faults.duplicates
        for received, measured, said, twice in zip(*times, value.tolist(), again.tolist(), strict=True):
            row = received, measured, track.key, said
            yield from (row, row) if twice else (row,)


def _text(micros: int) -> str:
    return f"{to_datetime(micros):%Y-%m-%dT%H:%M:%SZ}"
