"""A small city of gauges whose floods come from a seed, as rows that forecasts are made from."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from alerts.forecast.records import Made, Scored
from alerts.forecast.tracker import Gauge, Tracked, Tracker
from ingest.catalog import Datastream, Level, Location, Source, Station
from ingest.config_model import Text
from ingest.model import ObservationBatch, Quality
from tests.support.floods import MINUTE, flood

LEVELS = (("BĐ I", 1.0), ("BĐ II", 2.0), ("BĐ III", 3.0))
CADENCES = (5, 10, 15)  # minutes


def gauge(number: int, cadence: float = 10.0, **fields: object) -> Gauge:
    """A gauge of a street, whose depth needs no datum."""
    levels = tuple(Level(name=name, value=value, rank=rank) for rank, (name, value) in enumerate(LEVELS, 1))
    datastream = Datastream(
        name="water_level",
        property="water_level",
        unit="m",
        cadence=cadence * 60,
        source=Source(gateway="g", device=f"d{number}", channel="c"),
        levels=levels,
    )
    station = Station(
        id=f"S{number}",
        name=Text(vi="Trạm", en="Station"),
        kind="street",
        location=Location(lat=16.0, lon=107.0),
        datastreams=(datastream,),
    )
    return Gauge(number, station.model_copy(update=fields), datastream)


def city() -> list[Gauge]:
    """Three gauges, numbered 10, 20 and 30."""
    return [gauge(10 * (place + 1), cadence) for place, cadence in enumerate(CADENCES)]


def stream(seed: int, days: float = 2.0) -> ObservationBatch:
    """What the city's gauges send: late rows, backlogs in order, doubted and failed rows, gaps."""
    dice = random.Random(seed)
    rows: list[tuple[int, int, int, float, int]] = []
    for place, cadence in enumerate(CADENCES):
        time, value = flood(10 * seed + place, days, cadence)
        quality, outage = int(Quality.PASS), 0
        for at, level in zip(time.tolist(), value.tolist(), strict=True):
            if dice.random() < 0.02:
                quality = dice.choice([Quality.PASS, Quality.PASS, Quality.SUSPECT, Quality.FAIL])
            if dice.random() < 0.03:
                continue
            late = dice.choice([20, 40, 90]) * MINUTE if dice.random() < 0.05 else 0
            if dice.random() < 0.01:
                outage = at + dice.choice([60, 120]) * MINUTE
            received = max(at + late, outage) + dice.randrange(1, 60) * 1_000_000
            flag = dice.choice([Quality.SUSPECT, Quality.FAIL]) if dice.random() < 0.02 else quality
            rows.append(
                (received, 10 * (place + 1), at + dice.randrange(0, 90) * 1_000_000, level, int(flag))
            )
    rows.sort()
    return batch_of([(number, at, level, flag, received) for received, number, at, level, flag in rows])


def batch_of(rows: Sequence[tuple[int, int, float, int, int]]) -> ObservationBatch:
    """Rows of (datastream, time, value, quality, received) as columns."""
    return ObservationBatch(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.int8),
        np.array([row[4] for row in rows], np.int64),
        np.zeros(len(rows), np.int32),
        np.zeros(len(rows), np.bool_),
        np.ones(len(rows), np.int8),
        np.zeros(len(rows), np.int64),
    )


def cut(batch: ObservationBatch, dice: random.Random, mean: float) -> list[ObservationBatch]:
    """A stream cut into batches of random lengths."""
    parts, at = [], 0
    while at < len(batch):
        size = 1 + int(dice.expovariate(1 / mean))
        parts.append(batch.take(np.arange(at, min(at + size, len(batch)))))
        at += size
    return parts


def play(tracker: Tracker, batches: Sequence[ObservationBatch]) -> list[Tracked]:
    """What each batch came to, adopted."""
    found = []
    for batch in batches:
        found.append(tracker.evaluate(batch))
        tracker.adopt(found[-1])
    return found


def made_of(found: Sequence[Tracked]) -> list[Made]:
    """Every forecast, by gauge and origin."""
    return sorted((one for each in found for one in each.made), key=lambda one: (one.datastream, one.origin))


def scored_of(found: Sequence[Tracked]) -> list[Scored]:
    """Every score, by gauge, origin and horizon."""
    every = (one for each in found for one in each.scored)
    return sorted(every, key=lambda one: (one.due.datastream, one.due.origin, one.due.hours))
