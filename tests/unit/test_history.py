"""Reading histories: what a CSV and its YAML come to, and what is said of those that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alerts.history import History, joined_catalogue, observations, read_history
from ingest.model import Nature, Quality
from ingest.yaml_lines import ConfigError, Severity
from tests.support.histories import CONFIG, real_history

MICROS = 1_000_000
DESCRIPTION = """
station:
  id: CREEK
  name: { vi: Suối, en: Creek }
  kind: river
  location: { lat: 16.4, lon: 107.5 }
  datastreams:
    - name: water_level
      property: water_level
      unit: m
      cadence: 5min
      gross_range: { fail: [-1, 5], suspect: [-0.5, 4] }
time: { column: time, zone: "+07:00" }
values:
  - { column: level, datastream: water_level, unit: cm, quality: { column: word, fail: [ICE] } }
"""


def read(folder: Path, text: str, description: str = DESCRIPTION) -> History:
    (folder / "creek.yaml").write_text(description, encoding="utf-8")
    (folder / "creek.csv").write_text(text, encoding="utf-8")
    return read_history(folder / "creek.csv", CONFIG)


def test_values_are_converted_and_flagged_and_times_without_a_zone_are_local(tmp_path: Path) -> None:
    history = read(tmp_path, "time,level,word\n2025-10-27 07:00:00,120,\n2025-10-27T00:05:00Z,450,\n")
    found = history.readings["CREEK/water_level"]
    assert found.value.tolist() == [1.2, 4.5]
    assert np.diff(found.time).tolist() == [300 * MICROS]
    assert found.quality.tolist() == [Quality.PASS, Quality.SUSPECT]
    assert [station.nature for station in history.catalogue.stations] == [Nature.EXERCISE]


def test_rows_are_sorted_and_repeated_ones_counted(tmp_path: Path) -> None:
    rows = ["2025-10-27T00:10:00Z,3,", "2025-10-27T00:05:00Z,2,", "2025-10-27T00:05:00Z,2,"]
    history = read(tmp_path, "\n".join(["time,level,word", *rows, "2025-10-27T00:10:00Z,4,", ""]))
    assert history.readings["CREEK/water_level"].value.tolist() == [0.02, 0.03]
    tally = history.tally
    assert (tally.kept, tally.duplicate, tally.conflict, tally.disordered) == (2, 1, 1, 1)


def test_an_unreadable_cell_costs_its_row_and_is_told_with_its_line(tmp_path: Path) -> None:
    rows = ["2025-10-27T00:00:00Z,1,", "yesterday,2,", "2025-10-27T00:10:00Z,deep,", "1,2", ",,"]
    rows += ["2025-10-27T00:15:00Z,,", "2025-10-27T00:20:00Z,inf,"]
    history = read(tmp_path, "\n".join(["time,level,word", *rows]))
    assert history.readings["CREEK/water_level"].value.tolist() == [0.01]
    assert [problem.line for problem in history.problems] == [3, 4, 5, 6, 8]
    assert {problem.severity for problem in history.problems} == {Severity.WARNING}
    assert (history.tally.unreadable, history.tally.empty) == (5, 1)


def test_the_sources_own_word_fails_a_value(tmp_path: Path) -> None:
    history = read(tmp_path, "time,level,word\n2025-10-27T00:00:00Z,1,ICE\n2025-10-27T00:05:00Z,1,A\n")
    quality = history.readings["CREEK/water_level"].quality
    assert quality.tolist() == [Quality.FAIL, Quality.PASS]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("column: level", "column: stage", 1, "There is no column 'stage'."),
        ("unit: cm", "unit: mg/L", 15, "Values in 'mg/L' are not understood"),
        ("datastream: water_level", "datastream: water", 15, "There is no datastream 'water'."),
        ("kind: river", "kind: rivre", 5, "`kind`"),
        ("suspect: [-0.5, 4]", "suspect: [-2, 4]", 12, "wider than the fail range"),
        ('zone: "+07:00"', "zone: Hanoi", 13, "is not an offset"),
    ],
)
def test_a_description_that_cannot_be_right_is_refused(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, "time,level,word\n2025-10-27T00:00:00Z,1,\n", DESCRIPTION.replace(old, new))
    (problem, *_) = refused.value.problems
    assert problem.line == line
    assert said in problem.message
    assert problem.remedy


def test_a_file_that_nothing_describes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "unknown.csv").write_text("time,level\n")
    with pytest.raises(ConfigError, match=r"unknown\.yaml"):
        read_history(tmp_path / "unknown.csv", CONFIG)


def test_one_column_may_hold_many_datastreams_of_the_catalogue(tmp_path: Path) -> None:
    description = """
        time: { column: time }
        received: received
        key: key
        values: [{ column: value }]
    """
    rows = [
        "2025-10-27T00:00:00Z,2025-10-27T01:00:00Z,HUE-WL-KIMLONG/water_level,1.5",
        "2025-10-27T00:05:00Z,2025-10-27T00:05:01Z,HUE-WL-PHUOC/water_level,7.5",
    ]
    history = read(tmp_path, "\n".join(["time,received,key,value", *rows]), description)
    assert history.readings["HUE-WL-PHUOC/water_level"].quality.tolist() == [Quality.SUSPECT]  # under water
    batch = observations([history], {"HUE-WL-KIMLONG/water_level": 1, "HUE-WL-PHUOC/water_level": 2})
    assert batch.datastream.tolist() == [2, 1]  # in order of arrival


def test_two_files_may_not_describe_one_station_differently(tmp_path: Path) -> None:
    text = "time,level,word\n2025-10-27T00:00:00Z,1,\n"
    one, other = read(tmp_path, text), read(tmp_path, text, DESCRIPTION.replace("Creek", "Brook"))
    assert len(joined_catalogue([one, one]).stations) == 1
    with pytest.raises(ConfigError, match="described differently"):
        joined_catalogue([one, other])


@pytest.mark.parametrize(
    ("stem", "kept", "lowest", "highest"),
    [
        ("usgs-01589330-stage-2018-06", 8_928, 0.125, 1.881),
        ("hubeau-agly-Y0634020-2020-01", 4_307, 5.32, 15.49),
        ("hubeau-agly-Y0674060-2020-01", 4_320, 0.0, 7.423),
        ("ioos-qc-water-level-2018-2019", 7_241, -2.85, 4.164),
    ],
)
def test_the_shipped_descriptions_read_the_real_series(
    stem: str, kept: int, lowest: float, highest: float
) -> None:
    history = real_history(stem)
    (readings,) = history.readings.values()
    assert len(readings) == history.tally.kept == kept
    assert history.problems == ()
    assert (np.diff(readings.time) > 0).all()
    assert readings.value.min() == pytest.approx(lowest, abs=5e-4)
    assert readings.value.max() == pytest.approx(highest, abs=5e-4)
