"""Sparkplug B (Eclipse Sparkplug 3.0): edge nodes that give births, deaths and data in protobuf.

Topic `spBv1.0/<group>/<type>/<edge node>` or `spBv1.0/<group>/<type>/<edge node>/<device>`, one route each
(`spBv1.0/+/+/+` with device level 4, `spBv1.0/+/+/+/+` with device level 5; gateway level 4 in both). The
gateway is the edge node; a metric of the edge node itself is a reading of the device of the same name. The
broker must bind the edge node's name to the publisher, since the group is no identity.

- NBIRTH, DBIRTH, NDATA and DDATA carry readings: each metric is one, its name the channel, but for `bdSeq`
  and names below `Node Control/`, `Device Control/` and `Properties/`. NCMD and DCMD carry none.
- Names, datatypes and units (the property `engUnit`) of a birth are remembered, also over a restart. Without
  them an alias has no name, an integer no sign and a number no unit: data with a metric that no birth of the
  present session defines is quarantined whole as `needs_birth`, and a birth is asked for by an NCMD with
  `Node Control/Rebirth`. Replay such messages once the birth has come. An NDEATH of the present session, a
  DDEATH and an NBIRTH with another `bdSeq` end what the births said: aliases may mean something else in the
  next session. Deaths carry no reading; that a station is silent is the rules' to see. An NDEATH with the
  `bdSeq` of another session is passed over.
- A gap in `seq` (0 to 255, then 0) asks for a birth, which repeats every present value; the readings
  themselves are kept. A redelivered message asks nothing. A request is repeated every 32 messages until an
  NBIRTH comes.
- Values: integers in two's complement by their datatype, also where the carrier is wider; Float as the
  shortest decimal that is the same float32 (0.9, not 0.89999998); Boolean as 1 or 0, since it is how a pump
  or a gate reports. `is_null` is the word "null"; texts, DateTime, NaN, infinities, a number beyond its
  datatype, a value in the field of another type, and what is no single value (DataSet, Template, Bytes, File,
  arrays) are words: quarantined as `sentinel` or `not_a_number`, or passed over by the route's `ignore`.
- Unit: `engUnit` as it is written, or what the setting `units` says that it means, such as
  `units: {"meters": "m"}`; one that Huewatch does not know is quarantined. Without it `source.unit` holds.
- Time: the metric's (milliseconds), otherwise the message's, which is the edge node's; without both the time
  of arrival. `is_historical` values are readings of their own time, and words when they have none.
- Compressed payloads, an alias given to two metrics and more than 1,000 metrics are refused. Where a metric's
  name is longer than 64 characters no catalogue can list it: it is quarantined as `unknown_channel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from pydantic import Field

from ingest.codecs import sparkplug_session as sessions
from ingest.codecs.base import Address, Codec, CodecSettings, Decode, Decoded, NoReadings, Undecodable, quoted
from ingest.codecs.sparkplug_payload import (
    BD_SEQ,
    Metric,
    Payload,
    describe,
    read,
    rebirth,
    unreadable,
    value,
)
from ingest.codecs.sparkplug_session import Birth, Known, Session
from ingest.model import Reading, RejectReason, Request, TimeSource

_NOT_CHANNELS = ("Node Control/", "Device Control/", "Properties/")
_COMMANDS = frozenset({"NCMD", "DCMD"})
_MICROS_PER_MILLISECOND = 1_000
_OF_NODE, _OF_DEVICE = 4, 5  # topic levels


class SparkplugSettings(CodecSettings):
    """`units`: what the spellings of `engUnit` mean that are not Huewatch's."""

    units: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Message:
    """A message with what its topic says and what is remembered of its edge node."""

    address: Address
    kind: str
    payload: Payload
    units: Mapping[str, str]

    @property
    def group(self) -> str:
        return self.address.levels[1]

    @property
    def birth_key(self) -> str:
        device = self.address.levels[4] if len(self.address.levels) == _OF_DEVICE else None
        return sessions.birth_key(self.group, device)

    @property
    def session(self) -> Session:
        return sessions.session_in(self.address.memory, self.group)


def _configure(settings: SparkplugSettings) -> Decode:
    def decode(address: Address, payload: bytes) -> Decoded:
        kind = _kind(address.levels)
        if kind in _COMMANDS:
            raise NoReadings(kind)
        return _DECODERS[kind](_Message(address, kind, read(payload), settings.units))

    return decode


def _kind(levels: tuple[str, ...]) -> str:
    """The message type, of a topic that has the levels which go with it."""
    if len(levels) not in (_OF_NODE, _OF_DEVICE):
        raise unreadable(f"{len(levels)} topic levels")
    kind = levels[2]
    if kind not in _COMMANDS and kind not in _DECODERS:
        raise unreadable(f"unknown message type {quoted(kind)}")
    if (kind[0] == "D") != (len(levels) == _OF_DEVICE):
        raise unreadable(f"{kind} on a topic of {len(levels)} levels")
    return kind


