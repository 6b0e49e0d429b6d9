"""Claim, deliver, record: one worker per receiver, in the feed's process.

Promises: each event that a receiver wants reaches it at least once under one `event_id`, in sequence order,
or is recorded as superseded, suppressed, or refused by the receiver for good; a receiver or a database that
is down delays no other receiver; nothing is sent inside a transaction. Does not promise exactly once: what
was delivered and not recorded is delivered again.
While the database is away the way to the receiver stays open, and says that nothing is known.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Concatenate, ParamSpec, TypeVar

import psycopg

from alerts import delivery_store, store
from alerts.api.hub import Hub
from alerts.api.reader import Unavailable
from alerts.delivery_plan import Plan, Step, Waiting, plan, settled, through
from alerts.feed_metrics import DELIVERED, DELIVERY_FAILURES, DELIVERY_PENDING, DELIVERY_REACHED
from alerts.feed_store import Connection
from alerts.model import NumberedEvent
from alerts.receivers import Gone, Receiver, Session, Undeliverable, Unreachable
from alerts.receivers.wants import Wishes
from alerts.sight import Sight
from alerts.suppression import Limits
from ingest.clock import Clock
from ingest.store import connect
from ingest.store.errors import StoreError, Transient, reaction_to

PAGE = 1_000  # pending events looked at together
ROUND = 50  # notices between two records: what a crash can repeat
POLL_S = 1.0
RENEW_S = 3.0  # a third of the lease
REPORT_S = 5.0
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 30.0
RELEASE_S = 2.0

log = logging.getLogger("huewatch.delivery")
P = ParamSpec("P")
T = TypeVar("T")


class LeaseLost(Exception):
    """Another process serves the receiver now."""


class Desk:
    """The worker's own connection, opened when needed and dropped when broken.

    Raises `Unavailable`, and `StoreError` where waiting does not help.
    """

    def __init__(self, database_url: str, name: str) -> None:
        self._database_url = database_url
        self._name = name
        self._connection: Connection | None = None
        self._closed = False
        self._turn = asyncio.Lock()

    async def call(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work` on the connection in a thread, one at a time."""
        async with self._turn:
            return await asyncio.to_thread(self._call, lambda desk: work(desk, *args, **kwargs))

    def _call(self, work: Callable[[Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = connect(self._database_url, application_name=self._name)
            return work(self._connection)
        except (psycopg.OperationalError, Transient) as error:
            self._drop()
            raise Unavailable(str(error)) from error
        except psycopg.Error as error:
            self._drop()
            raise reaction_to(error) from error
        finally:
            if self._closed:  # while the thread was still at work for somebody who had gone
                self._drop()

    def close(self) -> None:
        """For good: a call that nobody waits for any more closes what it has opened."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Worker:
    """Serves one receiver, `name`, until cancelled, or until it wants nothing more.

    `owner` names this process; `rng` spreads the retries. `reached`: whether it took what there was at the
    newest attempt; a connection alone says little of some.
    """

    def __init__(
        self,
        receiver: Receiver,
        wishes: Wishes,
        database_url: str,
        hub: Hub,
        owner: str,
        clock: Clock,
        rng: random.Random,
        limits: Limits,
    ) -> None:
        self._receiver = receiver
        self._wishes = wishes
        self.name = receiver.settings.name
        self._desk = Desk(database_url, f"huewatch delivery {self.name}")
        self._hub = hub
        self._owner = owner
        self._clock = clock
        self._rng = rng
        self._limits = limits
        self._failures = 0
        self.reached: bool | None = None  # None: not tried yet, or another process serves it
        self._asked_s = 0.0  # how long the receiver has asked us to wait
        self._gone = False
        self._event_since: dict[int, float] = {}
        self._alert_since: dict[str, float] = {}

    def use(self, wishes: Wishes) -> None:
        """Choose by these wishes from now on."""
        self._wishes = wishes

    async def run(self) -> None:
        try:
            while True:
                await self._attempt()
                if self._gone:
                    return
                await self._clock.sleep(max(self._pause(), self._asked_s))
        finally:
            with suppress(Unavailable, StoreError, TimeoutError):
                async with asyncio.timeout(RELEASE_S):
                    await self._desk.call(delivery_store.release, self.name, self._owner)
            self._desk.close()

    async def _attempt(self) -> None:
        """One connection to the receiver, from claim to loss. Only cancellation leaves it."""
        self._asked_s = 0.0
        try:
            await self._serve()
        except* Gone as group:
            await self._stop(group.exceptions[0])
        except* (Unreachable, Unavailable) as group:
            await self._failed(group.exceptions[0])
        except* LeaseLost:
            self.reached = None
            log.info("lease_lost", extra={"receiver": self.name})
        except* Exception as group:  # a fault in one receiver's code must not end the others
            log.error("receiver_fault", extra={"receiver": self.name}, exc_info=group)
            self._failures += 1
            self._note(reached=False)

    async def _serve(self) -> None:
        cursor = await self._desk.call(delivery_store.claim, self.name, self._owner)
        if cursor is None:
            return  # another process serves it; we look again after a pause
        async with self._receiver.connect() as session, asyncio.TaskGroup() as group:
            group.create_task(session.lost(), name=f"{self.name} lost")
            group.create_task(self._report(session), name=f"{self.name} report")
            group.create_task(self._renew(), name=f"{self.name} renew")
            await session.restore(await self._desk.call(delivery_store.standing, cursor))
            await self._desk.call(delivery_store.connected, self.name, self._owner)
            log.info("receiver_connected", extra={"receiver": self.name, "after": cursor})
            await self._pump(session)

    async def _failed(self, error: BaseException) -> None:
        self._failures += 1
        self._note(reached=False)
        self._asked_s = error.after_s if isinstance(error, Unreachable) else 0.0
        DELIVERY_FAILURES.labels(self.name).inc()
        if self._failures == 1:
            log.warning("receiver_unreachable", extra={"receiver": self.name, "error": str(error)})
        with suppress(Unavailable):
            await self._desk.call(delivery_store.fail, self.name, self._owner, str(error))

    def _note(self, *, reached: bool) -> None:
        self.reached = reached
        DELIVERY_REACHED.labels(self.name).set(reached)

    async def _stop(self, error: BaseException) -> None:
        self._gone = True
        log.error("receiver_gone", extra={"receiver": self.name, "error": str(error)})
        with suppress(Unavailable):
            await self._desk.call(delivery_store.stopped, self.name, self._owner, str(error))

    def _pause(self) -> float:
        """Seconds before the next attempt: doubling, with full jitter above a half, at most 30."""
        longest = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(self._failures, 10))
        return longest * (0.5 + self._rng.random() / 2)

    async def _renew(self) -> None:
        """Keep the lease. While the database is away nobody else can take it."""
        while True:
            await self._clock.sleep(RENEW_S)
            with suppress(Unavailable):
                if await self._desk.call(delivery_store.claim, self.name, self._owner) is None:
                    raise LeaseLost

    async def _report(self, session: Session) -> None:
        """Say how far we can see, every few seconds and when it changes."""
        with self._hub.bell() as bell:
            said: tuple[Sight, str] | None = None
            while True:
                as_of = self._hub.as_of
                rung = bell.is_set()
                bell.clear()
                if not rung or said != (as_of.state, as_of.reason):
                    await session.report(self._hub.status())
                    said = (as_of.state, as_of.reason)
                with suppress(TimeoutError):
                    async with asyncio.timeout(REPORT_S):
                        await bell.wait()

    async def _pump(self, session: Session) -> None:
        with self._hub.bell() as bell:
            while True:
                try:
                    wait_s = await self._round(session)
                    self._failures = 0  # only here: of a webhook no connection says that it is reached
                except Unavailable:
                    wait_s = POLL_S
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await bell.wait()
                bell.clear()

    async def _round(self, session: Session) -> float:
        """Settle what can be settled now; seconds until it is worth looking again."""
        cursor = await self._desk.call(delivery_store.claim, self.name, self._owner)
        if cursor is None:
            raise LeaseLost
        pending = await self._desk.call(store.events_since, cursor, PAGE)
        DELIVERY_PENDING.labels(self.name).set(len(pending))
        if not pending:
            self._note(reached=True)
            self._event_since.clear()
            self._alert_since.clear()
            return POLL_S
        found = await self._plan(pending, cursor)
        steps = found.steps[: through(found.steps, ROUND)]
        await self._take(session, steps)
        self._note(reached=True)
        if len(steps) < len(found.steps) or found.wait_s is None:
            return 0.0
        return min(found.wait_s, POLL_S)

    async def _plan(self, pending: list[NumberedEvent], cursor: int) -> Plan:
        now = self._clock.monotonic()
        alerts = list({numbered.event.alert_id for numbered in pending})
        for numbered in pending:
            self._event_since.setdefault(numbered.seq, now)
            self._alert_since.setdefault(numbered.event.alert_id, now)
        told = await self._desk.call(delivery_store.told, self.name, alerts)
        wishes = self._wishes
        past = await self._desk.call(delivery_store.past, wishes, cursor, pending, self._limits)
        return plan(
            pending,
            Waiting(self._event_since, self._alert_since),
            now,
            draining=self._hub.as_of.state is not Sight.CURRENT,
            told=told,
            wishes=wishes,
            past=past,
            limits=self._limits,
        )

    async def _take(self, session: Session, steps: tuple[Step, ...]) -> None:
        """Deliver in order, then record as far as it went, also when it breaks off."""
        done: list[Step] = []
        try:
            for step in steps:
                finished = await self._deliver(session, step)
                done.append(finished)
        finally:
            if kept := settled(done):
                await self._record(kept)

    async def _deliver(self, session: Session, step: Step) -> Step:
        """The step as it came out: a notice that is refused for good is let go, with the reason."""
        if step.notice:
            try:
                await session.deliver(step.notice)
            except Undeliverable as error:
                said = {"receiver": self.name, "seq": step.seq, "error": str(error)}
                log.error("notice_refused", extra=said)
                step = replace(step, error=str(error), failed=not error.partly)
        if step.notice:
            self._alert_since.pop(step.notice.numbered.event.alert_id, None)
        if step.keep:
            await session.keep(step.keep)
        return step

    async def _record(self, done: Sequence[Step]) -> None:
        if not await self._desk.call(delivery_store.record, self.name, self._owner, done):
            raise LeaseLost
        self._failures = 0
        for step in done:
            self._event_since.pop(step.seq, None)
            DELIVERED.labels(self.name, delivery_store.outcome(step)).inc()
