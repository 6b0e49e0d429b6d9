"""The judged record's tables as functions over a connection; as `alerts.store`, none begins or ends a
transaction. Used by the sink inside the observations' transaction, and by `huewatch alerts verify`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
import psycopg
from msgspec.structs import astuple
from psycopg.rows import TupleRow

from alerts.account import Account, JudgedCondition
from alerts.episode import End, Entry, EntryKind
from alerts.model import Phase

Connection = psycopg.Connection[TupleRow]
Cursor = psycopg.Cursor[TupleRow]
Key = tuple[str, str]  # rule, target

MICROS = "(extract(epoch from {0}) * 1000000)::bigint"
TIME = "timestamptz 'epoch' + %s::bigint * interval '1 microsecond'"  # exact, as in `alerts.store`
READ_ROWS = 2_000  # entries fetched at a time, some hundred kB

_ENTRY = f"""rule, target, ordinal, kind, level, {MICROS.format("event_time")}, value, threshold,
    rule_version, previous, hash"""
_APPEND = f"""
    INSERT INTO alert_episode (rule, target, ordinal, kind, level, event_time, value, threshold, rule_version,
                               previous, hash)
    VALUES (%s, %s, %s, %s, %s, {TIME}, %s, %s, %s, %s, %s)
"""
_HELD = f"""
    SELECT rule, target, phase, level, {MICROS.format("since")}, candidate_level,
        {MICROS.format("candidate_since")}, ordinal, hash, rule_version, account::text
    FROM alert_judged ORDER BY rule, target
"""
_UPSERT = f"""
    INSERT INTO alert_judged (rule, target, phase, level, since, candidate_level, candidate_since, ordinal,
                              hash, rule_version, account)
    VALUES (%s, %s, %s, %s, {TIME}, %s, {TIME}, %s, %s, %s, %s::jsonb)
    ON CONFLICT (rule, target) DO UPDATE SET
        phase = excluded.phase, level = excluded.level, since = excluded.since,
        candidate_level = excluded.candidate_level, candidate_since = excluded.candidate_since,
        ordinal = excluded.ordinal, hash = excluded.hash, rule_version = excluded.rule_version,
        account = excluded.account
"""
_NAMED = "(%(rule)s::text IS NULL OR rule = %(rule)s) AND (%(target)s::text IS NULL OR target = %(target)s)"

_accounts = msgspec.json.Decoder(Account)


def append_entries(cursor: Cursor, entries: Sequence[Entry]) -> None:
    """Add entries to their chains."""
    cursor.executemany(_APPEND, [_entry_row(entry) for entry in entries])


def upsert_held(cursor: Cursor, held: Sequence[JudgedCondition]) -> None:
    """Store what the judge holds of some (rule, target), one row each."""
    cursor.executemany(_UPSERT, [_held_row(condition) for condition in held])


def held(connection: Connection) -> list[JudgedCondition]:
    """Everything that the judge holds, by rule and target."""
    return [_held(row) for row in connection.execute(_HELD)]


def count(connection: Connection, rule: str | None = None, target: str | None = None) -> int:
    """How many entries there are, of one rule or target if named."""
    query = f"SELECT count(*) FROM alert_episode WHERE {_NAMED}"
    row = connection.execute(query, {"rule": rule, "target": target}).fetchone()
    return 0 if row is None else int(row[0])


def ends(connection: Connection, rule: str | None = None, target: str | None = None) -> dict[Key, End]:
    """Where the chain of each (rule, target) must end."""
    query = f"SELECT rule, target, ordinal, hash FROM alert_judged WHERE {_NAMED}"
    rows = connection.execute(query, {"rule": rule, "target": target})
    return {(rule, target): End(ordinal, text) for rule, target, ordinal, text in rows}


def chains(
    connection: Connection, rule: str | None = None, target: str | None = None
) -> Iterator[tuple[Key, Iterator[Entry]]]:
    """Every chain with its entries by ordinal, read part by part; take each chain's before the next."""
    query = f"SELECT {_ENTRY} FROM alert_episode WHERE {_NAMED} ORDER BY rule, target, ordinal"
    with connection.transaction(), connection.cursor("huewatch_chains") as cursor:
        cursor.itersize = READ_ROWS
        entries = (_entry(row) for row in cursor.execute(query, {"rule": rule, "target": target}))
        yield from groupby(entries, key=lambda entry: (entry.rule, entry.target))


def _entry(row: TupleRow) -> Entry:
    rule, target, ordinal, kind, level, time, value, threshold, version, previous, text = row
    return Entry(
        rule=rule,
        target=target,
        ordinal=ordinal,
        kind=EntryKind(kind),
        level=level,
        event_time=time,
        value=value,
        threshold=threshold,
        rule_version=version,
        previous=previous,
        hash=text,
    )


def _entry_row(entry: Entry) -> tuple[Any, ...]:
    return tuple(str(field) if isinstance(field, EntryKind) else field for field in astuple(entry))


def _held(row: TupleRow) -> JudgedCondition:
    rule, target, phase, level, since, candidate, candidate_since, ordinal, text, version, account = row
    return JudgedCondition(
        rule=rule,
        target=target,
        phase=Phase(phase),
        level=level,
        since=since,
        candidate_level=candidate,
        candidate_since=candidate_since,
        ordinal=ordinal,
        hash=text,
        rule_version=version,
        account=_accounts.decode(account),
    )


def _held_row(held: JudgedCondition) -> tuple[Any, ...]:
    return (
        held.rule,
        held.target,
        int(held.phase),
        held.level,
        held.since,
        held.candidate_level,
        held.candidate_since,
        held.ordinal,
        held.hash,
        held.rule_version,
        msgspec.json.encode(held.account).decode(),
    )
