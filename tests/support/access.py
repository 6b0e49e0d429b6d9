"""Tokens for tests of the feed: real ones, in the test's own database."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from alerts import access_store
from alerts.access import Kind, Scope, new_credential
from alerts.access_store import NotMade
from alerts.api.guard import COOKIE
from alerts.api.serve import Feed
from ingest.store import connect

_made: dict[tuple[str, str, Scope], str] = {}  # by database, which each test has one of


def token(database_url: str, *scopes: Scope, name: str = "test") -> str:
    """A token with the largest of these scopes (read, unless told), the same one each time it is asked for.

    The database is migrated. The name is taken once: for another scope it has the scope behind it.
    """
    scope = max(scopes, key=list(Scope).index, default=Scope.READ)
    key = (_bare(database_url), name, scope)
    if key not in _made:
        _made[key] = make(database_url, scope, name=name)
    return _made[key]


def make(database_url: str, scope: Scope, *, name: str = "test", lasts_s: float | None = None) -> str:
    """A token of its own."""
    credential = new_credential(Kind.TOKEN, secrets.token_bytes)
    with closing(connect(_bare(database_url), application_name="test")) as connection:
        try:
            access_store.create(connection, credential, name, scope, "a test", lasts_s)
        except NotMade:
            access_store.create(connection, credential, f"{name} ({scope})", scope, "a test", lasts_s)
    return credential.text


def headers(database_url: str, *scopes: Scope, name: str = "test") -> dict[str, str]:
    """The headers of a request by somebody with these scopes."""
    return {"Authorization": f"Bearer {token(database_url, *scopes, name=name)}"}


def reading(feed: Feed) -> dict[str, str]:
    """The headers of somebody who may read this feed."""
    return headers(feed.hub.reader.conninfo)


def session_cookie(feed: Feed, *scopes: Scope, name: str = "test") -> dict[str, Any]:
    """The cookie of a browser that has logged in at this feed with such a token."""
    credential = new_credential(Kind.SESSION, secrets.token_bytes)
    database_url = feed.hub.reader.conninfo
    number = token(database_url, *scopes, name=name).split("_")[1]
    with closing(connect(_bare(database_url), application_name="test")) as connection:
        assert access_store.open_session(connection, credential, number) is not None
    return {"name": COOKIE, "value": credential.text, "url": feed.url, "httpOnly": True, "sameSite": "Strict"}


def _bare(database_url: str) -> str:
    """Which database it is, without how somebody uses it."""
    parts = conninfo_to_dict(database_url)
    return make_conninfo(
        "", **{name: parts.get(name) for name in ("host", "port", "user", "password", "dbname")}
    )
