"""The feed as a process: HTTP server, hub and delivery in one event loop, until told to stop.

Promises: starts also while the database or the broker is away, and says *unknown* until they are there; ends
within 10 s of SIGTERM or SIGINT, with live clients told, the lease given back and the status set to unknown.
Refuses (`Fatal`) a database that is marked for another nature. Called by `huewatch feed` and by tests.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from alerts.api.app import create_app
from alerts.api.hub import Hub
from alerts.api.open_data import Publication
from alerts.api.reader import Reader, Unavailable
from alerts.api.reload import ReadCatalogue, follow_configuration
from alerts.api.security import SecurityHeaders
from alerts.api.writer import Writer
from alerts.delivery import Worker
from alerts.housekeeping import keep_house
from alerts.receivers import Receiver
from alerts.receivers.mqtt import MqttSettings
from alerts.receivers.registry import build
from alerts.suppression import Limits
from alerts.wire import Json, as_of_json
from ingest import metrics
from ingest.catalog import Catalogue
from ingest.clock import Clock, system_clock
from ingest.health import CannotListen, serve_health
from ingest.model import Nature
from ingest.mqtt import BrokerSettings
from ingest.reload import config_version, on_hangup
from ingest.store.errors import Fatal

UNREAD_MS = 20_000  # a peer that takes nothing for so long is cut off by the kernel
SEND_BUFFER = 128 * 1024  # what the kernel keeps for a client before it is slow in our eyes
DRAIN_S = 3  # for answers that are on their way when we stop

log = logging.getLogger("huewatch.feed")


async def serve_feed(
    database_url: str,
    broker: BrokerSettings | None,
    read: ReadCatalogue,
    nature: Nature,
    host: str,
    port: int,
    metrics_host: str,
    metrics_port: int,
    limits: Limits | None = None,
    publication: Publication | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. Without a broker nothing is delivered; the page and the API work.

    `read` gives the catalogue, at the start and again when it is reloaded.
    """
    catalogue = read()
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # a line per attempt; `sight_changed` says it
    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    on_hangup(hangup, stop)
    metrics.CONFIG.info({"version": config_version(catalogue, ())})
    try:
        async with running_feed(
            database_url, broker, catalogue, nature, host, port, limits, publication
        ) as feed:
            change = "HUEWATCH_METRICS_HOST or HUEWATCH_FEED_METRICS_PORT"
            health = serve_health(metrics_host, metrics_port, change, lambda: _readiness(feed.hub))
            following = follow_configuration(feed.hub.reader, read, feed.use, hangup)
            reloading = asyncio.create_task(following, name="feed reload")
            try:
                await stop.wait()
            finally:
                reloading.cancel()
                await asyncio.to_thread(health.shutdown)
                health.server_close()
    except* (Fatal, CannotListen) as group:
        fatal = _first(group)
    else:
        return
    raise fatal


def _first(group: BaseExceptionGroup) -> BaseException:
    """The first error itself, however deep the groups are nested."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


class Feed:
    """A feed that runs: where it listens, its hub, and whom it tells."""

    def __init__(self, hub: Hub, address: tuple[str, int], receivers: Sequence[Receiver]) -> None:
        self.hub = hub
        self.url = f"http://{address[0]}:{address[1]}"
        self._receivers = receivers

    def use(self, catalogue: Catalogue) -> None:
        """Speak of this catalogue's stations from now on, everywhere."""
        self.hub.reader.catalogue = catalogue
        for receiver in self._receivers:
            receiver.use(catalogue)


@asynccontextmanager
async def running_feed(
    database_url: str,
    broker: BrokerSettings | None,
    catalogue: Catalogue,
    nature: Nature,
    host: str = "127.0.0.1",
    port: int = 0,
    limits: Limits | None = None,
    publication: Publication | None = None,
) -> AsyncIterator[Feed]:
    """A feed for as long as the block runs; port 0 takes a free one. `limits`: of suppression; `publication`:
    who publishes its open data."""
    limits = limits or Limits()
    clock = system_clock()
    reader = Reader(database_url, catalogue, nature)
    hub = Hub(reader, clock)
    listener = _listener(host, port)
    app = create_app(hub, publication)
    app.state.writer = writer = Writer(database_url)
    server = _Server(SecurityHeaders(app))
    reader.open()
    writer.open()
    try:
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(_check_nature(reader, clock), name="feed nature"),
                group.create_task(hub.run(), name="feed hub"),
                group.create_task(keep_house(database_url, clock, limits), name="feed housekeeping"),
            ]
            receivers = [] if broker is None else [_mqtt_receiver(broker, catalogue, nature)]
            for receiver in receivers:
                worker = _worker(receiver, database_url, hub, clock, limits)
                name = f"delivery {receiver.settings.name}"
                background.append(group.create_task(worker.run(), name=name))
            serving = group.create_task(server.serve([listener]), name="feed http")
            feed = Feed(hub, listener.getsockname()[:2], receivers)
            log.info("feed_started", extra={"url": feed.url, "nature": nature.value})
            try:
                yield feed
            finally:
                hub.end_all()
                server.should_exit = True
                for task in background:
                    task.cancel()
                await asyncio.gather(serving, *background, return_exceptions=True)
    finally:
        await asyncio.to_thread(reader.close)
        await asyncio.to_thread(writer.close)
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn without hands of its own on the signals: the whole feed stops together."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=DRAIN_S,
                server_header=False,
                h11_max_incomplete_event_size=16 * 1024,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
    try:
        listener.bind((host, port))
        listener.listen()  # before uvicorn does: who comes while it starts waits instead of being refused
    except OSError as error:
        listener.close()
        raise CannotListen(
            host, port, "--host, --port or HUEWATCH_FEED_HOST, HUEWATCH_FEED_PORT", error
        ) from error
    return listener


def _mqtt_receiver(broker: BrokerSettings, catalogue: Catalogue, nature: Nature) -> Receiver:
    """The IOC's broker asks for what this database is for: a city's alerts, or an exercise's."""
    return build(MqttSettings(name="mqtt", natures=frozenset({nature})), broker, catalogue)


def _worker(receiver: Receiver, database_url: str, hub: Hub, clock: Clock, limits: Limits) -> Worker:
    owner = f"{socket.gethostname()}/{os.getpid()}"
    return Worker(receiver, database_url, hub, owner, clock, random.Random(owner), limits)


async def _check_nature(reader: Reader, clock: Clock) -> None:
    """Refuse a database that is marked for something else, as soon as it can be read."""
    while True:
        with suppress(Unavailable):
            marked = await asyncio.to_thread(reader.marked_nature)
            if marked not in (None, reader.nature.value):
                raise Fatal(
                    f"the database is for {marked}, the feed was started for {reader.nature}:"
                    " set HUEWATCH_NATURE to match, or use a database of its own"
                )
            if marked:
                return
        await clock.sleep(1.0)


def _readiness(hub: Hub) -> tuple[bool, Json]:
    as_of = hub.as_of
    return as_of.known, {"ready": as_of.known, "as_of": as_of_json(as_of)}
