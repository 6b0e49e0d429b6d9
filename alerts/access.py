"""Who may do what at the feed: scopes, the person or system behind a request, and what proves it. Pure.

A token reads `hw_<id>_<secret>`, a browser's session `hws_<id>_<secret>`: the id names a row and is no
secret, the secret is 256 random bits. Its hash is one round of SHA-256: a slow hash makes guessing dear
where a person chose the secret, and here there is nothing to guess, so it would only make each request dear.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

ID_BYTES = 6  # of a thousand tokens two share an id once in 600 million cities; a clash is refused
SECRET_BYTES = 32

_CREDENTIAL = re.compile(r"(hws?)_([0-9a-f]{12})_([0-9a-f]{64})", re.ASCII)


class Scope(StrEnum):
    """What a token allows; each scope holds those before."""

    READ = "read"
    ACKNOWLEDGE = "acknowledge"
    ADMINISTER = "administer"

    @property
    def held(self) -> frozenset[Scope]:
        """This scope and those that it holds."""
        scopes = list(Scope)
        return frozenset(scopes[: scopes.index(self) + 1])


class Public(StrEnum):
    """What a setting may open to everybody."""

    OPEN_DATA = "open_data"
    CAP = "cap"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `name` is the person or system that the token was made for; events and audit carry it."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes


ANYBODY = Principal(
    "anybody", frozenset()
)  # is let in where `Policy.public` says so, and sees what is public


@dataclass(frozen=True, slots=True)
class Policy:
    """What the city decides about its feed. `https`: it is reached by TLS only, whatever the proxy says.

    `proxies`: the addresses, by commas, whose word on a request's origin and scheme is believed.
    """

    public: frozenset[Public] = frozenset()
    https: bool = False
    proxies: str = "127.0.0.1,::1"


class Kind(StrEnum):
    """What a credential is; its value begins the text."""

    TOKEN = "hw"
    SESSION = "hws"


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody presents. Neither its `repr` nor its `str` shows the secret."""

    kind: Kind
    id: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """As it is given to its owner, once."""
        return f"{self.kind.value}_{self.id}_{self.secret}"

    @property
    def hash(self) -> bytes:
        """What is kept of it, 32 bytes; bound to kind and id, so that no row's hash serves another."""
        return hashlib.sha256(self.text.encode()).digest()

    def proves(self, stored: bytes) -> bool:
        """Whether this is what was hashed, in a time that does not tell how much of it is."""
        return hmac.compare_digest(self.hash, stored)


def new_credential(kind: Kind, random_bytes: Callable[[int], bytes]) -> Credential:
    """A credential that nobody has; `random_bytes(n)` gives n bytes that nobody can guess."""
    return Credential(kind, random_bytes(ID_BYTES).hex(), random_bytes(SECRET_BYTES).hex())


def parse(text: str, kind: Kind) -> Credential | None:
    """The credential of this kind that a text is; None where it is none."""
    match = _CREDENTIAL.fullmatch(text)
    if match is None or match[1] != kind.value:
        return None
    return Credential(kind, match[2], match[3])
