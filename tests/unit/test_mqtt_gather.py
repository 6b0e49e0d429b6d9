"""A gathering takes what is there, within its limits, of one connection; QoS 0 beyond a bound is dropped."""

import asyncio

import pytest
from mqtt5 import PublishPacket

from ingest import mqtt
from ingest.clock import Clock, LogicalNow, system_clock
from ingest.model import RawMessage
from ingest.mqtt import Limits
from tests.fakes.broker import FakeBroker, gather_messages, gather_session, reading, running, settle, until


async def test_a_gathering_waits_for_the_first_message() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        await gather_session(subscriber)
        gathering = asyncio.create_task(subscriber.gather())
        await settle(peer, subscriber)
        gathered = await gathering
        assert gathered.session is None
        assert [m.topic for m in gathered.messages] == ["hue/v1/last"]


async def test_a_message_is_told_as_it_came() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        started = (await gather_session(subscriber)).session
        packet = reading(77, b"\x00\xff", "hue/v1/Huế/d")
        peer.send(
            PublishPacket(
                packet.topic, packet.payload, qos=packet.qos, packet_id=77, duplicate=True, retain=True
            )
        )
        (message,) = await gather_messages(subscriber, 1)
        assert started is not None
        assert message.received_at >= started.at
        assert message == RawMessage(
            "hue/v1/Huế/d", b"\x00\xff", 1, True, True, message.received_at, started.epoch, 77
        )


async def test_no_time_of_arrival_is_given_twice_while_the_clock_stands() -> None:
    real = system_clock()
    standing = Clock(LogicalNow(1_000_000), real.monotonic, real.sleep)
    async with FakeBroker() as broker, running(broker.port, clock=standing) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(*map(reading, range(1, 6)))
        times = [message.received_at for message in await gather_messages(subscriber, 5)]
        peer.reset()
        peer = await (await broker.connection()).greet()
        peer.send(*map(reading, range(1, 6)))
        times += [message.received_at for message in await gather_messages(subscriber, 5)]
    assert times == sorted(set(times))


async def test_a_gathering_ends_at_half_the_receive_maximum() -> None:
    async with FakeBroker() as broker, running(broker.port, receive_maximum=10) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(*map(reading, range(1, 9)), PublishPacket("hue/v1/x", b""))
        await settle(peer, subscriber)
        sizes = [len((await subscriber.gather()).messages) for _ in range(2)]
        assert sizes == [5, 5]  # three QoS 1, one QoS 0 and the last one in the second


async def test_a_gathering_ends_at_the_count_and_the_bytes_asked_for() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(*(reading(i, b"x" * 100) for i in range(1, 8)), reading(8, b"y" * 900))
        await settle(peer, subscriber)

        async def next_ids(limits: Limits) -> list[int]:
            return [m.packet_id for m in (await subscriber.gather(limits)).messages]

        assert await next_ids(Limits(messages=3)) == [1, 2, 3]
        assert await next_ids(Limits(payload_bytes=250)) == [4, 5]
        assert await next_ids(Limits(payload_bytes=200)) == [6, 7]
        assert await next_ids(Limits(payload_bytes=200)) == [8]  # too large for any limit, never left behind


async def test_a_cancelled_gathering_loses_nothing() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        await gather_session(subscriber)
        gathering = asyncio.create_task(subscriber.gather())
        await asyncio.sleep(0)
        gathering.cancel()
        await settle(peer, subscriber)
        assert len((await subscriber.gather()).messages) == 1


async def test_a_gathering_never_spans_the_start_of_a_session() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(reading(1), reading(2))
        await settle(peer, subscriber)
        peer.reset()
        peer = await (await broker.connection()).greet(present=True)
        peer.send(reading(1), reading(2), reading(3))
        await settle(peer, subscriber)

        first, second = await subscriber.gather(), await subscriber.gather()
        assert first.session is not None
        assert second.session is not None
        assert (first.session.present, second.session.present) == (False, True)
        assert {m.epoch for m in first.messages} == {first.session.epoch}
        assert {m.epoch for m in second.messages} == {second.session.epoch}
        assert (len(first.messages), len(second.messages)) == (3, 4)


async def test_starts_with_nothing_between_them_are_told_as_one_lost_session() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        accepted_at = []
        for present in (True, False, True):
            peer = await broker.connection()
            accepted_at.append(system_clock().now())
            await peer.greet(present=present)
            await until(lambda: subscriber.connected)
            peer.reset()
            await until(lambda: not subscriber.connected)
        gathered = await subscriber.gather()
        assert gathered.session is not None
        assert not gathered.session.present
        assert gathered.session.lost_at is not None
        assert gathered.session.lost_at < accepted_at[1]
        assert gathered.session.epoch == 3


async def test_unacknowledged_messages_of_dead_connections_stay_within_one_window() -> None:
    async with FakeBroker() as broker, running(broker.port, receive_maximum=4) as subscriber:
        for round_ in range(1, 6):  # a database that is down under a flapping broker: nobody gathers
            peer = await (await broker.connection()).greet(present=True)
            peer.send(*(reading(i, b"%d" % round_) for i in range(1, 4)))
            await settle(peer, subscriber)
            assert subscriber.statistics().queued <= 2 * 4
            peer.reset()
            await until(lambda: not subscriber.connected)
        assert subscriber.statistics().abandoned_qos1 > 0


async def test_unacknowledged_bytes_of_dead_connections_stay_within_one_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mqtt, "IN_FLIGHT_BYTES", 2_000)
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        for _ in range(5):
            peer = await (await broker.connection()).greet(present=True)
            peer.send(reading(1, b"x" * 700), reading(2, b"x" * 700))
            await settle(peer, subscriber)
            peer.reset()
            await until(lambda: not subscriber.connected)
        await (await broker.connection()).greet(present=True)
        await until(lambda: subscriber.connected)
        assert subscriber.statistics().queued == 3  # one connection's, the newest
        assert subscriber.statistics().abandoned_qos1 == 4 * 3


@pytest.mark.parametrize("bound", ["count", "bytes"])
async def test_qos_0_beyond_the_bound_drops_the_oldest_and_counts_per_gateway(
    bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, *(("QOS0_MESSAGES", 80) if bound == "count" else ("QOS0_BYTES", 80 * 4)))
    async with (
        FakeBroker() as broker,
        running(broker.port, gateway_of=lambda topic: topic.split("/")[2]) as subscriber,
    ):
        peer = await (await broker.connection()).greet()
        peer.send(reading(1, b"sure"))
        for i in range(200):
            peer.send(PublishPacket(f"hue/v1/gw{i % 2}/d/readings", b"%4d" % i))
            if i % 20 == 19:
                await settle(peer, subscriber, 2 + i)
        messages = await gather_messages(subscriber, subscriber.statistics().queued)

        loose = [int(m.payload) for m in messages if m.qos == 0]
        dropped = subscriber.statistics().dropped_qos0
        assert sum(dropped.values()) + len(loose) == 200
        assert loose == list(range(200 - len(loose), 200))  # the newest, in order, without a hole
        assert 60 <= len(loose) <= 80
        assert abs(dropped["gw0"] - dropped["gw1"]) <= 1
        assert [m.packet_id for m in messages if m.qos] == [1, *(2 + i for i in range(19, 200, 20))]


async def test_gathered_qos_0_makes_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "QOS0_MESSAGES", 50)
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        for _ in range(10):
            peer.send(*(PublishPacket("hue/v1/a", b"") for _ in range(40)))
            await gather_messages(subscriber, 40)
        assert not subscriber.statistics().dropped_qos0
