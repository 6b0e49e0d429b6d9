"""When what was told and the record are the same crossing, and when each is settled."""

from __future__ import annotations

from msgspec.structs import replace

from alerts.account import Account, Finding, Step, highest, settle, tolerance
from alerts.episode import Entry, EntryKind
from alerts.model import Event, EventKind, Severity

MINUTE = 60_000_000
SPARE = 15 * MINUTE


def told(minute: int, level: int, *, claims: bool = True) -> Step:
    event = Event(
        event_id=f"event-{minute}",
        alert_id="alert",
        rule="rule",
        rule_version="v",
        rule_kind="threshold",
        target="R1/level",
        station="R1",
        kind=EventKind.RAISED,
        level=level,
        level_name="I",
        previous_level=0,
        severity=Severity.MINOR,
        nature="Exercise",
        event_time=minute * MINUTE,
        detected_at=0,
        value=1.0,
        unit="m",
        threshold=1.0,
        observed=None,
        observed_at=None,
        rate_per_hour=None,
        verified=True,
        evidence=(),
    )
    return Step(minute * MINUTE, level, "alert", event if claims and level else None)


def judged(minute: int, level: int, *, claims: bool = True) -> Step:
    entry = Entry(
        rule="rule",
        target="R1/level",
        ordinal=minute,
        kind=EntryKind.RAISED,
        level=level,
        event_time=minute * MINUTE,
        value=1.0,
        threshold=1.0,
        rule_version="v",
        previous="",
    )
    return Step(minute * MINUTE, level, judged=entry if claims and level else None)


def found(account: Account, minute: int) -> list[tuple[str, int, int]]:
    """(side, minute, level at which the other stood) of each finding at a watermark."""
    _, findings = settle(account, minute * MINUTE, SPARE)
    return [("told" if one.step.told else "judged", one.step.time // MINUTE, one.stood) for one in findings]


def test_the_same_level_at_the_same_time_is_settled_without_a_word() -> None:
    account, findings = settle(Account((told(100, 1),), (judged(100, 1),)), 200 * MINUTE, SPARE)
    assert findings == []
    assert not account.waiting


def test_a_crossing_within_the_tolerance_is_the_same_and_beyond_it_another() -> None:
    assert found(Account((told(100, 1),), (judged(115, 1), judged(117, 0))), 200) == []
    assert found(Account((told(100, 1), told(102, 0)), (judged(116, 1), judged(117, 0))), 200) == [
        ("told", 100, 0)
    ]
    assert found(Account((told(100, 1), told(101, 0)), (judged(117, 1), judged(118, 0))), 200) == [
        ("told", 100, 0),
        ("judged", 117, 0),
    ]


def test_nothing_is_settled_before_the_watermark_has_passed_the_tolerance() -> None:
    account = Account((told(100, 1),))
    assert settle(account, 115 * MINUTE - 1, SPARE) == (account, [])
    assert found(account, 115) == [("told", 100, 0)]


def test_a_lower_level_than_was_told_is_said() -> None:
    assert found(Account((told(100, 3),), (judged(100, 1),)), 200) == [("told", 100, 1)]


def test_a_level_that_was_told_before_and_stands_still_was_told() -> None:
    assert found(Account((told(10, 2, claims=False),), (judged(100, 2),)), 120) == []


def test_a_higher_level_than_was_told_is_late() -> None:
    assert found(Account((told(10, 1, claims=False),), (judged(100, 2),)), 120) == [("judged", 100, 1)]


def test_a_stay_that_has_ended_untold_is_late_once_what_was_told_around_its_end_is_known() -> None:
    account = Account(judged=(judged(100, 1), judged(150, 0)))
    assert found(account, 164) == []
    assert found(account, 165) == [("judged", 100, 0)]


def test_a_stay_that_lasts_waits_for_what_was_told_of_the_time_beyond_the_watermark() -> None:
    """A gap between two rows: the raise was told with the second, of which event time knows before."""
    account = Account((told(300, 1),), (judged(100, 1),))
    assert found(account, 200) == []
    assert found(account, 300) == []  # it lasted until then
    ended = account.judge(judged(210, 0))
    assert found(ended, 240) == [("judged", 100, 0)]


def test_a_settled_account_keeps_only_the_levels_that_stand() -> None:
    account = Account((told(100, 1), told(130, 0)), (judged(100, 1), judged(130, 0)))
    settled, _ = settle(account, 400 * MINUTE, SPARE)
    assert settled == Account()
    standing, _ = settle(Account((told(100, 1),), (judged(100, 1),)), 400 * MINUTE, SPARE)
    assert standing == Account((told(100, 1).settled(),), (judged(100, 1).settled(),))


def test_each_claim_is_found_once() -> None:
    account, findings = settle(Account((told(100, 1),)), 200 * MINUTE, SPARE)
    assert [finding.step.time for finding in findings] == [100 * MINUTE]
    assert settle(account, 300 * MINUTE, SPARE)[1] == []


def test_what_another_version_told_is_not_compared() -> None:
    account = Account((told(100, 1),), (judged(90, 1),)).forgiven()
    assert not account.waiting
    assert [step.level for step in account.told] == [1]


def test_highest_counts_the_level_at_the_begin_and_both_ends() -> None:
    steps = (judged(10, 2), judged(20, 1), judged(30, 3))
    spans = ((0, 9), (10, 19), (20, 29), (25, 30))
    found = [highest(steps, begin * MINUTE, end * MINUTE) for begin, end in spans]
    assert found == [0, 2, 1, 3]


def test_the_tolerance_is_a_confirmation_and_a_sample_that_may_be_lost() -> None:
    assert tolerance(2, 300.0) == 15 * MINUTE


def test_steps_are_kept_by_time_however_they_come() -> None:
    account = Account().tell(told(20, 2)).tell(told(10, 1))
    assert [step.level for step in account.told] == [1, 2]
    assert Finding(account.told[0], 0).step == replace(told(10, 1))
