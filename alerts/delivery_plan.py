"""What becomes of the events that a receiver has not got yet. Pure: the times are arguments.

A fresh event goes at once. An *old* one (decided long after it became true: a backlog drains) is superseded
as soon as a later event of its alert waits too; as the newest of its alert it settles first, for as long as
more may follow. A rise and fall missed entirely is one silent entry. What `alerts.suppression` keeps back is
settled with its cause. The end of an alert is told to whoever was told of the alert, and to nobody else.
Of many openings at once the first few go one by one; the rest is collected and told as one digest, by the
last of them. Sequence order is kept, so what settles or is collected holds the events behind it: for
`LONGEST_S`, or until something comes that must not wait.

A receiver's filter (`Wishes`) chooses alerts by their events. Once it has let an event of an alert pass, all
that changes the alert is the receiver's too; once an unanswered alert has come to it, everything of that
alert is. An end alone is no reason to hear of an alert. To people reminders of one area go together: the
first is told, those within an interval after it wait for the next, which lists them. The daily test goes to
all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from alerts.handling import FOR_THE_RECORD, Story, follow, of_people
from alerts.model import Event, EventKind, NumberedEvent
from alerts.receivers import Notice
from alerts.receivers.wants import Wishes
from alerts.reminder_rounds import Rounds
from alerts.suppression import (
    Cause,
    Limits,
    Scene,
    Silence,
    Suppression,
    Turns,
    flaps,
    groupable,
    is_loud,
    suppressed,
    urgent,
)
from ingest.clock import MICROS_PER_SECOND
from ingest.store.maintenance import Window

OLD_AFTER_S = 600  # two samples of a 5-minute station: less is the ordinary way of confirmation
SETTLE_S = 1.0
LONGEST_S = 3.0  # leaves 2 of the 5 seconds in which a passed level is told after an outage

ENDED = frozenset({EventKind.CLEARED, EventKind.CANCELLED})
# An end is told all the same to who was told of the alert: hearing nothing more, they would go on waiting.
YIELD_TO_AN_END = frozenset({Cause.SHELVED, Cause.SILENCE, Cause.SPOKEN_FOR})

Pair = tuple[str, str]  # rule, target


@dataclass(frozen=True, slots=True)
class Step:
    """One event's lot: a notice to deliver, the number of what superseded it, or what suppressed it.

    None of these: the receiver does not take events of this nature or does not want this one, and the cursor
    passes. `keep`: how the alert stands after it, where that is the newest of its (rule, target), for
    receivers that keep states; their filter is for what is told. `error`: why some or all of those behind the
    receiver did not take the notice, and `failed`: nobody did.
    """

    seq: int
    notice: Notice | None = None
    superseded_by: int | None = None
    suppressed: Suppression | None = None
    keep: Story | None = None
    error: str = ""
    failed: bool = False

    @property
    def digest(self) -> int | None:
        """The number of the event whose digest speaks for this one."""
        grouped = self.suppressed is not None and self.suppressed.cause is Cause.STORM
        return int(self.suppressed.reference) if self.suppressed and grouped else None


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order; `wait_s` is set when the event after them settles."""

    steps: tuple[Step, ...]
    wait_s: float | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Since when (monotonic seconds) each event number and each alert id has been waiting."""

    event: Mapping[int, float]
    alert: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Past:
    """What was there before the waiting events.

    `stories`: of their alerts, and of what is open at their stations. `hushed`:
    what has suppressed the newest event of an alert. `turns`: how their (rule, target)s have opened and
    closed. `crowd`: the openings of which the receiver was told lately, by (rule, target).
    `followed`: alerts of which the receiver's filter has let an event pass. `called`: those that have come to
    it unanswered. `reminders`: the newest, in order, each with whether it was told or waits for a digest.
    """

    stories: Mapping[str, Story] = field(default_factory=dict)
    hushed: Mapping[str, Suppression] = field(default_factory=dict)
    turns: Mapping[Pair, Turns] = field(default_factory=dict)
    crowd: Mapping[Pair, int] = field(default_factory=dict)
    windows: Sequence[Window] = ()
    silences: Sequence[Silence] = ()
    followed: Collection[str] = ()
    called: Collection[str] = ()
    reminders: Sequence[tuple[NumberedEvent, bool]] = ()


@dataclass(slots=True)
class _Lot:
    numbered: NumberedEvent
    step: Step
    grouped: bool = False


def plan(
    pending: Sequence[NumberedEvent],
    waiting: Waiting,
    now: float,
    *,
    draining: bool,
    told: Collection[str],
    wishes: Wishes,
    past: Past | None = None,
    limits: Limits | None = None,
) -> Plan:
    """Steps for `pending`, in sequence order.

    `draining`: more old events may follow. `told`: ids of alerts of which the receiver has heard before.
    """
    limits = limits or Limits()
    lots = list(_Reading(past or Past(), told, wishes, limits).lots(pending))
    steps: list[Step] = []
    place = 0
    while place < len(lots):
        end, wait_s = place + 1, 0.0
        if lots[place].grouped:
            end, wait_s = _extent(lots, place, waiting, now, limits)
        wait_s = max([wait_s, *(_settling(lot, waiting, now, draining) for lot in lots[place:end])])
        if wait_s > 0:
            return Plan(tuple(steps), wait_s)
        steps += _digested(lots[place:end])
        place = end
    return Plan(tuple(steps), None)


def through(steps: Sequence[Step], most: int) -> int:
    """How many steps to take for `most`: no digest is parted from the openings that it tells."""
    spoken = max((step.digest or 0 for step in steps[:most]), default=0)
    return max(most, sum(step.seq <= spoken for step in steps))


def settled(done: Sequence[Step]) -> Sequence[Step]:
    """Those of the first steps of a plan that may be recorded: no opening before its digest is told."""
    seqs = {step.seq for step in done}
    cut = (at for at, step in enumerate(done) if step.digest is not None and step.digest not in seqs)
    return done[: next(cut, len(done))]


def is_old(numbered: NumberedEvent) -> bool:
    """Whether the event was decided long after it became true."""
    event = numbered.event
    return event.detected_at - event.event_time > OLD_AFTER_S * MICROS_PER_SECOND


class _Reading:
    """The waiting events in order, each with its lot before anything waits or is collected."""

    def __init__(self, past: Past, told: Collection[str], wishes: Wishes, limits: Limits) -> None:
        self._past, self._wishes, self._limits = past, wishes, limits
        self._heard = set(told)
        self._followed = {*past.followed, *told}
        self._called = set(past.called)
        self._rounds = Rounds(wishes, past.reminders)
        self._hushed = dict(past.hushed)
        self._stories = dict(past.stories)
        self._turns = dict(past.turns)
        self._crowd = dict(past.crowd)
        self._current: dict[Pair, str] = {}  # the newest alert of each
        self._at: dict[str, dict[Pair, str]] = {}  # the same by station
        for alert_id, story in sorted(past.stories.items(), key=lambda item: item[1].newest.seq):
            self._stands(alert_id, story.event)

    def lots(self, pending: Sequence[NumberedEvent]) -> Iterator[_Lot]:
        heads = {numbered.event.alert_id: numbered.seq for numbered in pending if _moves(numbered.event)}
        for numbered in pending:
            yield self._lot(numbered, heads.get(numbered.event.alert_id, numbered.seq))

    def _lot(self, numbered: NumberedEvent, head: int) -> _Lot:
        event, seq = numbered.event, numbered.seq
        if event.kind is EventKind.TESTED:
            return _Lot(numbered, Step(seq, Notice(numbered, silent=True)))
        scene = self._scene(numbered)
        if event.nature not in self._wishes.natures:
            return _Lot(numbered, Step(seq))
        keep = scene.after if self._current.get(_pair(event)) == event.alert_id else None
        if not self._concerned(event):
            return _Lot(numbered, Step(seq, keep=keep))
        why = self._kept_back(numbered, scene)
        if why is not None:
            if not of_people(event):
                self._hushed[event.alert_id] = why
            return _Lot(numbered, Step(seq, suppressed=why, keep=keep))
        if is_old(numbered) and seq < head:
            return _Lot(numbered, Step(seq, superseded_by=head))
        why = self._rounds.wait(numbered, self._heard)
        if why is not None:
            return _Lot(numbered, Step(seq, suppressed=why, keep=keep))
        lot = _Lot(numbered, Step(seq, self._notice(numbered, scene), keep=keep), self._crowded(event))
        if tells_condition(event) or self._wishes.called(event):
            self._heard.add(event.alert_id)
        if event.kind is EventKind.RAISED:
            self._crowd[_pair(event)] = event.detected_at
        return lot

    def _scene(self, numbered: NumberedEvent) -> Scene:
        """Take the event into what stands, and look around."""
        event, past = numbered.event, self._past
        before = self._stories.get(event.alert_id)
        after = follow(before, numbered)
        if after is not None:
            self._stories[event.alert_id] = after
        if _moves(event):
            self._stands(event.alert_id, event)
            turns = self._turns.get(_pair(event), Turns())
            self._turns[_pair(event)] = turns.after(event.detected_at, event.level > 0)
        turns = self._turns.get(_pair(event), Turns())
        around = self._at.get(event.station, {}).values()
        beside = [self._stories[alert_id] for alert_id in around if self._follows(alert_id)]
        return Scene(before, after, past.windows, past.silences, beside, turns, self._limits)

    def _stands(self, alert_id: str, event: Event) -> None:
        self._current[_pair(event)] = alert_id
        self._at.setdefault(event.station, {})[_pair(event)] = alert_id

    def _follows(self, alert_id: str) -> bool:
        return alert_id in self._followed or alert_id in self._called

    def _concerned(self, event: Event) -> bool:
        """Whether the receiver is to hear of the event, as far as its filter goes."""
        alert_id = event.alert_id
        if self._wishes.called(event):
            self._called.add(alert_id)
        wanted = self._wishes.wants(event)
        begins = wanted and event.kind not in ENDED
        if begins and tells_condition(event):
            self._followed.add(alert_id)
        known = alert_id in self._followed and (wanted or _binds(event))
        return begins or known or alert_id in self._called

    def _kept_back(self, numbered: NumberedEvent, scene: Scene) -> Suppression | None:
        event, heard = numbered.event, numbered.event.alert_id in self._heard
        why = suppressed(numbered, scene)
        if event.kind not in ENDED or of_people(event):
            return why
        if why is not None:
            return None if heard and why.cause in YIELD_TO_AN_END else why
        return None if heard else self._hushed.get(event.alert_id)

    def _notice(self, numbered: NumberedEvent, scene: Scene) -> Notice:
        event = numbered.event
        missed = event.kind in ENDED and event.alert_id not in self._heard
        silent = missed and is_old(numbered)
        if of_people(event):
            loud = is_loud(numbered, scene) or self._wishes.called(event)
            silent = missed or not loud
        return Notice(
            numbered,
            silent=silent,
            story=scene.after,
            flaps=event.kind is EventKind.RAISED and flaps(scene.turns.opened, self._limits)[1],
            digest=self._rounds.told(numbered, self._stories),
        )

    def _crowded(self, event: Event) -> bool:
        """Whether so many others have opened just before that this opening waits for the digest."""
        if not groupable(event):
            return False
        since = event.detected_at - round(self._limits.storm_window_s * MICROS_PER_SECOND)
        others = sum(time > since for pair, time in self._crowd.items() if pair != _pair(event))
        return others >= self._limits.storm_first


def _pair(event: Event) -> Pair:
    return event.rule, event.target


def tells_condition(event: Event) -> bool:
    """Whether it tells how a condition stands: no person's word, nothing for the record alone."""
    return not of_people(event) and event.kind not in FOR_THE_RECORD


