"""What people do with an alert: every action in every state, and every word against every later level."""

import itertools
import uuid

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerts.handling import (
    LONGEST_SHELVING_S,
    Action,
    Handling,
    Refused,
    Story,
    Unanswered,
    Until,
    counts,
    decide,
    follow,
    released,
    said,
    shelving_ended,
    stories,
)
from alerts.model import Approval, Event, EventKind, NumberedEvent
from tests.support.feed import NOW, happening

SECOND = 1_000_000
PEOPLE = ["An", "Bình"]
K = EventKind
LEAVE = Approval(("Evacuate",), "Rời khỏi nhà ven sông ngay.", "Leave houses by the river now.")
CLEAR = Approval(("AllClear",), "Nước đã rút.", "The water has gone.")
WORDS = {
    K.ACKNOWLEDGED: Action(K.ACKNOWLEDGED, "An"),
    K.ASSIGNED: Action(K.ASSIGNED, "An", assign_to="Bình"),
    K.COMMENTED: Action(K.COMMENTED, "An", "looked at it"),
    K.SHELVED: Action(K.SHELVED, "An", shelve_s=1800),
    K.UNSHELVED: Action(K.UNSHELVED, "An"),
    K.CANCELLED: Action(K.CANCELLED, "An", "a boat on the sensor"),
    K.APPROVED: Action(K.APPROVED, "An", text=LEAVE),
}


def told(*events: Event) -> Story:
    """The story of one alert's events in order."""
    numbered = [NumberedEvent(seq, event.detected_at, event) for seq, event in enumerate(events, start=1)]
    (story,) = stories(numbered).values()
    return story


def after(story: Story, *actions: Action, now: int = NOW) -> Story:
    for action in actions:
        following = follow(story, NumberedEvent(99, now, decide(story, action, now)))
        assert following is not None
        story = following
    return story


def at(story: Story, kind: EventKind, level: int) -> Story:
    following = follow(story, NumberedEvent(99, NOW, happening(99, kind=kind, level=level)))
    assert following is not None
    return following


OPEN = told(happening(1, level=2))
STATES = {
    "open": OPEN,
    "acknowledged": after(OPEN, WORDS[K.ACKNOWLEDGED]),
    "assigned": after(OPEN, WORDS[K.ASSIGNED]),
    "shelved": after(OPEN, WORDS[K.SHELVED]),
    "cancelled": after(OPEN, WORDS[K.CANCELLED]),
    "ended": at(OPEN, K.CLEARED, 2),
}
ALLOWED = {
    "open": {K.ACKNOWLEDGED, K.ASSIGNED, K.COMMENTED, K.SHELVED, K.CANCELLED, K.APPROVED},
    "acknowledged": {K.ASSIGNED, K.COMMENTED, K.SHELVED, K.CANCELLED, K.APPROVED},
    "assigned": {K.ACKNOWLEDGED, K.COMMENTED, K.SHELVED, K.CANCELLED, K.APPROVED},
    "shelved": {K.ACKNOWLEDGED, K.ASSIGNED, K.COMMENTED, K.SHELVED, K.UNSHELVED, K.CANCELLED, K.APPROVED},
    "cancelled": {K.COMMENTED},
    "ended": {K.COMMENTED},
}


@pytest.mark.parametrize(("state", "kind"), list(itertools.product(STATES, WORDS)))
def test_every_action_in_every_state(state: str, kind: EventKind) -> None:
    if kind in ALLOWED[state]:
        assert after(STATES[state], WORDS[kind]).handling.version == STATES[state].handling.version + 1
    else:
        with pytest.raises(Refused):
            decide(STATES[state], WORDS[kind], NOW)


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (Action(K.ACKNOWLEDGED, " "), "say who"),
        (Action(K.ACKNOWLEDGED, "An\nBình"), "in one line"),
        (Action(K.ACKNOWLEDGED, "A" * 81), "80 characters"),
        (Action(K.COMMENTED, "An", " "), "empty"),
        (Action(K.COMMENTED, "An", "x" * 1001), "1000 characters"),
        (Action(K.CANCELLED, "An"), "say why"),
        (Action(K.ASSIGNED, "An"), "to whom"),
        (Action(K.SHELVED, "An", shelve_s=LONGEST_SHELVING_S + 1), "2 h at most"),
        (Action(K.SHELVED, "An", shelve_s=0), "2 h at most"),
        (Action(K.RAISED, "An"), "nothing that people do"),
    ],
)
def test_an_action_that_says_too_little_or_too_much_is_refused(action: Action, why: str) -> None:
    with pytest.raises(Refused, match=why):
        decide(OPEN, action, NOW)


@pytest.mark.parametrize(
    ("until", "level", "stays"),
    [
        (Until.WORSE, 1, True),
        (Until.WORSE, 2, True),
        (Until.WORSE, 3, False),
        (Until.RESOLVED, 1, True),
        (Until.RESOLVED, 3, True),
    ],
)
def test_an_acknowledgement_until_worse_ends_at_a_higher_level(until: Until, level: int, stays: bool) -> None:
    story = at(after(OPEN, Action(K.ACKNOWLEDGED, "An", until=until)), K.ESCALATED, level)
    assert (story.handling.acknowledged is not None) is stays
    assert story.handling.version == 1  # nobody has said anything more


