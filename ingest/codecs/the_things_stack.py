"""The Things Stack v3: uplinks of LoRaWAN devices, in the JSON of its MQTT server.

Topic `v3/<application>@<tenant>/devices/<device id>/up`, on the open source edition without `@<tenant>`. The
gateway's identity is the second level as it is written (`hue@city`), the device's the device id. The
payload's `end_device_ids` must name that device and that application, which it writes without the tenant.
Only `up` carries readings. Joins, downlinks, solved locations and service data are known to carry none, and
`up/normalized` repeats what `up` has said already.

- Values: the fields of `decoded_payload` when the server has a payload formatter; otherwise the bytes of
  `frm_payload`, read by device type. An uplink does not name its device profile, so the device type is what
  the route says of this device, what the owner chose from the device repository (`version_ids.model_id`),
  or what the route says of all:

      settings:
        profiles: {phuoc-01: LDDS75, "*": EM500-UDL}

  Without a known type the fields of `decoded_payload` are channels by their own names, in the catalogue's
  `source.unit`, and bytes alone are quarantined. So are bytes that the server does not decrypt (`app_s_key`).
- The server leaves "", 0 and false out: an absent `f_cnt` or `f_port` is 0. A field that is absent from
  `decoded_payload` is absent, never 0: zeros are written there.
- Health, need not be listed: `rssi`, `snr`, `gateways`, `f_cnt`, from `rx_metadata`, also of an uplink
  without a payload. A gateway of another network is known by what Packet Broker says of it; those that it
  does not name count as one for each network.
- Time: the device's where its frame says one. Then a gateway's: `gps_time`, which the server guarantees to be
  of a GPS pulse; `time`, of undefined accuracy, only where the route says `settings: {gateway_clocks: ntp}`.
  `timestamp` is a counter of the radio and no time. Then the network server's, `uplink_message.received_at`,
  or the application server's, `received_at`. Otherwise the time of arrival.
- `simulated: true` claims `Test`.

The server speaks MQTT 3.1.1 at QoS 0 only: what it sends while nobody listens is gone, and only a gap in
`f_cnt` tells. Fields that later versions add are ignored. Sources: The Things Stack's `messages.proto`,
`metadata.proto`, and its documentation of the MQTT server and of data formats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from pydantic import Field, field_validator

from ingest.codecs.base import (
    Address,
    Codec,
    Decode,
    Decoded,
    NoReadings,
    Undecodable,
    parse,
    parse_time,
    quoted,
    refuse_event,
)
from ingest.codecs.device import Measured
from ingest.codecs.lorawan import AUXILIARY, DEVICES, read_data, read_object
from ingest.codecs.uplink import (
    HEALTH,
    FrameCounter,
    FramePort,
    Health,
    Present,
    Reception,
    UplinkSettings,
    health,
    readings,
    received,
)
from ingest.model import Nature, RejectReason, TimeSource

_DEVICE_LEVEL = 3  # from 0; what follows it is the event
_EMPTY_EVENTS = frozenset(
    {
        "up/normalized",
        "join",
        "down/queued",
        "down/sent",
        "down/ack",
        "down/nack",
        "down/failed",
        "down/invalidated",
        "down/push",
        "down/replace",
        "location/solved",
        "service/data",
    }
)
_EVERY = "*"
_MODELS: Mapping[str, str] = MappingProxyType({name.lower(): name for name in DEVICES})


class _Settings(UplinkSettings):
    """`profiles`: device id, or "*" for every other one, to the name of its device type."""

    profiles: dict[str, str] = Field(default_factory=dict)

    @field_validator("profiles")
    @classmethod
    def _known(cls, profiles: dict[str, str]) -> dict[str, str]:
        for profile in profiles.values():
            if profile not in DEVICES:
                raise ValueError(f"device type {quoted(profile)} is not one of {', '.join(DEVICES)}")
        return profiles


class _ApplicationIds(msgspec.Struct, gc=False):
    application_id: str


class _EndDeviceIds(msgspec.Struct, gc=False):
    device_id: str
    application_ids: _ApplicationIds


class _GatewayIds(msgspec.Struct, gc=False):
    gateway_id: str = ""
    eui: str = ""


class _PacketBroker(msgspec.Struct, gc=False):
    forwarder_net_id: str = ""
    forwarder_tenant_id: str = ""
    forwarder_cluster_id: str = ""
    forwarder_gateway_eui: str = ""
    forwarder_gateway_id: str = ""


class _RxMetadata(Reception, gc=False):
    gateway_ids: _GatewayIds | None = None
    packet_broker: _PacketBroker | None = None
    time: str | None = None
    gps_time: str | None = None


class _DataRate(msgspec.Struct, gc=False):
    lora: Present | None = None


class _TxSettings(msgspec.Struct, gc=False):
    data_rate: _DataRate | None = None


class _VersionIds(msgspec.Struct, gc=False):
    model_id: str = ""


class _UplinkMessage(msgspec.Struct, gc=False):
    f_port: FramePort = 0
    f_cnt: FrameCounter | None = None
    frm_payload: bytes = b""  # base64, which msgspec decodes strictly
    decoded_payload: dict[str, Any] | None = None
    rx_metadata: list[_RxMetadata] = []
    settings: _TxSettings | None = None
    received_at: str | None = None
    app_s_key: Present | None = None
    version_ids: _VersionIds | None = None


class _ApplicationUp(msgspec.Struct, gc=False):
    end_device_ids: _EndDeviceIds
    uplink_message: _UplinkMessage  # present even when all of it is zero
    received_at: str | None = None
    simulated: bool = False


_DECODER = msgspec.json.Decoder(_ApplicationUp)


def _decoder(settings: _Settings) -> Decode:
    def decode(address: Address, payload: bytes) -> Decoded:
        event = "/".join(address.levels[_DEVICE_LEVEL + 1 :])
        if event == "up":
            return _uplink(address, payload, settings)
        refuse_event(event, _EMPTY_EVENTS)

    return decode


def _uplink(address: Address, payload: bytes, settings: _Settings) -> Decoded:
    up = parse(_DECODER, payload)
    _check_identity(address, up.end_device_ids)
    of_uplink = _health(up.uplink_message)
    try:
        values = _values(up.uplink_message, _profile(address.device, up.uplink_message, settings.profiles))
    except NoReadings:
        if not of_uplink:
            raise
        values = ()
    when = _received(up, settings.gateway_clocks == "ntp")
    nature = Nature.TEST if up.simulated else None
    return Decoded(readings(address.device, values, of_uplink, when), nature)


def _check_identity(address: Address, ids: _EndDeviceIds) -> None:
    """The broker's ACL binds the topic to the publisher; the payload may only repeat what the topic says."""
    if ids.device_id != address.device:
        raise Undecodable(
            RejectReason.IDENTITY_MISMATCH, f"device_id {quoted(ids.device_id)} is not the topic's device"
        )
    application = ids.application_ids.application_id
    if application != address.gateway.partition("@")[0]:
        raise Undecodable(
            RejectReason.IDENTITY_MISMATCH,
            f"application_id {quoted(application)} is not the topic's application",
        )


