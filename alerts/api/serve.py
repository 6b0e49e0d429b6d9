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
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from alerts.api.app import create_app
from alerts.api.door import Door
from alerts.api.feed_settings import FeedSettings
from alerts.api.gauges import measure_database, watch_broker
from alerts.api.hub import Hub
from alerts.api.reader import Reader, Unavailable
from alerts.api.reload import ReadBoth, follow_configuration, version_of
from alerts.api.security import BodyLimit, SecurityHeaders
from alerts.api.writer import Writer
from alerts.crew import Crew
from alerts.delivery import Worker
from alerts.housekeeping import keep_house
from alerts.receivers import Receiver
from alerts.receivers.book import ReceiverBook, default_book
from alerts.receivers.registry import Surroundings
from alerts.receivers.wants import Wishes
from alerts.wire import Json, as_of_json
from ingest import metrics
from ingest.catalog import Catalogue
from ingest.clock import Clock, system_clock
from ingest.health import CannotListen, serve_health
from ingest.model import Nature
from ingest.mqtt import BrokerSettings
from ingest.reload import on_hangup
from ingest.store.errors import Fatal
from ingest.yaml_lines import ConfigError

UNREAD_MS = 20_000  # a peer that takes nothing for so long is cut off by the kernel
SEND_BUFFER = 128 * 1024  # what the kernel keeps for a client before it is slow in our eyes
DRAIN_S = 3  # for answers that are on their way when we stop

ReadCatalogue = Callable[[], Catalogue]  # both raise `ConfigError`
ReadBook = Callable[[Catalogue], ReceiverBook]

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
    settings: FeedSettings | None = None,
    read_book: ReadBook | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. Without a broker nothing is told over MQTT; the page and the API work.

    `read` gives the catalogue and `read_book` the receivers over it, at the start and again when they are
    reloaded.
    """
    read_both = _reading(read, read_book, nature)
    catalogue, book = read_both()
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # a line per attempt; `sight_changed` says it
    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    on_hangup(hangup, stop)
    version = version_of(catalogue, book)
    metrics.CONFIG.info({"version": str(version)})
    try:
        async with running_feed(
            database_url,
            broker,
            catalogue,
            nature,
            host,
            port,
            settings,
            book,
        ) as feed:
            change = "HUEWATCH_METRICS_HOST or HUEWATCH_FEED_METRICS_PORT"
            health = serve_health(metrics_host, metrics_port, change, feed.readiness)
            following = follow_configuration(feed.hub.reader, version, read_both, feed.use, hangup)
            reloading = asyncio.create_task(following, name="feed reload")
            try:
                await stop.wait()
            finally:
                reloading.cancel()
                await asyncio.to_thread(health.shutdown)
                health.server_close()
    except* (Fatal, CannotListen, ConfigError) as group:
        fatal = _first(group)
    else:
        return
    raise fatal


def _first(group: BaseExceptionGroup) -> BaseException:
    """The first error itself, however deep the groups are nested."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


class Feed:
    """A feed that runs: where it listens, its hub, and who tells its receivers."""

    def __init__(self, hub: Hub, address: tuple[str, int], crew: Crew) -> None:
        self.hub = hub
        self.url = f"http://{address[0]}:{address[1]}"
        self._crew = crew

    def readiness(self) -> tuple[bool, Json]:
        """Whether events go all the way: they can be read, and at least one receiver is reached.

        One that another process serves, or that has not been tried yet, counts as reached.
        """
        as_of, workers = self.hub.as_of, self._crew.workers
        unreached = [worker.name for worker in workers if worker.reached is False]
        reasons = [] if as_of.known else [f"nothing can be seen: {as_of.reason}"]
        if unreached and len(unreached) == len(workers):
            reasons.append(f"no receiver is reached: {', '.join(unreached)}")
        return not reasons, {"ready": not reasons, "reasons": reasons, "as_of": as_of_json(as_of)}

    def use(self, catalogue: Catalogue, book: ReceiverBook | None = None) -> None:
        """Speak of this catalogue's stations from now on, everywhere, and tell the receivers of this book."""
        self._crew.use(book or self._crew.book, catalogue)  # it refuses what cannot be built
        self.hub.reader.catalogue = catalogue


@asynccontextmanager
async def running_feed(
    database_url: str,
    broker: BrokerSettings | None,
    catalogue: Catalogue,
    nature: Nature,
    host: str = "127.0.0.1",
    port: int = 0,
    settings: FeedSettings | None = None,
    book: ReceiverBook | None = None,
) -> AsyncIterator[Feed]:
    """A feed for as long as the block runs; port 0 takes a free one.

    Without a book the centre alone is told, over the broker.
    """
    settings = settings or FeedSettings()
    limits, policy = settings.limits, settings.policy
    clock = system_clock()
    reader = Reader(database_url, catalogue, nature)
    writer = Writer(database_url)
    hub = Hub(reader, clock)
    door = Door(reader, writer, clock, policy)
    listener = _listener(host, port)
    app = create_app(hub, door, writer, settings.publication, settings.tiles)
    guarded = SecurityHeaders(BodyLimit(app), settings.tiles, https=policy.https)
    server = _Server(guarded, policy.proxies)
    reader.open()
    writer.open()
    try:
        async with asyncio.TaskGroup() as group:
            owner = f"{socket.gethostname()}/{os.getpid()}"

            def hire(receiver: Receiver, wishes: Wishes) -> Worker:
                rng = random.Random(f"{owner}/{wishes.name}")
                return Worker(receiver, wishes, database_url, hub, owner, clock, rng, limits)

            crew = Crew(group, hire, Surroundings(broker, catalogue, database_url, clock))
            crew.use(book or default_book(nature), catalogue)
            background = [
                group.create_task(_check_nature(reader, clock), name="feed nature"),
                group.create_task(hub.run(), name="feed hub"),
                group.create_task(door.run(), name="feed door"),
                group.create_task(
                    keep_house(database_url, clock, limits, lambda: crew.book, settings.watch),
                    name="feed housekeeping",
                ),
                group.create_task(measure_database(reader, clock), name="feed gauges"),
            ]
            if broker is not None:
                background.append(group.create_task(watch_broker(broker, clock), name="feed broker"))
            serving = group.create_task(server.serve([listener]), name="feed http")
            feed = Feed(hub, listener.getsockname()[:2], crew)
            log.info("feed_started", extra={"url": feed.url, "nature": nature.value})
            try:
                yield feed
            finally:
                hub.end_all()
                server.should_exit = True
                for task in background:
                    task.cancel()
                await asyncio.gather(serving, crew.stop(), *background, return_exceptions=True)
    finally:
        await asyncio.to_thread(reader.close)
        await asyncio.to_thread(writer.close)
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn without hands of its own on the signals: the whole feed stops together."""

    def __init__(self, app: ASGIApp, proxies: str) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=DRAIN_S,
                server_header=False,
                forwarded_allow_ips=proxies,
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


def _reading(read: ReadCatalogue, read_book: ReadBook | None, nature: Nature) -> ReadBoth:
    """Catalogue and receivers as the files say now."""

    def both() -> tuple[Catalogue, ReceiverBook]:
        catalogue = read()
        return catalogue, default_book(nature) if read_book is None else read_book(catalogue)

    return both


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
