"""What quality tests and derivations read and write in the writer's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ingest.bursts import Burst
from ingest.clock import to_datetime, to_micros
from ingest.derive import Series
from ingest.derive.deriver import DerivedRows, Span
from ingest.model import ObservationBatch, Quality, Revised
from ingest.quality import Test, as_input
from ingest.quality.appraiser import Need, Revisions
from ingest.store import read
from ingest.store.binary_copy import Float8s, Int4s, Int8s, Times, encode_derived
from ingest.store.connection import Connection, Cursor

PART = 1_000  # datastreams read at a time: some MB
_FIRST = -2_208_988_800_000_000  # 1900-01-01Z, before which nothing is stored
_LAST = 7_258_118_400_000_000  # 2200-01-01Z
_INPUTS = """
SELECT s.place, o.time, o.value, o.quality, o.tests
FROM unnest(%s, %s, %s) WITH ORDINALITY AS s(datastream, since, until, place)
CROSS JOIN LATERAL (SELECT time, value, quality, tests FROM observation_current c
    WHERE c.datastream = s.datastream AND c.time >= s.since AND c.time <= s.until) o
ORDER BY s.place, o.time
"""
_REVISE = """
INSERT INTO quality_revision AS q (datastream, time, quality, tests, revision, revised_at)
SELECT datastream, time, quality, tests, 1, %s
FROM unnest(%s, %s, %s, %s) AS r(datastream, time, quality, tests)
ON CONFLICT (datastream, time) DO UPDATE SET quality = excluded.quality, tests = excluded.tests,
    revision = q.revision + 1, revised_at = excluded.revised_at
WHERE (q.quality, q.tests) IS DISTINCT FROM (excluded.quality, excluded.tests)
"""
# What the network server stamped cannot be believed: the sensor's digit, the twelfth, says SUSPECT.
_DOUBT = """
INSERT INTO quality_revision AS q (datastream, time, quality, tests, revision, revised_at)
SELECT datastream, time, CASE quality WHEN 4 THEN 4 ELSE 3 END,
    (tests & ~%(digit)s::int8) | %(suspect)s::int8, 1, %(now)s
FROM unnest(%(datastream)s, %(time)s) AS k(datastream, time) JOIN observation_current USING (datastream, time)
WHERE (tests & %(digit)s::int8) NOT IN (%(suspect)s::int8, %(fail)s::int8)
ON CONFLICT (datastream, time) DO UPDATE SET quality = excluded.quality, tests = excluded.tests,
    revision = q.revision + 1, revised_at = excluded.revised_at
RETURNING q.datastream, q.time, q.quality
"""
_KNOWN = """
SELECT a.place FROM unnest(%s, %s) WITH ORDINALITY AS a(datastream, time, place)
JOIN derived d ON d.datastream = a.datastream AND d.time = a.time
WHERE coalesce(d.first_value, d.value) IS NOT NULL
"""
_COPY = (
    "COPY derived (datastream, time, quality, coverage, inputs_until, revision, value)"
    " FROM STDIN (FORMAT binary)"
)
_COPY_UNKNOWN = (
    "COPY derived (datastream, time, quality, coverage, inputs_until, revision) FROM STDIN (FORMAT binary)"
)
_DERIVE = """
INSERT INTO derived AS d (datastream, time, value, quality, coverage, inputs_until, revision)
SELECT datastream, time, nullif(value, 'NaN'), quality, coverage, inputs_until, 1
FROM unnest(%s, %s, %s, %s, %s, %s) AS r(datastream, time, value, quality, coverage, inputs_until)
ON CONFLICT (datastream, time) DO UPDATE SET value = excluded.value, quality = excluded.quality,
    coverage = excluded.coverage, inputs_until = excluded.inputs_until, revision = d.revision + 1,
    first_value = coalesce(d.first_value, d.value),
    first_quality = CASE WHEN d.first_value IS NULL AND d.value IS NOT NULL THEN d.quality
        ELSE d.first_quality END
WHERE (d.value, d.quality, d.coverage) IS DISTINCT FROM
    (excluded.value, excluded.quality, excluded.coverage)
