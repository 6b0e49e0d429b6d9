"""The station page, the history and the data's health in a real Chromium, over a real feed and database."""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from alerts.api.serve import Feed
from alerts.handling import Action
from alerts.handling_store import act
from alerts.model import EventKind
from tests.support.console import CONTRAST, PHONE, WIDE, console
from tests.support.feed import HOUR, KIMLONG, MINUTE, NOW, PHUOC, Connection, happening, observe, tell
from tests.support.pages import (
    AIR,
    GAP,
    LEVEL,
    RAIN,
    SCRIPT,
    TAP,
    WATER,
    Look,
    level_at,
    visit,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATION = f"#/station/{KIMLONG}"


async def trace(page: Page, name: str) -> dict[str, Any]:
    """One trace of the chart as plotly was given it."""
    found: dict[str, Any] = await page.evaluate(
        """async (name) => {
            for (let i = 0; i < 100; i += 1) {
                const found = document.querySelector(".hydrograph")?.data?.find((each) => each.meta === name);
                if (found) return { x: found.x, y: found.y, text: found.text ?? [] };
                await new Promise((resolve) => setTimeout(resolve, 100));
            }
            throw new Error(`no trace ${name}`);
        }""",
        name,
    )
    return found


async def point(page: Page, name: str) -> Locator:
    """Move the pointer over the newest point of a trace; the chart's label."""
    await trace(page, name)
    x, y = await page.evaluate(
        """(name) => {
            const chart = document.querySelector(".hydrograph");
            const found = chart.data.find((each) => each.meta === name);
            const { xaxis, yaxis } = chart._fullLayout;
            const box = chart.getBoundingClientRect();
            return [box.x + xaxis._offset + xaxis.d2p(found.x.at(-1)),
                    box.y + yaxis._offset + yaxis.d2p(found.y.at(-1))];
        }""",
        name,
    )
    await page.mouse.move(x, y + 60)
    await page.mouse.move(x, y)
    return page.locator(".hydrograph .hoverlayer")


async def test_the_head_says_value_level_margin_trend_and_when_the_next_level_is_passed(
    page: Page, look: Look
) -> None:
    await visit(page, STATION)
    facts = page.locator(".facts")
    await expect(facts.locator(".reading")).to_contain_text("3,58\u00a0m")
    await expect(facts).to_contain_text("đang có cảnh báo")
    await expect(facts).to_contain_text("đúng giờ")
    await expect(facts).to_contain_text("trên BĐ\u00a0III 0,08\u00a0m")
    await expect(facts).to_contain_text(re.compile(r"đang lên 1\d\u00a0cm/giờ"))
    await expect(facts).to_contain_text(
        "BĐ III +0,50\u00a0m (4,00\u00a0m): khoảng 11:12 27/10, 80\u00a0% từ 09:36 27/10 đến sau 6\u00a0giờ"
    )
    sheet = page.locator(".sheet")
    await expect(sheet).to_contain_text("Hòn Dấu")
    await expect(sheet).to_contain_text("chỉ dùng cho diễn tập")
    await expect(sheet).to_contain_text("hue-wl-kimlong · water_level")
    await expect(page.locator(".last-day")).to_contain_text(
        "96\u00a0% số mẫu phải có · gián đoạn dài nhất 1 giờ"
    )
    await expect(page.locator(".notice")).to_contain_text("không phải bản tin KTTV")
    await look(page, "station-vi")


async def test_the_chart_is_on_vietnamese_time_whatever_the_browsers_zone(page: Page) -> None:
    await visit(page, STATION)
    observed = await trace(page, "observed")
    assert observed["x"][-1] == "2025-10-27T07:00:00.000"  # 20:00 of the 26th in the browser's own zone
    await expect(await point(page, "observed")).to_have_text("07:00:00 27/10/20253,58\u00a0m")
    await expect(page.locator(".xtick text", has_text="27/10")).to_have_count(1)


async def test_an_hour_without_readings_stays_a_gap_and_is_hatched(page: Page) -> None:
    await visit(page, STATION)
    observed = await trace(page, "observed")
    before, after = "2025-10-27T04:00:00.000", "2025-10-27T05:00:00.000"
    assert (GAP[1] - GAP[0], NOW - GAP[1]) == (HOUR, 2 * HOUR)
    at = observed["x"].index(before)
    assert observed["x"][at + 2] == after
    assert observed["y"][at + 1] is None  # the line ends and begins again
    assert (await trace(page, "silence"))["x"] == [before, before, after, after]
    await expect(page.locator("[data-sign=silence]")).to_have_text("Mất tín hiệu")


async def test_doubted_failed_and_late_readings_have_signs_of_their_own(page: Page) -> None:
    await visit(page, STATION)
    observed = await trace(page, "observed")
    suspect, failed, late = [await trace(page, name) for name in ("suspect", "failed", "backfilled")]
    assert suspect["x"] == ["2025-10-27T05:45:00.000"]
    assert "nghi ngờ" in observed["text"][observed["x"].index(suspect["x"][0])]
    assert failed["x"] == ["2025-10-27T06:10:00.000"]
    assert failed["x"][0] not in [
        x for x, y in zip(observed["x"], observed["y"], strict=True) if y is not None
    ]
    assert (len(late["x"]), late["x"][0]) == (12, "2025-10-27T01:00:00.000")
    symbols = await page.evaluate(
        "document.querySelector('.hydrograph').data.flatMap((each) => each.marker?.symbol ?? [])"
    )
    assert {"diamond", "circle-open", "triangle-left-open"} <= set(symbols)
    signs = page.locator(".key li")
    for text in ("nghi ngờ", "số liệu hỏng", "nhận bù"):
        await expect(signs.get_by_text(text, exact=True)).to_have_count(1)


async def test_the_forecast_is_a_fan_from_the_newest_reading_with_the_time_of_passing(page: Page) -> None:
    await visit(page, STATION)
    fan, median, passing = [await trace(page, name) for name in ("fan", "median", "passing")]
    level = round(level_at(NOW), 3)
    assert (median["x"][0], median["y"][0]) == ("2025-10-27T07:00:00.000", level)
    assert median["x"][-1] == "2025-10-27T13:00:00.000"
    assert len(fan["x"]) == 14
    assert min(fan["y"]) == level < median["y"][-1] < max(fan["y"])
    assert passing["y"] == [4.0, 4.0]
    assert passing["x"][0] == "2025-10-27T09:36:00.000"
    notes = await page.evaluate("document.querySelector('.hydrograph').layout.annotations.map((e) => e.text)")
    assert notes == ["BĐ I 1,00\u00a0m", "BĐ II 2,00\u00a0m", "BĐ III 3,50\u00a0m", "dự báo từ 07:00 27/10"]


async def test_rain_of_the_nearest_gauge_of_the_river_hangs_from_above(page: Page) -> None:
    await visit(page, STATION)
    bars = await trace(page, "rain")
    assert len(bars["x"]) == 144
    axis = await page.evaluate("document.querySelector('.hydrograph').layout.yaxis2.range")
    assert axis[0] > axis[1] == 0
    await expect(page.locator("[data-sign=rain]")).to_have_text("Mưa tại Trạm mưa Huế (cách 3 km)")


async def test_alerts_of_the_station_are_bands_and_a_list(page: Page) -> None:
    await visit(page, STATION)
    await trace(page, "observed")
    bands = await page.evaluate(
        "document.querySelector('.hydrograph').layout.shapes.filter((e) => e.type === 'rect')"
    )
    assert [(band["x0"], band["x1"]) for band in bands] == [
        ("2025-10-26T11:00:00.000", "2025-10-27T07:00:00.000")
    ]
    entry = page.locator(".station-alerts [data-alert]")
    await expect(entry).to_have_count(1)
    await expect(entry.locator("a")).to_have_attribute("href", re.compile("#/alert/[0-9a-f-]{36}"))


async def test_the_same_in_english_with_a_point(page: Page, look: Look) -> None:
    await visit(page, STATION)
    await page.locator("[data-language=en]").click()
    await expect(page.locator(".facts")).to_contain_text("above BĐ\u00a0III by 0.08\u00a0m")
    await expect(await point(page, "observed")).to_have_text("07:00:00, 27 Oct 20253.58\u00a0m")
    await expect(page.locator(".yaxislayer-above text, .ytick text").first).not_to_contain_text(",")
    await look(page, "station-en")


async def test_a_long_range_is_rolled_up_with_lowest_and_highest(page: Page, look: Look) -> None:
    await visit(page, STATION)
    await page.get_by_role("button", name="7 ngày").click()
    mean, spread = await trace(page, "mean"), await trace(page, "spread")
    assert 600 < len(mean["x"]) < 700
    assert None in mean["y"]
    assert max(value for value in spread["y"] if value) > max(value for value in mean["y"] if value)
    await expect(page.locator(".notes")).to_contain_text("Mỗi điểm gộp 15 phút")
    dry = await trace(page, "silencerain")  # no rain was told of then: that is not "no rain fell"
    assert (dry["x"][0], dry["x"][2]) == ("2025-10-20T07:00:00.000", "2025-10-26T07:10:00.000")
    assert "range=7d" in page.url
    await look(page, "station-7d")


async def test_an_own_range_is_written_in_vietnamese_time_with_the_keyboard(page: Page) -> None:
    await visit(page, STATION)
    await trace(page, "observed")
    await page.locator(".own summary").focus()
    await page.keyboard.press("Enter")
    since, until = page.locator("#own-from"), page.locator("#own-to")
    await expect(until).to_have_value("27/10/2025 07:00")
    await since.fill("31/11/2025 00:00")
    await page.keyboard.press("Enter")
    await expect(page.locator(".own [role=alert]")).to_have_text("Viết như 27/10/2025 07:00")
    await since.fill("26/10/2025 07:00")
    await until.fill("26/10/2025 19:00")
    await page.keyboard.press("Enter")
    await expect(page.locator("#own-from")).to_have_value("26/10/2025 07:00")
    await page.wait_for_function(
        "() => document.querySelector('.hydrograph')?.data?.find((e) => e.meta === 'observed')?.x[0]"
        " === '2025-10-26T07:00:00.000'"
    )
    observed = await trace(page, "observed")
    assert observed["x"][-1] == "2025-10-26T18:55:00.000"
    assert "since=2025-10-26T00%3A00%3A00.000Z" in page.url


async def test_the_table_says_the_same_and_where_nothing_was_measured(page: Page, look: Look) -> None:
    await visit(page, STATION)
    await page.get_by_role("button", name="Bảng").click()
    rows = page.locator(".tall tbody tr")
    await expect(rows.first).to_contain_text("07:00:00 27/10/2025")
    await expect(rows.first).to_contain_text("3,58\u00a0m")
    await expect(page.locator(".tall tr.gap")).to_have_text(["không có số đo"])
    await expect(page.locator("tr.doubted", has_text="06:10:00")).to_contain_text("đột biến (hỏng)")
    await expect(rows.filter(has_text="01:00:00 27/10")).to_contain_text("nhận bù 03:00 27/10")
    await expect(page.locator(".tall")).to_have_attribute("tabindex", "0")
    await look(page, "station-table")


async def test_the_files_of_what_is_shown_can_be_taken(page: Page, feed: Feed) -> None:
    await visit(page, STATION)
    await expect(page.locator(".notes a")).to_have_text(["CSV", "PARQUET"])
    for link in await page.locator(".notes a").all():
        address = await link.get_attribute("href")
        answer = await page.request.get(feed.url + str(address))
        assert answer.status == 200
        assert len(await answer.body()) > 1_000


async def test_a_new_reading_comes_into_the_chart_by_itself(page: Page, city: tuple[Connection, str]) -> None:
    await visit(page, f"#/station/{SCRIPT}")
    before = len((await trace(page, "observed"))["x"])
    await asyncio.to_thread(observe, city[0], f"{SCRIPT}/water_level", NOW + 5 * MINUTE, 0.61)
    await page.wait_for_function(
        "(n) => document.querySelector('.hydrograph')?.data.find((e) => e.meta === 'observed').x.length > n",
        arg=before,
    )
    await expect(page.locator(".reading")).to_contain_text("0,61\u00a0m")


async def test_a_name_that_is_a_script_stays_a_name(page: Page, look: Look) -> None:
    for view in (f"#/station/{SCRIPT}", "#/history", "#/data"):
        await visit(page, view)
        await page.wait_for_timeout(500)
        assert await page.locator("main script, main img").count() == 0
        assert "planted" not in await page.title()
    await visit(page, f"#/station/{SCRIPT}")
    await trace(page, "observed")
    await expect(page.locator("h2")).to_contain_text("<script>document.title")
    await look(page, "station-script")


async def test_a_silent_station_is_hatched_and_says_nothing_of_now(page: Page, look: Look) -> None:
    await visit(page, f"#/station/{PHUOC}")
    await expect(page.locator(".facts")).to_have_class("facts old")
    await expect(page.locator(".facts")).to_have_attribute("data-level", "none")
    await expect(page.locator(".facts")).to_contain_text("lần cuối")
    await expect(page.locator(".facts")).to_contain_text("mất tín hiệu")
    await expect(page.locator(".facts")).to_contain_text("không rõ xu thế")
    silence = await trace(page, "silence")
    assert silence["x"][-1] == "2025-10-27T07:00:00.000"  # to where the data reach, and not beyond
    await look(page, "station-silent")


async def test_rain_air_and_water_are_judged_by_their_own_scales(page: Page, look: Look) -> None:
    await visit(page, f"#/station/{RAIN}")
    await expect(page.locator(".part-side .sums li")).to_have_text(
        ["1 giờ24,4\u00a0mm", "24 giờít nhất 412,6\u00a0mm (độ phủ 96\u00a0%)"]
    )
    assert len((await trace(page, "rain"))["x"]) == 144
    await look(page, "station-rain")
    await visit(page, f"#/station/{AIR}")
    await expect(page.locator(".reading")).to_have_text(re.compile("88.*Trung bình"))
    await expect(page.locator(".aqi-legend li")).to_have_count(6)
    await trace(page, "observed")
    await look(page, "station-air")
    await visit(page, f"#/station/{WATER}?stream={WATER}/dissolved_oxygen")
    await expect(page.locator(".limits li")).to_have_text(
        [
            "Mức A: từ 6,00\u00a0mg/L trở lênkhông đạt",
            "Mức B: từ 5,00\u00a0mg/L trở lênkhông đạt",
            "Mức C: từ 4,00\u00a0mg/L trở lênđạt",
            "Mức D: từ 2,00\u00a0mg/L trở lênđạt",
            "QCVN 08:2023/BTNMT",
        ]
    )
    await trace(page, "observed")
    await look(page, "station-water")
    await visit(page, f"#/station/{TAP}?stream={TAP}/free_chlorine")
    await expect(page.locator(".facts")).to_contain_text("Chưa có giới hạn công bố cho đại lượng này.")


async def test_what_does_not_come_is_not_known_and_what_was_known_stays_with_its_age(
    browser: Browser,
    feed: Feed,
    city: tuple[Connection, str],
    look: Look,
) -> None:
    broken = {"now": True}

    async def gate(route: Route) -> None:
        if broken["now"]:
            await route.fulfill(json={"detail": "Máy chủ bận.", "status": 503}, status=500)
        else:
            await route.continue_()

    async with console(browser, feed, forgiven="status of 500") as page:
        await page.route("**/observations?**", gate)
        await page.route("**/alerts?state=all**", gate)
        await page.route("**/alerts?station=**", gate)
        await visit(page, STATION)
        note = page.locator(".part-told .not-known")
        await expect(note).to_contain_text("KHÔNG BIẾT")
        await expect(note).to_contain_text("Máy chủ bận.")
        alerts = page.locator(".station-alerts")
        await expect(alerts).to_contain_text("Không rõ có cảnh báo nào đang mở hay không.")
        await expect(alerts).not_to_contain_text("Không có cảnh báo nào đang mở")
        await look(page, "station-unknown")
        await visit(page, "#/history")
        await expect(page.locator(".history .not-known")).to_contain_text("KHÔNG BIẾT")
        await expect(page.locator(".history .none, .history table")).to_have_count(0)
        await look(page, "history-unknown")
        broken["now"] = False
        await visit(page, STATION)
        await trace(page, "observed")
        broken["now"] = True
        await asyncio.to_thread(tell, city[0], happening(4, alert=1, level=3, kind=EventKind.REMINDED))
        await expect(note).to_contain_text("Không cập nhật được; bên dưới là số liệu tải về")
        await trace(page, "observed")  # the chart is still there
        await look(page, "station-stale")
        broken["now"] = False
        await note.get_by_role("button").click()
        await expect(note).to_have_count(0)


async def test_the_history_finds_alerts_without_diacritics_by_rule_severity_and_person(
    page: Page, city: tuple[Connection, str], look: Look
) -> None:
    await visit(page, "#/history")
    rows = page.locator(".history tbody tr")
    await expect(rows).to_have_count(2)
    await page.locator("#filter-q").fill("phu oc")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Phú Ốc")
    await expect(rows).to_contain_text("4 giờ")  # from its first event to its end
    await page.locator("#filter-q").fill("sông hương")
    await expect(rows).to_contain_text(["Kim Long"])
    await page.locator("#filter-q").fill("nowhere")
    await expect(page.locator(".history")).to_contain_text("Không có trạm hay sông nào mang tên này.")
    await page.locator("#filter-q").fill("")
    await page.locator("#filter-severity").select_option("Severe")
    await expect(rows).to_have_count(1)
    await page.locator("#filter-severity").select_option("")
    await page.locator("#filter-rule").fill("level")  # a part of its name
    await expect(rows).to_have_count(2)
    await page.locator("#filter-rule").fill("rain")
    await expect(page.locator(".history .none")).to_have_text(
        "Không có cảnh báo nào khớp với các điều kiện trên."
    )
    await page.locator("#filter-rule").fill("")
    await expect(rows).to_have_count(2)
    alert = await rows.filter(has_text="Kim Long").get_attribute("data-alert")
    assert alert is not None
    await asyncio.to_thread(act, city[0], alert, Action(EventKind.ACKNOWLEDGED, "Đặng Bình"), NOW)
    await page.locator("#filter-by").fill("dang")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Đặng Bình đã tiếp nhận")
    await page.reload()  # the form stands in the address
    await expect(rows).to_have_count(1)
    await expect(page.locator("#filter-by")).to_have_value("dang")
    await look(page, "history-vi")


async def test_the_history_can_be_taken_as_a_file(page: Page) -> None:
    await visit(page, "#/history")
    await expect(page.locator(".history tbody tr")).to_have_count(2)
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="CSV").click()
    path = await (await waiting.value).path()
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("alert_id,state,severity,station,target,rule,opened_at,ended_at")
    assert len(lines) == 3
    assert "2025-10-25T18:00:00.000Z,2025-10-25T22:00:00.000Z" in "".join(lines)
    await expect(page.get_by_role("link", name="JSON")).to_have_attribute(
        "href", re.compile("/api/v1/alerts")
    )


