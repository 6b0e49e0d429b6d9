"""Tokens for tests of the feed."""

from __future__ import annotations

from alerts.access import Scope


def headers(database_url: str, *scopes: Scope, name: str = "test") -> dict[str, str]:
    """The headers of a request by somebody with these scopes."""
    return {}
