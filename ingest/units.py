"""The units that Huewatch understands, and exact conversions between those of one dimension.

An unknown unit and a conversion across dimensions raise `UnknownUnit`: a unit is never guessed, since a
level of 3.5 read in feet is a metre in the wrong place. Shares of air (ppb, ppm) become mass (ug/m3) only
for a named gas at a stated temperature and pressure. Used by the normaliser and by `huewatch check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

F = Fraction


class UnknownUnit(ValueError):
    """A unit that is not in the table, or one that measures something else."""


class Unit(NamedTuple):
    """`base = (value + shift) * scale`, where `base` is the dimension's base unit."""

    dimension: str
    scale: Fraction = F(1)
    shift: Fraction = F(0)


class Conversion(NamedTuple):
    """`target = (value * numerator + offset) / denominator`.

    Three whole numbers wherever they exist, so that 1208 mm is the float nearest to 1.208 m; a single
    factor of 0.001 would not always give it.
    """

    numerator: float
    offset: float
    denominator: float


class Gas(NamedTuple):
    """A gas in air at a temperature (degC) and a pressure (hPa): what makes a share of volume a mass."""

    name: str
    temperature: float
    pressure: float


IDENTITY = Conversion(1.0, 0.0, 1.0)

# g/mol, from the abridged standard atomic weights of IUPAC's CIAAW, 2021: H 1.008, C 12.011, N 14.007,
# O 15.999, S 32.06.
MOLAR_MASS: Mapping[str, Fraction] = MappingProxyType(
    {
        "O3": 3 * F("15.999"),
        "NO": F("14.007") + F("15.999"),
        "NO2": F("14.007") + 2 * F("15.999"),
        "SO2": F("32.06") + 2 * F("15.999"),
        "CO": F("12.011") + F("15.999"),
        "NH3": F("14.007") + 3 * F("1.008"),
        "H2S": 2 * F("1.008") + F("32.06"),
    }
)
_GAS_CONSTANT = F("8.31446261815324")  # J/(mol K), exact since the SI of 2019; air as an ideal gas
_ZERO_CELSIUS = F("273.15")

