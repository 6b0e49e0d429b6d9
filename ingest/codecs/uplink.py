"""What the LoRaWAN network servers' codecs share: the health of an uplink, its time, and its readings.

Health is data: every uplink that says how it was received also gives these channels, which the catalogue
need not list (`HEALTH`):

| channel | unit | meaning |
|---|---|---|
| `rssi`, `snr` | dBm, dB | as the best gateway heard the frame |
| `gateways` | 1 | how many different gateways heard it; 1: a single path, which one power cut can end |
| `f_cnt` | 1 | the frame counter: a gap is a lost frame, a smaller number a restarted device |

The best gateway has the highest SNR, which decides whether a frame is understood, and then the highest RSSI.
Both servers write protobuf as JSON and may leave zeros out: within a reception an SNR that is absent is 0 dB,
and a frame counter that is absent is 0. Without any reception nothing is known of either, and they give no
channel. An RSSI of 0 dBm is none: no receiver stands it. FSK and LR-FHSS have no SNR.

Time, from the best clock to the least, and which one it was (`Reading.time_source`): the device's own where
its frame says one; a gateway's, when it is held by GPS, or by NTP where the route's settings say so
(`gateway_clocks: ntp`), since no payload can; the network server's; none, which means the time of arrival.
A gateway's clock that the server's contradicts is not taken: nobody hears a frame after the server did, nor
hands one over after the longest outage that is believed (a receiver whose week number rolled over is 19
years late). Pure; used by `chirpstack_v4` and `the_things_stack`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from ingest.clock import MICROS_PER_SECOND
from ingest.codecs.base import MAX_READINGS, CodecSettings
from ingest.codecs.device import Measured
from ingest.model import Reading, TimeSource

HEALTH = frozenset({"rssi", "snr", "gateways", "f_cnt"})

Health = tuple[str, float, str]  # channel, value, unit
Level = float | str | None  # protobuf's JSON writes "NaN" and "Infinity" as texts
FrameCounter = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
FramePort = Annotated[int, msgspec.Meta(ge=0, lt=2**8)]

_AHEAD = 60 * MICROS_PER_SECOND  # more than two clocks differ that are both held by GPS or NTP
_BEHIND = 45 * 86_400 * MICROS_PER_SECOND  # as old as a reading may be: a longer outage is not believed
_NEVER = float("-inf")

_DEVICE, _GATEWAY, _SERVER = TimeSource.DEVICE, TimeSource.GATEWAY, TimeSource.SERVER


class UplinkSettings(CodecSettings):
    """`gateway_clocks`: what holds the gateways' clocks besides GPS, which a payload says for itself."""

    gateway_clocks: Literal["gps", "ntp"] = "gps"


class Reception(msgspec.Struct, gc=False):
    """How an antenna of a gateway heard a frame; each server's own type adds who and when."""

    rssi: Level = None
    snr: Level = None


class Present(msgspec.Struct, gc=False):
    """An object of which only the presence matters."""


def health(heard: Sequence[Reception], gateways: int, f_cnt: int | None, lora: bool) -> list[Health]:
    """The health channels of an uplink that `gateways` different gateways heard; `lora`: so modulated."""
    if not heard:
        return [] if f_cnt is None else [("f_cnt", float(f_cnt), "1")]
    best = heard[0] if len(heard) == 1 else max(heard, key=_strength)
    found: list[Health] = []
    if isinstance(best.rssi, float) and best.rssi:
        found.append(("rssi", best.rssi, "dBm"))
    if isinstance(best.snr, float) and best.snr:
        found.append(("snr", best.snr, "dB"))
    elif lora and not isinstance(best.snr, str):
        found.append(("snr", 0.0, "dB"))
    found.append(("gateways", float(gateways), "1"))
    found.append(("f_cnt", float(f_cnt or 0), "1"))
    return found


def _strength(reception: Reception) -> tuple[float, float]:
    """SNR, then RSSI; what is absent is 0 dB, and no RSSI at all."""
    snr = 0.0 if reception.snr is None else reception.snr
    rssi = reception.rssi or _NEVER
    return (
        snr if isinstance(snr, float) else _NEVER,
        rssi if isinstance(rssi, float) else _NEVER,
    )


def received(gateway: int | None, server: int | None) -> tuple[int | None, TimeSource]:
    """When a frame came, and by whose clock: a gateway's that is held (None: none is), or the server's."""
    if gateway is None:
        return server, _SERVER
    if server is not None and not -_AHEAD <= server - gateway <= _BEHIND:
        return server, _SERVER
    return gateway, _GATEWAY


def readings(
    device: str,
    values: Sequence[Measured],
    of_uplink: Sequence[Health],
    when: tuple[int | None, TimeSource],
) -> list[Reading]:
    """Values and health as readings; a value's own time goes first, and so does a name that a device uses."""
    time, source = when
    if time is None:
        source = _DEVICE  # of no time at all; the normaliser stamps the arrival
    found = [
        Reading(device, value.channel, value.value, value.unit, time, source)
        if value.time is None
        else Reading(device, value.channel, value.value, value.unit, value.time, _DEVICE)
        for value in values
    ]
    if len(found) > MAX_READINGS - len(HEALTH):
        return found
    taken = {value.channel for value in values}
    for channel, level, unit in of_uplink:
        if channel not in taken:
            found.append(Reading(device, channel, level, unit, time, source))
    return found