"""


def read_memory(connection: Connection, need: Need) -> Iterator[ObservationBatch]:
    """The rows that a need names, with the flags and levels that they have now, part by part."""
    for first in range(0, len(need.datastreams), PART):
        part = need.datastreams[first : first + PART]
        yield read.recent(connection, part, need.span, need.rows, revised=True)


def load_inputs(cursor: Cursor, spans: Sequence[Span]) -> list[Series]:
    """The stored rows of each span, by time."""
    datastream = np.array([span[0] for span in spans], np.int32)
    since, until = (np.clip([span[side] for span in spans], _FIRST, _LAST) for side in (1, 2))
    columns = Int4s(datastream), Times(since), Times(until)
    rows = cursor.execute(_INPUTS, columns, prepare=False).fetchall()
    place = np.array([row[0] - 1 for row in rows], np.intp)
    time = np.array([to_micros(row[1]) for row in rows], np.int64)
    value = np.array([row[2] for row in rows], np.float64)
    tests = np.array([row[4] for row in rows], np.int64)
    quality = as_input(np.array([row[3] for row in rows], np.int8), tests)
    ends = np.searchsorted(place, np.arange(len(spans) + 1)).tolist()
    parts = (slice(first, last) for first, last in pairwise(ends))
    return [Series(time[part], value[part], quality[part]) for part in parts]


def first_known(cursor: Cursor, derived: DerivedRows) -> ObservationBatch:
    """The results that nothing was known of before, as rows for those who decide on them."""
    known = ~np.isnan(derived.value)
    asked = np.flatnonzero(known & ~derived.new)
    if len(asked):
        columns = Int4s(derived.datastream[asked]), Times(derived.time[asked])
        found = cursor.execute(_KNOWN, columns, prepare=False).fetchall()
        known[asked[[place - 1 for (place,) in found]]] = False
    return derived.take(known).as_observations()


def doubt(cursor: Cursor, burst: Burst, now: int) -> Revised:
    """Make the stored rows of a burst suspect; those that were not already."""
    if not len(burst.datastream):
        return Revised.none()
    parameters = {
        "datastream": Int4s(burst.datastream),
        "time": Times(burst.time),
        "digit": 0xF << Test.SENSOR.shift,
        "suspect": Quality.SUSPECT << Test.SENSOR.shift,
        "fail": Quality.FAIL << Test.SENSOR.shift,
        "now": to_datetime(now),
    }
    rows = cursor.execute(_DOUBT, parameters, prepare=False).fetchall()
    return Revised(
        np.array([row[0] for row in rows], np.int32),
        np.array([to_micros(row[1]) for row in rows], np.int64),
        np.array([row[2] for row in rows], np.int8),
    )


def save(
    cursor: Cursor, revisions: Revisions, derived: DerivedRows, now: int, *, careful: bool = False
) -> None:
    """Store the newest word on each row that was decided, and each result, where they changed.

    `careful`: take no result for new, since one was found to be there.
    """
    if len(revisions):
        last = _last_of_key(revisions.datastream, revisions.time)
        columns = (
            Int4s(revisions.datastream[last]),
            Times(revisions.time[last]),
            Int4s(revisions.quality[last]),
            Int8s(revisions.tests[last]),
        )
        cursor.execute(_REVISE, (to_datetime(now), *columns), prepare=False)
    fresh = derived.new & (not careful)
    unknown = np.isnan(derived.value)
    for query, rows, known in ((_COPY, fresh & ~unknown, True), (_COPY_UNKNOWN, fresh & unknown, False)):
        if rows.any():
            with cursor.copy(query) as stream:
                stream.write(encode_derived(derived.take(rows), known=known))
    save_results(cursor, derived.take(~fresh))


def save_results(cursor: Cursor, derived: DerivedRows) -> None:
    """Store results in the place of those that are there, under a revision more where they differ."""
    if len(derived):
        cursor.execute(
            _DERIVE,
            (
                Int4s(derived.datastream),
                Times(derived.time),
                Float8s(derived.value),
                Int4s(derived.quality),
                Float8s(derived.coverage),
                Times(derived.inputs_until),
            ),
            prepare=False,
        )


def _last_of_key(datastream: NDArray[np.int32], time: NDArray[np.int64]) -> NDArray[np.intp]:
    """The last row of each (datastream, time)."""
    order = np.lexsort((time, datastream))  # stable
    number, moment = datastream[order], time[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (number[1:] != number[:-1]) | (moment[1:] != moment[:-1])
    return order[last]
