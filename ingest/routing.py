"""From a topic to the one device that it names: codec, identities and channels, or why there is none.

`Router.way` answers for any topic. It remembers only topics that name a device of the catalogue, and no
more than a bounded number of them, so that made-up topics cost time but no memory. Identity is the topic's
alone; the gateway must be the one that the catalogue names for the device. Called by the normaliser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from types import MappingProxyType

from ingest.catalog import Catalogue, Route
from ingest.codecs import Address, Codec, Decoded, NoReadings, Undecodable, codecs
from ingest.codecs.base import Decode, quoted
from ingest.installation import Identity
from ingest.model import RejectReason
from ingest.series import Channel
from ingest.topics import TICK_TOPIC, RouteFinder, is_identifier, is_marker, tick_at

UNKNOWN_GATEWAY = "(unknown)"  # the one name of all gateways that the catalogue does not know
OWN = "(huewatch)"  # who our own markers and ticks are from
REPLAY = "(replay)"  # who is counted for messages that are read again from quarantine
_UNKNOWN_NUMBER, _OWN_NUMBER, REPLAY_NUMBER = 0, 1, 2  # their places in `gateway_names`

Channels = Mapping[str, Channel]  # a device's channels by the name that the payload gives them


@dataclass(frozen=True, slots=True)
class Way:
    """Where the messages of one topic go. With a `refusal` they go to quarantine undecoded.

    `memory` is what `address.memory` shows: the normaliser writes to it what the codec asks to remember.
    """

    gateway: int  # number in `gateway_names`
    codec: Codec
    decode: Decode
    address: Address
    channels: Channels
    unlisted: Callable[[str], bool]  # whether the catalogue need not list a channel of that name
    memory: dict[str, bytes]
    refusal: tuple[RejectReason, str] | None = None


@dataclass(frozen=True, slots=True)
class _Reader:
    """A route made ready: its codec's decoder, and the channels that may go unlisted."""

    codec: Codec
    decode: Decode
    unlisted: Callable[[str], bool]
    fixed: frozenset[str] = frozenset()  # levels that the filter spells out

    @classmethod
    def of(cls, route: Route) -> _Reader:
        codec = _codec(route)
        try:
            decode = codec.decoder(route.settings)
        except ValueError as error:
            raise ValueError(f"route {route.filter}: {error}") from None
        fixed = frozenset(route.filter.split("/")) - {"+", "#"}
        return cls(codec, decode, _unlisted(codec, route.ignore), fixed)


def _decode_own(address: Address, payload: bytes) -> Decoded:
    topic = "/".join(address.levels)
    if topic == TICK_TOPIC and tick_at(payload) is None:
        raise Undecodable(RejectReason.UNDECODABLE, "not a tick")
    raise NoReadings(topic)


_OWN_CODEC = Codec("huewatch-own", 1, _decode_own, frozenset(), "")
_OWN_READER = _Reader(_OWN_CODEC, _decode_own, _OWN_CODEC.auxiliary.__contains__)
_NO_CODEC = Codec("", 0, _decode_own, frozenset(), "")
_NO_READER = _Reader(_NO_CODEC, _decode_own, _NO_CODEC.auxiliary.__contains__)  # where a topic has no route