async def test_pages_of_the_history_follow_one_another(page: Page) -> None:
    async def one_by_one(route: Route) -> None:
        await route.continue_(url=route.request.url.replace("limit=100", "limit=1"))

    await page.route("**/api/v1/alerts?state=all**", one_by_one)
    await visit(page, "#/history?range=all")
    await expect(page.locator(".history tbody tr")).to_have_count(2)
    await expect(page.locator(".history [role=status]")).to_contain_text("2 cảnh báo khớp, đã xem 2")


async def test_events_stand_by_their_numbers(page: Page, look: Look) -> None:
    await visit(page, "#/history?view=events&after=2")
    numbers = page.locator(".history tbody th")
    await expect(numbers.first).to_have_text("3")
    await expect(page.locator(".history tbody tr").first).to_contain_text("Tăng cấp")
    await look(page, "events-vi")
    await page.locator("[data-language=en]").click()
    await expect(page.locator("h2")).to_have_text("History of alerts")
    await expect(numbers.first).to_have_text("3")
    await look(page, "events-en")


async def test_the_health_of_the_data_shows_the_worst_first(page: Page, look: Look) -> None:
    await visit(page, "#/data")
    gateways = page.locator("[data-gateway]")
    await expect(gateways.first).to_have_attribute("data-gateway", "gw-stranger")
    await expect(gateways.first).to_have_class("old")
    await expect(gateways.first).to_contain_text("chưa có trong danh mục")
    await expect(gateways.nth(1)).to_have_attribute("data-gateway", "gw-water")
    await expect(gateways.nth(1)).to_contain_text("kênh lạ: 12")
    streams = page.locator("[data-stream]")
    await expect(streams.first).to_have_attribute("data-stream", f"{PHUOC}/water_level")
    level = page.locator(f'[data-stream="{LEVEL}"]')
    await expect(level).to_contain_text("96\u00a0%")
    await expect(level).to_contain_text("1 giờ từ 04:00 27/10")
    await expect(level).to_contain_text("5\u00a0%")  # came late
    await expect(page.locator("[data-reason]").first).to_have_attribute("data-reason", "unknown_device")
    gaps = page.locator("[data-part=gaps]")
    await expect(gaps).to_contain_text("04:00:00 27/10/2025")
    await expect(gaps).to_contain_text("máy chủ MQTT quên phiên của ta")
    await expect(page.locator("[data-part=receivers]")).to_contain_text("Không có.")
    await look(page, "data-vi")
    await page.locator("#data-search").fill("tram mua")
    await expect(streams).to_have_count(1)
    await expect(gateways).to_have_count(1)
    await page.locator("[data-language=en]").click()
    await expect(page.locator("h2")).to_have_text("Health of the data")
    await expect(streams).to_have_count(1)
    await look(page, "data-en")


VIEWS = {
    "station": STATION,
    "table": f"{STATION}?as=table",
    "air": f"#/station/{AIR}",
    "water": f"#/station/{WATER}",
    "history": "#/history",
    "events": "#/history?view=events",
    "data": "#/data",
    "handover": "#/handover",
}


@pytest.mark.parametrize("name", VIEWS)
async def test_a_phone_shows_each_view_without_sideways_scrolling(page: Page, look: Look, name: str) -> None:
    await page.set_viewport_size(PHONE)
    await visit(page, VIEWS[name])
    await expect(page.locator("main :is(table, .hydrograph .xtick)").first).to_be_visible()
    assert not await page.evaluate(WIDE)
    await look(page, f"phone-{name}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", VIEWS)
async def test_all_text_has_the_contrast_of_wcag_aa(page: Page, look: Look, name: str, scheme: str) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await visit(page, VIEWS[name])
    await expect(page.locator("main :is(table, .hydrograph .xtick)").first).to_be_visible()
    assert await page.evaluate(CONTRAST) == []
    await look(page, f"{scheme}-{name}")
