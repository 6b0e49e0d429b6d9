"""Production's limits and persistence, seen from outside on a real mosquitto."""

import pytest
from mqtt5 import ConnectPacket, PubAckReasonCode

from ingest.embedded import EmbeddedBroker
from tests.support.mqtt import Client

TOPIC = "hue/v1/gw-1/dev-1/readings"
DAY = 86_400
PAYLOADS = [b"%05d" % number for number in range(3_000)]  # three times mosquitto's own queue


def away(broker: EmbeddedBroker) -> None:
    """A subscriber with a session that has left."""
    with Client.login(broker, "ingest", session=DAY) as ingest:
        ingest.subscribe("hue/v1/#")


def back(broker: EmbeddedBroker, count: int) -> list[bytes]:
    """What it is given when it returns."""
    with Client.login(broker, "ingest", session=DAY) as ingest:
        assert ingest.connack.session_present
        return [packet.payload for packet in ingest.receive(count)]


def test_packet_above_the_limit_closes_the_connection(broker: EmbeddedBroker) -> None:
    with Client.login(broker, "simulator") as client:
        assert client.publish(TOPIC, bytes(65_000)) is PubAckReasonCode.NO_MATCHING_SUBSCRIBERS
        with pytest.raises(ConnectionError):
            client.publish(TOPIC, bytes(66_000))


def test_packet_above_the_limit_disturbs_no_other_client(broker: EmbeddedBroker) -> None:
    with Client.login(broker, "ingest") as ingest:
        ingest.subscribe("hue/v1/#")
        with Client.login(broker, "simulator") as client, pytest.raises(ConnectionError):
            client.publish(TOPIC, bytes(70_000))
        assert ingest.settle() == []


def test_queue_holds_what_comes_while_a_subscriber_is_away(broker: EmbeddedBroker) -> None:
    away(broker)
    with Client.login(broker, "simulator") as client:
        client.publish_many(TOPIC, PAYLOADS)
    assert back(broker, len(PAYLOADS)) == PAYLOADS


def test_queue_survives_a_restart_of_the_broker(broker: EmbeddedBroker) -> None:
    away(broker)
    with Client.login(broker, "simulator") as client:
        client.publish_many(TOPIC, PAYLOADS)
    broker.restart()
    assert back(broker, len(PAYLOADS)) == PAYLOADS


def test_restored_session_takes_new_messages_before_its_owner_returns(broker: EmbeddedBroker) -> None:
    """Rules by listener are looked up for a client that has not connected since the restart."""
    away(broker)
    broker.restart()
    with Client.login(broker, "simulator") as client:
        client.publish(TOPIC, b"after")
    assert back(broker, 1) == [b"after"]


def test_retained_alert_survives_a_restart_of_the_broker(broker: EmbeddedBroker) -> None:
    with Client.login(broker, "feed") as feed:
        feed.publish("ioc/alerts/status", b"here", retain=True)
    broker.restart()
    with Client.login(broker, "ioc") as ioc:
        ioc.subscribe("ioc/alerts/#")
        assert [packet.payload for packet in ioc.receive(1)] == [b"here"]


def test_subscriber_gets_the_window_it_asks_for(broker: EmbeddedBroker) -> None:
    """Without acknowledging, 5,000 at once: the broker's own default would stop at 20."""
    password = broker.accounts["ingest"].encode()
    asking = ConnectPacket(
        "w", username="ingest", password=password, clean_start=True, keep_alive=60, receive_max=2_500
    )
    with Client.login(broker, "simulator") as simulator:
        silent = Client(broker.port, asking, acknowledges=False)
        silent.subscribe("hue/v1/#")
        simulator.publish_many(TOPIC, PAYLOADS)
        assert len(silent.settle()) == 2_500
        silent.disconnect()


def test_publisher_may_have_a_thousand_in_flight(broker: EmbeddedBroker) -> None:
    with Client.login(broker, "simulator") as client:
        assert client.connack.receive_max == 1_000


def test_keepalive_is_bounded(broker: EmbeddedBroker) -> None:
    password = broker.accounts["ioc"].encode()
    asking = ConnectPacket("k", username="ioc", password=password, clean_start=True, keep_alive=40_000)
    client = Client(broker.port, asking)
    client.disconnect()
    assert client.connack.server_keep_alive == 1_200
