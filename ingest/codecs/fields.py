"""What the fields of a JSON object are worth: numbers, or words that the normaliser refuses one by one.

For formats whose values are JSON values. One odd field never takes the others with it, so nothing here
raises, except for an object of more fields than any message may have. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.codecs.base import MAX_READINGS, MAX_WORD, Undecodable, channel_word
from ingest.codecs.device import measured
from ingest.model import RejectReason

MAX_DEPTH = 4  # objects and arrays within each other; known devices have two

Path = tuple[str, ...]


def scalar(value: object) -> float | str:
    """A number as it is; a text, a boolean, null, an object and an array as a word. "12.5" is a text."""
    return value[:MAX_WORD] if isinstance(value, str) else measured("", value, None).value


def leaves(fields: Mapping[str, Any]) -> list[tuple[Path, Any]]:
    """The innermost fields of an object by their names from the outside in; an array's are "[1]", "[2]".

    An object or array without fields is one itself, lest a sensor that says nothing any more goes unseen.
    Names are cut where no channel reaches.
    """
    found: list[tuple[Path, Any]] = []
    for leaf in _leaves(fields, ()):
        if len(found) >= MAX_READINGS:
            raise Undecodable(RejectReason.UNDECODABLE, f"more than {MAX_READINGS} fields")
        found.append(leaf)
    return found


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and len(path) < MAX_DEPTH:
        for name, field in value.items():
            yield from _leaves(field, (*path, name[: MAX_WORD + 1]))
    elif isinstance(value, list) and value and len(path) < MAX_DEPTH:
        for place, field in enumerate(value, start=1):
            yield from _leaves(field, (*path, f"[{place}]"))
    elif path:
        yield path, value


def channel_name(path: Path) -> str:
    """The channel of a field: `SR04.Distance`, `ENERGY.Power[2]`."""
    return channel_word(".".join(path).replace(".[", "["))
