"""The one way to open a connection: schema, time zone and limits set, a dead peer noticed in seconds.

Called by everything that talks to the database. It does not pool and does not retry.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import psycopg

from ingest.store.binary_copy import register_arrays
from ingest.store.errors import reactions

Connection: TypeAlias = psycopg.Connection[Any]
Cursor: TypeAlias = psycopg.Cursor[Any]

# The client's side: a peer that vanished is noticed after about 20 s, in a COMMIT as well.
_CLIENT: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

# The server's side. Its own keepalives free the writer's lock when our machine vanishes.
_SERVER = {
    "search_path": "huewatch, public",
    "timezone": "UTC",
    "jit": "off",  # compiling takes longer than any statement of ours runs
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
}

_SET = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS setting(name, value)"


@reactions()
def connect(database_url: str, *, application_name: str) -> Connection:
    """An autocommit connection with search_path `huewatch, public`. Raises `Transient` or `Fatal`."""
    connection = psycopg.connect(database_url, autocommit=True, application_name=application_name, **_CLIENT)
    try:
        connection.execute(_SET, (list(_SERVER), list(_SERVER.values())))
    except BaseException:
        connection.close()
        raise
    register_arrays(connection)
    return connection
