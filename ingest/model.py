"""The words that the parts of Huewatch share: messages, readings, columns, changes.

Times are microseconds since 1970-01-01T00:00:00Z (`int`, or `int64` in columns).
Nothing here does I/O. `Sink` is what the pipeline is given to hear of stored rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Protocol

import msgspec
import numpy as np
import psycopg
from numpy.typing import NDArray


class Quality(IntEnum):
    """QARTOD flags (IOOS manual for real-time quality control)."""

    PASS = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class TimeSource(IntEnum):
    """Whose clock gave a reading its time, from the best to the least."""

    DEVICE = 1
    GATEWAY = 2  # a gateway whose clock is held by GPS or NTP
    SERVER = 3  # the network server stamped the uplink when it heard of it
    ARRIVAL = 4  # nobody: it is when the message came
    CORRECTED = 5  # the device's clock is known to be wrong, and the catalogue says how to mend it


class Nature(StrEnum):
    """CAP 1.2 `status` of everything that Huewatch carries; fixed by the catalogue."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    TEST = "Test"


class RejectReason(StrEnum):
    """Why a message or a reading went to quarantine; the list is closed."""

    NO_ROUTE = "no_route"
    UNDECODABLE = "undecodable"
    NEEDS_BIRTH = "needs_birth"
    IDENTITY_MISMATCH = "identity_mismatch"
    TOO_LARGE = "too_large"
    UNKNOWN_DEVICE = "unknown_device"
    UNKNOWN_CHANNEL = "unknown_channel"
    NOT_INSTALLED = "not_installed"
    UNKNOWN_UNIT = "unknown_unit"
    NOT_A_NUMBER = "not_a_number"
    SENTINEL = "sentinel"
    TIME_TOO_OLD = "time_too_old"
    TIME_IN_FUTURE = "time_in_future"
    CLOCK_RESET = "clock_reset"
    CLOCK_ZONE = "clock_zone"
    RETAINED_WITHOUT_TIME = "retained_without_time"
    NATURE_MISMATCH = "nature_mismatch"
    STORAGE_ERROR = "storage_error"


class BlindReason(StrEnum):
    """Why readings may be missing although we run; the console has words for each."""

    STARTING = "starting"
    NO_BROKER = "no_broker"
    BACKLOG = "backlog_unread"
    UNDECIDED = "alerts_undecided"
    DATABASE_WAS_AWAY = "database_was_away"


class RawMessage(msgspec.Struct, frozen=True, gc=False):
    """One PUBLISH as it came; `(epoch, packet_id)` acknowledges it. `packet_id` is 0 at QoS 0.

    `quarantined`: the digest of the quarantine row that the message is read again from, empty for all others.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    received_at: int
    epoch: int
    packet_id: int
    quarantined: bytes = b""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What the gateway said of one channel. `value` is a string only for words such as `"No Sensor"`.

    `time` is None where the message has none; the reading is then from `age` microseconds before the message
    arrived. `time_source` says whose clock a time is from. `quality` is what the device itself says of the
    value (calibrating or faulty: FAIL), NOT_EVALUATED where it says nothing.
    """

    device: str
    channel: str
    value: float | str
    unit: str | None = None
    time: int | None = None
    time_source: TimeSource = TimeSource.DEVICE
    age: int = 0
    quality: Quality = Quality.NOT_EVALUATED


class Remembered(msgspec.Struct, frozen=True, gc=False):
    """What a codec wants to know again of a gateway, also after a restart; an empty value forgets the key."""

    codec: str
    gateway: str
    key: str
    value: bytes


