"""Corners of the condition machine that timelines of one gauge do not show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from alerts.condition import KINDS, Limits, Signal, State, run_start, step, surviving_level
from alerts.model import EventKind, Phase
from ingest.memory import NEVER

MINUTE = 60_000_000


def limits(
    *levels: float,
    hold: int = 30,
    samples: int = 2,
    of: int = 0,
    sustain: int = 0,
    below: float = 0.1,
    targets: int = 1,
) -> Limits:
    raise_at = np.tile(np.array(levels), (targets, 1))
    return Limits(
        raise_at,
        raise_at - below,
        np.full(targets, hold * MINUTE),
        np.full(targets, samples),
        np.full(targets, of or samples),
        np.full(targets, sustain * MINUTE),
    )


def signal(*values: float, suspect: tuple[int, ...] = ()) -> Signal:
    """One target's samples, five minutes apart."""
    doubted = np.array([[place in suspect for place in range(len(values))]])
    return Signal(np.array([values]), np.arange(len(values))[None, :] * 5 * MINUTE, doubted)


def at_level(level: int, phase: Phase = Phase.FIRING) -> State:
    state = State.inactive(1)
    state.level[0], state.phase[0], state.since[0] = level, phase, 0
    return state


def test_a_rank_without_a_level_is_never_reached() -> None:
    published = limits(np.inf, 2.0, np.inf)
    state, told = step(State.inactive(1), published, signal(9.0, 9.0))
    assert (state.level[0], KINDS[told[0]]) == (2, EventKind.RAISED)


def test_the_old_state_is_left_as_it_was() -> None:
    before = State.inactive(1)
    after, _ = step(before, limits(1.0), signal(1.5, 1.5))
    assert after.level[0] == 1
    assert before.level[0] == 0
    assert before.phase[0] == Phase.INACTIVE


def test_a_missing_sample_is_no_sample() -> None:
    state, told = step(State.inactive(1), limits(1.0), signal(1.5, np.nan, 1.5))
    assert (state.level[0], KINDS[told[0]]) == (1, EventKind.RAISED)
    state, told = step(State.inactive(1), limits(1.0), signal(np.nan, np.nan, 1.5))
    assert (state.level[0], state.phase[0], KINDS[told[0]]) == (0, Phase.PENDING, None)


def test_a_candidate_is_noted_while_a_lower_level_fires() -> None:
    state, told = step(at_level(1), limits(1.0, 2.0), signal(1.5, 2.5))
    assert (state.level[0], state.candidate_level[0], KINDS[told[0]]) == (1, 2, None)
    assert state.candidate_since[0] == 5 * MINUTE
    state, _ = step(state, limits(1.0, 2.0), signal(1.5, 2.5, 1.5))
    assert (state.candidate_level[0], state.candidate_since[0]) == (0, NEVER)


def test_a_hold_of_nothing_ends_at_once() -> None:
    state, told = step(at_level(1), limits(1.0, hold=0), signal(0.5))
    assert (state.level[0], state.phase[0], KINDS[told[0]]) == (0, Phase.INACTIVE, EventKind.CLEARED)


def test_exactly_the_clear_value_still_holds() -> None:
    state, _ = step(at_level(1), limits(1.0, below=0.5), signal(0.5))
    assert state.phase[0] == Phase.FIRING
    state, _ = step(at_level(1), limits(1.0, below=0.5), signal(0.4999))
    assert state.phase[0] == Phase.CLEARING


def test_a_signal_of_one_sample_steps_down_one_level_at_a_time() -> None:
    """A slope has no window of its own to look back on: the lower level is kept and clears in its turn."""
    state = at_level(2, Phase.CLEARING)
    late = Signal(np.array([[0.0]]), np.array([[40 * MINUTE]]), np.zeros((1, 1), np.bool_))
    state, told = step(state, limits(0.1, 0.2, samples=1, below=0.05), late)
    assert (state.level[0], state.phase[0], KINDS[told[0]]) == (1, Phase.CLEARING, EventKind.LOWERED)
    assert state.since[0] == 40 * MINUTE


def test_targets_do_not_touch_each_other() -> None:
    both = Signal(np.array([[1.5, 1.5], [0.1, 0.1]]), np.array([[0, 1], [0, 1]]), np.zeros((2, 2), np.bool_))
    state, told = step(State.inactive(2), limits(1.0, targets=2), both)
    assert told.tolist() == [KINDS.index(EventKind.RAISED), 0]
    assert state.level.tolist() == [1, 0]


