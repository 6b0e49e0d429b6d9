"""Every poison ends in quarantine for its own reason, and what comes after it is stored (F7, F9, F16)."""

from __future__ import annotations

from time import perf_counter

import pytest

from ingest.model import Fate, Nature, RejectReason
from ingest.normalise import Normaliser
from tests.cases.poison import CATALOGUE, GOOD, IDS, NOW, POISON, Poison

MOST_SECONDS = 0.25  # 50 ms are asked for; the rest is for a busy machine


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_poison_is_quarantined_once_and_the_next_message_is_stored(poison: Poison) -> None:
    normaliser = Normaliser(CATALOGUE, IDS, Nature.ACTUAL)
    started = perf_counter()
    intake = normaliser.intake([poison.message(), GOOD], NOW)
    assert perf_counter() - started < MOST_SECONDS
    assert [(reject.message, reject.reason) for reject in intake.rejects] == [(0, poison.reason)]
    assert intake.rejects[0].reading == (intake.fate[0] == Fate.READABLE)
    assert intake.fate[1] == Fate.READABLE
    assert intake.observations.message.tolist() == [1]
    assert intake.observations.value.tolist() == [1.23]


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_reject_detail_is_one_short_printable_line(poison: Poison) -> None:
    detail = Normaliser(CATALOGUE, IDS, Nature.ACTUAL).intake([poison.message()], NOW).rejects[0].detail
    assert detail
    assert len(detail) <= 400
    assert detail.isascii()
    assert detail.isprintable()


def test_corpus_reaches_every_reason_that_normalising_can_give() -> None:
    assert len(POISON) >= 200
    assert len({poison.name for poison in POISON}) == len(POISON)
    elsewhere = {RejectReason.STORAGE_ERROR}
    assert {poison.reason for poison in POISON} == set(RejectReason) - elsewhere


def test_hostile_topics_do_not_grow_the_memory_of_topics_nor_the_names_of_gateways() -> None:
    normaliser = Normaliser(CATALOGUE, IDS, Nature.ACTUAL)
    names = normaliser.intake([GOOD], NOW).gateway_names
    for number in range(5_000):
        poison = Poison("", b"", RejectReason.NO_ROUTE, f"hue/v1/gw-{number}/x{number}/readings")
        event = Poison(
            "", b"", RejectReason.UNDECODABLE, f"application/17c82e96/device/0101010101010101/event/e{number}"
        )
        assert normaliser.intake([poison.message(), event.message()], NOW).gateway_names == names
    assert normaliser.topics_remembered <= 2_000
