"""The subscriber against a real mosquitto: sessions, windows, redelivery, markers, TLS, credentials."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from mqtt5 import ConnectPacket, QoS
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.model import RawMessage
from ingest.mqtt import Subscriber, tls_context
from ingest.mqtt_connection import BUFFER_BYTES
from tests.fakes.broker import Impatient, gather_messages, gather_session, running, until
from tests.support.mqtt import Client
from tests.support.parts import need_program

BASE = """
allow_anonymous true
persistence true
persistence_location {folder}/
max_queued_messages 100000
listener {port} 127.0.0.1
"""


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Mosquitto:
    """One broker on a port of its own; `more` is appended to its configuration."""

    def __init__(self, folder: Path, more: str = "", base: str = BASE) -> None:
        self.port = free_port()
        self._program = need_program("mosquitto", "mosquitto")
        self._config = folder / "mosquitto.conf"
        as_root = "user root\n" if os.geteuid() == 0 else ""  # else it could not write into the folder
        self._config.write_text(as_root + base.format(folder=folder, port=self.port) + more)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            self._program, "-c", str(self._config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            assert self._process.returncode is None, "mosquitto ended at its start"
            await asyncio.sleep(0.01)

    async def stop(self, *, kill: bool = False) -> None:
        if self._process is not None and self._process.returncode is None:
            (self._process.kill if kill else self._process.terminate)()
            await self._process.wait()

    async def publish(self, topic: str, payloads: list[bytes]) -> None:
        """Publish at QoS 1 and return once the broker has taken all."""

        def send() -> None:
            with Client(self.port, ConnectPacket("a-gateway", keep_alive=60)) as client:
                client.publish_many(topic, payloads)

        await asyncio.to_thread(send)


Start = Callable[..., "asyncio.Future[Mosquitto]"]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    brokers: list[Mosquitto] = []

    async def started(more: str = "", base: str = BASE) -> Mosquitto:
        brokers.append(Mosquitto(tmp_path, more, base))
        await brokers[-1].start()
        return brokers[-1]

    yield started  # type: ignore[misc]
    for broker in brokers:
        await broker.stop(kill=True)


def numbers(messages: list[RawMessage]) -> list[int]:
    """The payloads of the readings among these messages."""
    return [int(m.payload) for m in messages if m.topic.startswith("hue/")]


async def sighted(subscriber: Subscriber, first: Sequence[RawMessage] = ()) -> list[RawMessage]:
    """Acknowledge what was gathered, then gather and acknowledge until the marker is back; returns all."""
    messages = list(first)
    subscriber.acknowledge(messages)
    while subscriber.marker_pending:
        gathered = await subscriber.gather()
        messages += gathered.messages
        subscriber.acknowledge(gathered.messages)
    return messages


async def test_the_window_is_the_receive_maximum_and_acknowledging_moves_it(start: Start) -> None:
    broker = await start()
    async with running(broker.port, receive_maximum=300) as subscriber:
        await sighted(subscriber)
        await broker.publish("hue/v1/gw/d/readings", [b"%d" % i for i in range(1_000)])
        await until(lambda: subscriber.statistics().in_flight == 300)
        await asyncio.sleep(0.2)  # time in which a broker without a window would send more
        assert subscriber.statistics().received_qos1 == 301  # the marker among them
        messages: list[RawMessage] = []
        while len(messages) < 1_000:
            gathered = await subscriber.gather()
            assert len(gathered.messages) <= 150
            subscriber.acknowledge(gathered.messages)
            messages += gathered.messages
        assert numbers(messages) == list(range(1_000))


async def test_unacknowledged_messages_come_again_with_the_dup_flag(start: Start) -> None:
    broker = await start()
    async with running(broker.port) as subscriber:
        await sighted(subscriber)
        await broker.publish("hue/v1/gw/d/readings", [b"%d" % i for i in range(10)])
        first = await gather_messages(subscriber, 10)
        subscriber.acknowledge(first[:4])
        await subscriber.stop()

    async with running(broker.port) as subscriber:
        gathered = await gather_session(subscriber)
        assert gathered.session is not None
        assert gathered.session.present
        again = [m for m in await sighted(subscriber, gathered.messages) if m.topic.startswith("hue/")]
        assert [(m.packet_id, m.payload) for m in again] == [(m.packet_id, m.payload) for m in first[4:]]
        assert all(m.dup for m in again)
        assert not any(m.dup for m in first)


async def test_nothing_comes_again_after_a_graceful_stop(start: Start) -> None:
    broker = await start()
    async with running(broker.port) as subscriber:
        await sighted(subscriber)
        await broker.publish("hue/v1/gw/d/readings", [b"%d" % i for i in range(5_000)])
        received = 0
        while received < 5_000:
            gathered = await subscriber.gather()
            received += len(gathered.messages)
            subscriber.acknowledge(gathered.messages)
        await subscriber.stop()
    async with running(broker.port) as subscriber:
        assert numbers(await sighted(subscriber)) == []


async def test_the_marker_comes_back_behind_the_whole_backlog(start: Start) -> None:
    broker = await start()
    async with running(broker.port, receive_maximum=500) as subscriber:
        await sighted(subscriber)
        await subscriber.stop()
    await broker.publish("hue/v1/gw/d/readings", [b"%d" % i for i in range(3_000)])
    async with running(broker.port, receive_maximum=500) as subscriber:
        messages = await sighted(subscriber)
        assert numbers(messages) == list(range(3_000))
        assert messages[-1].topic == subscriber.marker_topic
        assert subscriber.marker_seen(messages[-1].epoch)


async def test_a_reset_connection_resumes_the_session(start: Start) -> None:
    broker = await start()
    async with running(broker.port) as subscriber:
        await sighted(subscriber)
        await broker.publish("hue/v1/gw/d/readings", [b"1", b"2"])
        first = await gather_messages(subscriber, 2)
        assert subscriber._connection is not None
        subscriber._connection.abort()
        gathered = await gather_session(subscriber)
        assert gathered.session is not None
        assert (gathered.session.present, gathered.session.epoch) == (True, 2)
        assert gathered.session.lost_at is not None
        assert 0 <= first[-1].received_at - gathered.session.lost_at <= 10  # one microsecond for each packet
        subscriber.acknowledge(first)  # of the connection before: must not be sent
        again = await sighted(subscriber, gathered.messages)
        assert numbers(again) == [1, 2]


@pytest.mark.parametrize("persistence", [True, False])
async def test_a_broker_restart_keeps_or_loses_the_session(start: Start, persistence: bool) -> None:
    base = BASE if persistence else BASE.replace("persistence true", "persistence false")
    broker = await start(base=base)
    async with running(broker.port) as subscriber:
        await sighted(subscriber)
        await broker.stop()
        await broker.start()
        gathered = await gather_session(subscriber)
        assert gathered.session is not None
        assert gathered.session.present is persistence
        assert gathered.session.lost_at is not None
        await until(lambda: subscriber.connected)
        await broker.publish("hue/v1/gw/d/readings", [b"7"])
        assert 7 in numbers(
            await sighted(subscriber, gathered.messages) + (await subscriber.gather()).messages
        )


async def test_retained_messages_are_not_replayed_and_live_ones_carry_no_flag(start: Start) -> None:
    broker = await start()

    def publish(payload: bytes) -> None:
        with Client(broker.port, ConnectPacket("a-gateway")) as client:
            client.publish("hue/v1/gw/d/readings", payload, retain=True)

    await asyncio.to_thread(publish, b"1")
    async with running(broker.port) as subscriber:
        assert numbers(await sighted(subscriber)) == []
        await asyncio.to_thread(publish, b"2")
        (message,) = await gather_messages(subscriber, 1)
        assert (message.payload, message.retain) == (b"2", False)
        assert subscriber._connection is not None
        subscriber._connection.abort()
        gathered = await gather_session(subscriber)
        assert numbers(await sighted(subscriber, gathered.messages)) == [2]


async def test_withdrawn_routes_bring_nothing_more(start: Start) -> None:
    broker = await start()
    async with running(broker.port, ["hue/v1/#", "old/#"]) as subscriber:
        await sighted(subscriber)
        await subscriber.stop()
    async with running(broker.port, ["hue/v1/#"], withdrawn=["old/#"]) as subscriber:
        await sighted(subscriber)
        await broker.publish("old/a", [b"1"])
        await broker.publish("hue/v1/a", [b"2"])
        assert [m.payload for m in await gather_messages(subscriber, 1)] == [b"2"]


async def test_a_large_message_is_not_dropped_on_our_account(start: Start) -> None:
    broker = await start()
    async with running(broker.port) as subscriber:
        await sighted(subscriber)
        await broker.publish("hue/v1/gw/d/readings", [b"x" * 2_000_000])
        (message,) = await gather_messages(subscriber, 1)
        assert len(message.payload) == 2_000_000


async def test_whatever_properties_a_gateway_sets_its_message_is_read(start: Start) -> None:
    broker = await start()

    def publish() -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.PayloadFormatIndicator = 1
        properties.MessageExpiryInterval = 4_294_967_295
        properties.ContentType = "application/json; Huế"
        properties.ResponseTopic = "hue/answer"
        properties.CorrelationData = bytes(range(256))
        properties.UserProperty = [("trạm", "Kim Long"), ("", ""), ("trạm", "again")]
        client = paho.Client(CallbackAPIVersion.VERSION2, "third-party", protocol=paho.MQTTv5)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        client.publish("hue/v1/gw/d/readings", b"1", qos=1, properties=properties).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()

    async with running(broker.port) as subscriber:
        await sighted(subscriber)
        await asyncio.to_thread(publish)
        assert numbers(await gather_messages(subscriber, 1)) == [1]
        assert subscriber.statistics().violations == 0


async def test_memory_stays_bounded_although_mosquitto_ignores_the_window(start: Start) -> None:
    broker = await start()
    async with running(broker.port, receive_maximum=500) as subscriber:
        await sighted(subscriber)
        await broker.publish("hue/v1/gw/d/readings", [b"%0500d" % i for i in range(20_000)])
        received, peak = 0, 0
        while received < 20_000:
            gathered = await subscriber.gather()
            await asyncio.sleep(0.001)
            peak = max(peak, subscriber.statistics().in_flight)
            subscriber.acknowledge(gathered.messages)
            received += len(gathered.messages)
        assert peak <= 500 + BUFFER_BYTES // 500
        assert subscriber.statistics().connections == 1


async def test_a_smaller_window_on_return_does_not_lock_us_out(start: Start) -> None:
    broker = await start()
    async with running(broker.port, receive_maximum=400) as subscriber:
        await sighted(subscriber)
        await broker.publish("hue/v1/gw/d/readings", [b"%d" % i for i in range(1_000)])
        await until(lambda: subscriber.statistics().in_flight == 400)
        await subscriber.stop()
    async with running(broker.port, receive_maximum=20) as subscriber:
        assert numbers(await sighted(subscriber)) == list(range(1_000))
        assert subscriber.statistics().connections == 1


async def test_two_clients_with_one_id_do_not_evict_each_other_in_a_tight_loop(start: Start) -> None:
    broker = await start()
    chance = Impatient()
    async with running(broker.port, chance=chance) as subscriber:
        await until(lambda: subscriber.connected)
        other = await asyncio.to_thread(
            Client, broker.port, ConnectPacket("ingest", session_expiry_interval=60, keep_alive=60)
        )
        await until(lambda: len(chance.asked) >= 1)
        assert chance.asked[0][1] >= 0.5
        await asyncio.to_thread(other.disconnect)


async def test_wrong_credentials_are_refused_slowly_and_right_ones_accepted(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    tool = need_program("mosquitto_passwd", "mosquitto")
    process = await asyncio.create_subprocess_exec(
        tool, "-b", passwords, "ingest", "right", stderr=subprocess.DEVNULL
    )
    assert await process.wait() == 0
    broker = await start(
        f"password_file {passwords}\n", BASE.replace("allow_anonymous true", "allow_anonymous false")
    )
    chance = Impatient()
    async with running(broker.port, chance=chance, username="ingest", password="wrong") as subscriber:
        await until(lambda: len(chance.asked) >= 3)
        assert not subscriber.connected
    assert set(chance.asked) == {(15.0, 30.0)}
    assert [r.levelname for r in caplog.records] == ["ERROR"]
    async with running(broker.port, username="ingest", password="right") as subscriber:
        await sighted(subscriber)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A CA, a server certificate for 127.0.0.1, a client certificate, and a CA that signed nothing."""
    openssl = need_program("openssl", "openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True, cwd=tmp_path)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for ca in ("ca", "other"):
        run(
            "req",
            "-x509",
            *curve,
            "-keyout",
            f"{ca}.key",
            "-out",
            f"{ca}.crt",
            "-subj",
            f"/CN={ca}",
            "-days",
            "2",
        )
    (tmp_path / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    (tmp_path / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
    for name in ("server", "client"):
        run("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-out", f"{name}.crt", "-extfile", f"{name}.ext", "-days", "2"),
        )
    return tmp_path


def tls_lines(folder: Path) -> str:
    return (
        f"cafile {folder}/ca.crt\ncertfile {folder}/server.crt\nkeyfile {folder}/server.key\n"
        "require_certificate true\n"
    )


async def test_messages_come_over_tls_with_a_client_certificate(start: Start, certificates: Path) -> None:
    broker = await start(tls_lines(certificates))
    tls = tls_context(certificates / "ca.crt", certificates / "client.crt", certificates / "client.key")
    async with running(broker.port, tls=tls) as subscriber:
        await sighted(subscriber)
        for i in range(3):
            subscriber.publish("hue/v1/gw/d/readings", b"%d" % i, qos=1)
        large = b"1" * 1_000_000
        subscriber.publish("hue/v1/gw/d/readings", large, qos=1)
        messages = await gather_messages(subscriber, 4)
        assert [m.payload for m in messages] == [b"0", b"1", b"2", large]
        subscriber.acknowledge(messages)
        await subscriber.stop()


@pytest.mark.parametrize("mistake", ["wrong ca", "no client certificate"])
async def test_tls_that_is_refused_is_tried_slowly(
    start: Start, certificates: Path, mistake: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker = await start(tls_lines(certificates))
    tls = tls_context(certificates / ("other.crt" if mistake == "wrong ca" else "ca.crt"))
    chance = Impatient()
    async with running(broker.port, tls=tls, chance=chance) as subscriber:
        await until(lambda: len(chance.asked) >= 2)
        assert not subscriber.connected
    assert set(chance.asked) == {(15.0, 30.0)}
    assert "certificate" in vars(caplog.records[0])["remedy"]


async def test_messages_at_qos_0_come_too(start: Start) -> None:
    broker = await start()

    def publish() -> None:
        with Client(broker.port, ConnectPacket("a-gateway")) as client:
            client.publish("hue/v1/gw/d/readings", b"1", qos=QoS.AT_LEAST_ONCE)

    async with running(broker.port) as subscriber:
        await sighted(subscriber)
        subscriber.publish("hue/v1/gw/d/readings", b"0")
        await asyncio.to_thread(publish)
        messages = await gather_messages(subscriber, 2)
        assert sorted((m.qos, m.payload) for m in messages) == [(0, b"0"), (1, b"1")]