def _profile(device: str, message: _UplinkMessage, profiles: Mapping[str, str]) -> str:
    """The name of the device type: the route's word on this device, the model's, the route's on all."""
    if device in profiles:
        return profiles[device]
    model = "" if message.version_ids is None else message.version_ids.model_id
    return _MODELS.get(model.lower()) or profiles.get(_EVERY, model)


def _values(message: _UplinkMessage, profile: str) -> Sequence[Measured]:
    if message.decoded_payload:
        return read_object(profile, message.decoded_payload)
    if message.app_s_key is not None and message.frm_payload:
        raise Undecodable(
            RejectReason.UNDECODABLE, "`frm_payload` is encrypted: the server skips payload crypto"
        )
    if profile not in DEVICES and message.frm_payload:
        raise Undecodable(
            RejectReason.UNDECODABLE,
            "no `decoded_payload`, and the device's type is not known: name it in the route's "
            f"`settings: profiles` as one of {', '.join(DEVICES)}, or give it a payload formatter",
        )
    return read_data(profile, message.f_port, message.frm_payload)


def _health(message: _UplinkMessage) -> list[Health]:
    heard = message.rx_metadata
    gateways = len({_gateway(reception) for reception in heard}) if len(heard) > 1 else 1
    sent = message.settings
    lora = sent is not None and sent.data_rate is not None and sent.data_rate.lora is not None
    return health(heard, gateways, message.f_cnt, lora)


def _gateway(reception: _RxMetadata) -> tuple[str, ...]:
    """Who heard it. Every gateway behind Packet Broker has the same id, `packetbroker`."""
    broker = reception.packet_broker
    if broker is not None:
        own = broker.forwarder_gateway_eui or broker.forwarder_gateway_id
        return broker.forwarder_net_id, broker.forwarder_tenant_id, broker.forwarder_cluster_id, own
    ids = reception.gateway_ids
    return () if ids is None else (ids.gateway_id or ids.eui,)


def _received(up: _ApplicationUp, ntp: bool) -> tuple[int | None, TimeSource]:
    heard = up.uplink_message.rx_metadata
    locked = next((reception.gps_time for reception in heard if reception.gps_time), None)
    if locked is None and ntp:
        locked = next((reception.time for reception in heard if reception.time), None)
    server = up.uplink_message.received_at or up.received_at
    return received(parse_time(locked) if locked else None, parse_time(server) if server else None)


CODEC = Codec(
    name="the-things-stack-v3",
    version=1,
    decode=_decoder(_Settings()),
    auxiliary=AUXILIARY | HEALTH,
    documentation=__doc__,
    settings=_Settings,
    configure=_decoder,
)
