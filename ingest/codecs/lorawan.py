"""The LoRaWAN device types that Huewatch can read, and how an uplink of one becomes measured values.

The device type is the name of the device profile, which the network server's owner sets, never anything
that the device itself says. A new device type is one module beside `milesight.py` and one entry here.
Used by the network servers' codecs; pure; raises `Undecodable` and `NoReadings` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any

from ingest.codecs.base import MAX_READINGS, NoReadings, Undecodable, quoted
from ingest.codecs.cayenne_lpp import CAYENNE_LPP
from ingest.codecs.device import Device, Measured, measured, object_values
from ingest.codecs.dragino import DDS75_LB, LDDS75
from ingest.codecs.dragino_wqs import WQS_LB
from ingest.codecs.milesight import EM310_UDL, EM500_SWL, EM500_UDL
from ingest.codecs.milesight_am308 import AM308
from ingest.model import RejectReason

_KNOWN = (EM500_UDL, EM310_UDL, EM500_SWL, AM308, LDDS75, DDS75_LB, WQS_LB, CAYENNE_LPP)
DEVICES: Mapping[str, Device] = MappingProxyType({device.profile: device for device in _KNOWN})
AUXILIARY = frozenset[str]().union(*(device.auxiliary for device in DEVICES.values()))

_LONGEST_FRAME = (
    255  # bytes that a LoRa radio sends at once; of any type here far fewer values than MAX_READINGS
)


def read_object(profile: str, fields: Mapping[str, Any]) -> Sequence[Measured]:
    """Values of an object that the server decoded; an unknown profile's fields are channels as named."""
    if len(fields) > MAX_READINGS:
        raise Undecodable(RejectReason.UNDECODABLE, f"object of {len(fields)} fields")
    values = list(islice(_object_values(DEVICES.get(profile), fields), MAX_READINGS + 1))
    if len(values) > MAX_READINGS:
        raise Undecodable(RejectReason.UNDECODABLE, f"object of more than {MAX_READINGS} values")
    return values


def _object_values(device: Device | None, fields: Mapping[str, Any]) -> Iterable[Measured]:
    if device is None:
        return (measured(name, value, None) for name, value in fields.items())
    if device.read_object is not None:
        return device.read_object(fields)
    return object_values(device, fields)


def read_data(profile: str, port: int, data: bytes) -> Sequence[Measured]:
    """Values of a frame, by the device type; without a payload it raises `NoReadings`."""
    if not data:
        raise NoReadings("an uplink without a payload")
    if len(data) > _LONGEST_FRAME:
        raise Undecodable(
            RejectReason.UNDECODABLE, f"{len(data)} bytes: no frame is longer than {_LONGEST_FRAME}"
        )
    device = DEVICES.get(profile)
    if device is None:
        raise Undecodable(
            RejectReason.UNDECODABLE,
            f"device profile {quoted(profile)} is not one of {', '.join(DEVICES)}: name it so, "
            "or give the profile a codec in the network server, so that uplinks carry `object`",
        )
    if port in device.other_frames:
        return device.other_frames[port](data)
    if device.ports and port not in device.ports:
        raise Undecodable(RejectReason.UNDECODABLE, f"{profile} does not send readings on port {port}")
    return device.frame(data)
