"""Dragino's ultrasonic distance sensors LDDS75 and DDS75-LB/LS: their uplink frames, big-endian.

Port 2, one measurement:

| bytes | meaning |
|---|---|
| 0-1 | battery, mV, lower 14 bits (the upper two are flags) |
| 2-3 | distance, mm; 0: no sensor found, below 20: invalid |
| 4 | 1 when an interrupt pin caused the uplink |
| 5-6 | temperature of an external DS18B20, signed, 0.1 degC |
| 7 | 1 when a sensor is attached |

Older firmware of LDDS75 ends after byte 4. DDS75-LB has beside it:

| port | bytes | meaning |
|---|---|---|
| 2 | 12 + 2n | several distances, see below |
| 3 | 11 each | datalog: battery, distance, temperature as above, flags (1), time (4, seconds since 1970) |
| 5 | 7 | status: model 27, firmware (2), band, sub-band, battery (2, mV) |

Several distances, when bit 4 of byte 0 is set: battery (2, mV, lower 12 bits), 6 bytes that no document
describes, n distances (2 each, mm; 1 to 20), interrupt (1), temperature (2), sensor (1).

- Any other length is refused. A full battery of LS is above 4,096 mV and sets bit 4 too: the length decides.
- A record of the datalog has its own time; one of zeros says that nothing was kept.
- The two distances that are none are given as the words of the vendor's decoder, "No Sensor" and "Invalid
  Reading", whichever way they came. Other distances below the sensor's blanking of 280 mm are numbers.
- The n distances are channels `distance_1` ... `distance_20`, since nothing says when each was measured.
- The vendor's decoders give one field as number, as text with a unit ("1208 mm"), as text without one
  (temperatures) or as such a word. What they make of a datalog is a text whose times have no zone: no value.
- Battery in volts.

Source: the decoders in dragino/dragino-end-node-decoder (facts only: no licence). Of DDS75-LB no manual could
be read; not verified so: the order within a datalog record (as the vendor's decoder of DDS20-LB names it),
port 6 (refused), and tenths of a degree, which the vendor's TTN decoder alone takes for hundredths.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from ingest.codecs.base import NoReadings, Undecodable
from ingest.codecs.device import Device, Frame, Measured, at
from ingest.model import RejectReason

NO_SENSOR = "No Sensor"
INVALID_READING = "Invalid Reading"
SHORTEST_DISTANCE = 20  # mm; the vendor's mark for "nearer than the sensor can see"

_SHORT = struct.Struct(">HHB")
_FULL = struct.Struct(">HHBhB")
_STATUS = struct.Struct(">BHBBH")
_RECORD = struct.Struct(">HHhBI")

_MANY = 0x10  # of byte 0: the frame carries several distances
_MOST_DISTANCES = 20
_BEFORE_DISTANCES, _AFTER_DISTANCES = 8, 4


def refuse_length(profile: str, frame: bytes) -> Undecodable:
    """The error for a frame whose length fits no layout."""
    return Undecodable(RejectReason.UNDECODABLE, f"{profile} frame of {len(frame)} bytes fits no layout")


def battery(raw: int) -> Measured:
    """The battery's voltage from its 16 bits."""
    return Measured("battery", (raw & 0x3FFF) / 1000, "V")


def _distance(millimetres: int, channel: str = "distance") -> Measured:
    return with_words(Measured(channel, float(millimetres), "mm"))


def temperature(raw: int) -> Measured:
    """What an external DS18B20 measures."""
    return Measured("temperature", raw / 10, "degC")


def with_words(value: Measured) -> Measured:
    """A distance in mm that is none as the vendor's word for it; every other value as it is."""
    if not value.channel.startswith("distance") or value.unit != "mm" or isinstance(value.value, str):
        return value
    if value.value == 0:
        return Measured(value.channel, NO_SENSOR, "mm")
    if 0 < value.value < SHORTEST_DISTANCE:
        return Measured(value.channel, INVALID_READING, "mm")
    return value


def _one(frame: bytes) -> tuple[Measured, ...]:
    volts, distance, _, degrees, _ = _FULL.unpack(frame)
    return battery(volts), _distance(distance), temperature(degrees)


