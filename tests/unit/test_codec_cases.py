"""Golden cases: `tests/cases/<codec>/<case>/{topic.txt,payload.bin,expected.json}`, one test each.

The bytes come from vendors' documents, so that a codec and the simulator cannot agree on a shared mistake.
`expected.json` names the identities in the topic and either `readings` (and `nature`), or `undecodable`
with the reason, or `no_readings`. Optional in it: `settings` of the route; `time_source` of a reading
("DEVICE" when absent), its `quality` and its `age` in microseconds; `remember`, the keys that the codec then
keeps; `requests`, the topics that it asks something on. Messages before it, for a format with a memory,
lie in `before-1`, `before-2`, ..., each with its own topic.txt and payload.bin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ingest.clock import to_micros
from ingest.codecs import Address, NoReadings, Undecodable, codecs
from ingest.model import Quality, Reading, TimeSource

ROOT = Path(__file__).parent.parent / "cases"
CASES = sorted(path.parent for path in ROOT.glob("*/*/expected.json"))


def decode(case: Path, expected: dict[str, Any]) -> Any:
    decoder = codecs()[case.parent.name].decoder(expected.get("settings", {}))
    memory: dict[str, bytes] = {}
    for folder in (*sorted(case.glob("before-*")), case):
        levels = tuple((folder / "topic.txt").read_text().strip().split("/"))
        address = Address(levels, expected["gateway"], expected["device"], MappingProxyType(memory))
        if folder == case:
            return decoder(address, (folder / "payload.bin").read_bytes())
        with suppress(NoReadings):
            remember(memory, decoder(address, (folder / "payload.bin").read_bytes()).remember)
    raise AssertionError("a case has a payload of its own")


def remember(memory: dict[str, bytes], news: Mapping[str, bytes]) -> None:
    memory.update(news)
    for key in [key for key, value in memory.items() if not value]:
        del memory[key]


def reading(device: str, row: dict[str, Any]) -> Reading:
    time = None if row["time"] is None else to_micros(datetime.fromisoformat(row["time"]))
    source = TimeSource[row.get("time_source", "DEVICE")]
    quality = Quality[row.get("quality", "NOT_EVALUATED")]
    return Reading(
        device, row["channel"], row["value"], row["unit"], time, source, row.get("age", 0), quality
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_codec_reads_the_golden_case(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text())
    if "undecodable" in expected:
        with pytest.raises(Undecodable) as raised:
            decode(case, expected)
        assert raised.value.reason == expected["undecodable"]
        assert raised.value.detail
        assert sorted(raised.value.remember) == expected.get("remember", [])
        assert [request.topic for request in raised.value.requests] == expected.get("requests", [])
    elif "no_readings" in expected:
        with pytest.raises(NoReadings):
            decode(case, expected)
    else:
        decoded = decode(case, expected)
        assert list(decoded.readings) == [reading(expected["device"], row) for row in expected["readings"]]
        assert decoded.nature == expected.get("nature")
        assert sorted(decoded.remember) == expected.get("remember", [])
        assert [request.topic for request in decoded.requests] == expected.get("requests", [])


def test_every_codec_has_cases_and_every_case_a_codec() -> None:
    assert {case.parent.name for case in CASES} == set(codecs())
    assert len(CASES) >= 150
