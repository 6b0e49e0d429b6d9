"""The simulated gateways at a real broker: what they publish is confirmed, and a city's broker is refused."""

from __future__ import annotations

import asyncio
import json
import threading
from importlib.resources import files

import numpy as np
import pytest
from mqtt5 import PublishPacket

from ingest.catalog import load_catalogue
from ingest.clock import system_clock
from ingest.embedded import EmbeddedBroker, free_port
from ingest.model import Nature
from simulators import broker as simulated
from simulators import replay
from simulators.broker import Address, BrokerError, connected, exercise_only, is_loopback
from simulators.load import LoadLedger, load_catalogue_yaml, publish_load
from simulators.load_sheet import datastream_key, topic_of
from simulators.plan import make_plan
from simulators.replay import Progress, play_by_clock, play_with_ticks
from simulators.scenario import MINUTE, load_scenario
from tests.support.mqtt import Client

TICK, COMMITTED = "huewatch/tick", "huewatch/tick/committed"


def address(broker: EmbeddedBroker) -> Address:
    return Address("127.0.0.1", broker.port, "simulator", broker.accounts["simulator"])


def leave_a_session(broker: EmbeddedBroker) -> None:
    """Somebody to publish to: what nobody wants is confirmed as such, and the ledger does not count it."""
    with Client.login(broker, "ingest", "test-ingest", session=60) as client:
        client.subscribe("hue/v1/#")


def short_plan(hours: float = 1.0):
    scenario = load_scenario().model_copy(update={"hours": hours})
    catalogue = load_catalogue(files("huewatch_config") / "catalog", Nature.EXERCISE)
    return make_plan(
        scenario.model_copy(update={"faults": scenario.faults.model_copy(update={"late": None})}),
        catalogue,
        1,
    )


class Service:
    """Stands for `huewatch run`: takes everything, and says of each tick that it is committed."""

    def __init__(self, broker: EmbeddedBroker, commits: int) -> None:
        self._client = Client.login(broker, "ingest", "test-ingest")
        self._client.subscribe("hue/v1/#", "application/#", TICK)
        self._thread = threading.Thread(target=self._serve, args=(commits,), daemon=True)
        self.order: list[PublishPacket] = []
        self._thread.start()

    def _serve(self, commits: int) -> None:
        taken = 0
        while commits:
            received = self._client.receive(taken + 1)
            for packet in received[taken:]:
                taken += 1
                self.order.append(packet)
                if packet.topic == TICK:
                    commits -= 1
                    self._client.publish(COMMITTED, packet.payload)

    def close(self) -> None:
        self._thread.join(10)
        self._client.disconnect()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("192.0.2.7", False),
        ("no.such.invalid", False),
    ],
)
def test_only_this_machine_is_loopback(host, expected):
    assert is_loopback(host) is expected


def test_foreign_broker_without_the_mark_is_refused_with_the_reason(broker, monkeypatch):
    monkeypatch.setattr(simulated, "is_loopback", lambda _host: False)
    monkeypatch.setattr(simulated, "MARK_SECONDS", 0.3)
    with connected(address(broker), "test") as gateway, pytest.raises(BrokerError, match="hue/exercise"):
        exercise_only(gateway, address(broker))


def test_foreign_broker_that_its_owner_marked_is_taken(broker, monkeypatch):
    monkeypatch.setattr(simulated, "is_loopback", lambda _host: False)
    with Client.login(broker, "exercise-admin") as admin:
        admin.publish(simulated.EXERCISE_TOPIC, simulated.EXERCISE_MARK, retain=True)
    with connected(address(broker), "test") as gateway:
        exercise_only(gateway, address(broker))


def test_own_broker_needs_no_mark(broker):
    with connected(address(broker), "test") as gateway:
        exercise_only(gateway, address(broker))


def test_absent_broker_is_named():
    port = free_port()
    with pytest.raises(BrokerError, match=f"127.0.0.1:{port}"), connected(Address("127.0.0.1", port), "test"):
        pass


def test_wrong_password_is_named(broker):
    wrong = Address("127.0.0.1", broker.port, "simulator", "guess")
    with pytest.raises(BrokerError, match="refused"), connected(wrong, "test"):
        pass


def test_publish_that_the_broker_forbids_is_an_error(broker):
    with connected(address(broker), "test") as gateway:
        gateway.publish("ioc/alerts/events", b"{}")
        with pytest.raises(BrokerError, match="refused a message"):
            gateway.settle(10)


