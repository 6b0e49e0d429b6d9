"""The feed's housekeeping: looks each second whether something that kept people quiet is over, and says so.

Promises that it goes on whatever the database does, and that it never does a thing twice, however many feeds
there are (`reminder_store`). Called by the feed.
"""

from __future__ import annotations

import logging

from alerts import reminder_store
from alerts.api.reader import Unavailable
from alerts.delivery import Desk
from alerts.store import Connection
from alerts.suppression import Limits
from ingest.clock import Clock
from ingest.store.errors import StoreError

LOOK_S = 1.0  # what is over is told within a second or two, as everything is
STABLE_EVERY = 10  # looks; whoever waits for an hour of quiet can wait for 10 s more

log = logging.getLogger("huewatch.feed")


async def keep_house(database_url: str, clock: Clock, limits: Limits) -> None:
    """Look until cancelled."""
    desk = Desk(database_url, "huewatch housekeeping")
    looks, failing = 0, False
    try:
        while True:
            try:
                said = await desk.call(_look, clock.now(), limits, looks % STABLE_EVERY == 0)
                failing = False
                if said:
                    log.info("quiet_ended", extra={"events": said})
            except Unavailable:
                pass  # whoever waits for the database says so already
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
