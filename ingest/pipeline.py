"""From the broker to the database and back: receive, normalise, commit, acknowledge.

Promises: a message is acknowledged only after the transaction that holds its fate has committed, in the
order of arrival, on the connection it came on. While one transaction commits, the next group of messages
is received and normalised. Nothing is acknowledged while the database is away; the broker's flow control
then holds the backlog. Another configuration is taken up between two commits, with all of its parts at once;
what arrives meanwhile waits in the broker's window. Does not promise anything for QoS 0.

Called by `huewatch run`, which gives it the parts. All database work runs on the one thread of `worker`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from msgspec import structs

from ingest import metrics
from ingest.catalog import Catalogue
from ingest.clock import Clock, LogicalNow
from ingest.model import (
    BlindReason,
    Committed,
    Fate,
    Intake,
    Moment,
    ObservationBatch,
    RawMessage,
    Reject,
    RejectReason,
    Request,
    Sink,
)
from ingest.mqtt import Gathered, NotAdmitted, SessionStarted, Subscriber
from ingest.normalise import Normaliser, is_marker, tick_of
from ingest.refine import Refiner
from ingest.store import codec_memory, quarantine
from ingest.store.errors import Poison, SinkFailed, Transient
from ingest.store.write import Writer

log = logging.getLogger("huewatch.pipeline")
T = TypeVar("T")

TICK_SECONDS = 1.0  # silence is counted in minutes; a second keeps `as_of` fresh at no cost
RETRY_FIRST_SECONDS = 0.05
RETRY_LAST_SECONDS = 2.0  # a database that returned is noticed within this time
REPLAY_SECONDS = 2.0  # between two looks for what is to be read again from quarantine
REPLAY_MESSAGES = 200  # read again at once: live readings wait for no more than these
# Between two tries to decide again: each reads all state anew, seconds of work at 10,000 series.
DECIDE_FIRST_SECONDS = 0.5
DECIDE_LAST_SECONDS = 10.0
UNDECIDED_ROWS = 20_000  # of those stored without a decision in one transaction, as in a large batch
REQUEST_SECONDS = 60.0  # between two equal requests to a gateway: it may be slow, or never answer
TICK_COMMITTED_TOPIC = "huewatch/tick/committed"


for _reason in RejectReason:  # a count that begins with its first 1 is no rise to whoever watches it
    metrics.REJECTS.labels(_reason.value)


class Stopped(Exception):
    """The pipeline was told to stop while a transaction could not be committed."""


class NotTaken(Exception):
    """Another configuration cannot be taken up, and the one before stays in force; says why."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What one configuration comes to: all that is in force together."""

    catalogue: Catalogue
    ids: Mapping[str, int]
    normaliser: Normaliser
    refiner: Refiner
    sinks: Sequence[Sink]
    filters: Sequence[str]


class Sight:
    """Whether readings can reach us: blind from a loss until the marker published after it is committed."""

    def __init__(self) -> None:
        self.since: int | None = None
        self.reason: BlindReason | None = BlindReason.STARTING

    def lose(self, reason: BlindReason) -> None:
        """Something stands between the gateways and our tables."""
        if self.since is not None:
            log.warning("blind", extra={"reason": reason})
        self.since, self.reason = None, reason
        metrics.SIGHTED.set(0)

    def regain(self, now: int) -> None:
        """The marker came back behind the whole backlog and is committed."""
        if self.since is None:
            log.info("sighted", extra={"after": self.reason})
        self.since, self.reason = now, None
        metrics.SIGHTED.set(1)


@dataclass(frozen=True, slots=True)
class Work:
    """One group of messages ready to be committed, and what its commit sets off."""

    intake: Intake
    tick_at: int | None  # logical time told in band; demo only
    marker_epoch: int | None  # the marker of that connection is among the messages


