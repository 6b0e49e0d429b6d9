"""The framing that Milesight's LoRaWAN sensors share: little-endian `[channel][type][data]`, again and again.

The length of `data` follows from channel and type, and the same pair has another length with another device
type; so each device type has a table of its blocks, and a pair outside it refuses the whole frame: a guessed
length would frame everything behind it wrongly. Common to all of them:

| channel, type | bytes | meaning |
|---|---|---|
| 01 75 | 1 | battery, % |
| FF 01 | 1 | protocol version |
| FF 09 | 2 | hardware version |
| FF 0A | 2 | firmware version |
| FF 0B | 1 | power on |
| FF 0F | 1 | LoRaWAN class |
| FF 16 | 8 | serial number |
| FF FE | 1 | reset |
| FF FF | 2 | TSL version |

The FF blocks, sent after power-on, are no readings. Answers to downlinks (FE .., other FF ..) are refused.
Source: "Payload" in the README of each device in Milesight-IoT/SensorDecoders (facts only, GPL-3.0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ingest.codecs.base import Undecodable
from ingest.codecs.device import Frame, Measured, at
from ingest.model import RejectReason

Read = Callable[[bytes], tuple[Measured, ...]]


class Block(NamedTuple):
    """The data behind one pair of channel and type: how long it is, and what it says."""

    size: int
    read: Read


Blocks = Mapping[tuple[int, int], Block]

UNKNOWN = "unknown"  # the vendor's word for a code that its tables do not have
_TIME = 4  # bytes of the time of a history block, seconds since 1970


def no_reading(_data: bytes) -> tuple[Measured, ...]:
    """What an attribute says of the water."""
    return ()


def unsigned(data: bytes) -> int:
    """A whole number of any length."""
    return int.from_bytes(data, "little")


def signed(data: bytes) -> int:
    """A whole number of any length in two's complement."""
    return int.from_bytes(data, "little", signed=True)


def number(channel: str, unit: str, per: int = 1) -> Read:
    """Reads an unsigned whole number of `1/per` units."""
    return lambda data: (Measured(channel, unsigned(data) / per, unit),)


def flag(channel: str) -> Read:
    """Reads a byte that is 0 or 1."""
    return lambda data: (Measured(channel, float(data[0]) if data[0] < 2 else UNKNOWN, "1"),)


def history(size: int, read: Read) -> Block:
    """A block of earlier values: their time, then `size` bytes that `read` knows."""

    def read_dated(data: bytes) -> tuple[Measured, ...]:
        seconds = unsigned(data[:_TIME])
        return tuple(at(value, seconds) for value in read(data[_TIME:]))

    return Block(_TIME + size, read_dated)


COMMON: Blocks = MappingProxyType(
    {
        (0x01, 0x75): Block(1, number("battery", "%")),
        (0xFF, 0x01): Block(1, no_reading),
        (0xFF, 0x09): Block(2, no_reading),
        (0xFF, 0x0A): Block(2, no_reading),
        (0xFF, 0x0B): Block(1, no_reading),
        (0xFF, 0x0F): Block(1, no_reading),
        (0xFF, 0x16): Block(8, no_reading),
        (0xFF, 0xFE): Block(1, no_reading),
        (0xFF, 0xFF): Block(2, no_reading),
    }
)

# what the vendor's own decoders call the attributes
ATTRIBUTES = frozenset(
    {
        "ipso_version",
        "protocol_version",
        "hardware_version",
        "firmware_version",
        "tsl_version",
        "sn",
        "device_status",
        "power_status",
        "lorawan_class",
        "reset_event",
    }
)


def frame_reader(own: Blocks) -> Frame:
    """A reader of frames made of the common blocks and a device type's `own`."""
    blocks = MappingProxyType({**COMMON, **own})
    return lambda frame: _read(blocks, frame)


def _read(blocks: Blocks, frame: bytes) -> tuple[Measured, ...]:
    """The values of a frame; of now each once, since an alarm repeats the value it is of. Two that differ are
    both given: the store keeps the first and shows the conflict."""
    now: dict[Measured, None] = {}
    earlier: list[Measured] = []
    place = 0
    while place < len(frame):
        kind = (frame[place], frame[place + 1]) if place + 1 < len(frame) else (frame[place], -1)
        block = blocks.get(kind)
        if block is None:
            detail = f"unknown channel {_name(frame, place)} at byte {place}"
            raise Undecodable(RejectReason.UNDECODABLE, detail)
        data = frame[place + 2 : place + 2 + block.size]
        if len(data) < block.size:
            detail = f"frame ends within channel {_name(frame, place)}"
            raise Undecodable(RejectReason.UNDECODABLE, detail)
        for value in block.read(data):
            if value.time is None:
                now.setdefault(value)
            else:
                earlier.append(value)
        place += 2 + block.size
    return (*now, *earlier)


def _name(frame: bytes, place: int) -> str:
    return frame[place : place + 2].hex(" ").upper()
