"""The watch over the whole city: map, list of alerts and what people do with them, in a real Chromium."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from alerts.api.serve import Feed, running_feed
from ingest.catalog import Catalogue, load_catalogue
from tests.support.console import PHONE, WIDE, chromium, console
from tests.support.databases import Database
from tests.support.feed import (
    HOUR,
    MINUTE,
    NATURE,
    NOW,
    PHUOC,
    Connection,
    commit,
    happening,
    observe,
    prepare,
    tell,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHIPPED = load_catalogue(Path(__file__).parents[2] / "config" / "catalog")
CITY = Catalogue(
    stations=tuple(each.model_copy(update={"nature": NATURE}) for each in SHIPPED.stations), routes=()
)
LEVELS = {
    "HUE-WL-KIMLONG": (3.58, 0.10),
    "HUE-WL-TUPHU": (1.2, 0.02),
    "HUE-WL-THNHAT": (58.2, 0.3),
    "HUE-WL-PHBINH": (2.2, 0.06),
    "HUE-WL-TRUOI": (1.1, 0.0),
    "HUE-FL-DAPDA": (0.32, 0.05),
    "HUE-FL-BATRIEU": (0.05, 0.0),
    "HUE-FL-BACHDANG": (0.55, 0.06),
}


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


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    """A flood: Kim Long above BĐ III, streets under water, Phú Ốc silent for 50 minutes."""
    with prepare(plain_database.url, CITY) as connection:
        for step in range(19):
            at = NOW - step * 5 * MINUTE
            for station, (level, hourly) in LEVELS.items():
                observe(connection, f"{station}/water_level", at, level - hourly * step / 12)
            observe(connection, f"{PHUOC}/water_level", at - 50 * MINUTE, 4.42 - 0.08 * step / 12)
        commit(connection)
        tell(
            connection,
            happening(1, level=3, time=NOW - HOUR),
            happening(2, alert=2, level=2, station=PHUOC, time=NOW - 70 * MINUTE),
            happening(3, alert=3, level=1, station="HUE-WL-PHBINH", time=NOW - 30 * MINUTE),
            happening(4, alert=4, level=2, station="HUE-FL-DAPDA", time=NOW - 20 * MINUTE),
        )
        yield connection


@pytest_asyncio.fixture(loop_scope="module")
async def feed(plain_database: Database, table: Connection) -> AsyncIterator[Feed]:
    async def beat() -> None:
        while True:
            await asyncio.to_thread(commit, table)
            await asyncio.sleep(1.0)

    beating = asyncio.create_task(beat())
    async with running_feed(plain_database.url, None, CITY, NATURE) as found:
        yield found
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, feed: Feed) -> AsyncIterator[Page]:
    async with console(browser, feed.url) as page:
        yield page


async def drawn(page: Page) -> None:
    """The map has been drawn."""
    await expect(page.locator("#map .point").first).to_be_attached()


async def test_map_and_alerts_share_the_first_screen(page: Page, artefacts: Path) -> None:
    await drawn(page)
    await expect(page.locator(".alert")).to_have_count(4)
    await page.screenshot(path=artefacts / "watch-vi-light.png")
    await page.screenshot(path=artefacts / "watch-vi-light-full.png", full_page=True)
    await page.locator("#theme").select_option("dark")
    await drawn(page)
    await page.screenshot(path=artefacts / "watch-vi-dark.png")
    await page.locator(".alert .headline").first.click()
    await expect(page.locator(".timeline li")).to_have_count(1)
    await expect(page.locator(".plot .point").first).to_be_attached()
    await page.screenshot(path=artefacts / "alert-vi-dark.png")
    await page.go_back()
    await page.set_viewport_size(PHONE)
    await drawn(page)
    assert not await page.evaluate(WIDE)
    await page.screenshot(path=artefacts / "watch-phone.png", full_page=True)


async def test_phone_top(page: Page, artefacts: Path) -> None:
    await page.set_viewport_size(PHONE)
    await drawn(page)
    await page.screenshot(path=artefacts / "watch-phone-top.png")
