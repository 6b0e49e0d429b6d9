"""The statements of a batch on `observation` and its conflicts, on columns. Called by `write.Writer`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.clock import to_datetime, to_micros
from ingest.model import ObservationBatch
from ingest.store import classify
from ingest.store.binary_copy import Float8s, Int4s, Times, encode
from ingest.store.classify import Marks
from ingest.store.connection import Cursor
from ingest.store.partitions import WEEK

# One step into the primary key for each series; a series without rows is not in the answer.
_MARKS = """
SELECT s.id, m.time FROM unnest(%s) AS s(id)
CROSS JOIN LATERAL (SELECT time FROM observation o WHERE o.datastream = s.id ORDER BY time DESC LIMIT 1) m
"""
_ALL_SERIES = "SELECT id FROM datastream"
# LIMIT keeps it a look into the primary key for each row, whatever the planner believes of the table.
# It asks within one week and is planned anew, so that it looks into one partition or chunk; TimescaleDB
# would otherwise consider its chunks for each row (measured: 17 us a row and more, against 4).
_FIND = """
SELECT a.place, coalesce(d.value, o.value) FROM unnest(%s, %s) WITH ORDINALITY AS a(datastream, time, place)
CROSS JOIN LATERAL (
    SELECT value FROM observation o
    WHERE o.datastream = a.datastream AND o.time = a.time AND o.time >= %s AND o.time < %s LIMIT 1) o
LEFT JOIN derived d ON d.datastream = a.datastream AND d.time = a.time -- a level by a corrected zero
"""
_ONE_CHUNK = "SELECT set_config('timescaledb.enable_runtime_exclusion', 'off', true)"
_COPY = (
    "COPY observation (datastream, time, value, quality, received_at, time_source, tests)"
    " FROM STDIN (FORMAT binary)"
)
VALUES_OF_A_KEY = 4  # kept apart; of a gateway that sends ever another one the ledger counts the rest
_CONFLICTS = """
WITH came AS (
    SELECT datastream, time, value, min(received) AS first, max(received) AS last, count(*)
    FROM unnest(%s, %s, %s, %s) AS r(datastream, time, value, received) GROUP BY 1, 2, 3),
kept AS (SELECT k.datastream, k.time, k.value FROM observation_conflict k
    JOIN (SELECT DISTINCT datastream, time FROM came) s ON k.datastream = s.datastream AND k.time = s.time),
held AS (SELECT datastream, time, count(*) AS values FROM kept GROUP BY 1, 2),
placed AS (
    SELECT came.*, kept.value IS NOT NULL AS known, row_number() OVER (
        PARTITION BY came.datastream, came.time, kept.value IS NULL ORDER BY first, came.value) AS place
    FROM came LEFT JOIN kept USING (datastream, time, value))
INSERT INTO observation_conflict AS c (datastream, time, value, first_received, last_received, count)
SELECT datastream, time, value, first, last, count FROM placed LEFT JOIN held USING (datastream, time)
WHERE known OR place + coalesce(held.values, 0) <= %s
ON CONFLICT (datastream, time, value) DO UPDATE SET count = c.count + excluded.count,
    first_received = LEAST(c.first_received, excluded.first_received),
    last_received = GREATEST(c.last_received, excluded.last_received)
"""


def load_all_marks(cursor: Cursor, marks: Marks) -> None:
    """Read the high-water mark of every registered series."""
    ids = [number for (number,) in cursor.execute(_ALL_SERIES).fetchall()]
    _load_marks(cursor, marks, np.array(ids, np.int32))


def verdicts(cursor: Cursor, marks: Marks, rows: ObservationBatch) -> NDArray[np.int8]:
    """The `Verdict` of each row; asks the table only for rows that can be in it."""
    unknown = marks.unknown(rows.datastream)
    if len(unknown):
        _load_marks(cursor, marks, unknown)
    first = classify.first_of_key(rows.datastream, rows.time)
    asked = classify.to_ask(first, rows.time, marks.of(rows.datastream))
    found, value = _find(cursor, rows, asked) if len(asked) else (asked, np.empty(0))
    return classify.settle(first, rows.value, found, value)


def copy(cursor: Cursor, rows: ObservationBatch) -> None:
    """Store new rows."""
    if len(rows):
        with cursor.copy(_COPY) as stream:
            stream.write(encode(rows))


def keep_conflicts(cursor: Cursor, rows: ObservationBatch) -> None:
    """Keep rows whose key stands with another value, up to `VALUES_OF_A_KEY` values of a key."""
    if len(rows):
        cursor.execute(
            _CONFLICTS,
            (
                Int4s(rows.datastream),
                Times(rows.time),
                Float8s(rows.value),
                Times(rows.received_at),
                VALUES_OF_A_KEY,
            ),
            prepare=False,  # planned anew, for as many rows as there are
        )


def _load_marks(cursor: Cursor, marks: Marks, series: NDArray[np.int32]) -> None:
    found = cursor.execute(_MARKS, (Int4s(series),)).fetchall()
    ids = np.array([number for number, _ in found], np.int32)
    newest = np.array([to_micros(time) for _, time in found], np.int64)
    marks.learn(series, np.full(len(series), classify.NEVER, np.int64))
    marks.learn(ids, newest)


def _find(
    cursor: Cursor, rows: ObservationBatch, asked: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which of the asked rows have their key in the table, and the value that stands there."""
    week = rows.time[asked] // WEEK
    found, values = [], []
    cursor.execute(_ONE_CHUNK)
    for one in np.unique(week).tolist():
        part = asked[week == one]
        bounds = to_datetime(one * WEEK), to_datetime((one + 1) * WEEK)
        columns = Int4s(rows.datastream[part]), Times(rows.time[part])
        answer = cursor.execute(_FIND, (*columns, *bounds), prepare=False).fetchall()
        found.append(part[np.array([place - 1 for place, _ in answer], np.intp)])
        values.append(np.array([value for _, value in answer], np.float64))
    return np.concatenate(found), np.concatenate(values)
