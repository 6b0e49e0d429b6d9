"""The ingest process: its parts put together, started, watched and stopped.

Promises: starts also while the database or the broker is away and waits for them; refuses (`Fatal`,
`PartitionHeld`, `Refused`) what only a person can mend; on SIGTERM or SIGINT finishes the commit under way,
acknowledges it and says goodbye, so that nothing is delivered again; on SIGHUP, or when the database asks for
it, takes up its configuration anew (`ingest.reload`). Called by `huewatch run`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from ingest import metrics
from ingest.clock import MICROS_PER_SECOND, Clock, LogicalNow, system_clock
from ingest.health import serve_health
from ingest.model import Nature
from ingest.mqtt import BrokerSettings, Statistics, Subscriber
from ingest.normalise import Limits, Normaliser
from ingest.pipeline import Parts, Pipeline
from ingest.refine import Refiner
from ingest.reload import Configuration, Read, Reloader, keep_from_collector, on_hangup
from ingest.settings import Settings
from ingest.store import codec_memory
from ingest.store.configuration import started
from ingest.store.connection import connect
from ingest.store.datastreams import register
from ingest.store.errors import Fatal, Transient
from ingest.store.migrate import check_durability, database_kind, pending
from ingest.store.read import nature_mark
from ingest.store.write import Writer
from ingest.topics import TICK_TOPIC

log = logging.getLogger("huewatch.service")

START_RETRY_SECONDS = 1.0
READY_COMMIT_SECONDS = 10.0  # ticks commit every second; ten missing ones are no hiccup
SAMPLE_SECONDS = 1.0

Packages = Sequence[tuple[str, Traversable]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the service works: database, broker, what the database is for, and whose time counts."""

    database_url: str
    broker: BrokerSettings
    nature: Nature
    logical_time: bool  # the demo's ticks tell the time


@dataclass(frozen=True, slots=True)
class _Opened:
    writer: Writer
    parts: Parts
    subscribed: Sequence[str]  # what the broker's session may still hold from the process before
    lossy: Sequence[str]  # the database's switches that can lose a commit


async def serve(
    settings: Settings, place: Place, configuration: Configuration, read: Read, packages: Packages
) -> None:
    """Run until told to stop; `read` gives the configuration anew when a reload is asked for."""
    stop, hangup = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    on_hangup(hangup, stop)
    with ThreadPoolExecutor(1, "database") as worker:
        opened = await _open_patiently(worker, stop, lambda: _open(settings, place, configuration, packages))
        if opened is None:
            return
        try:
            await _serve_opened(settings, place, configuration, read, opened, worker, stop, hangup)
        finally:
            await asyncio.get_running_loop().run_in_executor(worker, opened.writer.close)


async def _open_patiently(
    worker: ThreadPoolExecutor, stop: asyncio.Event, open_store: Callable[[], _Opened]
) -> _Opened | None:
    """Wait for a database that is away; None when told to stop meanwhile."""
    told = False
    while not stop.is_set():
        try:
            return await asyncio.get_running_loop().run_in_executor(worker, open_store)
        except Transient as failure:
            if not told:
                log.warning("waiting for the database", extra={"why": str(failure)})
            told = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_RETRY_SECONDS):
                await stop.wait()
    return None


def _open(settings: Settings, place: Place, configuration: Configuration, packages: Packages) -> _Opened:
    with closing(connect(place.database_url, application_name="huewatch-start")) as connection:
        if missing := pending(connection, packages):
            raise Fatal(f"the database lacks {', '.join(missing)}: run `huewatch migrate`")
        marked = nature_mark(connection)
        if marked is not place.nature:
            raise Fatal(
                f"the database is for {marked}, this service was started for {place.nature}:"
                " set HUEWATCH_NATURE to match, or use a database of its own"
            )
        lossy = check_durability(connection)
        kind = database_kind(connection)
    metrics.DATABASE.info({"kind": str(kind)})
    for name in lossy:
        log.error("the database can lose commits", extra={"switched_off": name})
    parts = prepare(settings, place, configuration)
    owner = f"{socket.gethostname()}/{os.getpid()}"
    writer = Writer(place.database_url, settings.partition, owner, settings.receive_maximum, parts.refiner)
    claim = writer.claim()
    parts.normaliser.recall(writer.use(codec_memory.load))
    for correction in writer.correct_zeros(configuration.catalogue, parts.ids):
        log.warning("levels corrected", extra={"correction": str(correction)})
    writer.rebuild(parts.sinks)
    writer.use(lambda connection: started(connection, settings.partition, configuration.version))
    log.info("partition claimed", extra={"epoch": claim.epoch, "database": str(kind), "owner": owner})
    return _Opened(writer, parts, claim.filters, lossy)


