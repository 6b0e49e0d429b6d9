"""`receivers.yaml`: what it comes to, and what is said of one that cannot work."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from alerts.receivers.book import BookFile, load_book, read_book, receivers_schema
from alerts.receivers.email import EmailSettings
from alerts.receivers.mqtt import MqttSettings
from alerts.receivers.registry import WORDS
from alerts.receivers.webhook import WebhookSettings
from ingest.model import Nature
from ingest.yaml_lines import ConfigError
from tests.support.feed import catalogue

CITY = catalogue()
CONFIG = Path(__file__).parents[2] / "config"
KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()

WHOLE = """
receivers:
  - name: mqtt
    kind: mqtt
  - name: city-app
    kind: webhook
    url: https://app.example/hooks/flood
    secret_file: SECRET
    wants: { severity: Moderate, rivers: [sông Hương], rules: [river-level] }
  - name: duty
    kind: email
    host: mail.example
    username: huewatch
    password_file: SECRET
    sender: huewatch@hue.example
    to: [duty@hue.example]
    natures: [Actual, Exercise]
escalation:
  after: 10min
  steps: [[duty], [duty, city-app]]
on_call: duty
daily_test: "07:30"
"""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(KEY + "\n", encoding="ascii")
    return file


def write(folder: Path, text: str, secret: Path) -> None:
    (folder / "receivers.yaml").write_text(text.replace("SECRET", str(secret)), encoding="utf-8")


def said(folder: Path, text: str, secret: Path) -> list[str]:
    write(folder, text, secret)
    _, problems = read_book(folder, Nature.ACTUAL, CITY, {"river-level", "rain-1h"})
    return [f"{problem.line}: {problem.message} {problem.remedy}" for problem in problems]


def test_a_whole_book_is_read(tmp_path: Path, secret: Path) -> None:
    write(tmp_path, WHOLE, secret)
    book, problems = read_book(tmp_path, Nature.EXERCISE, CITY, {"river-level"})
    assert problems == []
    assert [type(each) for each in book.receivers] == [MqttSettings, WebhookSettings, EmailSettings]
    assert (book.escalation.after, book.escalation.steps) == (600.0, (("duty",), ("duty", "city-app")))
    assert (book.on_call, book.daily_test) == ("duty", 450)


def test_the_services_own_receiver_takes_what_the_database_is_for_and_others_only_what_is_real(
    tmp_path: Path, secret: Path
) -> None:
    write(tmp_path, WHOLE, secret)
    mqtt, app, duty = read_book(tmp_path, Nature.EXERCISE, CITY, {"river-level"})[0].receivers
    assert mqtt.natures == {Nature.EXERCISE}
    assert app.natures == {Nature.ACTUAL}
    assert duty.natures == {Nature.ACTUAL, Nature.EXERCISE}


def test_without_a_file_the_centre_alone_is_told(tmp_path: Path) -> None:
    book = load_book(tmp_path, Nature.TEST, CITY)
    assert [(each.name, each.natures) for each in book.receivers] == [("mqtt", {Nature.TEST})]
    assert book.daily_test is None


def test_the_shipped_book_can_work() -> None:
    book, problems = read_book(CONFIG, Nature.ACTUAL, CITY)
    assert problems == []
    assert "mqtt" in [each.name for each in book.receivers]


HOOK = "  - { name: hook, kind: webhook, secret_file: SECRET, "
MAIL = "  - { name: mail, kind: email, sender: a@b.vn, to: [c@d.vn], "


@pytest.mark.parametrize(
    ("entry", "message", "remedy"),
    [
        ("  - { name: x, kind: webhok }", "There is no receiver kind 'webhok'.", "Write `webhook` instead."),
        ("  - { name: mqtt, kind: mqtt }", "'mqtt' is also in line 2.", "another name"),
        (HOOK + "url: 'http://a.vn/' }", "http is neither secret nor genuine", ""),
        (
            HOOK + "url: 'http://8.8.8.8/', insecure: true, allow_private: true }",
            "8.8.8.8 is public",
            "https",
        ),
        (HOOK + "url: 'https://10.0.0.7/' }", "10.0.0.7 is a private address.", "allow_private: true"),
        (HOOK + "url: 'https://[::ffff:127.0.0.1]/' }", "is a private address.", "allow_private: true"),
        (HOOK + "url: 'https://169.254.169.254/', allow_private: true }", "link-local or metadata", "public"),
        (HOOK + "url: 'https://localhost:8443/' }", "127.0.0.1 is a private address.", "allow_private"),
        (HOOK + "url: 'https://me:pw@a.vn/' }", "no user and no password stand in a URL", ""),
        (HOOK + "url: 'ftp://a.vn/' }", "write https://name/path", ""),
        (
            "  - { name: hook, kind: webhook, url: 'https://a.vn/', secret: whsec_abc }",
            "`secret`: no secret stands in this file.",
            "secret_file: PATH",
        ),
        (
            HOOK + "url: 'https://a.vn/', old_secret_file: /nowhere }",
            "/nowhere cannot be read",
            "openssl rand",
        ),
        (HOOK + "url: 'https://a.vn/', ca_file: /nowhere }", "/nowhere cannot be read", "readable file"),
        (
            HOOK + "url: 'https://a.vn/', wants: { stations: [KIMLONG] } }",
            "There is no station",
            "HUE-WL-KIM",
        ),
        (HOOK + "url: 'https://a.vn/', wants: { rivers: [sông Hươn] } }", "There is no river", "sông Hương"),
        (HOOK + "url: 'https://a.vn/', wants: { wards: [Vỹ Dạ] } }", "There is no ward", "none yet"),
        (
            HOOK + "url: 'https://a.vn/', wants: { rules: [river-levl] } }",
            "There is no rule",
            "`river-level`",
        ),
        (HOOK + "url: 'https://a.vn/', wants: { stations: [] } }", "at least 1 item", ""),
        (
            HOOK + "url: 'https://a.vn/', wants: { unanswered_only: true, severity: Severe } }",
            "Beside `unanswered_only` severity chooses nothing.",
            "",
        ),
        (MAIL + "host: m.vn, username: me }", "username and password_file go together", ""),
        (MAIL + "host: m.vn, tls: none }", "only a mail server on this machine", ""),
        (MAIL + "host: m.vn, password: pw }", "`password`: no secret stands in this file.", "password_file"),
        (MAIL + "host: m.vn, console: 'javascript:1' }", "write https://name/", ""),
        ("  - { name: mail, kind: email, host: m.vn, sender: x, to: [c@d.vn] }", "`sender`", ""),
    ],
)
def test_what_cannot_work_is_said_with_line_and_remedy(
    tmp_path: Path, secret: Path, entry: str, message: str, remedy: str
) -> None:
    problems = said(tmp_path, "receivers:\n  - { name: mqtt, kind: mqtt }\n" + entry, secret)
    assert [one for one in problems if message in one and remedy in one and one.startswith("3: ")], problems


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("escalation: { steps: [[mqtt], [nobody]] }", "2: There is no receiver 'nobody'."),
        ("on_call: mqt", "2: There is no receiver 'mqt'. Write `mqtt` instead."),
        ('daily_test: "8:00"', "2: `daily_test`"),
        ("daily_tset: off", "2: `daily_tset` is not known here."),
    ],
)
def test_names_outside_of_the_receivers_are_checked(
    tmp_path: Path, secret: Path, line: str, message: str
) -> None:
    text = "receivers: [{ name: mqtt, kind: mqtt }]\n" + line
    assert [one for one in said(tmp_path, text, secret) if one.startswith(message)]


def test_a_secret_of_another_form_is_refused(tmp_path: Path, secret: Path) -> None:
    text = "receivers:\n" + HOOK + "url: 'https://a.vn/' }"
    for wrong in ("abc", "whsec_YWJj", "whsec_not base64", "wh_" + KEY):
        secret.write_text(wrong, encoding="utf-8")
        (problem,) = said(tmp_path, text, secret)
        assert "openssl rand" in problem


def test_errors_raise_with_every_problem(tmp_path: Path, secret: Path) -> None:
    write(tmp_path, "receivers: [{ kind: mqtt }, { kind: none }]", secret)
    with pytest.raises(ConfigError) as raised:
        load_book(tmp_path, Nature.ACTUAL, CITY)
    assert len(raised.value.problems) == 2


def test_a_text_that_is_no_yaml_is_said(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "receivers.yaml").write_text("receivers: [", encoding="utf-8")
    assert read_book(tmp_path, Nature.ACTUAL, CITY)[1] != []


def test_the_version_changes_with_what_the_file_says_and_with_nothing_else(
    tmp_path: Path, secret: Path
) -> None:
    def version(text: str) -> str:
        write(tmp_path, text, secret)
        return read_book(tmp_path, Nature.ACTUAL, CITY, {"river-level"})[0].version

    assert version(WHOLE) == version("# a comment\n" + WHOLE)
    changes = [("07:30", "07:31"), ("on_call: duty", ""), ("10min", "11min"), ("Moderate", "Minor")]
    versions = {version(WHOLE.replace(*change)) for change in changes}
    assert len(versions | {version(WHOLE)}) == 5


def test_the_committed_schema_of_receivers_is_the_models() -> None:
    committed: dict[str, Any] = json.loads((CONFIG / "receivers.schema.json").read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(receivers_schema())), "run scripts/write_schemas.py"


def test_every_kind_has_its_own_word() -> None:
    assert [settings.model_fields["kind"].default for settings in WORDS.values()] == list(WORDS)
    assert set(BookFile.model_fields) == {"receivers", "escalation", "on_call", "daily_test"}
