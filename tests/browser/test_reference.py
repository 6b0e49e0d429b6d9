"""The reference of the feed in a real browser: it keeps the strict content policy and is whole."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import ConsoleMessage, async_playwright

from alerts.access import Scope
from alerts.api.serve import Feed, running_feed
from tests.support.access import headers
from tests.support.contract import made
from tests.support.databases import Database
from tests.support.feed import NATURE, catalogue, prepare
from tests.support.parts import need_program


@pytest.fixture
async def feed(plain_database: Database) -> AsyncIterator[Feed]:
    with prepare(plain_database.url, catalogue()):
        async with running_feed(plain_database.url, None, catalogue(), NATURE) as found:
            yield found


async def test_the_reference_is_shown_with_its_style_and_without_a_complaint(
    feed: Feed, plain_database: Database
) -> None:
    program = need_program("chromium", "chromium")
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = await browser.new_page(extra_http_headers=headers(plain_database.url, Scope.READ))
        page.on("console", said)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        async with asyncio.timeout(60):
            response = await page.goto(f"{feed.url}/api/v1/docs")
            assert response
            assert response.status == 200
            assert await page.locator("h3").count() > len(made()["paths"])
            assert (
                await page.locator("table").first.evaluate("t => getComputedStyle(t).borderCollapse")
                == "collapse"
            )
            await page.get_by_role("link", name="GET /api/v1/latest").click()
            assert page.url.endswith("#listLatest")
        await browser.close()
    assert complaints == []
