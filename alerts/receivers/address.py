"""Which addresses a webhook may be sent to, so that nobody makes us talk to our own network. Pure.

Public unicast addresses, and with `allow_private` those of private networks and of this machine. Never a
link-local address (169.254.169.254 and its like hand out a cloud machine's own rights), multicast or what is
reserved; an IPv4 address inside an IPv6 one counts as itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

SHARED = ip_network("100.64.0.0/10")  # RFC 6598: a provider's own, neither private nor global
NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))  # RFC 6052, RFC 8215
METADATA = ip_address("fd00:ec2::254")  # the link-local ones are refused as such


class Forbidden(ValueError):
    """An address to which nothing is sent; the message says why."""


def check(addresses: Sequence[str], *, allow_private: bool) -> None:
    """Raise `Forbidden` if there is none, or if any is not allowed: a name is as good as its worst."""
    if not addresses:
        raise Forbidden("the name has no address")
    for text in addresses:
        reason = refusal(text, allow_private=allow_private)
        if reason is not None:
            raise Forbidden(f"{text} is {reason}")


def refusal(text: str, *, allow_private: bool) -> str | None:
    """What is wrong with an address, None where nothing is."""
    address = _inner(ip_address(text.partition("%")[0]))
    if address.is_link_local or address == METADATA:
        return "a link-local or metadata address"
    if address.is_multicast:
        return "a multicast address"
    if is_private(address):
        return None if allow_private else "a private address"
    return None if address.is_global else "a reserved address"


def is_private(address: Address) -> bool:
    """Whether it is of a private network or of this machine."""
    if address.is_loopback:
        return True
    if address.is_unspecified or address.is_reserved:
        return False
    if isinstance(address, IPv4Address):
        return address in SHARED or any(address in network for network in _PRIVATE_4)
    return address in _PRIVATE_6


def only_private(addresses: Sequence[str]) -> bool:
    """Whether all of them are of private networks or of this machine."""
    return all(is_private(_inner(ip_address(text.partition("%")[0]))) for text in addresses)


# RFC 1918 and RFC 4193; `ip_address.is_private` has documentation and benchmark networks too.
_PRIVATE_4 = tuple(ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_PRIVATE_6 = IPv6Network("fc00::/7")


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