def _read_ldds75(frame: bytes) -> tuple[Measured, ...]:
    """Battery (V), distance (mm or a word) and, when the frame has one, the external temperature (degC)."""
    if len(frame) == _SHORT.size:
        volts, distance, _ = _SHORT.unpack(frame)
        return battery(volts), _distance(distance)
    if len(frame) == _FULL.size:
        return _one(frame)
    raise refuse_length("LDDS75", frame)


def _read_dds75_lb(frame: bytes) -> tuple[Measured, ...]:
    """One measurement, or the several distances of one uplink."""
    if len(frame) == _FULL.size:
        return _one(frame)
    count, odd = divmod(len(frame) - _BEFORE_DISTANCES - _AFTER_DISTANCES, 2)
    if odd or not 1 <= count <= _MOST_DISTANCES or not frame[0] & _MANY:
        raise refuse_length("DDS75-LB", frame)
    volts = int.from_bytes(frame[:2]) & 0x0FFF
    distances = struct.unpack_from(f">{count}H", frame, _BEFORE_DISTANCES)
    (degrees,) = struct.unpack_from(">h", frame, len(frame) - 3)
    return (
        battery(volts),
        *(_distance(mm, f"distance_{number}") for number, mm in enumerate(distances, start=1)),
        temperature(degrees),
    )


def _logged(record: bytes) -> tuple[Measured, ...]:
    volts, distance, degrees, _, seconds = _RECORD.unpack(record)
    return tuple(at(value, seconds) for value in (battery(volts), _distance(distance), temperature(degrees)))


def datalog(profile: str, size: int, read: Callable[[bytes], tuple[Measured, ...]]) -> Frame:
    """A reader of records of `size` bytes each; those of zeros say that nothing was kept."""

    def read_records(frame: bytes) -> tuple[Measured, ...]:
        if len(frame) % size:
            raise refuse_length(profile, frame)
        records = [frame[start : start + size] for start in range(0, len(frame), size)]
        values = tuple(value for record in records if any(record) for value in read(record))
        if not values:
            raise NoReadings("a datalog without records")
        return values

    return read_records


def status(profile: str, model: int) -> Frame:
    """A reader of the status that a device of that model number sends when it joins and twice a day."""

    def read_status(frame: bytes) -> tuple[Measured, ...]:
        if len(frame) != _STATUS.size:
            raise refuse_length(profile, frame)
        sender, _, _, _, volts = _STATUS.unpack(frame)
        if sender != model:
            raise Undecodable(RejectReason.UNDECODABLE, f"status of model {sender:02X}, not {profile}'s")
        return (battery(volts),)

    return read_status


# of a status, and flags
OTHER_FIELDS = frozenset(
    {
        "Node_type",
        "Interrupt_flag",
        "Interrupt_status",
        "Sensor_flag",
        "i_flag",
        "PNACKMD",
        "SENSOR_MODEL",
        "FIRMWARE_VERSION",
        "FREQUENCY_BAND",
        "SUB_BAND",
    }
)
_FIELDS = {"Bat": ("battery", "V"), "Distance": ("distance", "mm"), "TempC_DS18B20": ("temperature", "degC")}

LDDS75 = Device(
    profile="LDDS75",
    frame=_read_ldds75,
    ports=frozenset({2}),
    fields=_FIELDS,
    other_fields=OTHER_FIELDS,
    repair=with_words,
    auxiliary=frozenset({"battery", "temperature"}),
    texts=frozenset({"TempC_DS18B20"}),
)

DDS75_LB = Device(
    profile="DDS75-LB",
    frame=_read_dds75_lb,
    ports=frozenset({2}),
    other_frames={3: datalog("DDS75-LB", _RECORD.size, _logged), 5: status("DDS75-LB", 0x27)},
    fields={**_FIELDS, "BAT": ("battery", "V")},
    other_fields=OTHER_FIELDS,
    repair=with_words,
    auxiliary=frozenset({"battery", "temperature"}),
    texts=frozenset({"TempC_DS18B20"}),
    lists={"Additional_Distance_Data": ("distance", "mm")},
)
