"""CAP 1.2 messages, signed with the city's key where there is one, into a store of their own.

One message for each notice of a hazard (`alerts.cap.hazard`); of a storm's digest one for each opening in it.
What people do with an alert makes none, but for an approved text and a cancellation in error. While an alert
stands that was told, an `Update` goes out before its newest message expires, whatever else is quiet: with the
newest reading, or saying that the data are lost. This needs somebody who looks: `report`, every few seconds.

The way to this receiver is its store, and it is unreachable while that is. A message that does not pass shape
and lint, or that cannot be made at all, is a fault of ours: it is logged, counted and noted in the store, the
event counts as delivered, and the next one is made as if it had not been. Nothing is sent half right. Of such
an alert another message is tried after the time in which one would have been renewed.

There is at most one receiver of this kind: messages have one order, and one issuer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from alerts.cap import document
from alerts.cap.hazard import hazard_of
from alerts.cap.lint import errors
from alerts.cap.message import TELLS, Issued, Issuer, Message, Occasion, compose
from alerts.cap.renewal import is_seen, renewal
from alerts.cap.schema import shape_faults
from alerts.cap.signature import Signer, load_signer
from alerts.cap.store import CapStore, Past
from alerts.cap.words import clean
from alerts.feed_metrics import CAP_CERTIFICATE, CAP_FAULTS, CAP_MESSAGES
from alerts.handling import Story
from alerts.model import Event, NumberedEvent, Severity
from alerts.receivers import Notice, ReceiverSettings, Session
from alerts.wire import Json
from ingest.catalog import Catalogue, Station
from ingest.clock import MICROS_PER_SECOND, Clock
from ingest.config_model import Duration, Text

log = logging.getLogger("huewatch.cap")


class CapSettings(ReceiverSettings):
    """Who issues the messages. `sender`: unique in the world, as a mail address or a domain of the city's.

    `public`: facts go to everybody at once; otherwise a message is Restricted until a text of its alert was
    approved. `proposals`: what people could be told to do, by severity, for agencies alone. `renew`: the time
    between two notices where a rule has no `remind`. `geocode`: what the communes' codes are called.
    """

    ours: ClassVar[bool] = True
    kind: Literal["cap"] = "cap"
    sender: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+(@[A-Za-z0-9.-]+)?$")]
    sender_name: Text
    web: Annotated[str, Field(pattern=r"^https?://[^\s<>\"]+$")]
    contact: Annotated[str, Field(min_length=1)]
    geocode: Annotated[str, Field(min_length=1)] = "VN-commune"
    radius_km: Annotated[float, Field(gt=0, le=50)] = 2.0  # a gauge speaks for its reach of the river
    renew: Duration = 3 * 3_600.0  # as rivers below BĐ III are said again
    public: bool = False
    proposals: dict[Severity, Text] = Field(default_factory=dict)
    key_file: Path | None = None
    certificate_file: Path | None = None

    @model_validator(mode="after")
    def _key_and_certificate_go_together(self) -> CapSettings:
        if (self.key_file is None) != (self.certificate_file is None):
            raise ValueError("key_file and certificate_file are given together, or neither")
        return self

    @field_validator("contact", "sender_name", "proposals")
    @classmethod
    def _is_plain(cls, value: str | Text | dict[Severity, Text]) -> str | Text | dict[Severity, Text]:
        for text in _texts(value):
            if clean(text) != text or not text:
                raise ValueError("is one line of text, without markup")
        return value

    @field_validator("proposals")
    @classmethod
    def _is_in_two_languages(cls, value: dict[Severity, Text]) -> dict[Severity, Text]:
        if any(text.vi == text.en for text in value.values()):
            raise ValueError("has the same text in both languages")
        return value

    @property
    def issuer(self) -> Issuer:
        return Issuer(
            sender=self.sender,
            sender_name=self.sender_name,
            web=self.web,
            contact=self.contact,
            geocode=self.geocode,
            radius_km=self.radius_km,
            renew=round(self.renew * MICROS_PER_SECOND),
            public=self.public,
            proposals=self.proposals,
        )


def _texts(value: str | Text | dict[Severity, Text]) -> list[str]:
    texts = value.values() if isinstance(value, dict) else [value]
    return [part for text in texts for part in ([text] if isinstance(text, str) else [text.vi, text.en])]


def cap_receiver(settings: CapSettings, database_url: str, catalogue: Catalogue, clock: Clock) -> CapReceiver:
    """The receiver with its store and its key; `ConfigError` where key or certificate cannot be used."""
    signer = None
    if settings.key_file is not None and settings.certificate_file is not None:
        signer = load_signer(settings.key_file, settings.certificate_file)
        CAP_CERTIFICATE.set(signer.until)
    return CapReceiver(settings, CapStore(database_url), catalogue, clock, signer)


class CapReceiver:
    """Makes messages in one order. It sees its store and no database."""

    def __init__(
        self,
        settings: CapSettings,
        store: CapStore,
        catalogue: Catalogue,
        clock: Clock,
        signer: Signer | None = None,
    ) -> None:
        self.settings = settings
        self._store = store
        self._stations = _by_id(catalogue)
        self._clock = clock
        self._signer = signer

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Session]:
        """A session over the store, whose connection it opens when it needs one."""
        try:
            yield CapSession(self, self._store)
        finally:
            self._store.close()

    def use(self, catalogue: Catalogue) -> None:
        """See `Receiver`."""
        self._stations = _by_id(catalogue)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def renew(self) -> int:
        """Microseconds between two notices where a rule has no `remind`."""
        return self.settings.issuer.renew

    def now(self) -> int:
        return self._clock.now()

    def station(self, event: Event) -> Station | None:
        return self._stations.get(event.station)

    def write(self, occasion: Occasion, past: Past) -> tuple[Message, bytes] | str | None:
        """A message and its signed bytes; the faults for which it is not sent; None where none is due."""
        try:
            station = self.station(occasion.event)
            issuer, now = self.settings.issuer, self.now()
            message = compose(occasion, station, issuer, past.earlier, past.number, now)
            return None if message is None else self._judged(message)
        except Exception as error:  # whatever it is, later messages must go on
            log.error("cap_message_failed", extra={"seq": occasion.seq}, exc_info=error)
            return f"it could not be made: {type(error).__name__}: {error}"

    def _judged(self, message: Message) -> tuple[Message, bytes] | str:
        alert = document.laid_out(document.build(message))
        faults = [*shape_faults(alert), *map(str, errors(alert))]
        if faults:
            return "; ".join(faults)
        return message, document.written(alert if self._signer is None else self._signer.sign(alert))


class CapSession:
    """One turn at the store. Messages are made one after the other, those of notices and of renewals."""

    def __init__(self, receiver: CapReceiver, store: CapStore) -> None:
        self._receiver, self._store = receiver, store
        self._turn = asyncio.Lock()
        self._standing: dict[str, Story] = {}  # open alerts by id
        self._told: set[str] = set()  # alerts of which a notice came
        self._newest: dict[str, Issued] = {}
        self._again: dict[str, int] = {}  # when to try anew where no message could be made

    async def restore(self, standing: Sequence[Story]) -> None:
        """Take up what stands, to renew what was told of it."""
        self._standing = {story.event.alert_id: story for story in standing if story.open}
        self._told = await self._store.told(self._receiver.name, self._standing)
        self._newest = await self._store.newest(self._standing)

    async def deliver(self, notice: Notice) -> None:
        for numbered in notice.digest or (notice.numbered,):
            story = notice.story if numbered.seq == notice.numbered.seq else None
            await self._tell(numbered, story or Story(numbered))

    async def keep(self, story: Story) -> None:
        """How an alert stands, whether it was told or not."""
        alert_id = story.event.alert_id
        if story.open:
            self._standing[alert_id] = story
            return
        self._told.discard(alert_id)
        for known in (self._standing, self._newest, self._again):
            known.pop(alert_id, None)

    async def report(self, status: Json) -> None:
        """Renew what is about to expire; `status` says whether anything new can be seen at all."""
        for alert_id in [one for one in self._standing if self._is_due(one)]:
            async with self._turn:
                if self._is_due(alert_id):  # still, now that it is our turn
                    await self._renew(self._standing[alert_id], status["as_of"])

    async def lost(self) -> None:
        """A store is lost when it is asked; until then there is nothing to wait for."""
        await asyncio.Event().wait()

    async def _tell(self, numbered: NumberedEvent, story: Story) -> None:
        event = numbered.event
        if event.kind not in TELLS:
            return
        self._told.add(event.alert_id)
        async with self._turn:
            past = await self._store.past(event.alert_id, event.event_id, numbered.seq)
            self._note(past.earlier)
            if past.settled:
                return
            occasion = Occasion(event, numbered.seq, story, past.approved, taken=numbered.created_at)
            faults = await self._issue(occasion, past)
            if faults:
                await self._store.refuse(event.alert_id, event.event_id, numbered.seq, faults)

    def _is_due(self, alert_id: str) -> bool:
        story, newest, now = self._standing.get(alert_id), self._newest.get(alert_id), self._receiver.now()
        if story is None or alert_id not in self._told or story.hidden or story.event.shadow:
            return False
        if hazard_of(story.event, self._receiver.station(story.event)) is None:
            return False
        if now < self._again.get(alert_id, now):
            return False
        return newest is None or newest.final or newest.renew_at <= now

    async def _renew(self, story: Story, as_of: Json) -> None:
        told, station = story.event, self._receiver.station(story.event)
        assert station is not None  # of no other is there a hazard
        newest = self._newest.get(told.alert_id)
        reading = await self._store.reading(told.target, told.nature)
        event = renewal(story, station, reading, newest.number if newest else 0)
        past = await self._store.past(told.alert_id, event.event_id, None)
        self._note(past.earlier)
        if not past.stands:  # it has ended, and its end is still to be delivered
            self._standing.pop(told.alert_id)
        elif not past.settled:
            unseen = not is_seen(told, station, reading, as_of)
            await self._issue(Occasion(event, story.newest.seq, story, past.approved, unseen), past)

    def _note(self, earlier: Sequence[Issued]) -> None:
        """Another process may have made a message before its lease was lost."""
        if earlier:
            self._newest[earlier[-1].alert_id] = earlier[-1]

    async def _issue(self, occasion: Occasion, past: Past) -> str:
        """Make and store a message where one is due; the faults for which there is none."""
        event = occasion.event
        made = await asyncio.to_thread(self._receiver.write, occasion, past)
        if isinstance(made, str):
            interval = event.remind or self._receiver.renew
            self._again[event.alert_id] = self._receiver.now() + interval
            said = {"seq": occasion.seq, "alert_id": event.alert_id, "faults": made}
            log.error("cap_message_refused", extra=said)
            CAP_FAULTS.inc()
            return made
        if made is not None:
            message, xml = made
            await self._store.append(message, event.event_id, xml)
            self._newest[event.alert_id] = message.issued
            self._again.pop(event.alert_id, None)
            CAP_MESSAGES.labels(message.kind).inc()
        return ""


def _by_id(catalogue: Catalogue) -> dict[str, Station]:
    return {station.id: station for station in catalogue.stations}
