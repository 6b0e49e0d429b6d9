"""The watch over the whole city: map, list of alerts and what people do with them, in a real Chromium."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect

from alerts.access import Scope
from alerts.api.serve import Feed, running_feed
from alerts.handling import Action
from alerts.handling_store import act
from alerts.model import EventKind
from ingest.catalog import Catalogue, load_catalogue
from tests.support.console import CONTRAST, GREEN, PHONE, SMALL, WIDE, artefacts, chromium, console
from tests.support.databases import Database
from tests.support.feed import (
    HOUR,
    KIMLONG,
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

__all__ = ["artefacts"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

SHIPPED = load_catalogue(Path(__file__).parents[2] / "config" / "catalog")
CITY = Catalogue(
    stations=tuple(each.model_copy(update={"nature": NATURE}) for each in SHIPPED.stations), routes=()
)
LEVELS = {
    "HUE-WL-KIMLONG": (3.58, 0.10),
    "HUE-WL-TUPHU": (2.28, 0.2),
    "HUE-WL-THNHAT": (58.2, 0.3),
    "HUE-WL-PHBINH": (2.2, 0.06),
    "HUE-WL-TRUOI": (1.1, 0.0),
    "HUE-FL-DAPDA": (0.32, 0.05),
    "HUE-FL-BATRIEU": (0.05, 0.0),
    "HUE-FL-BACHDANG": (0.55, 0.06),
}


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
            happening(3, alert=3, level=1, station="HUE-WL-TUPHU", time=NOW - 30 * MINUTE),
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
    async with console(browser, feed) as page:
        yield page


async def drawn(page: Page) -> None:
    """The map or the chart of the page has been drawn."""
    await expect(page.locator(".js-plotly-plot .point").first).to_be_attached()


def row(page: Page, station: str) -> Locator:
    """The alert of a station in the list."""
    return page.locator(".alert").filter(has=page.locator(".headline", has_text=station))


def opened(number: int) -> str:
    """The id of the alert that `happening` gives this number."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"alert {number}"))


async def looked_at(page: Page, artefacts: Path, name: str) -> None:
    """Screenshots of a view in both languages and both themes, each readable and no wider than the screen."""
    for language in ("en", "vi"):
        await page.locator(f"[data-language={language}]").click()
        for theme in ("dark", "light"):
            await page.locator("#theme").select_option(theme)
            await drawn(page)
            assert await page.evaluate(CONTRAST) == []
            assert not (wide := await page.evaluate(WIDE)), wide
            await page.screenshot(path=artefacts / f"{name}-{language}-{theme}.png")


async def test_map_and_alerts_share_the_first_screen_of_1366_by_768(page: Page, artefacts: Path) -> None:
    await drawn(page)
    await expect(page.locator(".alert")).to_have_count(4)
    for part in ("#map .canvas", ".alert >> nth=0"):
        box = await page.locator(part).bounding_box()
        assert box is not None
        assert 0 < box["y"] < box["y"] + box["height"] <= 768
    await looked_at(page, artefacts, "watch")
    await page.screenshot(path=artefacts / "watch-full.png", full_page=True)
    assert await page.evaluate(SMALL) == []


async def test_a_phone_shows_the_alerts_first_and_never_scrolls_sideways(page: Page, artefacts: Path) -> None:
    await page.set_viewport_size(PHONE)
    await drawn(page)
    first, later = page.locator("#alerts"), page.locator("#map")
    above, below = await first.bounding_box(), await later.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] < below["y"]
    assert not (wide := await page.evaluate(WIDE)), wide
    await page.screenshot(path=artefacts / "watch-phone.png")
    await page.locator("#map").scroll_into_view_if_needed()
    await page.wait_for_timeout(500)  # what was off the screen is painted
    await page.screenshot(path=artefacts / "watch-phone-map.png")
    await page.goto(f"{page.url.partition('#')[0]}#/alert/{opened(1)}")
    await expect(page.locator(".plot .point").first).to_be_attached()
    assert not (wide := await page.evaluate(WIDE)), wide
    await page.screenshot(path=artefacts / "alert-phone.png", full_page=True)


