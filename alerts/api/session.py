"""`/api/v1/session`: a browser shows its token once and is given a cookie for a shift.

Promises: the cookie is a credential of its own, kept from scripts and from other sites, and opens nothing
once its token is revoked or has expired. Each start and end is on the account.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from alerts import access_store, wire
from alerts.access import Credential, Kind, Principal, Scope, new_credential, parse
from alerts.access_store import SESSION_S
from alerts.api.door import Admitted
from alerts.api.guard import (
    admit,
    admitted_of,
    cookie_of,
    needs,
    over_https,
    peer_of,
    refuse_foreign,
    writer_of,
)
from alerts.api.problems import Stated
from alerts.api.writer import Writer
from alerts.api.writing import UNREADABLE
from alerts.audit_store import Deed, NotDone, Origin, audited
from ingest.config_model import Model

router = APIRouter(prefix="/api/v1", responses=UNREADABLE)


class Login(Model):
    """What a browser shows."""

    token: str = Field(max_length=200)


@router.post("/session")
async def log_in(request: Request, login: Login) -> Response:
    """Open a session for a browser: the answer sets its cookie, which lasts 12 hours."""
    refuse_foreign(request, browser=False)
    admitted = await admit(request, parse(login.token.strip(), Kind.TOKEN), fresh=True)
    session = new_credential(Kind.SESSION, secrets.token_bytes)
    deed = _deed(request, admitted, "session.open", session.id)
    try:
        expires = await asyncio.to_thread(_open, writer_of(request), session, admitted, deed)
    except NotDone as error:
        raise Stated(401, f"{error}.", headers={"WWW-Authenticate": "Bearer"}) from None
    answer = _answer(request, admitted.principal.name, admitted.living.scope, expires)
    answer.set_cookie(
        cookie_of(request),
        session.text,
        max_age=SESSION_S,
        path="/",
        secure=over_https(request),
        httponly=True,
        samesite="strict",
    )
    return answer


@router.get("/session")
async def who_am_i(request: Request, who: Annotated[Principal, Depends(needs(Scope.READ))]) -> Response:
    """Who this is to the feed, what it may do, and until when."""
    living = admitted_of(request).living
    return _answer(request, who.name, living.scope, living.expires_at)


@router.delete("/session", status_code=204)
async def log_out(request: Request, who: Annotated[Principal, Depends(needs(Scope.READ))]) -> Response:
    """End the browser's session. A token stays as it is: `huewatch token revoke` ends one."""
    admitted = admitted_of(request)
    if admitted.living.kind is Kind.SESSION:
        deed = _deed(request, admitted, "session.end", admitted.living.id)
        await asyncio.to_thread(_end, writer_of(request), admitted.living.id, deed)
        admitted.ended.set()
    answer = Response(status_code=204)
    answer.delete_cookie(
        cookie_of(request), path="/", secure=over_https(request), httponly=True, samesite="strict"
    )
    return answer


def _deed(request: Request, admitted: Admitted, what: str, target: str) -> Deed:
    return Deed(admitted.principal.name, Origin.HTTP, what, target, peer_of(request))


def _open(writer: Writer, session: Credential, admitted: Admitted, deed: Deed) -> int:
    with writer.connection() as connection, audited(connection, deed):
        expires = access_store.open_session(connection, session, admitted.living.token)
        if expires is None:
            raise NotDone("The token was revoked just now")
    return expires


def _end(writer: Writer, session: str, deed: Deed) -> None:
    with writer.connection() as connection, audited(connection, deed):
        access_store.end_session(connection, session)


def _answer(request: Request, name: str, scope: Scope, expires: int | None) -> Response:
    body = {
        "as_of": wire.as_of_json(request.app.state.hub.as_of),
        "name": name,
        "scopes": [each.value for each in Scope if each in scope.held],
        "expires": wire.stamp(expires),
    }
    return Response(wire.encode(body), media_type="application/json")
