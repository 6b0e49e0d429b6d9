"""What tests of derived datastreams share: a station in few words, and a writer as simple as can be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ingest.catalog import Station
from ingest.derive import Change, Computed, Derivation, Series, derivation
from ingest.derive.kind import NEVER
from ingest.model import Quality

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_761_483_600 * SECOND  # 2025-10-26T20:00:00+07:00, an hour into a rain day

Row = tuple[int, float, int]  # time, value, flag
Output = tuple[float | None, int, float, int]  # value (None: unknown), flag, coverage, inputs until


def stream(name: str, unit: str, cadence: str, **more: Any) -> dict[str, Any]:
    """A measured datastream of the catalogue."""
    source = {"gateway": "g", "device": "d", "channel": name}
    return {"name": name, "property": name, "unit": unit, "cadence": cadence, "source": source} | more


def station(streams: Sequence[Mapping[str, Any]], *derived: Mapping[str, Any]) -> Station:
    """A station with these datastreams."""
    entry = {
        "id": "HUE-XX-TEST",
        "name": {"vi": "Thử", "en": "Test"},
        "kind": "rain",
        "location": {"lat": 16.4, "lon": 107.6},
        "datastreams": list(streams),
        "derived": list(derived),
    }
    return Station.model_validate_json(json.dumps(entry))


def derived(unit: str, cadence: str, /, **derive: Any) -> dict[str, Any]:
    """A derived datastream of the catalogue, named `result`."""
    return {"name": "result", "property": "result", "unit": unit, "cadence": cadence, "derive": derive}


def built(streams: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> Derivation:
    """The derivation of one derived datastream of a station of its own."""
    place = station(streams, result)
    return derivation(place.derived[0], place)


def series(rows: Iterable[Row]) -> Series:
    """Rows as columns, in order of time."""
    ordered = sorted(rows)
    return Series(
        np.array([row[0] for row in ordered], np.int64),
        np.array([row[1] for row in ordered], np.float64),
        np.array([row[2] for row in ordered], np.int8),
    )


def steady(values: Iterable[float], cadence: int, first: int = START, flag: int = Quality.PASS) -> Series:
    """Values at a steady cadence."""
    return series((first + number * cadence, value, flag) for number, value in enumerate(values))


def times(*at: int) -> Any:
    """Output times as a column."""
    return np.array(at, np.int64)


def rows_of(computed: Computed) -> dict[int, Output]:
    """Outputs by their time, comparable with ==."""
    columns = (computed.at, computed.value, computed.quality, computed.coverage, computed.inputs_until)
    return {
        at: (None if np.isnan(value) else value, quality, coverage, until)
        for at, value, quality, coverage, until in zip(*(c.tolist() for c in columns), strict=True)
    }


@dataclass
class Writer:
    """Keeps input rows and outputs as the database would, and computes what each batch bears on."""

    derivation: Derivation
    rows: dict[tuple[int, int], tuple[float, int]] = field(default_factory=dict)  # (input, time) -> row
    outputs: dict[int, Output] = field(default_factory=dict)

    def newest(self) -> int:
        return max((time for _, time in self.rows), default=NEVER)

    def write(self, batch: Iterable[tuple[int, Row]]) -> Computed | None:
        """Rows of inputs by number; a row that is there already gets a new flag."""
        before = self.newest()
        changed = set()
        for number, (time, value, flag) in batch:
            self.rows[number, time] = (value, flag)
            changed.add(time)
        if not changed:
            return None
        change = Change(np.array(sorted(changed), np.int64), before, self.newest())
        inputs = self._load(*self.derivation.span(change))
        at = self.derivation.affected(change, inputs)
        if not len(at):
            return None
        computed = self.derivation.compute(at, inputs)
        self.outputs |= rows_of(computed)
        return computed

    def _load(self, begin: int, end: int) -> list[Series]:
        return [
            series(
                (time, *row)
                for (owner, time), row in self.rows.items()
                if owner == number and begin <= time <= end
            )
            for number in range(len(self.derivation.inputs))
        ]
