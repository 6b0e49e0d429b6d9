"""The ladder of a severe alert that nobody acknowledges: timelines with a clock passed in, and its law."""

import random
from collections.abc import Callable, Iterable, Sequence

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from alerts.handling import Action, Story, Until, decide, shelving_ended, stories
from alerts.model import Event, EventKind, NumberedEvent, Severity
from alerts.receivers.book import Escalation
from alerts.suppression import MAINTENANCE_ENDED, Silence
from alerts.unanswered import Call, call_of, is_spoken_for, quiet_until, step
from ingest.store.maintenance import Window
from tests.support.feed import KIMLONG, NOW, happening

K = EventKind
SECOND = 1_000_000
MINUTE = 60 * SECOND
LADDER = Escalation(after=300.0, steps=(("shift-leader",), ("chief", "deputy")))
ALL_STEPS = [("shift-leader",), ("chief", "deputy"), ("*",)]


class Play:
    """One alert's events as the database takes them, and looks at it in between; times in seconds."""

    def __init__(self, escalation: Escalation = LADDER) -> None:
        self.escalation = escalation
        self.events: list[NumberedEvent] = []
        self.windows: list[Window] = []
        self.silences: list[Silence] = []
        self._folded: tuple[int, Call | None] = 0, None

    @property
    def story(self) -> Story:
        (story,) = stories(self.events).values()
        return story

    def takes(self, at: float, event: Event) -> None:
        self.events.append(NumberedEvent(len(self.events) + 1, NOW + round(at * SECOND), event))

    def tells(self, at: float, kind: EventKind, rank: int, /, **more: object) -> None:
        event = happening(len(self.events) + 1, kind=kind, level=rank)
        self.takes(at, msgspec.structs.replace(event, **more))

    def does(self, at: float, kind: EventKind, **more: object) -> None:
        now = NOW + round(at * SECOND)
        self.takes(at, decide(self.story, Action(kind, "An", **more), now))  # type: ignore[arg-type]

    def looks(self, at: float) -> None:
        """What `unanswered_store` does in its turn."""
        now = NOW + round(at * SECOND)
        if self._folded[0] != len(self.events):
            self._folded = len(self.events), call_of(self.events, self.escalation)
        call = self._folded[1]
        if call is None:
            return
        due = call.due(self.escalation, quiet_until(call.story, self.windows, self.silences))
        if due is not None and due <= now:
            self.takes(at, step(call, self.escalation, now))

    def waits(self, since: int, until: int) -> None:
        """A look each second."""
        for at in range(since, until):
            self.looks(at)

    @property
    def steps(self) -> list[tuple[int, tuple[str, ...]]]:
        """When (seconds) it went to whom."""
        return [
            ((one.created_at - NOW) // SECOND, one.event.told_to)
            for one in self.events
            if one.event.kind is K.UNANSWERED
        ]


@pytest.fixture
def play() -> Play:
    severe = Play()
    severe.tells(0, K.RAISED, 3)
    return severe


def test_it_goes_to_the_next_then_to_the_next_then_to_all_and_no_further(play: Play) -> None:
    play.waits(0, 3600)
    assert play.steps == list(zip((300, 600, 900), ALL_STEPS, strict=True))


def test_without_steps_it_goes_to_all_at_once() -> None:
    play = Play(Escalation())
    play.tells(0, K.RAISED, 3)
    play.waits(0, 3600)
    assert play.steps == [(300, ("*",))]


def test_it_counts_from_the_event_that_made_it_severe() -> None:
    play = Play()
    play.tells(0, K.RAISED, 1)
    play.tells(400, K.ESCALATED, 3)
    play.waits(0, 750)
    assert play.steps == [(700, ALL_STEPS[0])]


def test_what_nobody_could_look_at_in_time_still_gives_each_step_its_own_minutes(play: Play) -> None:
    play.waits(3600, 4000)  # no feed was there for an hour
    assert play.steps == [(3600, ALL_STEPS[0]), (3900, ALL_STEPS[1])]


@pytest.mark.parametrize(
    "stop",
    [
        lambda play: play.does(200, K.ACKNOWLEDGED),
        lambda play: play.does(200, K.ACKNOWLEDGED, until=Until.RESOLVED),
        lambda play: play.does(200, K.SHELVED, shelve_s=7200.0),
        lambda play: play.does(200, K.CANCELLED, comment="a boat"),
        lambda play: play.tells(200, K.CLEARED, 3),
        lambda play: play.tells(200, K.LOWERED, 2),
        lambda play: play.tells(200, K.CANCELLED, 3, reason="rule removed"),
    ],
)
@pytest.mark.parametrize("before", [0, 700])
def test_an_answer_or_an_end_stops_it(play: Play, stop: Callable[[Play], None], before: int) -> None:
    play.waits(0, before)
    made = list(play.steps)
    stop(play)
    play.waits(before, 3600)
    assert play.steps == made


@pytest.mark.parametrize(
    ("kind", "more"), [(K.ASSIGNED, {"assign_to": "Bình"}), (K.COMMENTED, {"comment": "seen?"})]
)
def test_a_word_that_is_no_answer_changes_nothing(
    play: Play, kind: EventKind, more: dict[str, object]
) -> None:
    play.does(200, kind, **more)
    play.tells(250, K.REMINDED, 3)
    play.waits(250, 650)
    assert play.steps == [(300, ALL_STEPS[0]), (600, ALL_STEPS[1])]


def test_what_gets_worse_than_was_acknowledged_starts_anew(play: Play) -> None:
    play.waits(0, 400)
    play.does(400, K.ACKNOWLEDGED)
    extreme = {"level": 4, "level_name": "BĐ III + 0.5", "severity": Severity.EXTREME}
    play.tells(1000, K.ESCALATED, 3, **extreme)
    play.waits(1000, 1350)
    assert play.steps == [(300, ALL_STEPS[0]), (1300, ALL_STEPS[0])]


def test_what_was_acknowledged_until_resolved_and_gets_worse_has_its_answer(play: Play) -> None:
    play.does(100, K.ACKNOWLEDGED, until=Until.RESOLVED)
    play.tells(200, K.ESCALATED, 3, level=4, severity=Severity.EXTREME)
    play.waits(200, 2000)
    assert play.steps == []


def test_a_shelving_that_is_over_starts_it_anew(play: Play) -> None:
    play.waits(0, 700)
    play.does(700, K.SHELVED, shelve_s=600.0)
    play.waits(700, 1302)
    play.takes(1302, shelving_ended(play.story, NOW + 1302 * SECOND))
    play.waits(1302, 1700)
    assert play.steps == [(300, ALL_STEPS[0]), (600, ALL_STEPS[1]), (1602, ALL_STEPS[0])]


def window(begins: int, ends: int, key: str = f"{KIMLONG}/water_level") -> Window:
    begin, end = NOW + begins * SECOND, NOW + ends * SECOND
    return Window(1, KIMLONG, (key,), "An", "cleaning", begin, end, None, False)


def test_while_somebody_works_on_the_sensor_it_waits_and_starts_anew_afterwards(play: Play) -> None:
    play.waits(0, 400)
    play.windows = [window(400, 1000)]
    play.waits(400, 1001)
    play.tells(1001, K.REMINDED, 3, reason=MAINTENANCE_ENDED)
    play.waits(1001, 1350)
    assert play.steps == [(300, ALL_STEPS[0]), (1301, ALL_STEPS[0])]


def test_a_window_over_another_sensor_keeps_nothing_back(play: Play) -> None:
    play.windows = [window(0, 3600, "HUE-WL-OTHER/water_level")]
    play.waits(0, 310)
    assert play.steps == [(300, ALL_STEPS[0])]


@pytest.mark.parametrize(("rule", "first"), [("river-level", 900), (None, 300)])
def test_a_silence_that_covers_it_keeps_it_back(play: Play, rule: str | None, first: int) -> None:
    """One that does not name rule and station does not cover what is severe."""
    play.silences = [Silence(1, rule, KIMLONG, None, "An", "works", NOW, NOW + 600 * SECOND)]
    play.waits(0, 1000)
    assert next(at for at, _ in play.steps) == first


@pytest.mark.parametrize(
    ("level", "more", "calls"),
    [
        (2, {}, False),
        (3, {"shadow": True}, False),
        (1, {"severity": Severity.UNKNOWN, "rule_kind": "self", "station": "", "target": "@sight"}, True),
        (1, {"severity": Severity.EXTREME}, True),
    ],
)
def test_which_alerts_call(level: int, more: dict[str, object], calls: bool) -> None:
    play = Play()
    play.tells(0, K.RAISED, level, **more)
    play.waits(0, 310)
    assert bool(play.steps) is calls


@pytest.mark.parametrize(("least", "calls"), [(Severity.MODERATE, True), (Severity.SEVERE, False)])
def test_the_city_may_begin_at_another_severity(least: Severity, calls: bool) -> None:
    play = Play(Escalation(severity=least))
    play.tells(0, K.RAISED, 2)
    play.waits(0, 310)
    assert bool(play.steps) is calls


@pytest.mark.parametrize(("level", "spoken"), [(3, True), (2, False)])
def test_what_a_severe_level_speaks_for_has_no_ladder_of_its_own(level: int, spoken: bool) -> None:
    beside, rate = Play(), Play()
    beside.tells(0, K.RAISED, level)
    rate.tells(0, K.RAISED, 3, alert_id="other", rule_kind="rate")
    assert is_spoken_for(rate.story, [beside.story, rate.story], LADDER) is spoken


# -- the law: whoever looks and however often, the events are the same

ACTS = st.sampled_from(["escalates", "lowers", "clears", "acknowledges", "comments", "shelves", "unshelves"])
DEEDS = st.lists(st.tuples(st.integers(1, 3000), ACTS), max_size=8).map(sorted)
LOOKS = st.lists(st.integers(0, 3600), min_size=1, max_size=60).map(sorted)


def act(play: Play, at: int, what: str) -> None:
    level = play.story.level
    if level == 0:
        return
    if what in ("escalates", "lowers", "clears"):
        kind, to = {"escalates": (K.ESCALATED, 3), "lowers": (K.LOWERED, 2), "clears": (K.CLEARED, level)}[
            what
        ]
        play.tells(at, kind, to)
    elif what == "acknowledges" and play.story.handling.acknowledged is None:
        play.does(at, K.ACKNOWLEDGED)
    elif what == "comments":
        play.does(at, K.COMMENTED, comment="noted")
    elif what == "shelves":
        play.does(at, K.SHELVED, shelve_s=7200.0)
    elif what == "unshelves" and play.story.handling.shelved:
        play.does(at, K.UNSHELVED)


def played(deeds: Sequence[tuple[int, str]], looks: Iterable[int]) -> Play:
    """The alert, with every deed and every look in the order of their times; a deed comes first."""
    play = Play()
    play.tells(0, K.RAISED, 3)
    for at, what in sorted([*deeds, *((at, "~looks") for at in looks)]):
        if what == "~looks":
            play.looks(at)
        else:
            act(play, at, what)
    return play


@given(DEEDS, LOOKS, st.integers(2, 5), st.integers())
def test_the_events_are_the_same_however_many_look_and_how_often(
    deeds: list[tuple[int, str]], looks: list[int], feeds: int, chance: int
) -> None:
    """Each look is repeated by some of several feeds, in any order: they hold no state that could differ."""
    dice = random.Random(chance)
    repeated = [at for at in looks for _ in range(dice.randint(1, feeds))]
    once, often = played(deeds, looks), played(deeds, repeated)
    assert [one.event for one in once.events] == [one.event for one in often.events]


@given(DEEDS)
def test_looked_at_each_second_every_step_is_at_its_time(
    deeds: list[tuple[int, str]],
) -> None:
    play = played(deeds, range(3600))
    ids = [one.event.event_id for one in play.events]
    assert len(set(ids)) == len(ids)
    for place, one in enumerate(play.events):
        if one.event.kind is K.UNANSWERED:
            call = call_of(play.events[:place], LADDER)
            assert call is not None
            assert call.due(LADDER) == one.created_at  # every time here is a whole second
    final = call_of(play.events, LADDER)
    if final is not None and (due := final.due(LADDER)) is not None:
        assert due > NOW + 3599 * SECOND


@given(DEEDS)
def test_no_step_is_taken_while_somebody_has_answered(deeds: list[tuple[int, str]]) -> None:
    play = played(deeds, range(3600))
    for place, one in enumerate(play.events):
        if one.event.kind is K.UNANSWERED:
            (story,) = stories(play.events[:place]).values()
            assert story.open
            assert story.handling.acknowledged is story.handling.shelved is None
