"""Units: exact where numbers are, refused where anything would be a guess."""

from __future__ import annotations

import pytest

from ingest.units import MOLAR_MASS, UNITS, Gas, UnknownUnit, conversion, conversions


def convert(value: float, source: str, target: str, gas: Gas | None = None) -> float:
    numerator, offset, denominator = conversion(source, target, gas)
    return (value * numerator + offset) / denominator


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (1208, "mm", "m", 1.208),
        (16.754, "cm", "m", 0.16754),
        (4.56, "ft", "m", 1.389888),
        (12.0, "in", "ft", 1.0),
        (2.5, "inch", "mm", 63.5),
        (4.0, "‰", "%", 0.4),
        (1.0, "promille", "g/kg", 1.0),
        (760, "mmHg", "hPa", 1013.250144354),
        (29.92, "inHg", "hPa", 1013.2074811900272),
        (10.0, "kn", "km/h", 18.52),
        (-120.0, "dBW", "dBm", -90.0),
        (12.6, "Volts", "mV", 12_600.0),
        (25.5, "Deg C", "degC", 25.5),
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
    ("source", "target"),
    [
        ("m", "degC"),
        ("mm", "mm/h"),
        ("ppb", "ug/m3"),
        ("NTU", "FNU"),
        ("psu", "g/L"),
        ("psu", "‰"),
        ("‰", "g/L"),
        ("mmHg", "mm"),
    ],
)
def test_units_that_measure_different_things_do_not_convert(source: str, target: str) -> None:
    with pytest.raises(UnknownUnit, match="is a unit of"):
        conversion(source, target)


@pytest.mark.parametrize("source", UNITS)
def test_every_unit_converts_there_and_back_within_its_dimension(source: str) -> None:
    for target in conversions(source):
        assert convert(convert(17.25, source, target), target, source) == pytest.approx(17.25)


@pytest.mark.parametrize(
    ("name", "factor"), [("O3", 1.96), ("NO2", 1.88), ("SO2", 2.62), ("CO", 1.145)]
)  # as printed for 25 degC and 1013.25 hPa
def test_ppb_of_a_gas_becomes_mass_at_its_temperature_and_pressure(name: str, factor: float) -> None:
    gas = Gas(name, 25.0, 1013.25)
    assert convert(1.0, "ppb", "ug/m3", gas) == pytest.approx(factor, rel=2e-3)
    assert convert(1.0, "ppm", "mg/m3", gas) == pytest.approx(factor, rel=2e-3)
    assert convert(factor, "µg/m³", "ppb", gas) == pytest.approx(1.0, rel=2e-3)


def test_a_mole_of_gas_fills_the_litres_of_the_tables() -> None:
    """22.414 L at 0 degC and 24.465 L at 25 degC, both at 1013.25 hPa."""
    for temperature, litres in ((0.0, 22.414), (25.0, 24.465)):
        for name, mass in MOLAR_MASS.items():
            factor = convert(1.0, "ppb", "ug/m3", Gas(name, temperature, 1013.25))
            assert factor == pytest.approx(float(mass) / litres, rel=2e-5)


def test_cold_and_dense_air_holds_more_of_a_gas() -> None:
    at = {t: convert(100.0, "ppb", "ug/m3", Gas("O3", t, 1013.25)) for t in (0.0, 20.0, 25.0)}
    assert at[0.0] > at[20.0] > at[25.0]
    assert convert(100.0, "ppb", "ug/m3", Gas("O3", 25.0, 900.0)) < at[25.0]


def test_a_gas_changes_no_other_conversion() -> None:
    gas = Gas("O3", 25.0, 1013.25)
    assert conversion("mm", "m", gas) == conversion("mm", "m")
    assert conversion("mg/m3", "ug/m3", gas) == conversion("mg/m3", "ug/m3")
    with pytest.raises(UnknownUnit, match="is a unit of"):
        conversion("ppb", "degC", gas)
    assert set(conversions("ug/m3", gas)) == set(conversions("ug/m3")) | set(conversions("ppb"))
