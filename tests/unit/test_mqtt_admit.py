"""Other filters while the session lives: added only where the broker grants them, taken out at once."""

import asyncio

import pytest
from mqtt5 import SubAckPacket, SubAckReasonCode, SubscribePacket, UnsubscribePacket

from ingest import mqtt
from ingest.mqtt import NotAdmitted
from tests.fakes.broker import FakeBroker, Impatient, running, until

GRANTED = SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE


def patterns(subscribe: SubscribePacket) -> list[str]:
    return [each.pattern for each in subscribe.topic_filters]


async def test_what_is_new_is_subscribed_and_what_left_is_unsubscribed() -> None:
    async with FakeBroker() as broker, running(broker.port, ["a/#", "b/#"]) as subscriber:
        peer = await (await broker.connection()).greet()
        admitting = asyncio.create_task(subscriber.admit(["b/#", "c/#"]))
        subscribe = await peer.expect(SubscribePacket)
        assert patterns(subscribe) == ["c/#"]
        assert not admitting.done()
        peer.send(SubAckPacket(subscribe.packet_id, [GRANTED]))
        await admitting
        subscriber.settle_on(["b/#", "c/#"])
        assert (await peer.expect(UnsubscribePacket)).patterns == ["a/#"]
        peer.close()
        again = await broker.connection()
        await again.accept(present=True)
        assert (await again.expect(UnsubscribePacket)).patterns == ["a/#"]
        assert patterns(await again.grant()) == ["b/#", "c/#", "huewatch/marker/ingest"]


async def test_filter_that_is_refused_leaves_the_session_as_it_was() -> None:
    async with FakeBroker() as broker, running(broker.port, ["a/#"]) as subscriber:
        peer = await (await broker.connection()).greet()
        admitting = asyncio.create_task(subscriber.admit(["b/#", "c/#"]))
        subscribe = await peer.expect(SubscribePacket)
        peer.send(SubAckPacket(subscribe.packet_id, [GRANTED, SubAckReasonCode.NOT_AUTHORIZED]))
        with pytest.raises(NotAdmitted, match=r"c/#.*NOT_AUTHORIZED.*Remedy: allow"):
            await admitting
        assert (await peer.expect(UnsubscribePacket)).patterns == ["b/#", "c/#"]
        assert subscriber.filters == ("a/#",)
        assert subscriber.connected


async def test_broker_that_does_not_answer_is_no_reason_to_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mqtt, "ADMIT_SECONDS", 0.05)
    async with FakeBroker() as broker, running(broker.port, ["a/#"]) as subscriber:
        peer = await (await broker.connection()).greet()
        with pytest.raises(NotAdmitted, match="did not answer"):
            await subscriber.admit(["b/#"])
        subscribe = await peer.expect(SubscribePacket)
        peer.send(SubAckPacket(subscribe.packet_id, [GRANTED]))  # late: nobody waits for it any more
        assert (await peer.expect(UnsubscribePacket)).patterns == ["b/#"]
        monkeypatch.undo()
        admitting = asyncio.create_task(subscriber.admit(["c/#"]))
        peer.send(SubAckPacket((await peer.expect(SubscribePacket)).packet_id, [GRANTED]))
        await admitting
        assert subscriber.connected


async def test_without_a_connection_only_the_same_filters_are_admitted() -> None:
    async with FakeBroker() as broker, running(broker.port, ["a/#"]) as subscriber:
        await subscriber.admit(["a/#"])
        with pytest.raises(NotAdmitted, match="No connection"):
            await subscriber.admit(["a/#", "b/#"])


async def test_connection_that_began_between_grant_and_use_is_made_anew() -> None:
    async with FakeBroker() as broker, running(broker.port, ["a/#"], chance=Impatient()) as subscriber:
        peer = await (await broker.connection()).greet()
        admitting = asyncio.create_task(subscriber.admit(["a/#", "b/#"]))
        peer.send(SubAckPacket((await peer.expect(SubscribePacket)).packet_id, [GRANTED]))
        await admitting
        peer.close()
        second = await (await broker.connection()).greet(present=False)
        await until(lambda: subscriber.connected)
        subscriber.settle_on(["a/#", "b/#"])
        await second.gone()
        third = await broker.connection()
        await third.accept(present=False)
        assert patterns(await third.grant()) == ["a/#", "b/#", "huewatch/marker/ingest"]
