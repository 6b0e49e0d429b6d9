"""The door of each endpoint: `Depends(needs(Scope.READ))` gives the principal or ends the request.

Programs send `Authorization: Bearer <token>`, browsers the cookie of a session. A write by cookie must come
from our own page, as JSON: another site's form can be neither. 401 and 403 are problem documents that say
what is missing, and nothing about what is known. Used by every router of the feed but health and the
console's files.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from functools import cache

from fastapi import Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from alerts import audit_store
from alerts.access import ANYBODY, Credential, Kind, Principal, Public, Scope, parse
from alerts.api.door import Admitted, Denied, Door, Why
from alerts.api.problems import Stated, documented
from alerts.api.writer import Writer
from alerts.audit_store import Deed, Origin, Outcome
from alerts.feed_metrics import ACCESS_REFUSED

COOKIE = "huewatch"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSALS = documented(
    {
        401: "No token or session that is known",
        403: "The token has not the scope that this needs, or the request came from another site",
        429: "Too many failures from this address",
        503: "The database does not answer",
    }
)

_BEARER = HTTPBearer(
    scheme_name="token", description="`hw_...`, as `huewatch token` made it", auto_error=False
)
_COOKIE = APIKeyCookie(
    name=COOKIE,
    scheme_name="session",
    description=f"A browser's session, as `POST /api/v1/session` opens it; `__Host-{COOKIE}` over https",
    auto_error=False,
)
_WHAT = {
    Why.MISSING: "Send a token as `Authorization: Bearer hw_...`, or log in at the page.",
    Why.MALFORMED: "This is no token of the feed's.",
    Why.NOT_LIVING: "The token or session is unknown, has expired or was revoked.",
    Why.WRONG_SECRET: "The token or session is unknown, has expired or was revoked.",
}

log = logging.getLogger("huewatch.feed")


@cache
def needs(scope: Scope, public: str | None = None) -> Callable[..., Awaitable[Principal]]:
    """A dependency: the principal behind the request, who has this scope.

    `public` (`open_data`, `cap`) names what the setting `feed_public` may open to everybody; who shows
    something is looked at all the same.
    """
    opened = None if public is None else Public(public)
    shown = Security(_BEARER, scopes=[scope.value])
    # Only for the OpenAPI document: the cookie's name depends on the request.
    kept = Security(_COOKIE, scopes=[scope.value])

    async def principal(
        request: Request,
        bearer: HTTPAuthorizationCredentials | None = shown,
        session: str | None = kept,
    ) -> Principal:
        if opened in door_of(request).policy.public and bearer is None and not session_of(request):
            return ANYBODY
        admitted = await _admitted(request, bearer, fresh=scope is not Scope.READ)
        if not admitted.principal.may(scope):
            await _forbidden(request, admitted.principal, scope)
        request.state.admitted = admitted
        return admitted.principal

    return principal


def door_of(request: Request) -> Door:
    """The application's door."""
    door: Door = request.app.state.door
    return door


def writer_of(request: Request) -> Writer:
    """The application's writing hand."""
    writer: Writer = request.app.state.writer
    return writer


def admitted_of(request: Request) -> Admitted:
    """Who was let in, behind an endpoint that nothing opens to everybody."""
    admitted: Admitted = request.state.admitted
    return admitted


def peer_of(request: Request) -> str:
    """The address that asks; behind a proxy that is believed the one that it names."""
    return request.client.host if request.client else ""


def over_https(request: Request) -> bool:
    """Whether the browser came by TLS, as a proxy says or the setting."""
    return door_of(request).policy.https or request.url.scheme == "https"


def cookie_of(request: Request) -> str:
    """The session cookie's name: over TLS one that no other host and no plain connection can plant."""
    return f"__Host-{COOKIE}" if over_https(request) else COOKIE


def session_of(request: Request) -> str | None:
    """The session that a browser sends."""
    return request.cookies.get(cookie_of(request))


async def admit(request: Request, credential: Credential | None, *, fresh: bool) -> Admitted:
    """Who presents this; 401, 429 or 503 otherwise."""
    try:
        return await door_of(request).admit(credential, peer_of(request), fresh=fresh)
    except Denied as denied:
        raise _refusal(request, denied, credential) from None


def same_origin(request: Request) -> bool | None:
    """Whether our own page sent it, as the browser says, or by its `Origin`. None: no browser says it."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site == "same-origin"
    return None if origin is None else origin.partition("://")[2] == request.headers.get("host")


def refuse_foreign(request: Request, *, browser: bool) -> None:
    """403 for a write that another site may have sent. `browser`: it must say where it comes from."""
    own = same_origin(request)
    if own is False or (own is None and browser):
        _count(request, Why.CROSS_SITE, None)
        raise Stated(403, "A write by session must come from the feed's own page (Origin, Sec-Fetch-Site).")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method != "DELETE" and media_type != "application/json":
        _count(request, Why.CROSS_SITE, None)
        raise Stated(403, "A write by session is sent as application/json.")


async def _admitted(
    request: Request, bearer: HTTPAuthorizationCredentials | None, *, fresh: bool
) -> Admitted:
    if bearer is not None:
        return await admit(request, parse(bearer.credentials, Kind.TOKEN), fresh=fresh)
    session = session_of(request)
    if session is None:
        raise _refusal(request, Denied(Why.MISSING), None)
    if request.method not in SAFE:
        refuse_foreign(request, browser=True)
    return await admit(request, parse(session, Kind.SESSION), fresh=fresh)


def _refusal(request: Request, denied: Denied, credential: Credential | None) -> Stated:
    _count(request, denied.why, credential, told=not denied.wait_s)
    if denied.wait_s:
        headers = {"Retry-After": str(math.ceil(denied.wait_s))}
        return Stated(429, "Too many failures from this address.", headers=headers)
    challenge = "Bearer" if denied.why is Why.MISSING else 'Bearer error="invalid_token"'
    return Stated(401, _WHAT[denied.why], headers={"WWW-Authenticate": challenge})


async def _forbidden(request: Request, principal: Principal, scope: Scope) -> None:
    """403 that names the scope; a write that was tried is on the account, unless they come all the time."""
    if request.method not in SAFE:
        denied = door_of(request).failed(Why.FORBIDDEN, peer_of(request))
        if denied.wait_s:
            raise _refusal(request, denied, None)
        path = f"{request.method} {request.url.path}"
        detail = f"the scope {scope} is missing"
        deed = Deed(principal.name, Origin.HTTP, "request", path, peer_of(request), detail)
        await asyncio.to_thread(_write, writer_of(request), deed)
    _count(request, Why.FORBIDDEN, None)
    raise Stated(
        403,
        f"This needs the scope {scope}, which {principal.name}'s token has not.",
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
        more={"scope": scope.value},
    )


def _write(writer: Writer, deed: Deed) -> None:
    with writer.connection() as connection:
        audit_store.append(connection, deed, Outcome.REFUSED)


def _count(request: Request, why: Why, credential: Credential | None, *, told: bool = True) -> None:
    """Of the credential only the id is logged, by which `huewatch token list` knows it."""
    ACCESS_REFUSED.labels(why.value).inc()
    if told and why is not Why.MISSING:
        seen = {"reason": why.value, "peer": peer_of(request), "path": request.url.path}
        log.warning("access_refused", extra=seen | ({"id": credential.id} if credential else {}))
