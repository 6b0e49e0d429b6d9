"""A city for the console's pages: the flood's morning of 27 October 2025 with everything that pages show.

Kim Long (river, levels in a zero) has 8 days of readings every 5 minutes, with an hour missing, suspect and
failed ones, a stretch that came late, a forecast, alerts open and ended. Beside it a rain gauge on the same
river, air, river water, tap water, a silent gauge and a station whose name is a script.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import yaml
from playwright.async_api import Page, expect

from alerts.forecast import store as forecasts
from alerts.forecast.records import Made
from alerts.model import EventKind
from ingest.catalog import Catalogue, Station
from ingest.clock import to_datetime
from ingest.installation import EXERCISE, Installation
from ingest.store.datastreams import register
from tests.support.console import PLANTED
from tests.support.feed import (
    HOUR,
    KIMLONG,
    MINUTE,
    NATURE,
    NOW,
    PHUOC,
    WEEK,
    Connection,
    catalogue,
    commit,
    happening,
    prepare,
    river,
    tell,
)

Look = Callable[[Page, str], Awaitable[None]]

LEVEL = f"{KIMLONG}/water_level"
RAIN, AIR, WATER, TAP = "HUE-RN-HUE", "HUE-AQ-HUE", "HUE-WQ-VANNIEN", "HUE-DW-VANNIEN"
SCRIPT = "HUE-WL-PLANTED"
GAP = (NOW - 3 * HOUR, NOW - 2 * HOUR)  # nothing was measured between these
SUSPECT = NOW - 75 * MINUTE
FAILED = NOW - 50 * MINUTE
LATE = (NOW - 6 * HOUR, NOW - 5 * HOUR)  # measured then, received two hours later
MEASURING = """
- id: HUE-RN-HUE
  name: { vi: Trạm mưa Huế, en: Hue rain gauge }
  kind: rain
  river: { vi: sông Hương, en: Hương River }
  location: { lat: 16.433, lon: 107.583 }
  nature: Exercise
  datastreams:
    - name: rainfall
      property: rainfall
      unit: mm
      cadence: 10min
      source: { gateway: gw-rain, device: rain, channel: rainfall }
  derived:
    - { name: rain_1h, property: rain_1h, unit: mm, cadence: 10min,
        derive: { kind: window_sum, of: rainfall, window: 1h } }
    - { name: rain_24h, property: rain_24h, unit: mm, cadence: 10min,
        derive: { kind: window_sum, of: rainfall, window: 24h } }
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
      source: { gateway: gw-air, device: air, channel: pm2_5 }
  derived:
    - { name: vn_aqi, property: vn_aqi_hourly, unit: "1", cadence: 1h,
        derive: { kind: vn_aqi_hourly, pm2_5: pm2_5 } }
- id: HUE-WQ-VANNIEN
  name: { vi: Nước sông Vạn Niên, en: Van Nien river water }
  kind: water
  river: { vi: sông Hương, en: Hương River }
  location: { lat: 16.44, lon: 107.54 }
  nature: Exercise
  datastreams:
    - name: ph
      property: ph
      unit: "1"
      cadence: 15min
      source: { gateway: gw-water, device: river, channel: ph }
    - name: dissolved_oxygen
      property: dissolved_oxygen
      unit: mg/L
      cadence: 15min
      source: { gateway: gw-water, device: river, channel: do }
- id: HUE-DW-VANNIEN
  name: { vi: Nước máy Vạn Niên, en: Van Nien tap water }
  kind: water
  location: { lat: 16.441, lon: 107.541 }
  nature: Exercise
  datastreams:
    - name: turbidity
      property: turbidity
      unit: NTU
      cadence: 15min
      source: { gateway: gw-water, device: tap, channel: turbidity }
    - name: free_chlorine
      property: free_chlorine
      unit: mg/L
      cadence: 15min
      source: { gateway: gw-water, device: tap, channel: chlorine }
