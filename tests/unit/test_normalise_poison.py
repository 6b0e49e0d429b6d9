"""Every poison ends in quarantine for its own reason, and what comes after it is stored (F7, F9, F16)."""

from __future__ import annotations

import pytest

from ingest.codecs import codecs
from ingest.model import Fate, Nature, RawMessage, RejectReason
from ingest.normalise import Normaliser
from tests.cases import poison_formats
from tests.cases.poison import CATALOGUE, GOOD, IDS, NOW, POISON, UPLINK_TOPIC, Poison
from tests.support.cost import assert_cheap


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_poison_is_quarantined_once_and_the_next_message_is_stored(poison: Poison) -> None:
    intake = Normaliser(CATALOGUE, IDS, Nature.ACTUAL).intake([poison.message(), GOOD], NOW)
    assert [(reject.message, reject.reason) for reject in intake.rejects] == [(0, poison.reason)]
    assert intake.rejects[0].reading == (intake.fate[0] == Fate.READABLE)
    assert intake.fate[1] == Fate.READABLE
    assert intake.observations.message.tolist() == [1]
    assert intake.observations.value.tolist() == [1.23]


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_poison_costs_little(poison: Poison) -> None:
    normaliser = Normaliser(CATALOGUE, IDS, Nature.ACTUAL)
    assert_cheap(lambda: normaliser.intake([poison.message()], NOW))


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_reject_detail_is_one_short_printable_line(poison: Poison) -> None:
    detail = Normaliser(CATALOGUE, IDS, Nature.ACTUAL).intake([poison.message()], NOW).rejects[0].detail
    assert detail
    assert len(detail) <= 400
    assert detail.isascii()
    assert detail.isprintable()


@pytest.mark.parametrize(
    ("topic", "payload", "value"), poison_formats.GOOD, ids=lambda value: str(value)[:40]
)
def test_message_without_its_poison_is_stored(topic: str, payload: bytes, value: float) -> None:
    """Otherwise a poison might be refused for another reason than its own."""
    message = RawMessage(topic, payload, 1, False, False, NOW, 1, 1)
    intake = Normaliser(CATALOGUE, IDS, Nature.ACTUAL).intake([message], NOW)
    assert not intake.rejects
    assert intake.observations.value.tolist() == [pytest.approx(value, abs=1e-12)]


def test_every_format_has_poison() -> None:
    assert {codec for _, codec, *_ in poison_formats.ROUTES} | {"huewatch-json", "chirpstack-v4"} == set(
        codecs()
    )
    assert len(poison_formats.GOOD) == len(poison_formats.ROUTES)


def test_corpus_reaches_every_reason_that_normalising_can_give() -> None:
    assert len(POISON) >= 350
    assert len({poison.name for poison in POISON}) == len(POISON)
    elsewhere = {RejectReason.STORAGE_ERROR}
    assert {poison.reason for poison in POISON} == set(RejectReason) - elsewhere


def test_strangers_topics_leave_nothing_behind() -> None:
    normaliser = Normaliser(CATALOGUE, IDS, Nature.ACTUAL)
    names = normaliser.intake([GOOD], NOW).gateway_names
    for number in range(100):
        stranger = Poison("", b"", RejectReason.UNKNOWN_DEVICE, f"hue/v1/gw-{number}/x{number}/readings")
        intake = normaliser.intake([stranger.message()], NOW)
        assert [reject.reason for reject in intake.rejects] == [stranger.reason]
        assert intake.gateway_names == names
    assert normaliser.topics_remembered == 1


def test_topics_made_up_below_a_known_device_stay_within_a_bound() -> None:
    normaliser = Normaliser(CATALOGUE, IDS, Nature.ACTUAL)
    for number in range(5_000):
        topic = UPLINK_TOPIC.replace("/up", f"/e{number}")
        normaliser.intake([Poison("", b"", RejectReason.UNDECODABLE, topic).message()], NOW)
        assert normaliser.topics_remembered <= 2_000
