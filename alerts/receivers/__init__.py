"""What a receiver of alerts is. Each kind is one file: its settings model, its code, a line in `registry`.

A receiver is given notices one at a time, in sequence order, at least once under one `event_id`, and keeps
whatever state its medium needs. It raises `Unreachable` for everything that time may heal; delivery then
connects again. It never sees the database, and no transaction is open while it works.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from alerts.model import NumberedEvent
from alerts.wire import Json
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
    """One event to tell. `silent`: for the record, since all of it passed before anybody could be told."""

    numbered: NumberedEvent
    silent: bool


class Session(Protocol):
    """An open way to a receiver."""

    async def restore(self, standing: Sequence[NumberedEvent]) -> None:
        """Make the receiver's kept state agree with the last delivered event of each (rule, target)."""

    async def deliver(self, notice: Notice) -> None:
        """Hand over one notice; returns when the receiver has taken it."""

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