async def test_each_station_has_a_shape_a_colour_and_a_text(page: Page) -> None:
    await drawn(page)
    stations = page.locator(".stations li")
    await expect(stations).to_have_count(len(CITY.stations))
    await expect(stations.first).to_have_attribute("data-sign", "l3")
    await expect(stations.first).to_have_text(re.compile("Kim Long.*trên BĐ III.*3,58\u00a0m"))
    silent = stations.filter(has_text="Phú Ốc")
    await expect(silent).to_have_attribute("data-sign", "stale")
    await expect(silent).to_have_text(re.compile("mất tín hiệu.*4,42\u00a0m.*50 phút trước"))
    green = await page.evaluate(GREEN)
    assert green == []


async def test_the_map_needs_nothing_from_elsewhere(page: Page, feed: Feed) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.reload()
    await drawn(page)
    assert [url for url in asked if not url.startswith(feed.url)] == []
    assert any(url.endswith("/console/plotly.min.js") for url in asked)


async def test_the_map_can_be_looked_into_and_a_station_opened(page: Page, artefacts: Path) -> None:
    await drawn(page)
    await page.get_by_role("button", name="Nội thành").click()
    await page.screenshot(path=artefacts / "watch-centre.png")
    await expect(page.locator("#map .textpoint", has_text="Bà Triệu")).to_be_visible()
    await page.get_by_role("button", name="Toàn thành phố").click()
    await page.route("**/console/view-station.js", station_stands_in)
    await page.locator(".stations a", has_text="Kim Long").focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"#/station/{KIMLONG}$"))
    await expect(page.locator("#view")).to_have_text(KIMLONG)


async def station_stands_in(route: Route) -> None:
    """The station's page is another part's: here it shows which station it was opened for."""
    body = "export const open = (root, { id }) => { root.textContent = id; return () => {}; };"
    await route.fulfill(body=body, content_type="text/javascript")


async def test_an_alert_acknowledged_in_one_browser_is_seen_in_another(
    browser: Browser, page: Page, feed: Feed, artefacts: Path
) -> None:
    async with console(browser, feed, "Bình", Scope.ACKNOWLEDGE) as other:
        await expect(row(other, "Kim Long")).to_contain_text("chưa ai tiếp nhận")
        await row(page, "Kim Long").get_by_role("button", name="Tiếp nhận", exact=True).click()
        await expect(page.locator("#said")).to_contain_text("Tiếp nhận: DIỄN TẬP: Kim Long")
        await expect(row(other, "Kim Long")).to_contain_text("An đã tiếp nhận")
        await expect(row(other, "Kim Long")).to_have_attribute("data-handling", "taken")
        button = row(other, "Kim Long").get_by_role("button", name="Tiếp nhận", exact=True)
        await expect(button).to_have_count(0)
        await other.screenshot(path=artefacts / "watch-acknowledged.png")


async def test_the_worst_stands_first_and_of_one_severity_what_nobody_has_taken(page: Page) -> None:
    headlines = page.locator(".alert .headline")
    await expect(headlines.nth(0)).to_contain_text("Kim Long")
    await expect(headlines.nth(1)).to_contain_text("Đập Đá")
    await row(page, "Đập Đá").get_by_role("button", name="Tiếp nhận", exact=True).click()
    await expect(headlines.nth(1)).to_contain_text("Phú Ốc")
    await expect(headlines.nth(2)).to_contain_text("Đập Đá")
    await expect(headlines.nth(3)).to_contain_text("Tứ Phú")


