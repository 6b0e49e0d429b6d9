"""The front door: its own small decisions, and what a new user gets to hear."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import ingest.embedded
from alerts.access import Policy, Public
from alerts.api.feed_settings import feed_settings
from huewatch import app, page_url
from ingest.settings import Settings

RIVERS = Path(__file__).parents[2] / "config" / "rules" / "rivers.yaml"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a new user comes: nothing set, an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("HUEWATCH_DATABASE_URL", "HUEWATCH_BROKER_HOST", "HUEWATCH_CONFIG_DIR", "HUEWATCH_SETTINGS"):
        monkeypatch.delenv(name, raising=False)


def huewatch(*arguments: str) -> Result:
    """Run a command; only a foreseen end is let pass."""
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_what_the_settings_open_to_anybody_is_what_they_name() -> None:
    assert feed_settings(Settings()).policy == Policy(frozenset(), False, "127.0.0.1,::1")
    city = Settings(feed_public="open_data,cap", feed_https=True, feed_proxies="10.0.0.0/8")
    opened = feed_settings(city).policy
    assert opened == Policy(frozenset(Public), True, "10.0.0.0/8")
    for wrong in ("everything", "cap,", "cap, open_data", "CAP"):
        with pytest.raises(ValueError, match="feed_public"):
            Settings(feed_public=wrong)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("192.168.7.7", "http://192.168.7.7:8080"),
        ("::", "http://[::1]:8080"),
    ],
)
def test_page_is_asked_where_this_machine_reaches_it(host: str, url: str) -> None:
    assert page_url(host, 8080) == url


@pytest.mark.parametrize(
    "command", ["run", "feed", "migrate", "ledger", "quarantine list", "alerts list", "alerts verify"]
)
def test_nothing_set_names_what_to_set(command: str) -> None:
    result = huewatch(*command.split())
    assert result.exit_code == 1
    assert "HUEWATCH_DATABASE_URL" in result.stderr
    assert "--embedded DIR" in result.stderr


@pytest.mark.parametrize("command", ["feed", "ledger", "quarantine list", "alerts list", "alerts verify"])
@pytest.mark.parametrize("stopped", [False, True])
def test_nothing_to_join_names_the_command_that_starts_it(
    tmp_path: Path, command: str, stopped: bool
) -> None:
    if stopped:
        (tmp_path / "data" / "postgres").mkdir(parents=True)
        (tmp_path / "data" / "postgres" / "password").write_text("x")
    result = huewatch("--embedded", "data", *command.split())
    assert result.exit_code == 1
    assert "Start `huewatch --embedded data run` first" in result.stderr


@pytest.mark.parametrize("command", ["check", "run", "demo", "rule test"])
def test_folder_that_is_missing_is_named_as_it_was_typed(command: str) -> None:
    more = [str(RIVERS), "--values", "1"] if command == "rule test" else []
    result = huewatch("--config", "nowhere", *command.split(), *more)
    assert result.exit_code == 1
    assert "nowhere/catalog: Cannot be read: No such file or directory. Remedy: " in result.stderr


def test_what_is_wrong_is_named_relative_to_the_folder_given(tmp_path: Path) -> None:
    assert huewatch("config", "init", "my-city").exit_code == 0
    assert huewatch("--config", "my-city", "check").exit_code == 0
    (tmp_path / "my-city" / "rules" / "mine.yaml").write_text("rules:\n  - kind: threshhold\n")
    result = huewatch("--config", "my-city", "check")
    assert result.exit_code == 1
    assert "my-city/rules/mine.yaml:2: There is no rule kind 'threshhold'." in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("mine.yml", b"rules: []\n", "mine.yml: Only files that end in .yaml are read."),
        ("mine.yaml", b"rules: \xff\n", "mine.yaml: Is not UTF-8 at byte 7."),
    ],
)
def test_file_that_would_not_be_read_is_an_error(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    huewatch("config", "init", "my-city")
    (tmp_path / "my-city" / "rules" / name).write_bytes(content)
    result = huewatch("--config", "my-city", "check")
    assert result.exit_code == 1
    assert f"my-city/rules/{said}" in result.stderr


def test_rule_that_selects_nothing_is_a_warning_and_no_refusal(tmp_path: Path) -> None:
    huewatch("config", "init", "my-city")
    rule = """\
rules:
  - id: tide
    kind: threshold
    title: { vi: a, en: b }
    select: { kind: tide }
    levels: [{ name: High, value: 1.0, severity: Moderate }]
    confirm: { samples: 2 }
    clear: { below: 0.1 m, hold: 30min }
"""
    (tmp_path / "my-city" / "rules" / "mine.yaml").write_text(rule)
    result = huewatch("--config", "my-city", "check")
    assert result.exit_code == 0, result.stderr
    assert "my-city/rules/mine.yaml:5: warning: This rule watches nothing" in result.stderr


@pytest.mark.parametrize("values", ["", "x", "1.0 1e400"])
def test_values_that_no_rule_can_be_tested_with_are_refused(values: str) -> None:
    result = huewatch("rule", "test", str(RIVERS), "--values", values)
    assert result.exit_code == 1
    assert result.stderr


def test_rule_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_bytes(b"\xff")
    result = huewatch("rule", "test", "rule.yaml", "--values", "1")
    assert result.exit_code == 1
    assert "rule.yaml: Is not UTF-8" in result.stderr


def test_demo_without_mosquitto_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, server_folder: Path
) -> None:
    monkeypatch.setattr(ingest.embedded.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(ingest.embedded.EmbeddedPostgres, "start", lambda self: self)
    result = huewatch("demo")
    assert result.exit_code == 1
    assert "apt-get install mosquitto" in result.stderr
