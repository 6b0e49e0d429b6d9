"""The feed's catalogue and receivers anew while it runs: on SIGHUP, and when a `run` was asked to reload.

Promises: an error in either leaves both as they were, and is logged and counted; live clients stay. Called by
`serve_feed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from alerts.api.reader import Reader, Unavailable
from alerts.receivers.book import ReceiverBook
from ingest.catalog import Catalogue
from ingest.reload import Outcome, config_version, tell, why_unread
from ingest.store.errors import StoreError

LOOK_SECONDS = 1.0
# Raises `ConfigError`; the same catalogue where nothing has changed in its files.
ReadBoth = Callable[[], tuple[Catalogue, ReceiverBook]]
Use = Callable[[Catalogue, ReceiverBook], None]


class Version(NamedTuple):
    """Short hashes of all that the feed's files say."""

    catalogue: str
    book: str

    def __str__(self) -> str:
        return f"{self.catalogue}-{self.book}"


def version_of(catalogue: Catalogue, book: ReceiverBook) -> Version:
    """Of ten thousand stations it takes a second."""
    return Version(config_version(catalogue, ()), book.version)


async def follow_configuration(
    reader: Reader, version: Version, read: ReadBoth, use: Use, hangup: asyncio.Event
) -> None:
    """Give what `read` finds to `use` where it is another version, until cancelled.

    It is read once more as soon as the database answers: `run` may have reloaded since we started.
    """
    followed = None
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await hangup.wait()
        asked, seen = hangup.is_set(), followed
        with suppress(Unavailable, StoreError):  # the hub meets it too, and says so
            seen = await asyncio.to_thread(reader.configurations)
        if asked or seen != followed:
            hangup.clear()
            followed = seen
            version = await _reload(version, reader.catalogue, read, use, told=asked)


async def _reload(version: Version, used: Catalogue, read: ReadBoth, use: Use, *, told: bool) -> Version:
    """The version in use afterwards; where nothing is new this is said only when somebody has asked."""
    try:
        catalogue, book = await asyncio.to_thread(read)
        found = Version(version.catalogue, book.version)
        if catalogue is not used:
            found = await asyncio.to_thread(version_of, catalogue, book)
        if found != version:
            use(catalogue, book)
    except Exception as error:
        tell(Outcome.REFUSED, str(version), why_unread(error))
        return version
    if found != version:
        tell(Outcome.APPLIED, str(found))
    elif told:
        tell(Outcome.UNCHANGED, str(found))
    return found