class Router:
    """The routes of a catalogue, and the channels of its datastreams, those of former devices too.

    An unknown codec or settings it cannot have raise `ValueError`.
    """

    def __init__(self, catalogue: Catalogue, channels: Mapping[Identity, Channel]) -> None:
        self._routes = RouteFinder(catalogue.routes)
        self._readers = {route.filter: _Reader.of(route) for route in catalogue.routes}
        self._devices = _devices(channels)
        self._gateways_of = _gateways_of(self._devices)
        known = sorted({gateway for gateway, _ in self._devices})
        self.gateway_names = (UNKNOWN_GATEWAY, OWN, REPLAY, *known)
        self._gateway_numbers = {name: number for number, name in enumerate(self.gateway_names)}
        self._memories: dict[tuple[str, str], dict[str, bytes]] = {}
        self._ways: dict[str, Way] = {}
        # twice the topics of a well-behaved city; beyond it somebody makes topics up
        self._most_ways = 2 * len(channels) + 1_000

    @property
    def topics_remembered(self) -> int:
        """How many topics are resolved and kept; bounded, whatever topics come."""
        return len(self._ways)

    def way(self, topic: str) -> Way:
        """Where messages of this topic go."""
        way = self._ways.get(topic)
        if way is None:
            way = self._resolve(topic)
            if way.refusal is None:
                self._remember(topic, way)
        return way

    def _remember(self, topic: str, way: Way) -> None:
        if len(self._ways) >= self._most_ways:
            self._ways.clear()
        self._ways[topic] = way

    def _resolve(self, topic: str) -> Way:
        levels = tuple(topic.split("/"))
        if is_marker(topic) or topic == TICK_TOPIC:
            return self._way(_OWN_NUMBER, _OWN_READER, Address(levels, OWN, ""), {})
        route = self._routes.find(levels)
        if route is None or len(levels) < max(route.gateway_level, route.device_level):
            return _refused(_NO_READER, RejectReason.NO_ROUTE, "no route matches the topic")
        reader = self._readers[route.filter]
        for level in levels:
            if level not in reader.fixed and not is_identifier(level):
                detail = f"topic level {quoted(level)} is not an identifier"
                return _refused(reader, RejectReason.NO_ROUTE, detail)
        gateway, device = levels[route.gateway_level - 1], levels[route.device_level - 1]
        memory = MappingProxyType(self.memory(reader.codec.name, gateway))
        return self._identify(reader, Address(levels, gateway, device, memory))

    def memory(self, codec: str, gateway: str) -> dict[str, bytes]:
        """What a codec remembers of a gateway; made on the first question, kept for the catalogue's alone."""
        if gateway not in self._gateway_numbers:
            return {}
        return self._memories.setdefault((codec, gateway), {})

    def _way(self, gateway: int, reader: _Reader, address: Address, channels: Channels) -> Way:
        memory = self.memory(reader.codec.name, address.gateway)
        return Way(gateway, reader.codec, reader.decode, address, channels, reader.unlisted, memory)

    def _identify(self, reader: _Reader, address: Address) -> Way:
        gateway = self._gateway_numbers.get(address.gateway, _UNKNOWN_NUMBER)
        channels = self._devices.get((address.gateway, address.device))
        if channels is None and gateway != _UNKNOWN_NUMBER and address.device == address.gateway:
            channels = {}  # the gateway speaks of itself: births, statistics
        if channels is not None:
            return self._way(gateway, reader, address, channels)
        owners = self._gateways_of.get(address.device)
        if owners is None:
            detail = f"device {quoted(address.device)} is not in the catalogue"
            return _refused(reader, RejectReason.UNKNOWN_DEVICE, detail, gateway)
        detail = f"device {address.device} reports through {owners[0]}, not {address.gateway}"
        return _refused(reader, RejectReason.IDENTITY_MISMATCH, detail, gateway)


def _refused(reader: _Reader, reason: RejectReason, detail: str, gateway: int = _UNKNOWN_NUMBER) -> Way:
    nobody = Address((), "", "")
    return Way(gateway, reader.codec, reader.decode, nobody, {}, reader.unlisted, {}, (reason, detail))


def _unlisted(codec: Codec, ignore: Sequence[str]) -> Callable[[str], bool]:
    """Whether a channel may go unlisted: one that the codec calls auxiliary, or that the route ignores."""
    if not ignore:
        return codec.auxiliary.__contains__
    pattern = re.compile("|".join(translate(name) for name in ignore))
    return lambda channel: channel in codec.auxiliary or pattern.match(channel) is not None


def _codec(route: Route) -> Codec:
    try:
        return codecs()[route.codec]
    except KeyError:
        known = ", ".join(codecs())
        raise ValueError(f"route {route.filter}: codec {route.codec!r} is not one of {known}") from None


def _devices(channels: Mapping[Identity, Channel]) -> dict[tuple[str, str], dict[str, Channel]]:
    """(gateway, device) -> the device's channels."""
    devices: dict[tuple[str, str], dict[str, Channel]] = {}
    for (gateway, device, name), channel in channels.items():
        devices.setdefault((gateway, device), {})[name] = channel
    return devices


def _gateways_of(devices: Mapping[tuple[str, str], object]) -> dict[str, list[str]]:
    """Device -> the gateways that it may report through."""
    found: dict[str, list[str]] = {}
    for gateway, device in devices:
        found.setdefault(device, []).append(gateway)
    return found
