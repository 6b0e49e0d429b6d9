"""What cannot be read or believed is kept once, bounded, and never in a form that the database refuses."""

import pytest

from ingest.model import Fate, Nature, RejectReason
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.errors import SinkFailed
from ingest.store.quarantine import QUOTA
from ingest.store.read import Quarantined, quarantine
from tests.support.databases import Database
from tests.support.store import (
    HOUR,
    NOW,
    SECOND,
    Said,
    TellingSink,
    claimed,
    commit,
    intake_of,
    message,
    prepare,
    table,
)

REFUSED = (RejectReason.UNDECODABLE,)


def unread(payload: bytes = b"?", gateway: str = "gateway", **fields: object) -> Said:
    """A message that could not be read at all."""
    return Said((), message(payload, **fields), gateway, REFUSED, fate=Fate.UNREADABLE)


def kept(database: Database, **wanted: object) -> list[Quarantined]:
    with connect(database.url, application_name="test") as connection:
        return quarantine(connection, **wanted)  # type: ignore[arg-type]


@pytest.mark.every_database
def test_repeated_message_is_one_row_with_its_count_and_times(database: Database) -> None:
    prepare(database.url)
    writer = claimed(database.url)
    commit(writer, intake_of(unread(received_at=NOW + SECOND), unread(received_at=NOW), unread(b"other")))
    commit(writer, intake_of(unread(dup=True, received_at=NOW + 2 * SECOND)))
    rows = {row.payload: row for row in kept(database)}
    assert rows[b"?"].count == 3
    assert (rows[b"?"].first_seen, rows[b"?"].last_seen) == (NOW, NOW + 2 * SECOND)
    assert (rows[b"?"].reason, rows[b"?"].codec, rows[b"?"].codec_version) == ("undecodable", "test", 1)
    assert rows[b"other"].count == 1
    writer.close()


def test_rows_are_found_by_reason_and_time_last_seen_first(database: Database) -> None:
    prepare(database.url)
    writer = claimed(database.url)
    strange = Said((), message(b"x", received_at=NOW - HOUR), rejects=[RejectReason.UNKNOWN_UNIT])
    commit(writer, intake_of(strange, unread(received_at=NOW)))
    assert [row.reason for row in kept(database)] == ["undecodable", "unknown_unit"]
    assert [row.reason for row in kept(database, reason="unknown_unit")] == ["unknown_unit"]
    assert [row.reason for row in kept(database, since=NOW)] == ["undecodable"]
    assert len(kept(database, limit=1)) == 1
    writer.close()


def test_hostile_text_is_stored_in_a_form_that_the_database_takes(database: Database) -> None:
    prepare(database.url)
    writer = claimed(database.url)
    topic = "hue/\0/\ud800/" + "x" * 70_000
    hostile = Said(
        (),
        message(b"\0" * 100_000, topic=topic),
        rejects=REFUSED,
        detail="\0\udfff" * 999,
        fate=Fate.UNREADABLE,
    )
    commit(writer, intake_of(hostile))
    (row,) = kept(database)
    assert row.topic.startswith("hue/\ufffd/?/x")
    assert (len(row.topic), len(row.detail)) == (1024, 500)
    assert (row.payload, row.payload_size) == (b"\0" * 8192, 100_000)
    writer.close()


def test_sql_in_topics_and_texts_is_stored_literally(database: Database) -> None:
    prepare(database.url)
    writer = claimed(database.url, owner="'; DROP TABLE writer; --", partition='city"; --')
    attack = "'; DROP TABLE quarantine; SELECT '%s %(x)s $1 \\"
    commit(
        writer,
        intake_of(
            Said((), message(attack.encode(), topic=attack), attack, REFUSED, attack, Fate.UNREADABLE),
        ),
    )
    writer.begin_session(False, [attack], None, NOW)
    (row,) = kept(database)
    assert (row.topic, row.payload, row.gateway, row.detail) == (attack, attack.encode(), attack, attack)
    assert table(database.url, "SELECT gateway FROM ledger") == [(attack,)]
    assert table(database.url, "SELECT topics FROM gap") == [([attack],)]
    writer.close()


def test_key_of_a_series_may_hold_anything(database: Database) -> None:

    prepare(database.url)
    keys = ["'; DROP TABLE datastream; --", "Phú Ốc/mực nước", "%s", "a/b"]
    with connect(database.url, application_name="test") as connection:
        first = register(connection, [*keys, "a/b"], Nature.EXERCISE)
        assert set(first) == set(keys)
        assert register(connection, keys, Nature.EXERCISE) == first
        assert set(register(connection, keys, Nature.TEST).values()).isdisjoint(first.values())


def test_gateway_beyond_its_quota_is_only_counted(database: Database) -> None:
    prepare(database.url)
    writer = claimed(database.url)
    flood = [unread(str(number).encode(), "broken") for number in range(QUOTA + 10)]
    commit(writer, intake_of(*flood, unread(b"seldom", "quiet")))
    assert table(database.url, "SELECT gateway, count(*) FROM quarantine GROUP BY 1 ORDER BY 1") == [
        ("broken", QUOTA),
        ("quiet", 1),
    ]
    assert table(database.url, "SELECT unreadable FROM ledger WHERE gateway = 'broken'") == [(QUOTA + 10,)]
    commit(writer, intake_of(unread(b"0", "broken"), unread(b"fresh", "broken")))
    assert table(database.url, "SELECT count FROM quarantine WHERE payload = '0'") == [(2,)]
    assert table(database.url, "SELECT count(*) FROM quarantine WHERE payload = 'fresh'") == [(0,)]
    writer.close()


def test_quota_outlives_a_restart_and_ends_with_the_hour(database: Database) -> None:
    prepare(database.url)
    before = claimed(database.url)
    commit(before, intake_of(*(unread(str(number).encode()) for number in range(QUOTA))))
    before.close()
    after = claimed(database.url)
    commit(after, intake_of(unread(b"fresh")))
    assert table(database.url, "SELECT count(*) FROM quarantine") == [(QUOTA,)]
    commit(after, intake_of(unread(b"fresh", received_at=NOW + HOUR)), now=NOW + HOUR)
    assert table(database.url, "SELECT count(*) FROM quarantine") == [(QUOTA + 1,)]
    after.close()


def test_quota_of_a_batch_that_was_refused_is_not_used_up(database: Database) -> None:

    class Failing(TellingSink):
        def persist(self, cursor: object, outcome: object) -> None:
            raise RuntimeError("engine")

    prepare(database.url)
    writer = claimed(database.url)
    commit(writer, intake_of(unread(b"first")))
    flood = intake_of(*(unread(str(number).encode()) for number in range(QUOTA)))
    with pytest.raises(SinkFailed):
        commit(writer, flood, Failing(database.url))
    commit(writer, intake_of(unread(b"second")))
    assert table(database.url, "SELECT count(*) FROM quarantine") == [(2,)]
    writer.close()