def _birth(message: _Message) -> Decoded:
    memory, payload = message.address.memory, message.payload
    before, remember = message.session, {}
    if message.kind == "NBIRTH":
        session = before.birth(payload, _bd_seq(payload))
        if session.bd_seq != before.bd_seq:
            remember = dict.fromkeys(sessions.births_of(memory, message.group), b"")
    else:
        session = before.heard(payload)
    last = None if message.birth_key in remember else sessions.birth_in(memory, message.birth_key)
    birth = Birth.of(payload, last, session.waiting)
    sessions.check(birth.definitions)
    known = Known(birth.since, {found.name: found for found in birth.definitions}, {})
    readings = [reading for metric in payload.metrics for reading in _readings(message, metric, known)]
    remember[message.birth_key] = msgspec.msgpack.encode(birth)
    remember_session, requests = _ask(message, session)
    return Decoded(readings, remember=remember | remember_session, requests=requests)


def _data(message: _Message) -> Decoded:
    payload, session = message.payload, message.session.heard(message.payload)
    if not payload.metrics:
        raise unreadable("no metrics")
    known = sessions.known_in(message.address.memory, message.birth_key)
    try:
        readings = [reading for metric in payload.metrics for reading in _readings(message, metric, known)]
    except _Unborn as unborn:
        remember, requests = _ask(message, session.needs_birth(payload))
        detail = f"{unborn.metric} needs a birth, which is asked for"
        raise Undecodable(RejectReason.NEEDS_BIRTH, detail, remember=remember, requests=requests) from None
    remember, requests = _ask(message, session)
    return Decoded(readings, remember=remember, requests=requests)


def _node_death(message: _Message) -> Decoded:
    bd_seq, session = _bd_seq(message.payload), message.session
    if bd_seq is not None and session.bd_seq is not None and bd_seq != session.bd_seq:
        raise NoReadings("the death of another session")
    forget = dict.fromkeys(sessions.births_of(message.address.memory, message.group), b"")
    return Decoded((), remember=forget | _remember(message, session.death()))


def _device_death(message: _Message) -> Decoded:
    remember, requests = _ask(message, message.session.heard(message.payload))
    if message.birth_key in message.address.memory:
        remember = {message.birth_key: b"", **remember}
    return Decoded((), remember=remember, requests=requests)


_DECODERS = {
    "NBIRTH": _birth,
    "DBIRTH": _birth,
    "NDATA": _data,
    "DDATA": _data,
    "NDEATH": _node_death,
    "DDEATH": _device_death,
}


class _Unborn(Exception):
    """A metric that only a birth can explain."""

    def __init__(self, metric: str) -> None:
        super().__init__(metric)
        self.metric = metric


def _readings(message: _Message, metric: Metric, known: Known) -> tuple[Reading, ...]:
    """The one reading of a metric, or none."""
    if not metric.name and metric.alias is None:
        raise unreadable("a metric without name and alias")
    found = known.definition(metric) if known.explains(message.payload) else None
    name = metric.name or (found.name if found else "")
    if name == BD_SEQ or name.startswith(_NOT_CHANNELS):
        return ()
    if found is None:
        raise _Unborn(describe(name, metric.alias))
    said = value(metric, metric.datatype or found.datatype)
    if metric.historical and metric.timestamp is None:
        return (Reading(message.address.device, name, "historical, without a time"),)
    time, source = _time(metric, message.payload)
    unit = metric.unit or found.unit
    spelt = None if unit is None else message.units.get(unit, unit)
    return (Reading(message.address.device, name, said, spelt, time, source),)


def _time(metric: Metric, payload: Payload) -> tuple[int | None, TimeSource]:
    if metric.timestamp is not None:
        return metric.timestamp * _MICROS_PER_MILLISECOND, TimeSource.DEVICE
    if payload.timestamp is not None:
        return payload.timestamp * _MICROS_PER_MILLISECOND, TimeSource.GATEWAY
    return None, TimeSource.DEVICE


def _bd_seq(payload: Payload) -> int | None:
    """The number of the session that a birth or a death of the edge node names."""
    for metric in payload.metrics:
        if metric.name == BD_SEQ and metric.carrier in ("int_value", "long_value"):
            return int(metric.content)
    return None


def _ask(message: _Message, session: Session) -> tuple[dict[str, bytes], tuple[Request, ...]]:
    """What to remember of the session, and the request for a birth when it is time for one."""
    if not session.asks():
        return _remember(message, session), ()
    _, group, _, edge = message.address.levels[:_OF_NODE]
    request = Request(f"spBv1.0/{group}/NCMD/{edge}", rebirth(message.payload.timestamp))
    return _remember(message, session.asked()), (request,)


def _remember(message: _Message, session: Session) -> dict[str, bytes]:
    if session == message.session:
        return {}
    return {sessions.session_key(message.group): msgspec.msgpack.encode(session)}


CODEC = Codec(
    name="sparkplug-b",
    version=1,
    decode=_configure(SparkplugSettings()),
    auxiliary=frozenset({"battery", "rssi", "snr"}),
    documentation=__doc__,
    settings=SparkplugSettings,
    configure=_configure,
)
