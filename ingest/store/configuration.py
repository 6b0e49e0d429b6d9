"""Which configuration each `run` has in force, and the requests to read it again.

A request is a row rather than a signal, so that it reaches every partition's `run`, in whichever container it
lives, and so that the one who asks gets each one's answer. `run` looks for it as it looks for replays from
quarantine. `feed`, which only reads, follows the versions. Called by `ingest.reload`, by the command and by
the feed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ingest.store.connection import Connection
from ingest.store.errors import reactions
from ingest.yaml_lines import Problem

_START = """
INSERT INTO configuration AS c (partition, version, loaded_at) VALUES (%s, %s, clock_timestamp())
ON CONFLICT (partition) DO UPDATE SET version = excluded.version, loaded_at = excluded.loaded_at,
    answered = c.asked, outcome = 'started', problems = '[]'
"""
_ASK = "UPDATE configuration SET asked = asked + 1 RETURNING partition, asked"
_ASKED = "SELECT asked FROM configuration WHERE partition = %s AND asked > answered"
_ANSWER = """
UPDATE configuration SET version = %(version)s, outcome = %(outcome)s, problems = %(problems)s,
    answered = greatest(answered, %(asked)s),
    loaded_at = CASE WHEN version = %(version)s THEN loaded_at ELSE clock_timestamp() END
WHERE partition = %(partition)s
"""
_ANSWERS = "SELECT partition, version, outcome, problems, answered FROM configuration ORDER BY partition"
_IN_FORCE = "SELECT partition, version, answered FROM configuration ORDER BY partition"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a `run` made of a request: the version in force since, and the problems where it refused."""

    partition: str
    version: str
    outcome: str
    problems: Sequence[Problem]


def started(connection: Connection, partition: str, version: str) -> None:
    """A start reads the files: whoever asked for that is answered."""
    connection.execute(_START, (partition, version))


@reactions()
def ask(connection: Connection) -> dict[str, int]:
    """Ask every `run` that this database has known; the number of its request by partition."""
    return dict(connection.execute(_ASK).fetchall())


def asked(connection: Connection, partition: str) -> int | None:
    """The newest request that has no answer yet."""
    row = connection.execute(_ASKED, (partition,)).fetchone()
    return None if row is None else int(row[0])


def answer(connection: Connection, given: Answer, number: int) -> None:
    """Answer every request up to `number`; 0 answers none, where nobody but a signal has asked."""
    parameters = {
        "partition": given.partition,
        "version": given.version,
        "outcome": given.outcome,
        "problems": msgspec.json.encode(given.problems).decode(),
        "asked": number,
    }
    connection.execute(_ANSWER, parameters)


@reactions()
def answers(connection: Connection, numbers: Mapping[str, int]) -> list[Answer]:
    """The answers so far to requests of these numbers, by partition."""
    return [
        Answer(partition, version, outcome, msgspec.json.decode(problems, type=list[Problem]))
        for partition, version, outcome, problems, answered in connection.execute(_ANSWERS)
        if answered >= numbers.get(partition, answered + 1)
    ]


def in_force(connection: Connection) -> list[tuple[str, str, int]]:
    """The version that each partition's `run` has in force, and the number of the newest request that it has
    answered: one that brought nothing new to `run` may have to `feed`."""
    return list(connection.execute(_IN_FORCE).fetchall())
