"""What receivers get of an outage: the engine's events through the plan of delivery, as after a drained
backlog."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from alerts.delivery_plan import Plan, Waiting, plan
from alerts.model import Event, NumberedEvent
from alerts.receivers.wants import Wishes
from ingest.model import Quality
from tests.property.engine_world import MINUTE, Item, Player, Row, Tick
from tests.timeline.script import MIDNIGHT
from tests.timeline.test_timelines import configured

OUTAGE = 40  # minutes
LEVEL = "HUE-WL-KIMLONG/water_level"


def rising(first: float, last: float, minutes: range, came: int | None) -> list[Row]:
    """Readings in a straight line, each at its own time, or all of them at minute `came`."""
    _, _, numbers = configured(False)
    found = []
    for minute in minutes:
        share = (minute - minutes[0]) / (minutes[-1] - minutes[0])
        time, arrival = MIDNIGHT + minute * MINUTE, MIDNIGHT + (minute if came is None else came) * MINUTE
        found.append(
            Row(numbers[LEVEL], time, round(first + share * (last - first), 3), Quality.PASS, arrival)
        )
    return found


def player(*rules: str) -> Player:
    _, shipped, _ = configured(False)
    return Player([rule for rule in shipped if rule.id in rules])


def notices(events: Sequence[Event], told: Sequence[str] = ()) -> Plan:
    """All of them wait together, long settled, as after the broker's backlog."""
    pending = [NumberedEvent(seq, event.detected_at, event) for seq, event in enumerate(events, start=1)]
    since = {one.seq: 0.0 for one in pending}
    waiting = Waiting(since, {one.event.alert_id: 0.0 for one in pending})
    return plan(
        pending, waiting, 60.0, draining=False, told=set(told), wishes=Wishes("test", {"Actual", "Exercise"})
    )


def sounded(found: Plan) -> list[str]:
    loud = [step.notice for step in found.steps if step.notice is not None and not step.notice.silent]
    return [f"{notice.numbered.event.kind.value} {notice.numbered.event.level_name}" for notice in loud]


@pytest.mark.parametrize("longest", [1, 3, 100], ids=["one by one", "by three", "together"])
def test_a_database_away_for_40_minutes_across_a_level_gives_one_notice_of_it(longest: int) -> None:
    """The broker keeps what came; on return all of it is decided at once, and only where it stands is
    told."""
    gauge = player("river-level", "silence")
    before = rising(3.20, 3.40, range(0, 61, 5), None)
    for row in before:
        gauge.play([row])
    opened = [event.alert_id for event in gauge.store.events]
    known = len(gauge.store.events)
    assert [event.level_name for event in gauge.store.events] == ["BĐ II"]
    backlog: list[Item] = list(rising(3.42, 3.75, range(65, 65 + OUTAGE, 5), 65 + OUTAGE))
    for first in range(0, len(backlog), longest):
        gauge.play(backlog[first : first + longest])
    gauge.play([Tick(MIDNIGHT + (66 + OUTAGE) * MINUTE, MIDNIGHT + (65 + OUTAGE) * MINUTE)])
    after = gauge.store.events[known:]
    assert sounded(notices(after, opened)) == ["escalated BĐ III"]
    told = next(event for event in after if event.level_name == "BĐ III")
    assert told.event_time < MIDNIGHT + (65 + OUTAGE) * MINUTE
    assert told.detected_at >= MIDNIGHT + (65 + OUTAGE) * MINUTE


def test_of_a_backlog_through_three_levels_only_the_head_is_told() -> None:
    gauge = player("river-level")
    gauge.play(rising(0.80, 3.90, range(0, 181, 5), 200))
    found = notices(gauge.store.events)
    assert [event.level_name for event in gauge.store.events] == ["BĐ I", "BĐ II", "BĐ III"]
    assert sounded(found) == ["escalated BĐ III"]
    assert [step.superseded_by for step in found.steps] == [3, 3, None]


def test_a_rise_and_fall_in_an_outage_is_one_silent_entry() -> None:
    gauge = player("river-level")
    gauge.play([*rising(0.80, 1.40, range(0, 61, 5), 200), *rising(0.60, 0.60, range(65, 126, 5), 200)])
    found = notices(gauge.store.events)
    assert [event.kind.value for event in gauge.store.events] == ["raised", "cleared"]
    assert sounded(found) == []
    assert all(step.notice is None or step.notice.silent for step in found.steps)


def test_a_city_silent_since_the_broker_was_down_is_told_of_ourselves_alone() -> None:
    """No reading of any station comes; what is told is one alert about ourselves, and its end."""
    city = player("silence", "river-level", "rain-1h")
    _, _, numbers = configured(False)
    for number in numbers.values():
        city.play([Row(number, MIDNIGHT, 0.5, Quality.PASS, MIDNIGHT)])
    known = len(city.store.events)
    for minute in range(1, 240):
        city.play([Tick(MIDNIGHT + minute * MINUTE, None)])
    back = MIDNIGHT + 240 * MINUTE
    city.play([Tick(back, back)])
    for number in numbers.values():
        city.play([Row(number, back, 0.5, Quality.PASS, back + MINUTE)])
    city.play([Tick(back + 2 * MINUTE, back)])
    after = city.store.events[known:]
    assert [(event.target, event.kind.value) for event in after] == [
        ("@sight", "raised"),
        ("@sight", "cleared"),
    ]
    assert sounded(notices(after)) == ["raised blind", "cleared "]
