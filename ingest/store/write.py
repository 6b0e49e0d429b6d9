"""The one transaction that stores a group of messages, exactly once by key, and what follows from it.

Promises: a batch is stored whole or not at all; what sinks decide is in the same transaction; when the
connection breaks around COMMIT, the outcome is read from the writer row before anything is done again;
caches and sinks adopt after COMMIT only; a process that lost its partition stores nothing.
It does not retry, split or wait: the caller reacts to `ingest.store.errors`. Called by the pipeline, from
one thread at a time.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import psycopg
from numpy.typing import NDArray

from ingest import metrics
from ingest.catalog import Catalogue
from ingest.clock import to_datetime
from ingest.installation import Correction
from ingest.model import Changes, Committed, Intake, Moment, ObservationBatch, Revised, Sink
from ingest.refine import Refined, Refiner
from ingest.store import (
    codec_memory,
    ledger,
    maintenance,
    quarantine,
    receipts,
    refined,
    rows,
    undecided,
    zeros,
)
from ingest.store.classify import Marks, Verdict
from ingest.store.connection import Connection, Cursor
from ingest.store.errors import Fatal, Poison, SinkFailed, StoreError, Transient, reaction_to
from ingest.store.lease import Claim, Lease
from ingest.store.partitions import Partitions

_FENCE = """
UPDATE writer SET batch = batch + 1, arrivals = arrivals + %s, committed_at = clock_timestamp(),
    now_at = %s, sighted_since = %s, blind_reason = %s
