"""What is asked of the broker at each connect, what it may refuse, and what its answers mean."""

import asyncio
import random

import pytest
from mqtt5 import (
    ConnAckReasonCode,
    DisconnectPacket,
    DisconnectReasonCode,
    PubAckPacket,
    PubAckReasonCode,
    PublishPacket,
    QoS,
    RetainHandling,
    SubAckPacket,
    SubAckReasonCode,
    SubscribePacket,
    UnsubAckPacket,
    UnsubAckReasonCode,
    UnsubscribePacket,
)

from ingest.clock import system_clock
from ingest.mqtt import BrokerSettings, Refused, Subscriber
from tests.fakes.broker import (
    FakeBroker,
    Impatient,
    Peer,
    gather_messages,
    gather_session,
    reading,
    running,
    settle,
    until,
)


class Patient(random.Random):
    """Chance that always asks for the longest wait."""

    def __init__(self) -> None:
        super().__init__(0)
        self.asked = asyncio.Event()

    def uniform(self, a: float, b: float) -> float:
        self.asked.set()
        return 30.0


def subscriber_for(port: int, chance: random.Random | None = None) -> Subscriber:
    return Subscriber(
        BrokerSettings("127.0.0.1", port, "ingest"),
        ["hue/v1/#", "application/+/device/+/event/up"],
        system_clock(),
        chance or random.Random(0),
        gateway_of=str,
    )


def returned(peer: Peer, packet_id: int) -> PublishPacket:
    """The marker as the broker delivers it."""
    assert peer.marker is not None
    return PublishPacket(peer.marker.topic, peer.marker.payload, qos=QoS.AT_LEAST_ONCE, packet_id=packet_id)


async def test_connect_asks_for_a_session_that_outlives_us() -> None:
    async with FakeBroker() as broker, running(broker.port, username="ingest", password="mật khẩu"):
        connect = await (await broker.connection()).accept()
        assert (connect.client_id, connect.clean_start) == ("ingest", False)
        assert connect.session_expiry_interval == 7 * 24 * 3600
        assert (connect.receive_max, connect.topic_alias_max) == (8_000, 0)
        assert connect.max_packet_size is None
        assert (connect.username, connect.password) == ("ingest", "mật khẩu".encode())


@pytest.mark.parametrize("present", [True, False])
async def test_every_connect_subscribes_to_all_filters_and_the_marker(present: bool) -> None:
    async with FakeBroker() as broker, running(broker.port, ["a/#", "b/+"]) as subscriber:
        peer = await broker.connection()
        await peer.accept(present)
        subscribe = await peer.grant()
        assert [f.pattern for f in subscribe.topic_filters] == ["a/#", "b/+", "huewatch/marker/ingest"]
        assert {int(f.max_qos) for f in subscribe.topic_filters} == {1}
        assert {int(f.retain_handling) for f in subscribe.topic_filters} == {int(RetainHandling.SEND_NEVER)}
        assert not any(f.retain_as_published for f in subscribe.topic_filters)
        await until(lambda: subscriber.connected)
        gathered = await gather_session(subscriber)
        assert gathered.session is not None
        assert gathered.session.present is present
        assert gathered.session.lost_at is None


async def test_withdrawn_filters_are_unsubscribed() -> None:
    async with FakeBroker() as broker, running(broker.port, withdrawn=["old/#"]) as subscriber:
        peer = await broker.connection()
        await peer.accept(present=True)
        unsubscribe = await peer.expect(UnsubscribePacket)
        assert unsubscribe.patterns == ["old/#"]
        peer.send(UnsubAckPacket(unsubscribe.packet_id, [UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED]))
        await peer.grant()
        await until(lambda: subscriber.connected)


async def test_messages_before_the_suback_are_received() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await broker.connection()
        await peer.accept(present=True)
        await peer.expect(SubscribePacket)
        peer.send(reading(1), reading(2))
        messages = await gather_messages(subscriber, 2)
        assert not subscriber.connected
        subscriber.acknowledge(messages)
        assert await peer.acknowledged(2) == [1, 2]


