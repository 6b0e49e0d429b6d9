"""The gateways' listener of production, with certificates: who gets in, and what they can do."""

import ssl
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from mqtt5 import ConnectPacket, PubAckReasonCode, QoS, Will

from ingest.broker_config import production
from ingest.catalog import load_catalogue
from ingest.embedded import EmbeddedBroker
from ingest.topics import matches
from tests.support.certificates import Authority
from tests.support.mqtt import Client
from tests.support.parts import need_program

CONFIG = Path(__file__).parents[2] / "config"
# What a refusal looks like from outside: TLS's own alert, a reset, or the end of the stream.
REFUSED = (ssl.SSLError, ConnectionError)

# What a gateway writes and ingest reads; the gateway's name is filled in.
READ_BY_INGEST = (
    "hue/v1/{}/dev-1/readings",
    "as923_2/gateway/{}/event/stats",
    "as923_2/gateway/{}/state/conn",
    "spBv1.0/hue/NBIRTH/{}",
    "spBv1.0/hue/NDEATH/{}",
    "spBv1.0/hue/NDATA/{}",
    "spBv1.0/hue/DBIRTH/{}/dev-1",
    "spBv1.0/hue/DDEATH/{}/dev-1",
    "spBv1.0/hue/DDATA/{}/dev-1",
    "senml/{}/dev-1",
    "senml-cbor/{}/dev-1",
    "sta/{}/v1.1/Datastreams(1)/Observations",
    "tele/{}/SENSOR",
    "tele/{}/LWT",
    "teltonika/{}/modbus",
    "Advantech/{}/data",
    "Advantech/{}/Device_Status",
    "airgradient/readings/{}",
    "cs/v2/data/{}/gauge",
    "cs/v1/data/cr1000x/{}/gauge/cj",
    "tt10/{}/dev-1",
    "tt10/{}/dev-1/file.txt",
)
READ_BY_CHIRPSTACK = (
    "as923_2/gateway/{}/event/stats",
    "as923_2/gateway/{}/event/up",
    "as923_2/gateway/{}/event/ack",
    "as923_2/gateway/{}/state/conn",
)
OWN = tuple(dict.fromkeys(READ_BY_INGEST + READ_BY_CHIRPSTACK))
# What no gateway writes, not even in its own name.
NOBODYS = (
    "application/{}/device/dev-1/event/up",
    "v3/{}/devices/dev-1/up",
    "as923_2/gateway/{}/command/down",
    "spBv1.0/hue/NCMD/{}",
    "spBv1.0/hue/DCMD/{}/dev-1",
    "spBv1.0/STATE/{}",
    "spBv1.0/{}/NDATA/gw-b",
    "spBv1.0/hue/DDATA/gw-b/{}",
    "cmnd/{}/Power",
    "cs/v2/data/gw-b/{}",
    "cs/v1/data/{}/gw-b/gauge/cj",
    "tt10/gw-b/{}",
    "airgradient/readings/gw-b/{}",
    "{}/x",
    "huewatch/marker/{}",
    "huewatch/tick",
    "ioc/alerts/{}",
)
COMMANDS = {"chirpstack": "as923_2/gateway/{}/command/down", "ingest": "spBv1.0/hue/NCMD/{}"}


def named(name: str, topics: Sequence[str]) -> list[str]:
    """The topics of one gateway."""
    return [topic.format(name) for topic in topics]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority of the test's own."""
    need_program("openssl", "openssl")
    return Authority(tmp_path / "authority")


