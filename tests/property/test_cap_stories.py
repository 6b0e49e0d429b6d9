"""Laws of CAP messages, over random lives of alerts: levels, people, time, clocks, lost data and settings."""

from __future__ import annotations

import random
from dataclasses import replace

from alerts.cap import document
from alerts.cap.document import children, text, texts
from alerts.cap.hazard import APPROVED_ONLY, Response
from alerts.cap.lint import errors
from alerts.cap.message import RENEW_AFTER, Issuer, Message
from alerts.cap.schema import shape_faults
from alerts.model import Approval, EventKind, Severity
from ingest.config_model import Text
from tests.support.cap import ISSUER, Life, kim_long
from tests.support.feed import HOUR, MINUTE

K = EventKind
LIVES, STEPS = 150, 25
PEOPLE = [K.ACKNOWLEDGED, K.ASSIGNED, K.COMMENTED, K.SHELVED, K.UNSHELVED, K.CANCELLED, K.APPROVED]
APPROVALS = [
    Approval(("Evacuate",), "Di dời.", "Leave."),
    Approval(("Shelter", "Avoid"), "Ở trong nhà.", "Stay indoors."),
    Approval(("AllClear",), "Đã an toàn.", "All is clear."),
    Approval(("Prepare",), "Chuẩn bị <ngay> &amp; nhanh.", ""),
]
PROPOSALS = {Severity.SEVERE: Text(vi="Kê cao tài sản.", en="Raise your belongings.")}


def issuer(dice: random.Random) -> Issuer:
    return replace(ISSUER, public=dice.random() < 0.3, proposals=dice.choice([{}, PROPOSALS]))


class Random:
    """One life: a step at a time, with what it did."""

    def __init__(self, dice: random.Random, name: str) -> None:
        self._dice = dice
        self.life = Life(issuer(dice), kim_long(area=dice.random() < 0.5), name)
        self.life.step(K.RAISED, dice.randint(1, 3), nature=dice.choice(["Actual", "Exercise", "Test"]))
        self.nature = self.life.events[0].event.nature

    def step(self) -> Message | None:
        """One event or renewal, after some time, which may run backwards by a little."""
        dice, life = self._dice, self.life
        life.wait(dice.choice([0, 300_000, MINUTE, HOUR, 3 * HOUR, 9 * HOUR, -MINUTE]))
        assert life.story is not None
        level = life.story.level
        if level and dice.random() < 0.4:
            approval = dice.choice(APPROVALS)
            kind = dice.choice(PEOPLE)
            return life.people(kind, approval if kind is K.APPROVED else None)
        to = dice.choice([level, 0, 1, 2, 3, 4])
        if not level:
            return life.people(K.APPROVED, dice.choice(APPROVALS)) if dice.random() < 0.3 else None
        kind = K.REMINDED if to == level else K.ESCALATED if to > level else K.LOWERED if to else K.CLEARED
        if kind is K.REMINDED and dice.random() < 0.2:
            kind = K.REVISED
        verified = dice.random() < 0.8
        event = life.event(kind, to, nature=self.nature, verified=verified)
        return life.tell(event, unseen=dice.random() < 0.2)


def holds(life: Life, message: Message) -> None:
    """Every law of one message, given those before it."""
    alert = document.read(document.written(document.laid_out(document.build(message))))
    assert shape_faults(alert) == []
    assert errors(alert) == []
    earlier = [one for one in life.issued if one.number < message.number]
    unexpired = [one for one in earlier if one.expires > message.sent]
    assert text(alert, "references").split() == [one.triplet for one in unexpired]
    assert (text(alert, "msgType") == "Alert") == (not unexpired)
    assert all(one.sent <= message.sent < message.expires for one in earlier)
    assert message.issued.renew_at < message.expires
    assert message.issued.renew_at - message.sent == round(RENEW_AFTER * (message.expires - message.sent))
    assert [text(info, "language") for info in children(alert, "info")] == ["vi-VN", "en-US"]
    if any(one.public for one in unexpired):
        assert text(alert, "scope") == "Public"
    approves(life, message, alert)


def approves(life: Life, message: Message, alert: document.Element) -> None:
    """Nothing that tells people to act goes out unapproved, but to agencies."""
    given = [each.event.approval for each in life.events if each.event.approval is not None]
    named = {response for approval in given for response in approval.response}
    for info in children(alert, "info"):
        responses = {Response(each) for each in texts(info, "responseType")}
        assert {each.value for each in responses & APPROVED_ONLY} <= named
        if text(info, "instruction") and text(alert, "scope") == "Public":
            assert given
    if Response.ALL_CLEAR in message.assessment.response:
        seqs = [each.seq for each in life.events if each.event.approval is not None]
        approved = life.events[seqs[-1] - 1].event
        since = [each.event.level for each in life.events[seqs[-1] :]]
        assert max([approved.level, *since]) == approved.level


def test_every_message_of_any_life_keeps_the_laws(seed: str) -> None:
    dice = random.Random(seed)
    made = {"Alert": 0, "Update": 0, "Cancel": 0}
    for number in range(LIVES):
        life = Random(dice, str(number))
        holds(life.life, life.life.messages[0])
        for _ in range(STEPS):
            message = life.step()
            if message is not None:
                holds(life.life, message)
                made[message.kind] += 1
        assert len({one.identifier for one in life.life.messages}) == len(life.life.messages)
    assert min(made.values()) > 20, made


def test_a_life_makes_the_same_messages_whenever_it_is_told_again(seed: str) -> None:
    for number in range(20):
        first, again = (Random(random.Random(f"{seed}{number}"), "1") for _ in range(2))
        for _ in range(STEPS):
            assert first.step() == again.step()
