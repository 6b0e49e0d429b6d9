"""Dragino WQS-LB/LS, water quality: up to three probes, which a bitmap in the frame names. Big-endian.

Port 2: battery (2, mV, lower 14 bits), temperature of an external DS18B20 (2, signed, 0.1 degC; 0CCC, so
327.6, when there is none), the bitmap, then the probes' values in the order of this table:

| bit | bytes | channels | meaning |
|---|---|---|---|
| 5 | 2 | `turbidity` | 0.1 NTU |
| 4 | 2+2 | `dissolved_oxygen`, `dissolved_oxygen_temperature` | 0.01 mg/L, 0.01 degC |
| 3 | 2 | `orp` | signed, mV |
| 2 | 2+2 | `ec_k10`, `ec_k10_temperature` | 10 uS/cm, 0.1 degC |
| 1 | 2+2 | `ec_k1`, `ec_k1_temperature` | 1 uS/cm, 0.1 degC |
| 0 | 2+2 | `ph`, `ph_temperature` | 0.01, 0.1 degC |
| 6 | 2 | `chlorine_2` | residual chlorine, probe up to 2 mg/L, 0.01 mg/L |
| 7 | 2 | `chlorine_10` | residual chlorine, probe up to 10 mg/L, 0.01 mg/L |
| 9 | 2+2 | `turbidity_200`, `turbidity_200_temperature` | probe up to 200 NTU: 0.1 NTU, 0.1 degC |
| 10 | 2+2 | `turbidity_4000`, `turbidity_4000_temperature` | probe up to 4,000 NTU, the same |
| 8 | 3+2+2 | `ec_k200`, `salinity`, `ec_k200_temperature` | 1 uS/cm, 0.1 psu, 0.1 degC |

| firmware | bitmap | probes |
|---|---|---|
| before 1.2 | byte 4, bits 0-5 (bit 7: interrupt) | bits 0-5, without their temperatures |
| 1.2 to 1.3.0 | the same | bits 0-5 |
| from 1.3.1 | bytes 4-5, bits 0-10 (bit 11: interrupt) | all |

The frame does not name its firmware; its length does, for each set of up to three probes. A length that fits
no layout, or two that differ, and a bit without a meaning refuse the frame.

Port 3, datalog: three values of 2 bytes (the first of each probe), the bitmap and the time (4, seconds since
1970), 11 bytes each, from firmware 1.3.1 12; a record of zeros stands for "nothing kept". Port 5: status, as
of DDS75-LB, model 3C.

Battery in volts. Source: decoders 1.0, 1.2 and 1.3.1 in dragino/dragino-end-node-decoder (facts only: no
licence) and the range tables of the vendor's page "Water Quality Sensors". Not verified against a manual: the
firmware numbers; units of turbidity, oxygen, chlorine and salinity (of the probes' data sheets); the oxygen
probe's temperature in hundredths where all others have tenths; temperatures below zero (read unsigned, as the
vendor does); what a broken probe sends (given as it is, for `sentinels`); probe 8 in a datalog (refused).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ingest.codecs.base import Undecodable
from ingest.codecs.device import Device, Measured, at
from ingest.codecs.dragino import OTHER_FIELDS, battery, datalog, refuse_length, status, temperature
from ingest.model import RejectReason

_PROFILE = "WQS-LB"
_MOST_PROBES = 3
_BITMAP = 4  # where it begins
_VALUE = 2  # bytes of a probe's value in a datalog


class _Part(NamedTuple):
    """One value of a probe: a whole number of `times/per` units."""

    channel: str
    unit: str
    per: int = 1
    times: int = 1
    size: int = 2
    signed: bool = False

    def read(self, data: bytes) -> Measured:
        raw = int.from_bytes(data, signed=self.signed)
        return Measured(self.channel, raw * self.times / self.per, self.unit)


def _warmth(channel: str, per: int = 10) -> _Part:
    return _Part(f"{channel}_temperature", "degC", per)


_Probe = tuple[_Part, ...]
_FOUR_ELECTRODES = 8

# in the order in which a frame has them
_PROBES: Mapping[int, _Probe] = MappingProxyType(
    {
        5: (_Part("turbidity", "NTU", 10),),
        4: (_Part("dissolved_oxygen", "mg/L", 100), _warmth("dissolved_oxygen", 100)),
        3: (_Part("orp", "mV", signed=True),),
        2: (_Part("ec_k10", "uS/cm", times=10), _warmth("ec_k10")),
        1: (_Part("ec_k1", "uS/cm"), _warmth("ec_k1")),
        0: (_Part("ph", "pH", 100), _warmth("ph")),
        6: (_Part("chlorine_2", "mg/L", 100),),
        7: (_Part("chlorine_10", "mg/L", 100),),
        9: (_Part("turbidity_200", "NTU", 10), _warmth("turbidity_200")),
        10: (_Part("turbidity_4000", "NTU", 10), _warmth("turbidity_4000")),
        _FOUR_ELECTRODES: (
            _Part("ec_k200", "uS/cm", size=3),
            _Part("salinity", "psu", 10),
            _warmth("ec_k200"),
        ),
    }
)


class _Layout(NamedTuple):
    """What one firmware sends: the bitmap's length, its bits of other meanings, and the probes it knows."""

    bitmap: int
    ignored: int
    probes: Mapping[int, _Probe]

    def named(self, raw: bytes) -> Sequence[_Probe] | None:
        """The probes that a bitmap names; None when this firmware could not have sent it."""
        bits = int.from_bytes(raw) & ~self.ignored
        found = [bit for bit in self.probes if bits & 1 << bit]
        if bits != sum(1 << bit for bit in found) or len(found) > _MOST_PROBES:
            return None
        return [self.probes[bit] for bit in found]


