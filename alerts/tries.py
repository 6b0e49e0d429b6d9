"""How often a peer may fail to say who it is before its failures are no longer worth an answer. Pure.

Only failures count and only failures are refused: who has the right secret gets in from the same address, so
nobody can lock out those who share it (a proxy, an office). What makes guessing hopeless are 256 bits.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

AT_ONCE = 20  # a person who pastes wrongly, a service that starts again and again with an old token
PAUSE_S = 3.0  # then one more each 3 s
PEERS = 10_000  # remembered, a megabyte or two; the one that failed longest ago is forgotten first


class Tries:
    """Failures by peer. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._paid_at: OrderedDict[str, float] = OrderedDict()  # when a peer's failures will be forgiven

    def wait(self, peer: str, now: float) -> float:
        """Seconds until a failure of this peer would be answered again; 0 while it would be."""
        paid_at = self._paid_at.get(network(peer), now)
        return max(0.0, paid_at - now - (AT_ONCE - 1) * PAUSE_S)

    def failed(self, peer: str, now: float) -> None:
        """Count one more."""
        key = network(peer)
        paid_at = max(self._paid_at.pop(key, now), now)
        self._paid_at[key] = min(paid_at, now + AT_ONCE * PAUSE_S) + PAUSE_S
        if len(self._paid_at) > PEERS:
            self._paid_at.popitem(last=False)


def network(peer: str) -> str:
    """What counts as one peer: an IPv4 address, the /64 that an IPv6 subscriber has whole."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
