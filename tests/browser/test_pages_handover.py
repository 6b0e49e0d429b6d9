"""The handover of the watch in a real Chromium: read, printed on paper, accepted by name."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from alerts.access import Scope
from alerts.api.serve import Feed
from alerts.handling import Action
from alerts.handling_store import act
from alerts.model import EventKind
from tests.support.console import console
from tests.support.feed import KIMLONG, MINUTE, NOW, Connection, happening, tell
from tests.support.pages import Look, visit

pytestmark = pytest.mark.asyncio(loop_scope="module")
A4 = (595, 842)  # points


def part(page: Page, name: str) -> Locator:
    """One part of the report."""
    return page.locator(f"[data-part=handover_{name}]")


async def test_the_report_says_what_the_next_shift_must_know(
    page: Page, city: tuple[Connection, str], look: Look
) -> None:
    alert = happening(1).alert_id
    await asyncio.to_thread(act, city[0], alert, Action(EventKind.ASSIGNED, "An", assign_to="Bình"), NOW)
    await asyncio.to_thread(act, city[0], alert, Action(EventKind.COMMENTED, "An", "Đã gọi trạm bơm"), NOW)
    await visit(page, "#/handover")
    await expect(part(page, "open")).to_contain_text("Kim Long")
    await expect(part(page, "open")).to_contain_text("Bình")
    await expect(part(page, "open").locator(".comments")).to_contain_text("Đã gọi trạm bơm")
    await expect(part(page, "forecasts")).to_contain_text("BĐ III +0,50\u00a0m 4,00\u00a0m")
    await expect(part(page, "forecasts")).to_contain_text("không phải bản tin KTTV")
    await expect(part(page, "highest")).to_contain_text("trên BĐ III")
    await expect(part(page, "silent").locator("tr.old")).to_contain_text("Phú Ốc")
    await expect(part(page, "gaps")).to_contain_text("04:00 27/10")
    await visit(page, f"#/station/{KIMLONG}")
    await expect(page.locator(".station-alerts .comments")).to_contain_text("Đã gọi trạm bơm")
    await visit(page, "#/handover")
    await expect(part(page, "shelved")).to_contain_text("Không có.")
    await look(page, "handover-vi")
    await page.locator("[data-language=en]").click()
    await expect(page.locator("h2")).to_contain_text("Handover of the watch")
    await look(page, "handover-en")


async def test_paper_has_the_report_the_names_and_lines_to_sign_and_nothing_of_the_screen(
    page: Page, look: Look, tmp_path: Path
) -> None:
    await page.emulate_media(color_scheme="dark")
    await visit(page, "#/handover")
    await page.locator("#leaver").fill("Bình")
    await page.emulate_media(media="print", color_scheme="dark")
    for gone in (".top", ".acceptance", ".actions", "body > footer"):
        await expect(page.locator(gone).first).to_be_hidden()
    await expect(page.locator(".printed-names")).to_have_text("Người giao ca: Bình · Người nhận ca: An")
    await expect(page.locator(".signatures .line")).to_have_text(["Bình", "An"])
    await expect(page.locator(".drill")).to_have_text("DIỄN TẬP")
    colours = await page.evaluate(
        "[...document.querySelectorAll('.handover :is(h2, td, th, a)')]"
        ".map((e) => getComputedStyle(e).color).filter((c) => c !== 'rgb(0, 0, 0)')"
    )
    assert colours == []
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    await look(page, "handover-print")
    pdf = await page.pdf(prefer_css_page_size=True, print_background=True)
    assert f"/MediaBox [0 0 {A4[0]}".encode() in pdf or b"/MediaBox [0 0 594" in pdf


async def test_who_may_only_read_is_told_so_and_given_no_button(browser: Browser, feed: Feed) -> None:
    async with console(browser, feed, scope=Scope.READ) as page:
        await visit(page, "#/handover")
        await expect(page.locator(".acceptance")).to_contain_text("nhận ca cần quyền tiếp nhận")
        await expect(page.get_by_role("button", name="Nhận ca")).to_have_count(0)


async def test_who_takes_over_is_named_and_what_came_since_the_report_is_said(
    browser: Browser, feed: Feed, city: tuple[Connection, str], look: Look
) -> None:
    async with console(browser, feed, forgiven="status of 409") as page:
        await visit(page, "#/handover")
        await page.locator("#leaver").fill("Bình")
        await asyncio.to_thread(
            tell, city[0], happening(21, alert=3, level=3, time=NOW - MINUTE, station=KIMLONG)
        )
        await expect(page.locator(".news")).to_contain_text("diễn biến mới từ khi lập biên bản này")
        await page.get_by_role("button", name="Nhận ca").click()
        answer = page.locator(".acceptance .not-known")
        await expect(answer).to_contain_text("Có diễn biến nặng sau biên bản này")
        await expect(answer.locator("li")).to_contain_text("Kim Long")
        await look(page, "handover-conflict")
        await answer.get_by_role("button", name="Lập lại").click()
        await expect(answer).to_have_count(0)
        await page.locator("#leaver").fill("Bình")
        await page.locator("#handover-comment").fill("Đã bàn giao bộ đàm")
        await page.get_by_role("button", name="Nhận ca").click()
        await expect(page.locator(".accepted")).to_contain_text("đã nhận ca từ Bình lúc")
        await look(page, "handover-accepted")
        await page.get_by_role("button", name="Lập lại").first.click()
        await expect(page.locator(".report-head")).to_contain_text("Lần giao ca trước: Bình giao cho")
