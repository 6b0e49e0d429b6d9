"""What becomes of waiting events: fresh ones at once, old ones collapse into the newest of their alert."""

import pytest

from alerts.delivery_plan import LONGEST_S, Plan, Step, Waiting, plan
from alerts.model import Event, EventKind, NumberedEvent
from alerts.receivers.wants import Wishes
from tests.support.feed import NOW, happening

HOUR_S = 3600.0
WISHES = Wishes("test", {"Exercise"})


def numbered(*events: Event) -> list[NumberedEvent]:
    return [NumberedEvent(seq, NOW, event) for seq, event in enumerate(events, start=1)]


def planned(
    *events: Event, waited_s: float = 10.0, draining: bool = False, told: frozenset[str] = frozenset()
) -> Plan:
    """The plan for events that all began to wait `waited_s` seconds ago."""
    pending = numbered(*events)
    since = Waiting({each.seq: 0.0 for each in pending}, {each.event.alert_id: 0.0 for each in pending})
    return plan(pending, since, waited_s, draining=draining, told=told, wishes=WISHES)


def lots(found: Plan) -> list[tuple[int, str]]:
    return [(step.seq, _lot(step)) for step in found.steps]


def _lot(step: Step) -> str:
    if step.notice:
        return "silent" if step.notice.silent else "delivered"
    return f"superseded by {step.superseded_by}" if step.superseded_by else "passed over"


def test_fresh_events_go_at_once_and_every_one_of_them() -> None:
    found = planned(
        happening(1), happening(2, kind=EventKind.ESCALATED, level=2), waited_s=0.0, draining=True
    )
    assert lots(found) == [(1, "delivered"), (2, "delivered")]
    assert found.wait_s is None


def test_of_an_old_alert_only_the_newest_event_notifies() -> None:
    found = planned(
        happening(1, late_s=HOUR_S),
        happening(2, alert=2, late_s=HOUR_S),
        happening(3, kind=EventKind.ESCALATED, level=2, late_s=HOUR_S),
    )
    assert lots(found) == [(1, "superseded by 3"), (2, "delivered"), (3, "delivered")]


def test_a_fresh_event_speaks_for_the_old_ones_before_it() -> None:
    found = planned(
        happening(1, late_s=HOUR_S), happening(2, kind=EventKind.ESCALATED, level=2), waited_s=0.0
    )
    assert lots(found) == [(1, "superseded by 2"), (2, "delivered")]


def test_a_rise_and_fall_missed_entirely_is_one_silent_entry() -> None:
    rise, fall = happening(1, late_s=HOUR_S), happening(2, kind=EventKind.CLEARED, late_s=HOUR_S)
    assert lots(planned(rise, fall)) == [(1, "superseded by 2"), (2, "silent")]


def test_the_end_of_an_alert_that_was_told_is_told_aloud() -> None:
    fall = happening(2, kind=EventKind.CLEARED, late_s=HOUR_S)
    assert lots(planned(fall, told=frozenset({fall.alert_id}))) == [(1, "delivered")]


@pytest.mark.parametrize(("waited_s", "goes"), [(0.5, False), (1.0, True)])
def test_an_old_event_settles_for_a_second(waited_s: float, goes: bool) -> None:
    found = planned(happening(1, late_s=HOUR_S), waited_s=waited_s)
    assert bool(found.steps) is goes
    assert (found.wait_s is None) is goes


@pytest.mark.parametrize(("waited_s", "goes"), [(2.9, False), (LONGEST_S, True)])
def test_while_a_backlog_drains_an_old_event_waits_to_the_limit(waited_s: float, goes: bool) -> None:
    assert bool(planned(happening(1, late_s=HOUR_S), waited_s=waited_s, draining=True).steps) is goes


def test_an_event_that_settles_holds_those_behind_it_so_that_order_stays() -> None:
    found = planned(happening(1), happening(2, alert=2, late_s=HOUR_S), happening(3, alert=3), waited_s=0.2)
    assert lots(found) == [(1, "delivered")]
    assert found.wait_s == pytest.approx(0.8)


def test_an_event_of_a_nature_not_asked_for_is_passed_over() -> None:
    pending = numbered(happening(1))
    since = Waiting({1: 0.0}, {pending[0].event.alert_id: 0.0})
    found = plan(pending, since, 0.0, draining=False, told=set(), wishes=Wishes("test", {"Actual"}))
    assert lots(found) == [(1, "passed over")]


def test_ten_minutes_of_confirmation_are_not_old() -> None:
    assert lots(planned(happening(1, late_s=600.0), waited_s=0.0)) == [(1, "delivered")]
    assert lots(planned(happening(1, late_s=601.0), waited_s=0.0)) == []
