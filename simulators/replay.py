"""Plays a plan to a broker: step by step with ticks (as fast as commits allow), or by the clock.

With ticks, time is logical and in band: a step's readings, then a tick, and on when that tick is committed.
By the clock, readings carry the present time, since a broker's service judges them by its own clock; at a
factor above 1 the flood is really that much faster. Called by `demo` and the command line.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ingest.clock import Clock
from simulators.broker import BrokerError, Gateway
from simulators.plan import Plan, Published

TICK_TOPIC = "huewatch/tick"
TICK_COMMITTED_TOPIC = "huewatch/tick/committed"
COMMIT_SECONDS = 30.0  # a tick not committed in this time is a stopped service, not a slow one
CONFIRM_SECONDS = 30.0
LOOK_UP_SECONDS = 0.5  # while waiting: whether anybody still wants the flood


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a replay stands: step, scenario time (microseconds UTC), what was sent and confirmed."""

    step: int
    now: int
    published: Published
    confirmed: int


class Stopped(Exception):
    """Whoever plays the flood asked it to end."""


def play_with_ticks(
    plan: Plan,
    gateway: Gateway,
    progress: Callable[[Progress], None],
    pace: Callable[[int], None],
) -> Published:
    """The whole flood; `pace(step)` may wait before a step, or raise `Stopped` at any time while it waits.

    Blocks: run it in a thread. Raises `BrokerError` when the broker or the service behind it stops answering.
    """
    gateway.subscribe(TICK_COMMITTED_TOPIC)
    sent = Published(0, 0, 0, 0)
    for step, (now, messages, sent) in enumerate(plan.play()):
        pace(step)
        for message in messages:
            gateway.publish(message.topic, message.payload)
        tick = json.dumps({"now": now}, separators=(",", ":")).encode()
        gateway.publish(TICK_TOPIC, tick)
        _until_committed(gateway, tick, partial(pace, step))
        progress(Progress(step, now, sent, gateway.confirmed))
    gateway.settle(CONFIRM_SECONDS)
    return sent


def _until_committed(gateway: Gateway, tick: bytes, still_wanted: Callable[[], None]) -> None:
    for _ in range(round(COMMIT_SECONDS / LOOK_UP_SECONDS)):
        if gateway.wait_for(TICK_COMMITTED_TOPIC, tick, LOOK_UP_SECONDS):
            return
        still_wanted()
    raise BrokerError(f"{tick.decode()} not committed within {COMMIT_SECONDS:.0f} s: does `run` still run?")


def play_by_clock(
    plan: Plan,
    gateway: Gateway,
    clock: Clock,
    factor: float,
    stop: threading.Event,
    progress: Callable[[Progress], None],
) -> Published:
    """The flood in real time or `factor` times as fast, moved to the present. Blocks until done or `stop`."""
    begun, began_at = clock.monotonic(), clock.now()
    sent = Published(0, 0, 0, 0)
    for step, (now, messages, sent) in enumerate(plan.play(Squeeze(plan.scenario.start, began_at, factor))):
        due = begun + step * plan.scenario.step / 1_000_000 / factor
        if stop.wait(max(0.0, due - clock.monotonic())):
            break
        for message in messages:
            gateway.publish(message.topic, message.payload)
        gateway.settle(CONFIRM_SECONDS)
        progress(Progress(step, now, sent, gateway.confirmed))
    return sent


@dataclass(frozen=True, slots=True)
class Squeeze:
    """Scenario time to the present: `began_at` plus what has passed since `start`, divided by `factor`."""

    start: int
    began_at: int
    factor: float

    def __call__(self, time: int) -> int:
        return self.began_at + round((time - self.start) / self.factor)
