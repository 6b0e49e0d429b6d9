"""The end of every fault test: the load stops, the backlog drains in time, the oracle finds nothing."""

import os

from tests.faults.oracle import faults, read_tables, wait_stored
from tests.faults.publisher import Publisher

DRAINED_SECONDS = 60


def settle(publisher: Publisher, database: str) -> None:
    """Stop the load, wait until all of it is stored, and compare."""
    ledger = publisher.pause()
    took = wait_stored(database, len(ledger.sent), DRAINED_SECONDS)
    print(
        f"{len(ledger.sent)} readings at {publisher.rate:.0f}/s, drained {took:.1f} s after the last"
        f" (load average {os.getloadavg()[0]:.1f})"
    )
    assert faults(ledger, read_tables(database)) == []
