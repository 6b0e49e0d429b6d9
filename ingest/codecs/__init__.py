"""The codecs, one payload format per module: `codecs()` finds them all.

Every module of this package that has a `CODEC` is one. The package is scanned rather than listed, so that
a new format is one new file and its test, and two people who add one each do not meet in a list; a module
that fails to import fails the start, loudly. Called by the normaliser, `huewatch check` and the docs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from ingest.codecs.base import Address, Codec, CodecSettings, Decoded, NoReadings, Undecodable

__all__ = ["Address", "Codec", "CodecSettings", "Decoded", "NoReadings", "Undecodable", "codecs", "names"]


@cache
def codecs() -> Mapping[str, Codec]:
    """Every codec by name, in order of name; two of one name raise `ValueError`."""
    found: dict[str, Codec] = {}
    for entry in sorted(iter_modules(__path__), key=lambda entry: entry.name):
        codec = getattr(import_module(f"{__name__}.{entry.name}"), "CODEC", None)
        if codec is None:
            continue
        if codec.name in found:
            raise ValueError(f"two codecs are named {codec.name!r}; one of them is in {entry.name}.py")
        found[codec.name] = codec
    return MappingProxyType(dict(sorted(found.items())))


def names() -> tuple[str, ...]:
    """The names that a route's `codec` may have."""
    return tuple(codecs())
