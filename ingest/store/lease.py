"""Who may write a partition: one process at a time, fenced, and its connection.

A session-level advisory lock keeps a second process out while the first lives; the epoch in the writer row
fences one that lost its connection and came back too late. Holding the lock also settles every doubt: the
session that held it before has ended, so no commit of it can still be under way. Called by `write.Writer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

import psycopg

from ingest.clock import to_micros
from ingest.store.connection import Connection, connect
from ingest.store.errors import Fatal, Fenced, PartitionHeld, Transient

_NAMESPACE = 0x48554557  # "HUEW": our half of the advisory lock's key
_CLAIM_WAIT = "3s"  # a process that was just killed leaves its lock behind for about that long at most
_REGAIN_WAIT = "1s"  # then the backend that we lost is ended

_CLAIM = """
INSERT INTO writer AS w (partition, epoch, owner, backend_pid) VALUES (%s, 1, %s, pg_backend_pid())
ON CONFLICT (partition) DO UPDATE
SET epoch = w.epoch + 1, owner = excluded.owner, backend_pid = excluded.backend_pid
RETURNING epoch, batch, session, arrivals, sighted_since, now_at, filters
"""
_REGAIN = (
    "UPDATE writer SET backend_pid = pg_backend_pid() WHERE partition = %s AND epoch = %s RETURNING batch"
)
_LOCK = "SELECT pg_advisory_lock(%s, %s)"
# Only a backend of ours, only while the row is ours, only if it holds this very lock. One that we lost before
# the writer row named it still carries our name.
_END_OLD_BACKEND = """
SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid, writer w
WHERE (w.backend_pid = l.pid OR a.application_name = current_setting('application_name'))
  AND w.partition = %s AND w.epoch = %s AND l.locktype = 'advisory' AND l.granted
  AND l.classid = %s::int8::oid AND l.objid = %s::int8::oid AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed partition. Times in microseconds, as the last commit of the partition left them.

    `filters`: what the broker's session was last subscribed to.
    """

    epoch: int
    batch: int
    session: int
    arrivals: int
    sighted_since: int | None
    now_at: int | None
    filters: tuple[str, ...]


class Lease:
    """The claim on one partition and the connection that holds it."""

    def __init__(self, database_url: str, partition: str, owner: str) -> None:
        self.partition = partition
        self.epoch = 0
        self._url = database_url
        self._owner = owner
        self._key = (_NAMESPACE, crc32(partition.encode()) & 0x7FFF_FFFF)
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection | None:
        """The connection that holds the lock; None when it is lost."""
        if self._connection is not None and self._connection.closed:
            self._connection = None
        return self._connection

    def claim(self) -> tuple[Connection, Claim]:
        """Take the partition for this process, with a new epoch. `PartitionHeld` while another lives."""
        self.drop()
        connection = self._open()
        if not self._lock(connection, _CLAIM_WAIT):
            raise PartitionHeld(self._held_by(connection))
        row = connection.execute(_CLAIM, (self.partition, self._owner)).fetchone()
        assert row is not None
        epoch, batch, session, arrivals, sighted, now, filters = row
        self.epoch = epoch
        times = _micros(sighted), _micros(now)
        return connection, Claim(epoch, batch, session, arrivals, *times, tuple(filters))

    def regain(self) -> tuple[Connection, int]:
        """A new connection under the same epoch and the batch that the database has reached.

        Raises `Fenced` when another process has taken the partition, `Transient` when the lock stays held.
        """
        connection = self._open()
        if not self._lock(connection, _REGAIN_WAIT):
            self.check(connection)
            connection.execute(_END_OLD_BACKEND, (self.partition, self.epoch, *self._key))
            if not self._lock(connection, _CLAIM_WAIT):
                raise Transient(f"{self._held_by(connection)}; waiting for its session to end")
        row = connection.execute(_REGAIN, (self.partition, self.epoch)).fetchone()
        if row is None:
            raise self._lost(connection)
        return connection, int(row[0])

    def check(self, connection: Connection) -> int:
        """The batch that the database has reached, if the epoch is still ours; else `Fenced`."""
        row = connection.execute(
            "SELECT batch FROM writer WHERE partition = %s AND epoch = %s", (self.partition, self.epoch)
        ).fetchone()
        if row is None:
            raise self._lost(connection)
        return int(row[0])

    def drop(self) -> None:
        """Close the connection: the server ends the transaction and frees the lock."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        self.drop()
        self._connection = connect(self._url, application_name=f"huewatch {self._owner}"[:63])
        return self._connection

    def _lock(self, connection: Connection, wait: str) -> bool:
        """Whether the lock came within `wait`; it outlives the transaction and ends with the session."""
        try:
            with connection.transaction():
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (wait,))
                connection.execute(_LOCK, self._key)
        except psycopg.errors.LockNotAvailable:
            return False
        return True

    def _held_by(self, connection: Connection) -> str:
        row = connection.execute(
            "SELECT owner, committed_at FROM writer WHERE partition = %s", (self.partition,)
        ).fetchone()
        owner, last = row if row else ("a process that is just starting", None)
        return (
            f"partition {self.partition!r} is held by {owner} (last commit: {last or 'none yet'}):"
            " stop that process, or give this one a partition of its own"
        )

    def _lost(self, connection: Connection) -> Fenced | Fatal:
        row = connection.execute(
            "SELECT owner, epoch FROM writer WHERE partition = %s", (self.partition,)
        ).fetchone()
        if row is None:
            return Fatal(
                f"the writer row of partition {self.partition!r} is gone: was the database replaced?"
            )
        return Fenced(
            f"partition {self.partition!r} belongs to {row[0]} now (epoch {row[1]}): stop this process"
        )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
