"""Acknowledgements leave when told, in the order of arrival, on the connection the message came on."""

import asyncio

import pytest
from mqtt5 import DisconnectPacket, DisconnectReasonCode, PingReqPacket, PubAckPacket, PublishPacket

from ingest import mqtt_connection
from ingest.mqtt import BrokerSettings
from tests.fakes.broker import FakeBroker, gather_messages, gather_session, reading, running


async def test_no_acknowledgement_leaves_before_it_is_told() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(reading(5), reading(6))
        messages = await gather_messages(subscriber, 2)
        subscriber.publish("huewatch/tick/committed", b"after the messages, before their acknowledgement")

        assert isinstance(await peer.packet(), PublishPacket)
        subscriber.acknowledge(messages)
        assert await peer.acknowledged(2) == [5, 6]


async def test_acknowledgements_keep_the_order_of_arrival_over_batches_and_id_reuse() -> None:
    ids = [7, 3, 65_535, 1, 256]
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        for _ in range(2):  # the second round uses the same ids for other messages
            peer.send(*map(reading, ids))
            messages = await gather_messages(subscriber, len(ids))
            subscriber.acknowledge(messages[:2])
            subscriber.acknowledge(messages[2:])
            assert await peer.acknowledged(len(ids)) == ids
        assert subscriber.statistics().in_flight == 0


async def test_acknowledging_out_of_order_is_refused_and_sends_nothing() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(reading(1), reading(2))
        first, second = await gather_messages(subscriber, 2)
        with pytest.raises(RuntimeError, match="order of arrival"):
            subscriber.acknowledge([second])
        subscriber.acknowledge([first, second])
        assert await peer.acknowledged(2) == [1, 2]


async def test_a_puback_on_the_wire_is_the_four_bytes_of_the_standard() -> None:
    assert PubAckPacket(0x1234).write() == b"\x40\x02\x12\x34"
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(reading(0x1234))
        subscriber.acknowledge(await gather_messages(subscriber, 1))
        packet = await peer.expect(PubAckPacket)
        assert (packet.packet_id, packet.write()) == (0x1234, b"\x40\x02\x12\x34")


async def test_messages_at_qos_0_are_passed_over_when_acknowledging() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(PublishPacket("hue/v1/a", b"0"), reading(9), PublishPacket("hue/v1/a", b"0"))
        messages = await gather_messages(subscriber, 3)
        assert [(m.qos, m.packet_id) for m in messages] == [(0, 0), (1, 9), (0, 0)]
        subscriber.acknowledge(messages)
        assert await peer.acknowledged(1) == [9]


async def test_a_message_of_an_earlier_connection_is_not_acknowledged_on_the_next() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(reading(7, b"before"))
        before = await gather_messages(subscriber, 1)
        peer.reset()

        peer = await (await broker.connection()).greet(present=True)
        peer.send(reading(7, b"another message under the same id"))
        after = (await gather_session(subscriber)).messages or await gather_messages(subscriber, 1)
        assert (before[0].packet_id, after[0].packet_id) == (7, 7)
        subscriber.acknowledge(before)
        assert subscriber.statistics().in_flight == 1
        subscriber.publish("huewatch/tick/committed", b"")
        assert isinstance(await peer.packet(), PublishPacket)  # and no PUBACK before it


async def test_acknowledging_without_a_connection_does_nothing() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(reading(7))
        messages = await gather_messages(subscriber, 1)
        peer.reset()
        (await broker.connection()).mute = True  # accepted by TCP only: no session
        subscriber.acknowledge(messages)
        assert not subscriber.connected


async def test_a_broker_that_ignores_receive_maximum_is_not_read_until_acknowledged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeBroker() as broker, running(broker.port, receive_maximum=3, keepalive=1) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.mute = True
        assert peer.connect is not None
        assert peer.connect.receive_max == 3
        peer.send(*map(reading, (1, 2, 3, 4)))
        messages = await gather_messages(subscriber, 4)
        peer.send(*map(reading, (5, 6)))
        for _ in range(4):  # two keepalives: they go on, and the silence is not the broker's
            while not isinstance(await peer.packet(), PingReqPacket):
                pass
        assert subscriber.statistics().in_flight == 4
        assert subscriber.connected

        subscriber.acknowledge(messages[:1])
        assert [m.packet_id for m in await gather_messages(subscriber, 2)] == [5, 6]
        assert subscriber.statistics().in_flight == 5
    assert [r.levelname for r in caplog.records if "Receive Maximum" in r.message] == ["WARNING"]


async def test_more_bytes_than_there_is_room_for_are_not_read_until_acknowledged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mqtt_connection, "IN_FLIGHT_BYTES", 2_000)
    async with FakeBroker() as broker, running(broker.port, keepalive=1) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.mute = True
        peer.send(*(reading(i, b"x" * 500) for i in (1, 2, 3, 4)))
        messages = await gather_messages(subscriber, 4)
        peer.send(reading(5), reading(6))
        for _ in range(4):  # two keepalives: they go on, and the silence is not the broker's
            while not isinstance(await peer.packet(), PingReqPacket):
                pass
        assert subscriber.statistics().in_flight == 4
        assert subscriber.connected

        subscriber.acknowledge(messages[:1])
        assert [m.packet_id for m in await gather_messages(subscriber, 2)] == [5, 6]
    assert "Receive Maximum" not in caplog.text


async def test_stopping_while_not_reading_is_graceful_too() -> None:
    async with FakeBroker() as broker, running(broker.port, receive_maximum=1) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(*map(reading, (1, 2, 3)))
        await gather_messages(subscriber, 3)
        stopping = asyncio.create_task(subscriber.stop())
        await peer.expect(DisconnectPacket)
        peer.close()
        async with asyncio.timeout(1):
            await stopping


async def test_acknowledging_opens_the_window_again() -> None:
    async with FakeBroker() as broker, running(broker.port, receive_maximum=3) as subscriber:
        peer = await (await broker.connection()).greet()
        for _ in range(4):
            peer.send(*map(reading, (1, 2, 3)))
            subscriber.acknowledge(await gather_messages(subscriber, 3))
            await peer.acknowledged(3)
        assert subscriber.statistics().violations == 0


async def test_stopping_says_goodbye_behind_the_acknowledgements() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(reading(1), reading(2))
        subscriber.acknowledge(await gather_messages(subscriber, 2))
        stopping = asyncio.create_task(subscriber.stop())
        assert await peer.acknowledged(2) == [1, 2]
        farewell = await peer.expect(DisconnectPacket)
        assert farewell.reason_code is DisconnectReasonCode.NORMAL_DISCONNECTION
        peer.close()
        await stopping


@pytest.mark.parametrize("receive_maximum", [0, 65_535, -1])
def test_a_receive_maximum_that_is_not_sent_is_refused(receive_maximum: int) -> None:
    with pytest.raises(ValueError, match="receive_maximum"):
        BrokerSettings("localhost", 1883, "ingest", receive_maximum=receive_maximum)


@pytest.mark.parametrize("client_id", ["", "a+b", "a#", "a\0"])
def test_a_client_id_without_a_session_or_a_topic_is_refused(client_id: str) -> None:
    with pytest.raises(ValueError, match="client_id"):
        BrokerSettings("localhost", 1883, client_id)


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(BrokerSettings("localhost", 1883, "ingest", password="secret"))
