"""The simulated gateways' connection to a broker: paho-mqtt, MQTT 5, as a third party's would be.

Promises: `publish` is QoS 1 and counted, `settle` waits until the broker has confirmed all of it, a refused
or lost publish is an error, and one that nobody had subscribed to is counted apart. `exercise_only` keeps
simulated floods away from a city's own broker. Called by `replay`, `publish_test` and the command line.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

EXERCISE_TOPIC = "hue/exercise"
EXERCISE_MARK = b"Exercise"
CONNECT_SECONDS = 10.0
MARK_SECONDS = 2.0  # a retained message follows the subscription at once
IN_FLIGHT = 20  # mosquitto's own default: a gateway may not count on more


class BrokerError(Exception):
    """The broker did not do what a gateway needs; the text says what to look at."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker listens, and as whom we come."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


class Gateway:
    """One connection that publishes at QoS 1 and listens to a few topics."""

    def __init__(self, client: mqtt.Client) -> None:
        self._client = client
        self._lock = threading.Condition()
        self._unconfirmed = 0
        self._refused: str | None = None
        self.confirmed = 0
        self.unheard = 0  # confirmed, and nobody had subscribed: the broker has thrown it away
        self.heard: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        client.on_publish = self._on_publish
        client.on_message = self._on_message

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand one message to the connection; it blocks only the caller's next `settle`."""
        with self._lock:
            self._unconfirmed += 1
        if self._client.publish(topic, payload, qos=1).rc != mqtt.MQTT_ERR_SUCCESS:
            raise BrokerError("the connection to the broker was lost while publishing")

    def settle(self, seconds: float) -> None:
        """Wait until all that was published is confirmed; `BrokerError` when refused or not in time."""
        with self._lock:
            done = self._lock.wait_for(lambda: self._unconfirmed == 0 or self._refused, timeout=seconds)
            if self._refused:
                raise BrokerError(
                    f"the broker refused a message: {self._refused} (look at its ACL and limits)"
                )
            if not done:
                raise BrokerError(
                    f"the broker left {self._unconfirmed} messages unconfirmed for {seconds:.0f} s"
                )

    def subscribe(self, topic: str) -> None:
        """Ask for a topic; what comes is put on `heard`."""
        self._client.subscribe(topic, qos=1)

    def wait_for(self, topic: str, payload: bytes, seconds: float) -> bool:
        """Whether that payload came on that topic in time; older payloads on the way are dropped."""
        try:
            while True:
                if self.heard.get(timeout=seconds) == (topic, payload):
                    return True
        except queue.Empty:
            return False

    def _on_publish(self, _client: Any, _data: Any, _mid: int, reason: ReasonCode, _properties: Any) -> None:
        with self._lock:
            self._unconfirmed -= 1
            self.confirmed += 1
            self.unheard += reason.getName() == "No matching subscribers"
            if reason.is_failure:
                self._refused = str(reason)
            self._lock.notify_all()

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.put((message.topic, bytes(message.payload)))


@contextmanager
def connected(address: Address, client_id: str) -> Iterator[Gateway]:
    """A connection for the time of the block; raises `BrokerError` that says why there is none."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(IN_FLIGHT)
    if address.username is not None:
        client.username_pw_set(address.username, address.password)
    if address.tls is not None:
        client.tls_set_context(address.tls)
    gateway = Gateway(client)
    try:
        _connect(client, address)
        yield gateway
    finally:
        client.disconnect()
        client.loop_stop()


def _connect(client: mqtt.Client, address: Address) -> None:
    where = f"{address.host}:{address.port}"
    answered: queue.SimpleQueue[ReasonCode] = queue.SimpleQueue()
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answered.put(reason)
    try:
        client.connect(address.host, address.port, keepalive=30)
        client.loop_start()
        reason = answered.get(timeout=CONNECT_SECONDS)
    except OSError as error:
        raise BrokerError(f"no broker answers at {where}: {error}") from error
    except queue.Empty:
        raise BrokerError(f"{where} accepts connections but does not speak MQTT 5") from None
    if reason.is_failure:
        raise BrokerError(f"the broker at {where} refused us: {reason}")


def tls_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """TLS that trusts `ca` (None: the system's) and shows our certificate; None when neither is named."""
    if ca is None and certificate is None:
        return None
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except OSError as error:
        raise BrokerError(f"the certificates cannot be used: {error}") from error
    return context


def is_loopback(host: str) -> bool:
    """Whether every address of that name is this machine's own."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(str(each).split("%")[0]).is_loopback for each in found)


def exercise_only(gateway: Gateway, address: Address) -> None:
    """Refuse, with `BrokerError`, a broker that is neither this machine's own nor marked for exercises."""
    if is_loopback(address.host):
        return
    gateway.subscribe(EXERCISE_TOPIC)
    if not gateway.wait_for(EXERCISE_TOPIC, EXERCISE_MARK, MARK_SECONDS):
        raise BrokerError(
            f"{address.host} is not this machine, and its broker holds no retained 'Exercise' on "
            f"{EXERCISE_TOPIC!r}: a simulated flood could reach real operators. If this broker is for "
            f"exercises only, its owner marks it: "
            f"mosquitto_pub -h {address.host} -r -t {EXERCISE_TOPIC} -m Exercise"
        )
