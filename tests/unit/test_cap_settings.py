"""What a receiver of kind `cap` may be told, and what it refuses at the start."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.receivers.cap import CapSettings, cap_receiver
from ingest.clock import system_clock
from ingest.model import Nature
from ingest.yaml_lines import ConfigError
from tests.support.feed import catalogue

GIVEN: dict[str, Any] = {
    "name": "cap",
    "natures": ["Exercise"],
    "sender": "ioc@example.vn",
    "sender_name": {"vi": "Trung tâm", "en": "Centre"},
    "web": "https://ioc.example.vn",
    "contact": "19001075",
}


def read(**changes: Any) -> CapSettings:
    """As a file gives them."""
    return CapSettings.model_validate_json(json.dumps(GIVEN | changes))


def test_the_issuer_is_as_the_settings_say() -> None:
    settings = read(renew="2h", proposals={"Severe": {"vi": "Kê cao.", "en": "Raise."}})
    assert settings.natures == {Nature.EXERCISE}
    assert (settings.issuer.sender, settings.issuer.renew) == ("ioc@example.vn", 7_200_000_000)
    assert settings.issuer.public is False


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "ioc, Huế"},
        {"sender": "a<b"},
        {"web": "ioc.example.vn"},
        {"contact": "<b>19001075</b>"},
        {"contact": ""},
        {"sender_name": {"vi": "Trung\ntâm", "en": "Centre"}},
        {"proposals": {"Severe": {"vi": "Kê cao.", "en": "Kê cao."}}},
        {"proposals": {"Bad": {"vi": "a", "en": "b"}}},
        {"radius_km": 0},
        {"key_file": "/run/secrets/city.key"},
        {"unknown": 1},
    ],
)
def test_what_no_message_could_carry_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(**changes)


def test_an_unreadable_key_ends_the_start(tmp_path: Path) -> None:
    settings = read(key_file=str(tmp_path / "no.key"), certificate_file=str(tmp_path / "no.crt"))
    with pytest.raises(ConfigError) as refused:
        cap_receiver(settings, "postgresql://nowhere", catalogue(), system_clock())
    assert "no.key" in str(refused.value.problems[0])
