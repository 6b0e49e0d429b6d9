"""Damage for payloads: what a bad line, a cut write, a careless programmer or a spiteful one does to them.

`mutated` gives another payload by a source of chance: bytes flipped, cut, doubled, inserted; and of JSON a
value replaced by one of `NASTY`, a key doubled, renamed or left out, base64 damaged in its quotes. Now and
then it does several at a time.
"""

from __future__ import annotations

import json
import random
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

MOST_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Raw:
    """A piece of JSON as it is written, since some of it no encoder would write."""

    text: str


NASTY = tuple(
    Raw(text)
    for text in (
        *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", "5e-324", "-0.0", "0", "-1", "2.5"),
        *("true", "false", "null", '""', '"12.5"', '"NaN"', '"1e999"', '" "', '"\\u0000"', '"\\u202e5.21"'),
        *("9" * 400, "9" * 4_299, "9" * 5_000, f'"{"9" * 400}"', f"0.{'3' * 400}", "18446744073709551616"),
        *("9223372036854775807", "-9223372036854775809", "1e18", "4294967296", "1e300", "-1e300"),
        *('"\\ud800"', '"\\udc00\\ud800"', f'"{"x" * 65}"', f'"{"x" * 5_000}"', f'"{chr(0x1F600) * 70}"'),
        *("[]", "{}", "[[]]", "[null]", '{"":1}', f'{{"{"k" * 300}":1}}', '{"a":{"a":{"a":{"a":{"a":1}}}}}'),
        *("[" * 201 + "]" * 201, "[" * 980 + "]" * 980, "[" * 5_000, '{"a":' * 500 + "1" + "}" * 500),
        *(f"[{','.join(['1'] * 1_001)}]", f"[{','.join(['{}'] * 1_001)}]"),
        *('"1970-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999999Z"', '"0001-01-01T00:00:00+14:00"'),
        *('"2025-10-27T20:00:00"', '"No Sensor"', '"1208 mm"', '"12,5"', "1761570000", "1761570000000"),
    )
)


def mutated(rng: random.Random, payload: bytes) -> bytes:
    """The payload with one to three kinds of damage."""
    for _ in range(rng.choice((1, 1, 1, 2, MOST_AT_ONCE))):
        payload = rng.choice(_KINDS)(rng, payload)
    return payload


def _flipped(rng: random.Random, payload: bytes) -> bytes:
    damaged = bytearray(payload or b"\x00")
    for _ in range(rng.randint(1, 3)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _cut(rng: random.Random, payload: bytes) -> bytes:
    return payload[: rng.randint(0, len(payload))]


def _doubled(rng: random.Random, payload: bytes) -> bytes:
    begin, end = sorted(rng.randint(0, len(payload)) for _ in range(2))
    return payload[:end] + payload[begin:end] * rng.choice((1, 1, 2, 20)) + payload[end:]


def _without_a_slice(rng: random.Random, payload: bytes) -> bytes:
    begin, end = sorted(rng.randint(0, len(payload)) for _ in range(2))
    return payload[:begin] + payload[end:]


def _with_bytes(rng: random.Random, payload: bytes) -> bytes:
    at = rng.randint(0, len(payload))
    return payload[:at] + rng.randbytes(rng.randint(1, 4)) + payload[at + rng.randint(0, 4) :]


def _json(rng: random.Random, payload: bytes) -> bytes:
    """One place of a JSON payload changed; bytes flipped where it is none."""
    try:
        tree = json.loads(payload)
        changed = rng.choice(_CHANGES)(rng, tree, rng.choice(_places(tree, ())))
        return _written(changed).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return _flipped(rng, payload)


Place = tuple[str | int, ...]
Change = Callable[[random.Random, Any, Place], Any]


def _places(tree: Any, here: Place) -> Sequence[Place]:
    inner: list[Place] = [here]
    if isinstance(tree, dict):
        for key, value in tree.items():
            inner += _places(value, (*here, key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree[:50]):
            inner += _places(value, (*here, number))
    return inner


def _replace(_rng: random.Random, tree: Any, place: Place, value: Any) -> Any:
    """The tree with another value at a place."""
    if not place:
        return value
    around = tree
    for step in place[:-1]:
        around = around[step]
    around[place[-1]] = value
    return tree


def _at(tree: Any, place: Place) -> Any:
    for step in place:
        tree = tree[step]
    return tree


def _with_nasty(rng: random.Random, tree: Any, place: Place) -> Any:
    return _replace(rng, tree, place, rng.choice(NASTY))


def _with_another(rng: random.Random, tree: Any, place: Place) -> Any:
    """A value from another place of the same message."""
    other = _written(_at(tree, rng.choice(_places(tree, ()))))
    return _replace(rng, tree, place, Raw(other))


def _without(_rng: random.Random, tree: Any, place: Place) -> Any:
    if not place:
        return {}
    around = _at(tree, place[:-1])
    del around[place[-1]]
    return tree


def _key_twice(rng: random.Random, tree: Any, place: Place) -> Any:
    """An object whose key comes twice, the second time with something else."""
    keys = [step for step in place if isinstance(step, str)]
    if not keys:
        return _with_nasty(rng, tree, place)
    at = max(number for number, step in enumerate(place) if isinstance(step, str))
    around, key = _at(tree, place[:at]), place[at]
    written = _written(around)
    twice = f"{written[:-1]},{json.dumps(key)}:{rng.choice(NASTY).text}}}"
    return _replace(rng, tree, place[:at], Raw(twice))


def _renamed(rng: random.Random, tree: Any, place: Place) -> Any:
    if not place or not isinstance(place[-1], str):
        return _with_nasty(rng, tree, place)
    around = _at(tree, place[:-1])
    value, name = around.pop(place[-1]), place[-1]
    around[rng.choice((f"{name}_", name.upper(), "", "x" * 70, f"{name} ", "\u0000", "é" * 64))] = value
    return tree


def _many(rng: random.Random, tree: Any, place: Place) -> Any:
    """A list or an object of many of what was one."""
    inner = _written(_at(tree, place))
    if rng.random() < 0.5:
        return _replace(rng, tree, place, Raw(f"[{','.join([inner[:200]] * 3)}]"))
    fields = ",".join(f'"k{number}":{inner}' for number in range(rng.choice((2, 30))))
    return _replace(rng, tree, place, Raw(f"{{{fields}}}"))


def _base64(rng: random.Random, tree: Any, place: Place) -> Any:
    """Damage inside the quotes of base64."""
    value = _at(tree, place)
    try:
        frame = b64decode(value, validate=True) if isinstance(value, str) and value else b""
    except ValueError:
        frame = b""
    if not frame:
        return _with_nasty(rng, tree, place)
    damaged = rng.choice((_flipped, _cut, _doubled, _with_bytes))(rng, frame)
    return _replace(rng, tree, place, b64encode(damaged).decode())


def _written(tree: Any) -> str:
    if isinstance(tree, Raw):
        return tree.text
    if isinstance(tree, dict):
        return f"{{{','.join(f'{json.dumps(key)}:{_written(value)}' for key, value in tree.items())}}}"
    if isinstance(tree, list):
        return f"[{','.join(map(_written, tree))}]"
    return json.dumps(tree, ensure_ascii=False)


_CHANGES: Sequence[Change] = (
    *(_with_nasty,) * 4,
    _with_another,
    _without,
    _key_twice,
    _renamed,
    _many,
    *(_base64,) * 2,
)
_KINDS = (_flipped, _cut, _doubled, _without_a_slice, _with_bytes, *(_json,) * 5)
