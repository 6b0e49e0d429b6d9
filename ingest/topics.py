"""Topics: Huewatch's own, what a topic level may look like, and which route a topic takes.

The topic is the only identity that can be trusted: the broker's ACL ties it to the publisher's
certificate, and tells the subscriber nothing else of who published. Pure. Called by the normaliser.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from ingest.catalog import Route
from ingest.model import RawMessage

MARKER_PREFIX = "huewatch/marker/"  # published by the subscriber to itself, to see the backlog's end
TICK_TOPIC = "huewatch/tick"  # the logical time of a demo, {"now": microseconds}

# One alphabet for everything that becomes a key, a file name or a metric label. `fullmatch`, since `$`
# would let a trailing newline pass.
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:()-]{0,63}")


class _Tick(msgspec.Struct, forbid_unknown_fields=True):
    now: int


_TICK = msgspec.json.Decoder(_Tick)


def is_marker(topic: str) -> bool:
    """Whether the topic is that of a subscriber's own marker."""
    return topic.startswith(MARKER_PREFIX)


def tick_of(message: RawMessage) -> int | None:
    """The time (microseconds) that a tick carries; None for every other message and a malformed tick."""
    return tick_at(message.payload) if message.topic == TICK_TOPIC else None


def tick_at(payload: bytes) -> int | None:
    """The time that a tick's payload carries, None when it is malformed."""
    try:
        return _TICK.decode(payload).now
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def is_identifier(level: str) -> bool:
    """Whether a topic level may be an identity: 1 to 64 of A-Z a-z 0-9 . _ @ : ( ) -, not a sign first."""
    return _IDENTIFIER.fullmatch(level) is not None


def matches(pattern: Sequence[str], levels: Sequence[str]) -> bool:
    """Whether topic levels match a filter's levels (MQTT 5, 4.7; `#` also matches its parent)."""
    if pattern and pattern[-1] == "#":
        pattern, levels = pattern[:-1], levels[: len(pattern) - 1]
    return len(pattern) == len(levels) and all(
        want in ("+", level) for want, level in zip(pattern, levels, strict=True)
    )


class RouteFinder:
    """Routes, ready to be asked for the one that a topic takes: by first level, so that few are compared."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._of_first: dict[str, list[tuple[tuple[str, ...], Route]]] = {}
        for route in routes:
            pattern = tuple(route.filter.split("/"))
            self._of_first.setdefault(pattern[0], []).append((pattern, route))

    def find(self, levels: Sequence[str]) -> Route | None:
        """The route whose filter matches; there is at most one, since overlapping filters are refused."""
        for first in (levels[0], "+", "#"):
            for pattern, route in self._of_first.get(first, ()):
                if matches(pattern, levels):
                    return route
        return None
