"""Quality settings: what can be written, and what the lint refuses of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from ingest.catalog import Datastream, Level, Source
from ingest.quality.lint import neighbour_problems, quality_problems
from ingest.quality_settings import QualityTests

GOOD: dict[str, Any] = {
    "resolution": 0.001,
    "gap": {"late": 1.5, "missing": 3},
    "climatology": [{"months": [2, 3, 4, 5, 6, 7, 8], "suspect": [-0.8, 1.5]}],
    "spike": {"suspect": 0.15, "fail": 0.5},
    "rate_of_change": {"suspect": 1.0, "fail": 2.0},
    "flat_line": {"suspect": "3h", "fail": "6h", "tolerance": 0.002, "above": 0.5},
    "attenuated_signal": {"window": "12.4h", "min_range": 0.005},
    "neighbour": {"of": "ST-2/water_level", "within": "15min", "trend": 0.2, "over": "1h"},
}


def settings(**changes: Any) -> QualityTests:
    return QualityTests.model_validate_json(json.dumps({**GOOD, **changes}))


def stream(cadence: float = 300.0, unit: str = "m", **changes: Any) -> Datastream:
    return Datastream(
        name="water_level",
        property="water_level",
        unit=unit,
        cadence=cadence,
        source=Source(gateway="g", device="d", channel="c"),
        quality=settings(**changes),
        record=5.81,
        levels=(Level(name="BĐ I", value=1.0), Level(name="BĐ III", value=3.5)),
    )


def test_every_test_can_be_written_and_is_off_when_it_is_not() -> None:
    tests = settings()
    assert tests.flat_line is not None
    assert tests.flat_line.fail == 21_600
    assert tests.spike is not None
    assert tests.spike.method == "differential"
    assert QualityTests() == QualityTests.model_validate_json("{}")
    assert settings(gap=True).gap is True


@pytest.mark.parametrize(
    "changes",
    [
        {"spikes": {"suspect": 1}},
        {"spike": {"suspect": 1, "faill": 2}},
        {"spike": {"suspect": -0.1}},
        {"spike": {"suspect": "0.15"}},
        {"spike": {"suspect": 1, "method": "median"}},
        {"rate_of_change": {"fail": 2}},
        {"flat_line": {"suspect": 10_800}},
        {"climatology": [{"months": [13], "suspect": [0, 1]}]},
        {"climatology": [{"months": [], "suspect": [0, 1]}]},
        {"attenuated_signal": {"window": "1h"}},
        {"attenuated_signal": {"window": "1h", "min_range": 0.1, "min_std": 0.1}},
        {"neighbour": {"of": "ST-2/water_level", "within": "15min"}},
        {"neighbour": {"of": "ST-2", "within": "15min", "trend": 0.1}},
        {"resolution": 0},
        {"gap": "yes"},
    ],
)
def test_what_is_not_a_setting_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)


def test_good_settings_have_no_problem() -> None:
    assert list(quality_problems(stream())) == []
    assert list(quality_problems(stream().model_copy(update={"quality": QualityTests()}))) == []


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"spike": {"suspect": 0.5, "fail": 0.5}}, ("spike", "fail"), "does not lie above `suspect`"),
        ({"spike": {"suspect": 0.0005}}, ("spike", "suspect"), "One step of the sensor"),
        ({"rate_of_change": {"suspect": 2, "fail": 1}}, ("rate_of_change", "fail"), "does not lie above"),
        (
            {"rate_of_change": {"suspect": 0.25}},
            ("rate_of_change", "suspect"),
            "A real flood has risen by 0.25 m/h",
        ),
        ({"rate_of_change": {"suspect": 1}, "resolution": 0.1}, ("rate_of_change", "suspect"), "One step of"),
        ({"flat_line": {"suspect": "6h", "fail": "3h"}}, ("flat_line", "fail"), "does not lie above"),
        ({"flat_line": {"suspect": "14min"}}, ("flat_line", "suspect"), "by chance"),
        (
            {"flat_line": {"suspect": "3h", "tolerance": 0.002}, "resolution": 0.01},
            ("flat_line", "tolerance"),
            "finer",
        ),
        (
            {"flat_line": {"suspect": "3h", "above": 1.2}},
            ("flat_line", "above"),
            "At BĐ I (1 m) a stuck sensor",
        ),
        (
            {"attenuated_signal": {"window": "10min", "min_range": 1}},
            ("attenuated_signal", "window"),
            "three",
        ),
        (
            {"attenuated_signal": {"window": "12.4h", "min_range": 0.001}},
            ("attenuated_signal", "min_range"),
            "repeats",
        ),
        ({"attenuated_signal": {"window": "3d", "min_range": 0.1}}, (), "600 are remembered"),
        ({"gap": {"late": 3, "missing": 2}}, ("gap",), "A reading on time is late"),
        ({"gap": {"late": 1}}, ("gap",), "A reading on time is late"),
        ({"climatology": [{"months": [1], "suspect": [2, 1]}]}, ("climatology", 0, "suspect"), "inverted"),
        (
            {"climatology": [{"months": [1, 2], "suspect": [0, 6]}, {"months": [2], "suspect": [0, 1]}]},
            ("climatology",),
            "Month 2 is written twice",
        ),
        (
            {"climatology": [{"months": list(range(1, 13)), "suspect": [-1, 5.8]}]},
            ("climatology",),
            "The record (5.81 m) is suspicious in every month",
        ),
    ],
)
def test_impossible_settings_are_found(changes: dict[str, Any], path: tuple[str, ...], message: str) -> None:
    findings = list(quality_problems(stream(**changes)))
    ((said, remedy),) = [(said, remedy) for found, said, remedy in findings if found == ("quality", *path)]
    assert message in said
    assert remedy.endswith(".")


def test_the_known_rise_is_in_the_datastreams_own_unit() -> None:
    changes = {"rate_of_change": {"suspect": 20}, "climatology": [], "flat_line": None}
    ((_, said, _),) = quality_problems(stream(unit="cm", **changes))
    assert "A real flood has risen by 25 cm/h" in said


@pytest.mark.parametrize(
    ("neighbour", "message"),
    [
        ({"of": "ST-1/water_level", "within": "15min", "trend": 0.1}, "no neighbour of itself"),
        (
            {"of": "ST-9/water_level", "within": "15min", "trend": 0.1},
            "There is no datastream ST-9/water_level",
        ),
        (
            {"of": "ST-2/water_level", "within": "15min", "difference": 0.1},
            "ST-2/water_level is in cm, not in m",
        ),
        ({"of": "ST-2/water_level", "within": "4min", "trend": 0.1}, "shorter than the cadence"),
    ],
)
def test_a_neighbour_that_cannot_be_compared_is_found(neighbour: dict[str, Any], message: str) -> None:
    gauge = stream(neighbour=neighbour)
    known = {"ST-1/water_level": gauge, "ST-2/water_level": stream(unit="cm")}
    ((_, said, _),) = neighbour_problems(gauge, "ST-1/water_level", known)
    assert message in said


def test_a_neighbour_of_another_unit_may_be_compared_by_trend() -> None:
    known = {"ST-2/water_level": stream(unit="cm")}
    assert list(neighbour_problems(stream(), "ST-1/water_level", known)) == []
    assert list(neighbour_problems(stream(neighbour=None), "ST-1/water_level", {})) == []
