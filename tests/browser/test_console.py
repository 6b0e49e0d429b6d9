"""The operator's page in a real Chromium: what it shows, and that it never shows more than it knows."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Browser, Page, expect

from alerts.api.serve import Feed, running_feed
from alerts.handling import Action
from alerts.handling_store import act
from alerts.model import EventKind
from ingest.catalog import Catalogue, Station
from ingest.clock import to_datetime
from ingest.installation import EXERCISE, Installation
from ingest.store import maintenance
from ingest.store.datastreams import register
from tests.support.console import CONTRAST, PHONE, PLANTED, WIDE, admit, artefacts, chromium, console
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
    river,
    tell,
)

__all__ = ["artefacts"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

BARE, RAIN, AIR = "HUE-WL-BARE", "HUE-RN-BACHMA", "HUE-AQ-HUE"
MEASURING = """
- id: HUE-RN-BACHMA
  name: { vi: Bạch Mã, en: Bach Ma }
  kind: rain
  location: { lat: 16.2, lon: 107.86 }
  nature: Exercise
  datastreams:
    - name: rainfall
      property: rainfall
      unit: mm
      cadence: 10min
      source: { gateway: gw, device: rain, channel: rainfall }
  derived:
    - { name: rain_24h, property: rain_24h, unit: mm, cadence: 10min,
        derive: { kind: window_sum, of: rainfall, window: 24h } }
    - { name: rain_1h, property: rain_1h, unit: mm, cadence: 10min,
        derive: { kind: window_sum, of: rainfall, window: 1h } }
    - { name: rain_3h, property: rain_3h, unit: mm, cadence: 10min,
        derive: { kind: window_sum, of: rainfall, window: 3h } }
    - { name: rain_day, property: rain_day, unit: mm, cadence: 10min,
        derive: { kind: rain_day, of: rainfall } }
- id: HUE-RS-BARE
  name: { vi: Hồ chưa khảo sát, en: A lake without a zero }
  kind: reservoir
  location: { lat: 16.3, lon: 107.6 }
  nature: Exercise
  datastreams:
    - name: reservoir_level
      property: reservoir_level
      unit: m
      cadence: 15min
      source: { gateway: gw, device: lake, channel: level }
- id: HUE-AQ-HUE
  name: { vi: Không khí Huế, en: Hue air }
  kind: air
  location: { lat: 16.46, lon: 107.59 }
  nature: Exercise
  datastreams:
    - name: pm2_5
      property: pm2_5
      unit: ug/m3
      cadence: 10min
      source: { gateway: gw, device: air, channel: pm2_5 }
  derived:
    - { name: vn_aqi, property: vn_aqi, unit: "1", cadence: 1h,
        derive: { kind: vn_aqi_hourly, pm2_5: pm2_5 } }
"""


def referenced(station: Station) -> Station:
    """The station with a zero in its datum."""
    zero = Installation(datum="Hòn Dấu", surveyed=True, by=EXERCISE)
    (level,) = station.datastreams
    level = level.model_copy(update={"installations": (zero,)})
    return station.model_copy(update={"datum": "Hòn Dấu", "datastreams": (level,)})


RIVERS = catalogue(river("HUE-WL-PLANTED", PLANTED, PLANTED, (1.0, 2.0))).stations
CITY = Catalogue(
    stations=(
        *map(referenced, RIVERS),
        river(BARE, "Chưa khảo sát", "Hương", (1.0, 2.0)),
        *(Station.model_validate_json(json.dumps(each)) for each in yaml.safe_load(MEASURING)),
    ),
    routes=(),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all; each test has a context of its own."""
    async with chromium() as found:
        yield found


@pytest.fixture
def table(plain_database: Database) -> Iterator[Connection]:
    """The morning of 27 October 2025: Kim Long above BĐ III and rising, Phú Ốc silent for 50 minutes."""
    with prepare(plain_database.url, CITY) as connection:
        for step in range(19):
            at = NOW - step * 5 * MINUTE
            observe(connection, f"{KIMLONG}/water_level", at, 3.58 - 0.10 * step / 12)
            observe(connection, f"{PHUOC}/water_level", at - 50 * MINUTE, 4.42 - 0.08 * step / 12)
            observe(connection, "HUE-WL-PLANTED/water_level", at, 0.5)
            observe(connection, f"{BARE}/water_level", at, 1.7)
        register(connection, [key for key, _, _ in CITY.derived()], NATURE)
        observe(connection, f"{RAIN}/rainfall", NOW, 2.4)
        observe(connection, f"{AIR}/pm2_5", NOW, 42.0)
        commit(connection)
        tell(connection, happening(1, level=3, time=NOW - HOUR))
        yield connection


