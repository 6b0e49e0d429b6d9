"""Units: exact where numbers are, refused where anything would be a guess."""

from __future__ import annotations

import pytest

from ingest.units import UNITS, UnknownUnit, conversion, conversions


def convert(value: float, source: str, target: str) -> float:
    numerator, offset, denominator = conversion(source, target)
    return (value * numerator + offset) / denominator


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (1208, "mm", "m", 1.208),
        (16.754, "cm", "m", 0.16754),
        (4.56, "ft", "m", 1.389888),
        (12.0, "in", "ft", 1.0),
        (5.05, "m", "mm", 5050.0),
        (36, "mm/h", "m/s", 1e-5),
        (6921, "m3/s", "l/s", 6_921_000.0),
        (42, "percent", "%", 42.0),
        (0.42, "1", "%", 42.0),
        (3173, "mV", "V", 3.173),
        (25.1, "°C", "degC", 25.1),
        (77.0, "degF", "degC", 25.0),
        (300.15, "K", "degC", 27.0),
        (-40, "degC", "degF", -40.0),
        (1.2, "mg/L", "mg/m3", 1200.0),
        (1.0, "mS/cm", "uS/cm", 1000.0),
        (35.0, "µg/m³", "ug/m3", 35.0),
        (1013.25, "mbar", "hPa", 1013.25),
    ],
)
def test_conversion_gives_the_nearest_float(value: float, source: str, target: str, expected: float) -> None:
    assert convert(value, source, target) == pytest.approx(expected, rel=1e-15)


def test_millimetres_become_the_float_that_metres_are_written_as() -> None:
    for millimetres in range(10_000):
        written = f"{millimetres // 1000}.{millimetres % 1000:03}"
        assert convert(millimetres, "mm", "m") == float(written)


@pytest.mark.parametrize("unit", ["", " ", "M", "MM", "metre", "furlong", "m\n", "\u0000", "%s", "None"])
def test_unknown_unit_is_refused_in_either_place(unit: str) -> None:
    with pytest.raises(UnknownUnit, match="not known"):
        conversion(unit, "m")
    with pytest.raises(UnknownUnit, match="not known"):
        conversion("m", unit)
    with pytest.raises(UnknownUnit, match="not known"):
        conversion(unit, unit)


@pytest.mark.parametrize(
    ("source", "target"), [("m", "degC"), ("mm", "mm/h"), ("ppb", "ug/m3"), ("NTU", "FNU"), ("psu", "g/L")]
)
def test_units_that_measure_different_things_do_not_convert(source: str, target: str) -> None:
    with pytest.raises(UnknownUnit, match="is a unit of"):
        conversion(source, target)


@pytest.mark.parametrize("source", UNITS)
def test_every_unit_converts_there_and_back_within_its_dimension(source: str) -> None:
    for target in conversions(source):
        assert convert(convert(17.25, source, target), target, source) == pytest.approx(17.25)