def test_what_got_worse_stays_unacknowledged_when_it_falls_again() -> None:
    worse = at(STATES["acknowledged"], K.ESCALATED, 3)
    assert at(worse, K.LOWERED, 2).handling.acknowledged is None


def test_what_got_worse_can_be_acknowledged_again_though_it_holds_until_resolved() -> None:
    story = after(OPEN, Action(K.ACKNOWLEDGED, "An", until=Until.RESOLVED))
    again = after(at(story, K.ESCALATED, 3), Action(K.ACKNOWLEDGED, "Bình", until=Until.RESOLVED))
    assert again.handling.acknowledged is not None
    assert (again.handling.acknowledged.by, again.handling.acknowledged.level) == ("Bình", 3)


@pytest.mark.parametrize(("level", "stays"), [(1, True), (2, True), (3, False)])
@pytest.mark.parametrize("state", ["shelved", "cancelled"])
def test_a_higher_level_ends_a_shelving_and_a_cancellation(state: str, level: int, stays: bool) -> None:
    story = at(STATES[state], K.ESCALATED, level)
    assert (story.hidden or story.handling.shelved is not None) is stays


def test_a_cancelled_alert_stays_cancelled_after_its_condition_has_ended() -> None:
    story = at(STATES["cancelled"], K.CLEARED, 2)
    assert story.hidden
    assert not story.open


@pytest.mark.parametrize(("level", "void"), [(1, False), (2, False), (3, True)])
def test_a_higher_level_voids_what_was_approved_for_a_lower_one(level: int, void: bool) -> None:
    story = at(after(OPEN, WORDS[K.APPROVED]), K.ESCALATED, level)
    assert story.handling.approval is not None
    assert (story.handling.approval.text, story.handling.approval.void) == (LEAVE, void)
    assert at(story, K.LOWERED, 1).handling.approval == story.handling.approval  # a void text stays void


def test_the_end_and_a_cancellation_void_what_was_approved_but_an_all_clear_stands() -> None:
    signed = after(OPEN, WORDS[K.APPROVED])
    for over in (at(signed, K.CLEARED, 2), after(signed, WORDS[K.CANCELLED])):
        assert over.handling.approval is not None
        assert over.handling.approval.void
    clear = after(at(signed, K.CLEARED, 2), Action(K.APPROVED, "An", text=CLEAR))
    assert clear.handling.approval is not None
    assert not clear.handling.approval.void


def test_a_new_text_takes_the_place_of_the_old() -> None:
    avoid = Approval(("Avoid",), "Không lội qua suối.", "Do not wade through streams.")
    twice = after(OPEN, WORDS[K.APPROVED], Action(K.APPROVED, "Bình", text=avoid))
    assert twice.handling.approval is not None
    assert (twice.handling.approval.by, twice.handling.approval.text) == ("Bình", avoid)


@pytest.mark.parametrize("change", [{"shadow": True}, {"rule_kind": "self"}])
def test_nothing_is_signed_for_an_alert_of_which_the_public_is_never_told(change: dict[str, object]) -> None:
    story = told(msgspec.structs.replace(happening(1), **change))
    with pytest.raises(Refused):
        decide(story, WORDS[K.APPROVED], NOW)


def unanswered(story: Story, to: str) -> Story:
    event = msgspec.structs.replace(said(story, K.UNANSWERED, NOW), told_to=(to,))
    following = follow(story, NumberedEvent(99, NOW, event))
    assert following is not None
    return following


def test_what_nobody_has_answered_counts_no_version_and_lasts_until_somebody_does() -> None:
    waiting = unanswered(unanswered(OPEN, "chief"), "*")
    assert waiting.handling.unanswered == (Unanswered(NOW, ("chief",)), Unanswered(NOW, ("*",)))
    assert waiting.handling.version == 0  # who saw it before acts on what he saw
    for kind in (K.COMMENTED, K.ASSIGNED):
        assert after(waiting, WORDS[kind]).handling.unanswered
    for kind in (K.ACKNOWLEDGED, K.SHELVED, K.CANCELLED):
        assert not after(waiting, WORDS[kind]).handling.unanswered


def test_what_a_handover_releases_is_nobodys() -> None:
    event = released(STATES["assigned"], "Chi", NOW)
    assert (event.by, event.assigned_to, event.reason) == ("Chi", "", "handover")
    free = follow(STATES["assigned"], NumberedEvent(99, NOW, event))
    assert free is not None
    assert (free.handling.assigned_to, free.handling.version) == ("", 2)


def test_a_shelving_is_over_when_its_time_is() -> None:
    shelved = STATES["shelved"]
    assert shelved.shelved_at(NOW + 1799 * SECOND)
    assert not shelved.shelved_at(NOW + 1800 * SECOND)
    over = follow(shelved, NumberedEvent(9, NOW, shelving_ended(shelved, NOW + 1800 * SECOND)))
    assert over is not None
    assert (over.handling.shelved, over.handling.version) == (None, 2)