async def test_an_alert_is_handled_by_keys_alone(page: Page, artefacts: Path) -> None:
    await page.keyboard.press("j")
    await expect(row(page, "Kim Long").locator(".headline")).to_be_focused()
    await page.keyboard.press("j")
    await expect(row(page, "Đập Đá").locator(".headline")).to_be_focused()
    await page.keyboard.press("k")
    await page.keyboard.press("a")
    await expect(row(page, "Kim Long")).to_contain_text("An đã tiếp nhận")
    await expect(row(page, "Kim Long").locator(".headline")).to_be_focused()
    await page.keyboard.press("c")
    await page.screenshot(path=artefacts / "dialog-comment.png")
    await page.keyboard.type("Đã gọi trạm, jka")  # letters are letters here
    await page.keyboard.press("Control+Enter")
    await expect(row(page, "Kim Long")).to_contain_text("1 ghi chú")
    await page.keyboard.press("s")
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog")).to_have_count(0)
    await page.keyboard.press("s")
    await page.keyboard.press("Control+Enter")
    await expect(row(page, "Kim Long")).to_contain_text(re.compile("An tạm ẩn đến"))
    await expect(page.locator(".alert").last).to_contain_text("Kim Long")
    await unshelved_by_key(page)
    await page.keyboard.press("Enter")
    await expect(page.locator(".timeline li")).to_have_count(5)
    await expect(page.locator(".timeline")).to_contain_text("“Đã gọi trạm, jka”")
    await looked_at(page, artefacts, "alert")


async def unshelved_by_key(page: Page) -> None:
    """Presses again, as people do: a row that has just been told anew may have lost the focus."""
    alert = row(page, "Kim Long")
    for _ in range(5):
        await alert.locator(".headline").focus()
        await page.keyboard.press("u")
        with suppress(AssertionError):
            await expect(alert).not_to_contain_text("tạm ẩn đến", timeout=3_000)
            return
    raise AssertionError("it is shelved still")


async def test_the_help_names_every_key_and_can_turn_letters_off(page: Page, artefacts: Path) -> None:
    await page.keyboard.press("?")
    for key in ("j", "k", "a", "A", "c", "g", "s", "u", "x", "m", "/", "?"):
        await expect(page.locator("kbd", has_text=re.compile(f"^{re.escape(key)}$"))).to_be_visible()
    await page.screenshot(path=artefacts / "help.png")
    await page.get_by_label("Dùng phím tắt một chữ").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await expect(row(page, "Kim Long").locator(".headline")).not_to_be_focused()


async def test_who_is_overtaken_sees_by_whom_and_may_go_on(
    browser: Browser, feed: Feed, table: Connection, artefacts: Path
) -> None:
    async with console(browser, feed, forgiven="409") as page:
        await overtaken(page, table, artefacts)


async def overtaken(page: Page, table: Connection, artefacts: Path) -> None:
    await row(page, "Kim Long").locator(".headline").focus()
    await page.keyboard.press("x")
    await page.get_by_label("Lý do").fill("máy đo hỏng")
    alert = opened(1)
    await asyncio.to_thread(
        act, table, alert, Action(EventKind.COMMENTED, "Bình", "nước thật, đừng hủy"), NOW
    )
    await page.locator("dialog .primary").click()
    await expect(page.locator("dialog .status")).to_contain_text("Bình: Ghi chú – nước thật, đừng hủy")
    await page.screenshot(path=artefacts / "dialog-conflict.png")
    await expect(page.locator("dialog .primary")).to_have_text("Vẫn gửi")
    await page.locator("dialog .primary").click()
    await expect(page.locator("dialog")).to_have_count(0)
    await expect(row(page, "Kim Long")).to_have_count(0)


async def test_the_filter_says_what_it_hides(page: Page) -> None:
    await page.keyboard.press("/")
    await page.keyboard.type("phu oc")
    await expect(page.locator(".alert")).to_have_count(1)
    await expect(page.locator(".kept")).to_contain_text("3 cảnh báo đang mở không hiện")
    await page.get_by_label("Tìm trạm, sông, quy tắc").fill("")
    await page.get_by_label("Mức độ").select_option("Moderate")
    await expect(page.locator(".alert")).to_have_count(3)
    await page.get_by_label("Mức độ").select_option("")
    await page.get_by_label("Sông", exact=True).select_option("sông Bồ")
    await expect(page.locator(".alert")).to_have_count(2)
    await page.get_by_label("Sông", exact=True).select_option("")
    await page.get_by_role("button", name="Của tôi").click()
    await expect(page.locator(".alert")).to_have_count(0)
    await expect(page.locator("#alert-list")).to_contain_text("Không có cảnh báo nào khớp")
