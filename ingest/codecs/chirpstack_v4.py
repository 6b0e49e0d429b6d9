"""ChirpStack v4 (JSON marshaler): uplinks and status answers of LoRaWAN devices.

Topic `application/<application id>/device/<devEui>/event/<event>`; the gateway's identity is the
application id, the device's the devEui. The payload's own `applicationId` and `devEui` must agree with the
topic. `up` and `status` carry readings; join, ack, txack, log, location and integration are known to carry
none.

- Values: the fields of `object` when the server's device profile has a codec; otherwise the bytes of `data`,
  read by the device type that `deviceInfo.deviceProfileName` names (`ingest.codecs.lorawan` lists them).
  With another profile and no `object` the uplink is quarantined, and the reason names the remedy. So are
  bytes that only a join server can decrypt (`joinServerContext`).
- Known device types give channels of one name and unit each, whichever way they came (`distance` in mm).
  Fields of another profile's object are channels by their own names, in the catalogue's `source.unit`; one
  named as a health channel takes its place.
- A field "1208 mm" is a number with its own unit; any other text, a boolean or `null` is no value and is
  quarantined by itself.
- Health, need not be listed: `rssi`, `snr`, `gateways`, `f_cnt` of an uplink that says by `rxInfo` how it was
  received, also when it has no payload. Of a status answer (DevStatusAns): `margin` (dB), `battery_level`
  (per cent; none from a device on external power or one that cannot tell) and `external_power` (1 or 0).
- Time: the device's where its frame says one. Then a gateway's: with `timeSinceGpsEpoch` in an `rxInfo` the
  gateway has GPS, and the server has made `time` of it. `gwTime` alone may be any system clock, and counts
  only where the route says `settings: {gateway_clocks: ntp}`. `fineTimeSinceGpsEpoch` may be a fraction of a
  second alone and is never used. Then the server's: the earliest `nsTime`, and where there is none `time`,
  although the server may have taken that from an unheld `gwTime` (before 4.13 unchecked, since then within
  30 s of its own). Otherwise the time of arrival.
- `deviceInfo.tags.status` may claim `Actual`, `Exercise` or `Test`.

Zero values may be absent (fCnt, snr, margin). Nanoseconds are cut to microseconds. Fields that ChirpStack
adds in later versions are ignored. Sources: ChirpStack's `integration.proto` and `gw.proto`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

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
from ingest.codecs.lorawan import AUXILIARY, read_data, read_object
from ingest.codecs.uplink import (
    HEALTH,
    FrameCounter,
    FramePort,
    Health,
    Level,
    Present,
    Reception,
    UplinkSettings,
    health,
    readings,
    received,
)
from ingest.model import RejectReason, TimeSource

_EMPTY_EVENTS = frozenset({"join", "ack", "txack", "log", "location", "integration"})
_STATUS_CHANNELS = frozenset({"margin", "battery_level", "external_power"})
_NO_GPS = (None, "", "0s")  # basic stations without a pulse per second say 0


class _DeviceInfo(msgspec.Struct, rename="camel", gc=False):
    dev_eui: str
    application_id: str = ""  # absent when empty, as every zero value of this protobuf JSON
    device_profile_name: str = ""
    tags: dict[str, str] = {}


class _RxInfo(Reception, rename="camel", gc=False):
    gateway_id: str = ""
    gw_time: str | None = None
    ns_time: str | None = None
    time_since_gps_epoch: str | None = None


class _Modulation(msgspec.Struct, gc=False):
    lora: Present | None = None


class _TxInfo(msgspec.Struct, gc=False):
    modulation: _Modulation | None = None


class _Uplink(msgspec.Struct, rename="camel", gc=False):
    device_info: _DeviceInfo
    time: str | None = None
    f_cnt: FrameCounter | None = None
    f_port: FramePort = 0
    data: bytes = b""  # base64, which msgspec decodes strictly
    object: dict[str, Any] | None = None
    rx_info: list[_RxInfo] = []
    tx_info: _TxInfo | None = None
    join_server_context: Present | None = None


class _Status(msgspec.Struct, rename="camel", gc=False):
    device_info: _DeviceInfo
    time: str | None = None
    margin: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] = 0
    external_power_source: bool = False
    battery_level_unavailable: bool = False
    battery_level: Level = None


_UPLINK = msgspec.json.Decoder(_Uplink)
_STATUS = msgspec.json.Decoder(_Status)


def _decoder(settings: UplinkSettings) -> Decode:
    ntp = settings.gateway_clocks == "ntp"

    def decode(address: Address, payload: bytes) -> Decoded:
        event = address.levels[-1]
        if event == "up":
            return _uplink(address, payload, ntp)
        if event == "status":
            return _status(address, payload)
        refuse_event(event, _EMPTY_EVENTS)

    return decode


def _uplink(address: Address, payload: bytes, ntp: bool) -> Decoded:
    uplink = parse(_UPLINK, payload)
    _check_identity(address, uplink.device_info)
    of_uplink = _health(uplink)
    try:
        values = _values(uplink)
    except NoReadings:
        if not of_uplink:
            raise
        values = ()
    when = _received(uplink, ntp)
    status = uplink.device_info.tags.get("status")
    return Decoded(readings(address.device, values, of_uplink, when), status)


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
    if uplink.join_server_context is not None and uplink.data:
        raise Undecodable(
            RejectReason.UNDECODABLE, "`data` is encrypted with a key that only the join server has"
        )
    return read_data(profile, uplink.f_port, uplink.data)


def _health(uplink: _Uplink) -> list[Health]:
    heard = uplink.rx_info
    gateways = len({reception.gateway_id for reception in heard}) if len(heard) > 1 else 1
    sent = uplink.tx_info
    lora = sent is not None and sent.modulation is not None and sent.modulation.lora is not None
    return health(heard, gateways, uplink.f_cnt, lora)


def _received(uplink: _Uplink, ntp: bool) -> tuple[int | None, TimeSource]:
    """When the frame came: by a gateway's clock where one is known to be held, else by the server's."""
    time = parse_time(uplink.time) if uplink.time else None
    by_gateway = by_server = None
    gps = False
    for reception in uplink.rx_info:
        if reception.time_since_gps_epoch not in _NO_GPS:
            gps = True
        if ntp and reception.gw_time and by_gateway is None:
            by_gateway = parse_time(reception.gw_time)
        if reception.ns_time:
            heard = parse_time(reception.ns_time)
            by_server = heard if by_server is None else min(by_server, heard)
    return received(time if gps else by_gateway, time if by_server is None else by_server)


def _status(address: Address, payload: bytes) -> Decoded:
    status = parse(_STATUS, payload)
    _check_identity(address, status.device_info)
    values = [
        Measured("margin", float(status.margin), "dB"),
        Measured("external_power", float(status.external_power_source), "1"),
    ]
    # A device says 1 to 254 of 254, 0 for external power or 255 for unknown, so 0 % is never an answer.
    unknown = status.external_power_source or status.battery_level_unavailable
    level = status.battery_level
    if isinstance(level, float) and level and not unknown:
        values.append(Measured("battery_level", level, "%"))
    time = parse_time(status.time) if status.time else None
    claimed = status.device_info.tags.get("status")
    return Decoded(readings(address.device, values, (), (time, TimeSource.SERVER)), claimed)


CODEC = Codec(
    name="chirpstack-v4",
    version=2,
    decode=_decoder(UplinkSettings()),
    auxiliary=AUXILIARY | HEALTH | _STATUS_CHANNELS,
    documentation=__doc__,
    settings=UplinkSettings,
    configure=_decoder,
)
