"""Every poison of the corpus in one batch with good readings: a quarantine row each, and nothing is lost."""

from typing import Any

import pytest
from msgspec import structs

from ingest.model import Nature
from ingest.normalise import Normaliser
from ingest.store import connect, quarantine
from ingest.store.datastreams import register
from ingest.store.migrate import INGEST, migrate
from tests.cases.poison import CATALOGUE, GOOD, NOW, POISON
from tests.support.databases import Database
from tests.support.store import claimed, commit, stored, table


@pytest.mark.every_database
def test_each_poison_is_one_row_with_its_reason_and_each_good_reading_is_stored(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "QUOTA", len(POISON) + 1)
    with connect(database.url, application_name="test") as connection:
        migrate(connection, [INGEST], Nature.EXERCISE)
        ids = register(connection, [key for key, _, _ in CATALOGUE.datastreams()], Nature.EXERCISE)
    normaliser = Normaliser(CATALOGUE, ids, Nature.ACTUAL)
    messages: list[Any] = []
    for place, poison in enumerate(POISON):
        good = structs.replace(GOOD, payload=good_at(place), packet_id=30_000 + place)
        messages += [structs.replace(poison.message(), packet_id=1 + place), good]
    writer = claimed(database.url)
    intake = normaliser.intake(messages, NOW)
    committed = commit(writer, intake, now=NOW)
    writer.close()
    assert committed.messages == 2 * len(POISON)
    assert committed.stored == len(stored(database.url)) == len(POISON)
    kept = table(database.url, "SELECT topic, payload, payload_size, reason FROM quarantine")
    assert len(kept) == len({(one.topic, one.payload) for one in POISON})
    expected = {
        (
            quarantine.plain_text(one.topic, quarantine.TOPIC_LIMIT),
            one.payload[: quarantine.PAYLOAD_LIMIT],
            len(one.payload),
            one.reason.value,
        )
        for one in POISON
    }
    assert {(topic, bytes(payload), size, reason) for topic, payload, size, reason in kept} == expected


def good_at(place: int) -> bytes:
    """A good reading of its own second."""
    minute, second = divmod(place, 60)
    return b'{"channel":"level","value":1.23,"unit":"m","time":"2025-10-27T19:%02d:%02d+07:00"}' % (
        minute,
        second,
    )
