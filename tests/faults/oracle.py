"""The oracle: what the gateway published against what the tables hold, after a fault and a drained backlog.

Jepsen's shape, home-made: every reading exactly once with its value, every expected alert event exactly once,
the ledger in balance. What is expected is worked out slowly and apart from the engine.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg

from ingest.store import connect
from ingest.store.errors import StoreError
from tests.faults.publisher import Ledger, Sent
from tests.faults.service import CLEAR_HOLD_SECONDS, CONFIRM_SAMPLES, RAISE_AT

SHOWN = 3  # examples of a fault in the report
STILL_SECONDS = 3.0

COUNTERS = (
    "messages",
    "readable",
    "empty",
    "unreadable",
    "decoded",
    "stored",
    "duplicate",
    "conflict",
    "rejected",
)


@dataclass(frozen=True)
class Tables:
    """What the database holds at the end, as the oracle reads it."""

    waves: Counter[tuple[str, float, float]]  # (device, time in s, value)
    timeless: Counter[tuple[str, float]]  # (device, value)
    events: Counter[tuple[str, str, float]]  # (device, kind, event time in s)
    ledger: dict[str, int]
    quarantined: int


def read_tables(database: str) -> Tables:
    with connect(database, application_name="oracle") as connection:
        rows = connection.execute(
            "SELECT split_part(d.key, '/', 1), extract(epoch from o.time)::float8, o.value"
            " FROM observation o JOIN datastream d ON d.id = o.datastream"
        ).fetchall()
        events = connection.execute(
            "SELECT station, kind, extract(epoch from event_time)::float8 FROM alert_event"
        ).fetchall()
        sums = connection.execute(
            f"SELECT {', '.join(f'coalesce(sum({name}), 0)' for name in COUNTERS)} FROM ledger"
        ).fetchone()
        quarantined = connection.execute("SELECT coalesce(sum(count), 0) FROM quarantine").fetchone()
    assert sums is not None
    assert quarantined is not None
    return Tables(
        Counter(row for row in rows if row[0].startswith("wave")),
        Counter((device, value) for device, _, value in rows if device.startswith("timeless")),
        Counter(events),
        {name: int(value) for name, value in zip(COUNTERS, sums, strict=True)},
        int(quarantined[0]),
    )


def expected_events(sent: list[Sent]) -> Counter[tuple[str, str, float]]:
    """A slow, separate reading of the rule: raised by the second high sample, cleared after the hold."""
    expected: Counter[tuple[str, str, float]] = Counter()
    high_run: Counter[str] = Counter()
    low_since: dict[str, float] = {}
    firing: set[str] = set()
    for reading in sent:
        if reading.time is None:
            continue
        device, at = reading.device, reading.time.timestamp()
        if reading.value >= RAISE_AT:
            high_run[device] += 1
            low_since.pop(device, None)
            if device not in firing and high_run[device] == CONFIRM_SAMPLES:
                firing.add(device)
                expected[device, "raised", at] += 1
        else:
            high_run[device] = 0
            if device in firing and at - low_since.setdefault(device, at) >= CLEAR_HOLD_SECONDS:
                firing.discard(device)
                expected[device, "cleared", at] += 1
    return expected


def faults(ledger: Ledger, tables: Tables) -> list[str]:
    """What is wrong, in words; nothing when every publish and every expected event is there exactly once."""
    waves = Counter((s.device, s.time.timestamp(), s.value) for s in ledger.sent if s.time is not None)
    timeless = Counter((s.device, s.value) for s in ledger.sent if s.time is None)
    expected = expected_events(ledger.sent)
    assert expected, "the run was too short to expect an event"
    twice = tables.timeless - timeless
    unexplained = Counter({key: n for key, n in twice.items() if key not in ledger.repeated})
    differences: dict[str, Counter[Any]] = {
        "lost readings": waves - tables.waves,
        "readings stored twice or never sent": tables.waves - waves,
        "lost readings without a time": timeless - tables.timeless,
        "readings without a time stored twice": unexplained,
        "missing alert events": expected - tables.events,
        "alert events told twice or for nothing": tables.events - expected,
    }
    found = [_report(name, difference) for name, difference in differences.items() if difference]
    return found + list(_unbalanced(tables, len(ledger.sent) + twice.total()))


def _report(name: str, difference: Counter[Any]) -> str:
    return f"{name}: {difference.total()}, such as {list(islice(difference, SHOWN))}"


def _unbalanced(tables: Tables, stored: int) -> Iterator[str]:
    sums = tables.ledger
    if sums["decoded"] != sums["stored"] + sums["duplicate"] + sums["conflict"] + sums["rejected"]:
        yield f"the ledger is out of balance: {sums}"
    if sums["stored"] != stored:
        yield f"the ledger counts {sums['stored']} stored of {stored}"
    if sums["conflict"] or sums["rejected"] or tables.quarantined:
        yield f"good readings were refused: {sums}, {tables.quarantined} quarantined"


def wait_stored(database: str, count: int, seconds: float) -> float:
    """Wait until `count` observations are stored; the seconds it took. Fails after `seconds`."""
    started = time.monotonic()
    stored = -1
    while time.monotonic() - started < seconds:
        stored = _stored(database)
        if stored >= count:
            return time.monotonic() - started
        time.sleep(0.1)
    raise AssertionError(f"{stored} of {count} stored after {seconds} s")


def wait_still(database: str, count: int, seconds: float) -> None:
    """Wait until `count` observations are stored, or no more are coming."""
    deadline = time.monotonic() + seconds
    stored, changed = -1, time.monotonic()
    while stored < count and time.monotonic() - changed < STILL_SECONDS:
        assert time.monotonic() < deadline, f"still storing after {seconds} s"
        time.sleep(0.2)
        before, stored = stored, _stored(database)
        if stored != before:
            changed = time.monotonic()


def _stored(database: str) -> int:
    """How many observations there are; -1 while the database is away."""
    try:
        with connect(database, application_name="oracle") as connection:
            row = connection.execute("SELECT count(*) FROM observation").fetchone()
    except (psycopg.OperationalError, StoreError):
        return -1
    assert row is not None
    return int(row[0])
