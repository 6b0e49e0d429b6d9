"""docker-compose.yml and Dockerfile keep what production promises, where no container engine is at hand."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import huewatch
from ingest.broker_config import GATEWAYS_PORT, SERVICES_PORT, production
from ingest.settings import PREFIX, SECRETS, Settings
from tests.support.certificates import Authority
from tests.support.parts import need_program

ROOT = Path(__file__).parents[2]
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"migrate"}
CITY = {"mosquitto", "timescaledb", "migrate", "ingest", "feed"}
MONITORING = {"prometheus", "machine", "grafana"}

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


def test_services_are_the_city_the_simulator_and_what_watches_them() -> None:
    assert set(SERVICES) == CITY | MONITORING | {"simulator"}


@every_service
def test_service_runs_without_privileges(service: Mapping[str, Any]) -> None:
    assert int(service["user"].split(":")[0]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & service.keys()


@every_service
def test_service_has_limits(service: Mapping[str, Any]) -> None:
    assert service["mem_limit"]
    assert service["pids_limit"] > 0
    assert service["logging"]["options"]["max-size"]


@every_service
def test_image_has_an_exact_version(service: Mapping[str, Any]) -> None:
    assert re.search(r":v?\d+\.\d+\.\d+(-[a-z0-9]+)?$", service["image"])


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_SHOT))
def test_lasting_service_is_watched(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize(
    ("name", "variable"), [("ingest", "HUEWATCH_METRICS_PORT"), ("feed", "HUEWATCH_FEED_METRICS_PORT")]
)
def test_health_is_readiness_on_the_services_own_port(name: str, variable: str) -> None:
    service = SERVICES[name]
    asked = f"http://127.0.0.1:{service['environment'][variable]}/readyz"
    assert asked in " ".join(service["healthcheck"]["test"])


def test_health_of_the_feed_asks_at_its_own_door_too() -> None:
    asked = f"http://127.0.0.1:{SERVICES['feed']['environment']['HUEWATCH_FEED_PORT']}/readyz"
    assert asked in " ".join(SERVICES["feed"]["healthcheck"]["test"])


@pytest.mark.parametrize("name", ["ingest", "feed", "simulator"])
def test_health_check_is_a_program(name: str) -> None:
    python, dash_c, program = SERVICES[name]["healthcheck"]["test"][1:]
    assert (python, dash_c) == ("python", "-c")
    compile(program, name, "exec")


def test_simulator_is_asked_for_readiness_where_its_page_is() -> None:
    simulator = SERVICES["simulator"]
    command = typer.main.get_command(huewatch.app).get_command(None, "demo")
    given = command.make_context("demo", simulator["command"][1:]).params
    assert given["host"] == "0.0.0.0"
    assert simulator["ports"][0].endswith(f":{given['port']}")
    assert f"http://127.0.0.1:{given['port']}/readyz" in " ".join(simulator["healthcheck"]["test"])


@pytest.mark.parametrize("name", ["migrate", "ingest", "feed", "simulator"])
def test_command_of_our_image_exists(name: str) -> None:
    assert SERVICES[name]["command"][0] in typer.main.get_command(huewatch.app).list_commands(None)


def test_only_gateways_are_let_in_from_outside() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports.pop("mosquitto") == [f"{GATEWAYS_PORT}:{GATEWAYS_PORT}"]
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)


def test_database_and_ingest_reach_no_outside_network() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("timescaledb", "ingest", "migrate", "machine"):
        assert SERVICES[name]["networks"] == ["inside"]


@every_service
def test_settings_in_the_environment_are_known(service: Mapping[str, Any]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    known |= {f"{PREFIX}{name.upper()}_FILE" for name in SECRETS}
    given = {name for name in service.get("environment", {}) if name.startswith(PREFIX)}
    assert given <= known


@every_service
def test_no_secret_stands_in_the_environment(service: Mapping[str, Any]) -> None:
    for name, value in service.get("environment", {}).items():
        if re.sub("_+FILE$", "", name).endswith(("PASSWORD", "URL", "TOKEN")):
            assert name.endswith("_FILE"), name
            assert value.removeprefix("/run/secrets/") in service["secrets"]


@every_service
def test_secrets_are_declared(service: Mapping[str, Any]) -> None:
    assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()


def test_broker_is_given_every_file_that_its_configuration_names() -> None:
    broker = SERVICES["mosquitto"]
    given = {f"/run/secrets/{name}" for name in broker["secrets"]}
    given |= {volume.split(":")[1] for volume in broker["volumes"]}
    named = re.findall(r"^[a-z_]+ (/\S+?)/?$", production("mosquitto.conf"), re.MULTILINE)
    assert len(named) == 8
    assert set(named) <= given


def test_brokers_files_are_the_ones_of_the_project() -> None:
    for volume in SERVICES["mosquitto"]["volumes"]:
        source, target = volume.split(":")[:2]
        if source.startswith("./"):
            assert (ROOT / source).read_text(encoding="utf-8") == production(Path(target).name)


@pytest.mark.parametrize("name", ["ingest", "feed"])
def test_service_logs_in_where_its_account_is(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert environment["HUEWATCH_BROKER_PORT"] == str(SERVICES_PORT)
    assert f"user {environment['HUEWATCH_BROKER_USERNAME']}\n" in production("services.acl")


def test_secrets_of_receivers_are_given_to_the_feed_alone_and_not_to_be_written() -> None:
    (volume,) = SERVICES["feed"]["volumes"]
    assert volume == "./secrets/receivers:/run/receivers:ro"
    for name in SERVICES.keys() - {"feed"}:
        assert not any("secrets" in each for each in SERVICES[name].get("volumes", ()))


@pytest.mark.parametrize("name", sorted(MONITORING))
def test_monitoring_comes_only_when_asked_for_and_changes_nothing(name: str) -> None:
    assert SERVICES[name]["profiles"] == ["monitoring"]
    for volume in SERVICES[name]["volumes"]:
        source, _, mode = volume.partition(":")
        assert source == name or mode.endswith(":ro"), volume
        assert source == name or source.startswith("./monitoring/") or source in ("database", "broker")


def test_monitoring_finds_its_files_and_scrapes_what_is_there() -> None:
    for name in MONITORING:
        for volume in SERVICES[name]["volumes"]:
            source = volume.partition(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists()
    jobs = yaml.safe_load((ROOT / "monitoring" / "prometheus.yml").read_text(encoding="utf-8"))[
        "scrape_configs"
    ]
    (targets,) = zip(*(config["targets"] for job in jobs for config in job["static_configs"]), strict=True)
    assert set(targets) == {
        f"ingest:{SERVICES['ingest']['environment']['HUEWATCH_METRICS_PORT']}",
        f"feed:{SERVICES['feed']['environment']['HUEWATCH_FEED_METRICS_PORT']}",
        "machine:9100",
        "localhost:9090",
    }
    assert all("inside" in SERVICES[target.partition(":")[0]]["networks"] for target in targets[:3])


def test_the_rule_on_memory_knows_the_limits() -> None:
    rule = (ROOT / "monitoring" / "rules" / "machine.yaml").read_text(encoding="utf-8")
    assert "1024 ^ 3 # mem_limit of both is 1g" in rule
    assert {SERVICES[name]["mem_limit"] for name in ("ingest", "feed")} == {"1g"}


def test_nobody_enters_grafana_without_the_password() -> None:
    grafana = SERVICES["grafana"]["environment"]
    assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == grafana["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert grafana["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"


def test_simulator_shares_nothing_with_the_city() -> None:
    simulator = SERVICES["simulator"]
    assert simulator["profiles"] == ["simulator"]
    assert not {"secrets", "volumes", "depends_on"} & simulator.keys()
    for name in CITY:
        assert not set(SERVICES[name]["networks"]) & set(simulator["networks"])
        assert "profiles" not in SERVICES[name]


def test_secrets_script_makes_every_secret_and_keeps_it(tmp_path: Path) -> None:
    need_program("openssl", "openssl")
    authority = Authority(tmp_path / "authority")
    folder = tmp_path / "secrets"
    command: list[str | Path] = [
        sys.executable,
        ROOT / "scripts" / "make_secrets.py",
        authority.folder,
        folder,
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    made = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} <= made.keys()
    assert made["postgres_password"].strip() in made["database_url"]
    users = {line.split(":")[0] for line in made["mosquitto.passwd"].splitlines()}
    assert users == set(re.findall(r"^user (\S+)$", production("services.acl"), re.MULTILINE))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    again = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    assert {name for name in made if made[name] != again[name]} == {"mosquitto.passwd"}  # a new salt
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["receivers"]


def test_image_is_built_from_named_files_only() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert "*" in rules
    assert not {"!secrets", "!authority", "!.git", "!."} & set(rules)


def test_image_ends_as_an_ordinary_user() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM |\Z)", text, re.MULTILINE | re.DOTALL))
    targets = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    assert targets == {"service", "exercise"}
    for target in targets:
        users = re.findall(r"^USER (\d+)", stages[target], re.MULTILINE)
        assert int(users[-1]) > 0
