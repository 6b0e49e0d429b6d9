"""Silences in the database: enter, list, end. What they cover is `alerts.suppression`'s.

Called by the command line and by delivery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alerts.model import Severity
from alerts.store import Connection
from alerts.suppression import SILENCE_LONGEST_S, Silence
from ingest.clock import to_datetime, to_micros

_COLUMNS = "id, rule, station, severity, owner, reason, begins, coalesce(ended_at, ends)"
_START = f"""
INSERT INTO silence (rule, station, severity, owner, reason, begins, ends)
SELECT %s, %s, %s, %s, %s, t.now, t.now + %s * interval '1 second'
FROM (SELECT clock_timestamp() AS now) t RETURNING {_COLUMNS}
"""
_END = f"""
UPDATE silence SET ended_at = clock_timestamp(), ended_by = %s
WHERE id = %s AND ended_at IS NULL AND ends > clock_timestamp() RETURNING {_COLUMNS}
"""


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a silence is to cover; at least one line is given."""

    rule: str | None = None
    station: str | None = None
    severity: Severity | None = None


def start(connection: Connection, matcher: Matcher, owner: str, reason: str, lasts_s: float) -> Silence:
    """Enter a silence that begins now. `ValueError` where it is nobody's, matches all or lasts too long."""
    if not owner.strip() or not reason.strip():
        raise ValueError("a silence has an owner and a reason")
    if not 0 < lasts_s <= SILENCE_LONGEST_S:
        raise ValueError(f"a silence lasts at most {SILENCE_LONGEST_S // 3600} h")
    chosen = (matcher.rule, matcher.station, matcher.severity and matcher.severity.value)
    if chosen == (None, None, None):
        raise ValueError("a silence names a rule, a station or a severity")
    row = connection.execute(_START, (*chosen, owner, reason, lasts_s)).fetchone()
    assert row is not None  # INSERT ... RETURNING
    return _silence(row)


def end(connection: Connection, number: int, by: str) -> Silence | None:
    """End a silence now; None where there is none of this number that lasts."""
    row = connection.execute(_END, (by, number)).fetchone()
    return None if row is None else _silence(row)


def standing(connection: Connection) -> list[Silence]:
    """The silences that last, by the database's clock."""
    query = f"SELECT {_COLUMNS} FROM silence WHERE coalesce(ended_at, ends) > clock_timestamp() ORDER BY id"
    return [_silence(row) for row in connection.execute(query)]


def since(connection: Connection, time: int) -> list[Silence]:
    """The silences that end after `time` (microseconds), ended ones too."""
    query = f"SELECT {_COLUMNS} FROM silence WHERE coalesce(ended_at, ends) > %s ORDER BY id"
    return [_silence(row) for row in connection.execute(query, (to_datetime(time),))]


def _silence(row: Sequence[Any]) -> Silence:
    number, rule, station, severity, owner, reason, begins, ends = row
    most = None if severity is None else Severity(severity)
    return Silence(number, rule, station, most, owner, reason, to_micros(begins), to_micros(ends))
