"""Devices that publish and are not in the catalogue: what the quarantine knows of them.

`pending` groups rows of the reason `unknown_device` by codec, gateway and device, and decodes the newest
samples with the route's codec of today, so that an engineer sees what the device measures before adopting it.
Pure and bounded, whatever strangers publish. Called by `huewatch station pending` and `station adopt`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.catalog import Route
from ingest.codecs import Address, Codec, Decoded, NoReadings, Undecodable, codecs
from ingest.model import Reading
from ingest.topics import RouteFinder, is_identifier

if TYPE_CHECKING:
    from ingest.store.read import Quarantined

MOST_ROWS = 2_000  # read from the quarantine: 16 MB of payloads at most
MOST_CHANNELS = 40  # of a device: more than any sensor has, fewer than a stranger may invent
MOST_SAMPLES = 5  # decoded of a device, newest first: beside an uplink there may be joins and statuses


@dataclass(frozen=True, slots=True)
class FoundChannel:
    """A channel of a sample, its unit as the device gives it (None: it gives none), and its value then.

    `auxiliary`: the codec calls it so; the catalogue need not list it.
    """

    name: str
    unit: str | None
    value: float | str
    auxiliary: bool


@dataclass(slots=True)
class PendingDevice:
    """A device that is not in the catalogue; times in microseconds. `trouble`: why it shows no channel."""

    codec: str
    gateway: str
    device: str
    topic: str
    first_seen: int
    last_seen: int
    count: int = 0
    channels: Sequence[FoundChannel] = ()
    trouble: str = ""
    samples: int = field(default=0, repr=False)

    def channel(self, name: str) -> FoundChannel | None:
        """The channel of that name."""
        return next((channel for channel in self.channels if channel.name == name), None)


def pending(rows: Iterable[Quarantined], routes: Sequence[Route]) -> list[PendingDevice]:
    """The devices behind quarantine rows, which come newest first; the one seen last comes first.

    Rows whose topic has no route today are left out: nobody can tell which device they are of.
    """
    found: dict[tuple[str, str, str], PendingDevice] = {}
    finder = RouteFinder(routes)
    for row in rows:
        levels = tuple(row.topic.split("/"))
        route = finder.find(levels)
        codec = None if route is None else codecs().get(route.codec)
        if route is None or codec is None or len(levels) < max(route.gateway_level, route.device_level):
            continue
        gateway, device = levels[route.gateway_level - 1], levels[route.device_level - 1]
        if not (is_identifier(gateway) and is_identifier(device)):
            continue
        key = (codec.name, gateway, device)
        entry = found.setdefault(key, PendingDevice(*key, row.topic, row.first_seen, row.last_seen))
        entry.count += row.count
        entry.first_seen = min(entry.first_seen, row.first_seen)
        entry.last_seen = max(entry.last_seen, row.last_seen)
        if not entry.channels and entry.samples < MOST_SAMPLES:
            entry.samples += 1
            _look_into(entry, row, route, codec, Address(levels, gateway, device))
    return sorted(found.values(), key=lambda entry: (-entry.last_seen, entry.gateway, entry.device))


def _look_into(entry: PendingDevice, row: Quarantined, route: Route, codec: Codec, address: Address) -> None:
    """Fill in what the sample says; of several troubles the newest is kept."""
    channels: dict[str, FoundChannel] = {}
    decoded = _decoded(row, route, codec, address)
    if isinstance(decoded, str):
        entry.trouble = entry.trouble or decoded
        return
    for reading in decoded.readings:
        if reading.device == address.device and (
            reading.channel in channels or len(channels) < MOST_CHANNELS
        ):
            channels[reading.channel] = _found(reading, codec)
    entry.channels = tuple(channels.values())
    entry.trouble = "" if channels else entry.trouble or "its messages carry no reading"


def _decoded(row: Quarantined, route: Route, codec: Codec, address: Address) -> Decoded | str:
    """The sample, or why it cannot be read."""
    if row.payload_size > len(row.payload):
        return f"only the first {len(row.payload)} of {row.payload_size} bytes were kept"
    try:
        return codec.decoder(route.settings)(address, row.payload)
    except Undecodable as error:
        return f"{error.reason.value}: {error.detail}"
    except NoReadings:
        return "its messages carry no reading"
    except Exception as error:  # a codec's own fault must not hide the other devices
        return f"fault in codec {codec.name}: {type(error).__name__}"


def _found(reading: Reading, codec: Codec) -> FoundChannel:
    return FoundChannel(reading.channel, reading.unit, reading.value, reading.channel in codec.auxiliary)