def test_a_run_begins_at_its_first_sample_that_is_not_suspect() -> None:
    start, broken = run_start(signal(2.0, 0.5, 0.5, 0.5, suspect=(1,)), np.array([1.0]))
    assert (start[0], broken[0]) == (10 * MINUTE, True)
    start, broken = run_start(signal(0.5, 0.5), np.array([1.0]))
    assert (start[0], broken[0]) == (0, False)


def test_changed_limits_keep_what_they_still_hold() -> None:
    assert surviving_level(limits(1.0, 2.0), signal(1.5, 1.5), 1) == 1
    assert surviving_level(limits(1.55, 2.0), signal(1.5, 1.5), 1) == 1  # held by the hysteresis
    assert surviving_level(limits(1.7, 2.0), signal(1.5, 1.5), 1) == 0
    assert surviving_level(limits(1.0, 1.4), signal(1.5, 1.5), 1) == 2
    assert surviving_level(limits(1.0, 2.0), signal(1.5, 1.5), 2) == 1


def test_changed_limits_without_a_sample_end_nothing() -> None:
    assert surviving_level(limits(9.0), signal(np.nan), 1) == 1
    assert surviving_level(limits(9.0), signal(np.nan), 3) == 1  # the nearest rank that there still is


def risen(asked: Limits, seen: Signal) -> int:
    """The level to which one inactive target rises."""
    return int(step(State.inactive(1), asked, seen)[0].level[0])


def test_samples_of_the_newest_confirm_a_level() -> None:
    two_of_three = limits(1.0, 2.0, samples=2, of=3)
    assert risen(two_of_three, signal(1.5, 0.5, 1.5)) == 1
    assert risen(two_of_three, signal(1.5, 0.5, 0.5, 1.5)) == 0
    assert risen(two_of_three, signal(1.5, 2.5)) == 1
    assert risen(two_of_three, signal(2.5, 0.5, 2.5)) == 2
    assert risen(two_of_three, signal(1.5)) == 0
    assert risen(two_of_three, signal(1.5, np.nan, np.nan, 1.5)) == 1  # a missing sample is none of the three


def test_a_newest_sample_below_the_level_raises_nothing() -> None:
    assert risen(limits(1.0, samples=2, of=3), signal(1.5, 1.5, 0.5)) == 0


def test_targets_may_ask_for_different_numbers_of_samples() -> None:
    asked = limits(1.0, targets=2)
    asked.of[:] = 3, 2
    both = Signal(np.array([[1.5, 0.5, 1.5]] * 2), np.arange(6).reshape(2, 3), np.zeros((2, 3), np.bool_))
    assert step(State.inactive(2), asked, both)[0].level.tolist() == [1, 0]


def test_a_run_must_be_as_long_as_it_is_to_be_sustained() -> None:
    ten_minutes = limits(1.0, 2.0, samples=1, sustain=10)
    assert risen(ten_minutes, signal(1.5, 1.5)) == 0
    assert risen(ten_minutes, signal(1.5, 1.5, 1.5)) == 1
    assert risen(ten_minutes, signal(1.5, 2.5, 2.5)) == 1
    assert risen(ten_minutes, signal(1.5, 0.9, 1.5, 1.5)) == 0
    assert risen(ten_minutes, signal(1.5, np.nan, 1.5)) == 1  # what is missing does not break it
    assert risen(ten_minutes, signal(0.5, 2.5, 2.5, 2.5)) == 2


def test_a_sure_sample_confirms_levels_up_to_what_it_is_sure_of() -> None:
    def sure(value: float, of: float) -> Signal:
        return replace(signal(0.5, value), sure=np.array([of]))

    assert risen(limits(1.0, 2.0), sure(2.5, 1.5)) == 1
    assert risen(limits(1.0, 2.0), sure(2.5, 9.0)) == 2
    assert risen(limits(1.0, 2.0), sure(1.5, 9.0)) == 1  # of no level that it does not reach itself
    assert risen(limits(1.0, 2.0), sure(2.5, -np.inf)) == 0
    assert risen(limits(1.0, sustain=30), sure(1.5, 1.5)) == 1


def test_where_raising_is_not_allowed_an_alert_is_held_and_ends() -> None:
    shut = limits(1.0, 2.0).raising_only(np.array([False]))
    assert risen(shut, signal(2.5, 2.5)) == 0
    state, told = step(at_level(1), shut, signal(2.5, 2.5))
    assert (state.level[0], state.phase[0], told[0]) == (1, Phase.FIRING, 0)
    state, told = step(at_level(1, Phase.CLEARING), shut, signal(*[0.5] * 8))
    assert KINDS[told[0]] == EventKind.CLEARED