def _binds(event: Event) -> bool:
    """Whether who follows its alert is told whatever the filter: it changes, or what was told was wrong."""
    return _moves(event) or event.kind in ENDED or event.kind is EventKind.REVISED


def _moves(event: Event) -> bool:
    """Whether it tells another state of the condition than the event before."""
    return tells_condition(event) and event.kind is not EventKind.REMINDED


def _extent(
    lots: Sequence[_Lot], place: int, waiting: Waiting, now: float, limits: Limits
) -> tuple[int, float]:
    """Where the digest that begins here ends, after its last opening, and how long it is collected still."""
    rest = range(place, len(lots))
    stop = next((at for at in rest if lots[at].step.notice and urgent(lots[at].numbered.event)), len(lots))
    end = max(at for at in range(place, stop) if lots[at].grouped) + 1
    if stop < len(lots):
        return end, 0.0
    return end, waiting.event[lots[place].step.seq] + limits.storm_digest_s - now


def _digested(lots: Sequence[_Lot]) -> list[Step]:
    """The steps of lots that go together; of several grouped ones the last tells all."""
    grouped = [lot.numbered for lot in lots if lot.grouped]
    if len(grouped) < 2:
        return [lot.step for lot in lots]
    speaker = grouped[-1].seq
    return [_grouped(lot, grouped, speaker) if lot.grouped else lot.step for lot in lots]


def _grouped(lot: _Lot, grouped: Sequence[NumberedEvent], speaker: int) -> Step:
    step, notice = lot.step, lot.step.notice
    assert notice is not None  # only what is told is grouped
    if step.seq != speaker:
        return Step(step.seq, suppressed=Suppression(Cause.STORM, str(speaker)), keep=step.keep)
    told = replace(notice, digest=tuple(grouped))
    return Step(step.seq, told, keep=step.keep)


def _settling(lot: _Lot, waiting: Waiting, now: float, draining: bool) -> float:
    """Seconds that an old event has to wait still; while a backlog drains, to the limit."""
    numbered = lot.numbered
    if lot.step.notice is None or not is_old(numbered):
        return 0.0
    left = waiting.alert[numbered.event.alert_id] + LONGEST_S - now
    if draining:
        return left
    return min(left, waiting.event[numbered.seq] + SETTLE_S - now)
