"""The forecast tables as functions over a connection.

Used by the sink inside the observations' transaction, and by the command line to read. No function here
begins or ends a transaction. Times go in and out as microseconds, levels in metres.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from alerts.forecast.lattice import SPAN, STEP
from alerts.forecast.model import MODEL, VERSION
from alerts.forecast.outlook import INPUTS, Withheld
from alerts.forecast.priors import LONGEST
from alerts.forecast.records import Made, Scored
from ingest.clock import to_datetime, to_micros
from ingest.model import Nature, ObservationBatch, Quality

NAME = f"{MODEL} {VERSION}"  # what the tables call the model
MICROMETRES = 1e6  # in a metre

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]

_ADD = """
INSERT INTO forecast (datastream, origin, model, made_at, level, withheld, hours, expected, low, high, mark,
    chance, passes)
VALUES (%s, %s, %s, %s, %s, %s, %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s, %s::float8[],
    %s::float8[])
ON CONFLICT DO NOTHING
"""
_ADD_SCORE = """
INSERT INTO forecast_score (datastream, origin, model, hours, truth, error, persistence_error, covered)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_ADD_SKILL = """
INSERT INTO forecast_skill AS s (datastream, model, hours, scored, covered, error_um, persistence_error_um)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (datastream, model, hours) DO UPDATE SET scored = s.scored + excluded.scored,
    covered = s.covered + excluded.covered, error_um = s.error_um + excluded.error_um,
    persistence_error_um = s.persistence_error_um + excluded.persistence_error_um
"""
_COLUMNS = "datastream, origin, made_at, level, withheld, hours, expected, low, high, mark, chance, passes"
_MADE = f"SELECT {_COLUMNS} FROM forecast"
_OPEN = f"""{_MADE} WHERE model = %(model)s AND withheld IS NULL AND datastream = ANY(%(numbers)s)
    AND origin > (SELECT max(f.origin) FROM forecast f WHERE f.datastream = forecast.datastream
        AND f.model = %(model)s) - %(longest)s * interval '1 hour'
ORDER BY datastream, origin
"""
_NEWEST_OF_EACH = f"""
SELECT f.* FROM unnest(%s::int4[]) AS s(id) CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM forecast
    WHERE datastream = s.id AND model = %s ORDER BY origin DESC LIMIT 1) f
"""
_BETWEEN = f"""{_MADE} WHERE model = %s AND datastream = %s AND origin >= %s AND origin < %s
ORDER BY origin DESC LIMIT %s
"""
_NEWEST = f"{_MADE} WHERE model = %s AND datastream = %s ORDER BY origin DESC LIMIT %s"
_SKILL = """
SELECT datastream, hours, scored, covered, error_um, persistence_error_um FROM forecast_skill
WHERE datastream = ANY(%s) AND model = %s AND scored > 0 ORDER BY datastream, hours
"""
# Of the last day before each series' newest usable row, the newest usable and the newest doubted row of each
# ten minutes. Flags are those at arrival, as when they first came by.
_DAY = """
SELECT DISTINCT ON (s.id, slot, usable) s.id, o.time, o.value, o.first_quality, o.received_at
FROM unnest(%(numbers)s::int4[]) AS s(id)
CROSS JOIN LATERAL (SELECT max(time) AS newest FROM observation
    WHERE datastream = s.id AND quality = ANY(%(inputs)s)) n
CROSS JOIN LATERAL (SELECT *, first_quality = ANY(%(inputs)s) AS usable,
        floor(extract(epoch FROM time) * 1000000 / %(step)s) AS slot
    FROM observation_current WHERE datastream = s.id AND first_quality = ANY(%(heard)s)
        AND time >= coalesce(n.newest - %(span)s * interval '1 microsecond', '-infinity')) o
ORDER BY s.id, slot, usable, o.time DESC
"""


@dataclass(frozen=True, slots=True)
class Skill:
    """How the forecasts of one horizon have fared so far; `ratio`: their error over persistence's."""

    hours: float
    scored: int
    coverage: float
    error: float
    ratio: float | None


def add(cursor: Cursor, made: Sequence[Made]) -> None:
    """Store forecasts."""
    cursor.executemany(
        _ADD,
        [
            (
                one.datastream,
                to_datetime(one.origin),
                NAME,
                to_datetime(one.made_at),
                one.level,
                one.withheld,
                *map(list, (one.hours, one.expected, one.low, one.high)),
                one.mark,
                list(one.chance),
                list(one.passes),
            )
            for one in made
        ],
    )


