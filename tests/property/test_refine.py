"""Whatever the order, the batches and the restarts: the results are those of one pass over all rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.catalog import Catalogue
from ingest.derive import Change, Series, derivation
from ingest.derive.deriver import Span
from ingest.derive.kind import NEVER
from ingest.model import ObservationBatch, Quality
from ingest.quality.appraiser import Need
from ingest.refine import Refined, Refiner

MINUTE = 60_000_000
START = 1_761_469_200_000_000  # 26-10-2025 09:00Z
CADENCE = 10

Row = tuple[int, int, float]  # datastream, time, value


def city() -> Catalogue:
    def stream(name: str, unit: str, **more: Any) -> dict[str, Any]:
        source = {"gateway": "gw", "device": name, "channel": name}
        return {"name": name, "property": name, "unit": unit, "cadence": 600.0, "source": source} | more

    def result(name: str, unit: str, **derive: Any) -> dict[str, Any]:
        return {"name": name, "property": name, "unit": unit, "cadence": 600.0, "derive": derive}

    spike = {"spike": {"suspect": 0.2, "fail": 0.6}}
    stations = tuple(
        {
            "id": f"S{number}",
            "name": {"vi": "Trạm", "en": "Station"},
            "kind": "river",
            "location": {"lat": 16.45, "lon": 107.56},
            "datastreams": (
                stream("level", "m", quality=spike, levels=({"name": "I", "value": 1.0},)),
                stream("rain", "mm"),
                stream("pm2_5", "ug/m3"),
                stream("pm10", "ug/m3"),
            ),
            "derived": (
                result("margin", "m", kind="margin", of="level", level="I"),
                result("mean_1h", "m", kind="window_mean", of="level", window=3_600.0, min_coverage=0.2),
                result("rain_1h", "mm", kind="window_sum", of="rain", window=3_600.0),
                result("rain_3h", "mm", kind="window_sum", of="rain", window=10_800.0),
                result("rain_day", "mm", kind="rain_day", of="rain", day_starts="19:00", zone="+07:00"),
                result("aqi", "1", kind="vn_aqi_hourly", pm2_5="pm2_5", pm10="pm10") | {"cadence": 3_600.0},
            ),
        }
        for number in range(2)
    )
    return Catalogue.model_validate({"stations": stations, "routes": ()})


CITY = city()
KEYS = [key for key, *_ in (*CITY.datastreams(), *CITY.derived())]
IDS = {key: number for number, key in enumerate(KEYS, start=1)}
MEASURED = [IDS[key] for key, *_ in CITY.datastreams()]


def stream_of(seed: int, hours: int) -> list[Row]:
    """Rows in order of arrival: gaps, jitter, spikes, late rows and rows that come hours late."""
    rng = random.Random(seed)
    arriving = []
    for number in MEASURED:
        for step in range(hours * 60 // CADENCE):
            if rng.random() < 0.05:
                continue
            time = START + (step * CADENCE + rng.choice([0, 0, 0, 1, 3])) * MINUTE
            value = round(0.5 + 0.01 * step + (1.0 if rng.random() < 0.04 else 0.0), 3)
            late = rng.choice([0, 0, 0, 0, 0, 0, 0, 15, 40, 600]) * MINUTE
            arriving.append((time + late, rng.random(), (number, time, value)))
    return [row for _, _, row in sorted(arriving)]


def columns(rows: Sequence[Row]) -> ObservationBatch:
    count = len(rows)
    time = np.array([row[1] for row in rows], np.int64)
    return ObservationBatch(
        np.array([row[0] for row in rows], np.int32),
        time,
        np.array([row[2] for row in rows], np.float64),
        np.full(count, Quality.NOT_EVALUATED, np.int8),
        time,
        np.zeros(count, np.int32),
        np.zeros(count, np.bool_),
        np.ones(count, np.int8),
        np.zeros(count, np.int64),
    )


class Store:
    """What the database would hold, and a refiner over it."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[int, tuple[float, int, int]]] = {number: {} for number in MEASURED}
        self.derived: dict[int, dict[int, tuple[float, int, float]]] = {}
        self.refiner = Refiner(CITY, IDS)
        self.met: Counter[str] = Counter()

    def series(self, number: int, since: int = -(2**62), until: int = 2**62) -> Series:
        rows = sorted((time, row) for time, row in self.rows[number].items() if since <= time <= until)
        return Series(
            np.array([time for time, _ in rows], np.int64),
            np.array([row[0] for _, row in rows], np.float64),
            np.array([row[1] for _, row in rows], np.int8),
        )

    def load(self, spans: Sequence[Span]) -> list[Series]:
        self.met["loads from the table"] += len(spans)
        return [self.series(*span) for span in spans]

    def play(self, batch: Sequence[Row]) -> None:
        refined = self.refiner.evaluate(columns(batch), self.load)
        self._keep(refined)
        self.refiner.adopt(refined)

    def _keep(self, refined: Refined) -> None:
        rows = refined.rows
        for of, time, value, quality, tests in zip(
            rows.datastream.tolist(), rows.time.tolist(), rows.value.tolist(), rows.quality.tolist(),
            rows.tests.tolist(), strict=True,
        ):  # fmt: skip
            self.rows[of][time] = value, quality, tests
        revised = refined.revisions
        for of, time, quality, tests in zip(
            revised.datastream.tolist(), revised.time.tolist(), revised.quality.tolist(),
            revised.tests.tolist(), strict=True,
        ):  # fmt: skip
            self.rows[of][time] = self.rows[of][time][0], quality, tests
            self.met["revisions"] += 1
        found = refined.derived
        for of, time, value, quality, coverage, new in zip(
            found.datastream.tolist(), found.time.tolist(), found.value.tolist(), found.quality.tolist(),
            found.coverage.tolist(), found.new.tolist(), strict=True,
        ):  # fmt: skip
            kept = self.derived.setdefault(of, {})
            assert not (new and time in kept), "a result that is there was called new"
            self.met["new" if new else "again" if time in kept else "first"] += 1
            kept[time] = value, quality, coverage

    def restart(self) -> None:
        self.met["restarts"] += 1
        self.refiner = Refiner(CITY, IDS)
        self.refiner.rebuild(self._parts)

    def _parts(self, need: Need) -> Iterator[ObservationBatch]:
        for number in need.datastreams:
            yield self._newest([number], need.rows)

    def _newest(self, numbers: Sequence[int], most: int) -> ObservationBatch:
        chosen = [
            (of, time, *self.rows[of][time]) for of in numbers for time in sorted(self.rows[of])[-most:]
        ]
        batch = columns([(of, time, value) for of, time, value, _, _ in chosen])
        batch.quality[:] = [row[3] for row in chosen]
        batch.tests[:] = [row[4] for row in chosen]
        return batch


