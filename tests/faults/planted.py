"""`huewatch` with one mistake planted in it: `python planted.py MISTAKE run`. Started by test_planted_bugs.

Each is a mistake that others have made, at the place where it would be made here. None is reachable from the
product.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import psycopg

import huewatch
from alerts import store
from alerts.sink import AlertSink, Decided
from ingest.model import Intake, RawMessage
from ingest.mqtt import Subscriber
from ingest.mqtt_connection import Connection
from ingest.pipeline import Pipeline
from ingest.store import receipts, rows
from ingest.store.classify import Verdict
from ingest.store.write import Writer
from ingest.topics import MARKER_PREFIX

PUBACK = 0x40
PUBACK_BYTES = 4


def put(where: object, name: str, mistake: object) -> None:
    """In place of what is there, for good."""
    patch.object(where, name, mistake).start()


def acknowledge_before_commit() -> None:
    """As a client does that acknowledges when a message is handed over."""
    commit, acknowledge = Pipeline._commit, Subscriber.acknowledge

    async def early(self: Pipeline, intake: Intake, tick: bool) -> None:
        acknowledge(self._subscriber, intake.messages)
        await commit(self, intake, tick)

    def done(self: Subscriber, messages: Sequence[RawMessage]) -> None:
        """It was acknowledged before."""

    put(Pipeline, "_commit", early)
    put(Subscriber, "acknowledge", done)


def acknowledge_out_of_order() -> None:
    """The newest first, below the check that our own code does of itself."""
    write = Connection._write

    def backwards(self: Connection, data: bytes) -> None:
        if data[0] == PUBACK:
            packets = [data[i : i + PUBACK_BYTES] for i in range(0, len(data), PUBACK_BYTES)]
            data = b"".join(reversed(packets))
        write(self, data)

    put(Connection, "_write", backwards)


def lose_the_slot_of_poison() -> None:
    """What cannot be read is never acknowledged: the broker's window for us shrinks by one each time."""
    acknowledge = Subscriber.acknowledge

    def readable_only(self: Subscriber, messages: Sequence[RawMessage]) -> None:
        readable = [m for m in messages if m.topic.startswith(MARKER_PREFIX) or b'"unit":"m"' in m.payload]
        for message in messages:
            if message not in readable and self._connection is not None:
                self._connection._unacknowledged.remove(message.packet_id)
        acknowledge(self, readable)

    put(Subscriber, "acknowledge", readable_only)


def events_after_commit() -> None:
    """The rows in one transaction, the events that they raise in the next."""
    adopt = Writer._adopt

    def persist(self: AlertSink, cursor: psycopg.Cursor[Any], outcome: Decided) -> None:
        if outcome.conditions:
            store.upsert_conditions(cursor, outcome.conditions)

    def adopt_and_tell(self: Writer, staged: Any) -> None:
        adopt(self, staged)
        decided = [outcome for sink, outcome in staged.outcomes if isinstance(sink, AlertSink)]
        events = [event for outcome in decided for event in outcome.events]
        if events and self._lease.connection is not None:
            with self._lease.connection.transaction(), self._lease.connection.cursor() as cursor:
                store.append_events(cursor, events)

    put(AlertSink, "persist", persist)
    put(Writer, "_adopt", adopt_and_tell)


def every_row_is_new() -> None:
    """What is delivered again is not recognised."""
    verdicts = rows.verdicts
    put(rows, "verdicts", lambda *arguments: np.full_like(verdicts(*arguments), Verdict.NEW))


def no_receipts() -> None:
    """A reading without a time takes the time at which it came again."""
    recall = receipts.recall
    put(
        receipts,
        "recall",
        lambda messages, indexes, arrival, _known, window: recall(messages, indexes, arrival, {}, window),
    )


MISTAKES: dict[str, Callable[[], None]] = {
    mistake.__name__: mistake
    for mistake in (
        acknowledge_before_commit,
        acknowledge_out_of_order,
        lose_the_slot_of_poison,
        events_after_commit,
        every_row_is_new,
        no_receipts,
    )
}

if __name__ == "__main__":
    MISTAKES[sys.argv.pop(1)]()
    huewatch.main()
