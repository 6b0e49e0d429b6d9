"""Maintenance windows: who works on which sensors until when, and the flag of what they measure meanwhile.

Promises: a window lasts at most 8 h and covers only the datastreams that it names; a reading whose phenomenon
time lies in a window that was entered before the reading came is flagged as calibrating, however a stream is
cut into batches. A reading that was stored before the window was entered stays as it was. Called by the
writer in its transaction, and by the alert side, which judges and tells when a window ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ingest.clock import to_datetime, to_micros
from ingest.model import ObservationBatch, Quality
from ingest.quality import Test, calibrating, with_flags, worst
from ingest.store.connection import Connection, Cursor
from ingest.store.errors import reactions

LONGEST_S = 8 * 3600  # a shift: who works longer says so again

_COLUMNS = "id, subject, datastreams, owner, reason, begins, coalesce(ended_at, ends), ended_by, told_at"
_START = f"""
INSERT INTO maintenance (subject, datastreams, owner, reason, begins, ends)
SELECT %(subject)s, %(datastreams)s, %(owner)s, %(reason)s, t.now, t.now + %(lasts)s * interval '1 second'
FROM (SELECT clock_timestamp() AS now) t RETURNING {_COLUMNS}
"""
_END = f"""
UPDATE maintenance SET ended_at = clock_timestamp(), ended_by = %s
WHERE id = %s AND ended_at IS NULL AND ends > clock_timestamp() RETURNING {_COLUMNS}
"""
_SINCE = f"SELECT {_COLUMNS} FROM maintenance WHERE coalesce(ended_at, ends) > %s ORDER BY id"
_STANDING = (
    f"SELECT {_COLUMNS} FROM maintenance WHERE coalesce(ended_at, ends) > clock_timestamp() ORDER BY id"
)
_ONE = f"SELECT {_COLUMNS} FROM maintenance WHERE id = %s"
# The windows that readings between two times can lie in; as a rule there is none, and one step into an index.
_BETWEEN = """
SELECT datastreams, begins, coalesce(ended_at, ends) FROM maintenance
WHERE coalesce(ended_at, ends) > %s AND begins <= %s
"""
_NUMBERS = "SELECT id FROM datastream WHERE key = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Window:
    """One window; times in microseconds, begin <= t < end. `told`: the feed has said that it is over."""

    id: int
    subject: str
    datastreams: tuple[str, ...]
    owner: str
    reason: str
    begins: int
    ends: int
    ended_by: str | None
    told: bool

    def holds(self, time: int) -> bool:
        """Whether that moment lies in it."""
        return self.begins <= time < self.ends


@reactions()
def start(
    connection: Connection, subject: str, datastreams: Sequence[str], owner: str, reason: str, lasts_s: float
) -> Window:
    """Enter a window that begins now. `ValueError` where nobody answers for it or it lasts too long."""
    if not owner.strip() or not reason.strip():
        raise ValueError("a window has an owner and a reason")
    if not 0 < lasts_s <= LONGEST_S:
        raise ValueError(f"a window lasts at most {LONGEST_S // 3600} h")
    values = {
        "subject": subject,
        "datastreams": list(datastreams),
        "owner": owner,
        "reason": reason,
        "lasts": lasts_s,
    }
    row = connection.execute(_START, values).fetchone()
    assert row is not None  # INSERT ... RETURNING
    return _window(row)


@reactions()
def end(connection: Connection, number: int, by: str) -> Window | None:
    """End a window now; None where there is none of this number that lasts."""
    row = connection.execute(_END, (by, number)).fetchone()
    return None if row is None else _window(row)


@reactions()
def standing(connection: Connection) -> list[Window]:
    """The windows that last, by the database's clock."""
    return [_window(row) for row in connection.execute(_STANDING)]


@reactions()
def since(connection: Connection, time: int) -> list[Window]:
    """The windows that end after `time` (microseconds), ended ones too."""
    return [_window(row) for row in connection.execute(_SINCE, (to_datetime(time),))]


@reactions()
def one(connection: Connection, number: int) -> Window | None:
    """The window of this number."""
    row = connection.execute(_ONE, (number,)).fetchone()
    return None if row is None else _window(row)


def flag(cursor: Cursor, rows: ObservationBatch) -> ObservationBatch:
    """The rows, those that were measured in a window with the flag that says so; quality is left to who
    rolls up the tests, or else to `doubted`."""
    if not len(rows):
        return rows
    newest, oldest = to_datetime(int(rows.time.max())), to_datetime(int(rows.time.min()))
    windows = cursor.execute(_BETWEEN, (oldest, newest)).fetchall()
    if not windows:
        return rows
    inside = np.zeros(len(rows), np.bool_)
    for keys, begins, ends in windows:
        numbers = [number for (number,) in cursor.execute(_NUMBERS, (keys,)).fetchall()]
        during = (rows.time >= to_micros(begins)) & (rows.time < to_micros(ends))
        inside |= during & np.isin(rows.datastream, numbers)
    suspect = np.full(np.count_nonzero(inside), Quality.SUSPECT, np.int8)
    return replace(rows, tests=with_flags(rows.tests, np.flatnonzero(inside), Test.CALIBRATION, suspect))


def doubted(rows: ObservationBatch) -> ObservationBatch:
    """The rows, where no test is run, with what was measured in a window suspect at best."""
    inside = calibrating(rows.tests)
    suspect = worst(rows.quality, np.full(len(rows), Quality.SUSPECT, np.int8))
    return replace(rows, quality=np.where(inside, suspect, rows.quality))


def _window(row: Sequence[Any]) -> Window:
    number, subject, datastreams, owner, reason, begins, ends, ended_by, told_at = row
    times = to_micros(begins), to_micros(ends)
    return Window(number, subject, tuple(datastreams), owner, reason, *times, ended_by, told_at is not None)
