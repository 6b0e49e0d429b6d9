"""A pending device as catalogue entries: which channels, under what names, in which units. Pure.

Nothing is guessed that changes a value: a unit that the device does not say, and the height of a sensor that
ranges, must be given. Called by `huewatch station adopt`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ingest.catalog import Datastream, Level, Ranging
from ingest.new_station import QUANTITIES, SENSORS, NewDatastream, quoted
from ingest.pending import FoundChannel, PendingDevice
from ingest.yaml_lines import ConfigError, Problem

# Channels that ranging sensors have, and which way they count.
RANGING_CHANNELS = {"distance": "distance", "depth": "depth"}
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Mount:
    """How a ranging sensor is mounted, metres; None where nobody has said."""

    sensor: str | None = None
    zero_elevation: float | None = None
    blanking: float | None = None
    max_range: float | None = None


def refused(flag: str, message: str, remedy: str) -> ConfigError:
    """An error about one flag."""
    return ConfigError([Problem(flag, None, message, remedy)])


def chosen_channels(device: PendingDevice, wanted: Sequence[str]) -> list[FoundChannel]:
    """The channels of those names; without names all that are not auxiliary. `ConfigError`: there is none."""
    there = ", ".join(channel.name for channel in device.channels) or "none"
    found = [device.channel(name) for name in wanted]
    if None in found:
        missing = next(name for name in wanted if device.channel(name) is None)
        raise refused("--channel", f"{missing!a} is not among its channels.", f"It has: {there}.")
    channels = [channel for channel in found or device.channels if channel is not None]
    kept = channels if wanted else [channel for channel in channels if not channel.auxiliary]
    if not kept:
        why = device.trouble or "all of its channels are auxiliary"
        raise refused("--channel", f"It shows no channel to adopt: {why}.", f"Name some; it has: {there}.")
    return kept


def unit_flags(words: Iterable[str]) -> dict[str, str]:
    """Channel -> unit of flags such as `pm02=ug/m3`."""
    units = {}
    for word in words:
        channel, equals, unit = word.rpartition("=")
        if not equals or not channel or not unit:
            raise refused("--unit", f"{word!a} is not CHANNEL=UNIT.", "Write --unit pm02=ug/m3.")
        units[channel] = unit
    return units


def adopted(
    device: PendingDevice,
    channel: FoundChannel,
    kind: str,
    cadence: str,
    mount: Mount,
    units: Mapping[str, str],
) -> NewDatastream:
    """The datastream that a channel becomes at a station of that kind; `ConfigError`: what must be said."""
    unit = channel.unit or units.get(channel.name)
    measures = RANGING_CHANNELS.get(channel.name)
    if unit is None:
        remedy = f"Give --unit {channel.name}=UNIT, as on the data sheet."
        raise refused("--unit", f"The device does not say the unit of {channel.name!a}.", remedy)
    name = _NO_NAME.sub("_", channel.name).strip("._-") or "value"
    plain = NewDatastream(
        name=name,
        property=name,
        unit=unit,
        cadence=cadence,
        gateway=device.gateway,
        device=device.device,
        channel=channel.name,
        source_unit=unit,
        title=SENSORS[mount.sensor].title if mount.sensor else "",
        sentinels=SENSORS[mount.sensor].sentinels if mount.sensor else (),
    )
    if measures is None:
        return plain
    quantity = QUANTITIES[kind] if QUANTITIES[kind].unit == "m" else QUANTITIES["river"]
    return replace(
        plain,
        name=quantity.property,
        property=quantity.property,
        unit=quantity.unit,
        ranging=_ranging(mount, measures),
    )


def _ranging(mount: Mount, measures: str) -> Ranging:
    known = SENSORS[mount.sensor] if mount.sensor else None
    blanking = mount.blanking if mount.blanking is not None else known and known.blanking
    if measures == "depth":
        blanking = 0.0
    max_range = mount.max_range if mount.max_range is not None else known and known.max_range
    given = {"zero-elevation": mount.zero_elevation, "blanking": blanking, "max-range": max_range}
    for flag, value in given.items():
        if value is None:
            remedy = f"Give --{flag}, in metres" + (", or --sensor." if flag != "zero-elevation" else ".")
            raise refused(f"--{flag}", f"A sensor of {measures} needs it.", remedy)
    return Ranging.model_validate(
        {
            "zero_elevation": mount.zero_elevation,
            "blanking": blanking,
            "max_range": max_range,
            "measures": measures,
        }
    )


def replacement_yaml(old: Datastream, new: NewDatastream, since: str) -> str:
    """The `installations` of a datastream whose sensor is replaced, to be pasted."""
    lines = ["        installations:"]
    if old.installations:
        lines.append("          # ... those that stand there already, then:")
    else:
        lines.append("          - {} # the sensor until then, as `source` and `ranging` say")
    lines += [
        f"          - valid_from: {quoted(since)}",
        f"            gateway: {quoted(new.gateway)}",
        f"            device: {quoted(new.device)}",
        f"            channel: {quoted(new.channel)}",
        f"            unit: {quoted(new.source_unit)}",
    ]
    if new.ranging is not None:
        lines += [
            f"            zero_elevation: {new.ranging.zero_elevation}",
            f"            blanking: {new.ranging.blanking}",
            f"            max_range: {new.ranging.max_range}",
        ]
    lines.append("            surveyed: false # true once its zero is, with `datum` and `by`")
    return "\n".join(lines) + "\n"


def with_levels(
    streams: Sequence[NewDatastream], kind: str, levels: tuple[Level, ...]
) -> list[NewDatastream]:
    """The datastreams of a new station of that kind; the levels are those of the quantity it is there for."""
    quantity = QUANTITIES[kind]
    return [
        replace(stream, levels=levels, plausible=quantity.plausible)
        if stream.property == quantity.property
        else stream
        for stream in streams
    ]