def derive(connection: Connection, key: str, time: int, value: float | None, coverage: float = 1.0) -> None:
    """Store one derived row as ingest would."""
    connection.execute(
        "INSERT INTO derived (time, inputs_until, value, datastream, coverage, quality, revision)"
        " SELECT %(at)s, %(at)s, %(value)s, id, %(coverage)s, %(quality)s, 1"
        " FROM datastream WHERE key = %(key)s",
        {
            "at": to_datetime(time),
            "value": value,
            "coverage": coverage,
            "quality": 9 if value is None else 1,
            "key": key,
        },
    )


@pytest_asyncio.fixture(loop_scope="module")
async def heartbeat(table: Connection) -> AsyncIterator[asyncio.Task[None]]:
    """Commits each second, as a living ingest does; cancel it and the feed grows old."""

    async def beat() -> None:
        while True:
            await asyncio.to_thread(commit, table)
            await asyncio.sleep(1.0)

    task = asyncio.create_task(beat())
    yield task
    await stop(task)


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest_asyncio.fixture(loop_scope="module")
async def feed(plain_database: Database, heartbeat: asyncio.Task[None]) -> AsyncIterator[Feed]:
    async with running_feed(plain_database.url, None, CITY, NATURE) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, feed: Feed) -> AsyncIterator[Page]:
    async with console(browser, feed) as page:
        yield page


async def test_stations_are_shown_in_vietnamese_at_vietnamese_time(page: Page, artefacts: Path) -> None:
    card = page.locator(f"[data-station={KIMLONG}]")
    await expect(card).to_contain_text("Kim Long")
    await expect(card).to_contain_text("3,58\u00a0m")
    await expect(card).to_contain_text("trên BĐ III 0,08\u00a0m")
    await expect(card).to_contain_text("đang lên 10\u00a0cm/giờ")
    await expect(card).to_contain_text("07:00 27/10")  # 20:00 of the 26th in the browser's own zone
    await expect(page.locator("#exercise")).to_contain_text("DIỄN TẬP")
    await expect(page.locator("#clock-date")).to_have_text("27/10/2025")
    await page.screenshot(path=artefacts / "console-vi-light.png")


async def test_a_silent_station_is_hatched_with_its_last_level_and_not_green(page: Page) -> None:
    card = page.locator(f"[data-station={PHUOC}]")
    await expect(card).to_have_class("card old")
    await expect(card).to_contain_text("mất tín hiệu")
    await expect(card).to_contain_text("lần cuối")
    await expect(card).to_contain_text("4,42\u00a0m")
    await expect(card.locator(".trend")).to_have_count(0)


async def test_a_station_that_is_worked_on_is_not_monitored_and_says_who_works_there(
    page: Page, table: Connection
) -> None:
    card = page.locator(f"[data-station={KIMLONG}]")
    key = f"{KIMLONG}/water_level"
    await asyncio.to_thread(maintenance.start, table, KIMLONG, [key], "An", "vệ sinh", 3600.0)
    await expect(card).to_have_class("card old")
    await expect(card.locator(".chip").first).to_have_text("không giám sát")
    await expect(card.locator(".margin")).to_contain_text("An đang bảo trì đến")
    await expect(card.locator(".margin")).to_contain_text("vệ sinh")
    await expect(card).to_have_attribute("data-level", "none")


async def test_who_has_acknowledged_an_alert_stands_beside_it(page: Page, table: Connection) -> None:
    item = page.locator("[data-alert]").first
    alert_id = await item.get_attribute("data-alert")
    assert alert_id is not None
    await asyncio.to_thread(act, table, alert_id, Action(EventKind.ACKNOWLEDGED, "An"), NOW)
    await expect(item.locator(".second")).to_contain_text("An đã tiếp nhận")
    await expect(page.locator("#events")).to_contain_text("Đã tiếp nhận")


async def test_a_level_without_a_zero_is_shown_without_a_judgement(page: Page) -> None:
    card = page.locator(f"[data-station={BARE}]")
    await expect(card).to_contain_text("1,70\u00a0m")
    await expect(card.locator(".margin")).to_have_text("chưa quy chiếu")
    await expect(card.locator(".gauge, .chip")).to_have_count(0)
    await expect(card).to_have_attribute("data-level", "none")
    await expect(page.locator("[data-station=HUE-RS-BARE] td").first).to_have_text(
        "mực nước hồ chưa quy chiếu"
    )
    await expect(page.locator(f"[data-station={RAIN}] td").first).to_have_text("lượng mưa")
    await page.locator("[data-language=en]").click()
    await expect(card.locator(".margin")).to_have_text("not referenced")


