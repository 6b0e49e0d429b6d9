"""What the console works out by itself, asked of its own modules in the browser without a feed behind it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route

from alerts.api.pages import console_files
from alerts.api.security import policy
from tests.support.console import chromium

pytestmark = pytest.mark.asyncio(loop_scope="module")
SITE = "http://console.test"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page() -> AsyncIterator[Page]:
    """A page of the console's origin and policy from which its modules can be called."""
    files = console_files()

    async def serve(route: Route) -> None:
        found = files.get(route.request.url.rpartition("/")[2])
        headers = {"Content-Security-Policy": policy()}
        if found is None:
            await route.fulfill(
                body="<!doctype html><title>x</title>", content_type="text/html", headers=headers
            )
        else:
            await route.fulfill(body=found.body, content_type=found.media_type, headers=headers)

    async with chromium() as browser:
        page = await browser.new_page()
        await page.route("**/*", serve)
        await page.goto(SITE)
        yield page


async def call(page: Page, module: str, name: str, *arguments: Any) -> Any:
    """The answer of a module's function."""
    return await page.evaluate(
        "async ([module, name, given]) => (await import(`/console/${module}.js`))[name](...given)",
        [module, name, list(arguments)],
    )


def alert(severity: str = "Minor", *, seq: int = 1, acknowledged: bool = False, shelved: bool = False) -> Any:
    """An alert as the list has it."""
    headline = {"vi": "Phú Ốc (sông Bồ): 3,10 m", "en": "Phu Oc (Bo River): 3.10 m"}
    handling = {
        "acknowledged": {"by": "An", "worse": False} if acknowledged else None,
        "shelved": {"until": "2025-10-27T00:00:00Z"} if shelved else None,
        "assigned_to": None,
    }
    newest = {"severity": severity, "level": 1, "seq": seq, "headline": headline, "station": "S", "rule": "r"}
    return {"alert_id": f"{severity} {seq}", "newest": newest, "handling": handling}


async def test_what_is_worse_and_unanswered_goes_first_and_what_is_shelved_last(
    page: Page, seed: str
) -> None:
    right = [
        alert("Extreme", acknowledged=True),
        alert("Severe", seq=9),
        alert("Severe", seq=3),
        alert("Severe", seq=10, acknowledged=True),
        alert("Minor"),
        alert("Unknown"),
        alert("Severe", seq=4, shelved=True),
    ]
    shuffled = random.Random(seed).sample(right, len(right))
    found = await page.evaluate(
        "async (given) => given.sort((await import('/console/alert-order.js')).order)", shuffled
    )
    assert [each["alert_id"] for each in found] == [each["alert_id"] for each in right]


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"text": "phu oc"}, True),
        ({"text": "PHÚ ỐC"}, True),
        ({"text": "kim long"}, False),
        ({"severity": "Minor"}, True),
        ({"severity": "Severe"}, False),
        ({"river": "sông Bồ"}, True),
        ({"river": "sông Hương"}, False),
        ({"waiting": True}, False),
        ({"mine": True}, True),
    ],
)
async def test_a_filter_finds_what_people_mean(page: Page, wanted: dict[str, Any], fits: bool) -> None:
    everything = {"severity": "", "river": "", "waiting": False, "mine": False, "text": ""}
    station = {"river": {"vi": "sông Bồ", "en": "Bo River"}}
    told = alert(acknowledged=True)
    assert await call(page, "alert-order", "fits", told, station, everything | wanted, "An") is fits


def rising(slope: float | None, to_next: float | None = 0.5) -> dict[str, Any]:
    """A stream that rises by so much in an hour, below its next level."""
    level = {"rank": 0, "name": "", "next_name": "BĐ I", "to_next": to_next}
    levels = [{"name": "BĐ I", "value": 1.0, "rank": 1}]
    return {"unit": "m", "level": level, "levels": levels, "trend_per_hour": slope}


@pytest.mark.parametrize(
    ("slope", "to_next", "hours"),
    [
        (0.25, 0.5, 2.0),
        (0.005, 0.5, None),
        (-0.2, 0.5, None),
        (None, 0.5, None),
        (0.3, None, None),
        (0.02, 0.5, None),
    ],
)
async def test_a_trend_tells_a_time_only_while_it_rises_and_not_beyond_12_hours(
    page: Page, slope: float | None, to_next: float | None, hours: float | None
) -> None:
    assert await call(page, "ahead", "byTrend", rising(slope, to_next)) == hours


async def test_a_forecast_goes_before_the_trend_and_says_its_range(page: Page) -> None:
    made = {
        "state": "current",
        "origin": "2025-10-27T00:00:00Z",
        "mark": 1.0,
        "passes_h": [1.0, 2.5, None],
    }
    told = await call(page, "ahead", "toNextLevel", rising(0.25), made)
    assert told == "BĐ I khoảng 09:30 27/10 (80\u00a0%: 08:00 27/10 – …)"
    for unfit in ({"state": "past"}, {"passes_h": [1.0, None, None]}):
        told = await call(page, "ahead", "toNextLevel", rising(0.25), made | unfit)
        assert told == "BĐ I sau khoảng 2 giờ (ước theo xu thế)"


async def test_names_on_the_map_cover_neither_each_other_nor_the_edge(page: Page, seed: str) -> None:
    chance = random.Random(seed)
    box = {"west": 107.0, "east": 108.0, "south": 16.0, "north": 17.0}
    size = {"width": 600, "height": 400}
    for _ in range(40):
        points = [
            {
                "lon": chance.uniform(107, 108),
                "lat": chance.uniform(16, 17),
                "text": "n" * chance.randint(3, 20),
                "urgent": chance.random() < 0.3,
            }
            for _ in range(30)
        ]
        sides = await call(page, "labels", "place", points, box, size)
        shapes = [extent(point, side) for point, side in zip(points, sides, strict=True) if side]
        assert len(shapes) > 5
        for one, (x, y, wide, high) in enumerate(shapes):
            assert 0 <= x <= x + wide <= 600.01
            assert 0 <= y <= y + high <= 400.01
            for a, b, width, height in shapes[one + 1 :]:
                assert (
                    x + wide <= a + 0.01
                    or a + width <= x + 0.01
                    or y + high <= b + 0.01
                    or b + height <= y + 0.01
                )


def extent(point: dict[str, Any], side: str) -> tuple[float, float, float, float]:
    """Where a name of 6.4 px a letter and 15 px a line lies: x, y, width, height."""
    x, y = (point["lon"] - 107) * 600, (17 - point["lat"]) * 400
    wide = 6.4 * len(point["text"])
    across, along = side.split()
    left = {"right": x + 12, "left": x - 12 - wide, "center": x - wide / 2}[along]
    return left, {"middle": y - 7.5, "top": y - 24, "bottom": y + 9}[across], wide, 15.0


async def test_tiles_cover_the_map_and_are_those_that_everybody_has(page: Page) -> None:
    box = {"west": 107.15, "east": 108.12, "south": 16.06, "north": 16.78}
    tiles = await call(page, "tiles", "tilesOf", "https://t.test/{z}/{x}/{y}.png", box, 600)
    assert "https://t.test/10/818/464.png" in [each["source"] for each in tiles]  # the citadel of Huế
    assert min(each["x"] for each in tiles) <= box["west"]
    assert max(each["x"] + each["sizex"] for each in tiles) >= box["east"]
    assert max(each["y"] for each in tiles) >= box["north"]
    assert min(each["y"] - each["sizey"] for each in tiles) <= box["south"]
