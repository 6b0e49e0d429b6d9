"""Each event stands where its row does, and what a batch tells has one order."""

from __future__ import annotations

from msgspec.structs import replace

from alerts.judge_state import BEFORE_ROWS, Told
from alerts.model import Event, EventKind
from alerts.told_order import AFTER_ROWS, merged, placed
from ingest.model import Changes, Moment
from tests.property.engine_world import Row, columns
from tests.unit.test_account import told

NUMBERS = {"R1/level": 10, "R2/level": 20}
ROWS = [Row(10, 100, 1.0, 1, 1_000), Row(20, 100, 1.0, 1, 1_001), Row(10, 200, 1.0, 1, 1_002)]


def event(target: str, time: int, reason: str = "", kind: EventKind = EventKind.RAISED) -> Event:
    found = told(1, 1).told
    assert found is not None
    return replace(found, target=target, event_time=time, reason=reason, kind=kind)


def places(*events: Event, tick: bool = False) -> list[int]:
    changes = Changes(columns(ROWS), Moment(9_999, tick, None))
    return [one.place for one in placed(events, changes, NUMBERS)]


def test_an_event_stands_at_the_row_of_its_target_and_time() -> None:
    assert places(event("R1/level", 100), event("R2/level", 100), event("R1/level", 200)) == [0, 1, 2]


def test_the_end_of_a_silence_stands_at_the_row_that_arrived_then() -> None:
    assert places(event("R2/level", 1_001)) == [1]


def test_what_a_changed_rule_tells_stands_before_the_rows_and_what_a_tick_tells_behind_them() -> None:
    found = places(
        event("R1/level", 50, "rule changed"), event("R2/level", 100), event("R1/level", 7_000), tick=True
    )
    assert found == [BEFORE_ROWS, 1, AFTER_ROWS]


def test_of_one_row_the_engine_speaks_before_the_judge() -> None:
    engine = [Told(0, event("R1/level", 100)), Told(2, event("R1/level", 200))]
    judge = [Told(0, event("R1/level", 1, kind=EventKind.LATE)), Told(1, event("R2/level", 2))]
    assert [one.event_time for one in merged(engine, judge)] == [100, 1, 2, 200]