async def test_sums_of_rain_say_how_much_they_cover(page: Page, table: Connection, artefacts: Path) -> None:
    await asyncio.to_thread(derive, table, f"{RAIN}/rain_1h", NOW, 104.6)
    await asyncio.to_thread(derive, table, f"{RAIN}/rain_3h", NOW, 112.4, 0.6)
    await asyncio.to_thread(derive, table, f"{RAIN}/rain_24h", NOW, None, 0.0)
    await asyncio.to_thread(derive, table, f"{RAIN}/rain_day", NOW, 1739.6, 0.9996)
    sums = page.locator(f"[data-sums={RAIN}] li")
    await expect(sums).to_have_text(
        [
            "1 giờ104,6\u00a0mm",
            "3 giờít nhất 112,4\u00a0mm (độ phủ 60\u00a0%)",
            "24 giờkhông rõ",
            "từ 19:00 26/10ít nhất 1.739,6\u00a0mm (độ phủ 99\u00a0%)",
        ]
    )
    await asyncio.to_thread(derive, table, f"{AIR}/vn_aqi", NOW, 87.0)
    index = page.locator(f"[data-index={AIR}]")
    await expect(index).to_contain_text("VN_AQI giờ VN_AQI QĐ 1459/QĐ-TCMT87")
    await expect(index).to_contain_text("đúng giờ")
    await page.screenshot(path=artefacts / "console-derived-vi.png", full_page=True)
    await page.locator("[data-language=en]").click()
    await expect(sums.nth(1)).to_have_text("3 hat least 112.4\u00a0mm (60% covered)")
    assert await page.evaluate(CONTRAST) == []
    await page.set_viewport_size(PHONE)
    assert not (wide := await page.evaluate(WIDE)), wide
    await page.screenshot(path=artefacts / "console-derived-phone.png", full_page=True)


async def test_a_sum_that_came_long_ago_is_old_whatever_it_was(page: Page, table: Connection) -> None:
    await asyncio.to_thread(derive, table, f"{RAIN}/rain_1h", NOW - 3 * HOUR, 0.0)
    first = page.locator(f"[data-sums={RAIN}] li").first
    await expect(first).to_have_class("old")
    await expect(first).to_contain_text("lần cuối 04:00 27/10 · 3 giờ trước")
    await expect(page.locator(f"[data-sums={RAIN}] li").last).to_contain_text("chưa có số liệu")


async def test_the_same_page_in_english_is_remembered(page: Page, artefacts: Path) -> None:
    await page.locator("[data-language=en]").click()
    card = page.locator(f"[data-station={KIMLONG}]")
    await expect(card).to_contain_text("above BĐ III by 0.08\u00a0m")
    await expect(card).to_contain_text("07:00, 27 Oct")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await page.emulate_media(color_scheme="dark")
    await page.screenshot(path=artefacts / "console-en-dark.png")
    await page.reload()
    await expect(page.locator("#alerts-title")).to_contain_text("Open alerts")


async def test_every_text_exists_in_both_languages(page: Page) -> None:
    gaps = await page.evaluate(
        """async () => {
            const { WORDS } = await import("/console/words.js");
            return Object.entries(WORDS).filter(([, both]) => both.length !== 2 || both.some((t) => !t));
        }"""
    )
    assert gaps == []


async def test_an_alert_appears_live_and_leaves_when_it_ends(
    page: Page, table: Connection, artefacts: Path
) -> None:
    await expect(page.locator(".alert")).to_have_count(1)
    await asyncio.to_thread(tell, table, happening(2, alert=2, station=PHUOC, time=NOW - 2 * MINUTE))
    await expect(page.locator(".alert")).to_have_count(2)
    await expect(page.locator("#events li").first).to_contain_text("Phú Ốc")
    await expect(page.locator("#announce")).to_contain_text("Phú Ốc")
    await page.screenshot(path=artefacts / "console-alerts.png", full_page=True)
    await asyncio.to_thread(tell, table, happening(3, alert=2, station=PHUOC, kind=EventKind.CLEARED))
    await expect(page.locator(".alert")).to_have_count(1)
    await expect(page.locator("#events li").first).to_contain_text("Kết thúc")


async def test_an_alert_unfolds_its_evidence_by_keyboard_and_stays_unfolded(
    page: Page, table: Connection
) -> None:
    alert = page.locator(".alert").first
    await alert.locator("summary").focus()
    await page.keyboard.press("Enter")
    await expect(alert.locator(".points")).to_be_visible()
    await asyncio.to_thread(observe, table, f"{KIMLONG}/water_level", NOW + 5 * MINUTE, 3.66)
    await expect(alert).to_contain_text("3,66")
    await expect(alert.locator(".points")).to_be_visible()
    await expect(alert.locator("summary")).to_be_focused()