class Pipeline:
    """Runs until `stop()`, or until a failure that only a person can mend (`Fenced`, `Fatal`, `Refused`)."""

    def __init__(
        self,
        subscriber: Subscriber,
        normaliser: Normaliser,
        writer: Writer,
        sinks: Sequence[Sink],
        clock: Clock,
        worker: Executor,
        jitter: random.Random,
        logical_now: LogicalNow | None = None,
    ) -> None:
        self._subscriber = subscriber
        self._normaliser = normaliser
        self._writer = writer
        self._sinks = sinks
        self._clock = clock
        self._worker = worker
        self._jitter = jitter
        self._logical_now = logical_now
        self._step: list[RawMessage] = []  # logical time: messages since the last tick
        self._stopping = asyncio.Event()
        self._sinks_current = True
        self._decide_at = clock.monotonic()
        self._decide_pause = DECIDE_FIRST_SECONDS
        self._ticked = clock.monotonic()
        self._replay_at = clock.monotonic()
        self._requested: dict[str, float] = {}
        self._swapping: tuple[Parts, asyncio.Future[None]] | None = None
        self.sight = Sight()
        self.committed_monotonic: float | None = None

    def stop(self) -> None:
        """Finish the commit under way, acknowledge it, take nothing new."""
        self._stopping.set()

    def gateway_of(self, topic: str) -> str:
        """The gateway that a topic names in the configuration in force."""
        return self._normaliser.gateway_of(topic)

    async def swap(self, parts: Parts) -> None:
        """Take up another configuration between two commits; one call at a time.

        Raises `NotTaken` or `NotAdmitted`: then the one before is in force as if nothing had been asked.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._swapping = parts, done
        await done

    async def run(self) -> None:
        """Receive, commit and acknowledge until stopped; the last commit is awaited before returning."""
        stopping = asyncio.create_task(self._stopping.wait(), name="pipeline-stop")
        gathering = asyncio.create_task(self._subscriber.gather(), name="gather")
        committing: asyncio.Task[None] | None = None
        try:
            while not self._stopping.is_set():
                await asyncio.wait(
                    {gathering, stopping}, timeout=TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if committing is not None and committing.done():
                    await committing
                if self._swapping is not None:
                    await _finished(committing)
                    await self._take_up(*self._swapping)
                    self._swapping = None
                gathered = Gathered(None, [])
                if gathering.done():
                    gathered = gathering.result()
                    gathering = asyncio.create_task(self._subscriber.gather(), name="gather")
                elif committing is not None and not committing.done():
                    continue
                if gathered.session is not None:
                    await _finished(committing)
                    await self._begin_session(gathered.session)
                for work in (*self._prepare(gathered.messages), *await self._replay(committing)):
                    await _finished(committing)
                    committing = asyncio.create_task(self._settle(work), name="commit")
            await _finished(committing)
        except Stopped:
            log.warning("stopped with unacknowledged messages; the broker will deliver them again")
        finally:
            swapping = None if self._swapping is None else self._swapping[1]
            for task in (gathering, stopping, committing, swapping):
                if task is not None:
                    task.cancel()

    async def _take_up(self, parts: Parts, done: asyncio.Future[None]) -> None:
        started = self._clock.monotonic()
        try:
            await self._admit(parts)
        except (NotTaken, NotAdmitted) as refusal:
            await self._note_filters(self._subscriber.filters)
            done.set_exception(refusal)
            return
        self._normaliser, self._sinks = parts.normaliser, parts.sinks
        self._sinks_current = True
        self._decide_at = self._clock.monotonic()
        grown = not set(parts.filters) <= set(self._subscriber.filters)
        self._subscriber.settle_on(parts.filters)
        await self._note_filters(parts.filters)
        if grown:  # silence on a route that nobody heard counts from now
            self.sight.lose(BlindReason.BACKLOG)
            self._subscriber.publish_marker()
        log.info("configuration taken up", extra={"seconds": round(self._clock.monotonic() - started, 3)})
        done.set_result(None)

    async def _admit(self, parts: Parts) -> None:
        """All that may refuse a configuration: the broker, and whatever reads its state."""
        before = self._subscriber.filters
        await self._note_filters([*before, *sorted(set(parts.filters).difference(before))])
        await self._subscriber.admit(parts.filters)
        try:
            await self._until_done(lambda: self._read_state(parts))
        except (SinkFailed, Poison) as failure:
            self._subscriber.settle_on(before, parts.filters)
            raise NotTaken(str(failure)) from failure

    def _read_state(self, parts: Parts) -> None:
        parts.normaliser.recall(self._writer.use(codec_memory.load))
        for correction in self._writer.take_up(parts.catalogue, parts.ids, parts.refiner, parts.sinks):
            log.warning("levels corrected", extra={"correction": str(correction)})

    async def _note_filters(self, filters: Sequence[str]) -> None:
        await self._until_done(lambda: self._writer.note_filters(filters))

    def _prepare(self, messages: Sequence[RawMessage]) -> list[Work]:
        """Normalise; in logical time a step's messages wait for the tick that says when they came."""
        if self._logical_now is None:
            return [self._work(messages, None)]
        works: list[Work] = []
        for message in messages:
            self._step.append(message)
            tick_at = tick_of(message)
            if tick_at is not None:
                self._logical_now.advance_to(tick_at)
                first = tick_at - len(self._step) + 1  # a time of its own for each, as the subscriber gives
                step = [structs.replace(m, received_at=first + i) for i, m in enumerate(self._step)]
                works.append(self._work(step, tick_at))
                self._step = []
        if all(is_marker(message.topic) for message in self._step):
            works.append(self._work(self._step, None))
            self._step = []
        return works

    async def _replay(self, committing: asyncio.Task[None] | None) -> list[Work]:
        """What is to be read again from quarantine, as one more group of messages; most often nothing."""
        if self._logical_now is not None or self._clock.monotonic() < self._replay_at:
            return []
        await _finished(committing)
        messages = await self._until_done(
            lambda: self._writer.use(
                lambda connection: quarantine.take_requested(connection, REPLAY_MESSAGES)
            )
        )
        if not messages:
            self._replay_at = self._clock.monotonic() + REPLAY_SECONDS
            return []
        log.info("replaying", extra={"messages": len(messages)})
        return [self._work(messages, None)]

    def _work(self, messages: Sequence[RawMessage], tick_at: int | None) -> Work:
        intake = self._normaliser.intake(messages, self._clock.now())
        markers = (message.epoch for message in reversed(messages) if is_marker(message.topic))
        return Work(intake, tick_at, next(markers, None))

    async def _begin_session(self, session: SessionStarted) -> None:
        self.sight.lose(BlindReason.BACKLOG)
        if not session.present:
            metrics.SESSIONS_LOST.inc()
        await self._until_done(
            lambda: self._writer.begin_session(
                session.present, self._subscriber.filters, session.lost_at, session.at
            )
        )

    async def _settle(self, work: Work) -> None:
        """Commit, then acknowledge: the order that the whole service exists for."""
        started = self._clock.monotonic()
        if not self._subscriber.connected:
            self.sight.lose(BlindReason.NO_BROKER)
        await self._commit(work.intake, self._tick_due(work))
        self._subscriber.acknowledge(work.intake.messages)
        if work.marker_epoch is not None and self._subscriber.marker_seen(work.marker_epoch):
            self._regain()
        self._request(work.intake.requests)
        if work.tick_at is not None:
            self._subscriber.publish(TICK_COMMITTED_TOPIC, work.intake.messages[-1].payload)
        self._measure(work.intake, started)

    def _request(self, requests: Sequence[Request]) -> None:
        """Send what codecs ask of gateways, each topic once a minute at most."""
        now = self._clock.monotonic()
        for request in requests:
            if now - self._requested.get(request.topic, -REQUEST_SECONDS) >= REQUEST_SECONDS:
                self._requested[request.topic] = now
                metrics.GATEWAY_REQUESTS.inc()
                self._subscriber.publish(request.topic, request.payload)

    def _regain(self) -> None:
        """The marker is back. While nothing can be decided on what is stored, that is no sight."""
        if self.sight.reason is not BlindReason.UNDECIDED:
            self.sight.regain(self._clock.now())

    def _tick_due(self, work: Work) -> bool:
        if self._logical_now is not None:
            return work.tick_at is not None
        now = self._clock.monotonic()
        due = now - self._ticked >= TICK_SECONDS
        if due:
            self._ticked = now
        return due

    async def _commit(self, intake: Intake, tick: bool) -> None:
        try:
            if self._clock.monotonic() < self._decide_at:
                await self._store(intake, tick, None)
            else:
                await self._decide(intake, tick)
        except Poison as poison:
            await self._split(intake, tick, poison)

    async def _decide(self, intake: Intake, tick: bool) -> None:
        """Store the intake with what the sinks decide on it, or without where they cannot."""
        try:
            await self._catch_up()
            await self._store(intake, tick, self._sinks)
        except SinkFailed as failure:
            self._is_undecided(failure)
            await self._store(intake, tick, None)
            return
        self._decide_pause = DECIDE_FIRST_SECONDS
        if self.sight.reason is BlindReason.UNDECIDED:  # decided again: see as after a reconnect
            self.sight.lose(BlindReason.BACKLOG)
            self._subscriber.publish_marker()

    def _is_undecided(self, failure: SinkFailed) -> None:
        """Observations are kept although nothing can be decided on them; say that we do not see."""
        log.error("observations stored without a decision on them", exc_info=failure)
        metrics.EVALUATION_FAILURES.inc()
        self._sinks_current = False
        self._decide_at = self._clock.monotonic() + self._decide_pause
        self._decide_pause = min(2 * self._decide_pause, DECIDE_LAST_SECONDS)
        self.sight.lose(BlindReason.UNDECIDED)

    async def _catch_up(self) -> None:
        """Before newer rows: let sinks that failed read their state again, then decide on what was left.

        A row on which no decision can be had alone is given up, or it would stop every decision for ever;
        but not while the sinks fail without any row.
        """
        if not self._sinks_current:
            await self._until_done(lambda: self._writer.rebuild(self._sinks))
            self._sinks_current = True
        rows = UNDECIDED_ROWS
        while self._writer.undecided:
            try:
                await self._decide_again(rows, self._sinks)
                rows = UNDECIDED_ROWS
            except SinkFailed as failure:
                await self._decide_again(0, self._sinks)
                if rows == 1:
                    await self._give_up(failure)
                rows = max(1, min(rows, self._writer.undecided) // 2)

    async def _decide_again(self, rows: int, sinks: Sequence[Sink]) -> None:
        nothing = Intake.empty()
        self._count(nothing, await self._until_done(lambda: self._write(nothing, False, sinks, rows)))

    async def _give_up(self, failure: SinkFailed) -> None:
        log.error("a row is remembered without a decision on it", exc_info=failure)
        metrics.GIVEN_UP.inc()
        await self._decide_again(1, ())
        await self._until_done(lambda: self._writer.rebuild(self._sinks))

    async def _store(self, intake: Intake, tick: bool, sinks: Sequence[Sink] | None) -> None:
        self._count(intake, await self._until_done(lambda: self._write(intake, tick, sinks)))

    def _write(self, intake: Intake, tick: bool, sinks: Sequence[Sink] | None, again: int = 0) -> Committed:
        moment = Moment(self._clock.now(), tick, self.sight.since)
        return self._writer.commit(intake, moment, sinks, self.sight.reason or "", again=again)

    async def _split(self, intake: Intake, tick: bool, poison: Poison) -> None:
        """Commit a refused batch in halves, in order of arrival, until each message has a fate."""
        messages = intake.messages
        if not messages:
            raise poison
        if len(messages) == 1:
            log.error("the database refused a message", extra={"topic": messages[0].topic}, exc_info=poison)
            metrics.STORAGE_ERRORS.inc()
            await self._commit(_as_storage_error(intake, poison), tick)
            return
        middle = len(messages) // 2
        for part, is_last in ((messages[:middle], False), (messages[middle:], True)):
            await self._commit(self._normaliser.intake(part, self._clock.now()), tick and is_last)

    async def _until_done(self, step: Callable[[], T]) -> T:
        """Run a database step on the worker thread until it succeeds or we are told to stop."""
        pause = RETRY_FIRST_SECONDS
        failed = False
        while True:
            try:
                result = await asyncio.get_running_loop().run_in_executor(self._worker, step)
            except Transient as failure:
                if not failed:
                    log.warning("the database is away; acknowledgements wait", extra={"why": str(failure)})
                failed = True
                metrics.COMMIT_RETRIES.inc()
                self.sight.lose(BlindReason.DATABASE_WAS_AWAY)
                await self._pause(pause * self._jitter.uniform(0.5, 1.0))
                pause = min(pause * 2, RETRY_LAST_SECONDS)
            else:
                if failed:
                    log.info("the database is back")
                    self._subscriber.publish_marker()
                return result

    async def _pause(self, seconds: float) -> None:
        if self._stopping.is_set():
            raise Stopped
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        sleeping.cancel()
        stopping.cancel()

    def _count(self, intake: Intake, committed: Committed) -> None:
        self.committed_monotonic = self._clock.monotonic()
        metrics.LAST_COMMIT.set_to_current_time()
        metrics.MESSAGES_COMMITTED.inc(committed.messages)
        for outcome in ("stored", "duplicate", "conflict", "rejected"):
            metrics.READINGS.labels(outcome).inc(getattr(committed, outcome))
        for gateway, messages in enumerate(np.bincount(intake.gateway)):
            if messages:
                metrics.GATEWAY_MESSAGES.labels(intake.gateway_names[gateway]).inc(int(messages))
        for reject in intake.rejects:
            metrics.REJECTS.labels(reject.reason.value).inc()

    def _measure(self, intake: Intake, started: float) -> None:
        if intake.messages:
            metrics.BATCH_MESSAGES.observe(len(intake.messages))
            metrics.COMMIT_SECONDS.observe(self._clock.monotonic() - started)


async def _finished(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        await task


def _as_storage_error(intake: Intake, poison: Poison) -> Intake:
    reject = Reject(0, RejectReason.STORAGE_ERROR, str(poison), "", 0, False)
    return replace(
        intake,
        observations=ObservationBatch.empty(),
        rejects=(reject,),
        fate=np.array([Fate.UNREADABLE], np.int8),
    )
