"""Whom the feed lets in: everything in the database that opens it, looked at anew each second.

Promises: what was revoked or has expired opens nothing after a second or two, and live streams that it had
opened end; a guess costs the database nothing, since one look answers everybody who waits for one; who has
the right secret gets in however many others fail. While the database is away what was known keeps reading for
`GRACE_S`, then nobody gets in. Never open. Called by `guard`, in the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from enum import StrEnum

from alerts import access_store, idempotency_store
from alerts.access import Credential, Policy, Principal
from alerts.access_store import Living
from alerts.api.reader import Reader, Unavailable
from alerts.api.writer import Writer
from alerts.tries import Tries
from ingest.clock import Clock
from ingest.store.errors import StoreError

LOOK_S = 1.0
FRESH_S = 3.0  # two looks that failed; a write waits for one that does not
# A restart of PostgreSQL, a fail-over. So long a revoked one reads where we alone have lost the database.
GRACE_S = 60.0
BETWEEN_S = 0.1  # two looks for who presents what we do not know: ten a second, however many they are
NOTE_S = 60.0  # how often the use of a token is written down
TIDY_S = 600.0  # how often what is over is deleted

log = logging.getLogger("huewatch.feed")


class Why(StrEnum):
    """Why somebody was not let in."""

    MISSING = "missing"
    MALFORMED = "malformed"
    NOT_LIVING = "not_living"
    WRONG_SECRET = "wrong_secret"
    FORBIDDEN = "forbidden"
    CROSS_SITE = "cross_site"


class Denied(Exception):
    """Not let in. `wait_s`: the peer has failed so often that it should pause so long."""

    def __init__(self, why: Why, wait_s: float = 0.0) -> None:
        super().__init__(why.value)
        self.why = why
        self.wait_s = wait_s


@dataclass(eq=False, slots=True)
class Admitted:
    """Somebody who was let in; `ended` is set when what they presented opens nothing any more."""

    principal: Principal
    living: Living
    until: float  # monotonic
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    used: bool = False


class Door:
    """Knows what opens the feed. `run` until cancelled."""

    def __init__(self, reader: Reader, writer: Writer, clock: Clock, policy: Policy) -> None:
        self.policy = policy
        self._reader, self._writer, self._clock = reader, writer, clock
        self._known: dict[tuple[str, str], Admitted] = {}
        self._looked_at = float("-inf")  # when the last look that succeeded began
        self._tried_at = self._failed_at = float("-inf")
        self._turn = asyncio.Lock()
        self._tries = Tries()
        self._noted: dict[str, float] = {}

    async def admit(self, credential: Credential | None, peer: str, *, fresh: bool = False) -> Admitted:
        """Who presents this. `fresh`: as the database says now, not while it is away.

        Raises `Denied`, and `Unavailable` where the database would have to be asked.
        """
        now = self._clock.monotonic()
        if credential is None:
            raise self.failed(Why.MALFORMED, peer)
        if now - self._looked_at > (FRESH_S if fresh else GRACE_S) or (
            self._find(credential) is None and not self._tries.wait(peer, now)
        ):
            await self._look_for(now)
        found = self._find(credential)
        if found is None:
            raise self.failed(Why.NOT_LIVING, peer)
        if not credential.proves(found.living.hash):
            raise self.failed(Why.WRONG_SECRET, peer)
        found.used = True
        return found

    def failed(self, why: Why, peer: str) -> Denied:
        """Count one more failure of this peer; what to refuse it with."""
        now = self._clock.monotonic()
        wait = self._tries.wait(peer, now)
        self._tries.failed(peer, now)
        return Denied(why, wait)

    async def run(self) -> None:
        """Look each second, write down which tokens are used, delete what is over."""
        tidied_at, failing = float("-inf"), False
        while True:
            try:
                async with self._turn:
                    await self._look()
                await self._note()
                if self._clock.monotonic() - tidied_at > TIDY_S:
                    await asyncio.to_thread(self._tidy)
                    tidied_at = self._clock.monotonic()
                failing = False
            except Unavailable:
                pass  # `sight_changed` says so already
            except StoreError as error:
                if not failing:
                    log.error("access_unknown", exc_info=error)
                failing = True
            self._end_what_is_over()
            await self._clock.sleep(LOOK_S)

    def _find(self, credential: Credential) -> Admitted | None:
        found = self._known.get((credential.kind, credential.id))
        return found if found and self._clock.monotonic() < found.until else None

    async def _look_for(self, asked: float) -> None:
        """Wait for a look that began after `asked`; one of those who wait carries it out for all."""
        async with self._turn:
            if self._looked_at >= asked:
                return
            if self._failed_at >= asked:
                raise Unavailable("the look that others waited for too has failed")
            pause = self._tried_at + BETWEEN_S - self._clock.monotonic()
            if pause > 0:
                await self._clock.sleep(pause)
            await self._look()

    async def _look(self) -> None:
        began = self._tried_at = self._clock.monotonic()
        try:
            found = await asyncio.to_thread(self._living)
        except (Unavailable, StoreError):
            self._failed_at = began
            raise
        self._looked_at = began
        known = {}
        for each in found:
            key = (each.kind.value, each.id)
            known[key] = self._admitted(each, began, self._known.pop(key, None))
        for gone in self._known.values():
            gone.ended.set()
        self._known = known

    def _living(self) -> list[Living]:
        with self._reader.snapshot() as connection:
            return access_store.living(connection)

    @staticmethod
    def _admitted(living: Living, now: float, before: Admitted | None) -> Admitted:
        """The same object as before, so that who holds it learns of its end."""
        until = float("inf") if living.lasts_s is None else now + living.lasts_s
        if before is None:
            return Admitted(Principal(living.name, living.scope.held), living, until)
        before.until = until
        return before

    def _end_what_is_over(self) -> None:
        """Expired by our own clock, or everything: the database has been away for too long."""
        now = self._clock.monotonic()
        blind = now - self._looked_at > GRACE_S
        for key, each in list(self._known.items()):
            if blind or now >= each.until:
                self._known.pop(key).ended.set()

    async def _note(self) -> None:
        """Write down the use of tokens, each once a minute."""
        now = self._clock.monotonic()
        used = {each.living.token for each in self._known.values() if each.used}
        due = {token for token in used if now - self._noted.get(token, float("-inf")) > NOTE_S}
        for each in self._known.values():
            each.used = each.used and each.living.token not in due
        if due:
            await asyncio.to_thread(self._write_use, due)
            recent = {token: at for token, at in self._noted.items() if now - at <= NOTE_S}
            self._noted = recent | dict.fromkeys(due, now)

    def _write_use(self, tokens: set[str]) -> None:
        with self._writer.connection() as connection:
            access_store.used(connection, tokens)

    def _tidy(self) -> None:
        with self._writer.connection() as connection:
            access_store.forget(connection)
            idempotency_store.forget(connection)
