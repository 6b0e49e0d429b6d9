"""config/README.md names everything that can be configured or read off: a gap there is a failure here."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

import alerts.feed_metrics
import alerts.sink
import ingest.metrics
from alerts.rules import KINDS
from alerts.rules.book import rules_schema
from ingest.catalog import load_catalogue
from ingest.codecs import codecs
from ingest.codecs.lorawan import DEVICES
from ingest.model import RejectReason
from ingest.settings import PREFIX, SECRETS, Settings, load_settings

CONFIG = Path(__file__).parents[2] / "config"
METRICS = (*ingest.metrics.ALL, *alerts.sink.METRICS, *alerts.feed_metrics.ALL)
README = (CONFIG / "README.md").read_text(encoding="utf-8")


def first_cells(section: str) -> dict[str, str]:
    """The names in the first column of a section's table, each with its whole row."""
    body = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \|.*$", body, flags=re.MULTILINE)
    lines = [line for line in body.splitlines() if line.startswith("| `")]
    return dict(zip(rows, lines, strict=True))


def metric_names(metrics: Iterable[MetricWrapperBase]) -> set[str]:
    return {family.name for metric in metrics for family in metric.describe()}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("Settings", set(Settings.model_fields)),
        ("Codecs", set(codecs())),
        ("Reject reasons", {reason.value for reason in RejectReason}),
        ("Rule kinds", set(KINDS)),
        ("Metrics", metric_names(METRICS)),
    ],
)
def test_a_section_documents_exactly_what_exists(section: str, expected: set[str]) -> None:
    documented = set(first_cells(section))
    assert documented == expected


def test_the_defaults_documented_are_the_defaults() -> None:
    rows = first_cells("Settings")
    for name, value in load_settings(environ={}).settings:
        default = Settings.model_fields[name].default
        if isinstance(default, int | str) and not isinstance(default, bool):
            assert f"| {value} |" in rows[name] or f"| `{value}` |" in rows[name], rows[name]


def test_every_secret_documents_its_file_variable() -> None:
    for name in SECRETS:
        assert f"`{PREFIX}{name.upper()}_FILE`" in README


def test_the_examples_of_the_page_load(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "city.yaml").write_text(example, encoding="utf-8")
    assert [station.id for station in load_catalogue(tmp_path).stations] == ["HUE-FL-MINE"]
    (toml,) = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "huewatch.toml").write_text(toml, encoding="utf-8")
    assert load_settings(file=tmp_path / "huewatch.toml", environ={}).settings.broker_port == 8883
    assert all(json.loads(text) for text in re.findall(r"```json\n(.*?)```", README, flags=re.DOTALL))


def subsections(section: str) -> dict[str, str]:
    """Heading -> text of what a section is divided into."""
    body = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    parts = (part.partition("\n") for part in body.split("\n### ")[1:])
    return {heading: text for heading, _, text in parts}


def test_every_codec_has_its_own_heading_in_the_order_of_the_table() -> None:
    """Where `huewatch check` sends whoever has given a codec settings that it cannot have."""
    assert [name for name in subsections("Codecs") if name in codecs()] == list(first_cells("Codecs"))


@pytest.mark.parametrize("name", sorted(codecs()))
def test_a_codecs_text_names_each_of_its_settings(name: str) -> None:
    text = subsections("Codecs")[name]
    missing = [
        field for field in codecs()[name].settings.model_fields if not re.search(rf"\b{field}\b", text)
    ]
    assert missing == []


def test_every_known_lorawan_device_has_its_row_with_its_ports() -> None:
    rows = re.findall(
        r"^\| ([A-Z]\S+) \| ([^|]+) \|", subsections("Codecs")["Known LoRaWAN devices"], re.MULTILINE
    )
    documented = {profile: set(re.findall(r"\d", ports)) for profile, ports in rows}
    known = {name: {str(port) for port in (*one.ports, *one.other_frames)} for name, one in DEVICES.items()}
    assert documented == known


@pytest.mark.filterwarnings("ignore:Default value:UserWarning")  # a quantity's default has no JSON form
def test_the_committed_schema_of_rules_is_the_models() -> None:
    committed: dict[str, Any] = json.loads((CONFIG / "rules.schema.json").read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(rules_schema())), "run scripts/write_schemas.py"


def test_no_metric_stands_outside_the_lists() -> None:
    exported = {family.name for family in REGISTRY.collect() if family.name.startswith("huewatch")}
    assert exported == metric_names(METRICS)
