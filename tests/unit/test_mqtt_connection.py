"""Bytes that come broken, cut, late or not at all; and connections that end in every way."""

import asyncio
import random

import pytest
from mqtt5 import (
    ConnAckPacket,
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    PingReqPacket,
    PublishPacket,
    PubRecPacket,
    QoS,
    SubAckPacket,
    SubAckReasonCode,
)

from ingest.mqtt_connection import BUFFER_BYTES
from tests.fakes.broker import (
    FakeBroker,
    gather_messages,
    gather_session,
    reading,
    running,
    settle,
    until,
)

NOT_UTF8 = b"\x32\x07\x00\x02\xff\xfe\x00\x01\x00"


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00",  # no such packet type
        b"\x36\x07\x00\x02ab\x00\x01\x00",  # QoS 3
        b"\x32\xff\xff\xff\xff\x01",  # remaining length of five bytes
        b"\x32\x05\xff\xff\x00\x00\x00",  # topic longer than the packet
        # the codec reports the decoding error as unraisable before it panics
        pytest.param(
            NOT_UTF8, marks=pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
        ),
    ],
    ids=["type", "qos", "length", "topic", "utf8"],
)
async def test_a_malformed_packet_is_answered_counted_and_survived(data: bytes) -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(reading(1), data, reading(2))
        farewell = await peer.expect(DisconnectPacket)
        assert farewell.reason_code is DisconnectReasonCode.MALFORMED_PACKET
        assert [m.packet_id for m in await gather_messages(subscriber, 1)] == [1]

        peer = await (await broker.connection()).greet(present=True)
        peer.send(reading(3))
        assert (await gather_messages(subscriber, 1))[0].packet_id == 3
        assert subscriber.statistics().violations == 1


@pytest.mark.parametrize(
    "data",
    [
        PublishPacket("a", b"", qos=QoS.EXACTLY_ONCE, packet_id=1).write(),
        b"\x32\x06\x00\x01a\x00\x00\x00",  # QoS 1, packet id 0
        ConnAckPacket().write(),
        PubRecPacket(1).write(),
        SubAckPacket(99, [SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]).write(),
        ConnectPacket("a client").write(),
    ],
    ids=["qos2", "id0", "second-connack", "pubrec", "unasked-suback", "connect"],
)
async def test_a_packet_that_the_protocol_forbids_ends_the_connection(data: bytes) -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(data)
        farewell = await peer.expect(DisconnectPacket)
        assert int(farewell.reason_code) >= 0x80
        await (await broker.connection()).greet(present=True)
        assert subscriber.statistics().violations == 1


async def test_a_message_before_connack_is_a_violation() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await broker.connection()
        peer.send(reading(1))
        await peer.gone()
        assert subscriber.statistics().violations == 1
        assert subscriber.statistics().received_qos1 == 0


async def test_a_stream_cut_anywhere_gives_the_same_messages(rng: random.Random) -> None:
    packets = [reading(i, rng.randbytes(rng.choice((0, 1, 60, 300, 20_000)))) for i in range(1, 200)]
    stream = b"".join(packet.write() for packet in packets)
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        start = 0
        while start < len(stream):
            size = rng.choice((1, 2, 3, 50, 5_000, 100_000))
            peer.send(stream[start : start + size])
            start += size
            await asyncio.sleep(0)
        messages = await gather_messages(subscriber, len(packets))
    assert [(m.packet_id, m.payload) for m in messages] == [(p.packet_id, p.payload) for p in packets]


async def test_a_packet_larger_than_the_buffer_is_received_and_the_buffer_shrinks(
    rng: random.Random,
) -> None:
    large = bytes(3 * BUFFER_BYTES) + b"end"
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        for packet_id in range(1, 30, 3):
            cut = reading(packet_id + 2, rng.randbytes(60_000))
            data = cut.write()
            peer.send(
                reading(packet_id), reading(packet_id + 1, large), data[:30_000]
            )  # behind the large one
            messages = await gather_messages(subscriber, 2)
            peer.send(data[30_000:])
            messages += await gather_messages(subscriber, 1)
            assert [m.payload for m in messages] == [b"%d" % packet_id, large, cut.payload]
        await settle(peer, subscriber)
        connection = subscriber._connection
        assert connection is not None
        assert len(connection._view) == BUFFER_BYTES