async def test_a_lost_session_tells_when_the_broker_was_last_heard() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(reading(1))
        (last,) = await gather_messages(subscriber, 1)
        peer.reset()
        await (await broker.connection()).greet(present=False)
        gathered = await gather_session(subscriber)
        assert gathered.session is not None
        assert not gathered.session.present
        assert gathered.session.lost_at is not None
        assert 0 <= last.received_at - gathered.session.lost_at <= 10  # one microsecond for each packet
        assert gathered.session.at > last.received_at
        assert gathered.session.epoch == 2


async def test_a_filter_that_is_not_granted_is_fatal_and_named() -> None:
    async with FakeBroker() as broker:
        subscriber = subscriber_for(broker.port)
        run = asyncio.create_task(subscriber.run())
        peer = await broker.connection()
        await peer.accept()
        subscribe = await peer.expect(SubscribePacket)
        granted = SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE
        peer.send(SubAckPacket(subscribe.packet_id, [granted, SubAckReasonCode.NOT_AUTHORIZED, granted]))
        with pytest.raises(Refused, match=r"application/\+/device/\+/event/up.*NOT_AUTHORIZED.*Remedy"):
            await run


async def test_a_filter_granted_without_acknowledgements_is_fatal() -> None:
    async with FakeBroker() as broker:
        run = asyncio.create_task(subscriber_for(broker.port).run())
        peer = await broker.connection()
        await peer.accept()
        subscribe = await peer.expect(SubscribePacket)
        codes = [SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE] * len(subscribe.topic_filters)
        peer.send(SubAckPacket(subscribe.packet_id, codes))
        with pytest.raises(Refused, match="QoS 1"):
            await run


@pytest.mark.parametrize(
    "reason", [ConnAckReasonCode.CLIENT_ID_NOT_VALID, ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION]
)
async def test_a_refusal_that_no_retry_mends_is_fatal(reason: ConnAckReasonCode) -> None:
    async with FakeBroker() as broker:
        run = asyncio.create_task(subscriber_for(broker.port).run())
        await (await broker.connection()).accept(reason_code=reason)
        with pytest.raises(Refused, match=reason.name):
            await run


async def test_a_broker_of_mqtt_3_is_fatal() -> None:
    async with FakeBroker() as broker:
        run = asyncio.create_task(subscriber_for(broker.port).run())
        (await broker.connection()).send(b"\x20\x02\x00\x01")  # unacceptable protocol version, MQTT 3.1.1
        with pytest.raises(Refused, match="MQTT 5"):
            await run


