"""The demo: plays the flood to a running Huewatch, shows what it says, and judges it against the truth.

Promises: 0 only when every expected alert was told within its window, none unexpected, and no reading was
lost; 1 otherwise, and also when a service ends or stops answering. It starts nothing: `huewatch demo` starts
the services and hands them over as `Services`.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.live import Live

from ingest.catalog import Catalogue
from ingest.clock import Clock
from simulators.broker import Address, BrokerError, Gateway, connected
from simulators.feed_client import FeedClient, FeedError, is_ready
from simulators.judge import Verdict, judge
from simulators.plan import Plan, PlanError, Published, make_plan
from simulators.replay import Progress, Stopped, play_with_ticks
from simulators.scenario import Scenario
from simulators.screen import View, plain_event, render, verdict_table
from simulators.truth import expectations, quiets

READY_SECONDS = 60.0
POLL_SECONDS = 0.5
STEPS_A_SECOND = 6.0  # of the demo for people: one scenario hour in two seconds
PROMISED_SECONDS = 90.0  # from the first publish to the verdict
PLAIN_COLUMNS = 140  # of the verdict in a log or a pipe
STOPPED = 130  # the shell's code for "ended by Ctrl-C"


class Child(Protocol):
    """A process that somebody else started, e.g. `subprocess.Popen`."""

    def poll(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Services:
    """A running Huewatch that accepts ticks: its broker, its feed and a token for it, what must be ready, and
    its processes."""

    broker: Address
    feed_url: str
    token: str
    ready_urls: Sequence[str]
    children: Mapping[str, Child]

    @property
    def page(self) -> str:
        """The page's address for a browser, which is logged in by it."""
        return f"{self.feed_url}/#token={self.token}"


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


async def demo(
    services: Services,
    catalogue: Catalogue,
    scenario: Scenario,
    clock: Clock,
    *,
    once: bool,
    seed: int | None = None,
    console: Console | None = None,
) -> int:
    """Play the flood once at full speed, or at a pace for people and hold at its end until Ctrl-C."""
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, PLAIN_COLUMNS)
    try:
        plan = make_plan(scenario, catalogue, scenario.seed if seed is None else seed)
        run = _Run(services, plan, clock, once, console)
        async with _until_interrupted(run.stop):
            return await run.play()
    except (DemoError, PlanError, BrokerError, FeedError) as error:
        console.print(f"[bold red]✗[/] {error}")
        return 1
    except Stopped:
        console.print("Đã dừng · stopped before the end, so there is no verdict")
        return STOPPED


@asynccontextmanager
async def _until_interrupted(stop: threading.Event) -> AsyncIterator[None]:
    """Ctrl-C and SIGTERM set `stop`, so that the screen and the services end in good order."""
    loop = asyncio.get_running_loop()
    taken: list[signal.Signals] = []
    with suppress(NotImplementedError, ValueError, RuntimeError):  # not the main thread: its owner decides
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
            taken.append(number)
    try:
        yield
    finally:
        stop.set()
        for number in taken:
            loop.remove_signal_handler(number)