def one_pass(store: Store) -> dict[int, dict[int, tuple[float, int, float]]]:
    """Every result from all rows with the flags that stand now."""
    results = {}
    for key, station, derived in CITY.derived():
        made = derivation(derived, station)
        inputs = [store.series(IDS[f"{station.id}/{name}"]) for name in made.inputs]
        times = np.unique(np.concatenate([series.time for series in inputs]))
        at = made.affected(Change(times, NEVER, int(times[-1])), inputs)
        found = made.compute(at, inputs)
        columns = (found.value.tolist(), found.quality.tolist(), found.coverage.tolist())
        results[IDS[key]] = dict(zip(at.tolist(), zip(*columns, strict=True), strict=True))
    return results


def assert_same(store: Store) -> None:
    expected = one_pass(store)
    for number, rows in expected.items():
        found = store.derived.get(number, {})
        assert found.keys() == rows.keys(), KEYS[number - 1]
        for time, row in rows.items():
            np.testing.assert_allclose(found[time], row, rtol=0, atol=1e-9, err_msg=KEYS[number - 1])


def play(items: Sequence[Row], rng: random.Random, longest: int, restarts: float) -> Store:
    store, at = Store(), 0
    while at < len(items):
        end = at + rng.randint(1, longest)
        if rng.random() < restarts:
            store.restart()
        store.play(items[at:end])
        at = end
    return store


def test_results_are_those_of_one_pass_for_any_batches_and_restarts() -> None:
    met: Counter[str] = Counter()
    for seed in range(3):
        items = stream_of(seed, hours=40)
        for longest, restarts in ((3, 0.01), (40, 0.1), (10_000, 0.0)):
            store = play(items, random.Random(seed + longest), longest, restarts)
            assert_same(store)
            met += store.met
    print(dict(met))
    for case in ("loads from the table", "revisions", "new", "first", "again", "restarts"):
        assert met[case], case


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), longest=st.integers(1, 60))
def test_results_are_those_of_one_pass(seed: int, longest: int) -> None:
    assert_same(play(stream_of(seed, hours=8), random.Random(seed), longest, 0.05))
