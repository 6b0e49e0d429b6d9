"""The station page, the history, the data's health and the handover in a real Chromium, over a real feed."""

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
from tests.support.console import PHONE, WIDE, chromium, console
from tests.support.databases import fresh_database
from tests.support.feed import KIMLONG, NATURE, PHUOC, Connection, commit
from tests.support.pages import AIR, CITY, RAIN, SCRIPT, TAP, WATER, flood

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRACE = "(name) => document.querySelector('.hydrograph').data.find((each) => each.meta === name)"


@pytest.fixture
def artefacts(tmp_path: Path) -> Path:
    """Where screenshots go, for people to look at."""
    folder = Path(os.environ.get("HUEWATCH_ARTEFACTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(postgres: EmbeddedPostgres) -> AsyncIterator[tuple[Connection, str]]:
    """The flood's morning, written to each second as by a living ingest."""
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
    async with console(browser, feed.url) as found:
        yield found


async def visit(page: Page, address: str) -> None:
    """Open a view of the console that is already open."""
    await page.evaluate("(hash) => { location.hash = hash; }", address)


async def test_look(page: Page, artefacts: Path) -> None:
    page.on("console", lambda m: print("CONSOLE", m.type, m.text, m.location))
    page.on("pageerror", lambda m: print("ERR", m))
    for name, address in {
        "station": f"#/station/{KIMLONG}",
        "station-7d": f"#/station/{KIMLONG}?range=7d",
        "station-table": f"#/station/{KIMLONG}?as=table",
        "station-silent": f"#/station/{PHUOC}",
        "station-rain": f"#/station/{RAIN}",
        "station-air": f"#/station/{AIR}",
        "station-water": f"#/station/{WATER}?stream={WATER}/dissolved_oxygen",
        "station-tap": f"#/station/{TAP}",
        "station-script": f"#/station/{SCRIPT}",
        "history": "#/history",
        "events": "#/history?view=events",
        "data": "#/data",
        "handover": "#/handover",
    }.items():
        await visit(page, address)
        await page.wait_for_timeout(1500)
        await page.screenshot(path=artefacts / f"{name}.png", full_page=True)
