"""Every request that the README shows is answered as the document says, by a feed over the shipped
catalogue."""

import re
import shlex
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from alerts.access import Scope
from alerts.api.serve import running_feed
from ingest.catalog import Catalogue, load_catalogue
from tests.support.access import headers
from tests.support.contract import checked
from tests.support.databases import Database
from tests.support.feed import NATURE, NOW, commit, happening, observe, prepare, river, tell

PAGE = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = PAGE.split("\n## The feeds\n")[1].split("\n## ")[0]
LINES = [line for line in SECTION.splitlines() if line.startswith("curl ")]
WITH_VALUE = {"-H", "-o"}


def request_of(line: str) -> tuple[str, dict[str, str]]:
    """The path and the headers of a `curl`."""
    words, asked, told = iter(shlex.split(line)[1:]), "", dict[str, str]()
    for word in words:
        if word in WITH_VALUE:
            value = next(words)
            name, _, said = value.partition(": ")
            told |= {name: said} if word == "-H" and "$" not in said else {}
        elif word.startswith("http"):
            asked = word
    return re.sub(r"^http://[^/]+", "", asked), told


@pytest.fixture
def city() -> Catalogue:
    """The shipped stations, and the one that the reader has made on the page."""
    shipped = load_catalogue(files("huewatch_config") / "catalog", NATURE)
    mine = river("HUE-FL-MINE", "Mine", "Hương", (0.2,))
    return shipped.model_copy(update={"stations": (*shipped.stations, mine)})


@pytest.fixture
async def client(plain_database: Database, city: Catalogue) -> AsyncIterator[httpx.AsyncClient]:
    with prepare(plain_database.url, city) as connection:
        observe(connection, "HUE-WL-KIMLONG/water_level", NOW, 3.58)
        tell(connection, happening(1, level=3))
        commit(connection)
    who = headers(plain_database.url, Scope.READ)
    async with (
        running_feed(plain_database.url, None, city, NATURE) as feed,
        checked(feed.url, headers=who) as found,
    ):
        yield found


async def test_every_request_on_the_page_is_answered(client: httpx.AsyncClient) -> None:
    assert len(LINES) > 20
    for line in LINES:
        path, told = request_of(line)
        async with client.stream("GET", path, headers=told) as response:
            assert response.status_code == 200, line
            if "-N" not in line:
                assert await response.aread(), line
