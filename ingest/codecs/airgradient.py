"""AirGradient ONE and Open Air, air quality, as their own firmware (3.1 and later) publishes it.

Topic `airgradient/readings/<serial number>`; that level is the gateway and the device at once (both level
3). `serialno` in the payload must agree with it where it is present.

- Channels are the fields by their names in the vendor's list; of the outdoor monitor with two sensors those
  of each are `channels.1.pm02` and so on.
- PM2.5 is `pm02`, and `pm02Compensated` with the vendor's correction, which is the better one where the
  firmware has it. Both are given, neither replaces the other. Everything else may go unlisted.
- Units: PM in ug/m3, `rco2` in ppm, `atmp` in degC whatever the display shows, `rhum` in %, the indices
  `tvocIndex` and `noxIndex` in "1", `wifi` in dBm. Particle counts (per dl) and raw values of the gas sensor
  are in the catalogue's `source.unit`.
- There is no time: the time of arrival holds. A sensor without a value leaves its field out. `null`, a text
  and a boolean in the place of a number are quarantined by themselves.

A field that is not in the vendor's list is a channel too, so that a renamed one is noticed.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ingest.codecs.base import Address, Codec, Decoded, NoReadings, Undecodable, parse, quoted
from ingest.codecs.fields import channel_name, leaves, scalar
from ingest.model import Reading, RejectReason

_UNITS: Final[dict[str, str | None]] = {
    **dict.fromkeys(("pm01", "pm02", "pm10", "pm02Compensated"), "ug/m3"),
    **dict.fromkeys(("pm01Standard", "pm02Standard", "pm10Standard"), "ug/m3"),
    **dict.fromkeys(("pm003Count", "pm005Count", "pm01Count", "pm02Count", "pm50Count", "pm10Count"), None),
    **dict.fromkeys(("atmp", "atmpCompensated"), "degC"),
    **dict.fromkeys(("rhum", "rhumCompensated"), "%"),
    **dict.fromkeys(("tvocIndex", "noxIndex", "boot", "bootCount"), "1"),
    **dict.fromkeys(("tvocRaw", "noxRaw", "tvoc_raw", "nox_raw", "freeHeap"), None),
    "rco2": "ppm",
    "wifi": "dBm",
}
_NOT_MEASURED: Final = frozenset(
    {
        "serialno",
        "ledMode",
        "firmware",
        "firmwareVersion",
        "fwMode",
        "pmFirmware",
        "model",
        "monitorDisplayCompensatedValues",
        "resetReason",
    }
)
_FINE_PARTICLES: Final = frozenset({"pm02", "pm02Compensated"})

_DECODER = msgspec.json.Decoder(dict[str, Any])


def _decode(address: Address, payload: bytes) -> Decoded:
    message = parse(_DECODER, payload)
    if not message:
        raise Undecodable(RejectReason.UNDECODABLE, "an empty object")
    serial = message.get("serialno")
    if serial is not None and (not isinstance(serial, str) or serial.lower() != address.device.lower()):
        raise Undecodable(
            RejectReason.IDENTITY_MISMATCH,
            f"serialno {quoted(str(scalar(serial)))} is not the topic's device",
        )
    readings = [
        Reading(address.device, channel_name(path), scalar(value), _UNITS.get(path[-1]))
        for path, value in leaves(message)
        if path[-1] not in _NOT_MEASURED
    ]
    if not readings:
        raise NoReadings("no measured field")
    return Decoded(readings)


CODEC = Codec(
    name="airgradient",
    version=1,
    decode=_decode,
    auxiliary=frozenset(
        {
            *(_UNITS.keys() - _FINE_PARTICLES),
            *(f"channels.{place}.{name}" for place in "12" for name in _UNITS),
        }
    ),
    documentation=__doc__,
)
