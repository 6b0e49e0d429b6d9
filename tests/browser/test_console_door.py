"""The console's door, its sound and its settings, in a real Chromium."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, Route, expect

from alerts.access import Scope
from alerts.api.serve import Feed, running_feed
from alerts.model import EventKind
from alerts.tiles import Tiles
from tests.support.access import token
from tests.support.console import (
    CONTRAST,
    DESK,
    PHONE,
    WIDE,
    admit,
    artefacts,
    chromium,
    console,
    faults_of,
    quiet,
)
from tests.support.databases import Database
from tests.support.feed import (
    HOUR,
    KIMLONG,
    MINUTE,
    NATURE,
    NOW,
    PHUOC,
    Connection,
    catalogue,
    commit,
    happening,
    observe,
    prepare,
    tell,
    until,
)

__all__ = ["artefacts"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
CITY = catalogue()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    """Kim Long above BĐ I since an hour: nothing that sounds."""
    with prepare(plain_database.url, CITY) as connection:
        for step in range(12):
            observe(connection, f"{KIMLONG}/water_level", NOW - step * 5 * MINUTE, 1.2)
            observe(connection, f"{PHUOC}/water_level", NOW - step * 5 * MINUTE, 1.2)
        commit(connection)
        tell(connection, happening(1, level=1, time=NOW - HOUR))
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
async def stranger(browser: Browser, feed: Feed) -> AsyncIterator[Page]:
    """A browser in which nobody has logged in; only the refusals that it meets may be complained of."""
    context = await browser.new_context(viewport=DESK, locale="en-US")
    await quiet(context)
    page = await context.new_page()
    faults = faults_of(page)
    yield page
    assert not (left := [fault for fault in faults if not re.search("401|422", fault)]), left
    await context.close()


async def test_who_is_not_logged_in_sees_the_door_and_nothing_else(
    stranger: Page, feed: Feed, artefacts: Path
) -> None:
    await stranger.goto(f"{feed.url}/#/history")
    await expect(stranger.locator("#token")).to_be_focused()
    await expect(stranger.locator("nav")).to_be_hidden()
    await expect(stranger.locator("body")).not_to_contain_text("Kim Long")
    assert await stranger.evaluate(CONTRAST) == []
    await stranger.screenshot(path=artefacts / "login-vi.png")
    await stranger.locator("[data-language=en]").click()
    await expect(stranger.get_by_role("heading", name="Log in")).to_be_visible()
    await stranger.set_viewport_size(PHONE)
    assert not (wide := await stranger.evaluate(WIDE)), wide
    await stranger.screenshot(path=artefacts / "login-phone-en.png")


async def test_a_wrong_token_is_refused_in_words_and_a_right_one_opens(
    stranger: Page, feed: Feed, plain_database: Database
) -> None:
    await stranger.goto(feed.url)
    await stranger.locator("#token").fill("hw_nothing")
    await stranger.keyboard.press("Enter")
    await expect(stranger.locator("#login-refusal")).to_have_text("Mã này không có hiệu lực.")
    await expect(stranger.locator("#token")).to_be_focused()
    await stranger.locator("#token").fill(token(plain_database.url, Scope.ACKNOWLEDGE, name="Lan"))
    await stranger.keyboard.press("Enter")
    await expect(stranger.locator("#who-name")).to_have_text("Lan")
    await expect(stranger.locator(".alert")).to_have_count(1)
    assert "hw_" not in await stranger.evaluate("document.cookie + JSON.stringify({...localStorage})")


async def test_a_token_in_the_address_is_used_once_and_taken_out_of_it(
    stranger: Page, feed: Feed, plain_database: Database
) -> None:
    await stranger.goto(f"{feed.url}/#token={token(plain_database.url, Scope.READ, name='Màn hình')}")
    await expect(stranger.locator("#who-name")).to_have_text("Màn hình")
    await expect(stranger.locator(".alert")).to_have_count(1)
    assert "hw_" not in stranger.url
    # It may read only.
    await expect(stranger.get_by_role("button", name="Tiếp nhận", exact=True)).to_have_count(
        0
    )  # may read only
    await stranger.reload()
    await expect(stranger.locator("#who-name")).to_have_text("Màn hình")


async def test_a_session_that_ends_leads_to_the_door_and_back_to_where_one_was(
    stranger: Page, feed: Feed, plain_database: Database
) -> None:
    secret = token(plain_database.url, Scope.READ, name="Màn hình")
    await stranger.goto(f"{feed.url}/#token={secret}")
    await expect(stranger.locator(".alert")).to_have_count(1)
    await stranger.locator(".alert .headline").click()
    await expect(stranger.locator(".timeline li")).to_have_count(1)
    await stranger.context.clear_cookies()
    await expect(stranger.locator("#token")).to_be_focused()
    await stranger.locator("#token").fill(secret)
    await stranger.keyboard.press("Enter")
    await expect(stranger.locator(".timeline li")).to_have_count(1)
    await stranger.locator("#logout").click()
    await expect(stranger.locator("#token")).to_be_focused()
    await expect(stranger.locator("#who")).to_be_hidden()
    await stranger.reload()
    await expect(stranger.locator("#token")).to_be_focused()


PLAYED = """() => new Promise((resolve) => {
    const own = AudioContext.prototype.createOscillator;
    window.tones = 0;
    AudioContext.prototype.createOscillator = function () { window.tones += 1; return own.call(this); };
    resolve();
})"""


async def tones(page: Page, count: int) -> None:
    """So many have been heard, sooner or later."""

    async def heard() -> bool:
        return bool(await page.evaluate("window.tones") == count)

    await until(heard, 60.0)


async def test_a_new_severe_alert_sounds_until_it_is_acknowledged_or_muted(
    browser: Browser, feed: Feed, table: Connection
) -> None:
    async with console(browser, feed) as page:
        await page.evaluate(PLAYED)
        await expect(page.locator("#sound")).to_have_text("Âm thanh đang tắt")
        await page.locator("h1").click()
        await expect(page.locator("#sound")).to_have_text("Âm thanh bật")
        assert await page.evaluate("window.tones") == 0  # a minor alert does not sound
        grown = happening(2, kind=EventKind.ESCALATED, level=3, time=NOW)
        await asyncio.to_thread(tell, table, grown)
        await tones(page, 3)
        await expect(page.locator("#icon")).to_have_attribute("href", "/console/icon-alarm.svg")
        await page.locator(".alert .headline").first.focus()
        await page.keyboard.press("m")
        await expect(page.locator(".alert").first).to_contain_text("đã tắt tiếng")
        await expect(page.locator("#icon")).to_have_attribute("href", "/console/icon.svg")
        await page.keyboard.press("m")
        await tones(page, 6)
        await page.keyboard.press("a")
        await expect(page.locator("#icon")).to_have_attribute("href", "/console/icon.svg")


async def test_it_repeats_while_nobody_answers(browser: Browser, feed: Feed, table: Connection) -> None:
    async with console(browser, feed) as page:
        await page.evaluate(PLAYED)
        await page.locator("h1").click()
        await asyncio.to_thread(tell, table, happening(2, alert=2, level=3, station=PHUOC))
        await tones(page, 3)
        await tones(page, 6)
        await page.locator("#sound").click()
        await expect(page.locator("#sound")).to_have_text("Âm thanh tắt")
        await page.reload()
        await expect(page.locator("#sound")).to_have_text("Âm thanh tắt")


async def test_an_answer_that_breaks_off_changes_nothing(browser: Browser, feed: Feed) -> None:
    """As a connection that ends in the middle of the body: what was known stays, the next answer counts."""
    async with console(browser, feed) as page:
        await expect(page.locator(".alert")).to_have_count(1)
        broken = asyncio.Event()

        async def half(route: Route) -> None:
            broken.set()
            await route.fulfill(body='{"as_of": {"state"', content_type="application/json")

        await page.route(re.compile("/api/v1/(stations|alerts)$"), half)
        await broken.wait()
        await page.wait_for_timeout(3_000)  # another round of both
        await expect(page.locator(".alert")).to_have_count(1)
        await expect(page.locator(".card")).to_have_count(2)
        await page.unroute_all()
        await expect(page.locator("#sight")).to_have_attribute("data-state", "live")


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


async def test_tiles_lie_under_the_map_only_where_the_feed_is_set_so(
    browser: Browser, plain_database: Database, feed: Feed
) -> None:
    tiles = Tiles("http://tiles.test/{z}/{x}/{y}.png", "© Sở <b>TNMT</b>")
    async with running_feed(plain_database.url, None, CITY, NATURE, tiles=tiles) as other:
        context = await browser.new_context(viewport=DESK)
        await admit(context, other)
        allowed = {"Access-Control-Allow-Origin": "*"}
        await context.route(
            "http://tiles.test/**",
            lambda route: route.fulfill(body=PIXEL, content_type="image/png", headers=allowed),
        )
        page = await context.new_page()
        faults = faults_of(page)
        await page.goto(other.url)
        await expect(page.locator("#map image").first).to_be_attached()
        await expect(page.locator("#map .annotation-text")).to_have_text("© Sở <b>TNMT</b>")
        assert faults == []
        await context.close()
    async with console(browser, feed) as page:
        await expect(page.locator("#map .point").first).to_be_attached()
        await expect(page.locator("#map image")).to_have_count(0)


async def test_a_theme_is_chosen_and_remembered(browser: Browser, feed: Feed) -> None:
    async with console(browser, feed) as page:
        await page.emulate_media(color_scheme="light")
        background = "getComputedStyle(document.body).backgroundColor"
        light = await page.evaluate(background)
        await page.locator("#theme").select_option("dark")
        dark = await page.evaluate(background)
        assert light != dark
        await page.reload()
        assert await page.evaluate(background) == dark
        await page.locator("#theme").select_option("system")
        assert await page.evaluate(background) == light
        await page.emulate_media(color_scheme="dark")
        assert await page.evaluate(background) == dark


async def test_presence_is_told_with_whether_anybody_moved(browser: Browser, feed: Feed) -> None:
    async with console(browser, feed) as page:
        await page.clock.install()
        async with page.expect_request("**/api/v1/presence") as first:
            await page.reload()
        assert (await first.value).post_data_json == {"active": True}
        async with page.expect_request("**/api/v1/presence") as second:
            await page.clock.run_for(60_500)
        assert (await second.value).post_data_json == {"active": False}
        await page.mouse.move(200, 300)
        async with page.expect_request("**/api/v1/presence") as third:
            await page.clock.run_for(60_500)
        assert (await third.value).post_data_json == {"active": True}


async def test_the_keyboard_gets_everywhere_and_out_again(browser: Browser, feed: Feed) -> None:
    """No trap: tabbing on from the top reaches the footer's end and the browser's own bar."""
    async with console(browser, feed) as page:
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#view")).to_be_focused()
        seen = set()
        for _ in range(80):
            await page.keyboard.press("Tab")
            seen.add(await page.evaluate(NAMED))
            if await page.evaluate("document.activeElement === document.body"):
                break
        else:
            pytest.fail(f"still within the page: {seen}")
        assert not {name for name in seen if name.endswith(": ")}, "something has no name"


NAMED = """(() => {
    const node = document.activeElement;
    const name = node.getAttribute("aria-label") || node.title || node.textContent.trim() ||
        document.getElementById(node.getAttribute("aria-labelledby"))?.textContent ||
        document.querySelector(`label[for="${node.id}"]`)?.textContent ||
        node.closest("label")?.textContent || "";
    return `${node.tagName} ${node.id}: ${name.slice(0, 30)}`;
})()"""


def approvals(sent: list[Request]) -> list[object]:
    """What was sent to have a text approved."""
    return [request.post_data_json for request in sent if request.url.endswith("/approve")]


async def test_a_text_that_tells_people_to_act_needs_a_name_typed(
    browser: Browser, feed: Feed, artefacts: Path
) -> None:
    async with console(browser, feed) as page:
        sent: list[Request] = []
        page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
        await page.route("**/approve", lambda route: route.fulfill(json={}))
        await page.locator(".alert .headline").first.click()
        await page.get_by_role("button", name="Duyệt nội dung").click()
        await page.get_by_label("Yêu cầu hành động").select_option("Evacuate")
        await page.get_by_label("Nội dung tiếng Việt").fill("Di dời khỏi vùng thấp trước 18 giờ.")
        await page.get_by_label("Nội dung tiếng Anh").fill("Leave low ground before 18:00.")
        await page.get_by_label("Gõ tên của bạn (An)").fill("Bình")
        await page.locator("dialog .primary").click()
        await expect(page.locator("dialog .status")).to_contain_text("Tên không khớp")
        await page.screenshot(path=artefacts / "dialog-approve.png")
        assert approvals(sent) == []
        await page.get_by_label("Gõ tên của bạn (An)").fill("An")
        await page.locator("dialog .primary").click()
        await expect(page.locator("dialog")).to_have_count(0)
        assert approvals(sent) == [
            {
                "response": ["Evacuate"],
                "vi": "Di dời khỏi vùng thấp trước 18 giờ.",
                "en": "Leave low ground before 18:00.",
                "seen": 0,
            }
        ]
    async with console(browser, feed, "Bình", Scope.ACKNOWLEDGE) as page:
        await page.locator(".alert .headline").first.click()
        await expect(page.get_by_role("button", name="Ghi chú")).to_be_visible()
        await expect(page.get_by_role("button", name="Duyệt nội dung")).to_have_count(0)
