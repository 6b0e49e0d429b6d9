"""The golden cases as material for fuzzing, and what must be true of a codec's outcome for any bytes.

Each codec is covered by construction: its cases bring its topics, settings and memory. `judge` raises
`AssertionError` for a reading or an error that is not in order; an exception that a codec may not raise
passes through it. Used by the property tests and by `tests/fuzz`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from ingest.codecs import Address, Decoded, NoReadings, Undecodable, codecs
from ingest.codecs.base import MAX_READINGS, MAX_WORD, Decode
from ingest.model import Quality, Reading, RejectReason, Request, TimeSource

ROOT = Path(__file__).parent.parent / "cases"
LONGEST_DETAIL = 400  # of a reason in words: it is printed in one line
LONGEST_AGE = 2**61  # microseconds: what a column still holds when it is taken off an arrival


@dataclass(frozen=True, slots=True)
class Golden:
    """A golden payload, and how its route reads it."""

    name: str
    address: Address
    payload: bytes
    decode: Decode

    def outcome(self, payload: bytes) -> Decoded | Undecodable | None:
        """What becomes of other bytes on the same route, judged; None: no readings."""
        return outcome(self.decode, self.address, payload)


@cache
def goldens(codec: str) -> Sequence[Golden]:
    """The cases of a codec, in order of name."""
    return tuple(_golden(path.parent) for path in sorted(ROOT.glob(f"{codec}/*/expected.json")))


def _golden(case: Path) -> Golden:
    expected = json.loads((case / "expected.json").read_text())
    decode = codecs()[case.parent.name].decoder(expected.get("settings", {}))
    memory: dict[str, bytes] = {}

    def address(folder: Path) -> Address:
        levels = tuple((folder / "topic.txt").read_text().strip().split("/"))
        return Address(levels, expected["gateway"], expected["device"], MappingProxyType(memory))

    for folder in sorted(case.glob("before-*")):
        with suppress(NoReadings):
            memory |= _remembered(decode, address(folder), (folder / "payload.bin").read_bytes())
            for key in [key for key, value in memory.items() if not value]:
                del memory[key]
    return Golden(case.name, address(case), (case / "payload.bin").read_bytes(), decode)


def _remembered(decode: Decode, address: Address, payload: bytes) -> dict[str, bytes]:
    try:
        return dict(decode(address, payload).remember)
    except Undecodable as error:
        return dict(error.remember)


def outcome(decode: Decode, address: Address, payload: bytes) -> Decoded | Undecodable | None:
    """Decode, and judge what comes out."""
    try:
        decoded = decode(address, payload)
    except NoReadings:
        return None
    except Undecodable as error:
        judge_error(error)
        return error
    judge(decoded)
    return decoded


def judge_error(error: Undecodable) -> None:
    """An error is one short printable line, with a reason of the list."""
    assert isinstance(error.reason, RejectReason)
    assert 0 < len(error.detail) <= LONGEST_DETAIL, len(error.detail)
    assert error.detail.isascii()
    assert error.detail.isprintable(), error.detail
    _judge_news(error)


def judge(decoded: Decoded) -> None:
    """Everything in order: the normaliser may take it for granted."""
    assert len(decoded.readings) <= MAX_READINGS
    for reading in decoded.readings:
        assert _in_order(reading), reading
    assert decoded.nature is None or isinstance(decoded.nature, str)
    _judge_news(decoded)


def _in_order(reading: Reading) -> bool:
    """Of a channel or unit one character more than the longest may be left, to tell that it was longer."""
    value = reading.value
    return (
        _is_word(reading.device)
        and _is_word(reading.channel)
        and reading.channel != ""
        and (_is_word(value) if isinstance(value, str) else type(value) is float and math.isfinite(value))
        and (reading.unit is None or _is_word(reading.unit))
        and (reading.time is None or type(reading.time) is int)
        and type(reading.time_source) is TimeSource
        and type(reading.age) is int
        and abs(reading.age) <= LONGEST_AGE
        and type(reading.quality) is Quality
    )


def _is_word(text: object) -> bool:
    if not isinstance(text, str) or len(text) > MAX_WORD + 1:
        return False
    text.encode()  # no lone surrogates
    return True


def _judge_news(said: Decoded | Undecodable) -> None:
    for key, value in said.remember.items():
        assert isinstance(key, str)
        assert isinstance(value, bytes)
    for request in said.requests:
        assert type(request) is Request
        assert isinstance(request.topic, str)
        assert isinstance(request.payload, bytes)
