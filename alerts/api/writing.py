"""One write over HTTP: audited, in one transaction, and done once however often it is repeated.

Promises: what the work changes, its row in the audit and what it was answered become durable together; a
refused act leaves its row; a repeated `Idempotency-Key` of one principal is answered as the first request
was and changes nothing. Called by the endpoints that change something, in worker threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Header, Request
from pydantic import BaseModel

from alerts import audit_store, idempotency_store, wire
from alerts.access import Principal
from alerts.api.guard import REFUSALS, peer_of, writer_of
from alerts.api.problems import Stated, documented
from alerts.api.reader import Connection
from alerts.audit_store import Deed, Origin, Outcome, audited
from alerts.idempotency_store import LONGEST_KEY, AnotherRequest, Answered

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_KEY,
        pattern=r"^[!-~]+$",
        description="Of your choice, one for each act: a request that is repeated under it is done once.",
    ),
]


# What any request with a body may be answered besides.
UNREADABLE = REFUSALS | documented(
    {400: "The body is no JSON", 413: "The body is too long", 422: "The body is not as documented"}
)


class Refusal(Exception):
    """The work cannot be done; what the request is answered, with members of its own in `more`."""

    def __init__(self, status: int, detail: str, more: wire.Json | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more or {}


@dataclass(frozen=True, slots=True)
class Write:
    """Who writes what to what. `body`: what was sent, by which a repeated request is known."""

    request: Request
    who: Principal
    what: str
    target: str
    body: BaseModel
    key: str | None

    def carry_out(self, work: Callable[[Connection], None]) -> None:
        """Do `work`, which may raise `Refusal`, or find that it was done. Raises `Stated` where refused."""
        deed = Deed(self.who.name, Origin.HTTP, self.what, self.target, peer_of(self.request))
        with writer_of(self.request).connection() as connection, connection.transaction():
            answer = self._answer(connection, deed, work)
        if answer.problem is not None:
            more = dict(answer.problem)
            raise Stated(answer.status, more.pop("detail"), more=more)

    def _answer(self, connection: Connection, deed: Deed, work: Callable[[Connection], None]) -> Answered:
        """What it was answered under its key before, or else is answered now."""
        if self.key is None:
            return _done(connection, deed, work)
        request = self._fingerprint()
        try:
            known = idempotency_store.claim(connection, self.who.name, self.key, request)
        except AnotherRequest as error:
            audit_store.append(connection, replace(deed, detail=str(error)), Outcome.REFUSED)
            return Answered(422, {"detail": f"Not done: {error}."})
        if known is None:
            known = _done(connection, deed, work)
            idempotency_store.answered(connection, self.who.name, self.key, request, known)
        return known

    def _fingerprint(self) -> bytes:
        said = f"{self.request.method} {self.request.url.path}\n{self.body.model_dump_json()}"
        return hashlib.sha256(said.encode()).digest()


def _done(connection: Connection, deed: Deed, work: Callable[[Connection], None]) -> Answered:
    try:
        with audited(connection, deed, (Refusal,)):
            work(connection)
    except Refusal as refusal:
        return Answered(refusal.status, {**refusal.more, "detail": refusal.detail})
    return Answered(200, None)
