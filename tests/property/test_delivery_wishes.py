"""Laws of delivery with filters, over random lives of alerts: nobody hears the end of what they never heard,
nobody who heard misses an end, who is called hears the rest, and nothing depends on how events are cut."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.delivery_plan import ENDED, Past, Step, Waiting, is_old, plan, tells_condition, through
from alerts.handling import Story, follow, of_people
from alerts.model import Event, EventKind, NumberedEvent, Severity
from alerts.receivers.wants import EVERYBODY, Wants, Wishes, area_of
from alerts.suppression import Cause, Limits
from tests.support.feed import KIMLONG, MINUTE, NOW, PHUOC, catalogue, happening

K = EventKind
CITY = catalogue()
RULES = ("river-level", "river-rate")
NAME = "duty"
LIMITS = Limits(storm_first=1_000, flap_openings=1_000)  # their laws are told elsewhere
CHANGES = [K.ESCALATED, K.LOWERED, K.REMINDED, K.REMINDED, K.CLEARED, K.REVISED, K.LATE]
PEOPLE = [K.COMMENTED, K.ACKNOWLEDGED, K.UNANSWERED]

wants = st.builds(
    Wants,
    severity=st.sampled_from([None, Severity.MODERATE, Severity.SEVERE]),
    stations=st.sampled_from([None, None, (KIMLONG,), (PHUOC,)]),
    rivers=st.sampled_from([None, None, ("sông Bồ",), ("Hương River",)]),
    rules=st.sampled_from([None, None, ("river-level",)]),
    kinds=st.sampled_from([None, None, (K.RAISED, K.CLEARED), (K.CLEARED,), (K.ESCALATED, K.REMINDED)]),
    unanswered_only=st.sampled_from([False, False, False, True]),
)


@st.composite
def lives(draw: st.DrawFn) -> list[NumberedEvent]:
    """Alerts that rise, change, end and come again at two stations, and people who act on them."""
    levels: dict[tuple[str, str], int] = {}
    alerts: dict[tuple[str, str], int] = {}
    events: list[Event] = []
    for number in range(draw(st.integers(1, 25))):
        pair = draw(st.sampled_from([KIMLONG, PHUOC])), draw(st.sampled_from(RULES))
        level = levels.get(pair, 0)
        kind = draw(st.sampled_from([*CHANGES, *PEOPLE])) if level else K.RAISED
        if kind is K.RAISED:
            alerts[pair] = number
        after = 0 if kind is K.CLEARED else draw(st.integers(1, 3)) if kind in _LEVELS else level
        levels[pair] = after
        to = draw(st.sampled_from([(NAME,), ("other",), (EVERYBODY,)])) if kind is K.UNANSWERED else ()
        event = happening(
            number,
            alert=f"{pair} {alerts[pair]}",
            kind=kind,
            level=max(after, 1),
            time=NOW + number * draw(st.integers(1, 30)) * MINUTE,
            station=pair[0],
            rule=pair[1],
            late_s=0.0 if kind in PEOPLE else draw(st.sampled_from([0.0, 0.0, 0.0, 3600.0])),
        )
        by = "An" if kind in (K.COMMENTED, K.ACKNOWLEDGED) else ""
        reason = "until worse" if kind is K.ACKNOWLEDGED else ""
        events.append(msgspec.structs.replace(event, told_to=to, by=by, reason=reason))
    return [NumberedEvent(seq, NOW + seq, event) for seq, event in enumerate(events, start=1)]


_LEVELS = (K.RAISED, K.ESCALATED, K.LOWERED)


@dataclass
class Ledger:
    """What a database would know of one receiver, folded without the plan."""

    told: set[str] = field(default_factory=set)
    past: Past = field(default_factory=Past)
    stories: dict[str, Story] = field(default_factory=dict)

    def take(self, events: Sequence[NumberedEvent], steps: Sequence[Step]) -> None:
        followed, called = set(self.past.followed), set(self.past.called)
        hushed, reminders = dict(self.past.hushed), list(self.past.reminders)
        for numbered, step in zip(events, steps, strict=False):
            event = numbered.event
            story = follow(self.stories.get(event.alert_id), numbered)
            if story:
                self.stories[event.alert_id] = story
            recorded = step.notice or step.suppressed or step.superseded_by
            calls = event.kind is K.UNANSWERED and not {NAME, EVERYBODY}.isdisjoint(event.told_to)
            if recorded and tells_condition(event):
                followed.add(event.alert_id)
            if step.notice and (tells_condition(event) or calls):
                self.told.add(event.alert_id)
            if calls:
                called.add(event.alert_id)
            if step.suppressed:
                hushed[event.alert_id] = step.suppressed
            if event.kind is K.REMINDED and (step.notice or step.suppressed is not None):
                digested = step.suppressed is not None and step.suppressed.cause is Cause.DIGEST
                if step.notice or digested:
                    reminders.append((numbered, step.notice is not None))
        self.past = replace(
            self.past,
            stories=dict(self.stories),
            followed=followed,
            called=called,
            hushed=hushed,
            reminders=reminders,
        )


def delivered(life: Sequence[NumberedEvent], wishes: Wishes, sizes: Iterable[int]) -> list[Step]:
    """Every event's step, taken so many at a time."""
    ledger, steps, left, cuts = Ledger(), [], list(life), iter(sizes)
    while left:
        since = Waiting({one.seq: 0.0 for one in left}, {one.event.alert_id: 0.0 for one in left})
        found = plan(
            left,
            since,
            60.0,
            draining=False,
            told=ledger.told,
            wishes=wishes,
            past=ledger.past,
            limits=LIMITS,
        )
        taken = found.steps[: through(found.steps, next(cuts))]
        ledger.take(left, taken)
        steps += taken
        left = left[len(taken) :]
    return steps


