"""How soon an event reaches live clients: from its commit to the bytes at each of 150 while 50 never read."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from alerts.access import Scope
from ingest.embedded import EmbeddedPostgres
from tests.support.access import headers
from tests.support.crowd import crowd, feed_process
from tests.support.feed import Connection, catalogue, commit, happening, prepare, tell

READERS, SLEEPERS = 150, 50
RATE, SECONDS = 20, 15  # events a second: 3,000 frames; a storm's digest comes to less
WARM = 5  # events before those that are measured


def sse_figures() -> dict[str, Any]:
    """Latencies in ms over all readers and events, and what the feed's memory grew by."""
    with tempfile.TemporaryDirectory(prefix="huewatch-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        with EmbeddedPostgres(Path(name) / "postgres") as server:
            return asyncio.run(_measure(server.url))


async def _measure(url: str) -> dict[str, Any]:
    with prepare(url, catalogue()) as connection:
        commit(connection)
        who = headers(url, Scope.READ)
        async with feed_process(url) as feed, crowd(feed.url, who, READERS, SLEEPERS) as clients:
            for number in range(1, WARM + 1):
                _tell(connection, number)
            await clients.told(WARM)
            before = feed.resident_mb()
            committed = {}
            begun = time.monotonic()
            for place in range(RATE * SECONDS):
                await asyncio.sleep(max(0.0, begun + place / RATE - time.monotonic()))
                number = WARM + 1 + place
                committed[number] = await asyncio.to_thread(_tell, connection, number)
            await clients.told(WARM + RATE * SECONDS)
            grown = feed.resident_mb() - before
            late = [
                1e3 * max(0.0, at - committed[number])
                for one in clients.readers
                for number, at in one.told
                if number in committed
            ]
    p50, p99 = np.percentile(late, (50, 99)).tolist()
    return {
        "clients": READERS + SLEEPERS,
        "never_reading": SLEEPERS,
        "events_per_second": RATE,
        "frames": len(late),
        "commit_to_client_ms_p50": p50,
        "commit_to_client_ms_p99": p99,
        "commit_to_client_ms_worst": max(late),
        "grown_mb": grown,
    }


def _tell(connection: Connection, number: int) -> float:
    """Append one event; the moment of its commit."""
    tell(connection, happening(number, alert=number), open_alert=False)
    return time.monotonic()
