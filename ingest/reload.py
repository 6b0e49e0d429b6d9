"""Another configuration while the service runs: read apart, taken up between two commits, or refused whole.

Promises: files are read and checked in a thread, so that receiving goes on; what is wrong with them leaves
all as it was, is logged once, counted, and told to whoever asked; a configuration that is taken up is in
force with all of its parts at once, and in the state that a start would come to. A reload is asked for by
SIGHUP or by a row in the database (`ingest.store.configuration` says why). Called by `ingest.service`; the
feed uses `on_hangup` and `tell`.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from ingest import metrics
from ingest.catalog import Catalogue
from ingest.config_model import Model
from ingest.model import Sink
from ingest.mqtt import NotAdmitted
from ingest.pipeline import Parts, Pipeline
from ingest.store import configuration
from ingest.store.configuration import Answer
from ingest.store.connection import Connection
from ingest.store.errors import StoreError, Transient
from ingest.store.write import Writer
from ingest.yaml_lines import ConfigError, Problem

log = logging.getLogger("huewatch.reload")

LOOK_SECONDS = 1.0  # between two looks for a request
VERSION_LENGTH = 12  # hex digits of the hash: 48 bits for a handful of versions

T = TypeVar("T")
MakeSinks = Callable[[Mapping[str, int]], Sequence[Sink]]


class Outcome(StrEnum):
    """What became of a reload."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"  # the files say what is in force
    REFUSED = "refused"


for _outcome in Outcome:  # a count that begins with its first 1 is no rise to whoever watches it
    metrics.CONFIG_RELOADS.labels(_outcome.value)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the files said when they were read. `make_sinks` gets the number of every datastream."""

    catalogue: Catalogue
    make_sinks: MakeSinks
    version: str


Read = Callable[[], Configuration]  # raises `ConfigError`
Prepare = Callable[[Configuration], Parts]  # raises `StoreError`


def config_version(catalogue: Catalogue, rules: Sequence[Model]) -> str:
    """A short hash of all that catalogue and rules say; comments and the order of keys stay out."""
    digest = hashlib.sha256(catalogue.model_dump_json().encode())
    for rule in rules:
        digest.update(rule.model_dump_json().encode())
    return digest.hexdigest()[:VERSION_LENGTH]


def on_hangup(wanted: asyncio.Event, stop: asyncio.Event) -> None:
    """Let SIGHUP ask for a reload; but where the terminal that we were started in is gone, for the end."""
    had_terminal = _has_terminal()

    def heard() -> None:
        (stop if had_terminal and not _has_terminal() else wanted).set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, heard)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def keep_from_collector() -> None:
    """Let the garbage collector not look through the catalogue: a pause of 0.1 s each time it did."""
    gc.unfreeze()  # what a configuration before has left goes now
    gc.collect()
    gc.freeze()


def why_unread(error: Exception) -> Sequence[Problem]:
    """What is wrong with a configuration that could not be read or taken up."""
    if isinstance(error, ConfigError):
        return error.problems
    log.error("no configuration came of the files", exc_info=error)
    remedy = "The log of the service has the details."
    return [Problem("configuration", None, f"It cannot be taken up: {error!r}.", remedy)]


class Reloader:
    """Looks for requests beside the pipeline and carries them out, one after the other, until cancelled."""

    def __init__(
        self,
        current: Configuration,
        read: Read,
        prepare: Prepare,
        pipeline: Pipeline,
        writer: Writer,
        worker: Executor,
        partition: str,
        hangup: asyncio.Event,
    ) -> None:
        self._current = current
        self._read = read
        self._prepare = prepare
        self._pipeline = pipeline
        self._writer = writer
        self._worker = worker
        self._partition = partition
        self._hangup = hangup

    async def run(self) -> None:
        while True:
            number = await self._asked()
            outcome, problems = await self._attempt()
            tell(outcome, self._current.version, problems)
            answer = Answer(self._partition, self._current.version, outcome, problems)
            await self._answer(answer, number)

    async def _asked(self) -> int:
        """Wait for a request; its number, 0 for a signal alone."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._hangup.wait()
            number = None
            with suppress(StoreError):  # the next commit meets it too, and says so
                number = await self._stored(
                    lambda connection: configuration.asked(connection, self._partition)
                )
            if self._hangup.is_set() or number is not None:
                self._hangup.clear()
                return number or 0

    async def _stored(self, work: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._writer.use, work)

    async def _attempt(self) -> tuple[Outcome, Sequence[Problem]]:
        try:
            wanted = await asyncio.to_thread(self._read)
            if wanted.version == self._current.version:
                return Outcome.UNCHANGED, ()
            parts = await asyncio.to_thread(self._prepare, wanted)
            await self._pipeline.swap(parts)
        except NotAdmitted as error:
            remedy = error.remedy[0].upper() + error.remedy[1:]
            return Outcome.REFUSED, [Problem("broker", None, f"{error.detail}.", f"{remedy}.")]
        except Transient as error:
            return Outcome.REFUSED, [Problem("database", None, f"{error}.", "Reload again when it is back.")]
        except Exception as error:
            return Outcome.REFUSED, why_unread(error)
        self._current = wanted
        keep_from_collector()
        return Outcome.APPLIED, ()

    async def _answer(self, answer: Answer, number: int) -> None:
        """Tell whoever asked. Should we end before that, the next start answers."""
        while True:
            with suppress(StoreError):
                await self._stored(lambda connection: configuration.answer(connection, answer, number))
                return
            await asyncio.sleep(LOOK_SECONDS)


def tell(outcome: Outcome, version: str, problems: Sequence[Problem] = ()) -> None:
    """Log and count a reload; `version` is in force after it."""
    metrics.CONFIG_RELOADS.labels(outcome.value).inc()
    metrics.CONFIG.info({"version": version})
    if outcome is Outcome.REFUSED:
        said = {"version": version, "problems": list(map(str, problems))}
        log.error("configuration refused; the one before stays in force", extra=said)
    else:
        log.info("configuration reloaded", extra={"version": version, "outcome": outcome.value})
