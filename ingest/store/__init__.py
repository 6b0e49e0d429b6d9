"""What Huewatch keeps in PostgreSQL or TimescaleDB: the only SQL of `ingest`.

`write.Writer` commits, `read` answers, `migrate` prepares, `errors` says what to do next.
"""

from ingest.store.connection import Connection, Cursor, connect

__all__ = ["Connection", "Cursor", "connect"]
