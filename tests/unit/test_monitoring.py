"""What Prometheus and Grafana are given: every rule fires when it should and only then, every query asks for
metrics that exist, and every panel says what it shows."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import alerts.feed_metrics
import alerts.forecast.sink
import alerts.sink
import ingest.metrics
from ingest.embedded_server import free_port
from ingest.model import RejectReason
from ingest.reload import Outcome
from scripts.write_dashboards import DASHBOARDS, text
from tests.support.parts import need_program
from tests.unit.test_readme import anchors

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yaml"))
METRICS = (*ingest.metrics.ALL, *alerts.sink.METRICS, *alerts.forecast.sink.METRICS, *alerts.feed_metrics.ALL)
DASHBOARD_FILES = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))
FORMS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}


def all_rules() -> dict[str, dict[str, Any]]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


ALERTS = all_rules()


CASES: Mapping[str, list[dict[str, Any]]] = yaml.safe_load(
    (ROOT / "tests" / "monitoring" / "rules.yaml").read_text(encoding="utf-8")
)


def test_every_rule_has_cases_that_fire_and_that_do_not() -> None:
    assert CASES.keys() == ALERTS.keys()
    always = {"HuewatchWatchdog"}
    for name, cases in CASES.items():
        assert any("fires" in case for case in cases), name
        assert name in always or not all("fires" in case for case in cases), name


def annotations(rule: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """A rule's words about one alert."""
    return {
        key: re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels.get(found[1], ""), text)
        for key, text in rule["annotations"].items()
    }


def as_promtool(name: str, case: Mapping[str, Any]) -> dict[str, Any]:
    rule = ALERTS[name]
    expected = [
        {"exp_labels": rule["labels"] | labels, "exp_annotations": annotations(rule, labels)}
        for labels in case.get("fires", ())
    ]
    return {
        "interval": "15s",
        "input_series": [{"series": key, "values": str(values)} for key, values in case["series"].items()],
        "alert_rule_test": [{"eval_time": case["at"], "alertname": name, "exp_alerts": expected}],
    }


