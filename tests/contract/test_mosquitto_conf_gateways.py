"""The gateways' listener of production, with certificates: who gets in, and what they can do."""

import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mqtt5 import ConnectPacket, PubAckReasonCode, QoS

from ingest.embedded import EmbeddedBroker
from tests.support.certificates import Authority
from tests.support.mqtt import Client
from tests.support.parts import need_program

# What a refusal looks like from outside: TLS's own alert, a reset, or the end of the stream.
REFUSED = (ssl.SSLError, ConnectionError)


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


def enter(broker: EmbeddedBroker, tls: ssl.SSLContext | None, client_id: str = "any") -> Client:
    """Connect at the gateways' listener."""
    assert broker.gateways_port is not None
    return Client(broker.gateways_port, ConnectPacket(client_id, clean_start=True, keep_alive=60), tls)


def test_gateway_writes_only_below_its_own_name(broker: EmbeddedBroker, authority: Authority) -> None:
    with enter(broker, authority.gateway("gw-a")) as gateway:
        assert gateway.publish("hue/v1/gw-a/dev-1/readings") is PubAckReasonCode.NO_MATCHING_SUBSCRIBERS
        for topic in (
            "hue/v1/gw-b/dev-1/readings",
            "hue/v1/gw-a2/x",
            "huewatch/marker/ingest",
            "ioc/alerts/x",
        ):
            assert gateway.publish(topic) is PubAckReasonCode.NOT_AUTHORIZED, topic


def test_what_a_gateway_writes_reaches_ingest(broker: EmbeddedBroker, authority: Authority) -> None:
    with Client.login(broker, "ingest") as ingest:
        ingest.subscribe("hue/v1/#")
        with enter(broker, authority.gateway("gw-a")) as gateway:
            gateway.publish("hue/v1/gw-a/dev-1/readings", b"42")
        assert [packet.payload for packet in ingest.settle()] == [b"42"]


def test_gateway_receives_nothing(broker: EmbeddedBroker, authority: Authority) -> None:
    with (
        enter(broker, authority.gateway("gw-a")) as a,
        enter(broker, authority.gateway("gw-b")) as b,
        Client.login(broker, "feed") as feed,
    ):
        a.subscribe("#", "hue/v1/gw-a/#", "$SYS/#")
        a.publish("hue/v1/gw-a/dev-1/readings")
        b.publish("hue/v1/gw-b/dev-1/readings")
        feed.publish("ioc/alerts/events", retain=True)
        assert a.settle() == []


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