def add_scores(cursor: Cursor, scored: Sequence[Scored]) -> None:
    """Store scores and add them to the running sums."""
    cursor.executemany(
        _ADD_SCORE,
        [
            (
                one.due.datastream,
                to_datetime(one.due.origin),
                NAME,
                one.due.hours,
                one.truth,
                one.error,
                one.persistence_error,
                one.covered,
            )
            for one in scored
        ],
    )
    cursor.executemany(_ADD_SKILL, [(number, NAME, *rest) for number, *rest in _sums(scored)])


def made_open(connection: Connection, numbers: Iterable[int]) -> list[Made]:
    """The forecasts of these datastreams of which some horizon may still wait for its truth, by origin."""
    wanted = {"model": NAME, "numbers": list(numbers), "longest": LONGEST}
    return [_made(row) for row in connection.execute(_OPEN, wanted)]


def newest(connection: Connection, number: int, limit: int) -> list[Made]:
    """The newest forecasts of a datastream, made and withheld, newest first."""
    return [_made(row) for row in connection.execute(_NEWEST, (NAME, number, limit))]


def newest_of_each(connection: Connection, numbers: Iterable[int]) -> list[Made]:
    """The newest forecast, made or withheld, of each of these datastreams that has one."""
    return [_made(row) for row in connection.execute(_NEWEST_OF_EACH, (list(numbers), NAME))]


def made_between(connection: Connection, number: int, since: int, until: int, limit: int) -> list[Made]:
    """The newest `limit` forecasts of a datastream with since <= origin < until, oldest first."""
    values = (NAME, number, to_datetime(since), to_datetime(until), limit)
    return [_made(row) for row in connection.execute(_BETWEEN, values)][::-1]


def skill(connection: Connection, number: int) -> list[Skill]:
    """How the forecasts of a datastream have fared, by horizon."""
    return skills(connection, [number]).get(number, [])


def skills(connection: Connection, numbers: Iterable[int]) -> dict[int, list[Skill]]:
    """The same of many datastreams, by number."""
    found: dict[int, list[Skill]] = {}
    for number, hours, scored, covered, error, still in connection.execute(_SKILL, (list(numbers), NAME)):
        ratio = error / still if still else None
        one = Skill(hours, scored, covered / scored, error / scored / MICROMETRES, ratio)
        found.setdefault(number, []).append(one)
    return found


def number_of(connection: Connection, key: str, nature: Nature) -> int | None:
    """The number of a datastream, None where the database has none."""
    query = "SELECT id FROM datastream WHERE key = %s AND nature = %s"
    row = connection.execute(query, (key, nature.value)).fetchone()
    return None if row is None else int(row[0])


def last_day(connection: Connection, numbers: Iterable[int]) -> ObservationBatch:
    """The rows that a `Tracker` is loaded with, by series and time."""
    wanted = {
        "numbers": list(numbers),
        "inputs": [int(flag) for flag in INPUTS],
        "heard": [int(flag) for flag in (*INPUTS, Quality.SUSPECT)],
        "step": STEP,
        "span": SPAN,
    }
    rows = connection.execute(_DAY, wanted).fetchall()
    rows.sort(key=lambda row: (row[0], row[1]))
    count = len(rows)
    return ObservationBatch(
        np.array([row[0] for row in rows], np.int32),
        np.array([to_micros(row[1]) for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.int8),
        np.array([to_micros(row[4]) for row in rows], np.int64),
        np.full(count, -1, np.int32),
        np.zeros(count, np.bool_),
        np.zeros(count, np.int8),
        np.zeros(count, np.int64),
    )


def _sums(scored: Sequence[Scored]) -> list[tuple[Any, ...]]:
    sums: dict[tuple[int, float], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in scored:
        if one.error is None or one.persistence_error is None:
            continue
        own = sums[one.due.datastream, one.due.hours]
        errors = round(abs(one.error) * MICROMETRES), round(abs(one.persistence_error) * MICROMETRES)
        for place, more in enumerate((1, int(bool(one.covered)), *errors)):
            own[place] += more
    return [(number, hours, *own) for (number, hours), own in sums.items()]


def _made(row: Sequence[Any]) -> Made:
    number, origin, made_at, level, withheld, hours, expected, low, high, mark, chance, passes = row
    return Made(
        datastream=number,
        origin=to_micros(origin),
        made_at=to_micros(made_at),
        level=level,
        withheld=None if withheld is None else Withheld(withheld),
        hours=tuple(hours),
        expected=tuple(expected),
        low=tuple(low),
        high=tuple(high),
        mark=mark,
        chance=tuple(chance),
        passes=tuple(passes),
    )
