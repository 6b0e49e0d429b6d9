"""Golden cases: `tests/cases/<codec>/<case>/{topic.txt,payload.bin,expected.json}`, one test each.

The bytes come from vendors' documents, so that a codec and the simulator cannot agree on a shared mistake.
`expected.json` names the identities in the topic and either `readings` (and `nature`), or `undecodable`
with the reason, or `no_readings`.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.clock import to_micros
from ingest.codecs import Address, NoReadings, Undecodable, codecs
from ingest.model import Reading

ROOT = Path(__file__).parent.parent / "cases"
CASES = sorted(path.parent for path in ROOT.glob("*/*/expected.json"))


def decode(case: Path, expected: dict[str, Any]) -> Any:
    levels = tuple((case / "topic.txt").read_text().strip().split("/"))
    address = Address(levels, expected["gateway"], expected["device"])
    return codecs()[case.parent.name].decode(address, (case / "payload.bin").read_bytes())


def reading(device: str, row: dict[str, Any]) -> Reading:
    time = None if row["time"] is None else to_micros(datetime.fromisoformat(row["time"]))
    return Reading(device, row["channel"], row["value"], row["unit"], time)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_codec_reads_the_golden_case(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text())
    if "undecodable" in expected:
        with pytest.raises(Undecodable) as raised:
            decode(case, expected)
        assert raised.value.reason == expected["undecodable"]
        assert raised.value.detail
    elif "no_readings" in expected:
        with pytest.raises(NoReadings):
            decode(case, expected)
    else:
        decoded = decode(case, expected)
        assert list(decoded.readings) == [reading(expected["device"], row) for row in expected["readings"]]
        assert decoded.nature == expected.get("nature")


def test_every_codec_has_cases_and_every_case_a_codec() -> None:
    assert {case.parent.name for case in CASES} == set(codecs())
    assert len(CASES) >= 30
