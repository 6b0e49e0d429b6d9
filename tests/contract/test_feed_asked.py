"""schemathesis asks the feed what its document allows and what it does not: nothing fails, nothing is new."""

import asyncio
import zlib
from pathlib import Path

import pytest

from alerts.access import Scope
from alerts.api.serve import running_feed
from tests.support.access import headers
from tests.support.asked import CITY, fill, keep_committing, let_loose
from tests.support.databases import Database
from tests.support.feed import NATURE

EXAMPLES = 5  # of each operation, beside those that its bounds suggest


@pytest.mark.timeout(600)  # half a minute each where nothing else runs
@pytest.mark.parametrize("known", [True, False])
async def test_whatever_is_asked_no_server_error_and_no_undocumented_answer(
    plain_database: Database, tmp_path: Path, seed: str, known: bool
) -> None:
    with fill(plain_database.url) as connection:
        async with running_feed(plain_database.url, None, CITY, NATURE) as feed:
            committing = asyncio.create_task(keep_committing(connection))
            code, said = await let_loose(
                feed.url,
                headers(plain_database.url, Scope.ADMINISTER),
                tmp_path,
                "--phases=coverage,fuzzing",
                "--workers=2",
                f"--max-examples={EXAMPLES}",
                f"--seed={zlib.crc32(seed.encode())}",
                known=known,
            )
            committing.cancel()
    assert code == 0, said
    assert "No issues found" in said