_FOOT = F("0.3048")
_MM_OF_MERCURY = F("133.322387415")  # Pa, conventional (NIST SP 811, appendix B)
_UNITS = {
    # length, also depth of rain
    "m": Unit("length"),
    "dm": Unit("length", F(1, 10)),
    "cm": Unit("length", F(1, 100)),
    "mm": Unit("length", F(1, 1000)),
    "km": Unit("length", F(1000)),
    "ft": Unit("length", _FOOT),
    "in": Unit("length", _FOOT / 12),
    # speed, also intensity of rain
    "m/s": Unit("speed"),
    "km/h": Unit("speed", F(1000, 3600)),
    "mph": Unit("speed", _FOOT * 5280 / 3600),
    "kn": Unit("speed", F(1852, 3600)),
    "cm/h": Unit("speed", F(1, 360_000)),
    "mm/h": Unit("speed", F(1, 3_600_000)),
    # discharge and storage
    "m3/s": Unit("discharge"),
    "m3/h": Unit("discharge", F(1, 3600)),
    "l/s": Unit("discharge", F(1, 1000)),
    "l/min": Unit("discharge", F(1, 60_000)),
    "ft3/s": Unit("discharge", _FOOT**3),
    "m3": Unit("volume"),
    "l": Unit("volume", F(1, 1000)),
    "hm3": Unit("volume", F(1_000_000)),  # "million m3" of reservoir bulletins
    # shares; ppm and ppb are shares of volume and say nothing of mass
    "1": Unit("ratio"),
    "%": Unit("ratio", F(1, 100)),
    "‰": Unit("ratio", F(1, 1000)),  # also g of salt in kg of water; "ppt" means trillion to others
    "g/kg": Unit("ratio", F(1, 1000)),
    "ppm": Unit("ratio", F(1, 10**6)),
    "ppb": Unit("ratio", F(1, 10**9)),
    # mass in air or water
    "g/L": Unit("concentration"),
    "mg/L": Unit("concentration", F(1, 10**3)),
    "ug/L": Unit("concentration", F(1, 10**6)),
    "mg/m3": Unit("concentration", F(1, 10**6)),
    "ug/m3": Unit("concentration", F(1, 10**9)),
    "degC": Unit("temperature"),
    "K": Unit("temperature", shift=F("-273.15")),
    "degF": Unit("temperature", F(5, 9), F(-32)),
    "V": Unit("voltage"),
    "mV": Unit("voltage", F(1, 1000)),
    "A": Unit("current"),
    "mA": Unit("current", F(1, 1000)),
    "Pa": Unit("pressure"),
    "hPa": Unit("pressure", F(100)),
    "kPa": Unit("pressure", F(1000)),
    "mbar": Unit("pressure", F(100)),
    "bar": Unit("pressure", F(100_000)),
    "mmHg": Unit("pressure", _MM_OF_MERCURY),
    "inHg": Unit("pressure", _MM_OF_MERCURY * F("25.4")),
    "S/m": Unit("conductivity"),
    "mS/cm": Unit("conductivity", F(1, 10)),
    "uS/cm": Unit("conductivity", F(1, 10_000)),
    "s": Unit("time"),
    "ms": Unit("time", F(1, 1000)),
    "min": Unit("time", F(60)),
    "h": Unit("time", F(3600)),
    "d": Unit("time", F(86_400)),
    "deg": Unit("angle"),
    "W": Unit("power"),
    "kW": Unit("power", F(1000)),
    "Wh": Unit("energy"),
    "kWh": Unit("energy", F(1000)),
    "Hz": Unit("frequency"),
    "W/m2": Unit("irradiance"),
    "lx": Unit("illuminance"),
    # scales of their own
    "pH": Unit("acidity"),
    "psu": Unit("practical salinity"),
    "NTU": Unit("turbidity, white light"),
    "FNU": Unit("turbidity, infrared"),  # measured otherwise than NTU: not convertible
    "CFU/100ml": Unit("colonies"),
    "MPN/100ml": Unit("most probable number"),
    "dBm": Unit("power level"),
    "dBW": Unit("power level", shift=F(30)),
    "dB": Unit("level difference"),
}
_SPELLINGS = {
    "°C": "degC",
    "℃": "degC",
    "Deg C": "degC",  # as data loggers write it, Volts below too
    "Deg_C": "degC",
    "DegC": "degC",
    "°F": "degF",
    "°": "deg",
    "inch": "in",
    "inches": "in",
    "percent": "%",
    "promille": "‰",
    "per mille": "‰",
    "PSU": "psu",
    "Volts": "V",
    "mm/hr": "mm/h",
    "%RH": "%",
    "µg/m³": "ug/m3",  # micro sign, U+00B5
    "μg/m³": "ug/m3",  # Greek mu, U+03BC
    "µg/m3": "ug/m3",
    "mg/m³": "mg/m3",
    "m³": "m3",
    "m³/s": "m3/s",
    "m³/h": "m3/h",
    "mg/l": "mg/L",
    "g/l": "g/L",
    "ug/l": "ug/L",
    "L/s": "l/s",
    "L/min": "l/min",
    "lux": "lx",
    "W/m²": "W/m2",
    "L": "l",
    "µS/cm": "uS/cm",
    "μS/cm": "uS/cm",
}
UNITS: Mapping[str, Unit] = MappingProxyType(
    _UNITS | {spelling: _UNITS[unit] for spelling, unit in _SPELLINGS.items()}
)


def conversion(source: str, target: str, gas: Gas | None = None) -> Conversion:
    """How a value in `source` becomes one in `target`; `UnknownUnit` names what is wrong.

    For a `gas`, shares of air and mass in air become each other.
    """
    if source == target and source in UNITS:
        return IDENTITY
    origin, goal = _unit(source), _unit(target)
    scale = origin.scale / goal.scale
    if origin.dimension != goal.dimension:
        if gas is None or {origin.dimension, goal.dimension} != {"ratio", "concentration"}:
            raise UnknownUnit(f"{source} is a unit of {origin.dimension}, {target} of {goal.dimension}")
        scale *= _density(gas) if origin.dimension == "ratio" else 1 / _density(gas)
    offset = origin.shift * scale - goal.shift
    denominator = scale.denominator * offset.denominator
    return Conversion(float(scale * denominator), float(offset * denominator), float(denominator))


def _density(gas: Gas) -> Fraction:
    """g/L of the gas alone, as if it filled the air: M p / (R T)."""
    kelvin = F(str(gas.temperature)) + _ZERO_CELSIUS
    grams_per_m3 = MOLAR_MASS[gas.name] * F(str(gas.pressure)) * 100 / (_GAS_CONSTANT * kelvin)
    return grams_per_m3 / 1000


def conversions(target: str, gas: Gas | None = None) -> dict[str, Conversion]:
    """Every unit and spelling that becomes `target`, with its conversion."""
    goal = _unit(target).dimension
    known = {"ratio", "concentration"} if gas and goal in ("ratio", "concentration") else {goal}
    return {name: conversion(name, target, gas) for name, unit in UNITS.items() if unit.dimension in known}


def _unit(name: str) -> Unit:
    try:
        return UNITS[name]
    except KeyError:
        raise UnknownUnit(f"unit {name!a} is not known") from None
