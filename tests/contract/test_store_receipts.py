"""A message without a time of its own keeps the time at which it first came, and no other message does."""

from dataclasses import replace
from typing import Any

import pytest

from ingest.model import Intake
from tests.support.databases import Database
from tests.support.store import (
    NOW,
    SECOND,
    WINDOW,
    Said,
    claimed,
    commit,
    intake_of,
    message,
    prepare,
    stored,
)

pytestmark = pytest.mark.every_database


def timeless(series: int, value: float = 1.5, **fields: Any) -> Said:
    payload = str(value).encode()
    return Said([(series, None, value)], message(payload, **fields))


def test_redelivered_message_keeps_its_first_time(database: Database) -> None:
    a, b, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, intake_of(timeless(a, packet_id=7), timeless(b, packet_id=8)))
    again = commit(
        writer,
        intake_of(
            timeless(a, packet_id=7, dup=True, received_at=NOW + 60 * SECOND),
            timeless(b, packet_id=8, dup=True, received_at=NOW + 60 * SECOND),
        ),
    )
    assert (again.stored, again.duplicate) == (0, 2)
    assert stored(database.url) == [(a, NOW, 1.5), (b, NOW, 1.5)]
    writer.close()


def test_redelivery_to_the_next_owner_keeps_the_first_time(database: Database) -> None:
    a, *_ = prepare(database.url)
    before = claimed(database.url, "killed")
    commit(before, intake_of(timeless(a)))
    before.close()
    after = claimed(database.url, "next")
    assert commit(after, intake_of(timeless(a, dup=True, received_at=NOW + SECOND))).duplicate == 1
    after.close()


def test_message_and_redelivery_in_one_batch_are_one_reading(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    done = commit(writer, intake_of(timeless(a), timeless(a, dup=True, received_at=NOW + SECOND)))
    assert (done.stored, done.duplicate) == (1, 1)
    writer.close()


def test_redelivery_that_is_the_first_to_arrive_is_new_and_then_known(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    assert commit(writer, intake_of(timeless(a, dup=True))).stored == 1
    assert commit(writer, intake_of(timeless(a, dup=True, received_at=NOW + SECOND))).duplicate == 1
    writer.close()


@pytest.mark.parametrize(
    "other",
    [
        {"dup": False},
        {"dup": True, "packet_id": 2},
        {"dup": True, "value": 1.6},
        {"dup": True, "topic": "hue/v1/gateway/other/readings"},
    ],
    ids=["not redelivered", "other packet id", "other payload", "other topic"],
)
def test_what_is_not_the_same_message_is_a_new_reading(database: Database, other: dict[str, Any]) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, intake_of(timeless(a)))
    assert commit(writer, intake_of(timeless(a, received_at=NOW + SECOND, **other))).stored == 1
    writer.close()


@pytest.mark.parametrize(("between", "known"), [(WINDOW, True), (WINDOW + 1, False)])
def test_packet_id_is_the_same_message_within_the_window_only(
    database: Database, between: int, known: bool
) -> None:
    a, b, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, intake_of(timeless(a, packet_id=1)))
    others = [
        Said([(b, NOW + i, 1.0)], message(b"other", packet_id=10 + i, received_at=NOW))
        for i in range(between)
    ]
    commit(writer, intake_of(*others))
    done = commit(writer, intake_of(timeless(a, packet_id=1, dup=True, received_at=NOW + SECOND)))
    assert done.duplicate == known
    writer.close()


def test_redeliveries_and_qos_0_do_not_use_up_the_window(database: Database) -> None:
    a, b, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, intake_of(timeless(a, packet_id=1)))
    noise = [Said([(b, NOW, 1.0)], message(b"again", packet_id=2, dup=True)) for _ in range(3 * WINDOW)]
    noise += [Said([(b, NOW, 1.0)], message(b"qos 0", packet_id=0, qos=0)) for _ in range(3 * WINDOW)]
    commit(writer, intake_of(*noise))
    assert commit(writer, intake_of(timeless(a, dup=True, received_at=NOW + SECOND))).duplicate == 1
    writer.close()


def test_receipts_of_another_session_are_not_believed(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    writer.begin_session(False, [], None, NOW)
    commit(writer, intake_of(timeless(a)))
    writer.begin_session(False, [], NOW, NOW)
    assert commit(writer, intake_of(timeless(a, dup=True, received_at=NOW + SECOND))).stored == 1
    writer.close()


def test_message_with_and_without_times_keeps_the_times_it_brings(database: Database) -> None:
    a, b, *_ = prepare(database.url)
    writer = claimed(database.url)
    readings = [(a, None, 1.0), (b, NOW - 60 * SECOND, 2.0)]
    commit(writer, intake_of(Said(readings, message())))
    again = Said(readings, message(dup=True, received_at=NOW + SECOND))
    assert commit(writer, intake_of(again)).duplicate == 2
    assert stored(database.url) == [(a, NOW, 1.0), (b, NOW - 60 * SECOND, 2.0)]
    writer.close()


def test_redelivery_keeps_how_long_before_its_message_a_reading_was(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, aged(timeless(a), 60 * SECOND))
    again = aged(timeless(a, dup=True, received_at=NOW + 5 * SECOND), 60 * SECOND)
    assert commit(writer, again).duplicate == 1
    assert stored(database.url) == [(a, NOW - 60 * SECOND, 1.5)]
    writer.close()


def aged(said: Said, age: int) -> Intake:
    intake = intake_of(said)
    rows = intake.observations
    return replace(intake, observations=replace(rows, time=rows.time - age))
