"""The two READMEs: every command in them exists and would be understood, every link leads somewhere."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import huewatch
from ingest.new_station import copy_shipped_config
from tests.support.contract import made

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.vi.md", "config/README.md", "docs/runbook.md")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGES}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(huewatch [^`\n]+)`")
COMMANDS: Any = typer.main.get_command(huewatch.app)


def shell_lines(page: str) -> list[str]:
    """Every command of the page's shell blocks; a line that ends in a backslash goes on."""
    blocks = [body for kind, body in BLOCK.findall(TEXTS[page]) if kind == "sh"]
    return [line for body in blocks for line in body.replace("\\\n", " ").splitlines() if line]


def starting(word: str) -> list[str]:
    return sorted({line for page in PAGES for line in shell_lines(page) if line.split()[0] == word})


def anchors(text: str) -> Iterator[str]:
    """The names by which GitHub links to a page's headings."""
    for heading in re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def understood(line: str) -> bool:
    """Whether every word and option is known: with --help at its end a command is read, not carried out."""
    return CliRunner().invoke(huewatch.app, [*shlex.split(line)[1:], "--help"]).exit_code == 0


@pytest.mark.parametrize("line", starting("huewatch"))
def test_command_is_understood(line: str) -> None:
    assert understood(line)


@pytest.mark.parametrize(
    "line", ["huewatch alert list", "huewatch ledger --sinse 2h", "huewatch --conf x run"]
)
def test_command_that_does_not_exist_is_found(line: str) -> None:
    assert not understood(line)


@pytest.mark.parametrize("words", sorted({words for page in PAGES for words in INLINE.findall(TEXTS[page])}))
def test_command_named_in_a_sentence_exists(words: str) -> None:
    command = COMMANDS
    for word in re.sub(r"--(config|embedded|nature) \S+", "", words).split()[1:]:
        if not hasattr(command, "commands") or word == "...":
            break
        assert word in command.commands, words
        command = command.commands[word]


@pytest.mark.parametrize("line", starting("make"))
def test_make_target_exists(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"\n{line.split()[1]}:" in makefile


@pytest.mark.parametrize("page", PAGES)
def test_make_target_named_in_a_sentence_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)", TEXTS[page]):
        assert f"\n{target}:" in makefile, target


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", TEXTS[page])):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in set(anchors(target.read_text(encoding="utf-8"))), link


def test_every_path_of_the_feed_is_documented_and_no_other() -> None:
    section = TEXTS["README.md"].split("\n## The feeds\n")[1].split("\n## ")[0]
    table = set(re.findall(r"`(/api/v1[^`]*)`", section))
    told = {path for path in made()["paths"] if path.startswith("/api/")}
    assert table == told | {"/api/v1/docs", "/api/v1/openapi.json"}


@pytest.fixture
def songbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The gateway of "Your own gateway" in a folder of its own; the command that reads its message."""
    section = TEXTS["README.md"].split("\n## Your own gateway\n")[1].split("\n## ")[0]
    blocks = dict(reversed(BLOCK.findall(section)))  # of the texts the first
    copy_shipped_config(tmp_path / "my-city")
    (tmp_path / "my-city" / "catalog" / "songbox.yaml").write_text(blocks["yaml"], encoding="utf-8")
    (tmp_path / "message.json").write_text(blocks["json"], encoding="utf-8")
    (tmp_path / "printed.txt").write_text(blocks["text"], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return str(blocks["sh"]).replace("\\\n", " ").removeprefix("huewatch ")


def test_a_gateway_that_nobody_knows_is_read_by_the_yaml_of_the_page(songbox: str) -> None:
    done = CliRunner().invoke(huewatch.app, shlex.split(songbox))
    assert (done.exit_code, done.stdout) == (0, Path("printed.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("old", "new", "exit_code", "says"),
    [
        ('"val": "1965", ', "", 1, "distance: not_a_number: 'distance' says 'absent'"),
        ('"bat": "3.61",', "", 0, "1 of 2 readings would be stored"),
        ("giọt", "millimet", 0, "2 of 3 readings would be stored"),
        ("ST-7", "ST-8", 1, "Message: identity_mismatch"),
        ('"box"', '"crate"', 1, "Message: "),
    ],
)
def test_what_the_page_says_of_a_gateway_that_changes_its_messages_holds(
    songbox: str, old: str, new: str, exit_code: int, says: str
) -> None:
    message = Path("message.json")
    text = message.read_text(encoding="utf-8")
    assert old in text
    message.write_text(text.replace(old, new), encoding="utf-8")
    done = CliRunner().invoke(huewatch.app, shlex.split(songbox))
    assert says in done.stdout
    assert done.exit_code == exit_code


def test_message_of_the_page_in_which_nothing_is_found_is_unreadable(songbox: str) -> None:
    Path("message.json").write_text('{"ts": "27/10/2025 20:00:00", "box": {"id": "ST-7"}}', encoding="utf-8")
    done = CliRunner().invoke(huewatch.app, shlex.split(songbox))
    assert "Message: undecodable: none of the route's values is there" in done.stdout
    assert done.exit_code == 1


def test_scripts_that_are_called_exist() -> None:
    named = [word for page in PAGES for line in shell_lines(page) for word in line.split() if "/" in word]
    scripts = [word for word in named if word.startswith("scripts/")]
    assert scripts
    assert all((ROOT / script).is_file() for script in scripts)
