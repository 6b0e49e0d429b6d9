"""The feed's housekeeping: looks each second whether something that kept people quiet is over, and says so;
whether a severe alert waits for an answer, and whether anybody watches.

Promises that it goes on whatever the database does, and that it never does a thing twice, however many feeds
there are (`reminder_store`, `unanswered_store`, `watch_store`). Called by the feed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from alerts import reminder_store, store
from alerts.api.reader import Unavailable
from alerts.delivery import Desk
from alerts.receivers.book import ReceiverBook
from alerts.store import Connection
from alerts.suppression import Limits
from alerts.unanswered_store import Ladder
from alerts.watch_store import Watcher
from alerts.watching import Watch
from ingest.clock import Clock
from ingest.store.errors import StoreError

LOOK_S = 1.0  # what is over is told within a second or two, as everything is
WATCH_EVERY = 5  # looks; who has been away for two minutes can be missed 5 s later
STABLE_EVERY = 10  # looks; whoever waits for an hour of quiet can wait for 10 s more

log = logging.getLogger("huewatch.feed")


async def keep_house(
    database_url: str, clock: Clock, limits: Limits, book: Callable[[], ReceiverBook], watch: Watch | None
) -> None:
    """Look until cancelled; `book` gives the receivers as they are now. Without `watch` nobody need watch."""
    desk = Desk(database_url, "huewatch housekeeping")
    ladder, watcher = Ladder(), None if watch is None else Watcher(watch)
    looks, failing = 0, False
    try:
        while True:
            try:
                said = await desk.call(_look, clock.now(), limits, looks % STABLE_EVERY == 0)
                present = watcher if looks % WATCH_EVERY == 0 else None
                await desk.call(_look_for_people, ladder, book(), present)
                failing = False
                if said:
                    log.info("quiet_ended", extra={"events": said})
            except Unavailable:  # whoever waits for the database says so already
                if watcher is not None:
                    watcher.forget()
            except StoreError as error:
                if not failing:
                    log.error("housekeeping_failed", exc_info=error)
                failing = True
            looks += 1
            await clock.sleep(LOOK_S)
    finally:
        desk.close()


def _look(connection: Connection, now: int, limits: Limits, all_of_it: bool) -> int:
    said = reminder_store.end_shelvings(connection, now) + reminder_store.tell_ended_windows(connection, now)
    said += reminder_store.tell_ended_silences(connection, now)
    return said + (reminder_store.tell_stable(connection, limits, now) if all_of_it else 0)


def _look_for_people(
    connection: Connection, ladder: Ladder, book: ReceiverBook, watcher: Watcher | None
) -> None:
    if steps := ladder.climb(connection, book.escalation, store.now(connection)):
        log.warning("alerts_unanswered", extra={"steps": steps})
    if watcher is not None and watcher.look(connection):
        log.warning("watch_changed")