async def test_wrong_credentials_are_tried_again_slowly(caplog: pytest.LogCaptureFixture) -> None:
    chance = Impatient()
    async with FakeBroker() as broker, running(broker.port, chance=chance):
        for _ in range(4):
            peer = await broker.connection()
            await peer.accept(reason_code=ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD)
        await until(lambda: len(chance.asked) >= 4)
    assert set(chance.asked) == {(15.0, 30.0)}
    errors = [r for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == 1  # a change is told, a state is not
    assert "password" in vars(errors[0])["remedy"]


async def test_a_busy_broker_is_tried_again_with_growing_jitter() -> None:
    chance = Impatient()
    async with FakeBroker() as broker, running(broker.port, chance=chance):
        for _ in range(9):
            await (await broker.connection()).accept(reason_code=ConnAckReasonCode.SERVER_BUSY)
        await until(lambda: len(chance.asked) >= 9)
    assert chance.asked[:9] == [(0, ceiling) for ceiling in (0.5, 1, 2, 4, 8, 16, 30, 30, 30)]


async def test_another_client_with_our_id_is_an_error_and_no_tight_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chance = Impatient()
    async with FakeBroker() as broker, running(broker.port, chance=chance):
        peer = await (await broker.connection()).greet()
        peer.send(DisconnectPacket(reason_code=DisconnectReasonCode.SESSION_TAKEN_OVER))
        await until(lambda: len(chance.asked) >= 1)
    assert chance.asked == [(15.0, 30.0)]
    assert "another client uses the id ingest" in vars(caplog.records[-1])["remedy"]


async def test_stopping_while_waiting_to_reconnect_ends_the_run() -> None:
    async with FakeBroker() as broker:
        chance = Patient()
        subscriber = subscriber_for(broker.port, chance)
        run = asyncio.create_task(subscriber.run())
        await (await broker.connection()).accept(reason_code=ConnAckReasonCode.SERVER_BUSY)
        await chance.asked.wait()
        await subscriber.stop()
        async with asyncio.timeout(1):
            await run


async def test_a_shorter_session_than_asked_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with FakeBroker() as broker, running(broker.port):
        await (await broker.connection()).greet(session_expiry_interval=60)
    (warning,) = [r for r in caplog.records if "for less" in r.message]
    assert vars(warning)["granted"] == 60


async def test_the_marker_is_pending_until_its_return_is_acknowledged() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        assert subscriber.marker_pending
        peer = await (await broker.connection()).greet()
        peer.send(reading(1), returned(peer, 2))
        first, marker = await gather_messages(subscriber, 2)
        assert marker.topic == subscriber.marker_topic
        assert subscriber.marker_pending
        subscriber.acknowledge([first])
        assert not subscriber.marker_seen(marker.epoch)
        subscriber.acknowledge([marker])
        assert subscriber.marker_seen(marker.epoch)
        assert not subscriber.marker_seen(marker.epoch + 1)


async def test_a_marker_of_an_earlier_connection_or_process_does_not_count() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        stale = returned(peer, 1)
        peer.reset()
        peer = await (await broker.connection()).greet(present=True)
        peer.send(stale)
        await settle(peer, subscriber)
        messages = await gather_messages(subscriber, subscriber.statistics().queued)
        subscriber.acknowledge(messages)
        assert subscriber.marker_pending


async def test_losing_the_connection_makes_the_marker_pending_again() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        peer.send(returned(peer, 1))
        subscriber.acknowledge(await gather_messages(subscriber, 1))
        assert not subscriber.marker_pending
        peer.reset()
        await until(lambda: subscriber.marker_pending)


async def test_a_new_marker_is_pending_although_the_last_one_came_back() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet()
        first = returned(peer, 1)
        subscriber.publish_marker()
        peer.marker = await peer.expect(PublishPacket)
        peer.send(first)
        subscriber.acknowledge(await gather_messages(subscriber, 1))
        assert subscriber.marker_pending
        peer.send(returned(peer, 2))
        subscriber.acknowledge(await gather_messages(subscriber, 1))
        assert not subscriber.marker_pending


async def test_a_marker_that_the_broker_dropped_is_sent_again() -> None:
    async with FakeBroker() as broker, running(broker.port, keepalive=1) as subscriber:
        peer = await (await broker.connection()).greet()
        again = await peer.expect(PublishPacket)
        assert peer.marker is not None
        assert again.payload == peer.marker.payload
        assert subscriber.marker_pending


async def test_a_refused_marker_is_an_error_with_its_remedy(caplog: pytest.LogCaptureFixture) -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await broker.connection()
        await peer.accept()
        await peer.grant()
        marker = await peer.expect(PublishPacket)
        assert marker.packet_id is not None
        peer.send(PubAckPacket(marker.packet_id, reason_code=PubAckReasonCode.NOT_AUTHORIZED))
        await settle(peer, subscriber)
    (error,) = [r for r in caplog.records if r.levelname == "ERROR"]
    assert subscriber.marker_topic in vars(error)["remedy"]


async def test_an_id_of_ours_is_not_used_again_before_its_puback() -> None:
    async with FakeBroker() as broker, running(broker.port) as subscriber:
        peer = await (await broker.connection()).greet(receive_max=3)
        await settle(peer, subscriber)  # the marker's PUBACK has been read
        for _ in range(5):
            subscriber.publish("a", b"", qos=1)
        subscriber.publish("end", b"")
        packets = [await peer.expect(PublishPacket) for _ in range(4)]
        assert [p.topic for p in packets] == ["a", "a", "a", "end"]  # the broker's window is kept
        assert len({p.packet_id for p in packets[:3]}) == 3
