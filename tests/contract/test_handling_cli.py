"""The commands of people: they say what they did, refuse with a reason, and show what was told."""

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from alerts import silence_store
from alerts.covering import covered
from alerts.model import EventKind
from huewatch import app
from ingest.catalog import load_catalogue
from ingest.cli_support import config_folder
from ingest.model import Nature
from ingest.settings import Settings
from ingest.store import maintenance
from ingest.yaml_lines import ConfigError
from tests.support.databases import Database
from tests.support.feed import KIMLONG, Connection, catalogue, happening, prepare, tell

RAISED = happening(1, level=2)
SHORT = RAISED.alert_id[:8]


@pytest.fixture
def table(plain_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setenv("HUEWATCH_DATABASE_URL", plain_database.url)
    monkeypatch.setenv("COLUMNS", "220")
    with prepare(plain_database.url, catalogue()) as connection:
        tell(connection, RAISED)
        yield connection


def huewatch(*words: str) -> Result:
    result = CliRunner().invoke(app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_an_alerts_whole_life_by_commands(table: Connection) -> None:
    for words in (
        ("ack", SHORT, "--by", "An", "--until", "resolved", "--seen", "0"),
        ("assign", SHORT, "--by", "An", "--to", "Bình"),
        ("comment", SHORT, "two pumps are running", "--by", "Bình"),
        ("shelve", SHORT, "--by", "Bình", "--for", "30min", "--comment", "known"),
        ("unshelve", SHORT, "--by", "Bình"),
        ("cancel", SHORT, "--by", "Chi", "--comment", "a boat on the sensor"),
    ):
        done = huewatch("alerts", *words)
        assert done.exit_code == 0, done.stderr
        assert "Kim Long" in done.stdout
    shown = huewatch("alerts", "show", SHORT).stdout
    for said in (
        "BĐ II acknowledged by An",
        "assigned to Bình by An",
        "two pumps are running",
        "shelved by Bình until",
        "CANCELLED as issued in error by Chi, a boat on the sensor",
        "Version 6.",
    ):
        assert said in shown
    listed = huewatch("alerts", "list").stdout
    assert "cancelled in error by Chi" in listed
    (row,) = [json.loads(line) for line in huewatch("alerts", "list", "--json").stdout.splitlines()]
    assert row["handling"]["acknowledged"]["by"] == "An"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ack", "12345678", "--by", "An"), "no alert has an id that begins"),
        (("ack", "1234", "--by", "An"), "at least its first 8 digits"),
        (("ack", SHORT, "--by", "An", "--seen", "3"), "has changed meanwhile"),
        (("shelve", SHORT, "--by", "An", "--for", "3h"), "2 h at most"),
        (("shelve", SHORT, "--by", "An", "--for", "soon"), "is not a duration"),
        (("unshelve", SHORT, "--by", "An"), "not shelved"),
        (("cancel", SHORT, "--by", "An", "--comment", " "), "say why"),
    ],
)
def test_what_cannot_be_done_ends_with_1_and_says_why(
    table: Connection, words: tuple[str, ...], says: str
) -> None:
    done = huewatch("alerts", *words)
    assert done.exit_code == 1
    assert says in done.stderr
    assert table.execute("SELECT count(*) FROM alert_event").fetchone() == (1,)


def test_what_was_kept_back_is_shown_with_what_kept_it_back(table: Connection) -> None:
    tell(table, happening(2, kind=EventKind.REMINDED, level=2))
    table.execute(
        "INSERT INTO delivery_outcome (receiver, seq, outcome, cause, reference)"
        " VALUES ('mqtt', 1, 'delivered', NULL, NULL), ('mqtt', 2, 'suppressed', 'maintenance', '7')"
    )
    shown = huewatch("alerts", "show", SHORT).stdout
    assert "to mqtt at" in shown
    assert "not to mqtt: maintenance window 7" in shown
    kept_back = huewatch("alerts", "suppressed", "--since", "24h").stdout
    assert "maintenance window 7" in kept_back
    assert "1 notices kept back since 24h." in kept_back


def test_a_window_by_commands(table: Connection) -> None:
    done = huewatch("maintenance", "start", KIMLONG, "--by", "An", "--reason", "cleaning", "--for", "2h")
    assert done.exit_code == 0, done.stderr
    (window,) = maintenance.standing(table)
    assert f"{KIMLONG}/water_level" in window.datastreams
    assert all(key.startswith(f"{KIMLONG}/") for key in window.datastreams)
    assert "cleaning" in huewatch("maintenance", "list").stdout
    assert huewatch("maintenance", "end", str(window.id), "--by", "Bình").exit_code == 0
    assert maintenance.standing(table) == []
    again = huewatch("maintenance", "end", str(window.id), "--by", "Bình")
    assert (again.exit_code, again.stderr) == (1, f"Window {window.id} does not last.\n")