@pytest.mark.parametrize("kind", [K.LATE, K.REVISED])
def test_what_is_for_the_record_changes_neither_condition_nor_handling(kind: EventKind) -> None:
    assert at(STATES["shelved"], kind, 3) == STATES["shelved"]
    assert follow(None, NumberedEvent(1, NOW, happening(1, kind=kind))) is None


def test_an_event_of_people_tells_the_condition_as_it_stood_and_has_an_id_of_its_own() -> None:
    first = decide(OPEN, WORDS[K.COMMENTED], NOW)
    second = decide(after(OPEN, WORDS[K.COMMENTED]), WORDS[K.COMMENTED], NOW)
    assert (first.level, first.level_name, first.by) == (2, "BĐ II", "An")
    assert len({OPEN.event.event_id, first.event_id, second.event_id}) == 3
    assert first == decide(OPEN, WORDS[K.COMMENTED], NOW)


def test_a_cancellation_says_from_which_level() -> None:
    event = decide(OPEN, WORDS[K.CANCELLED], NOW)
    assert (event.level, event.level_name, event.previous_level) == (0, "", 2)
    assert STATES["cancelled"].level == 2  # the engine's condition stands


class Handlings(RuleBasedStateMachine):
    """Engine and people in any order, against what the table of transitions says in plain words."""

    @initialize(level=st.integers(1, 3))
    def opens(self, level: int) -> None:
        self.now = NOW
        self.events = [NumberedEvent(1, NOW, happening(1, level=level))]
        self.level, self.version = level, 0
        self.ack: tuple[int, Until] | None = None
        self.shelved: int | None = None
        self.cancelled: int | None = None
        self.approved: tuple[int, bool] | None = None

    @property
    def story(self) -> Story:
        (story,) = stories(self.events).values()
        return story

    def _append(self, event: Event) -> None:
        self.now += SECOND
        self.events.append(NumberedEvent(len(self.events) + 1, self.now, event))

    @precondition(lambda self: self.level > 0)
    @rule(level=st.integers(0, 3))
    def moves(self, level: int) -> None:
        kind = K.CLEARED if level == 0 else K.ESCALATED if level > self.level else K.LOWERED
        self._append(happening(len(self.events) + 1, kind=kind, level=max(level, 1)))
        self.level = level
        if self.ack and self.ack[1] is Until.WORSE and level > self.ack[0]:
            self.ack = None
        if self.shelved is not None and not 0 < level <= self.shelved:
            self.shelved = None
        if self.cancelled is not None and level > self.cancelled:
            self.cancelled = None
        if self.approved and not 0 < level <= self.approved[0]:
            self.approved = self.approved[0], True

    @precondition(lambda self: self.level > 0)
    @rule()
    def goes_unanswered(self) -> None:
        event = said(self.story, K.UNANSWERED, self.now)
        identity = str(uuid.uuid5(uuid.NAMESPACE_OID, f"step {len(self.events)}"))
        self._append(msgspec.structs.replace(event, event_id=identity, told_to=("*",)))

    @rule(
        kind=st.sampled_from(sorted(WORDS)), until=st.sampled_from(Until), to=st.sampled_from(["An", "Bình"])
    )
    def acts(self, kind: EventKind, until: Until, to: str) -> None:
        known = WORDS[kind]
        action = Action(
            kind, known.by, known.comment, to if kind is K.ASSIGNED else "", until, known.shelve_s, known.text
        )
        closed = kind is not K.COMMENTED and (self.level == 0 or self.cancelled is not None)
        try:
            event = decide(self.story, action, self.now)
        except Refused:
            again = kind is K.ACKNOWLEDGED and self.ack is not None
            assert closed or again or kind is K.ASSIGNED or (kind is K.UNSHELVED and self.shelved is None)
            return
        assert not closed
        self._append(event)
        self.version += 1
        if kind is K.ACKNOWLEDGED:
            self.ack = (self.level, until)
        elif kind is K.SHELVED:
            self.shelved = self.level
        elif kind is K.UNSHELVED:
            self.shelved = None
        elif kind is K.CANCELLED:
            self.cancelled, self.shelved = self.level, None
            self.approved = self.approved and (self.approved[0], True)
        elif kind is K.APPROVED:
            self.approved = self.level, False

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "events"):
            return
        handling: Handling = self.story.handling
        found = handling.acknowledged, handling.shelved, handling.cancelled
        assert (found[0] and (found[0].level, found[0].until)) == self.ack
        assert (found[1] and found[1].level) == self.shelved
        assert (found[2] and found[2].level) == self.cancelled
        text = handling.approval
        assert (text and (text.level, text.void)) == self.approved
        assert handling.version == self.version == sum(counts(each.event) for each in self.events)
        assert self.story.level == self.level
        assert len({each.event.event_id for each in self.events}) == len(self.events)


Handlings.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
test_any_order_of_engine_and_people = Handlings.TestCase