class _Run:
    """One playing of the flood, from readiness to verdict."""

    def __init__(self, services: Services, plan: Plan, clock: Clock, once: bool, console: Console) -> None:
        self.stop = threading.Event()
        self._services, self._plan, self._clock = services, plan, clock
        self._once, self._console = once, console
        self._feed = FeedClient(services.feed_url, services.token)
        self._last = 0  # the number of the newest event that the feed gave
        self._view = View(plan.scenario, services.feed_url, plan.scenario.start)
        self._begun = self._seconds = 0.0

    async def play(self) -> int:
        """The exit code."""
        await self._ready()
        self._console.print(f"Trang · page: {self._services.page}", soft_wrap=True)
        with connected(self._services.broker, "huewatch-demo") as gateway:
            screen = Live(console=self._console, screen=True, auto_refresh=False)
            with screen if self._console.is_terminal else nullcontext() as live:
                published = await self._flood(gateway, live)
        verdict = await self._judge(published)
        self._report(verdict)
        if not self._once:
            await self._hold()
        return 0 if verdict.ok else 1

    async def _ready(self) -> None:
        """Wait until the whole path works."""
        deadline = self._clock.monotonic() + READY_SECONDS
        waiting = list(self._services.ready_urls)
        while waiting:
            self._check_children()
            if self.stop.is_set():
                raise Stopped
            if self._clock.monotonic() > deadline:
                raise DemoError(f"not ready within {READY_SECONDS:.0f} s: {', '.join(waiting)}")
            waiting = [url for url in waiting if not await asyncio.to_thread(is_ready, url)]
            if waiting:
                await self._clock.sleep(0.1)

    def _check_children(self) -> None:
        for name, child in self._services.children.items():
            code = child.poll()
            if code is not None:
                raise DemoError(f"{name} ended with code {code}; its log says why")

    async def _flood(self, gateway: Gateway, live: Live | None) -> Published:
        """Play in a thread while this one asks the feed and draws."""
        self._begun = self._clock.monotonic()
        player = asyncio.create_task(
            asyncio.to_thread(play_with_ticks, self._plan, gateway, self._progress, self._pace)
        )
        shown = 0
        try:
            while not player.done():
                await asyncio.wait({player}, timeout=POLL_SECONDS)
                self._check_children()
                await self._look()
                shown = self._show(live, shown)
        except BaseException:
            self.stop.set()  # the thread ends at its next step
            with suppress(Stopped, BrokerError):
                await player
            raise
        return await player

    def _progress(self, progress: Progress) -> None:
        self._view.now, self._view.step = progress.now, progress.step
        self._view.confirmed = progress.confirmed

    def _pace(self, step: int) -> None:
        """Called before each step, in the player's thread."""
        due = 0.0 if self._once else self._begun + step / STEPS_A_SECOND - self._clock.monotonic()
        if self.stop.wait(max(0.0, due)) if due > 0 else self.stop.is_set():
            raise Stopped

    async def _look(self) -> None:
        """What the feed says now."""
        news = await asyncio.to_thread(self._feed.events, self._last)
        self._last = int(news[-1]["seq"]) if news else self._last
        self._view.told += [event for event in news if not event.get("shadow")]
        self._view.ledger = await asyncio.to_thread(self._feed.ledger)
        self._view.stations = await asyncio.to_thread(self._feed.stations)

    def _show(self, live: Live | None, shown: int) -> int:
        """Draw, or print what is new; returns how many events have been shown."""
        if live is not None:
            live.update(render(self._view, self._console.width), refresh=True)
            return len(self._view.told)
        for event in self._view.told[shown:]:
            self._console.print(plain_event(event), markup=False, highlight=False, soft_wrap=True)
        return len(self._view.told)

    async def _judge(self, published: Published) -> Verdict:
        """Every step was committed before the next, so what is told now is all there is."""
        told = await asyncio.to_thread(self._feed.events, 0)
        ledger = await asyncio.to_thread(self._feed.ledger)
        expected, quiet = expectations(self._plan), quiets(self._plan)
        verdict = judge(expected, told, ledger, published, quiet)
        self._seconds = self._clock.monotonic() - self._begun
        return verdict

    def _report(self, verdict: Verdict) -> None:
        """The verdict as a table, and the time that it took."""
        self._console.print(verdict_table(verdict))
        wrong = sum(not line.ok for line in verdict.lines)
        words = f"{len(verdict.lines)} points judged, {wrong} wrong, {self._seconds:.0f} s to the verdict"
        sign = "[bold green]✓ ĐÚNG · AS EXPECTED[/]" if verdict.ok else "[bold red]✗ SAI · NOT AS EXPECTED[/]"
        self._console.print(f"{sign}  {words}")
        if self._once and self._seconds > PROMISED_SECONDS:
            self._console.print(
                f"This machine is slower than the {PROMISED_SECONDS:.0f} s that a usual one needs."
            )

    async def _hold(self) -> None:
        """Leave the page standing until somebody has seen enough."""
        said = f"Trang còn mở · the page stays: {self._services.page}   Ctrl-C: kết thúc · to end"
        self._console.print(said, soft_wrap=True)
        while not await asyncio.to_thread(self.stop.wait, POLL_SECONDS):
            self._check_children()
