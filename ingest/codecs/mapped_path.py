"""Where in a JSON message something stands: the path language of `mapped-json`.

A subset of JSONPath (RFC 9535) without its leading `$.`, and three words of its own:

    payload.level           member by member; ["a key"] or ['a.key'] where a name has dots, spaces or brackets
    sensors[0].value        one element of a list, from 0
    sensors[*]              every element of a list, every member of an object: in `each` only
    @                       the item itself, where a list holds plain values
    @key                    the item's own name, where `[*]` went over an object's members
    ^.ts                    one `[*]` further out (the message, where there is one only); ^.^.ts two

Whatever is not there is `ABSENT`, which no JSON value is. No filters, no recursive descent, no negative
indices: each path costs its own length, and `[*]` at most the message's. Pure. Used by `mapped_json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

MAX_STEPS: Final = 16  # of a path; real messages nest five deep
MAX_PATH: Final = 256  # characters of a path


class _Mark(Enum):
    ABSENT = "absent"
    EVERY = "every"


ABSENT: Final = _Mark.ABSENT
_EVERY: Final = _Mark.EVERY

_NAME: Final = r"[^\s.\[\]\"'*@^$]+"  # no $: who writes `$.a` means JSONPath's root, not a member "$"
_STEP: Final = re.compile(
    rf"""(?:\A|(?!\A)\.)(?P<name>{_NAME})
    |\[(?P<quote>["'])(?P<key>[^"']+)(?P=quote)\]
    |\[(?P<index>[0-9]{{1,5}})\]
    |\[(?P<every>\*)\]""",
    re.VERBOSE,
)
_OUT: Final = re.compile(r"\^(?:\.|(?=\[|\Z))")


@dataclass(frozen=True, slots=True)
class Path:
    """A path made ready: how many `[*]` to go out, then the steps; or the item's own name."""

    text: str
    out: int
    steps: tuple[str | int | _Mark, ...]
    own_name: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A value in a message, its name in the object around it, and the item whose `[*]` led to it."""

    value: Any
    name: str | None = None
    outer: Item | None = None


def parse_path(text: str, *, every: bool = False) -> Path:
    """The path that a text writes, one with `[*]` or one without; `ValueError` says what is wrong with it."""
    if len(text) > MAX_PATH:
        raise ValueError(f"a path has at most {MAX_PATH} characters")
    out, rest = 0, text
    while match := _OUT.match(rest):
        out, rest = out + 1, rest[match.end() :]
    if rest == "@key":
        steps: list[str | int | _Mark] = []
    elif rest == "@" or (out and not rest):
        steps = []
    else:
        steps = list(_steps(text, rest))
    if len(steps) > MAX_STEPS:
        raise ValueError(f"path {text!r} has more than {MAX_STEPS} steps")
    if every and _EVERY not in steps:
        raise ValueError(f"path {text!r} goes over nothing: write [*] after the list, such as sensors[*]")
    if not every and _EVERY in steps:
        raise ValueError(f"path {text!r} has a [*]: give the list by `each`, and the rest relative to it")
    return Path(text, out, tuple(steps), rest == "@key")


def _steps(text: str, rest: str) -> Iterator[str | int | _Mark]:
    position = 0
    while position < len(rest) or not rest:
        match = _STEP.match(rest, position)
        if match is None:
            raise ValueError(
                f"path {text!r} cannot be read from {rest[position:]!r} on: write it as payload.level, "
                'sensors[0].value or payload["a key"]'
            )
        position = match.end()
        if match["every"]:
            yield _EVERY
        elif match["index"]:
            yield int(match["index"])
        else:
            yield match["name"] or match["key"]


def find(path: Path, item: Item) -> Any:
    """The value at a path without `[*]`, or `ABSENT`."""
    start = _further_out(path, item)
    if start is None:
        return ABSENT
    if path.own_name:
        return ABSENT if start.name is None else start.name
    value = start.value
    for step in path.steps:
        value = _member(value, step)
        if value is ABSENT:
            return ABSENT
    return value


def items(path: Path, item: Item) -> Iterator[Item]:
    """Every item that a path with `[*]` leads to, in the message's order."""
    start = _further_out(path, item)
    return iter(()) if start is None else _walk(path.steps, start.value, start)


def _walk(steps: tuple[str | int | _Mark, ...], value: Any, item: Item) -> Iterator[Item]:
    """`item` is where the last `[*]` was; the steps since then have led to `value`.

    An item of an outer `[*]` without what the path wants in it is itself one, with `ABSENT` in the place of
    what is missing, lest one sensor of many falls silent unseen.
    """
    for number, step in enumerate(steps):
        if step is _EVERY:
            empty = True
            for inner in _members(value, item):
                empty = False
                yield from _walk(steps[number + 1 :], inner.value, inner)
            if empty and item.outer is not None:
                yield Item(ABSENT, None, item)
            return
        value = _member(value, step)
        if value is ABSENT and item.outer is None:
            return
    yield Item(value, item.name, item.outer)


def _members(value: Any, outer: Item) -> Iterator[Item]:
    if isinstance(value, list):
        return (Item(element, None, outer) for element in value)
    if isinstance(value, dict):
        return (Item(member, name, outer) for name, member in value.items())
    return iter(())


def _member(value: Any, step: str | int | _Mark) -> Any:
    if isinstance(value, dict):
        return value.get(step, ABSENT) if isinstance(step, str) else ABSENT
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return ABSENT


def _further_out(path: Path, item: Item) -> Item | None:
    found: Item | None = item
    for _ in range(path.out):
        found = None if found is None else found.outer
    return found