def prepare(settings: Settings, place: Place, configuration: Configuration) -> Parts:
    """The parts that a configuration comes to; every datastream without a number is given one."""
    catalogue = configuration.catalogue
    keys = [key for key, _, _ in (*catalogue.datastreams(), *catalogue.derived())]
    with closing(connect(place.database_url, application_name="huewatch-prepare")) as connection:
        ids = register(connection, keys, place.nature)
    limits = Limits(
        max_age=int(settings.max_age_days * 86_400 * MICROS_PER_SECOND),
        max_skew=int(settings.max_skew * MICROS_PER_SECOND),
    )
    filters = [route.filter for route in catalogue.routes]
    if place.logical_time:
        filters.append(TICK_TOPIC)
    normaliser = Normaliser(catalogue, ids, place.nature, limits)
    return Parts(catalogue, ids, normaliser, Refiner(catalogue, ids), configuration.make_sinks(ids), filters)


async def _serve_opened(
    settings: Settings,
    place: Place,
    configuration: Configuration,
    read: Read,
    opened: _Opened,
    worker: ThreadPoolExecutor,
    stop: asyncio.Event,
    hangup: asyncio.Event,
) -> None:
    real = system_clock()
    logical = LogicalNow(0) if place.logical_time else None
    clock = real if logical is None else Clock(logical, real.monotonic, real.sleep)
    parts, writer, jitter = opened.parts, opened.writer, random.Random()
    withdrawn = sorted(set(opened.subscribed).difference(parts.filters))
    subscriber = Subscriber(
        place.broker,
        parts.filters,
        clock,
        jitter,
        gateway_of=lambda topic: pipeline.gateway_of(topic),
        withdrawn=withdrawn,
    )
    pipeline = Pipeline(
        subscriber, parts.normaliser, writer, parts.sinks, clock, worker, jitter, logical_now=logical
    )
    reloader = Reloader(
        configuration,
        read,
        lambda wanted: prepare(settings, place, wanted),
        pipeline,
        writer,
        worker,
        settings.partition,
        hangup,
    )
    metrics.CONFIG.info({"version": configuration.version})
    keep_from_collector()
    lossy = () if settings.accept_data_loss else opened.lossy
    health = serve_health(
        settings.metrics_host,
        settings.metrics_port,
        "HUEWATCH_METRICS_HOST or HUEWATCH_METRICS_PORT",
        lambda: readiness(pipeline, subscriber, lossy, clock.monotonic()),
    )
    try:
        await _until_stopped(subscriber, pipeline, reloader, stop)
    finally:
        await asyncio.to_thread(health.shutdown)
        health.server_close()


async def _until_stopped(
    subscriber: Subscriber, pipeline: Pipeline, reloader: Reloader, stop: asyncio.Event
) -> None:
    """Whatever ends first ends all: the word to stop, or a failure that is then raised."""
    receiving = asyncio.create_task(subscriber.run(), name="receive")
    committing = asyncio.create_task(pipeline.run(), name="pipeline")
    sampling = asyncio.create_task(_sample(subscriber), name="sample")
    reloading = asyncio.create_task(reloader.run(), name="reload")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({receiving, committing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    pipeline.stop()
    try:
        await committing
    finally:
        await subscriber.stop()
        for task in (sampling, reloading, stopping):
            task.cancel()
        await receiving


async def _sample(subscriber: Subscriber) -> None:
    while True:
        show(subscriber.statistics(), subscriber.connected)
        await asyncio.sleep(SAMPLE_SECONDS)


def show(statistics: Statistics, connected: bool) -> None:
    """Set the metrics that only the subscriber knows."""
    metrics.CONNECTED.set(connected)
    metrics.RECONNECTS.set(statistics.connections)
    metrics.RECEIVED.labels("0").set(statistics.received_qos0)
    metrics.RECEIVED.labels("1").set(statistics.received_qos1)
    metrics.VIOLATIONS.set(statistics.violations)
    metrics.IN_FLIGHT.set(statistics.in_flight)
    metrics.QUEUED.set(statistics.queued)
    metrics.ABANDONED_QOS1.set(statistics.abandoned_qos1)
    for gateway, dropped in statistics.dropped_qos0.items():
        metrics.DROPPED_QOS0.labels(gateway).set(dropped)


def readiness(
    pipeline: Pipeline, subscriber: Subscriber, lossy: Sequence[str], now: float
) -> tuple[bool, dict[str, object]]:
    """Whether readings go all the way: connected, committing, seeing, nothing of the promise switched off."""
    committed = pipeline.committed_monotonic
    age = None if committed is None else now - committed
    reasons = [f"{name} is off: committed readings can be lost" for name in lossy]
    if not subscriber.connected:
        reasons.append("no connection to the broker")
    if age is None or age > READY_COMMIT_SECONDS:
        reasons.append("no recent commit")
    if pipeline.sight.since is None:
        reasons.append(f"blind: {pipeline.sight.reason}")
    return not reasons, {"ready": not reasons, "reasons": reasons, "commit_age_s": age}
