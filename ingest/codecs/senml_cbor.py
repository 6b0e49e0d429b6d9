"""SenML in CBOR (RFC 8428, section 6; application/senml+cbor).

Topic `senml-cbor/<gateway>/<device>` (any topic does whose levels name both). The payload is an array of
maps, of definite or indefinite length, with the integer labels of the RFC or their names as texts.

- Numbers are integers, floats of 16, 32 and 64 bits, or decimal fractions (tag 4). A float that has all its
  digits in 32 bits is read as the shortest decimal that is the same float32: 0.9, not 0.89999998.
- Every other tag, a label given twice, a nesting beyond 8 and bytes behind the array make the message
  unreadable. NaN and infinities are words.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import cbor2

from ingest.codecs.base import MAX_READINGS, Address, Codec, Decode, Decoded, Undecodable, printable
from ingest.codecs.float32 import narrowed
from ingest.codecs.senml import PACK, SenmlSettings, pack_reader
from ingest.model import RejectReason

_DEPTH = 8  # pack, record, tag and fraction are 4; the rest is for fields that are passed over
_MOST_ITEMS = 20 * MAX_READINGS  # a record with every label there is, its values and their map
_ARGUMENT = 0x1F  # of an item's first byte; the upper three bits are its major type
_ARGUMENT_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}
_INDEFINITE = 31
_STRINGS = (2, 3)  # major types whose argument is a length in bytes
_LABELS = {
    -6: "bs",
    -5: "bv",
    -4: "bu",
    -3: "bt",
    -2: "bn",
    -1: "bver",
    0: "n",
    1: "u",
    2: "v",
    3: "vs",
    4: "vb",
    5: "s",
    6: "t",
    7: "ut",
    8: "vd",
}


def _configure(settings: SenmlSettings) -> Decode:
    read = pack_reader(settings)

    def decode(address: Address, payload: bytes) -> Decoded:
        pack = _loads(payload)
        return read(address, [_record(entry) for entry in pack] if isinstance(pack, list) else pack)

    return decode


def _loads(payload: bytes) -> Any:
    _refuse_too_many_items(payload)
    stream = BytesIO(payload)
    decoder = cbor2.CBORDecoder(stream, semantic_decoders=_TAGS, max_depth=_DEPTH, allow_duplicate_keys=False)
    try:
        pack = decoder.decode()
    except (cbor2.CBORDecodeError, ValueError, OverflowError, MemoryError) as error:
        raise _unreadable(printable(str(error)) or "not CBOR") from None
    if stream.tell() != len(payload):
        raise _unreadable(f"{len(payload) - stream.tell()} bytes behind the array")
    return pack


def _refuse_too_many_items(payload: bytes) -> None:
    """Walk from head to head, whatever they nest in: making objects of a message full of empty arrays, only
    to refuse them, would take a fifth of a second."""
    if len(payload) <= _MOST_ITEMS:
        return  # an item has at least a byte
    place = items = 0
    while place < len(payload):
        items += 1
        if items > _MOST_ITEMS:
            raise _unreadable(f"more than {_MOST_ITEMS} items")
        head = payload[place]
        size = _ARGUMENT_SIZES.get(head & _ARGUMENT, 0)
        place += 1 + size
        if head >> 5 in _STRINGS and head & _ARGUMENT != _INDEFINITE:
            place += int.from_bytes(payload[place - size : place]) if size else head & _ARGUMENT


def _record(entry: object) -> object:
    """A record with the labels of JSON."""
    if not isinstance(entry, dict):
        return entry
    record: dict[str, object] = {}
    for key, value in entry.items():
        label = _label(key)
        if label in record:
            raise _unreadable(f"label {label} twice in a record")
        record[label] = narrowed(value) if label in ("v", "bv") and isinstance(value, float) else value
    return record


def _label(key: object) -> str:
    if isinstance(key, str):
        return key
    if type(key) is not int:
        raise _unreadable("a label that is neither an integer nor a text")
    return _LABELS.get(key, f"({key})")


def _fraction(parts: object, _immutable: bool) -> float:
    """Tag 4: [exponent, mantissa] of ten; what is too large for a double becomes infinite."""
    match parts:
        case [int(exponent), int(mantissa)] if bool not in (type(exponent), type(mantissa)):
            return float(f"{mantissa}e{exponent}")
    raise ValueError("a decimal fraction is two integers")


def _refuse(_value: object, _immutable: bool) -> object:
    raise ValueError("this tag is not part of SenML")


class _Tags(dict[int, Callable[[Any, bool], Any]]):
    """How tags are read: all but one are refused, among them those that cbor2 knows (dates, bignums,
    expressions, references)."""

    def __missing__(self, tag: int) -> Callable[[Any, bool], Any]:
        return _refuse


_TAGS = _Tags({4: _fraction})


def _unreadable(detail: str) -> Undecodable:
    return Undecodable(RejectReason.UNDECODABLE, detail)


CODEC = Codec(
    name="senml-cbor",
    version=1,
    decode=_configure(SenmlSettings()),
    auxiliary=frozenset({"battery", "rssi", "snr"}),
    documentation=f"{__doc__}{PACK}",
    settings=SenmlSettings,
    configure=_configure,
)
