"""Fixtures of the tests of the console's pages: one browser, one city and one feed for a module."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
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
from tests.support.pages import CITY, flood

expect.set_options(timeout=30_000)  # a shared machine may pause; what never comes fails all the same

Look = Callable[[Page, str], Awaitable[None]]


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
    async with console(browser, feed.url) as found:
        yield found


async def visit(page: Page, address: str) -> None:
    """Open a view of the console that is already open."""
    await page.evaluate("(hash) => { location.hash = hash; }", address)
    name = address.removeprefix("#/").partition("?")[0].partition("/")[0]
    await expect(page.locator("#view")).to_have_attribute("data-view", name)
