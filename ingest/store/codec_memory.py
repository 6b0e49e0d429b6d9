"""What codecs remember of gateways: kept with the messages that said it, read at the start."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.model import Remembered
from ingest.store.connection import Connection, Cursor
from ingest.store.errors import reactions

_SAVE = """
INSERT INTO codec_memory (codec, gateway, key, value) VALUES (%s, %s, %s, %s)
ON CONFLICT (codec, gateway, key) DO UPDATE SET value = excluded.value
"""
_FORGET = "DELETE FROM codec_memory WHERE codec = %s AND gateway = %s AND key = %s"


def save(cursor: Cursor, remembered: Sequence[Remembered]) -> None:
    """Keep the newest value of each key; an empty one forgets it."""
    newest = {(one.codec, one.gateway, one.key): one.value for one in remembered}
    kept = [(*key, value) for key, value in sorted(newest.items()) if value]
    forgotten = [key for key, value in sorted(newest.items()) if not value]
    if kept:
        cursor.executemany(_SAVE, kept)
    if forgotten:
        cursor.executemany(_FORGET, forgotten)


@reactions()
def load(connection: Connection) -> list[Remembered]:
    """All of it."""
    rows = connection.execute("SELECT codec, gateway, key, value FROM codec_memory").fetchall()
    return [Remembered(codec, gateway, key, bytes(value)) for codec, gateway, key, value in rows]