def test_a_window_over_what_is_not_there_or_for_too_long_is_refused(table: Connection) -> None:
    words = ("--by", "An", "--reason", "cleaning", "--for")
    assert (
        "No sensors are at 'HUE-WL-KIMLONK'"
        in huewatch("maintenance", "start", "HUE-WL-KIMLONK", *words, "2h").stderr
    )
    assert "at most 8 h" in huewatch("maintenance", "start", KIMLONG, *words, "9h").stderr
    assert maintenance.standing(table) == []


def test_a_window_covers_what_is_derived_from_its_sensors_and_no_neighbour() -> None:
    city = load_catalogue(config_folder(Settings()) / "catalog", Nature.EXERCISE)
    station = next(each for each in city.stations if each.derived and len(each.datastreams) > 1)
    one = station.datastreams[0].name
    keys = covered(city, f"{station.id}/{one}")
    assert keys[0] == f"{station.id}/{one}"
    others = {f"{station.id}/{each.name}" for each in station.datastreams[1:]}
    assert not others & set(keys)
    assert set(keys) < set(covered(city, station.id))
    with pytest.raises(ConfigError):
        covered(city, f"{station.id}/nothing")


def test_a_silence_by_commands(table: Connection) -> None:
    words = ("--by", "An", "--reason", "roadworks", "--for", "2h")
    assert "names a rule, a station or a severity" in huewatch("silence", "start", *words).stderr
    assert (
        huewatch("silence", "start", *words, "--severity", "Minor", "--rule", "street-depth").exit_code == 0
    )
    assert "There is no rule 'street'" in huewatch("silence", "start", *words, "--rule", "street").stderr
    (silence,) = silence_store.standing(table)
    assert (silence.rule, silence.station, silence.severity) == ("street-depth", None, "Minor")
    assert "roadworks" in huewatch("silence", "list").stdout
    assert huewatch("silence", "end", str(silence.id), "--by", "An").exit_code == 0
    assert silence_store.standing(table) == []


def test_a_text_is_approved_by_command_and_shown(table: Connection) -> None:
    words = ("--vi", "Không lội qua suối.", "--en", "Do not wade through streams.")
    done = huewatch("alerts", "approve", SHORT, "--by", "An", "--response", "Avoid", *words)
    assert done.exit_code == 0, done.stderr
    assert "text Avoid approved by An, Do not wade through streams." in done.stdout
    assert "text Avoid approved by An" in huewatch("alerts", "show", SHORT).stdout
    refused = huewatch("alerts", "approve", SHORT, "--by", "An", "--response", "AllClear", *words)
    assert refused.exit_code == 1
    assert "when the alert has ended" in refused.stderr


@pytest.mark.parametrize("paper", [(), ("--print",)])
def test_a_handover_is_printed_in_both_languages_and_accepted_by_its_number(
    table: Connection, paper: tuple[str, ...]
) -> None:
    table.execute("INSERT INTO delivery (receiver, attempts, last_error) VALUES ('sms', 3, 'timed out [x]')")
    huewatch("alerts", "assign", SHORT, "--by", "An", "--to", "Bình", "--comment", "knows the place")
    huewatch("alerts", "shelve", SHORT, "--by", "An", "--for", "30min")
    vi, en = (huewatch("handover", *paper, *more).stdout for more in ((), ("--language", "en")))
    for said in ("BÀN GIAO CA lúc", "Cảnh báo đang mở", "Bình", "Đang tạm ẩn", "Đang bảo trì: không có"):
        assert said in vi
    for said in ("HANDOVER at", "Open alerts", "Kim Long", "Maintenance: none", "timed out [x]", "shelved"):
        assert said in en
    assert "THE FEED DOES NOT SEE EVERYTHING" in en  # nothing has ever committed here
    assert "--leaver NAME --seq 3" in en
    assert ("\x1b[" in en) is False
    done = huewatch(
        "handover", "accept", "--by", "Chi", "--leaver", "Bình", "--seq", "3", "--comment", "quiet"
    )
    assert done.exit_code == 0, done.stderr
    assert "Chi took over from Bình. Alerts that were Bình's and are nobody's now: 1." in done.stdout
    shown = huewatch("handover", "history").stdout
    assert "Chi" in shown
    assert "quiet" in shown
    assert "Chi took over from Bình. quiet" in huewatch("handover", "--language", "en").stdout


def test_a_handover_that_is_outdated_is_refused_and_on_the_account(table: Connection) -> None:
    tell(table, happening(2, level=3, kind=EventKind.ESCALATED))
    refused = huewatch("handover", "accept", "--by", "Chi", "--leaver", "Bình", "--seq", "1")
    assert refused.exit_code == 1
    assert "something severe has come since the report 1" in refused.stderr
    rows = table.execute("SELECT who, what, outcome FROM audit").fetchall()
    assert rows == [("Chi", "handover.accept", "refused")]
