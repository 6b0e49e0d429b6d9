"""What a receiver of alerts is. Each kind is one file: its settings model, its code, a line in `registry`.

A receiver is given notices one at a time, in sequence order, at least once under one `event_id`, and keeps
whatever state its medium needs. It raises `Unreachable` for everything that time may heal, and delivery then
connects again; `Undeliverable` for a notice that it will never take; `Gone` when it wants no more of any. It
never sees the database, and no transaction is open while it works; a kind whose medium is a table of our own
(`cap`) is given a store by construction, and sees no more than that gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from alerts.handling import Story
from alerts.model import NumberedEvent
from alerts.receivers.wants import Wants
from alerts.wire import Json, digest_json, event_json, handling_json
from ingest.catalog import Catalogue
from ingest.config_model import Identifier
from ingest.model import Nature


class Unreachable(Exception):
    """Transient: the receiver did not take it. Try again later, and not before `after_s` seconds."""

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Undeliverable(Exception):
    """Permanent for this notice: trying again is in vain. `partly`: others of the same receiver took it."""

    def __init__(self, reason: str, *, partly: bool = False) -> None:
        super().__init__(reason)
        self.partly = partly


class Gone(Exception):
    """Permanent: the receiver says that it wants nothing more."""


class ReceiverSettings(BaseModel):
    """What every kind of receiver is told; a kind adds its own, and `kind`, the word by which files name it.

    `natures`: only real alerts, unless it asks for others. `ours`: receivers of this kind are part of the
    service; unless told otherwise they take what its database is for, an exercise too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    ours: ClassVar[bool] = False

    kind: str
    name: Identifier
    natures: frozenset[Nature] = frozenset({Nature.ACTUAL})
    wants: Wants = Field(default_factory=Wants)

    @field_serializer("natures")
    def _in_order(self, natures: frozenset[Nature]) -> list[str]:
        return sorted(natures)  # a set has none, and the version of a configuration is a hash of its text

    @property
    def digest_s(self) -> float | None:
        """For how long reminders of one area are collected, seconds; None: each is told alone."""
        return None


@dataclass(frozen=True, slots=True)
class Notice:
    """One event to tell.

    `silent`: for the record, since all of it passed before anybody could be told, or since people did it.
    `story`: how the alert stands, and what people have done with it. `flaps`: its (rule, target) opens and
    closes so often that nothing more is told until it is stable. `digest`: the openings that this notice
    tells of, its own among them, where there were too many to tell one by one.
    """

    numbered: NumberedEvent
    silent: bool
    story: Story | None = None
    flaps: bool = False
    digest: tuple[NumberedEvent, ...] = ()


def notice_json(notice: Notice, catalogue: Catalogue) -> Json:
    """A notice for machines: its event, how people have handled the alert, and what a digest tells of."""
    return {
        **event_json(notice.numbered, catalogue),
        "silent": notice.silent,
        "flaps": notice.flaps,
        "handling": handling_json(notice.story) if notice.story else None,
        "digest": digest_json(notice.digest, catalogue) if notice.digest else None,
    }


class Session(Protocol):
    """An open way to a receiver."""

    async def restore(self, standing: Sequence[Story]) -> None:
        """Make the receiver's kept state agree with the newest alert of each (rule, target)."""

    async def deliver(self, notice: Notice) -> None:
        """Hand over one notice; returns when the receiver has taken it."""

    async def keep(self, story: Story) -> None:
        """Make the kept state of one (rule, target) agree, also where nothing is told."""

    async def report(self, status: Json) -> None:
        """Say how far the feed can see."""

    async def lost(self) -> None:
        """Wait until the way breaks, then raise `Unreachable`."""


class Message:
    """A `Session` of a medium that keeps nothing: only `deliver` is the kind's own."""

    async def restore(self, standing: Sequence[Story]) -> None:
        """Nothing is kept there."""

    async def keep(self, story: Story) -> None:
        """Nothing is kept there."""

    async def report(self, status: Json) -> None:
        """Messages are about alerts only."""

    async def lost(self) -> None:
        """There is no way that could break between two messages."""
        await asyncio.Event().wait()


class Receiver(Protocol):
    """Where notices go."""

    @property
    def settings(self) -> ReceiverSettings: ...

    def connect(self) -> AbstractAsyncContextManager[Session]: ...

    def use(self, catalogue: Catalogue) -> None:
        """Take the words of stations and levels from this catalogue from now on."""
