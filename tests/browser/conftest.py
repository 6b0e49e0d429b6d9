"""What the tests of the console share: one browser, and for its pages one city and one feed for a module.

A module whose city is another has fixtures of its own under these names.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from alerts.api.serve import Feed, running_feed
from ingest.embedded import EmbeddedPostgres
from tests.support.console import chromium, console
from tests.support.databases import fresh_database
from tests.support.feed import NATURE, Connection, commit
from tests.support.pages import CITY, Look, flood

PATIENCE_MS = 30_000  # a shared machine may pause; what never comes fails all the same


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Take a picture of a page, for people to look at."""
    folder = Path(os.environ.get("HUEWATCH_ARTEFACTS") or tmp_path)

    async def take(page: Page, name: str) -> None:
        await page.screenshot(path=folder / f"pages-{name}.png", full_page=True)

    folder.mkdir(parents=True, exist_ok=True)
    return take


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all; each test has a context of its own."""
    expect.set_options(timeout=PATIENCE_MS)
    async with chromium() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(postgres: EmbeddedPostgres) -> AsyncIterator[tuple[Connection, str]]:
    """The flood's morning, with a commit each second as by a living ingest; and the database's URL."""
    with fresh_database(postgres.url, "postgresql") as database, flood(database.url) as connection:

        async def beat() -> None:
            while True:
                await asyncio.to_thread(commit, connection)
                await asyncio.sleep(1.0)

        task = asyncio.create_task(beat())
        yield connection, database.url
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def feed(city: tuple[Connection, str]) -> AsyncIterator[Feed]:
    async with running_feed(city[1], None, CITY, NATURE) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, feed: Feed) -> AsyncIterator[Page]:
    """The console of somebody who is logged in; anything on its error console fails the test."""
    async with console(browser, feed) as found:
        yield found
