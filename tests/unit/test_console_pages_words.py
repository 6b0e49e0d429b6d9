"""What the server can say in a word of its own on the console's pages, they say in both languages."""

import re
from pathlib import Path

import pytest

import alerts
from alerts.api.models_data import Gateway
from alerts.forecast.outlook import Withheld
from ingest.installation import Reference
from ingest.model import Quality, RejectReason
from ingest.quality import Test

TABLE = (Path(alerts.__file__).parent / "console" / "words-pages.js").read_text(encoding="utf-8")
KEYS = set(re.findall(r"^  (\w+): \[", TABLE, re.MULTILINE))
STATES = re.findall(r"'(\w+)'", str(Gateway.model_fields["state"].annotation))
NEEDED = [
    *(f"reject_{reason}" for reason in RejectReason),
    *(f"withheld_{reason}" for reason in Withheld),
    *(f"test_{test.name.lower()}" for test in Test),
    *(f"flag_{int(flag)}" for flag in Quality),
    *(f"reference_{each}" for each in Reference),
    *(f"gateway_{state}" for state in STATES),
    "gap_session_lost",
    "gap_first_session",
]


@pytest.mark.parametrize("key", NEEDED)
def test_the_pages_have_a_word_for_what_the_server_says(key: str) -> None:
    assert key in KEYS


def test_the_states_of_gateways_were_read() -> None:
    assert {"heard", "silent", "never"} <= set(STATES)