WHERE partition = %s AND epoch = %s AND batch = %s RETURNING session, arrivals
"""
_NEW_SESSION = """
UPDATE writer SET session = session + 1, arrivals = 0
WHERE partition = %s AND epoch = %s AND session = %s RETURNING session
"""
_SESSION = "SELECT session FROM writer WHERE partition = %s AND epoch = %s"
_FILTERS = "UPDATE writer SET filters = %s WHERE partition = %s AND epoch = %s"
_OLD_RECEIPTS = "DELETE FROM receipt WHERE partition = %s AND session <> %s"
_GAP = """
INSERT INTO gap (partition, session, topics, started_at, ended_at, reason) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (partition, session) DO NOTHING
"""

log = logging.getLogger("huewatch.store")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Staged:
    """All that is to be adopted when this transaction has committed."""

    intake: Intake
    committed: Committed
    session: int
    fresh: ObservationBatch
    refined: Refined | None
    quota: tuple[int, Counter[str]] | None
    outcomes: Sequence[tuple[Sink, Any]]
    undecided: int


class Writer:
    """The writer of one partition; `window` is the Receive Maximum that its MQTT session asks for.

    `refiner` flags new rows and derives from them; without one they are stored as they come. Call `rebuild`
    after `claim` and before the first `commit`.
    """

    def __init__(
        self, database_url: str, partition: str, owner: str, window: int, refiner: Refiner | None = None
    ) -> None:
        self._lease = Lease(database_url, partition, owner)
        self._window = window
        self._batch = 0
        self._session = 0
        self._filters: tuple[str, ...] = ()
        self._marks = Marks()
        self._quota = quarantine.Quota()
        self._partitions = Partitions()
        self._refiner = refiner
        self._refiner_current = True
        self._as_it_comes: Intake | None = None  # refining this one has failed
        self._careful: Intake | None = None  # a row or a result of this one was there already
        self._rejudged: tuple[int, ...] = ()
        self._undecided = 0
        self._staged: _Staged | None = None  # what a COMMIT of unknown outcome may have stored
        self._settled: _Staged | None = None  # that outcome turned out committed; nobody was told yet

    def claim(self) -> Claim:
        """Take the partition. Raises `PartitionHeld` (naming the owner) after about 3 s."""
        with self._reacting():
            connection, claim = self._lease.claim()
            self._batch, self._session, self._filters = claim.batch, claim.session, claim.filters
            self._marks, self._quota, self._partitions = Marks(), quarantine.Quota(), Partitions()
            self._staged = self._settled = None
            with connection.cursor() as cursor:
                rows.load_all_marks(cursor, self._marks)
        return claim

    def begin_session(self, present: bool, topics: Sequence[str], lost_at: int | None, now: int) -> int:
        """The broker's session number after a connect; a session that was not `present` begins with a gap.

        `topics`: what it is subscribed to now. `lost_at`: since when they went unheard (microseconds), None
        if unknown. May be repeated after `Transient`: it counts once.
        """
        with self._reacting():
            connection = self._ready()
            if not present:
                with connection.transaction():
                    self._session = self._new_session(connection, topics, lost_at, now)
        self.note_filters(topics)
        return self._session

    @property
    def undecided(self) -> int:
        """How many stored rows wait for a decision; they come before any newer row."""
        return self._undecided

    def commit(
        self,
        intake: Intake,
        moment: Moment,
        sinks: Sequence[Sink] | None,
        blind_reason: str,
        *,
        again: int = 0,
    ) -> Committed:
        """Store `intake` and what `sinks` decide at `moment`, in one transaction.

        `sinks` None: nothing can be decided now, so the rows are marked. `again`: so many of the oldest marks
        are decided on before the rows of `intake`, and deleted; without sinks their rows are given up.
        After `Transient` call again with the same objects: if the first attempt had committed after all,
        its result is adopted and returned. Raises `Poison`, `SinkFailed`, `Fenced`, `Fatal` (see `errors`).
        """
        with self._reacting():
            connection = self._ready()
            settled, self._settled = self._settled, None
            if settled is not None and settled.intake is intake:
                return settled.committed
            try:
                return self._transact(connection, intake, moment, sinks, blind_reason, again)
            except psycopg.errors.UniqueViolation:
                # A row came by another way than this writer, newer than its mark: ask the table this once.
                connection.execute("ROLLBACK")
                self._marks.forget()
                self._refiner_current = False
                self._careful = intake
                return self._transact(connection, intake, moment, sinks, blind_reason, again)

    def correct_zeros(self, catalogue: Catalogue, ids: Mapping[str, int]) -> Sequence[Correction]:
        """Bring stored levels to the catalogue's zeros; the next commit lets sinks judge the newest again.

        Call it between `claim` and `rebuild`; may be repeated.
        """
        with self._reacting():
            connection = self._ready()
            with connection.transaction():
                return self._correct(connection, catalogue, ids, self._refiner)

    def _correct(
        self, connection: Connection, catalogue: Catalogue, ids: Mapping[str, int], refiner: Refiner | None
    ) -> Sequence[Correction]:
        corrections = zeros.apply(connection, catalogue, ids, refiner)
        corrected = {ids[one.datastream] for one in corrections}
        undecided.mark_levels(connection, self._lease.partition, sorted(corrected))
        return corrections

    def rebuild(self, sinks: Sequence[Sink]) -> None:
        """Let refiner and sinks read all their state again, on this thread's connection; may be repeated.

        Raises `SinkFailed` where a sink cannot.
        """
        with self._reacting():
            connection = self._ready()
            self._rebuild_refiner(connection)
            _rebuild(sinks, connection)
            self._read_marks(connection)

    def _read_marks(self, connection: Connection) -> None:
        self._undecided = undecided.count(connection, self._lease.partition)
        self._rejudged = undecided.levels(connection, self._lease.partition)

    def take_up(
        self, catalogue: Catalogue, ids: Mapping[str, int], refiner: Refiner, sinks: Sequence[Sink]
    ) -> Sequence[Correction]:
        """Go over to another configuration between two commits, in the state that a start would come to.

        All of it or nothing: `SinkFailed` and `Poison` leave the one before as it was. After `Transient` call
        again.
        """
        with self._reacting():
            connection = self._ready()
            with connection.transaction():
                corrections = self._correct(connection, catalogue, ids, refiner)
                _rebuild_all(refiner, sinks, connection)
            self._read_marks(connection)
            self._refiner, self._refiner_current = refiner, True
        return corrections

    def note_filters(self, filters: Sequence[str]) -> None:
        """Keep what the broker's session may hold from now on; may be repeated."""
        with self._reacting():
            connection = self._ready()
            if tuple(filters) != self._filters:
                connection.execute(_FILTERS, (list(filters), self._lease.partition, self._lease.epoch))
                self._filters = tuple(filters)

    def use(self, work: Callable[[Connection], T]) -> T:
        """What `work` makes of our connection between two commits; may be repeated."""
        with self._reacting():
            return work(self._ready())

    def close(self) -> None:
        """Give the partition back."""
        self._lease.drop()

    def _ready(self) -> Connection:
        """The connection, with no doubt left about the last COMMIT."""
        if self._lease.connection is not None:
            return self._lease.connection
        connection, batch = self._lease.regain()
        self._settle(batch)
        return connection

    def _settle(self, batch: int) -> None:
        """Adopt what was staged if the database has reached it.

        What it has not reached stays staged: should its COMMIT still arrive, the fence of the next
        attempt touches no row and this is asked again.
        """
        if self._staged is not None and batch == self._staged.committed.batch:
            staged = self._staged
            self._adopt(staged)
            self._settled = staged
        elif batch != self._batch:
            raise Fatal(
                f"the database is at batch {batch}, this process at {self._batch}: it was restored or failed"
                " over without its last commits; check what was lost, then start again"
            )

    def _transact(
        self,
        connection: Connection,
        intake: Intake,
        moment: Moment,
        sinks: Sequence[Sink] | None,
        blind_reason: str,
        again: int,
    ) -> Committed:
        if not self._refiner_current:
            self._rebuild_refiner(connection)
        self._partitions.ensure(connection, intake.observations.time)
        with connection.cursor() as cursor:
            arrival = receipts.arrivals(intake.messages)
            session, before = self._fence(cursor, int(arrival.max(initial=0)), moment, blind_reason)
            recalled = self._recall(cursor, intake, session, before + arrival)
            staged = self._write(cursor, intake, moment, sinks, session, recalled, again)
            self._staged = staged
            cursor.execute("COMMIT", prepare=False)
        self._adopt(staged)
        return staged.committed

    def _fence(self, cursor: Cursor, arrived: int, moment: Moment, blind_reason: str) -> tuple[int, int]:
        """Begin, with a batch more in the writer row; the session, and its arrivals before this batch."""
        sighted = None if moment.sighted_since is None else to_datetime(moment.sighted_since)
        news = (arrived, to_datetime(moment.now), sighted, blind_reason)
        cursor.execute("BEGIN", prepare=False)
        cursor.execute(_FENCE, (*news, self._lease.partition, self._lease.epoch, self._batch))
        row = cursor.fetchone()
        if row is not None:
            return row[0], row[1] - arrived
        cursor.execute("ROLLBACK", prepare=False)
        self._settle(self._lease.check(cursor.connection))
        raise Transient("a commit that was given up has arrived after all; try again")

    def _recall(
        self, cursor: Cursor, intake: Intake, session: int, arrival: NDArray[np.int64]
    ) -> receipts.Recalled:
        indexes = receipts.needing(intake)
        again = [intake.messages[index].packet_id for index in indexes if intake.messages[index].dup]
        known = receipts.load(cursor, self._lease.partition, session, again)
        return receipts.recall(intake.messages, indexes, arrival, known, self._window)

    def _write(
        self,
        cursor: Cursor,
        intake: Intake,
        moment: Moment,
        sinks: Sequence[Sink] | None,
        session: int,
        recalled: receipts.Recalled,
        again: int,
    ) -> _Staged:
        observations = receipts.retime(intake.observations, recalled.times)
        verdict = rows.verdicts(cursor, self._marks, observations)
        fresh = maintenance.flag(cursor, observations.take(verdict == Verdict.NEW))
        refining = self._refine(cursor, intake, fresh)
        if refining is None:
            fresh = maintenance.doubted(fresh)
            told = fresh
        else:
            fresh = refining.rows
            told = ObservationBatch.joined([fresh, refined.first_known(cursor, refining.derived)])
        rows.copy(cursor, fresh)
        revised = self._save_refined(cursor, intake, refining, moment.now)
        outcomes, waiting = self._decide(cursor, Changes(told, moment, self._rejudged, revised), sinks, again)
        rows.keep_conflicts(cursor, observations.take(verdict == Verdict.CONFLICT))
        used = quarantine.write(cursor, intake, self._quota, moment.now) if intake.rejects else None
        quarantine.settle(cursor, intake, moment.now)
        codec_memory.save(cursor, intake.remembered)
        ledger.add(cursor, ledger.count(intake, verdict))
        receipts.save(cursor, self._lease.partition, session, recalled.fresh)
        _persist(cursor, outcomes)
        quota = None if used is None else (moment.now, used)
        committed = self._committed(intake, verdict)
        return _Staged(intake, committed, session, fresh, refining, quota, outcomes, waiting)

    def _decide(
        self, cursor: Cursor, changes: Changes, sinks: Sequence[Sink] | None, again: int
    ) -> tuple[list[tuple[Sink, Any]], int]:
        """What the sinks make of the oldest `again` marked rows and then of the new; how many stay marked."""
        partition = self._lease.partition
        if sinks and self._rejudged:
            undecided.forget_levels(cursor, partition)
        if sinks is None:
            return [], undecided.mark(cursor, partition, changes.inserted, self._undecided)
        if not again:
            return _evaluate(sinks, changes), self._undecided
        marked = undecided.oldest(cursor, partition, again)
        told = ObservationBatch.joined([marked, changes.inserted])
        outcomes = _evaluate(sinks, replace(changes, inserted=told))
        return outcomes, self._undecided - undecided.forget(cursor, partition, again)

    def _refine(self, cursor: Cursor, intake: Intake, fresh: ObservationBatch) -> Refined | None:
        """Flags and results of new rows. A fault in a test or a derivation costs these, never the rows."""
        if self._refiner is None or self._as_it_comes is intake:
            return None
        try:
            return self._refiner.evaluate(fresh, lambda spans: refined.load_inputs(cursor, spans))
        except (psycopg.Error, StoreError):
            raise
        except Exception as error:
            self._gave_up_refining(error)
            return None

    def _save_refined(self, cursor: Cursor, intake: Intake, refining: Refined | None, now: int) -> Revised:
        """Store flags and results; the rows whose flag is another now."""
        if refining is None:
            return Revised.none()
        try:
            careful = self._careful is intake
            refined.save(cursor, refining.revisions, refining.derived, now, careful=careful)
            doubted = refined.doubt(cursor, refining.burst, now)
        except psycopg.errors.UniqueViolation:
            raise  # the batch is tried once more, carefully
        except psycopg.Error as error:
            if isinstance(reaction_to(error), Poison):
                self._as_it_comes = intake
                self._gave_up_refining(error)
                raise Transient("rows are stored without their results") from error
            raise
        return refining.revised(doubted)

    def _gave_up_refining(self, error: Exception) -> None:
        log.error("rows stored without quality tests and derived results", exc_info=error)
        metrics.REFINE_FAILURES.inc()
        self._refiner_current = False

    def _rebuild_refiner(self, connection: Connection) -> None:
        if self._refiner is not None:
            self._refiner.rebuild(lambda need: refined.read_memory(connection, need))
        self._refiner_current = True

    def _committed(self, intake: Intake, verdict: NDArray[np.int8]) -> Committed:
        return Committed(
            batch=self._batch + 1,
            messages=len(intake.messages),
            stored=int(np.count_nonzero(verdict == Verdict.NEW)),
            duplicate=int(np.count_nonzero(verdict == Verdict.DUPLICATE)),
            conflict=int(np.count_nonzero(verdict == Verdict.CONFLICT)),
            rejected=sum(reject.reading for reject in intake.rejects),
        )

    def _adopt(self, staged: _Staged) -> None:
        """The transaction is committed: make it what this process knows."""
        self._staged = None
        self._batch, self._session = staged.committed.batch, staged.session
        self._undecided = staged.undecided
        metrics.UNDECIDED.set(staged.undecided)
        self._marks.adopt(staged.fresh.datastream, staged.fresh.time)
        if staged.refined is not None:
            metrics.VERIFY_NOW.inc(int(np.count_nonzero(staged.refined.appraisal.consistent_failures)))
        if self._refiner is not None and staged.refined is not None:
            self._refiner.adopt(staged.refined)
        if staged.outcomes:
            self._rejudged = ()
        if staged.quota is not None:
            self._quota.adopt(*staged.quota)
        for sink, outcome in staged.outcomes:
            try:
                sink.adopt(outcome)
            except Exception as error:
                raise Fatal(f"{sink} lost step with the database ({error}): restart rebuilds it") from error

    def _new_session(
        self, connection: Connection, topics: Sequence[str], lost_at: int | None, now: int
    ) -> int:
        partition, epoch, before = self._lease.partition, self._lease.epoch, self._session
        row = connection.execute(_NEW_SESSION, (partition, epoch, before)).fetchone()
        if row is None:  # another owner, or done by an attempt whose outcome we did not hear
            self._lease.check(connection)
            row = connection.execute(_SESSION, (partition, epoch)).fetchone()
        assert row is not None
        reason = "session lost" if before else "first session"
        times = None if lost_at is None else to_datetime(lost_at), to_datetime(now)
        connection.execute(_GAP, (partition, row[0], list(topics), *times, reason))
        connection.execute(_OLD_RECEIPTS, (partition, row[0]))
        return int(row[0])

    @contextmanager
    def _reacting(self) -> Iterator[None]:
        """Errors leave as `StoreError`; the connection is kept only where the database answered on it."""
        try:
            yield
        except (Poison, SinkFailed):
            self._roll_back()
            raise
        except psycopg.Error as error:
            reaction = reaction_to(error)
            if isinstance(reaction, Poison):
                self._roll_back()
            else:
                self._lease.drop()
            raise reaction from error
        except BaseException:
            self._lease.drop()
            raise

    def _roll_back(self) -> None:
        self._partitions.forget()
        try:
            if self._lease.connection is not None:
                self._lease.connection.execute("ROLLBACK")
        except psycopg.Error:
            self._lease.drop()


