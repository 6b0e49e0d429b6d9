"""An issuer, a city and the life of alerts, for the tests of CAP messages."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from alerts.cap.approval import approval_after
from alerts.cap.message import Issued, Issuer, Message, Occasion, compose
from alerts.handling import Story, follow, said
from alerts.model import Approval, Event, EventKind, NumberedEvent, Severity
from ingest.catalog import Area, Station
from ingest.config_model import Text
from tests.support.feed import HOUR, KIMLONG, MINUTE, NOW, happening, river

ISSUER = Issuer(
    sender="ioc@example.vn",
    sender_name=Text(vi="Trung tâm điều hành đô thị thông minh Huế", en="Huế Intelligent Operations Centre"),
    web="https://ioc.example.vn/canh-bao",
    contact="19001075",
    geocode="VN-commune",
    radius_km=2.0,
    renew=3 * HOUR,
)
NAMES = ("", "BĐ I", "BĐ II", "BĐ III", "BĐ III +0,5 m")
LIMITS = (0.0, 1.0, 2.0, 3.5, 4.0)
SEVERITIES = (Severity.MINOR, Severity.MINOR, Severity.MODERATE, Severity.SEVERE, Severity.EXTREME)
RING = ((16.44, 107.54), (16.44, 107.58), (16.47, 107.58), (16.47, 107.54), (16.44, 107.54))


def kim_long(*, area: bool = False) -> Station:
    """The gauge, with an outline and a commune if wanted."""
    station = river(KIMLONG, "Kim Long", "Hương", (1.0, 2.0, 3.5))
    drawn = Area(polygon=RING, communes=("19774",)) if area else None
    return station.model_copy(
        update={"area": drawn, "river": Text(vi="sông Hương", en="Huong River"), "ward": None}
    )


@dataclass
class Life:
    """One alert, its events in order, and the messages that were made of them."""

    issuer: Issuer = ISSUER
    station: Station = field(default_factory=kim_long)
    name: str = "1"
    events: list[NumberedEvent] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    story: Story | None = None
    now: int = NOW

    @property
    def issued(self) -> list[Issued]:
        return [message.issued for message in self.messages]

    def event(self, kind: EventKind, level: int, **changes: Any) -> Event:
        """What the condition tells at the present time."""
        before = self.story.level if self.story else 0
        shown = level or before
        value = round(LIMITS[shown] + 0.08 if level else 0.85, 2)
        event = happening(len(self.events) + 1, alert=self.name, kind=kind, level=1, time=self.now)
        return replace(
            event,
            **{
                "event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.name} {len(self.events)}")),
                "level": level,
                "level_name": NAMES[level],
                "previous_level": before,
                "severity": SEVERITIES[shown],
                "value": value,
                "observed": value,
                "threshold": LIMITS[level] or LIMITS[1],
                "rate_per_hour": 0.10 if level else None,
                "remind": (None, 3 * HOUR, 3 * HOUR, HOUR, HOUR)[level],
            }
            | changes,
        )

    def tell(self, event: Event, *, unseen: bool = False, ago: int = 0) -> Message | None:
        """What becomes of an event now, that the database took so long ago."""
        numbered = NumberedEvent(len(self.events) + 1, self.now - ago, event)
        self.events.append(numbered)
        self.story = follow(self.story, numbered)
        assert self.story is not None
        approved = approval_after(self.events)
        occasion = Occasion(event, numbered.seq, self.story, approved, unseen, numbered.created_at)
        number = len(self.messages) + 1
        message = compose(occasion, self.station, self.issuer, self.issued, number, self.now)
        if message is not None:
            self.messages.append(message)
        return message

    def step(self, kind: EventKind, level: int, **changes: Any) -> Message | None:
        return self.tell(self.event(kind, level, **changes))

    def people(self, kind: EventKind, approval: Approval | None = None) -> Message | None:
        """What people do with the alert; their names and words are theirs."""
        assert self.story is not None
        event = said(
            self.story, kind, self.now, by="An", comment="A boat on the sensor", reason="until worse"
        )
        return self.tell(replace(event, approval=approval))

    def wait(self, time: int) -> None:
        self.now += time


def flood(life: Life) -> Iterator[Message]:
    """BĐ I, II, III, a reminder, down to II and the end."""
    kinds: Sequence[tuple[EventKind, int, int]] = (
        (EventKind.RAISED, 1, 0),
        (EventKind.ESCALATED, 2, 3 * HOUR),
        (EventKind.ESCALATED, 3, 4 * HOUR),
        (EventKind.REMINDED, 3, HOUR),
        (EventKind.LOWERED, 2, 30 * MINUTE),
        (EventKind.CLEARED, 0, 2 * HOUR),
    )
    for kind, level, later in kinds:
        life.wait(later)
        message = life.step(kind, level)
        assert message is not None
        yield message
