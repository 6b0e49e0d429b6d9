"""When a rule may raise, and how an alert that stands is said again."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from alerts.model import Severity
from alerts.rules.standing import Active
from alerts.rules.table import RuleTable
from tests.property.engine_world import RULES, rules

LEVEL = RULES[: RULES.index("  - id: strict")]


def table(settings: str) -> RuleTable:
    """The rule of levels I, II, III with more settings."""
    (rule,) = rules(LEVEL + settings)
    return RuleTable(rule, {10 * (n + 1): n for n in range(4)})


def active_at(active: Active, *local: str) -> list[bool]:
    times = [round(datetime.fromisoformat(f"{time}+07:00").timestamp() * 1e6) for time in local]
    return active.holds(np.array(times)).tolist()


def test_months_are_those_of_the_local_calendar() -> None:
    autumn = Active(months=(9, 12))
    assert active_at(autumn, "2025-08-31T23:59", "2025-09-01T00:00") == [False, True]
    assert active_at(autumn, "2025-12-31T23:59", "2026-01-01T00:00") == [True, False]


def test_the_second_hour_is_outside() -> None:
    day = Active(hours="06:00-22:00")
    assert active_at(day, "2025-09-01T05:59", "2025-09-01T06:00") == [False, True]
    assert active_at(day, "2025-09-01T21:59", "2025-09-01T22:00") == [True, False]
    assert active_at(Active(hours="22:00-24:00"), "2025-09-01T23:59", "2025-09-02T00:00") == [True, False]


def test_hours_may_span_midnight() -> None:
    night = Active(months=(9,), hours="22:00-06:00")
    assert active_at(night, "2025-09-01T23:00", "2025-09-02T05:00", "2025-09-02T12:00") == [True, True, False]
    assert active_at(night, "2025-10-01T01:00") == [False]  # October, whenever the night began


@pytest.mark.parametrize("written", [{}, {"hours": "06:00-06:00"}, {"hours": "6-7"}, {"months": ()}])
def test_what_never_holds_is_refused(written: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Active"):
        Active.model_validate(written)


def test_a_rule_that_is_not_active_has_no_level_to_raise_and_still_clears() -> None:
    night = table("    active: { hours: '22:00-06:00' }\n")
    noon = np.array([round(datetime.fromisoformat("2025-09-01T12:00+07:00").timestamp() * 1e6)])
    limits = night.limits_at(np.array([0]), noon)
    assert np.isinf(limits.raise_at).all()
    assert limits.clear_at.tolist() == [[0.9, 1.9, 3.4]]
    assert night.limits_at(np.array([0]), noon + 12 * 3_600_000_000).raise_at.tolist() == [[1.0, 2.0, 3.5]]


def test_a_reminder_counts_from_its_level_upwards() -> None:
    asked = table("    remind: { every: 3h, levels: { II: 1h } }\n")
    hours = asked.remind / 3_600_000_000
    assert hours.tolist() == [[3, 1, 1], [0, 1, 1], [3, 1, 0], [3, 0, 0]]  # none where there is no level
    assert not table("").remind.any()


def test_a_level_that_stands_is_told_as_worse() -> None:
    asked = table("    escalate: [{ level: II, after: 2h, severity: Extreme }]\n")
    assert (asked.escalate / 3_600_000_000).tolist() == [[0, 2, 0], [0, 2, 0], [0, 2, 0], [0, 0, 0]]
    assert (asked.escalated(0, 2), asked.escalated(0, 1)) == (Severity.EXTREME, None)


def test_what_is_off_changes_no_version() -> None:
    def versions(settings: str) -> tuple[str, ...]:
        return rules(LEVEL + settings)[0].versions

    assert versions("    shadow: false\n") == versions("")
    for settings in ("shadow: true", "remind: { every: 3h }", "active: { months: [9] }"):
        assert versions(f"    {settings}\n") != versions("")