@pytest.fixture
def broker(server_folder: Path, authority: Authority) -> Iterator[EmbeddedBroker]:
    """mosquitto with both of production's listeners."""
    need_program("mosquitto", "mosquitto")
    with tempfile.TemporaryDirectory(dir=server_folder, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        with EmbeddedBroker(Path(name) / "mosquitto", certificates=authority.folder) as server:
            yield server


def enter(
    broker: EmbeddedBroker, tls: ssl.SSLContext | None, client_id: str = "any", will: Will | None = None
) -> Client:
    """Connect at the gateways' listener."""
    assert broker.gateways_port is not None
    connect = ConnectPacket(client_id, clean_start=True, keep_alive=60, will=will)
    return Client(broker.gateways_port, connect, tls)


def test_gateway_writes_only_in_its_own_name(broker: EmbeddedBroker, authority: Authority) -> None:
    others = [topic for name in ("gw-b", "gw-a2", "gw", "GW-A") for topic in named(name, OWN)]
    with enter(broker, authority.gateway("gw-a")) as gateway:
        refused = PubAckReasonCode.NOT_AUTHORIZED
        taken = [
            topic
            for topic in named("gw-a", OWN) + others + named("gw-a", NOBODYS)
            if gateway.publish(topic) is not refused
        ]
    assert taken == named("gw-a", OWN)


@pytest.mark.parametrize(
    ("reader", "topics"), [("ingest", READ_BY_INGEST), ("chirpstack", READ_BY_CHIRPSTACK), ("feed", ())]
)
def test_what_a_gateway_writes_reaches_its_reader(
    broker: EmbeddedBroker, authority: Authority, reader: str, topics: tuple[str, ...]
) -> None:
    with Client.login(broker, reader) as service, enter(broker, authority.gateway("gw-a")) as gateway:
        service.subscribe("#")
        for topic in named("gw-a", OWN):
            gateway.publish(topic, b"42")
        assert sorted(packet.topic for packet in service.settle()) == sorted(named("gw-a", topics))


def test_every_route_of_the_shipped_catalogue_is_readable_by_ingest() -> None:
    """A topic that ingest asks for and may not read is lost without a word."""
    rules = production("services.acl").split("user ingest\n")[1].split("\nuser ")[0]
    readable = [rule.split()[-1].split("/") for rule in rules.splitlines() if " read" in rule]
    levels = {"spBv1.0/+/+/+": "NDATA", "spBv1.0/+/+/+/+": "DDATA"}
    for route in load_catalogue(CONFIG / "catalog").routes:
        topic = route.filter.split("/")
        if route.filter in levels:
            topic[2] = levels[route.filter]
        assert any(matches(rule, topic) for rule in readable), route.filter


def test_last_word_of_a_gateway_is_its_own(broker: EmbeddedBroker, authority: Authority) -> None:
    tls = authority.gateway("gw-a")
    with Client.login(broker, "ingest") as ingest:
        ingest.subscribe("#")
        for name in ("gw-a", "gw-b"):
            for topic in named(
                name, ("spBv1.0/hue/NDEATH/{}", "tele/{}/LWT", "as923_2/gateway/{}/state/conn")
            ):
                enter(
                    broker, tls, will=Will(topic, payload=b"gone", qos=QoS.AT_LEAST_ONCE)
                ).disconnect_with_will()
        heard = {packet.topic for packet in ingest.settle()}
    assert heard == {"spBv1.0/hue/NDEATH/gw-a", "tele/gw-a/LWT", "as923_2/gateway/gw-a/state/conn"}


def test_gateway_receives_only_the_commands_for_itself(broker: EmbeddedBroker, authority: Authority) -> None:
    with (
        enter(broker, authority.gateway("gw-a")) as a,
        enter(broker, authority.gateway("gw-b")) as b,
        Client.login(broker, "feed") as feed,
    ):
        a.subscribe(
            "#", "hue/v1/gw-a/#", "$SYS/#", *named("gw-a", OWN), *named("+", tuple(COMMANDS.values()))
        )
        for name, gateway in (("gw-a", a), ("gw-b", b)):
            for topic in named(name, OWN):
                gateway.publish(topic)
        feed.publish("ioc/alerts/events", retain=True)
        for user, topic in COMMANDS.items():
            with Client.login(broker, user) as service:
                for name in ("gw-a", "gw-b"):
                    service.publish(topic.format(name))
        heard = [packet.topic for packet in a.settle()]
    assert set(heard) == set(named("gw-a", tuple(COMMANDS.values())))


def test_certificate_in_a_services_name_opens_no_services_topics(
    broker: EmbeddedBroker, authority: Authority
) -> None:
    with (
        enter(broker, authority.gateway("ingest")) as impostor,
        enter(broker, authority.gateway("feed")) as forger,
        Client.login(broker, "simulator") as simulator,
    ):
        impostor.subscribe("hue/v1/#")
        simulator.publish("hue/v1/gw-a/dev-1/readings")
        assert impostor.settle() == []
        assert forger.publish("ioc/alerts/events") is PubAckReasonCode.NOT_AUTHORIZED


def test_gateway_cannot_evict_another_by_its_client_id(broker: EmbeddedBroker, authority: Authority) -> None:
    with enter(broker, authority.gateway("gw-a"), client_id="gw-a") as honest:
        with enter(broker, authority.gateway("gw-b"), client_id="gw-a"):
            assert honest.settle() == []
        assert honest.settle() == []


def test_gateway_cannot_evict_ingest_by_its_client_id(broker: EmbeddedBroker, authority: Authority) -> None:
    with Client.login(broker, "ingest", "huewatch-ingest-hue", session=60) as ingest:
        with enter(broker, authority.gateway("gw-b"), client_id="huewatch-ingest-hue"):
            assert ingest.settle() == []
        assert ingest.settle() == []


def test_gateways_listener_grants_qos_1_at_most(broker: EmbeddedBroker, authority: Authority) -> None:
    with enter(broker, authority.gateway("gw-a")) as gateway:
        assert gateway.connack.max_qos == QoS.AT_LEAST_ONCE


def test_stranger_without_certificate_is_refused(broker: EmbeddedBroker, authority: Authority) -> None:
    with pytest.raises(REFUSED):
        enter(broker, authority.stranger())


def test_certificate_of_another_authority_is_refused(
    broker: EmbeddedBroker, authority: Authority, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path / "foreign").gateway("gw-a")
    foreign.load_verify_locations(authority.folder / "ca.crt")
    with pytest.raises(REFUSED):
        enter(broker, foreign)


def test_brokers_own_certificate_is_no_gateways(broker: EmbeddedBroker, authority: Authority) -> None:
    context = authority.stranger()
    context.load_cert_chain(authority.folder / "broker.crt", authority.folder / "broker.key")
    with pytest.raises(REFUSED):
        enter(broker, context)


def test_revoked_gateway_is_refused_after_the_restart(broker: EmbeddedBroker, authority: Authority) -> None:
    enter(broker, authority.gateway("gw-a")).disconnect()
    other = authority.gateway("gw-b")
    authority.revoke("gw-a")
    broker.restart()
    with pytest.raises(REFUSED):
        enter(broker, authority.context("gw-a"))
    with enter(broker, other) as gateway:
        assert gateway.publish("hue/v1/gw-b/dev-1/readings") is PubAckReasonCode.NO_MATCHING_SUBSCRIBERS


def test_gateways_password_account_does_not_exist(broker: EmbeddedBroker, authority: Authority) -> None:
    """A service's password is worth nothing on the public listener."""
    assert broker.gateways_port is not None
    password = broker.accounts["ingest"].encode()
    connect = ConnectPacket("x", username="ingest", password=password, clean_start=True, keep_alive=60)
    with (
        Client(broker.gateways_port, connect, authority.gateway("gw-a")) as client,
        Client.login(broker, "simulator") as simulator,
    ):
        client.subscribe("hue/v1/#")
        simulator.publish("hue/v1/gw-a/dev-1/readings")
        assert client.settle() == []


@pytest.mark.parametrize("name", ["a/b", "+", "#", "", "-x", "a" * 65, "a\n", "gw-ấ", "huewatch-ingest-hue"])
def test_authority_signs_no_name_with_a_meaning_elsewhere(authority: Authority, name: str) -> None:
    with pytest.raises(Exception, match="status 2"):
        authority.gateway(name)


def test_plain_tcp_finds_no_door_at_the_gateways_listener(broker: EmbeddedBroker) -> None:
    with pytest.raises(REFUSED):
        enter(broker, None)
