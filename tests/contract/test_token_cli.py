"""`huewatch token` and `huewatch audit`: a token is seen once, ends when told, and every act has its row."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from alerts import access_store, audit_store
from alerts.access import Kind, Scope, parse
from huewatch import app
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


def account(connection: Connection) -> list[tuple[str, str, str, str]]:
    return [
        (each.deed.who, each.deed.what, each.deed.target, each.outcome.value)
        for each in audit_store.after(connection, 0, 100)
    ]


def test_a_token_is_printed_once_and_only_its_hash_is_kept(table: Connection) -> None:
    made = huewatch(
        "token", "create", "Nguyễn An", "--scope", "acknowledge", "--expires", "90d", "--by", "Chi"
    )
    assert made.exit_code == 0, made.stderr
    credential = parse(made.stdout.strip(), Kind.TOKEN)
    assert credential is not None
    assert "Nguyễn An" in made.stderr
    assert credential.secret not in made.stderr
    (living,) = access_store.living(table)
    assert (living.name, living.scope, living.hash) == ("Nguyễn An", Scope.ACKNOWLEDGE, credential.hash)
    assert living.lasts_s == pytest.approx(90 * 86_400, abs=60)
    (dump,) = table.execute("SELECT string_agg(t::text, ' ') FROM access_token t").fetchone() or ("",)
    assert credential.secret not in dump
    for words in (("token", "list"), ("token", "list", "--all"), ("audit",)):
        shown = huewatch(*words).stdout
        assert credential.secret not in shown
        assert "Nguyễn An" in shown
        assert credential.id in shown
    assert account(table) == [("Chi", "token.create", "Nguyễn An", "done")]


def test_a_name_has_one_living_token(table: Connection) -> None:
    first = huewatch("token", "create", "An", "--scope", "read").stdout.strip()
    again = huewatch("token", "create", " An ", "--scope", "administer")
    assert again.exit_code == 1
    assert "An has a token already" in again.stderr
    assert again.stdout == ""
    assert huewatch("token", "revoke", first.split("_")[1], "--by", "Chi").exit_code == 0
    assert access_store.living(table) == []
    assert huewatch("token", "create", "An", "--scope", "read").exit_code == 0
    assert [row[1:] for row in account(table)] == [
        ("token.create", "An", "done"),
        ("token.create", " An ", "refused"),
        ("token.revoke", first.split("_")[1], "done"),
        ("token.create", "An", "done"),
    ]


def test_names_that_look_the_same_are_the_same(table: Connection) -> None:
    written = unicodedata.normalize("NFD", "Bình")
    assert written != "Bình"
    assert huewatch("token", "create", written, "--scope", "read").exit_code == 0
    assert huewatch("token", "create", "Bình", "--scope", "read").exit_code == 1
    assert [each.name for each in access_store.living(table)] == ["Bình"]


def test_an_expired_token_gives_its_name_back(table: Connection) -> None:
    first = huewatch("token", "create", "An", "--scope", "read", "--expires", "1h").stdout.strip()
    table.execute(
        "UPDATE access_token SET created_at = created_at - interval '2 h',"
        " expires_at = expires_at - interval '2 h'"
    )
    assert "0 tokens." in huewatch("token", "list").stdout
    assert huewatch("token", "revoke", first.split("_")[1]).exit_code == 1
    assert huewatch("token", "create", "An", "--scope", "read").exit_code == 0
    assert "2 tokens." in huewatch("token", "list", "--all").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("create", "", "--scope", "read"), "one line of 1 to 80"),
        (("create", "x" * 81, "--scope", "read"), "one line of 1 to 80"),
        (("create", "two\nlines", "--scope", "read"), "one line of 1 to 80"),
        (("create", "An", "--scope", "read", "--expires", "soon"), "is not a duration"),
        (("create", "An", "--scope", "read", "--expires", "0d"), "longer than nothing"),
        (("create", "An", "--scope", "read", "--expires", "99999999999d"), "any calendar"),
        (("revoke", "000000000000"), "no living token"),
    ],
)
def test_what_cannot_be_done_ends_with_1_and_says_why(
    table: Connection, words: tuple[str, ...], says: str
) -> None:
    done = huewatch("token", *words)
    assert done.exit_code == 1
    assert says in done.stderr
    assert done.stdout == ""
    assert access_store.living(table) == []


def test_every_act_of_the_command_line_is_on_the_account_the_refused_too(table: Connection) -> None:
    for words in (
        ("alerts", "ack", SHORT, "--by", "An"),
        ("alerts", "ack", SHORT, "--by", "An"),
        ("alerts", "comment", "00000000", "x", "--by", "An"),
        ("maintenance", "start", KIMLONG, "--by", "An", "--reason", "cleaning", "--for", "2h"),
        ("maintenance", "start", KIMLONG, "--by", "An", "--reason", "cleaning", "--for", "9h"),
        ("maintenance", "end", "1", "--by", "Bình"),
        ("maintenance", "end", "1", "--by", "Bình"),
        ("silence", "start", "--severity", "Minor", "--by", "An", "--reason", "works", "--for", "1h"),
        ("silence", "end", "1", "--by", "Bình"),
        ("silence", "end", "7", "--by", "Bình"),
    ):
        huewatch(*words)
    assert account(table) == [
        ("An", "alert.acknowledge", RAISED.alert_id, "done"),
        ("An", "alert.acknowledge", RAISED.alert_id, "refused"),
        ("An", "alert.comment", "00000000", "refused"),
        ("An", "maintenance.start", KIMLONG, "done"),
        ("An", "maintenance.start", KIMLONG, "refused"),
        ("Bình", "maintenance.end", "1", "done"),
        ("Bình", "maintenance.end", "1", "refused"),
        ("An", "silence.start", "Minor", "done"),
        ("Bình", "silence.end", "1", "done"),
        ("Bình", "silence.end", "7", "refused"),
    ]
    shown = huewatch("audit", "--limit", "3").stdout
    assert "3 rows." in shown
    assert "command line" in shown
    assert "does not last" in shown