def test_each_step_waits_for_its_tick_to_be_committed(broker):
    plan = short_plan()
    service = Service(broker, commits=plan.scenario.steps + 1)
    seen: list[Progress] = []
    with connected(address(broker), "test") as gateway:
        published = play_with_ticks(plan, gateway, seen.append, lambda _step: None)
        assert gateway.confirmed == published.messages + plan.scenario.steps + 1
    service.close()
    steps = [[]]
    for packet in service.order:
        if packet.topic == TICK:
            assert json.loads(packet.payload) == {"now": plan.now(len(steps) - 1)}
            steps.append([])
        else:
            steps[-1].append((packet.topic, bytes(packet.payload)))
    assert steps[:-1] == [[(m.topic, m.payload) for m in messages] for _, messages, _ in plan.play()]
    assert [progress.step for progress in seen] == list(range(plan.scenario.steps + 1))


def test_tick_that_is_never_committed_ends_the_replay(broker, monkeypatch):
    monkeypatch.setattr(replay, "COMMIT_SECONDS", 0.3)
    with connected(address(broker), "test") as gateway, pytest.raises(BrokerError, match="not committed"):
        play_with_ticks(short_plan(), gateway, lambda _progress: None, lambda _step: None)


def test_replay_by_the_clock_carries_the_present_time(broker):
    plan = short_plan(hours=0.25)
    clock = system_clock()
    client = Client.login(broker, "ingest", "test-ingest", session=60)
    client.subscribe("hue/v1/#")
    before = clock.now()
    with connected(address(broker), "test") as gateway:
        play_by_clock(plan, gateway, clock, 3600.0, threading.Event(), lambda _progress: None)
    after = clock.now()
    sent = client.settle()
    client.disconnect()
    times = [np.datetime64(json.loads(packet.payload)["time"][:26], "us").astype(int) for packet in sent]
    assert len(times) > 30
    assert before - MINUTE <= min(times) <= max(times) <= after


async def test_load_is_confirmed_message_by_message_and_kept(broker, tmp_path):
    leave_a_session(broker)
    ledger = await publish_load(
        address(broker), system_clock(), series=50, messages=2000, seed=3, timeless_share=0.25
    )
    assert len(ledger) == 2000
    assert ledger.acked.all()
    assert np.all(ledger.attempts == 1)
    timed = ledger.time > 0
    assert 0.15 < np.mean(~timed) < 0.35
    assert len(set(ledger.time[timed].tolist())) == timed.sum()
    by_value = {
        (int(series), float(value)) for series, value in zip(ledger.series, ledger.value, strict=True)
    }
    assert len(by_value) == 2000
    ledger.save(tmp_path / "load.npz")
    again = LoadLedger.load(tmp_path / "load.npz")
    assert np.array_equal(again.value, ledger.value)
    assert again.rate == ledger.rate


async def test_load_sends_what_its_ledger_says(broker):
    client = Client.login(broker, "ingest", "test-ingest", session=60)
    client.subscribe("hue/v1/#")
    ledger = await publish_load(
        address(broker),
        system_clock(),
        series=3,
        messages=30,
        seed=3,
        prepared=True,
        signal=lambda s, n: s + n / 10,
    )
    received = client.receive(30)
    client.disconnect()
    for row, packet in enumerate(received):
        body = json.loads(packet.payload)
        assert packet.topic == topic_of(int(ledger.series[row]))
        assert body["status"] == "Exercise"
        assert body["readings"][0]["value"] == ledger.value[row]
        assert np.datetime64(body["time"][:26], "us").astype(int) == ledger.time[row]


async def test_load_survives_a_broker_that_restarts(broker):
    leave_a_session(broker)
    load = asyncio.create_task(
        publish_load(address(broker), system_clock(), series=10, messages=3000, seed=1, rate=2000)
    )
    await asyncio.sleep(0.5)  # in the middle of one and a half seconds of load
    await asyncio.to_thread(broker.restart)
    ledger = await load
    assert len(ledger) == 3000
    assert ledger.acked.all()


async def test_load_stops_when_told_and_its_rate_is_kept(broker):
    stop = asyncio.Event()
    load = asyncio.create_task(
        publish_load(address(broker), system_clock(), series=10, messages=10**5, seed=1, rate=500, stop=stop)
    )
    asyncio.get_running_loop().call_later(1.0, stop.set)
    ledger = await load
    assert 300 < len(ledger) < 700


def test_load_catalogue_is_one_that_loads(tmp_path):
    (tmp_path / "load.yaml").write_text(load_catalogue_yaml(range(250)), encoding="utf-8")
    routes = (files("huewatch_config") / "catalog" / "routes.yaml").read_text(encoding="utf-8")
    (tmp_path / "routes.yaml").write_text(routes, encoding="utf-8")
    catalogue = load_catalogue(tmp_path, Nature.EXERCISE)
    found = {key: datastream.source for key, _, datastream in catalogue.datastreams()}
    assert len(found) == 250
    source = found[datastream_key(249)]
    assert topic_of(249) == f"hue/v1/{source.gateway}/{source.device}/readings"