def speaks(story: Story) -> bool:
    known = story.handling.acknowledged
    return story.open and (known is None or story.level > known.level)


def wishing(chosen: Wants, digest_s: float | None = None) -> Wishes:
    return Wishes(NAME, {"Exercise"}, chosen.of(CITY), digest_s, area_of(CITY))


def lot(step: Step) -> tuple[int, str]:
    if step.notice:
        told = [one.seq for one in step.notice.digest]
        return step.seq, f"silent {step.notice.silent} {told}"
    return step.seq, str(step.suppressed or step.superseded_by)


digests = st.sampled_from([None, 1800.0, 7200.0])


@given(lives(), wants, digests, st.lists(st.integers(1, 5), min_size=40, max_size=40))
def test_the_cut_changes_nothing(
    life: list[NumberedEvent], chosen: Wants, digest_s: float | None, sizes: list[int]
) -> None:
    wishes = wishing(chosen, digest_s)
    fresh = [one for one in life if one.event.detected_at - one.event.event_time == 0]  # none is superseded
    whole = delivered(fresh, wishes, iter(lambda: 1_000, None))
    assert [lot(step) for step in delivered(fresh, wishes, sizes)] == [lot(step) for step in whole]


@given(lives(), wants, digests)
def test_nobody_hears_the_end_of_what_they_never_heard_and_nobody_who_heard_misses_it(
    life: list[NumberedEvent], chosen: Wants, digest_s: float | None
) -> None:
    heard: set[str] = set()
    waiting: dict[str, list[int]] = defaultdict(list)  # of an alert: its events that a newer one speaks for
    for numbered, step in zip(life, delivered(life, wishing(chosen, digest_s), iter([100])), strict=True):
        event = numbered.event
        if step.superseded_by:
            waiting[event.alert_id].append(step.superseded_by)
        ends = event.kind in ENDED and not of_people(event)
        if ends and event.alert_id in heard:
            assert step.notice is not None
            assert not step.notice.silent
        elif ends and step.notice:
            assert (
                numbered.seq in waiting[event.alert_id]
            )  # it speaks for a rise that nobody could be told of
            assert step.notice.silent is is_old(numbered)
        calls = event.kind is K.UNANSWERED and not {NAME, EVERYBODY}.isdisjoint(event.told_to)
        if step.notice and (calls or tells_condition(event)):
            heard.add(event.alert_id)


@given(lives(), wants, digests)
def test_who_is_called_is_told_and_hears_the_rest_of_the_alert(
    life: list[NumberedEvent], chosen: Wants, digest_s: float | None
) -> None:
    called: set[str] = set()
    for numbered, step in zip(life, delivered(life, wishing(chosen, digest_s), iter([100])), strict=True):
        event = numbered.event
        if event.kind is K.UNANSWERED and not {NAME, EVERYBODY}.isdisjoint(event.told_to):
            assert step.notice is not None
            assert not step.notice.silent
            called.add(event.alert_id)
        elif event.alert_id in called:
            assert step.notice or step.suppressed or step.superseded_by


@given(lives(), wants)
def test_what_the_filter_lets_pass_is_told_as_without_a_filter_and_nothing_else_begins(
    life: list[NumberedEvent], chosen: Wants
) -> None:
    wanted = chosen.of(CITY)
    followed: set[str] = set()
    for numbered, step in zip(life, delivered(life, wishing(chosen), iter([100])), strict=True):
        event = numbered.event
        lotted = step.notice or step.suppressed or step.superseded_by
        if wanted(event) and event.kind not in ENDED:
            assert lotted
            followed.add(event.alert_id)
        elif event.kind is K.UNANSWERED:
            followed |= {event.alert_id} if lotted else set()
        elif event.alert_id not in followed:
            assert not lotted


@given(lives(), st.sampled_from([1800.0, 7200.0]))
def test_every_reminder_that_waits_is_listed_by_the_next_unless_its_alert_has_ended(
    life: list[NumberedEvent], digest_s: float
) -> None:
    area = area_of(CITY)
    steps = delivered(life, wishing(Wants(), digest_s), iter([100]))
    ledger, waiting, last = Ledger(), defaultdict(dict), {}
    for numbered, step in zip(life, steps, strict=True):
        event, place = numbered.event, area(numbered.event)
        ledger.take([numbered], [step])
        if event.kind is not K.REMINDED:
            continue
        if step.suppressed and step.suppressed.cause is Cause.DIGEST:
            assert event.detected_at - last[place] < digest_s * 1_000_000
            waiting[place][event.alert_id] = numbered.seq
        elif step.notice:
            waiting[place][event.alert_id] = numbered.seq
            stand = sorted(seq for alert, seq in waiting.pop(place).items() if speaks(ledger.stories[alert]))
            assert [one.seq for one in step.notice.digest] == (stand if len(stand) > 1 else [])
            last[place] = event.detected_at
