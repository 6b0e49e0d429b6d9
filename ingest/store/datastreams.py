"""Gives each key of the catalogue its number, once and for ever.

Called at start and at reload, never inside a batch. A key has one number per nature.
"""

from __future__ import annotations

from collections.abc import Iterable

from ingest.model import Nature
from ingest.store.connection import Connection
from ingest.store.errors import reactions

# Only missing keys are inserted: ON CONFLICT alone would use up a number for each key at each start.
_INSERT = """
INSERT INTO datastream (key, nature)
SELECT wanted.key, %(nature)s FROM unnest(%(keys)s::text[]) WITH ORDINALITY AS wanted(key, place)
WHERE NOT EXISTS (SELECT FROM datastream d WHERE d.key = wanted.key AND d.nature = %(nature)s)
ORDER BY wanted.place
ON CONFLICT (key, nature) DO NOTHING
"""
_SELECT = "SELECT key, id FROM datastream WHERE nature = %(nature)s AND key = ANY(%(keys)s::text[])"


@reactions()
def register(connection: Connection, keys: Iterable[str], nature: Nature) -> dict[str, int]:
    """The number of each key, given where it had none. Raises `Transient`, `Fatal` or `Poison`."""
    wanted = {"keys": list(dict.fromkeys(keys)), "nature": nature.value}
    connection.execute(_INSERT, wanted)
    return dict(connection.execute(_SELECT, wanted).fetchall())
