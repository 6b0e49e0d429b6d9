"""Who may do what at the feed: scopes, and the person or system behind a request. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token allows; each scope holds those before it."""

    READ = "read"
    ACKNOWLEDGE = "acknowledge"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `name` is the person or system that the token was made for; events and audit carry it."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes
