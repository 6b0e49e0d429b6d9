"""Datastreams that are computed from others: window sums, indices, margins, steps.

Every module of this package that has a `KIND` is one kind: `kinds()` finds them all. The package is scanned
rather than listed, so that a new kind is one new file and its test; a module that fails to import fails the
start, loudly. Called by the catalogue, by `huewatch check`, by the docs and by the writer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TYPE_CHECKING

from ingest.derive.checks import check_names
from ingest.derive.kind import Change, Computed, Derivation, Fault, Kind, Series

if TYPE_CHECKING:
    from ingest.catalog import Station
    from ingest.derive.settings import DerivedDatastream

__all__ = ["Change", "Computed", "Derivation", "Kind", "Series", "derivation", "kinds", "names", "problems"]

_MADE_OF_KINDS = "settings"  # asks for the kinds when it is imported


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind by name, in order of name; two of one name raise `ValueError`."""
    found: dict[str, Kind] = {}
    for entry in sorted(iter_modules(__path__), key=lambda entry: entry.name):
        if entry.name == _MADE_OF_KINDS:
            continue
        kind = getattr(import_module(f"{__name__}.{entry.name}"), "KIND", None)
        if kind is None:
            continue
        if kind.name in found:
            raise ValueError(f"two kinds are named {kind.name!r}; one of them is in {entry.name}.py")
        found[kind.name] = kind
    return MappingProxyType(dict(sorted(found.items())))


def names() -> tuple[str, ...]:
    """The names that the `kind` of a `derive:` may have."""
    return tuple(kinds())


def derivation(derived: DerivedDatastream, station: Station) -> Derivation:
    """A derived datastream of a station, ready to be computed; `ValueError` where its input is missing."""
    return kinds()[derived.derive.kind].build(derived.derive, station)


def problems(derived: DerivedDatastream, station: Station) -> Iterator[Fault]:
    """What is wrong with a derived datastream: (path below it, what, remedy)."""
    yield from check_names(derived, station)
    yield from kinds()[derived.derive.kind].problems(derived, derived.derive, station)
