"""Milesight's level sensors: EM500-UDL and EM310-UDL (ultrasonic distance), EM500-SWL (submersible).

Their frames' own blocks, beside those common to the vendor (`ingest.codecs.milesight_frame`):

| device | channel, type | bytes | meaning |
|---|---|---|---|
| EM500-UDL | 03 82 | 2 | distance, mm |
| | 83 E9 | 2+2+1 | distance alarm: distance and its sudden change, and a code; sent when water moves fast |
| | 20 CE | 4+2 | history: time, seconds since 1970, and distance, mm |
| EM310-UDL | 03 82 | 2 | distance, mm |
| | 04 00 | 1 | position: 0 normal, 1 tilted |
| EM500-SWL | 03 77 | 2 | depth, cm; FFFF: collection failed, FFFD: out of range |
| | 20 CE | 4+2 | history: time and depth, as above |

- Type 82 has 2 bytes here and 4 in Cayenne LPP.
- Channels `distance`, `depth`, `battery`; `tilt` is 1 when the sensor hangs askew: health of the mast, and a
  reason to doubt the distance beside it, which then is the slant one, so that the water looks too low.
- A depth that is none is the vendor's word for it, "collection failed" or "out of range". Out of range may
  mean that the water stands above the range.
- A history block's reading has its own time; EM310-UDL has none.
- The alarm's distance is read as mm: the vendor's table gives no unit, its limits are set in mm. The vendor's
  decoder divides it by ten, in an object that has `distance_alarm`; there the distance is a word, not a
  number, since one of the two is ten times wrong. Leave this profile without a codec in the network server.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ingest.codecs.device import Device, Measured
from ingest.codecs.milesight_frame import ATTRIBUTES, Block, flag, frame_reader, history, number, unsigned

_DISTANCE = number("distance", "mm")

COLLECTION_FAILED = "collection failed"
OUT_OF_RANGE = "out of range"
_NO_DEPTH: Mapping[int, str] = MappingProxyType({0xFFFF: COLLECTION_FAILED, 0xFFFD: OUT_OF_RANGE})

_POSITIONS: Mapping[float | str, float] = MappingProxyType({"normal": 0.0, "tilt": 1.0})


def _depth(data: bytes) -> tuple[Measured, ...]:
    raw = unsigned(data)
    return (Measured("depth", _NO_DEPTH.get(raw, float(raw)), "cm"),)


def _position(value: Measured) -> Measured:
    """The position that an object gives as a word, as the number that it is in a frame."""
    if value.channel != "tilt":
        return value
    return Measured("tilt", _POSITIONS.get(value.value, value.value), "1")


def _depth_of_object(value: Measured) -> Measured:
    """A depth that an object gives as the raw code, as the word that it is in a frame."""
    if value.channel != "depth" or isinstance(value.value, str):
        return value
    return Measured("depth", _NO_DEPTH.get(int(value.value), value.value), value.unit)


EM500_UDL = Device(
    profile="EM500-UDL",
    frame=frame_reader(
        {
            (0x03, 0x82): Block(2, _DISTANCE),
            (0x83, 0xE9): Block(5, lambda data: _DISTANCE(data[:2])),
            (0x20, 0xCE): history(2, _DISTANCE),
        }
    ),
    ports=frozenset(),
    fields={"battery": ("battery", "%"), "distance": ("distance", "mm")},
    other_fields=ATTRIBUTES | {"distance_mutation", "distance_alarm"},
    history="history",
    doubtful={"distance": "distance_alarm"},
)

EM310_UDL = Device(
    profile="EM310-UDL",
    frame=frame_reader({(0x03, 0x82): Block(2, _DISTANCE), (0x04, 0x00): Block(1, flag("tilt"))}),
    ports=frozenset(),
    fields={"battery": ("battery", "%"), "distance": ("distance", "mm"), "position": ("tilt", "1")},
    other_fields=ATTRIBUTES,
    repair=_position,
    auxiliary=frozenset({"battery", "tilt"}),
)

EM500_SWL = Device(
    profile="EM500-SWL",
    frame=frame_reader({(0x03, 0x77): Block(2, _depth), (0x20, 0xCE): history(2, _depth)}),
    ports=frozenset(),
    fields={"battery": ("battery", "%"), "depth": ("depth", "cm"), "depth_error": ("depth", "cm")},
    other_fields=ATTRIBUTES,
    repair=_depth_of_object,
    history="history",
)
