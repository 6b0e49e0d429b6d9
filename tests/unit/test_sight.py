"""How far we can see: what may be claimed from the writer's rows and the newest observations."""

import re
from dataclasses import replace
from importlib.resources import files

import pytest

from alerts.api.hub import STATUS_S
from alerts.sight import UNKNOWN_AFTER_S, Freshness, Sight, UnknownReason, WriterRow, freshness, look, unknown
from tests.support.feed import HOUR, KIMLONG, MINUTE, NOW, PHUOC, catalogue

CITY = catalogue()
ROW = WriterRow("hue", NOW, 1.0, NOW, NOW - HOUR, "")
NEWEST = {f"{KIMLONG}/water_level": NOW, f"{PHUOC}/water_level": NOW}


def test_a_recent_commit_with_sight_is_current() -> None:
    seen = look([ROW], NEWEST, CITY)
    assert (seen.state, seen.now, seen.stations_unknown) == (Sight.CURRENT, NOW, ())
    assert seen.known


@pytest.mark.parametrize(("age_s", "state"), [(45.0, Sight.CURRENT), (45.1, Sight.UNKNOWN)])
def test_a_commit_older_than_45_s_makes_every_station_unknown(age_s: float, state: Sight) -> None:
    seen = look([replace(ROW, age_s=age_s)], NEWEST, CITY)
    assert seen.state is state
    assert seen.stations_unknown == (() if seen.known else (KIMLONG, PHUOC))
    assert seen.time == NOW  # people still see since when


def test_every_feed_can_say_unknown_within_60_s_of_the_last_commit() -> None:
    """The slowest has 5 s on its way; the page judges by the same limit."""
    assert UNKNOWN_AFTER_S + STATUS_S + 5 < 60
    page = (files("alerts") / "console" / "feed.js").read_text()
    assert re.findall(r"UNKNOWN_S = (\d+);", page) == [f"{UNKNOWN_AFTER_S:.0f}"]


def test_a_blind_writer_is_blind_with_its_reason_and_backlog() -> None:
    blind = replace(ROW, sighted_since=None, blind_reason="no_broker")
    late = dict.fromkeys(NEWEST, NOW - 45 * MINUTE)
    seen = look([blind], late, CITY)
    assert (seen.state, seen.reason, seen.backlog_s) == (
        Sight.BLIND,
        "no_broker",
        45 * 60,
    )


def test_the_oldest_and_blindest_partition_decides() -> None:
    other = replace(ROW, partition="other", age_s=40.0, sighted_since=None, blind_reason="away")
    seen = look([ROW, other], NEWEST, CITY)
    assert (seen.state, seen.age_s) == (Sight.BLIND, 40.0)
    assert look([ROW, replace(other, age_s=46.0)], NEWEST, CITY).state is Sight.UNKNOWN


@pytest.mark.parametrize("rows", [[], [replace(ROW, committed_at=None, now_at=None)]])
def test_before_the_first_commit_nothing_is_known(rows: list[WriterRow]) -> None:
    seen = look(rows, {}, CITY)
    assert (seen.state, seen.reason) == (Sight.UNKNOWN, "no_commit_yet")


def test_a_partition_that_never_committed_hides_behind_no_other() -> None:
    assert look([ROW, replace(ROW, committed_at=None)], NEWEST, CITY).state is Sight.UNKNOWN


def test_a_silent_station_is_unknown_while_the_rest_is_current() -> None:
    seen = look([ROW], {**NEWEST, f"{PHUOC}/water_level": NOW - HOUR}, CITY)
    assert (seen.state, seen.stations_unknown) == (Sight.CURRENT, (PHUOC,))


def test_what_was_seen_before_keeps_its_times_when_sight_is_lost() -> None:
    lost = unknown(look([ROW], NEWEST, CITY), UnknownReason.DATABASE_UNREACHABLE, CITY)
    assert (lost.state, lost.reason, lost.time) == (Sight.UNKNOWN, "database_unreachable", NOW)


@pytest.mark.parametrize(
    ("cadence_s", "age_min", "expected"),
    [
        (300, 15, Freshness.FRESH),  # late after 2 cadences, but not before 15 minutes
        (300, 15.1, Freshness.LATE),
        (300, 30, Freshness.LATE),  # no data after 4 cadences, but not before 30 minutes
        (300, 30.1, Freshness.NO_DATA),
        (3600, 120, Freshness.FRESH),
        (3600, 121, Freshness.LATE),
        (3600, 241, Freshness.NO_DATA),
    ],
)
def test_freshness_follows_the_cadence_and_its_floor(
    cadence_s: float, age_min: float, expected: Freshness
) -> None:
    assert freshness(cadence_s, NOW - round(age_min * MINUTE), NOW) is expected


def test_a_datastream_that_never_reported_is_not_fresh() -> None:
    assert freshness(300, None, NOW) is Freshness.NEVER
