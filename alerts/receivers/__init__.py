"""What a receiver of alerts is. Each kind is one file: its settings model, its code, a line in `registry`.

A receiver is given notices one at a time, in sequence order, at least once under one `event_id`, and keeps
whatever state its medium needs. It raises `Unreachable` for everything that time may heal; delivery then
connects again. It never sees the database, and no transaction is open while it works; a kind whose medium is
a table of our own (`cap`) is given a store by construction, and sees no more than that gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from alerts.handling import Story
from alerts.model import NumberedEvent
from alerts.wire import Json, digest_json, event_json, handling_json
from ingest.catalog import Catalogue
from ingest.config_model import Identifier
from ingest.model import Nature


class Unreachable(Exception):
    """Transient: the receiver did not take it. Try again later."""


class ReceiverSettings(BaseModel):
    """What every kind of receiver is told. `natures`: only real alerts, unless it asks for others."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Identifier
    natures: frozenset[Nature] = frozenset({Nature.ACTUAL})


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


class Receiver(Protocol):
    """Where notices go."""

    @property
    def settings(self) -> ReceiverSettings: ...

    def connect(self) -> AbstractAsyncContextManager[Session]: ...

    def use(self, catalogue: Catalogue) -> None:
        """Take the words of stations and levels from this catalogue from now on."""
