"""The console in a real Chromium: what its tests share."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, Route, ViewportSize, async_playwright, expect

from alerts.access import Scope
from alerts.api.serve import Feed
from tests.support.parts import missing

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
DESK = ViewportSize(width=1366, height=768)
PHONE = ViewportSize(width=390, height=844)
PLANTED = "<script>document.title = 'planted'</script><img src=x onerror=\"document.title = 'planted'\">"
WIDE = "document.documentElement.scrollWidth > window.innerWidth"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """One Chromium; each test takes a context of its own."""
    path = shutil.which("chromium") or CHROMIUM
    if not Path(path).exists():  # noqa: ASYNC240 - before anything runs
        missing("chromium", "apt-get install chromium")
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield found
        await found.close()


async def admit(
    context: BrowserContext, feed: Feed, name: str = "An", scope: Scope = Scope.ADMINISTER
) -> None:
    """Let whoever opens the console in this context be logged in under that name."""
    held = [each.value for each in Scope][: list(Scope).index(scope) + 1]

    async def session(route: Route) -> None:
        await route.fulfill(json={"name": name, "scopes": held})

    async def nothing(route: Route) -> None:
        await route.fulfill(json={"forecasts": []})

    await context.route("**/api/v1/session", session)
    await context.route("**/api/v1/presence", nothing)
    await context.route("**/api/v1/forecasts", nothing)


def faults_of(page: Page) -> list[str]:
    """What the page's error console and its scripts complain of, from now on; empty when all is well."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    return faults


@asynccontextmanager
async def console(
    browser: Browser,
    feed: Feed,
    name: str = "An",
    scope: Scope = Scope.ADMINISTER,
    viewport: ViewportSize = DESK,
    forgiven: str = "",
) -> AsyncIterator[Page]:
    """The console of somebody who is logged in, in a browser whose own zone is New York.

    Anything on its error console fails the test, but for what `forgiven` matches.
    """
    context = await browser.new_context(viewport=viewport, timezone_id="America/New_York", locale="en-US")
    await admit(context, feed, name, scope)
    page = await context.new_page()
    faults = faults_of(page)
    await page.goto(feed.url)
    await expect(page.locator("#sight")).to_have_attribute("data-state", "live")
    await expect(page.locator("#view[data-view]")).to_be_attached()
    yield page
    expected = re.compile(forgiven) if forgiven else None
    assert not (left := [fault for fault in faults if not (expected and expected.search(fault))]), left
    await context.close()
