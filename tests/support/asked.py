"""A feed with something of everything in its database, and schemathesis let loose on it.

Used by the contract test, and by `python -m tests.fuzz.fuzz_http`, which asks for longer.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from alerts.forecast import store as forecasts
from alerts.forecast.records import Made
from alerts.handling import Action
from alerts.handling_store import act
from alerts.model import EventKind
from ingest.clock import to_datetime
from ingest.store import maintenance
from ingest.store.datastreams import register
from tests.support.fed import LEVEL, RAIN_1H, derive, rain_gauge
from tests.support.feed import (
    KIMLONG,
    MINUTE,
    NATURE,
    NOW,
    PHUOC,
    Connection,
    catalogue,
    commit,
    happening,
    observe,
    prepare,
    tell,
)

CITY = catalogue(rain_gauge())
ALERT = happening(1).alert_id

# What is judged: whatever is asked, no server error and nothing that the document does not tell.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
# A stream has no end to wait for, and "not ready" is what /readyz is for: both have tests of their own.
LEFT_OUT = ("followEvents", "isReady")
# Half of the questions are about what there is.
KNOWN = f"""
[parameters]
"path.key" = "{LEVEL}"
"path.station_id" = "{KIMLONG}"
"path.alert_id" = "{ALERT}"
"path.day" = "2025-10-27"
"""


def fill(url: str) -> Connection:
    """A database with readings, results, alerts, handling, forecasts, maintenance, gaps and refusals."""
    connection = prepare(url, CITY)
    register(connection, [key for key, _, _ in CITY.derived()], NATURE)
    for step in range(200):
        observe(connection, LEVEL, NOW - step * 5 * MINUTE, 3.58 - step / 120, (1, 1, 2, 3, 4)[step % 5])
        derive(connection, RAIN_1H, NOW - step * 10 * MINUTE, None if step % 7 else step / 10, 0.5)
    tell(connection, happening(1, level=3))
    tell(connection, happening(2, alert=2, station=PHUOC))
    tell(connection, happening(3, alert=2, station=PHUOC, kind=EventKind.CLEARED))
    tell(connection, happening(4, alert=4, kind=EventKind.LATE), open_alert=False)
    act(connection, ALERT, Action(EventKind.ACKNOWLEDGED, "An", "đã thấy"), NOW)
    act(connection, ALERT, Action(EventKind.SHELVED, "Bình", "thử", shelve_s=600.0), NOW)
    maintenance.start(connection, PHUOC, [f"{PHUOC}/water_level"], "Chi", "thay pin", 3_600.0)
    number = forecasts.number_of(connection, LEVEL, NATURE)
    assert number is not None
    made = Made(number, NOW, NOW, 3.5, None, (1.0,), (3.6,), (3.5,), (3.8,), 4.5, (0.1,), (None, None, None))
    with connection.transaction(), connection.cursor() as cursor:
        forecasts.add(cursor, [made])
    at = to_datetime(NOW - MINUTE)
    connection.execute("INSERT INTO ledger VALUES ('gw', %s, 5, 4, 1, 0, 8, 5, 2, 0, 1)", (at,))
    connection.execute(
        "INSERT INTO quarantine (digest, topic, payload, payload_size, reason, detail, codec, codec_version,"
        " gateway, count, first_seen, last_seen)"
        " VALUES ('a', 't', 'p', 1, 'undecodable', '', 'c', 1, 'gw', 3, %(at)s, %(at)s)",
        {"at": at},
    )
    connection.execute(
        "INSERT INTO gap (partition, session, topics, ended_at, reason)"
        " VALUES ('hue', 2, '{hue/#}', %s, 'x')",
        (at,),
    )
    commit(connection)
    return connection


async def keep_committing(connection: Connection) -> None:
    """Commit as ingest does, so that the feed goes on seeing; and let it go blind now and then."""
    rounds = 0
    while True:
        await asyncio.sleep(0.5)
        rounds += 1
        await asyncio.to_thread(
            commit, connection, sighted=rounds % 10 != 0, ago_s=100 if rounds % 13 == 0 else 0
        )


async def let_loose(
    url: str, headers: Mapping[str, str], folder: Path, *arguments: str, known: bool
) -> tuple[int, str]:
    """Run schemathesis on a feed: its exit code and what it said. `known`: ask of what there is alone."""
    config = folder / f"schemathesis-{known}.toml"
    config.write_text(KNOWN if known else "", encoding="utf-8")
    command: Sequence[str] = [
        str(Path(sys.executable).parent / "schemathesis"),
        f"--config-file={config}",
        "run",
        f"{url}/api/v1/openapi.json",
        f"--url={url}",
        f"--checks={','.join(CHECKS)}",
        *(f"--exclude-operation-id={each}" for each in LEFT_OUT),
        *(f"--header={name}:{value}" for name, value in headers.items()),
        "--request-timeout=10",
        "--continue-on-failure",
        "--no-color",
        "--warnings=off",
        "--suppress-health-check=all",
        "--generation-database=none",
        *arguments,
    ]
    running = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        said, _ = await running.communicate()
    finally:
        with suppress(ProcessLookupError):
            running.kill()
    assert running.returncode is not None
    return running.returncode, said.decode()
