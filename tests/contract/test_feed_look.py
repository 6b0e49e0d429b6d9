"""The shared look at the city: it is what the database says, however it was brought up to date."""

import random
from collections.abc import Iterator

import httpx
import pytest

from alerts import feed_store
from alerts.api.board import HOLD_S, Board
from alerts.api.reader import Reader
from alerts.api.recent import ANEW_S, Recent
from alerts.model import EventKind
from alerts.trend import WINDOW_US
from ingest.catalog import Catalogue
from ingest.clock import to_datetime
from tests.support.databases import Database
from tests.support.fed import LEVEL, RAIN, city, client, get, table
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
    river,
    tell,
    until,
)

__all__ = ["city", "client", "table"]


class Clock:
    """Seconds that pass only when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reader(plain_database: Database, city: Catalogue, table: Connection) -> Iterator[Reader]:
    found = Reader(plain_database.url, city, NATURE)
    found.open()
    yield found
    found.close()


@pytest.fixture
def board(reader: Reader, clock: Clock) -> Board:
    return Board(reader, clock)


def test_a_look_is_shared_for_a_second_and_taken_anew_after_it(
    board: Board, clock: Clock, table: Connection
) -> None:
    commit(table)
    first, _ = board.look(0)
    observe(table, LEVEL, NOW, 1.0)
    commit(table)
    clock.now = HOLD_S - 0.1
    held, as_of = board.look(0)
    assert held is first
    assert as_of.age_s == pytest.approx((first.as_of.age_s or 0.0) + clock.now)  # older, and says so
    clock.now = HOLD_S
    assert LEVEL in board.look(0)[0].windows


def test_a_look_is_never_older_than_an_event_that_was_told(board: Board, table: Connection) -> None:
    commit(table)
    first, _ = board.look(0)
    number = tell(table, happening(1))
    second, _ = board.look(number)
    assert (first.state(board_station(board)), second.state(board_station(board))) == ("unknown", "unknown")
    assert KIMLONG in second.standing.alerting
    assert KIMLONG not in first.standing.alerting


def board_station(board: Board) -> object:
    return board._reader.city.stations[KIMLONG]


def test_a_look_grown_too_old_to_know_anything_is_taken_anew(
    board: Board, clock: Clock, table: Connection
) -> None:
    commit(table, ago_s=44.5)
    first, _ = board.look(0)
    clock.now = 0.9
    second, _ = board.look(0)
    assert first.as_of.known
    assert second is not first


def test_a_new_catalogue_is_seen_at_once(board: Board, reader: Reader, table: Connection) -> None:
    commit(table)
    board.look(0)
    more = river("HUE-WL-NEW", "New", "Hương", (1.0,))
    reader.catalogue = reader.catalogue.model_copy(update={"stations": (*reader.catalogue.stations, more)})
    assert "HUE-WL-NEW" in board.look(0)[0].city.stations


def test_a_look_without_a_new_commit_is_the_same(board: Board, clock: Clock, table: Connection) -> None:
    commit(table)
    first, _ = board.look(0)
    clock.now = 5.0
    second, _ = board.look(0)
    assert (second.tag, second.windows is first.windows) == (first.tag, True)
    commit(table)
    clock.now = 10.0
    assert board.look(0)[0].tag != first.tag


def test_what_is_kept_is_what_the_database_has_after_any_rows_and_looks(
    reader: Reader, table: Connection, rng: random.Random
) -> None:
    recent, seconds, keys = Recent(), 0.0, reader.city.measured
    times = dict.fromkeys(keys, NOW)
    for _ in range(25):
        for key in rng.sample(keys, rng.randrange(len(keys) + 1)):
            times[key] += rng.randrange(1, 40) * MINUTE
            observe(table, key, times[key], rng.random(), rng.choice((1, 2, 3, 4)))
        seconds += rng.choice((1.0, 3.0, 70.0))
        with reader.snapshot() as connection:
            kept = recent.read(connection, NATURE, keys, seconds)
            assert kept == feed_store.windows(connection, NATURE, keys, WINDOW_US)


def test_a_late_row_is_seen_within_a_minute_and_a_new_flag_of_the_newest_at_once(
    reader: Reader, table: Connection
) -> None:
    recent = Recent()
    for step in range(3):
        observe(table, LEVEL, NOW - step * 10 * MINUTE, 1.0)
    asked = (NATURE, reader.city.measured)
    with reader.snapshot() as connection:
        assert len(recent.read(connection, *asked, 0.0)[LEVEL]) == 3
    observe(table, LEVEL, NOW - 5 * MINUTE, 1.0)
    table.execute(
        "INSERT INTO quality_revision SELECT id, %s, 3, 0, 1, now() FROM datastream WHERE key = %s",
        (to_datetime(NOW), LEVEL),
    )
    with reader.snapshot() as connection:
        assert recent.read(connection, *asked, 0.1)[LEVEL][-1].quality == 3
    observe(table, LEVEL, NOW - 15 * MINUTE, 1.0)
    seen = []
    for second in range(1, round(ANEW_S) + 2):
        with reader.snapshot() as connection:
            seen.append(len(recent.read(connection, *asked, float(second))[LEVEL]))
    assert seen[-1] == 5


async def test_stations_are_found_by_what_they_are_and_how_they_stand(
    client: httpx.AsyncClient, table: Connection
) -> None:
    observe(table, LEVEL, NOW, 1.5)
    observe(table, f"{PHUOC}/water_level", NOW, 1.0)
    tell(table, happening(1, station=PHUOC))
    commit(table)
    for parameters, found in (
        ({}, [KIMLONG, PHUOC, RAIN]),
        ({"kind": "rain"}, [RAIN]),
        ({"kind": ["rain", "river"], "river": "sông Hương"}, [KIMLONG]),
        ({"property": "rain_1h"}, [RAIN]),
        ({"property": "water_level"}, [KIMLONG, PHUOC]),
        ({"ward": "Thuan Hoa ward"}, [RAIN]),
        ({"state": "alert"}, [PHUOC]),
        ({"state": ["alert", "unknown"]}, [KIMLONG, PHUOC, RAIN]),  # the first is not referenced
        ({"bbox": "107.49,16.3,107.51,16.41"}, [RAIN]),
        ({"bbox": "100,10,101,11"}, []),
        ({"station": PHUOC}, [PHUOC]),
    ):
        answer = await get(client, "/api/v1/stations", **parameters)
        assert [each["id"] for each in answer["stations"]] == found, parameters


@pytest.mark.parametrize(
    "box", ["", "1,2,3", "a,b,c,d", "108,16,107,17", "0,0,0,91", "nan,0,1,1", "-1e999,0,1,1", "1,2,3,4,5"]
)
async def test_a_box_that_is_none_is_refused(client: httpx.AsyncClient, table: Connection, box: str) -> None:
    commit(table)
    assert (await client.get("/api/v1/stations", params={"bbox": box})).status_code == 422


async def test_one_station_is_told_as_in_the_list(client: httpx.AsyncClient, table: Connection) -> None:
    for step in range(12):
        observe(table, LEVEL, NOW - step * 5 * MINUTE, 3.58 - step * 0.01)
    commit(table)
    (listed, *_) = (await get(client, "/api/v1/stations"))["stations"]
    alone = await get(client, f"/api/v1/stations/{KIMLONG}")
    assert alone == alone | listed
    assert alone.keys() - listed.keys() == {"as_of", "datum", "sensors"}
    assert (await client.get("/api/v1/stations/NOBODY")).status_code == 404


async def test_the_newest_value_of_each_datastream(client: httpx.AsyncClient, table: Connection) -> None:
    observe(table, LEVEL, NOW - HOUR, 1.0)
    observe(table, LEVEL, NOW, 1.5, 3)
    commit(table)
    found = {each["datastream"]: each for each in (await get(client, "/api/v1/latest"))["latest"]}
    assert set(found) == {LEVEL, f"{PHUOC}/water_level", f"{RAIN}/rainfall", f"{RAIN}/rain_1h"}
    level, never = found[LEVEL], found[f"{PHUOC}/water_level"]
    assert (level["value"], level["quality"], level["age_s"], level["freshness"]) == (1.5, 3, 0, "fresh")
    assert (never["value"], never["time"], never["age_s"], never["freshness"]) == (None, None, None, "never")
    only = await get(client, "/api/v1/latest", property="rainfall", kind="rain")
    assert [each["datastream"] for each in only["latest"]] == [f"{RAIN}/rainfall"]


@pytest.mark.parametrize("path", ["/api/v1/stations", "/api/v1/datastreams", "/api/v1/latest"])
async def test_lists_are_paged_by_name(client: httpx.AsyncClient, table: Connection, path: str) -> None:
    commit(table)
    name = path.rpartition("/")[2]
    whole = (await get(client, path))[name]
    found, following = [], f"{path}?limit=1"
    while following:
        page = await get(client, following)
        found, following = found + page[name], page["next"]
    assert sorted(map(str, found)) == sorted(map(str, whole))


@pytest.mark.parametrize("path", ["/api/v1/stations", "/api/v1/latest"])
async def test_what_has_not_changed_is_not_sent_again_but_how_far_the_feed_sees_is(
    client: httpx.AsyncClient, table: Connection, path: str
) -> None:
    commit(table)
    first = await client.get(path)
    tag = {"If-None-Match": first.headers["etag"]}
    assert first.headers["cache-control"] == "private, no-cache"
    again = await client.get(path, headers=tag)
    assert (again.status_code, again.headers["huewatch-as-of"][:14]) == (304, "state=current,")
    assert (await client.get(f"{path}?station={PHUOC}", headers=tag)).status_code == 200
    tell(table, happening(1, kind=EventKind.RAISED))
    commit(table)

    async def changed() -> bool:
        return (await client.get(path, headers=tag)).status_code == 200

    await until(changed)
