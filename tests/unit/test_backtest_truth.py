"""What counts as a true crossing, and what people may write down instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alerts.backtest.truth import Samples, crossings, labelled, read_truth
from ingest.yaml_lines import ConfigError

MINUTE = 60_000_000


def series(*values: float, cadence: int = 10) -> Samples:
    time = np.arange(len(values)) * cadence * MINUTE
    return Samples(time, np.array(values), time + 1_000_000)


def at(samples: Samples, level: float = 1.0, sign: int = 1) -> list[int]:
    """The places of the crossings."""
    return [found.time // (10 * MINUTE) for found in crossings(samples, level, sign)]


LOW, HIGH = [0.5] * 6, [1.5] * 6


def test_a_rise_that_stays_is_one_crossing_told_of_by_the_second_sample_after_it() -> None:
    samples = series(*LOW, *HIGH)
    (found,) = crossings(samples, 1.0)
    assert found.time == 6 * 10 * MINUTE
    assert found.deadline - found.arrived == 2 * 10 * MINUTE


def test_a_sample_at_the_level_is_at_the_level() -> None:
    assert at(series(*LOW, *[1.0] * 6)) == [6]


@pytest.mark.parametrize("spikes", [1, 2])
def test_what_one_or_two_samples_say_alone_is_none(spikes: int) -> None:
    assert at(series(*LOW, *[9.0] * spikes, *LOW)) == []


def test_a_dip_of_one_sample_makes_no_second_crossing() -> None:
    assert at(series(*LOW, *HIGH, 0.0, *HIGH)) == [6]


@pytest.mark.parametrize(("samples_above", "found"), [(3, []), (4, [6])])
def test_the_water_stays_above_for_half_an_hour(samples_above: int, found: list[int]) -> None:
    """Three samples ten minutes apart are left after 30 minutes exactly, and not longer."""
    assert at(series(*LOW, *[1.5] * samples_above, *LOW)) == found


def test_a_series_that_begins_above_crossed_before_anybody_looked() -> None:
    assert at(series(*HIGH, *LOW, *HIGH)) == [12]


def test_what_follows_the_last_sample_is_not_known() -> None:
    assert at(series(*LOW, 1.5, 1.5, 1.5)) == []


def test_low_values_cross_downwards() -> None:
    assert at(series(*HIGH, *LOW), sign=-1) == [6]


def test_people_may_say_better(tmp_path: Path) -> None:
    file = tmp_path / "truth.yaml"
    file.write_text(
        "events: [{ datastream: R/level, level: I, at: 1970-01-01T01:05:00Z, why: seen }]\n"
        "jumps: [{ datastream: R/level, at: 1970-01-01T02:00:00Z, until: 1970-01-01T03:00:00Z, why: ice }]\n"
    )
    truth, samples = read_truth(file), series(*LOW, *HIGH)
    (found,) = labelled(truth.events, "R/level", "I", samples) or []
    assert found.time == 70 * MINUTE  # the first sample from then on
    assert labelled(truth.events, "R/level", "II", samples) == []  # they saw no other
    assert labelled(truth.events, "S/level", "I", samples) is None


def test_a_label_without_a_reason_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "truth.yaml"
    file.write_text("jumps: [{ datastream: R/level, at: 1970-01-01T02:00Z, until: 1970-01-01T03:00Z }]\n")
    with pytest.raises(ConfigError, match="`why` is missing"):
        read_truth(file)
