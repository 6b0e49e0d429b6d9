"""Nothing disappears: the ledger's sums hold whatever a batch contains, and the table refuses any other."""

import random
from collections import Counter

import psycopg
import pytest

from ingest.model import Fate, RejectReason
from ingest.store import connect
from ingest.store.read import LedgerSums, ledger_sums
from tests.support.databases import Database
from tests.support.store import (
    MINUTE,
    NOW,
    SECOND,
    Said,
    claimed,
    commit,
    intake_of,
    message,
    prepare,
    table,
)

REASONS = [RejectReason.UNKNOWN_UNIT, RejectReason.SENTINEL]


def sums(database: Database, since: int | None = None) -> tuple[LedgerSums, list[LedgerSums]]:
    with connect(database.url, application_name="test") as connection:
        return ledger_sums(connection, since)


def random_message(rng: random.Random, series: list[int]) -> Said:
    received = message(str(rng.random()).encode(), received_at=NOW + rng.randrange(3) * MINUTE)
    gateway = rng.choice(["north", "south"])
    fate = rng.choice([Fate.READABLE, Fate.READABLE, Fate.EMPTY, Fate.UNREADABLE])
    if fate is Fate.EMPTY:
        return Said((), received, gateway, fate=fate)
    if fate is Fate.UNREADABLE:
        return Said((), received, gateway, [RejectReason.UNDECODABLE], fate=fate)
    readings = [
        (rng.choice(series), NOW + rng.randrange(5) * SECOND, float(rng.randrange(2)))
        for _ in range(rng.randrange(3))
    ]
    return Said(readings, received, gateway, rng.choices(REASONS, k=rng.randrange(1 + (not readings), 3)))


@pytest.mark.every_database
def test_sums_equal_what_was_sent_and_what_was_committed(database: Database, rng: random.Random) -> None:
    series = prepare(database.url)
    writer = claimed(database.url)
    done: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for _ in range(6):
        said = [random_message(rng, series) for _ in range(rng.randrange(30))]
        result = commit(writer, intake_of(*said))
        for name in ("messages", "stored", "duplicate", "conflict", "rejected"):
            done[name] += getattr(result, name)
        for one in said:
            sent[one.gateway] += 1
            sent[one.fate.name.lower()] += 1
            sent["decoded"] += len(one.readings) + len(one.rejects) * (one.fate is Fate.READABLE)
    total, gateways = sums(database)
    for name in ("messages", "stored", "duplicate", "conflict", "rejected"):
        assert getattr(total, name) == done[name]
    for name in ("readable", "empty", "unreadable", "decoded"):
        assert getattr(total, name) == sent[name]
    assert {one.gateway: one.messages for one in gateways} == {"north": sent["north"], "south": sent["south"]}
    assert min(done["duplicate"], done["conflict"], done["rejected"]) > 0
    writer.close()


def test_counts_stand_at_the_minute_of_arrival(database: Database) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    late = message(received_at=NOW + 59 * SECOND + 999_999)
    commit(writer, intake_of(Said([(a, NOW, 1.0)], late), Said([], message(received_at=NOW + MINUTE))))
    assert table(database.url, "SELECT messages, stored FROM ledger ORDER BY minute") == [(1, 1), (1, 0)]
    assert sums(database, NOW + MINUTE)[0].messages == 1
    assert sums(database, NOW + 2 * MINUTE)[0].messages == 0
    writer.close()


def test_empty_ledger_has_a_total_of_nothing(database: Database) -> None:
    prepare(database.url)
    assert sums(database) == (LedgerSums("", *[0] * 9), [])


@pytest.mark.parametrize("column", ["messages", "readable", "decoded", "stored", "conflict"])
def test_table_refuses_an_account_that_does_not_add_up(database: Database, column: str) -> None:
    a, *_ = prepare(database.url)
    writer = claimed(database.url)
    commit(writer, intake_of(Said([(a, NOW, 1.0)])))
    change = psycopg.sql.SQL("UPDATE huewatch.ledger SET {0} = {0} + 1").format(
        psycopg.sql.Identifier(column)
    )
    with database.connect() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(change)
    writer.close()
