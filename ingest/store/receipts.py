"""Keeps the first time of arrival of messages that bring no time of their own.

Such readings take the time of arrival, which a redelivery after a crash would change: one sample stored
twice. So the transaction writes a receipt (session, packet id, digest, time), and a message that comes
back with DUP set, the same digest and within the broker's window takes the recorded time.
Promised for QoS 1 and 2. `recall` is pure; the rest runs in the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from ingest.clock import to_datetime, to_micros
from ingest.model import Intake, ObservationBatch, RawMessage
from ingest.store.connection import Cursor

_NONE = np.iinfo(np.int64).min

_LOAD = (
    "SELECT packet_id, digest, received_at, arrival FROM receipt"
    " WHERE partition = %s AND session = %s AND packet_id = ANY(%s)"
)
_SAVE = """
INSERT INTO receipt (partition, session, packet_id, digest, received_at, arrival)
SELECT %s, %s, * FROM unnest(%s::int4[], %s::bytea[], %s::timestamptz[], %s::int8[])
ON CONFLICT (partition, session, packet_id) DO UPDATE
SET digest = excluded.digest, received_at = excluded.received_at, arrival = excluded.arrival
"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`received_at` in microseconds; `arrival` counts the session's messages up to this one."""

    digest: bytes
    received_at: int
    arrival: int


@dataclass(frozen=True, slots=True)
class Recalled:
    """`times`: message index -> recorded time of arrival; `fresh`: packet id -> receipt to write."""

    times: Mapping[int, int]
    fresh: Mapping[int, Receipt]


def needing(intake: Intake) -> list[int]:
    """The messages, in order of arrival, whose rows have only the time of arrival and that may come again."""
    indexes = np.unique(intake.observations.message[intake.observations.timeless]).tolist()
    return [index for index in indexes if intake.messages[index].qos > 0]


def arrivals(messages: Sequence[RawMessage]) -> NDArray[np.int64]:
    """For each message how many new ones the batch had brought with it; redeliveries are not counted.

    Not counting them keeps the distance between a message and its redelivery within the window,
    however many connections break in between.
    """
    return np.cumsum(np.fromiter((m.qos > 0 and not m.dup for m in messages), np.int64, len(messages)))


def recall(
    messages: Sequence[RawMessage],
    indexes: Iterable[int],
    arrival: NDArray[np.int64],
    known: Mapping[int, Receipt],
    window: int,
) -> Recalled:
    """Which of these messages are known by their receipts, and the receipts of those that are not.

    A packet id comes free once its message is acknowledged, and at most `window` (Receive Maximum)
    messages are unacknowledged: a receipt further back belongs to another message.
    """
    times: dict[int, int] = {}
    fresh: dict[int, Receipt] = {}
    for index in indexes:
        message, digest = messages[index], _digest(messages[index])
        receipt = fresh.get(message.packet_id) or known.get(message.packet_id)
        if (
            message.dup
            and receipt is not None
            and receipt.digest == digest
            and arrival[index] - receipt.arrival <= window
        ):
            times[index] = receipt.received_at
        else:
            fresh[message.packet_id] = Receipt(digest, message.received_at, int(arrival[index]))
    return Recalled(times, fresh)


def retime(observations: ObservationBatch, times: Mapping[int, int]) -> ObservationBatch:
    """The rows, with the recorded time of arrival where a message has one."""
    if not times:
        return observations
    recorded = np.full(int(observations.message.max()) + 1, _NONE, np.int64)
    recorded[list(times)] = list(times.values())
    by_row = recorded[observations.message]
    known = by_row != _NONE
    return replace(
        observations,
        # what came some time before its message keeps that distance
        time=np.where(
            known & observations.timeless,
            observations.time + by_row - observations.received_at,
            observations.time,
        ),
        received_at=np.where(known, by_row, observations.received_at),
    )


def load(cursor: Cursor, partition: str, session: int, packet_ids: list[int]) -> dict[int, Receipt]:
    """The session's receipts for these packet ids."""
    if not packet_ids:
        return {}
    rows = cursor.execute(_LOAD, (partition, session, packet_ids)).fetchall()
    return {packet: Receipt(digest, to_micros(at), arrival) for packet, digest, at, arrival in rows}


def save(cursor: Cursor, partition: str, session: int, fresh: Mapping[int, Receipt]) -> None:
    """Write receipts, each in place of an older one of its packet id."""
    if not fresh:
        return
    kept = fresh.values()
    columns = (
        list(fresh),
        [receipt.digest for receipt in kept],
        [to_datetime(receipt.received_at) for receipt in kept],
        [receipt.arrival for receipt in kept],
    )
    cursor.execute(_SAVE, (partition, session, *columns))


def _digest(message: RawMessage) -> bytes:
    topic = message.topic.encode("utf-8", "surrogatepass")
    return blake2b(len(topic).to_bytes(4) + topic + message.payload, digest_size=16).digest()
