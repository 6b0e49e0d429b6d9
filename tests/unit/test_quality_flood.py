"""The settings proposed for Huế, on the flood of the demo: it passes, and its faulty sensors do not."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from ingest.catalog import Datastream, Station, load_catalogue
from ingest.model import Quality
from ingest.quality import GrossRanges, Test, gross_range, roll_up, unpack, worst
from ingest.quality.appraiser import Appraiser
from ingest.quality.lint import neighbour_problems, quality_problems
from ingest.quality_settings import QualityTests
from simulators.plan import make_plan
from simulators.scenario import load_scenario
from tests.support.quality import settled

CATALOGUE = load_catalogue(Path(__file__).parents[2] / "config" / "catalog")
Played = tuple[SimpleNamespace, NDArray[np.int64]]  # rows, and their packed flags in the end
SCENARIO = "flood-2025-10"

# Domain figures 1.3 and 4.2: main rivers fail above 2.0 m/h, streets above 1.0 m in 5 min.
PROPOSED = """
river:
  resolution: 0.001
  gap: true
  spike: { suspect: 0.15, fail: 0.5 }
  rate_of_change: { suspect: 1.0, fail: 2.0 }
  flat_line: { tolerance: 0.002, suspect: 3h, fail: 6h }
  climatology: [{ months: [2, 3, 4, 5, 6, 7, 8], suspect: [-0.8, 1.5] }]
street:
  resolution: 0.001
  gap: true
  spike: { suspect: 0.15, fail: 0.5 }
  rate_of_change: { suspect: 6.0, fail: 12.0 }
  flat_line: { tolerance: 0.002, suspect: 3h, fail: 6h, above: 0.1 }
reservoir:
  resolution: 0.01
  gap: true
  spike: { suspect: 0.3, fail: 1.0 }
  rate_of_change: { suspect: 1.0, fail: 3.0 }
other: { gap: true }
"""
UPLAND = ("HUE-WL-THNHAT",)  # 54-70 m above the datum: the dry season's 1.5 m is not its own


def proposed(station: Station, stream: Datastream) -> QualityTests:
    kinds = yaml.safe_load(PROPOSED)
    level = stream.property in ("water_level", "reservoir_level")
    text = dict(kinds[station.kind if level else "other"])
    if station.id in UPLAND:
        text.pop("climatology", None)
    return QualityTests.model_validate_json(json.dumps(text))


STREAMS = [
    (number, key, stream.model_copy(update={"quality": proposed(station, stream)}))
    for number, (key, station, stream) in enumerate(CATALOGUE.datastreams(), start=1)
]
NUMBERS = {key: number for number, key, _ in STREAMS}


def flood(seed: int) -> SimpleNamespace:
    """All readings of the demo in their order of arrival, as the normaliser would give them."""
    arriving: list[tuple[int, int, int, float]] = []
    for track in make_plan(load_scenario(SCENARIO), CATALOGUE, seed).tracks:
        sent = ~track.invalid & ~track.lost
        value = np.round(np.round(track.value / track.spec.resolution) * track.spec.resolution, 6)
        number = NUMBERS[track.key]
        columns = (track.arrives[sent].tolist(), track.time[sent].tolist(), value[sent].tolist())
        arriving += [
            (arrives, time, number, reading) for arrives, time, reading in zip(*columns, strict=True)
        ]
    arriving.sort()
    rows = SimpleNamespace(
        time=np.array([row[1] for row in arriving], np.int64),
        datastream=np.array([row[2] for row in arriving], np.int32),
        value=np.array([row[3] for row in arriving]),
        quality=np.full(len(arriving), Quality.NOT_EVALUATED, np.int8),
    )
    ranges = GrossRanges.of([stream.gross_range for _, _, stream in STREAMS])
    rows.quality = worst(
        gross_range(rows.value, rows.datastream.astype(np.intp) - 1, ranges), saturated(rows)
    )
    return rows


def saturated(rows: SimpleNamespace) -> NDArray[np.int8]:
    """SUSPECT where a sensor is under water and repeats its blanking distance."""
    flags = np.full(len(rows.time), Quality.NOT_EVALUATED, np.int8)
    for number, _, stream in STREAMS:
        if stream.ranging is not None:
            ceiling = stream.ranging.zero_elevation - stream.ranging.blanking
            flags[(rows.datastream == number) & (rows.value >= ceiling - 1e-9)] = Quality.SUSPECT
    return flags


@pytest.fixture(scope="module", params=[1, 2])
def played(request: pytest.FixtureRequest) -> Played:
    rows = flood(request.param)
    assert len(rows.time) > 20_000
    appraisal = Appraiser(STREAMS).evaluate(rows)
    assert not appraisal.consistent_failures.any()
    return rows, settled(rows, appraisal)


def found(played: Played, key: str, test: Test | None = None) -> Counter[int]:
    rows, tests = played
    own = rows.datastream == NUMBERS[key]
    flags = roll_up(tests) if test is None else unpack(tests, test)
    return Counter(flags[own].tolist())


FAULTY = {"HUE-WL-PHBINH/water_level", "HUE-FL-BATRIEU/water_level", "HUE-FL-VYDA/water_level"}


def test_the_proposed_settings_have_no_problem() -> None:
    known = {key: stream for _, key, stream in STREAMS}
    for _, key, stream in STREAMS:
        assert list(quality_problems(stream)) == [], key
        assert list(neighbour_problems(stream, key, known)) == [], key


def test_the_flood_passes_at_every_sound_sensor(played: Played) -> None:
    for _, key, _ in STREAMS:
        flags = found(played, key)
        assert key in FAULTY or set(flags) <= {Quality.PASS}, f"{key}: {flags}"


def test_the_spiking_sensor_is_found_and_its_good_readings_pass(
    played: Played,
) -> None:
    key = "HUE-FL-BATRIEU/water_level"
    quality, spikes = found(played, key), found(played, key, Test.SPIKE)
    wild = spikes[Quality.SUSPECT] + spikes[Quality.FAIL]
    assert 15 <= wild <= 60  # 2 % of 1,501 readings, less those that follow another too closely
    assert quality[Quality.FAIL] + quality[Quality.SUSPECT] <= wild + 2


def test_the_stuck_sensor_is_found(played: Played) -> None:
    """It repeats itself from 12:00 to 18:00: suspect from 15:00 on."""
    flags = found(played, "HUE-WL-PHBINH/water_level", Test.FLAT_LINE)
    assert 17 <= flags[Quality.SUSPECT] + flags[Quality.FAIL] <= 20


def test_the_sensor_under_water_is_suspect_and_never_fails(played: Played) -> None:
    flags = found(played, "HUE-FL-VYDA/water_level")
    assert flags[Quality.SUSPECT] > 300
    assert flags[Quality.FAIL] == 0


def test_outages_are_seen_as_gaps(played: Played) -> None:
    assert found(played, "HUE-WL-TRUOI/water_level", Test.GAP)[Quality.MISSING] == 1
    assert found(played, "HUE-RN-ALUOI/rainfall", Test.GAP)[Quality.MISSING] == 1