@pytest.mark.parametrize("end", ["reset", "close"])
async def test_a_connection_that_ends_without_a_word_is_made_again(end: str) -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        for round_ in range(3):
            peer = await (await broker.connection()).greet(present=round_ > 0)
            await until(lambda: subscriber.connected)
            getattr(peer, end)()
            await until(lambda: not subscriber.connected)
        assert subscriber.statistics().connections == 3


async def test_a_reset_in_the_middle_of_a_packet_keeps_what_was_whole() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(reading(1))
        await settle(peer, subscriber, 2)
        peer.send(reading(3).write()[:-1])
        peer.reset()
        peer = await (await broker.connection()).greet(present=True)
        peer.send(reading(3, b"whole"))
        messages = await gather_messages(subscriber, 3)
        assert [m.packet_id for m in messages] == [1, 2, 3]
        assert messages[2].payload == b"whole"


async def test_a_half_open_connection_is_given_up_within_one_and_a_half_keepalives() -> None:
    async with FakeBroker() as broker, running(broker.port, keepalive=1) as subscriber:
        peer = await (await broker.connection()).greet()
        await until(lambda: subscriber.connected)
        peer.mute = True
        peer.send(reading(1))
        await gather_messages(subscriber, 1)
        loop = asyncio.get_running_loop()
        silent_since = loop.time()
        await until(lambda: not subscriber.connected)
        assert 1.3 <= loop.time() - silent_since <= 1.8


async def test_an_idle_connection_is_kept_by_pings() -> None:
    async with FakeBroker() as broker, running(broker.port, keepalive=1) as subscriber:
        peer = await (await broker.connection()).greet()
        marker = peer.marker
        assert marker is not None
        peer.send(PublishPacket(marker.topic, marker.payload, qos=QoS.AT_LEAST_ONCE, packet_id=1))
        answering = asyncio.create_task(peer.gone())
        await asyncio.sleep(2.5)
        assert subscriber.connected
        assert subscriber.statistics().connections == 1
        answering.cancel()


async def test_the_brokers_keepalive_is_obeyed() -> None:
    async with FakeBroker() as broker, running(broker.port, keepalive=600):
        peer = await broker.connection()
        peer.mute = True
        await peer.accept(server_keep_alive=1)
        await peer.grant()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await peer.expect(PublishPacket)
        await peer.expect(PingReqPacket)
        assert loop.time() - began <= 1.0


async def test_pings_go_out_while_nobody_gathers() -> None:
    async with FakeBroker() as broker, running(broker.port, keepalive=1, receive_maximum=100) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.mute = True
        peer.send(*map(reading, range(1, 101)))  # the window is full and nothing is acknowledged
        while not isinstance(await peer.packet(), PingReqPacket):
            pass
        assert subscriber.statistics().in_flight == 100


async def test_a_broker_that_pings_back_but_never_grants_is_left() -> None:
    async with FakeBroker() as broker, running(broker.port, keepalive=1) as subscriber:
        peer = await broker.connection()
        await peer.accept()
        await peer.gone()
        assert subscriber.statistics().violations == 1


async def test_nothing_listening_is_tried_until_somebody_does() -> None:
    async with FakeBroker() as broker:
        port = broker.port
    async with running(port) as subscriber:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await subscriber.gather()
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", port)
        server.close()
        await server.wait_closed()
        assert not subscriber.connected


async def test_a_cancelled_run_drops_the_socket_at_once() -> None:
    async with FakeBroker() as broker:
        async with running(broker.port) as subscriber:
            peer = await (await broker.connection()).greet()
            await gather_session(subscriber)
        async with asyncio.timeout(1):
            await peer.gone()
