"""ChirpStack v4 gateways (JSON marshaler): their statistics, and whether they are connected.

Topic `[<region>/]gateway/<gateway id>/event/stats` and `[<region>/]gateway/<gateway id>/state/conn`, as
ChirpStack MQTT Forwarder and Gateway Bridge write them. The gateway speaks of itself, so gateway and device
are both the gateway id, and the payload's `gatewayId` must repeat it. Everything else on `event` (up, ack,
exec, raw, mesh) carries no reading: uplinks come decoded from the server.

| channel | unit | meaning |
|---|---|---|
| `rx_received`, `rx_ok` | 1 | frames heard since the last statistics, and those with a valid checksum |
| `tx_received`, `tx_emitted` | 1 | downlinks asked for since then, and those that were sent |
| `online` | 1 | 1 connected, 0 not: the last word that the broker says for a gateway that vanished |

These channels need not be listed. Zeros are left out of this JSON: an absent count is 0, and a `state/conn`
without `state` says OFFLINE. What a gateway adds of its own in `metadata`, always as text (a battery's
voltage from a command), becomes a channel by the same name where the route declares its unit; a text that
is no plain number is then quarantined by itself:

    settings:
      metadata: {battery: V, board_temperature: degC}

Time: the gateway's own clock, which nothing here says to be held; `state/conn` has none and takes the time
of arrival. Write the payloads as JSON (`json=true` in the Forwarder, `marshaler="json"` in the Bridge):
the default, protobuf, is refused, and so are payloads of ChirpStack v3, which spell their counts otherwise.
Sources: `gw.proto`, and the event types in ChirpStack's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from pydantic import Field, field_validator

from ingest.codecs.base import (
    MAX_READINGS,
    MAX_WORD,
    Address,
    Codec,
    CodecSettings,
    Decode,
    Decoded,
    Undecodable,
    parse,
    parse_time,
    quoted,
    refuse_event,
)
from ingest.model import Reading, RejectReason
from ingest.units import UNITS

_CHANNELS = frozenset({"rx_received", "rx_ok", "tx_received", "tx_emitted", "online"})
_EMPTY_EVENTS = frozenset({"event/up", "event/ack", "event/exec", "event/raw", "event/mesh"})
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_STATES: Mapping[str | int, float] = {"OFFLINE": 0.0, "ONLINE": 1.0, 0: 0.0, 1: 1.0}

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class _Settings(CodecSettings):
    """`metadata`: keys of a gateway's metadata that are measurements, and their units."""

    metadata: dict[str, str] = Field(default_factory=dict, max_length=MAX_READINGS - len(_CHANNELS))

    @field_validator("metadata")
    @classmethod
    def _measurable(cls, metadata: dict[str, str]) -> dict[str, str]:
        for key, unit in metadata.items():
            if not 0 < len(key) <= MAX_WORD or key in _CHANNELS:
                raise ValueError(f"{quoted(key)} cannot be a channel's name")
            if unit not in UNITS:
                raise ValueError(f"unit {quoted(unit)} of {quoted(key)} is not known")
        return metadata


class _Stats(msgspec.Struct, rename="camel", gc=False):
    gateway_id: str
    time: str | None = None
    rx_packets_received: _Count = 0
    rx_packets_received_ok: _Count = 0
    tx_packets_received: _Count = 0
    tx_packets_emitted: _Count = 0
    metadata: dict[str, str] = {}


class _ConnState(msgspec.Struct, rename="camel", gc=False):
    gateway_id: str
    state: Literal["OFFLINE", "ONLINE", 0, 1] = "OFFLINE"


_STATS = msgspec.json.Decoder(_Stats)
_CONN_STATE = msgspec.json.Decoder(_ConnState)


def _decoder(settings: _Settings) -> Decode:
    def decode(address: Address, payload: bytes) -> Decoded:
        event = "/".join(address.levels[-2:])
        if event == "event/stats":
            return _stats(address, payload, settings.metadata)
        if event == "state/conn":
            return _conn_state(address, payload)
        refuse_event(event, _EMPTY_EVENTS)

    return decode


def _stats(address: Address, payload: bytes, metadata: Mapping[str, str]) -> Decoded:
    stats = parse(_STATS, _json(payload))
    _check_identity(address, stats.gateway_id)
    time = parse_time(stats.time) if stats.time else None
    counts = (
        ("rx_received", stats.rx_packets_received),
        ("rx_ok", stats.rx_packets_received_ok),
        ("tx_received", stats.tx_packets_received),
        ("tx_emitted", stats.tx_packets_emitted),
    )
    readings = [Reading(address.device, channel, float(count), "1", time) for channel, count in counts]
    readings += [
        Reading(address.device, key, _measurement(stats.metadata[key]), unit, time)
        for key, unit in metadata.items()
        if key in stats.metadata
    ]
    return Decoded(readings)


def _conn_state(address: Address, payload: bytes) -> Decoded:
    conn = parse(_CONN_STATE, _json(payload))
    _check_identity(address, conn.gateway_id)
    return Decoded((Reading(address.device, "online", _STATES[conn.state], "1", None),))


def _json(payload: bytes) -> bytes:
    if not payload.lstrip().startswith(b"{"):
        raise Undecodable(
            RejectReason.UNDECODABLE, "not JSON: set the gateway's marshaler to JSON, protobuf is its default"
        )
    return payload


def _check_identity(address: Address, gateway_id: str) -> None:
    if gateway_id.lower() != address.device.lower():
        raise Undecodable(
            RejectReason.IDENTITY_MISMATCH, f"gatewayId {quoted(gateway_id)} is not the topic's gateway"
        )


def _measurement(text: str) -> float | str:
    return float(text) if _NUMBER.fullmatch(text) else text[:MAX_WORD]


CODEC = Codec(
    name="chirpstack-gateway",
    version=1,
    decode=_decoder(_Settings()),
    auxiliary=_CHANNELS,
    documentation=__doc__,
    settings=_Settings,
    configure=_decoder,
)
