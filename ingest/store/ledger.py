"""The account of readings and messages: for each gateway and minute of arrival where each one went.

messages = readable + empty + unreadable, decoded = stored + duplicate + conflict + rejected; the table's
CHECKs hold both, and the counts are written in the transaction that they count. `count` is pure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.model import Fate, Intake
from ingest.store.binary_copy import Int8s, Times
from ingest.store.classify import Verdict
from ingest.store.connection import Cursor

MINUTE = 60_000_000  # microseconds
_GATEWAYS = 2**31  # more than an int32 index can name, so that (minute, gateway) fits one int64
# In the order of the key, so that two partitions' transactions cannot wait for each other in a circle.
_ADD = """
INSERT INTO ledger AS l (gateway, minute, messages, readable, empty, unreadable,
    decoded, stored, duplicate, conflict, rejected)
SELECT * FROM unnest(%s::text[], %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS added(gateway, minute)
ORDER BY gateway, minute
ON CONFLICT (gateway, minute) DO UPDATE SET
    messages = l.messages + excluded.messages, readable = l.readable + excluded.readable,
    empty = l.empty + excluded.empty, unreadable = l.unreadable + excluded.unreadable,
    decoded = l.decoded + excluded.decoded, stored = l.stored + excluded.stored,
    duplicate = l.duplicate + excluded.duplicate, conflict = l.conflict + excluded.conflict,
    rejected = l.rejected + excluded.rejected
"""

Counts = dict[tuple[str, int], NDArray[np.int64]]  # (gateway, minute in microseconds) -> in the table's order


def count(intake: Intake, verdict: NDArray[np.int8]) -> Counts:
    """The counts of one batch; `verdict` per row of observations. The minute is that of arrival."""
    received = np.fromiter((m.received_at for m in intake.messages), np.int64, len(intake.messages))
    keys, group = np.unique(received // MINUTE * _GATEWAYS + intake.gateway, return_inverse=True)
    row_group = group[intake.observations.message]
    refused = [reject.message for reject in intake.rejects if reject.reading]
    fates = [_tally(group[intake.fate == fate], len(keys)) for fate in Fate]
    verdicts = [_tally(row_group[verdict == one], len(keys)) for one in Verdict]
    rejected = _tally(group[np.array(refused, np.intp)], len(keys))
    messages, decoded = _tally(group, len(keys)), sum(verdicts, rejected)
    table = np.column_stack((messages, *fates, decoded, *verdicts, rejected))
    counts: Counts = {}
    for row, key in enumerate(keys.tolist()):
        name = intake.gateway_names[key % _GATEWAYS], key // _GATEWAYS * MINUTE
        counts[name] = counts[name] + table[row] if name in counts else table[row]
    return counts


def add(cursor: Cursor, counts: Counts) -> None:
    """Add the counts to the table."""
    if not counts:
        return
    gateways = [gateway for gateway, _ in counts]
    minutes = Times(np.array([minute for _, minute in counts], np.int64))
    columns = np.array(list(counts.values())).T
    cursor.execute(_ADD, (gateways, minutes, *map(Int8s, columns)))


def _tally(groups: NDArray[np.intp], size: int) -> NDArray[np.int64]:
    return np.bincount(groups, minlength=size).astype(np.int64)
