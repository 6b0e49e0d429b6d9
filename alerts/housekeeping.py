"""The feed's housekeeping: looks each second whether something that kept people quiet is over, and says so;
whether a severe alert waits for an answer, and whether anybody watches; tests the receivers once a day, and
says which of them is not reached.

Promises that it goes on whatever the database does, and that it never does a thing twice, however many feeds
there are (`reminder_store`, `unanswered_store`, `watch_store`, `proof_store`). Called by the feed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from alerts import proof_store, reminder_store, store
from alerts.api.reader import Unavailable
from alerts.delivery import Desk
from alerts.feed_metrics import DELIVERY_PROVEN
from alerts.receivers.book import ReceiverBook
from alerts.store import Connection
from alerts.suppression import Limits
from alerts.unanswered_store import Ladder
from alerts.watch_store import Watcher
from alerts.watching import Watch
from ingest.clock import MICROS_PER_SECOND, Clock
from ingest.store.errors import StoreError

LOOK_S = 1.0  # what is over is told within a second or two, as everything is
SETTLED_S = 300.0  # after a start; a test that was missed is told and taken before anybody is blamed
WATCH_EVERY = 5  # looks; who has been away for two minutes can be missed 5 s later
STABLE_EVERY = 10  # looks; whoever waits for an hour of quiet can wait for 10 s more

log = logging.getLogger("huewatch.feed")


async def keep_house(
    database_url: str, clock: Clock, limits: Limits, book: Callable[[], ReceiverBook], watch: Watch | None
) -> None:
    """Look until cancelled; `book` gives the receivers as they are now. Without `watch` nobody need watch."""
    desk = Desk(database_url, "huewatch housekeeping")
    ladder, watcher = Ladder(), None if watch is None else Watcher(watch)
    looks, failing, began = 0, False, clock.monotonic()
    try:
        while True:
            try:
                said = await desk.call(_look, clock.now(), limits, looks % STABLE_EVERY == 0)
                present = watcher if looks % WATCH_EVERY == 0 else None
                await desk.call(_look_for_people, ladder, book(), present)
                settled = clock.monotonic() - began > SETTLED_S
                await desk.call(_look_at_receivers, clock.now(), book(), settled)
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


def _look_at_receivers(connection: Connection, now: int, book: ReceiverBook, settled: bool) -> None:
    names = {each.name for each in book.receivers}
    if book.daily_test is not None and proof_store.tell_test(connection, book.daily_test, now):
        log.info("receivers_tested")
    states = proof_store.states(connection)
    for state in states:
        if state.receiver in names and state.proven_at is not None:
            DELIVERY_PROVEN.labels(state.receiver).set(state.proven_at / MICROS_PER_SECOND)
    tested = book.daily_test is not None
    proof_store.tell_of_receivers(connection, states, names, now, tested=tested, settled=settled)


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
