"""config/README.md names everything that can be configured or read off: a gap there is a failure here."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from pydantic.fields import FieldInfo

import alerts.feed_metrics
import alerts.forecast.sink
import alerts.sink
import ingest.metrics
from alerts.cap.hazard import HAZARDS
from alerts.history_description import Description
from alerts.receivers.cap import CapSettings
from alerts.rules import KINDS
from alerts.rules.book import rules_schema
from ingest import quality_settings
from ingest.catalog import load_catalogue
from ingest.codecs import codecs
from ingest.codecs.lorawan import DEVICES
from ingest.derive import kinds
from ingest.installation import Installation, Reference
from ingest.model import RejectReason, TimeSource
from ingest.quality import Test
from ingest.quality_settings import QualityTests
from ingest.settings import PREFIX, SECRETS, Settings, load_settings
from ingest.yaml_lines import read_yaml

CONFIG = Path(__file__).parents[2] / "config"
METRICS = (*ingest.metrics.ALL, *alerts.sink.METRICS, *alerts.forecast.sink.METRICS, *alerts.feed_metrics.ALL)
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
        ("Installations", set(Installation.model_fields)),
        ("Time", {source.name.lower() for source in TimeSource}),
        ("Quality tests", set(QualityTests.model_fields)),
        ("Derived datastreams", set(kinds())),
        ("Codecs", set(codecs())),
        ("Reject reasons", {reason.value for reason in RejectReason}),
        ("Rule kinds", set(KINDS)),
        ("CAP", set(CapSettings.model_fields)),
        ("Histories", set(Description.model_fields)),
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


def settings_of(field: FieldInfo) -> set[str]:
    """The names of what may be written below a field, whatever else its type allows."""
    models = re.findall(r"ingest\.quality_settings\.(\w+)", repr(field.annotation))
    return {name for model in models for name in getattr(quality_settings, model).model_fields}


def test_a_quality_tests_row_names_each_of_its_settings() -> None:
    rows = first_cells("Quality tests")
    missing = {
        (name, setting)
        for name, field in QualityTests.model_fields.items()
        for setting in settings_of(field)
        if f"`{setting}`" not in rows[name]
    }
    assert not missing
    assert settings_of(QualityTests.model_fields["gap"]) == {"late", "missing"}


def test_what_the_feed_says_of_each_test_is_explained() -> None:
    text = README.split("\n## Quality tests\n")[1].split("\n## ")[0]
    run = set(Test) - {Test.LOCATION, Test.MULTI_VARIATE}  # those two are of buoys, and of several quantities
    assert [test for test in run if f"`{test.name.lower()}`" not in text] == []


@pytest.mark.parametrize("name", sorted(kinds()))
def test_a_derived_kinds_row_names_each_of_its_settings(name: str) -> None:
    row = first_cells("Derived datastreams")[name]
    settings = kinds()[name].settings.model_fields.keys() - {"kind"}
    assert [field for field in settings if f"`{field}`" not in row] == []


def test_every_reference_of_a_level_is_explained() -> None:
    text = README.split("\n## Installations\n")[1].split("\n## ")[0]
    assert [one.value for one in Reference if f"- `{one.value}`: " not in text] == []


def examples() -> list[str]:
    """A whole file first, then parts of a station or of its first datastream."""
    return re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)


def test_the_example_of_a_catalogue_loads(tmp_path: Path) -> None:
    (tmp_path / "city.yaml").write_text(examples()[0], encoding="utf-8")
    assert [station.id for station in load_catalogue(tmp_path).stations] == ["HUE-FL-MINE"]


def test_the_examples_of_parts_load(tmp_path: Path) -> None:
    (whole, *parts), _ = zip(*(read_yaml(text, "README.md") for text in examples()), strict=True)
    station = whole["stations"][0]
    rain = {"gateway": "gw-mine", "device": "rain-1", "channel": "rain"}
    gauge = {"name": "rainfall", "property": "rainfall", "unit": "mm", "cadence": "10min", "source": rain}
    of_level, tests, of_station = parts
    level = station["datastreams"][0] | of_level | tests
    entry = station | {"datastreams": [level, gauge]} | of_station
    (tmp_path / "city.yaml").write_text(json.dumps({"stations": [entry]}), encoding="utf-8")
    (loaded,) = load_catalogue(tmp_path).stations
    assert len(loaded.datastreams[0].history()) == 2
    assert loaded.datastreams[0].quality.spike
    assert loaded.derived


def test_the_toml_and_json_of_the_page_load(tmp_path: Path) -> None:
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


def test_every_hazard_of_cap_is_explained() -> None:
    text = README.split("\n## CAP\n")[1].split("\n## ")[0]
    assert [hazard.code for hazard in HAZARDS if hazard.code not in text] == []
