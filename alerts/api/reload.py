"""The feed's catalogue anew while it runs: on SIGHUP, and when a `run` has taken up another configuration.

Promises: a catalogue with an error leaves the old one in use, and is logged and counted; live clients stay.
Called by `serve_feed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from alerts.api.reader import Reader, Unavailable
from ingest.catalog import Catalogue
from ingest.reload import Outcome, config_version, tell, why_unread
from ingest.store.errors import StoreError

LOOK_SECONDS = 1.0
ReadCatalogue = Callable[[], Catalogue]  # raises `ConfigError`; the same object where nothing has changed


async def follow_configuration(
    reader: Reader, read: ReadCatalogue, use: Callable[[Catalogue], None], hangup: asyncio.Event
) -> None:
    """Give each catalogue that `read` finds to `use`, until cancelled.

    It is read once more as soon as the database answers: `run` may have reloaded since we started.
    """
    version, followed = config_version(reader.catalogue, ()), None
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


async def _reload(
    version: str, used: Catalogue, read: ReadCatalogue, use: Callable[[Catalogue], None], *, told: bool
) -> str:
    """The version in use afterwards; where nothing is new this is said only when somebody has asked."""
    try:
        catalogue = await asyncio.to_thread(read)
        found = version
        if catalogue is not used:
            found = await asyncio.to_thread(config_version, catalogue, ())
    except Exception as error:
        tell(Outcome.REFUSED, version, why_unread(error))
        return version
    if found != version:
        use(catalogue)
        tell(Outcome.APPLIED, found)
    elif told:
        tell(Outcome.UNCHANGED, found)
    return found
