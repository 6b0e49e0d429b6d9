"""OGC SensorThings API 1.0 and 1.1 over MQTT: Observations, as a server or a gateway publishes them.

Topic `<prefix>/v1.1/Datastreams(<id>)/Observations`, with any levels before; the device is the level
`Datastreams(<id>)` as it is written, the gateway one of the levels before it, e.g. route
`sta/+/v1.1/+/Observations` with gateway_level 2 and device_level 4. `Datastream.@iot.id` in the payload
must agree with the topic where it is present.

    {"phenomenonTime":"2025-10-27T20:00:00+07:00","result":5.05,"Datastream":{"@iot.id":1}}

- Channel `result`, in the catalogue's `source.unit`: an Observation names no unit. A result that is no
  number (a text, a boolean, null) is quarantined by itself.
- `phenomenonTime`: RFC 3339 with an offset. Of an interval `begin/end` the end counts, since a sum or a mean
  is known only then. Without it the time of arrival holds: `resultTime` says when the result was made, which
  for a laboratory is days after the water was what it says.
- `resultQuality`: QARTOD's 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing, as a number, a text or
  these words. A suspect or failed result keeps that mark; a missing one is the word "missing". What is none
  of them (a DQ_Element) says something that cannot be read here: suspect.

Entities other than Observations, and the `dataArray` extension, are not read. Other properties of an
Observation are of no interest.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, field

from ingest.codecs.base import Address, Codec, Decoded, Undecodable, parse, parse_time, quoted
from ingest.codecs.fields import scalar
from ingest.model import Quality, Reading, RejectReason

_ENTITIES: Final = "Observations"
_QUALITIES: Final = {
    **dict.fromkeys(("1", "pass", "good"), Quality.NOT_EVALUATED),  # good to somebody else is no test of ours
    **dict.fromkeys(("2", "not evaluated", "unknown"), Quality.NOT_EVALUATED),
    **dict.fromkeys(("3", "suspect"), Quality.SUSPECT),
    **dict.fromkeys(("4", "fail", "bad"), Quality.FAIL),
    **dict.fromkeys(("9", "missing"), Quality.MISSING),
}

_NUMBERS: Final = range(1, Quality.MISSING + 1)  # 4.0 is the same number as 4 in JSON


class _Datastream(msgspec.Struct, gc=False):
    id: Annotated[int, Meta(ge=0, le=2**63 - 1)] | str = field(name="@iot.id")


class _Observation(msgspec.Struct, gc=False):
    result: Any
    phenomenon_time: str | None = field(name="phenomenonTime", default=None)
    result_quality: Any = field(name="resultQuality", default=None)
    datastream: _Datastream | None = field(name="Datastream", default=None)


_DECODER = msgspec.json.Decoder(_Observation)


def _decode(address: Address, payload: bytes) -> Decoded:
    if address.levels[-1] != _ENTITIES:
        detail = f"{quoted(address.levels[-1])} are not {_ENTITIES}"
        raise Undecodable(RejectReason.UNDECODABLE, detail)
    observation = parse(_DECODER, payload)
    if observation.datastream is not None:
        _check_identity(address, observation.datastream)
    time = None if observation.phenomenon_time is None else _time(observation.phenomenon_time)
    quality = _quality(observation.result_quality)
    value = scalar(observation.result)
    if quality is Quality.MISSING:
        value, quality = "missing", Quality.NOT_EVALUATED
    return Decoded((Reading(address.device, "result", value, None, time, quality=quality),))


def _check_identity(address: Address, datastream: _Datastream) -> None:
    named = f"Datastreams({datastream.id})"
    if named != address.device:
        raise Undecodable(RejectReason.IDENTITY_MISMATCH, f"{quoted(named)} is not the topic's device")


def _time(text: str) -> int:
    begin, slash, end = text.partition("/")
    if not slash:
        return parse_time(text)
    if parse_time(begin) > (last := parse_time(end)):
        raise Undecodable(RejectReason.UNDECODABLE, f"interval {quoted(text)} ends before it begins")
    return last


def _quality(said: object) -> Quality:
    if said is None:
        return Quality.NOT_EVALUATED
    if isinstance(said, int | float) and not isinstance(said, bool) and said in _NUMBERS:
        said = str(int(said))
    return _QUALITIES.get(said.lower(), Quality.SUSPECT) if isinstance(said, str) else Quality.SUSPECT


CODEC = Codec(
    name="sensorthings",
    version=1,
    decode=_decode,
    auxiliary=frozenset(),
    documentation=__doc__,
)
