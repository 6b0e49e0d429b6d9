"""What the store's tests say in few words: a migrated database, messages with readings, a sink that tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg

from ingest.model import (
    Changes,
    Committed,
    Fate,
    Intake,
    Moment,
    Nature,
    ObservationBatch,
    RawMessage,
    Reject,
    RejectReason,
    Sink,
)
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.migrate import INGEST, migrate
from ingest.store.write import Writer

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
WEEK = 7 * 24 * HOUR
NOW = 1_761_577_200_000_000  # 2025-10-27T15:00:00Z, a Monday
WINDOW = 4

Readings = Sequence[tuple[int, int | None, float]]  # datastream, time (None: the payload has none), value


def prepare(url: str, series: int = 5) -> list[int]:
    """Migrate an empty database and register some series; their ids."""
    with connect(url, application_name="test") as connection:
        migrate(connection, [INGEST], Nature.EXERCISE)
        keys = [f"station-{index}/level" for index in range(series)]
        return list(register(connection, keys, Nature.EXERCISE).values())


def message(payload: bytes = b"1.5", **fields: Any) -> RawMessage:
    """A QoS 1 message that arrives at NOW, but for the fields named."""
    usual: dict[str, Any] = {
        "topic": "hue/v1/gateway/device/readings",
        "qos": 1,
        "retain": False,
        "dup": False,
        "received_at": NOW,
        "epoch": 1,
        "packet_id": 1,
    }
    return RawMessage(payload=payload, **(usual | fields))


@dataclass(frozen=True, slots=True)
class Said:
    """One message with its readings and what of it was refused."""

    readings: Readings = ()
    message: RawMessage = field(default_factory=message)
    gateway: str = "gateway"
    rejects: Sequence[RejectReason] = ()
    detail: str = "why"
    fate: Fate = Fate.READABLE


def intake_of(*said: Said) -> Intake:
    """The intake of these messages, in order of arrival."""
    gateways = list(dict.fromkeys(one.gateway for one in said))
    rows = [(index, *reading) for index, one in enumerate(said) for reading in one.readings]
    received = [said[index].message.received_at for index, *_ in rows]
    times = [at if time is None else time for at, (_, _, time, _) in zip(received, rows, strict=True)]
    observations = ObservationBatch(
        datastream=np.array([row[1] for row in rows], np.int32),
        time=np.array(times, np.int64),
        value=np.array([row[3] for row in rows], np.float64),
        quality=np.ones(len(rows), np.int8),
        received_at=np.array(received, np.int64),
        message=np.array([row[0] for row in rows], np.int32),
        timeless=np.array([row[2] is None for row in rows], np.bool_),
        time_source=np.array([4 if row[2] is None else 1 for row in rows], np.int8),
        tests=np.zeros(len(rows), np.int64),
    )
    return Intake(
        messages=[one.message for one in said],
        observations=observations,
        rejects=[
            Reject(index, reason, one.detail, "test", 1, one.fate == Fate.READABLE)
            for index, one in enumerate(said)
            for reason in one.rejects
        ],
        gateway=np.array([gateways.index(one.gateway) for one in said], np.int32),
        gateway_names=gateways,
        fate=np.array([one.fate for one in said], np.int8),
    )


def says(*readings: tuple[int, int | None, float]) -> Intake:
    """One message with these readings."""
    return intake_of(Said(readings))


def claimed(url: str, owner: str = "test", partition: str = "city", window: int = WINDOW) -> Writer:
    """A writer that holds its partition."""
    writer = Writer(url, partition, owner, window)
    writer.claim()
    return writer


def commit(writer: Writer, intake: Intake, *sinks: Sink, now: int = NOW) -> Committed:
    """Commit with nothing special about the moment."""
    return writer.commit(intake, Moment(now, False, None), sinks, "test")


def table(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a query on a connection of its own."""
    with connect(url, application_name="test") as connection:
        return connection.execute(query, parameters).fetchall()


def stored(url: str) -> list[tuple[int, int, float]]:
    """Every observation as (datastream, time, value), by key."""
    rows = table(
        url,
        "SELECT datastream, (extract(epoch FROM time) * 1000000)::int8, value"
        " FROM observation ORDER BY datastream, observation.time",
    )
    return [(datastream, int(time), value) for datastream, time, value in rows]


class TellingSink:
    """Writes each row that it is given into a table of its own, in the store's transaction."""

    def __init__(self, url: str) -> None:
        self.evaluated: list[Changes] = []
        self.adopted: list[Any] = []
        self.rebuilt = 0
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS huewatch.told (place int8 GENERATED ALWAYS AS IDENTITY,"
                " datastream int4, time int8, value float8)"
            )

    def rebuild(self, connection: psycopg.Connection[Any]) -> None:
        self.rebuilt += 1

    def evaluate(self, changes: Changes) -> Any:
        self.evaluated.append(changes)
        rows = changes.inserted
        return list(zip(rows.datastream.tolist(), rows.time.tolist(), rows.value.tolist(), strict=True))

    def persist(self, cursor: psycopg.Cursor[Any], outcome: Any) -> None:
        cursor.executemany("INSERT INTO told (datastream, time, value) VALUES (%s, %s, %s)", outcome)

    def adopt(self, outcome: Any) -> None:
        self.adopted.append(outcome)


def told(url: str) -> list[tuple[Any, ...]]:
    """What a `TellingSink` has told, in order."""
    return table(url, "SELECT datastream, time, value FROM told ORDER BY place")