class Request(msgspec.Struct, frozen=True, gc=False):
    """A message that a codec wants sent to a gateway at QoS 0, such as the request for a birth."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ObservationBatch:
    """Observations as columns of one length, in order of arrival.

    `datastream` int32 ids, `time` and `received_at` int64 microseconds UTC, `value` float64 in the
    datastream's unit, `quality` int8 (`Quality`), `message` int32 index of the message each came from,
    `timeless` bool where the payload had no time and `time` is the arrival's, `time_source` int8
    (`TimeSource`), `tests` int64: the flag of each quality test, packed by `ingest.quality`.
    """

    datastream: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int8]
    received_at: NDArray[np.int64]
    message: NDArray[np.int32]
    timeless: NDArray[np.bool_]
    time_source: NDArray[np.int8]
    tests: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.datastream)

    def take(self, rows: NDArray[Any]) -> ObservationBatch:
        """The rows named by an index or boolean array."""
        return ObservationBatch(
            self.datastream[rows],
            self.time[rows],
            self.value[rows],
            self.quality[rows],
            self.received_at[rows],
            self.message[rows],
            self.timeless[rows],
            self.time_source[rows],
            self.tests[rows],
        )

    @classmethod
    def joined(cls, batches: Sequence[ObservationBatch]) -> ObservationBatch:
        """The rows of all of these, in their order."""
        if not batches:
            return cls.empty()
        return cls(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in cls.__slots__))

    @classmethod
    def empty(cls) -> ObservationBatch:
        """A batch without rows."""
        return cls(
            np.empty(0, np.int32),
            np.empty(0, np.int64),
            np.empty(0, np.float64),
            np.empty(0, np.int8),
            np.empty(0, np.int64),
            np.empty(0, np.int32),
            np.empty(0, np.bool_),
            np.empty(0, np.int8),
            np.empty(0, np.int64),
        )


@dataclass(frozen=True, slots=True)
class Reject:
    """One quarantine row to be. `message` indexes the intake's messages; `reading` tells whether a single
    reading of a readable message was refused (True) or the whole message could not be read (False)."""

    message: int
    reason: RejectReason
    detail: str
    codec: str
    codec_version: int
    reading: bool


class Fate(IntEnum):
    """What became of a message before its readings are looked at."""

    READABLE = 0  # decoded to one or more readings
    EMPTY = 1  # a join, a status, a marker, a tick: known to carry no reading
    UNREADABLE = 2  # quarantined whole


@dataclass(frozen=True, slots=True)
class Intake:
    """A group of messages after decoding and normalising: all that one transaction needs to know of them.

    `gateway` (int32 per message) indexes `gateway_names`; unknown gateways share one name, so that
    hostile topics cannot grow tables or metric labels. `fate` is int8 per message (`Fate`). `remembered` is
    stored with them; `requests` are sent once they are committed.
    """

    messages: Sequence[RawMessage]
    observations: ObservationBatch
    rejects: Sequence[Reject]
    gateway: NDArray[np.int32]
    gateway_names: Sequence[str]
    fate: NDArray[np.int8]
    remembered: Sequence[Remembered] = ()
    requests: Sequence[Request] = ()

    @classmethod
    def empty(cls) -> Intake:
        """No messages: what a tick commits."""
        return cls((), ObservationBatch.empty(), (), np.empty(0, np.int32), (), np.empty(0, np.int8))


@dataclass(frozen=True, slots=True)
class Moment:
    """The time at which a transaction decides.

    `now`: the clock, microseconds. `tick`: whether rules of time (silence) are judged after the rows.
    `sighted_since`: since when readings could reach us without hindrance, or None while we are blind
    (no connection, no commit, or the marker of the last connect not yet back).
    """

    now: int
    tick: bool
    sighted_since: int | None


@dataclass(frozen=True, slots=True)
class Revised:
    """Rows whose flag is another now, as columns: `datastream` int32, `time` int64, `quality` int8.

    Earlier rows, or rows of the same batch that a later one of it decided; of two words on a row the last
    stands.
    """

    datastream: NDArray[np.int32]
    time: NDArray[np.int64]
    quality: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.datastream)

    @classmethod
    def none(cls) -> Revised:
        """No row."""
        return cls(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int8))


@dataclass(frozen=True, slots=True)
class Changes:
    """What a sink is given inside the transaction: the rows that are really new, and the moment.

    Behind the measured rows come those of derived datastreams that are known for the first time.
    `rejudged`: datastreams whose stored levels have changed since anything was decided on them, since a zero
    was corrected; the newest of each is to be judged again. `revised`: rows whose flag is another now.
    """

    inserted: ObservationBatch
    moment: Moment
    rejudged: Sequence[int] = ()
    revised: Revised = field(default_factory=Revised.none)


class Sink(Protocol):
    """Something that decides from stored rows within their own transaction.

    `rebuild` reads all state from the database (at start, and when a commit's outcome was in doubt).
    `evaluate` is pure: it returns an outcome and changes nothing. `persist` writes the outcome with the
    transaction's cursor, last before COMMIT. `adopt` makes the outcome the state, after COMMIT only.
    """

    def rebuild(self, connection: psycopg.Connection[Any]) -> None: ...
    def evaluate(self, changes: Changes) -> Any: ...
    def persist(self, cursor: psycopg.Cursor[Any], outcome: Any) -> None: ...
    def adopt(self, outcome: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Committed:
    """What one transaction did, in readings unless said otherwise."""

    batch: int
    messages: int
    stored: int
    duplicate: int
    conflict: int
    rejected: int
