"""The console in a real Chromium: what its tests share."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, ViewportSize, async_playwright, expect

from alerts.access import Scope
from alerts.api.serve import Feed
from tests.support.access import session_cookie
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
PATIENCE_MS = 15_000  # of each expectation: a machine that builds beside the tests is slow, not wrong
DESK = ViewportSize(width=1366, height=768)
PHONE = ViewportSize(width=390, height=844)
PLANTED = "<script>document.title = 'planted'</script><img src=x onerror=\"document.title = 'planted'\">"
# What reaches beyond the right edge, by tag and class; nothing where the page does not scroll sideways.
WIDE = """document.documentElement.scrollWidth > window.innerWidth &&
    [...document.querySelectorAll("body :not(svg *)")]
    .filter((node) => node.getBoundingClientRect().right > window.innerWidth + 1)
    .map((node) => `${node.tagName} ${node.id} ${node.getAttribute("class")}`).slice(0, 12)"""

# Text with less contrast than WCAG 2.2 AA asks for (1.4.3), by class.
CONTRAST = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgb = (css) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
                           return [...canvas.getImageData(0, 0, 1, 1).data]; };
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (node) => { for (; node; node = node.parentElement) {
        const colour = rgb(getComputedStyle(node).backgroundColor); if (colour[3] === 255) return colour; }
        return [255, 255, 255]; };
    const poor = [];
    for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
        if (!own || !node.checkVisibility() || node.closest(".unseen, .skip, svg")) continue;
        const [one, other] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (ratio < 4.5) poor.push(`${node.className || node.tagName}: ${ratio.toFixed(2)}`);
    }
    return poor;
}"""
# Things to press that are smaller than 24 by 24 px (2.5.8) and no words of a sentence or list.
SMALL = """[...document.querySelectorAll("button, select, input, summary")]
    .map((node) => [node, node.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
    .map(([node, box]) => `${node.id || node.className} ${box.width} x ${box.height}`)"""
# Stations that are stale or unknown and yet have a mark in any green.
GREEN = """[...document.querySelectorAll("li[data-sign=stale] i, .card.old .signal i")].filter((node) => {
    const [r, g, b] = getComputedStyle(node).backgroundColor.match(/\\d+/g).map(Number);
    return g > r + 20 && g > b + 20; }).length ? ["green"] : []"""


@pytest.fixture
def artefacts(tmp_path: Path) -> Path:
    """Where screenshots go, for people to look at."""
    folder = Path(os.environ.get("HUEWATCH_ARTEFACTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """One Chromium; each test takes a context of its own."""
    path = shutil.which("chromium") or CHROMIUM
    if not Path(path).exists():  # noqa: ASYNC240 - before anything runs
        missing("chromium", "apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield found
        await found.close()


async def admit(
    context: BrowserContext, feed: Feed, name: str = "An", scope: Scope = Scope.ADMINISTER
) -> None:
    """Let whoever opens the console in this context be logged in under that name."""
    await context.add_cookies([session_cookie(feed, scope, name=name)])
    await quiet(context)


async def quiet(context: BrowserContext) -> None:
    """Answer for other parts of the feed: the console lives without, but Chromium complains of each 404."""

    async def nothing(route: Route) -> None:
        await route.fulfill(json={"forecasts": []})

    await context.route("**/api/v1/presence", nothing)
    await context.route("**/api/v1/forecasts", nothing)


def faults_of(page: Page) -> list[str]:
    """What the page's error console and its scripts complain of, from now on; empty when all is well."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(error.stack or str(error)))
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
