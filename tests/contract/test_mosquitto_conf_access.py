"""Who may write and read what, asked of a real mosquitto under production's rules, cell by cell.

The gateways' own listener is in `test_mosquitto_conf_gateways.py`.
"""

from collections.abc import Iterator

import pytest
from mqtt5 import ConnAckReasonCode, ConnectPacket, PubAckReasonCode, QoS, Will

from ingest.embedded import ACCOUNTS, EmbeddedBroker
from tests.support.mqtt import Client, Refused

READINGS = "hue/v1/gw-1/dev-1/readings"
UPLINK = "application/1/device/24e124713a480001/event/up"
MARKER = "huewatch/marker/ingest"
ALERT = "ioc/alerts/events"
TICK = "huewatch/tick"
TICKED = "huewatch/tick/committed"
MARK = "hue/exercise"
OTHER = "huewatch/other"
REBIRTH = "spBv1.0/hue/NCMD/gw-1"
COMMAND = "as923_2/gateway/gw-1/command/down"
# What no account writes, but gateways and a bridge to The Things Stack.
GATEWAYS = (
    "v3/hue@city/devices/dev-1/up",
    "as923_2/gateway/gw-1/event/stats",
    "as923_2/gateway/gw-1/event/up",
    "as923_2/gateway/gw-1/state/conn",
    "spBv1.0/hue/NBIRTH/gw-1",
    "spBv1.0/hue/DDATA/gw-1/dev-1",
    "spBv1.0/hue/DCMD/gw-1/dev-1",
    "senml/gw-1/dev-1",
    "senml-cbor/gw-1/dev-1",
    "sta/gw-1/v1.1/Datastreams(1)/Observations",
    "tele/gw-1/SENSOR",
    "cmnd/gw-1/Power",
    "teltonika/gw-1/modbus",
    "Advantech/gw-1/data",
    "airgradient/readings/gw-1",
    "cs/v2/data/gw-1/gauge",
    "cs/v1/data/cr1000x/gw-1/gauge/cj",
    "tt10/gw-1/dev-1",
)
TOPICS = (READINGS, UPLINK, MARKER, ALERT, TICK, TICKED, MARK, OTHER, REBIRTH, COMMAND, *GATEWAYS)

MAY_WRITE = {
    "ingest": {MARKER, TICKED, REBIRTH},
    "feed": {ALERT},
    "ioc": set[str](),
    "chirpstack": {UPLINK, COMMAND},
    "health": set[str](),
    "simulator": {READINGS, UPLINK, TICK},
    "exercise-admin": {MARK},
}
MAY_READ = {
    "ingest": {READINGS, UPLINK, MARKER, TICK},
    "feed": set[str](),
    "ioc": {ALERT},
    "chirpstack": set[str](),
    "health": set[str](),
    "simulator": {TICKED, MARK},
    "exercise-admin": {MARK},
}
SYS = {
    "ingest": {
        "$SYS/broker/publish/messages/dropped",
        "$SYS/broker/clients/connected",
        "$SYS/broker/version",
    },
    "feed": {"$SYS/broker/publish/messages/dropped"},
    "health": {"$SYS/broker/uptime"},
}


@pytest.fixture
def writers(broker: EmbeddedBroker) -> Iterator[dict[str, Client]]:
    """Each topic's connected writer; `OTHER` and what gateways write have none."""
    clients = {user: Client.login(broker, user, f"writer-{user}") for user in ACCOUNTS}
    yield {topic: clients[user] for user, topics in MAY_WRITE.items() for topic in topics}
    for client in clients.values():
        client.disconnect()


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("user", ACCOUNTS)
def test_account_writes_only_its_own_topics(broker: EmbeddedBroker, user: str, retain: bool) -> None:
    with Client.login(broker, user) as client:
        taken = {t for t in TOPICS if client.publish(t, retain=retain) is not PubAckReasonCode.NOT_AUTHORIZED}
    assert taken == MAY_WRITE[user]


@pytest.mark.parametrize("user", ACCOUNTS)
def test_account_receives_only_its_own_topics(
    broker: EmbeddedBroker, user: str, writers: dict[str, Client]
) -> None:
    with Client.login(broker, user) as client:
        client.subscribe("#")
        for topic, writer in writers.items():
            writer.publish(topic)
        assert {packet.topic for packet in client.settle()} == MAY_READ[user]


@pytest.mark.parametrize("user", ACCOUNTS)
def test_retained_message_reaches_only_its_readers(
    broker: EmbeddedBroker, user: str, writers: dict[str, Client]
) -> None:
    for topic, writer in writers.items():
        writer.publish(topic, retain=True)
    with Client.login(broker, user) as client:
        client.subscribe("#")
        assert {packet.topic for packet in client.settle()} == MAY_READ[user]


@pytest.mark.parametrize("user", ACCOUNTS)
def test_will_is_published_only_on_the_own_topics(broker: EmbeddedBroker, user: str) -> None:
    readers = [Client.login(broker, reader, f"reader-{reader}") for reader in ACCOUNTS]
    for reader in readers:
        reader.subscribe("#")
    for topic in TOPICS:
        _die(broker, user, Will(topic, payload=b"gone", qos=QoS.AT_LEAST_ONCE))
    heard = {packet.topic for reader in readers for packet in reader.settle()}
    for reader in readers:
        reader.disconnect()
    assert heard == MAY_WRITE[user] - {REBIRTH, COMMAND}  # which gateways alone may read


def _die(broker: EmbeddedBroker, user: str, will: Will) -> None:
    password = broker.accounts[user].encode()
    connect = ConnectPacket("w", username=user, password=password, clean_start=True, keep_alive=60, will=will)
    Client(broker.port, connect).disconnect_with_will()


@pytest.mark.parametrize("user", ACCOUNTS)
def test_account_reads_only_named_broker_counters(broker: EmbeddedBroker, user: str) -> None:
    with Client.login(broker, user) as client:
        client.subscribe("$SYS/#")
        assert {packet.topic for packet in client.settle()} == SYS.get(user, set())


@pytest.mark.parametrize(
    ("user", "password"), [(None, None), ("ingest", b"wrong"), ("ingest", None), ("nobody", b"x")]
)
def test_stranger_is_refused(broker: EmbeddedBroker, user: str | None, password: bytes | None) -> None:
    with pytest.raises(Refused) as refused:
        Client(broker.port, ConnectPacket("x", username=user, password=password, clean_start=True))
    assert refused.value.reason is ConnAckReasonCode.NOT_AUTHORIZED


def test_client_without_an_id_is_refused(broker: EmbeddedBroker) -> None:
    password = broker.accounts["ioc"].encode()
    with pytest.raises(Refused):
        Client(broker.port, ConnectPacket("", username="ioc", password=password, clean_start=True))
