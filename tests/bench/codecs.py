"""What decoding costs, codec by codec, on the golden cases that have readings."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ingest.codecs import Address, NoReadings, codecs

CASES = Path(__file__).parent.parent / "cases"
REPEATS, ROUNDS = 200, 5


def decode_costs() -> dict[str, float]:
    """Microseconds for one message, the median over a codec's readable cases."""
    costs: dict[str, list[float]] = {}
    for case in sorted(CASES.glob("*/*/expected.json")):
        expected = json.loads(case.read_text())
        if "readings" in expected:
            costs.setdefault(case.parent.parent.name, []).append(_cost(case.parent, expected))
    return {name: statistics.median(each) for name, each in sorted(costs.items())}


def _cost(case: Path, expected: dict[str, Any]) -> float:
    """The quickest of some rounds: whatever else the machine does can only add to it."""
    decode = codecs()[case.parent.name].decoder(expected.get("settings", {}))
    memory: dict[str, bytes] = {}
    for before in sorted(case.glob("before-*")):
        try:
            memory.update(
                decode(_address(before, expected, memory), (before / "payload.bin").read_bytes()).remember
            )
        except NoReadings:
            continue
    address, payload = _address(case, expected, memory), (case / "payload.bin").read_bytes()
    best = min(_round(decode, address, payload) for _ in range(ROUNDS))
    return best / REPEATS * 1e6


def _round(decode: Any, address: Address, payload: bytes) -> float:
    begun = time.perf_counter()
    for _ in range(REPEATS):
        decode(address, payload)
    return time.perf_counter() - begun


def _address(folder: Path, expected: dict[str, Any], memory: dict[str, bytes]) -> Address:
    levels = tuple((folder / "topic.txt").read_text().strip().split("/"))
    return Address(levels, expected["gateway"], expected["device"], MappingProxyType(memory))
