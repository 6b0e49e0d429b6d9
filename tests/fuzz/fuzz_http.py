"""Everything that the OpenAPI document allows, asked of the feed: `python -m tests.fuzz.fuzz_http [SECONDS]`.

schemathesis over a feed and a database of its own. What it finds becomes a line of a contract test before the
feed is mended. Half of the time the questions are about stations and alerts that there are.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from alerts.access import Scope
from alerts.api.serve import running_feed
from ingest.embedded import EmbeddedPostgres
from tests.support.access import headers
from tests.support.asked import CITY, fill, keep_committing, let_loose
from tests.support.feed import NATURE

SECONDS = 60


def main(arguments: list[str]) -> int:
    """Ask for so many seconds; the worst exit code."""
    seconds = int(arguments[0]) if arguments else SECONDS
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedPostgres(folder / "postgres") as server:
            return asyncio.run(_ask(server.url, folder, max(2, seconds) // 2))


async def _ask(url: str, folder: Path, seconds: int) -> int:
    worst = 0
    with fill(url) as connection:
        async with running_feed(url, None, CITY, NATURE) as feed:
            committing = asyncio.create_task(keep_committing(connection))
            for known in (True, False):
                who = headers(url, Scope.ADMINISTER)
                arguments = (f"--max-time={seconds}", "--max-examples=1000", "--workers=2")
                code, said = await let_loose(feed.url, who, folder, *arguments, known=known)
                print(said)
                worst = max(worst, code)
            committing.cancel()
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