def _rebuild_all(refiner: Refiner, sinks: Sequence[Sink], connection: Connection) -> None:
    try:
        refiner.rebuild(lambda need: refined.read_memory(connection, need))
    except (psycopg.Error, StoreError):
        raise
    except Exception as error:
        raise SinkFailed(f"quality tests and derivations cannot read their memory: {error!r}") from error
    _rebuild(sinks, connection)


def _rebuild(sinks: Sequence[Sink], connection: Connection) -> None:
    for sink in sinks:
        try:
            sink.rebuild(connection)
        except (psycopg.Error, StoreError):
            raise
        except Exception as error:
            raise SinkFailed(f"{sink} cannot read its state: {error!r}") from error


def _evaluate(sinks: Sequence[Sink], changes: Changes) -> list[tuple[Sink, Any]]:
    try:
        return [(sink, sink.evaluate(changes)) for sink in sinks]
    except Exception as error:
        raise SinkFailed(f"a sink cannot evaluate these rows: {error!r}") from error


def _persist(cursor: Cursor, outcomes: Sequence[tuple[Sink, Any]]) -> None:
    """Write what the sinks decided. What the database cannot do now stays `Transient`, whoever asked it."""
    for sink, outcome in outcomes:
        try:
            sink.persist(cursor, outcome)
        except psycopg.Error as error:
            if isinstance(reaction_to(error), Poison):
                raise SinkFailed(f"{sink} wrote what the database refuses: {error}") from error
            raise
        except StoreError:
            raise
        except Exception as error:
            raise SinkFailed(f"{sink} cannot persist its outcome: {error!r}") from error
