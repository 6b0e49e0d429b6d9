"""The zeros that stored levels were computed with, and their correction when the catalogue has another.

`apply` compares the register with the catalogue, once at a start and before the first reading is stored: the
corrected levels are written to `derived` under a new revision, and so are the results that follow from them;
the observations stay as they were measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingest.catalog import Catalogue
from ingest.clock import to_datetime, to_micros
from ingest.derive.kind import DAY
from ingest.installation import BEGINNING, END, ZERO_DECIMALS, Correction, Zero, rezero
from ingest.refine import Refiner
from ingest.store import refined
from ingest.store.connection import Connection, Cursor

_REGISTERED = """
SELECT d.key, nullif(i.valid_from, '-infinity'), i.zero_elevation, i.source, i.revision
FROM installation i JOIN datastream d ON d.id = i.datastream WHERE d.id = ANY(%s)
"""
_REACH = "SELECT min(time), max(time) FROM observation WHERE datastream = %s"
PIECE = 30 * DAY  # microseconds: some ten thousand rows at a time
_REGISTER = """
INSERT INTO installation (datastream, valid_from, zero_elevation, source, revision)
VALUES (%s, coalesce(%s, '-infinity'::timestamptz), %s, %s, %s)
"""
_CORRECT = """
INSERT INTO derived AS d (datastream, time, value, quality, coverage, inputs_until, revision)
SELECT o.datastream, o.time, round((o.value + %(offset)s)::numeric, %(decimals)s)::float8, o.first_quality, 1,
    o.time, %(revision)s
FROM observation_current o
WHERE o.datastream = %(datastream)s AND o.time >= coalesce(%(since)s, '-infinity'::timestamptz)
    AND o.time < coalesce(%(until)s, 'infinity'::timestamptz)
ON CONFLICT (datastream, time) DO UPDATE SET value = excluded.value, revision = excluded.revision
"""


def apply(
    connection: Connection, catalogue: Catalogue, ids: Mapping[str, int], refiner: Refiner | None
) -> Sequence[Correction]:
    """Register the catalogue's zeros and correct what was stored with others; the corrections made."""
    rows = connection.execute(_REGISTERED, (list(ids.values()),)).fetchall()
    found = rezero((_zero(*row) for row in rows), catalogue)
    register = [zero for zero in found.register if zero.datastream in ids]
    corrections = [one for one in found.corrections if one.datastream in ids]
    if not register and not corrections:
        return ()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_REGISTER, [_row(zero, ids) for zero in register])
        for one in corrections:
            cursor.execute("SET LOCAL statement_timeout = 0")  # years of levels may take their time
            cursor.execute(_CORRECT, _parameters(one, ids))
            if refiner is not None:
                _rederive(cursor, refiner, one, ids[one.datastream])
    return corrections


def _rederive(cursor: Cursor, refiner: Refiner, one: Correction, number: int) -> None:
    """What follows from the corrected levels, a piece of time after the other."""
    first, newest = cursor.execute(_REACH, (number,)).fetchone() or (None, None)
    if first is None or newest is None:
        return
    since, end = max(one.since, to_micros(first)), to_micros(newest)
    while since <= min(one.until - 1, end):
        until = min(since + PIECE, one.until) - 1
        (rows,) = refined.load_inputs(cursor, [(number, since, until)])
        results = refiner.rederive(number, rows, end, lambda spans: refined.load_inputs(cursor, spans))
        refined.save_results(cursor, results)
        since = until + 1


def _zero(key: str, valid_from: object, elevation: float | None, source: str, revision: int) -> Zero:
    since = BEGINNING if valid_from is None else to_micros(valid_from)  # type: ignore[arg-type]
    return Zero(key, since, elevation, source, revision)


def _row(zero: Zero, ids: Mapping[str, int]) -> tuple[object, ...]:
    since = None if zero.valid_from == BEGINNING else to_datetime(zero.valid_from)
    return ids[zero.datastream], since, zero.zero_elevation, zero.source, zero.revision


def _parameters(one: Correction, ids: Mapping[str, int]) -> dict[str, object]:
    return {
        "datastream": ids[one.datastream],
        "since": None if one.since == BEGINNING else to_datetime(one.since),
        "until": None if one.until == END else to_datetime(one.until),
        "offset": one.offset,
        "decimals": ZERO_DECIMALS,
        "revision": one.revision,
    }
