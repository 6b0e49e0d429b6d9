"""ChirpStack v4 (JSON marshaler): uplinks of LoRaWAN devices.

Topic `application/<application id>/device/<devEui>/event/<event>`; the gateway's identity is the
application id, the device's the devEui. The payload's own `applicationId` and `devEui` must agree with the
topic. Only `up` carries readings; join, status, ack, txack, log, location and integration are known to
carry none.

- Values: the fields of `object` when the server's device profile has a codec; otherwise the bytes of `data`,
  read by the device type that `deviceInfo.deviceProfileName` names (EM500-UDL, LDDS75). With another profile
  and no `object` the uplink is quarantined, and the reason names the remedy.
- Known device types give the channels `distance`, `battery` and (LDDS75) `temperature` with their units.
  Fields of another profile's object are channels by their own names, in the catalogue's `source.unit`.
- A field "1208 mm" is a number with its own unit; any other text, a boolean or `null` is no value and is
  quarantined by itself.
- Time: the uplink's `time` (RFC 3339, nanoseconds cut to microseconds); without it the time of arrival.
- `deviceInfo.tags.status` may claim `Actual`, `Exercise` or `Test`.

Fields that ChirpStack adds in later versions are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ingest.codecs.base import Address, Codec, Decoded, NoReadings, Undecodable, parse, parse_time, quoted
from ingest.codecs.device import Measured
from ingest.codecs.lorawan import AUXILIARY, read_data, read_object
from ingest.model import Reading, RejectReason

_EMPTY_EVENTS = frozenset({"join", "status", "ack", "txack", "log", "location", "integration"})


class _DeviceInfo(msgspec.Struct, rename="camel", gc=False):
    dev_eui: str
    application_id: str = ""  # absent when empty, as every zero value of this protobuf JSON
    device_profile_name: str = ""
    tags: dict[str, str] = {}


class _Uplink(msgspec.Struct, rename="camel", gc=False):
    device_info: _DeviceInfo
    time: str = ""
    f_port: int = 0
    data: bytes = b""  # base64, which msgspec decodes strictly
    object: dict[str, Any] | None = None


_DECODER = msgspec.json.Decoder(_Uplink)


def _decode(address: Address, payload: bytes) -> Decoded:
    event = address.levels[-1]
    if event in _EMPTY_EVENTS:
        raise NoReadings(event)
    if event != "up":
        raise Undecodable(RejectReason.UNDECODABLE, f"unknown event {quoted(event)}")
    uplink = parse(_DECODER, payload)
    _check_identity(address, uplink.device_info)
    time = parse_time(uplink.time) if uplink.time else None
    readings = [
        Reading(address.device, value.channel, value.value, value.unit, time) for value in _values(uplink)
    ]
    return Decoded(readings, uplink.device_info.tags.get("status"))


def _check_identity(address: Address, info: _DeviceInfo) -> None:
    """The broker's ACL binds the topic to the publisher; the payload may only repeat what the topic says."""
    if info.dev_eui.lower() != address.device.lower():
        raise Undecodable(
            RejectReason.IDENTITY_MISMATCH, f"devEui {quoted(info.dev_eui)} is not the topic's device"
        )
    if info.application_id and info.application_id != address.gateway:
        raise Undecodable(
            RejectReason.IDENTITY_MISMATCH,
            f"applicationId {quoted(info.application_id)} is not the topic's application",
        )


def _values(uplink: _Uplink) -> Sequence[Measured]:
    profile = uplink.device_info.device_profile_name
    if uplink.object:
        return read_object(profile, uplink.object)
    return read_data(profile, uplink.f_port, uplink.data)


CODEC = Codec(
    name="chirpstack-v4",
    version=1,
    decode=_decode,
    auxiliary=AUXILIARY | {"rssi", "snr"},
    documentation=__doc__,
)