@pytest.mark.parametrize("name", ALERTS)
def test_rule_fires_when_it_should_and_only_then(name: str, tmp_path: Path) -> None:
    promtool = need_program("promtool", "prometheus")
    rule, file = tmp_path / "rule.yaml", tmp_path / "test.yaml"
    rule.write_text(json.dumps({"groups": [{"name": "one", "rules": [ALERTS[name]]}]}))
    tests = [as_promtool(name, case) for case in CASES[name]]
    file.write_text(json.dumps({"rule_files": [str(rule)], "evaluation_interval": "15s", "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_configuration() -> None:
    promtool = need_program("promtool", "prometheus")
    file = MONITORING / "prometheus.yml"
    done = subprocess.run([promtool, "check", "config", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_rule_says_how_bad_it_is_what_to_do_and_where_more_stands(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}
    for key in ("summary", "action"):
        assert rule["annotations"][key].endswith(".")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == name.lower()
    assert anchor in anchors((ROOT / page).read_text(encoding="utf-8"))


def test_the_runbook_speaks_of_no_rule_that_is_gone() -> None:
    known = {name.lower() for name in ALERTS}
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert {
        anchor for anchor in anchors(text) if anchor.startswith("huewatch") and "-" not in anchor
    } == known


# -- queries


def samples() -> dict[str, set[str]]:
    """Every sample that a scrape of ours can have, with the labels of its metric."""
    found: dict[str, set[str]] = {}
    for metric in METRICS:
        for family in metric.describe():
            for suffix in FORMS.get(family.type, ("",)):
                found[family.name + suffix] = {*metric._labelnames, *({"le"} if suffix == "_bucket" else ())}
    return found


SAMPLES = samples()
PROCESS = {
    name for name in (s.name for f in REGISTRY.collect() for s in f.samples) if name.startswith("process_")
}


def queries() -> dict[str, str]:
    found = {name: rule["expr"] for name, rule in ALERTS.items()}
    for uid, (_, panels) in DASHBOARDS.items():
        for panel in panels:
            for legend, query in panel.queries.items():
                found[f"{uid}: {panel.title}: {legend}"] = query
    return found


@pytest.mark.parametrize("where", queries())
def test_query_asks_for_metrics_and_labels_that_exist(where: str) -> None:
    query = queries()[where]
    for name in re.findall(r"huewatch_\w+", query):
        assert name in SAMPLES, name
    for name, matchers in re.findall(r"(huewatch_\w+)\{([^}]*)\}", query):
        labels = set(re.findall(r"(\w+)\s*[=!]", matchers))
        assert labels <= SAMPLES[name] | {"job"}
    asked = {
        label.strip()
        for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", query)
        for label in labels.split(",")
    }
    assert asked <= {label for labels in SAMPLES.values() for label in labels}
    assert set(re.findall(r"process_\w+", query)) <= PROCESS


def test_a_legend_names_only_labels_that_the_query_leaves() -> None:
    for uid, (_, panels) in DASHBOARDS.items():
        for panel in panels:
            for legend, query in panel.queries.items():
                names = re.findall(r"huewatch_\w+", query)
                kept = {label for name in names for label in SAMPLES[name]} | {"job", "mountpoint"}
                kept |= {"alertname", "severity"} if "ALERTS" in query else set()
                assert set(re.findall(r"{{(\w+)}}", legend)) <= kept, (uid, panel.title)


def test_every_query_of_a_panel_parses(tmp_path: Path) -> None:
    promtool = need_program("promtool", "prometheus")
    rules = [{"record": f"q{at}", "expr": query} for at, query in enumerate(queries().values())]
    file = tmp_path / "queries.yaml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# -- dashboards


def test_the_committed_dashboards_are_what_the_script_writes() -> None:
    assert {file.stem for file in DASHBOARD_FILES} == DASHBOARDS.keys()
    for file in DASHBOARD_FILES:
        assert file.read_text(encoding="utf-8") == text(file.stem), "run scripts/write_dashboards.py"


def test_every_panel_says_what_it_shows_and_in_which_unit() -> None:
    uids = [json.loads(file.read_text(encoding="utf-8"))["uid"] for file in DASHBOARD_FILES]
    assert len(set(uids)) == len(uids)
    for file in DASHBOARD_FILES:
        panels = json.loads(file.read_text(encoding="utf-8"))["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert len({panel["title"] for panel in panels}) == len(panels)
        for panel in panels:
            assert panel["description"].endswith((".", "?"))
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["targets"]


def test_no_two_panels_lie_on_one_another() -> None:
    for file in DASHBOARD_FILES:
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
            }
            assert max(x for x, _ in cells) < 24
            assert not cells & taken
            taken |= cells


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    provisioning = MONITORING / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    asked = {
        panel["datasource"]["uid"]
        for file in DASHBOARD_FILES
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]
    }
    assert asked == {source["uid"]}


@pytest.fixture
def machine() -> Iterator[str]:
    """Prometheus' node exporter with the words of docker-compose.yml; its metrics."""
    program = need_program("prometheus-node-exporter", "prometheus-node-exporter")
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    words = [word.replace("$$", "$") for word in compose["services"]["machine"]["command"]]
    port = free_port()
    address = f"--web.listen-address=127.0.0.1:{port}"
    process = subprocess.Popen([program, *words, address], stderr=subprocess.DEVNULL)
    try:
        yield read_patiently(f"http://127.0.0.1:{port}/metrics", process)
    finally:
        process.terminate()
        process.wait()


def read_patiently(url: str, process: subprocess.Popen[bytes]) -> str:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read(), "utf-8")
        except OSError:
            continue
    raise AssertionError("the exporter ended")


def test_the_exporter_gives_what_is_asked_of_the_machine(machine: str) -> None:
    given = set(re.findall(r"^(node_\w+)", machine, re.MULTILINE))
    asked = {name for query in queries().values() for name in re.findall(r"node_\w+", query)}
    assert asked
    assert asked <= given


def test_counts_of_closed_lists_begin_with_0() -> None:
    """A rise from nothing to 1 is no rise to Prometheus."""
    for reason in RejectReason:
        assert REGISTRY.get_sample_value("huewatch_rejects_total", {"reason": reason.value}) is not None
    for outcome in Outcome:
        name = "huewatch_config_reloads_total"
        assert REGISTRY.get_sample_value(name, {"outcome": outcome.value}) is not None
