"""Thirty days without a flood tell nothing: the target of every shipped default.

Tides, noise of 5 mm, spikes that their quality tests flag as they do, showers, puddles and releases of an
ordinary month. Everything random comes from the seed that is printed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from math import cos, pi
from pathlib import Path

from alerts.rules.book import Rule, load_rules
from ingest.catalog import Catalogue, load_catalogue
from ingest.model import Quality
from tests.property.engine_world import MINUTE, START, Player, Row

ROOT = Path(__file__).parents[2]
DAYS = 30
SEED = 20250315
PARTS = [load_catalogue(folder) for folder in (ROOT / "config/catalog", ROOT / "tests/timeline/city")]
CATALOGUE = Catalogue(stations=tuple(one for part in PARTS for one in part.stations), routes=())
NUMBERS = {key: place for place, (key, _, _) in enumerate(CATALOGUE.watched())}
CADENCE = {key: round(stream.cadence * 1_000_000) for key, _, stream in CATALOGUE.watched()}
SPIKE = 1e-3  # of the samples (domain figures of fault models)

Water = Callable[[float, random.Random], float]  # hours since the begin -> what is measured


def tide(level: float, amplitude: float) -> Water:
    """M2 and K1 around a level, and 5 mm of noise."""
    return lambda hours, rng: (
        level
        + amplitude * (0.8 * cos(2 * pi * hours / 12.4206) + 0.2 * cos(2 * pi * hours / 23.9345))
        + rng.gauss(0, 0.002)
    )


def daily(mean: float, swing: float, noise: float) -> Water:
    return lambda hours, rng: mean + swing * cos(2 * pi * hours / 24) + rng.gauss(0, noise)


def puddle(hours: float, rng: random.Random) -> float:
    """10 cm for an hour after each week's shower, else a dry road."""
    return (0.10 if hours % 168 < 1 else 0.0) + abs(rng.gauss(0, 0.003))


def shower(most: float) -> Water:
    """A sum that a shower each week brings to `most` mm for an hour."""
    return lambda hours, rng: most if hours % 168 < 1 else rng.uniform(0, 3)


MONTH: dict[str, Water] = {
    "HUE-WL-KIMLONG/water_level": tide(0.30, 0.10),
    "HUE-WL-PHUOC/water_level": tide(0.60, 0.05),
    "HUE-WL-THNHAT/water_level": tide(56.8, 0.0),
    "HUE-WL-PHBINH/water_level": tide(0.40, 0.05),
    "HUE-FL-BATRIEU/water_level": puddle,
    "HUE-FL-VYDA/water_level": puddle,
    "HUE-RN-NAMDONG/rain_1h": shower(25.0),
    "HUE-RN-NAMDONG/rain_3h": shower(40.0),
    "HUE-RN-NAMDONG/rain_24h": shower(60.0),
    "HUE-RS-TATRACH/reservoir_level": daily(43.5, 0.1, 0.003),
    "HUE-RS-TATRACH/outflow_step_1h": daily(0.0, 150.0, 5.0),
    "TEST-AIR/vn_aqi": daily(70.0, 30.0, 6.0),
    "TEST-WATER/ph": daily(7.4, 0.2, 0.05),
    "TEST-WATER/oxygen": daily(6.5, 1.5, 0.1),
    "TEST-WATER/conductivity": daily(150.0, 40.0, 10.0),
    "TEST-WATER/chlorine": daily(0.55, 0.15, 0.02),
}


def rows(key: str, water: Water, rng: random.Random) -> Iterator[Row]:
    """A month of readings; of levels one in a thousand is a spike of up to 3 m."""
    step, spiky = CADENCE[key], key.endswith("water_level")
    for time in range(START, START + DAYS * 24 * 60 * MINUTE, step):
        value, quality = water((time - START) / (60 * MINUTE), rng), Quality.PASS
        if spiky and rng.random() < SPIKE:
            size = rng.uniform(0.3, 3.0)
            value += size
            quality = Quality.FAIL if size > 1.0 else Quality.SUSPECT if size > 0.5 else Quality.PASS
        yield Row(NUMBERS[key], time, round(value, 3), quality, time)


def shipped() -> list[Rule]:
    return [rule.numbered(NUMBERS) for rule in load_rules(ROOT / "config/rules", CATALOGUE)]


def test_a_dry_month_tells_nothing() -> None:
    print(f"seed {SEED}")
    player = Player(shipped())
    month = [row for key, water in MONTH.items() for row in rows(key, water, random.Random(f"{SEED}/{key}"))]
    month.sort(key=lambda row: row.time)
    assert len(month) > 80_000
    for begin in range(0, len(month), 5_000):
        player.play(month[begin : begin + 5_000])
    assert [(event.rule, event.target, event.level_name) for event in player.store.events] == []


def test_every_rule_about_water_rain_or_air_has_its_dry_month() -> None:
    seen = {rule.id for rule in shipped() for target, _ in rule.plans if target.key in MONTH}
    watching = {rule.id for rule in shipped() if rule.plans and "health" not in rule.place.file}
    assert watching - seen == set()