_EARLY = {bit: parts for bit, parts in _PROBES.items() if bit < 6}
_COLD = {bit: parts[:1] for bit, parts in _EARLY.items()}
_LAYOUTS = (_Layout(1, 1 << 7, _COLD), _Layout(1, 1 << 7, _EARLY), _Layout(2, 1 << 11, _PROBES))

# of the bitmap in a datalog the upper two bits are flags of the poll
_LOGGED = {bit: parts[:1] for bit, parts in _PROBES.items() if bit != _FOUR_ELECTRODES}
_OLD_LOG = _Layout(1, 0b11 << 6, _COLD)
_NEW_LOG = _Layout(2, 0b11 << 14 | 1 << 11, _LOGGED)


def _read_frame(frame: bytes) -> tuple[Measured, ...]:
    fits = {fit for layout in _LAYOUTS if (fit := _fit(layout, frame)) is not None}
    if len(fits) != 1:
        raise refuse_length(_PROFILE, frame)
    ((start, parts),) = fits
    degrees = int.from_bytes(frame[2:4], signed=True)
    return battery(int.from_bytes(frame[:2])), temperature(degrees), *_values(parts, frame, start)


def _fit(layout: _Layout, frame: bytes) -> tuple[int, _Probe] | None:
    """Where the values begin and which they are, when this layout explains the frame to its last byte."""
    start = _BITMAP + layout.bitmap
    probes = layout.named(frame[_BITMAP:start]) if len(frame) >= start else None
    if probes is None:
        return None
    parts = tuple(part for probe in probes for part in probe)
    return (start, parts) if len(frame) == start + sum(part.size for part in parts) else None


def _values(parts: Sequence[_Part], frame: bytes, start: int) -> list[Measured]:
    values = []
    for part in parts:
        values.append(part.read(frame[start : start + part.size]))
        start += part.size
    return values


def _read_log(frame: bytes) -> tuple[Measured, ...]:
    """Records of the one length or of the other; a length that both explain is refused."""
    layouts = [log for log in (_OLD_LOG, _NEW_LOG) if len(frame) % _record_size(log) == 0]
    if len(layouts) != 1:
        raise refuse_length(_PROFILE, frame)
    (layout,) = layouts
    return datalog(_PROFILE, _record_size(layout), lambda record: _read_record(layout, record))(frame)


def _record_size(layout: _Layout) -> int:
    return _MOST_PROBES * _VALUE + layout.bitmap + 4


def _read_record(layout: _Layout, record: bytes) -> tuple[Measured, ...]:
    end = _MOST_PROBES * _VALUE
    probes = layout.named(record[end : end + layout.bitmap])
    if probes is None:
        raise Undecodable(RejectReason.UNDECODABLE, f"datalog of probes {record[end:-4].hex().upper()}")
    seconds = int.from_bytes(record[-4:])
    return tuple(at(value, seconds) for value in _values([probe[0] for probe in probes], record, 0))


_PARTS = {part.channel: part.unit for probe in _PROBES.values() for part in probe}
_CHANNEL_OF_FIELD = {
    "turbidity": "turbidity",
    "dissolved_oxygen": "dissolved_oxygen",
    "do_temp": "dissolved_oxygen_temperature",
    "ORP": "orp",
    "EC_K10": "ec_k10",
    "EC10_Temp": "ec_k10_temperature",
    "EC_K1": "ec_k1",
    "EC1_Temp": "ec_k1_temperature",
    "PH": "ph",
    "PH_Temp": "ph_temperature",
    "RC_2A": "chlorine_2",
    "RC_10A": "chlorine_10",
    "turbidity_200": "turbidity_200",
    "turbidity_200_Temp": "turbidity_200_temperature",
    "turbidity_4000": "turbidity_4000",
    "turbidity_4000_Temp": "turbidity_4000_temperature",
    "Four_EC": "ec_k200",
    "Salinity": "salinity",
    "Four_EC_Temp": "ec_k200_temperature",
}

WQS_LB = Device(
    profile=_PROFILE,
    frame=_read_frame,
    ports=frozenset({2}),
    other_frames={3: _read_log, 5: status(_PROFILE, 0x3C)},
    fields={
        "BatV": ("battery", "V"),
        "BAT": ("battery", "V"),
        "temp_DS18B20": ("temperature", "degC"),
        **{name: (channel, _PARTS[channel]) for name, channel in _CHANNEL_OF_FIELD.items()},
    },
    other_fields=OTHER_FIELDS,
    auxiliary=frozenset(
        {"battery", "temperature", *(channel for channel in _PARTS if channel.endswith("_temperature"))}
    ),
    texts=frozenset({"temp_DS18B20"}),
)
