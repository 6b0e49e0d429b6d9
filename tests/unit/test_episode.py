"""The chain of the judged record: one way to write an entry, and what its hash gives away."""

from __future__ import annotations

import hashlib

import pytest
from msgspec.structs import replace

from alerts.episode import End, Entry, EntryKind, first_fault, sealed


def chain(length: int) -> list[Entry]:
    entries: list[Entry] = []
    for ordinal in range(1, length + 1):
        entry = Entry(
            rule="river-level",
            target="R1/water_level",
            ordinal=ordinal,
            kind=EntryKind.RAISED if ordinal % 2 else EntryKind.CLEARED,
            level=ordinal % 2,
            event_time=1_761_400_000_000_000 + ordinal,
            value=1.05,
            threshold=1.0,
            rule_version="0123456789ab",
            previous=entries[-1].hash if entries else "",
        )
        entries.append(sealed(entry))
    return entries


def end(entries: list[Entry]) -> End:
    return End(entries[-1].ordinal, entries[-1].hash) if entries else End()


def test_the_form_that_is_hashed_never_changes() -> None:
    """Who checks a record in ten years writes it as here."""
    text = (
        '{"event_time":1761400000000001,"kind":"raised","level":1,"ordinal":1,"previous":"",'
        '"rule":"river-level","rule_version":"0123456789ab","target":"R1/water_level","threshold":1.0,'
        '"value":1.05}'
    )
    assert chain(1)[0].hash == hashlib.sha256(text.encode()).hexdigest()


def test_a_chain_as_it_was_written_holds() -> None:
    assert first_fault(chain(5), end(chain(5))) is None
    assert first_fault([], End()) is None


@pytest.mark.parametrize(
    "field", ["rule", "target", "kind", "level", "event_time", "value", "threshold", "rule_version"]
)
def test_no_field_can_be_changed(field: str) -> None:
    entries = chain(5)
    other = {"kind": EntryKind.LOWERED, "rule": "x", "target": "x", "rule_version": "x"}.get(field, 7)
    entries[2] = replace(entries[2], **{field: other})
    fault = first_fault(entries, end(entries))
    assert fault is not None
    assert (fault.ordinal, fault.differs) == (3, "its fields are not those that its hash was made of")


def test_a_changed_entry_with_a_hash_of_its_own_breaks_the_next() -> None:
    entries = chain(5)
    entries[2] = sealed(replace(entries[2], value=2.0))
    fault = first_fault(entries, end(entries))
    assert fault is not None
    assert (fault.ordinal, fault.differs) == (4, "its previous hash is not the hash of the entry before")


def test_the_newest_entry_with_a_hash_of_its_own_is_not_the_end() -> None:
    entries = chain(5)
    entries[4] = sealed(replace(entries[4], value=2.0))
    fault = first_fault(entries, end(chain(5)))
    assert fault is not None
    assert fault.ordinal == 5


@pytest.mark.parametrize("place", range(5))
def test_an_entry_that_is_left_out_is_named(place: int) -> None:
    entries = chain(5)
    left = entries[:place] + entries[place + 1 :]
    fault = first_fault(left, end(entries))
    assert fault is not None
    assert fault.ordinal == place + 1
    assert "missing" in fault.differs


def test_an_entry_that_was_put_in_behind_the_end_is_named() -> None:
    fault = first_fault(chain(6), end(chain(5)))
    assert fault is not None
    assert (fault.ordinal, "put in" in fault.differs) == (6, True)


def test_a_chain_whose_end_nobody_knows_is_broken() -> None:
    assert first_fault(chain(2), None) is not None
