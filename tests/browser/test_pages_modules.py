"""What the console's pages work out by themselves: asked of their modules in a browser of another zone."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

from alerts.api.pages import console_files

pytestmark = pytest.mark.asyncio(loop_scope="module")
SITE = "http://console.test"
START = datetime(2025, 10, 27, tzinfo=UTC)
STEP = 300


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def modules(browser: Browser) -> AsyncIterator[Page]:
    """A page from which the modules can be called, on New York's clock."""
    files = console_files()

    async def serve(route: Route) -> None:
        found = files.get(route.request.url.rpartition("/")[2])
        if found is None:
            await route.fulfill(body="<!doctype html><title>x</title>", content_type="text/html")
        else:
            await route.fulfill(body=found.body, content_type=found.media_type)

    page = await browser.new_page(timezone_id="America/New_York")
    await page.route("**/*", serve)
    await page.goto(SITE)
    yield page
    await page.close()


async def call(page: Page, module: str, name: str, *arguments: Any) -> Any:
    """What a function of a module answers."""
    return await page.evaluate(
        "async ([module, name, given]) => (await import(`/console/${module}`))[name](...given)",
        [module, name, list(arguments)],
    )


def stamp(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def some_rows(rng: random.Random) -> list[dict[str, Any]]:
    """Readings every five minutes, give or take some seconds, of which a third is missing."""
    kept = [place for place in range(60) if rng.random() > 1 / 3] or [0]
    return [
        {"time": stamp(place * STEP + rng.uniform(-20, 20)), "value": rng.random(), "quality": 1}
        for place in kept
    ]


async def test_a_line_never_runs_over_a_missing_reading(modules: Page, rng: random.Random) -> None:
    for _ in range(50):
        rows = some_rows(rng)
        line = await call(modules, "series.js", "unbroken", rows, STEP)
        drawn = [(x, y) for x, y in zip(line["x"], line["y"], strict=True)]
        assert [y for _, y in drawn if y is not None] == [row["value"] for row in rows]
        for (one, low), (other, high) in pairwise(drawn):
            apart = datetime.fromisoformat(other) - datetime.fromisoformat(one)
            joined = low is not None and high is not None
            assert not (joined and apart > timedelta(seconds=1.5 * STEP + 1))
        assert line["x"] == sorted(line["x"])


async def test_silences_and_readings_share_the_time_between_them(modules: Page, rng: random.Random) -> None:
    for _ in range(50):
        rows = some_rows(rng)
        edges = (stamp(-7_200), stamp(36_000))
        found = await call(modules, "series.js", "silences", rows, STEP, *edges)
        for since, until in found:
            assert not [row for row in rows if since < row["time"] < until]
            length = datetime.fromisoformat(until) - datetime.fromisoformat(since)
            assert length > timedelta(minutes=30)


async def test_a_chart_is_given_the_clock_of_viet_nam_and_gives_it_back(
    modules: Page, rng: random.Random
) -> None:
    assert await call(modules, "chart-time.js", "onAxis", "2025-10-27T00:00:00Z") == "2025-10-27T07:00:00.000"
    for _ in range(50):
        at = (START + timedelta(milliseconds=rng.randrange(-(10**11), 10**11))).replace(microsecond=0)
        told = at.isoformat().replace("+00:00", ".000Z")
        shown = await call(modules, "chart-time.js", "onAxis", told)
        local = at.astimezone(UTC) + timedelta(hours=7)
        assert shown == local.strftime("%Y-%m-%dT%H:%M:%S.000")
        assert await call(modules, "chart-time.js", "fromAxis", shown) == told
        assert await call(modules, "chart-time.js", "fromAxis", shown.replace("T", " ")) == told
    assert await call(modules, "chart-time.js", "fromAxis", "2025-10-27") == "2025-10-26T17:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("27/10/2025 07:00", "2025-10-27T00:00:00.000Z"),
        ("1/1/2026", "2025-12-31T17:00:00.000Z"),
        ("29/02/2024 23:59", "2024-02-29T16:59:00.000Z"),
        ("29/02/2025 00:00", None),
        ("31/06/2025 00:00", None),
        ("27/10/2025 24:00", None),
        ("10/27/2025 07:00", None),
        ("07:00", None),
        ("", None),
    ],
)
async def test_a_moment_is_written_day_first_on_24_hours(modules: Page, text: str, meant: str | None) -> None:
    assert await call(modules, "moment-field.js", "read", text) == meant
    if meant is not None and len(text) == 16:
        assert await call(modules, "moment-field.js", "written", meant) == text


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ("phu oc", True),
        ("PHÚ ỐC", True),
        ("sông bồ", True),
        ("song Bo", True),
        ("oc phu", True),
        ("kim", False),
    ],
)
async def test_a_name_is_found_in_any_writing(modules: Page, wish: str, found: bool) -> None:
    assert (
        await call(modules, "fold.js", "matches", wish, ["HUE-WL-PHUOC", "Phú Ốc", "sông Bồ", None]) is found
    )


async def test_the_letter_d_with_a_stroke_is_a_d(modules: Page) -> None:
    assert await call(modules, "fold.js", "fold", " Đập Đá ") == "dap da"


async def test_a_file_never_begins_a_formula(modules: Page) -> None:
    made = await call(
        modules, "csv.js", "csv", ["a", "b"], [["=1+1", -2.5], ['say "so", twice', None], ["@x", 3]]
    )
    assert made == '\ufeffa,b\r\n\'=1+1,-2.5\r\n"say ""so"", twice",\r\n\'@x,3\r\n'


@pytest.mark.parametrize(
    ("hours", "cadence", "bucket"),
    [(24, 300, None), (168, 300, "15min"), (168, 900, None), (24 * 60, 300, "1h"), (24 * 365 * 3, 300, "1d")],
)
async def test_a_long_range_takes_the_finest_grain_that_a_chart_can_show(
    modules: Page, hours: int, cadence: int, bucket: str | None
) -> None:
    span = {"since": stamp(-3600 * hours), "until": stamp(0)}
    found = await call(modules, "station-data.js", "grain", cadence, span)
    assert (found and found[0]) == bucket


async def test_the_rain_gauge_is_the_stations_own_then_its_rivers_then_the_nearest(modules: Page) -> None:
    def station(name: str, river: str | None, lat: float, *properties: str) -> dict[str, Any]:
        streams = [{"key": f"{name}/{each}", "property": each} for each in properties]
        rivers = river and {"vi": river, "en": river}
        return {"id": name, "river": rivers, "location": {"lat": lat, "lon": 107.5}, "datastreams": streams}

    gauge = station("KL", "Hương", 16.45, "water_level")
    far = station("FAR", "Hương", 16.1, "rainfall")
    near = station("NEAR", "Bồ", 16.46, "rainfall")
    own = station("OWN", "Hương", 16.45, "water_level", "rainfall")
    other = station("OTHER", None, 16.45, "water_level")
    remote = station("REMOTE", None, 20.0, "water_level")

    async def chosen(whose: dict[str, Any], *others: dict[str, Any]) -> str | None:
        found = await call(modules, "station-data.js", "rainFor", whose, [whose, *others])
        return found and found["station"]["id"]

    assert await chosen(gauge, near, far) == "FAR"
    assert await chosen(own, near, far) == "OWN"
    assert await chosen(other, near, far) == "NEAR"
    assert await chosen(remote, near, far) is None