"""


def _referenced(station: Station) -> Station:
    """The station with a zero in its datum."""
    (level,) = station.datastreams
    zero = Installation(datum="Hòn Dấu", surveyed=True, by=EXERCISE)
    level = level.model_copy(update={"installations": (zero,)})
    return station.model_copy(update={"datum": "Hòn Dấu", "datastreams": (level,)})


CITY = Catalogue(
    stations=(
        *map(_referenced, catalogue(river(SCRIPT, PLANTED, PLANTED, (1.0, 2.0))).stations),
        *(Station.model_validate_json(json.dumps(each)) for each in yaml.safe_load(MEASURING)),
    ),
    routes=(),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One reading to be stored; `delay` microseconds lie between measuring and receiving it."""

    time: int
    value: float
    quality: int = 1
    delay: int = 0
    tests: int = 0


def store(connection: Connection, key: str, rows: list[Row]) -> None:
    """Store readings as ingest would have."""
    for week in sorted({row.time // WEEK for row in rows}):
        connection.execute("SELECT ensure_observation_partition(%s)", (to_datetime(week * WEEK),))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO observation (time, received_at, value, datastream, quality, tests)"
            " SELECT %s, %s, %s, id, %s, %s FROM datastream WHERE key = %s",
            [
                (
                    to_datetime(row.time),
                    to_datetime(row.time + row.delay),
                    row.value,
                    row.quality,
                    row.tests,
                    key,
                )
                for row in rows
            ],
        )


def level_at(time: int) -> float:
    """Kim Long's flood: 0.5 m a week before, 3.58 m at `NOW`, rising 10 cm/h at the end."""
    hours = (time - NOW) / HOUR
    rise = 3.08 / (1 + math.exp(-(hours + 10) / 6)) / (1 / (1 + math.exp(-10 / 6)))
    return 0.5 + rise + 0.04 * math.sin(hours / 12.42 * 2 * math.pi)


def _levels() -> list[Row]:
    rows = []
    for step in range(8 * 288):
        time = NOW - step * 5 * MINUTE
        if GAP[0] < time < GAP[1]:
            continue
        delay = 2 * HOUR if LATE[0] <= time < LATE[1] else 0
        if time == SUSPECT:
            rows.append(Row(time, level_at(time) + 0.35, 3, tests=0x300000))
        elif time == FAILED:
            rows.append(Row(time, 0.2, 4, tests=0x400000))
        else:
            rows.append(Row(time, round(level_at(time), 3), 1, delay))
    return rows


def _made(number: int) -> Made:
    """A forecast from the newest reading that passes BĐ III + 0.5 m in about four hours."""
    hours = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    level = round(level_at(NOW), 3)
    middle = tuple(level + 0.1 * each for each in hours)
    return Made(
        datastream=number,
        origin=NOW,
        made_at=NOW,
        level=level,
        withheld=None,
        hours=hours,
        expected=middle,
        low=tuple(value - 0.05 * each for value, each in zip(middle, hours, strict=True)),
        high=tuple(value + 0.06 * each for value, each in zip(middle, hours, strict=True)),
        mark=4.0,
        chance=(0.02, 0.1, 0.3, 0.5, 0.65, 0.75),
        passes=(2.6, 4.2, None),
    )


def forecast(connection: Connection, key: str) -> None:
    """Store the forecast of a series."""
    number = forecasts.number_of(connection, key, NATURE)
    assert number is not None
    with connection.cursor() as cursor:
        forecasts.add(cursor, [_made(number)])


def _ledger(connection: Connection, gateway: str, minute: int, stored: int, rejected: int = 0) -> None:
    connection.execute(
        "INSERT INTO ledger (gateway, minute, messages, readable, empty, unreadable, decoded, stored,"
        " duplicate, conflict, rejected) VALUES (%s, %s, %s, %s, 0, 0, %s, %s, %s, 0, %s)",
        (
            gateway,
            to_datetime(minute),
            stored,
            stored,
            stored + rejected + stored // 5,
            stored,
            stored // 5,
            rejected,
        ),
    )


def _refuse(connection: Connection, gateway: str, reason: str, count: int) -> None:
    connection.execute(
        "INSERT INTO quarantine (digest, topic, payload, payload_size, reason, detail, codec, codec_version,"
        " gateway, count, first_seen, last_seen) VALUES (%s, 't', '', 0, %s, '', 'json', 1, %s, %s, %s, %s)",
        (
            f"{gateway}{reason}".encode(),
            reason,
            gateway,
            count,
            to_datetime(NOW - HOUR),
            to_datetime(NOW - HOUR),
        ),
    )


def derive(connection: Connection, key: str, time: int, value: float | None, coverage: float = 1.0) -> None:
    """Store one derived row as ingest would."""
    connection.execute(
        "INSERT INTO derived (time, inputs_until, value, datastream, coverage, quality, revision)"
        " SELECT %(at)s, %(at)s, %(value)s, id, %(coverage)s, %(quality)s, 1 FROM datastream"
        " WHERE key = %(key)s",
        {
            "at": to_datetime(time),
            "value": value,
            "coverage": coverage,
            "quality": 9 if value is None else 1,
            "key": key,
        },
    )


def _others(connection: Connection) -> None:
    register(connection, [key for key, _, _ in CITY.derived()], NATURE)
    wet = range(0, 24 * 6)
    store(connection, f"{RAIN}/rainfall", [Row(NOW - step * 10 * MINUTE, _rain(step)) for step in wet])
    derive(connection, f"{RAIN}/rain_1h", NOW, 24.4)
    derive(connection, f"{RAIN}/rain_24h", NOW, 412.6, 0.96)
    store(
        connection, f"{AIR}/pm2_5", [Row(NOW - step * 10 * MINUTE, 40.0 + step % 12) for step in range(144)]
    )
    for step in range(24):
        derive(connection, f"{AIR}/vn_aqi", NOW - step * HOUR, 88.0 + 3 * step)
    quarters = range(96)
    store(connection, f"{WATER}/ph", [Row(NOW - step * 15 * MINUTE, 7.1) for step in quarters])
    store(connection, f"{WATER}/dissolved_oxygen", [Row(NOW - step * 15 * MINUTE, 4.6) for step in quarters])
    store(connection, f"{TAP}/turbidity", [Row(NOW - step * 15 * MINUTE, 2.4) for step in quarters])
    store(connection, f"{TAP}/free_chlorine", [Row(NOW - step * 15 * MINUTE, 0.45) for step in quarters])
    store(connection, f"{SCRIPT}/water_level", [Row(NOW - step * 5 * MINUTE, 0.5) for step in range(60)])
    store(
        connection, f"{PHUOC}/water_level", [Row(NOW - (step * 5 + 95) * MINUTE, 4.42) for step in range(60)]
    )


def _rain(step: int) -> float:
    return round(max(0.0, 4.2 * math.sin(step / 20) + (step % 5) * 0.6), 1)


def _history(connection: Connection) -> None:
    """Kim Long above each level in turn and still open; Phú Ốc once above BĐ I, over since yesterday."""
    for number, (level, hours) in enumerate(((1, 20), (2, 12), (3, 2)), start=1):
        kind = EventKind.RAISED if level == 1 else EventKind.ESCALATED
        tell(connection, happening(number, alert=1, level=level, time=NOW - hours * HOUR, kind=kind))
    tell(connection, happening(11, alert=2, station=PHUOC, level=1, time=NOW - 30 * HOUR))
    ended = happening(12, alert=2, station=PHUOC, level=1, kind=EventKind.CLEARED, time=NOW - 26 * HOUR)
    tell(connection, ended)


def flood(url: str) -> Connection:
    """A migrated database with the whole of it."""
    connection = prepare(url, CITY)
    store(connection, LEVEL, _levels())
    _others(connection)
    forecast(connection, LEVEL)
    _history(connection)
    for gateway, stored in (("gw", 300), ("gw-rain", 140), ("gw-air", 140), ("gw-water", 380)):
        _ledger(connection, gateway, NOW - MINUTE, stored, 12 if gateway == "gw-water" else 0)
    _ledger(connection, "gw-stranger", NOW - 2 * HOUR, 5)
    _refuse(connection, "gw-water", "unknown_channel", 12)
    _refuse(connection, "gw-stranger", "unknown_device", 40)
    connection.execute(
        "INSERT INTO gap (partition, session, topics, started_at, ended_at, reason)"
        " VALUES ('hue', 1, '{hue/v1/#}', %s, %s, 'session lost')",
        (to_datetime(GAP[0]), to_datetime(GAP[1])),
    )
    commit(connection)
    return connection


async def visit(page: Page, address: str) -> None:
    """Open a view of the console that is already open."""
    await page.evaluate("(hash) => { location.hash = hash; }", address)
    name = address.removeprefix("#/").partition("?")[0].partition("/")[0]
    await expect(page.locator("#view")).to_have_attribute("data-view", name)
