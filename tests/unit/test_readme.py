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
from alerts.api import stream, v1

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.vi.md", "config/README.md")
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
    routes = {route.path for route in v1.router.routes} | {
        f"/api/v1{route.path}" for route in stream.router.routes
    }
    assert table == {route.replace(":path}", "}") for route in routes}


def test_scripts_that_are_called_exist() -> None:
    named = [word for page in PAGES for line in shell_lines(page) for word in line.split() if "/" in word]
    scripts = [word for word in named if word.startswith("scripts/")]
    assert scripts
    assert all((ROOT / script).is_file() for script in scripts)
