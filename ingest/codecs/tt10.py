"""Files of Thông tư 10/2021/TT-BTNMT, as automatic environmental stations send them.

Topic `tt10/<gateway>/<station>`, optionally with the file's name as a further level. The payload is the file:
UTF-8 text (a byte order mark may precede it), one reading a line, five fields separated by tabs:

    pH	7.12	-	20251027070000	00
    DO	5.83	mg/L	20251027070000	01

parameter, value, unit, time (yyyyMMddHHmmss), status of the instrument: `00` measuring, `01` calibrating,
`02` faulty.

- The parameter is the channel. A value of status 01 or 02 is stored, flagged as failed, and counts for
  nothing. With any other status than these three a value becomes a word, and is quarantined.
- `-` and nothing as a unit mean the catalogue's `source.unit`. `units: { oC: degC }` says how the station
  spells others.
- The times have no zone: the route's `zone` is required, "+07:00" for stations on Vietnamese time.
- `decimal: comma` reads 7,12 and refuses 7.12.
- A line that is cut short, has more fields or an unreadable time becomes a word under its parameter, and
  costs no other; a file without a single whole line is unreadable. Blank lines, CRLF and blanks at the end of
  a line are passed over. A parameter that comes twice is read twice; the store keeps the first and shows the
  conflict.

Source: the Thông tư names what a record must hold; the form of the file is from memory of its practice.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Final

from pydantic import Field

from ingest.codecs.base import (
    MAX_READINGS,
    Address,
    Codec,
    CodecSettings,
    Decode,
    Decoded,
    Undecodable,
    needs_settings,
)
from ingest.codecs.local_time import Zone, parse_format
from ingest.codecs.mapping import ABSENT_WORD, DecimalSign, Numbers, Spellings, Values, word
from ingest.model import Quality, Reading, RejectReason

FIELDS: Final = 5
_TIME: Final = "%Y%m%d%H%M%S"
_STATUS: Final = {"00": Quality.NOT_EVALUATED, "01": Quality.FAIL, "02": Quality.FAIL}
_NO_UNIT: Final = ("", "-")


class Tt10Settings(CodecSettings):
    zone: Zone
    units: Spellings = Field(default_factory=dict)
    decimal: DecimalSign = DecimalSign.POINT


def _decode(settings: Tt10Settings, address: Address, payload: bytes) -> Decoded:
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Undecodable(RejectReason.UNDECODABLE, f"not UTF-8 at byte {error.start}") from None
    lines = [(number, line.split("\t")) for number, line in islice(_lines(text), MAX_READINGS + 1)]
    if len(lines) > MAX_READINGS:
        raise Undecodable(RejectReason.UNDECODABLE, f"more than {MAX_READINGS} lines")
    if not any(len(fields) == FIELDS for _, fields in lines):
        detail = f"no line of {len(lines)} has {FIELDS} fields between tabs"
        raise Undecodable(RejectReason.UNDECODABLE, detail)
    return Decoded([_reading(settings, address.device, number, fields) for number, fields in lines])


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line := line.rstrip():
            yield number, line


def _reading(settings: Tt10Settings, device: str, number: int, fields: list[str]) -> Reading:
    """The reading of a line; what is wrong with it is its value, as a word."""
    channel = word(fields[0].strip()) or f"(line {number})"
    if len(fields) != FIELDS:
        return Reading(device, channel, f"(line {number} has {len(fields)} fields, not {FIELDS})")
    value, unit, time, status = (field.strip() for field in fields[1:])
    said = None if unit in _NO_UNIT else settings.units.get(unit, word(unit))
    try:
        moment = parse_format(time, _TIME, settings.zone)
    except Undecodable as error:
        return Reading(device, channel, word(f"({error.detail})"), said)
    quality = _STATUS.get(status)
    if quality is None:
        return Reading(device, channel, word(f"(status {status})"), said, moment)
    result = Values(Numbers.IN_STRINGS, settings.decimal).read(value)[0] if value else ABSENT_WORD
    return Reading(device, channel, result, said, moment, quality=quality)


def _configure(settings: Tt10Settings) -> Decode:
    return partial(_decode, settings)


CODEC = Codec(
    name="tt10",
    version=1,
    decode=needs_settings,
    auxiliary=frozenset(),
    documentation=__doc__,
    settings=Tt10Settings,
    configure=_configure,
)