async def test_a_planted_script_is_text(page: Page) -> None:
    await expect(page.locator("[data-station=HUE-WL-PLANTED] h3")).to_contain_text(PLANTED)
    assert await page.title() != "planted"
    assert await page.locator("article script, article img").count() == 0


async def test_commits_that_stop_turn_everything_unknown(
    page: Page, heartbeat: asyncio.Task[None], table: Connection, artefacts: Path
) -> None:
    await stop(heartbeat)
    commit(table, ago_s=61)
    await expect(page.locator("#sight")).to_have_attribute("data-state", "unknown")
    await expect(page.locator("#sight-detail")).to_contain_text("dịch vụ thu nhận đã ngừng ghi")
    await expect(page.locator("#banner")).to_contain_text("KHÔNG RÕ TÌNH HÌNH")
    await expect(page.locator(".card:not(.old)")).to_have_count(0)
    await expect(page.locator(".alert .badge")).to_have_text("Không rõ")
    await page.screenshot(path=artefacts / "console-unknown.png")


async def test_the_page_reads_unknown_within_60_s_of_the_last_commit(
    page: Page, heartbeat: asyncio.Task[None]
) -> None:
    """In real time, as after a kill -9 of ingest: nobody writes down that the commits have ended."""
    await stop(heartbeat)
    await expect(page.locator("#sight")).to_have_attribute("data-state", "unknown", timeout=60_000)
    await expect(page.locator(".card:not(.old)")).to_have_count(0)
    await expect(page.locator(".alert .badge")).to_have_text("Không rõ")


async def test_no_alert_shown_is_not_safety_while_nothing_is_known(
    page: Page, heartbeat: asyncio.Task[None], table: Connection
) -> None:
    await asyncio.to_thread(tell, table, happening(2, kind=EventKind.CLEARED))
    await expect(page.locator("#alert-list")).to_contain_text("Không có cảnh báo nào đang mở.")
    await stop(heartbeat)
    commit(table, ago_s=61)
    await expect(page.locator("#alert-list")).to_contain_text("Không rõ có cảnh báo nào đang mở hay không.")


async def test_a_blind_writer_is_said_in_words(
    page: Page, heartbeat: asyncio.Task[None], table: Connection
) -> None:
    await stop(heartbeat)
    commit(table, sighted=False, reason="no_broker")
    await expect(page.locator("#sight")).to_have_attribute("data-state", "blind")
    await expect(page.locator("#sight-detail")).to_contain_text("mất kết nối với máy chủ MQTT")


async def test_a_dead_server_is_noticed_by_the_page_alone_and_its_return_too(
    browser: Browser, plain_database: Database, heartbeat: asyncio.Task[None], artefacts: Path
) -> None:
    page = await browser.new_page()
    async with running_feed(plain_database.url, None, CITY, NATURE) as feed:
        await admit(page.context, feed)
        await page.goto(feed.url)
        await expect(page.locator("#sight")).to_have_attribute("data-state", "live")
        port = int(feed.url.rpartition(":")[2])
    await expect(page.locator("#sight")).to_have_attribute("data-state", "not_live")
    await page.screenshot(path=artefacts / "console-not-live.png")
    await expect(page.locator("#sight")).to_have_attribute("data-state", "unknown", timeout=25_000)
    await expect(page.locator("#sight-detail")).to_contain_text("mất luồng trực tiếp")
    await expect(page.locator(".card:not(.old)")).to_have_count(0)
    async with running_feed(plain_database.url, None, CITY, NATURE, port=port):
        await expect(page.locator("#sight")).to_have_attribute("data-state", "live", timeout=25_000)
        await page.close()


async def test_a_stream_that_looks_open_and_says_nothing_is_not_believed(page: Page, feed: Feed) -> None:
    """As after a laptop's sleep: the browser's clock leaps, the stream still looks open."""
    other = await page.context.new_page()
    await other.clock.install()
    await other.goto(feed.url)
    await expect(other.locator("#sight")).to_have_attribute("data-state", "live")
    feed.hub._clients.clear()  # the stream stays open and says nothing more
    await other.route("**/api/**", lambda route: route.abort())
    await other.clock.fast_forward(20_000)
    await expect(other.locator("#sight")).to_have_attribute("data-state", "unknown")
    await other.close()


async def test_a_phone_shows_it_without_sideways_scrolling(page: Page, artefacts: Path) -> None:
    await page.set_viewport_size(PHONE)
    await expect(page.locator(".card")).to_have_count(4)
    assert not (wide := await page.evaluate(WIDE)), wide
    await page.screenshot(path=artefacts / "console-phone.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_text_has_the_contrast_of_wcag_aa(page: Page, scheme: str) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await expect(page.locator(".card")).to_have_count(4)
    assert await page.evaluate(CONTRAST) == []
