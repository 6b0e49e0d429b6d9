"""Maintenance windows: what is measured while somebody works on a sensor says so, and nothing else does."""

import pytest

from ingest.clock import to_datetime
from ingest.model import Intake, Quality
from ingest.quality import Test
from ingest.store import connect, maintenance
from tests.support.databases import Database
from tests.support.store import HOUR, MINUTE, NOW, Said, claimed, commit, intake_of, prepare, table

DIGIT = Quality.SUSPECT << Test.CALIBRATION.shift
FLAGS = (
    "SELECT datastream, (extract(epoch FROM time) * 1000000)::int8, quality, tests FROM observation"
    " ORDER BY datastream, observation.time"
)


def window(url: str, keys: list[str], begins: int, ends: int, ended: int | None = None) -> None:
    with connect(url, application_name="test") as connection:
        connection.execute(
            "INSERT INTO maintenance (subject, datastreams, owner, reason, begins, ends, ended_at, ended_by)"
            " VALUES ('station-0', %s, 'An', 'cleaning', %s, %s, %s, %s)",
            (
                keys,
                to_datetime(begins),
                to_datetime(ends),
                to_datetime(ended) if ended else None,
                "An" if ended else None,
            ),
        )


def said(numbers: list[int], minutes: range) -> list[Said]:
    return [Said([(number, NOW + minute * MINUTE, 1.0)]) for minute in minutes for number in numbers]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_readings_inside_are_flagged_by_their_own_time_however_the_stream_is_cut(
    plain_database: Database, size: int
) -> None:
    numbers = prepare(plain_database.url, 2)
    window(plain_database.url, ["station-0/level"], NOW, NOW + 10 * MINUTE)
    writer = claimed(plain_database.url)
    stream = said(numbers, range(-1, 12))
    for first in range(0, len(stream), size):
        commit(writer, intake_of(*stream[first : first + size]))
    found = table(plain_database.url, FLAGS)
    inside = [(number, (at - NOW) // MINUTE) for number, at, _, tests in found if tests == DIGIT]
    assert inside == [(numbers[0], minute) for minute in range(10)]  # its end is outside, a neighbour always
    assert {quality for *_, quality, tests in found if tests == DIGIT} == {Quality.SUSPECT}
    assert {quality for *_, quality, tests in found if tests == 0} == {Quality.PASS}
    writer.close()


def test_a_window_that_is_ended_early_flags_nothing_later(plain_database: Database) -> None:
    (number,) = prepare(plain_database.url, 1)
    window(plain_database.url, ["station-0/level"], NOW, NOW + 4 * HOUR, ended=NOW + 5 * MINUTE)
    writer = claimed(plain_database.url)
    commit(writer, intake_of(*said([number], range(10))))
    assert [tests == DIGIT for *_, tests in table(plain_database.url, FLAGS)] == [True] * 5 + [False] * 5
    writer.close()


def test_a_late_reading_of_the_window_is_flagged_after_a_restart(plain_database: Database) -> None:
    (number,) = prepare(plain_database.url, 1)
    window(plain_database.url, ["station-0/level"], NOW - 2 * HOUR, NOW - HOUR)
    first = claimed(plain_database.url)
    commit(first, says_at(number, NOW))
    first.close()
    second = claimed(plain_database.url)
    commit(second, says_at(number, NOW - 90 * MINUTE))
    assert [tests == DIGIT for *_, tests in table(plain_database.url, FLAGS)] == [True, False]
    second.close()


def says_at(number: int, time: int) -> Intake:
    return intake_of(Said([(number, time, 1.0)]))


def test_a_window_has_an_owner_a_reason_and_an_end(plain_database: Database) -> None:
    prepare(plain_database.url, 1)
    with connect(plain_database.url, application_name="test") as connection:
        with pytest.raises(ValueError, match="an owner and a reason"):
            maintenance.start(connection, "station-0", ["station-0/level"], " ", "cleaning", 60)
        with pytest.raises(ValueError, match="at most 8 h"):
            maintenance.start(connection, "station-0", ["station-0/level"], "An", "cleaning", 8 * 3600 + 1)
        entered = maintenance.start(connection, "station-0", ["station-0/level"], "An", "cleaning", 3600)
        assert maintenance.standing(connection) == [entered]
        ended = maintenance.end(connection, entered.id, "Bình")
        assert ended is not None
        assert (ended.ended_by, ended.told) == ("Bình", False)
        assert ended.ends < entered.ends
        assert maintenance.standing(connection) == []
        assert maintenance.end(connection, entered.id, "Bình") is None
        assert maintenance.one(connection, entered.id) == ended
