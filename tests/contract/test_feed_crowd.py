"""Two hundred live clients, fifty of which never read: the others miss nothing, memory stays as it was."""

import asyncio

from alerts.access import Scope
from tests.support.access import headers
from tests.support.crowd import CUT, crowd, feed_process, last_words
from tests.support.databases import Database
from tests.support.feed import Connection, catalogue, commit, happening, prepare, tell

READERS, SLEEPERS = 150, 50
EVENTS, AT_ONCE = 900, 30  # more than queue and buffers hold: each sleeper falls behind
# 200 transports with up to 64 KiB each, 256 frames of 2 kB that all share: seen 7; no backlogs.
GROWTH_MB = 32


def tell_some(connection: Connection, numbers: range) -> None:
    tell(connection, *(happening(number, alert=number) for number in numbers), open_alert=False)


async def test_who_reads_gets_every_event_once_while_fifty_never_read_and_memory_stays_bounded(
    plain_database: Database,
) -> None:
    with prepare(plain_database.url, catalogue()) as connection:
        commit(connection)
        who = headers(plain_database.url, Scope.READ)
        async with (
            feed_process(plain_database.url) as feed,
            crowd(feed.url, who, READERS, SLEEPERS) as clients,
        ):
            tell_some(connection, range(1, 2))
            await clients.told(1)
            before = feed.resident_mb()
            for begin in range(2, EVENTS + 1, AT_ONCE):
                last = min(begin + AT_ONCE, EVENTS + 1)
                await asyncio.to_thread(tell_some, connection, range(begin, last))
                await clients.told(last - 1)
            grown = feed.resident_mb() - before
            dropped = [await asyncio.to_thread(last_words, each) for each in clients.sleepers]
            told = [[number for number, _ in one.told] for one in clients.readers]
    assert told == [list(range(1, EVENTS + 1))] * READERS
    assert set(dropped) <= {"dropped", CUT}  # none of them is still waited for
    assert grown < GROWTH_MB
