"""One worker for each receiver of the book, through every change of the book.

Promises: a change is taken up whole or not at all, since every receiver is built before any worker stops;
what has not changed works on undisturbed; two workers of one receiver never work at once. A worker that has
ended, since its receiver wants nothing more, is started again by a change of its settings. Called by the
feed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from alerts.delivery import Worker
from alerts.feed_metrics import DELIVERY_PENDING, DELIVERY_PROVEN, DELIVERY_REACHED
from alerts.receivers import Receiver, ReceiverSettings
from alerts.receivers.book import ReceiverBook
from alerts.receivers.mqtt import MqttSettings
from alerts.receivers.registry import Surroundings, build
from alerts.receivers.wants import Wishes
from ingest.catalog import Catalogue

Hire = Callable[[Receiver, Wishes], Worker]


@dataclass(slots=True)
class _Post:
    receiver: Receiver
    worker: Worker
    task: asyncio.Task[None]


class Crew:
    """The workers of one feed, as tasks of its group. Without a broker nobody is told over MQTT."""

    def __init__(self, group: asyncio.TaskGroup, hire: Hire, surroundings: Surroundings) -> None:
        self.book = ReceiverBook()
        self._group = group
        self._hire = hire
        self._surroundings = surroundings
        self._posts: dict[str, _Post] = {}

    def use(self, book: ReceiverBook, catalogue: Catalogue) -> None:
        """Serve the receivers of this book from now on, in the words of this catalogue."""
        wanted = {settings.name: settings for settings in book.receivers if self._reachable(settings)}
        surroundings = replace(self._surroundings, catalogue=catalogue)
        new = {
            name: build(settings, surroundings)
            for name, settings in wanted.items()
            if name not in self._posts or self._posts[name].receiver.settings != settings
        }
        for name in self._posts.keys() - wanted.keys():
            self._posts.pop(name).task.cancel()
            for metric in (DELIVERY_PENDING, DELIVERY_PROVEN, DELIVERY_REACHED):
                metric.remove(name)
        for name, settings in wanted.items():
            wishes = book.wishes(settings, catalogue)
            if name in new:
                self._appoint(new[name], wishes)
            else:
                self._posts[name].receiver.use(catalogue)
                self._posts[name].worker.use(wishes)
        self.book = book

    @property
    def workers(self) -> list[Worker]:
        """Those who serve the receivers of the book now."""
        return [post.worker for post in self._posts.values()]

    async def stop(self) -> None:
        """Let every worker give its lease back."""
        tasks = [post.task for post in self._posts.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reachable(self, settings: ReceiverSettings) -> bool:
        return self._surroundings.broker is not None or not isinstance(settings, MqttSettings)

    def _appoint(self, receiver: Receiver, wishes: Wishes) -> None:
        name = receiver.settings.name
        before = self._posts.get(name)
        worker = self._hire(receiver, wishes)
        work = _after(before.task if before else None, worker)
        self._posts[name] = _Post(receiver, worker, self._group.create_task(work, name=f"delivery {name}"))


async def _after(before: asyncio.Task[None] | None, worker: Worker) -> None:
    """Work once whoever had the post before has gone."""
    if before is not None:
        before.cancel()
        await asyncio.wait([before])
    await worker.run()
