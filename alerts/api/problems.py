"""Errors as RFC 9457 `application/problem+json`, each with how far the feed can see.

Promises: no answer of the API is a bare text or a stack trace; a database that is away is a 503 whose
`as_of` reads *unknown*. Called by the application factory.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from alerts import wire
from alerts.api.reader import TooSlow, Unavailable
from alerts.sight import UnknownReason, unknown

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "2"

log = logging.getLogger("huewatch.feed")


class Stated(HTTPException):
    """A refusal whose problem document has members of its own (`more`)."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: wire.Json | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.more = more or {}


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(TooSlow, _too_slow)
    app.add_exception_handler(Exception, _failed)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    more = error.more if isinstance(error, Stated) else {}
    return _problem(request, error.status_code, error.detail, _as_of(request), error.headers, more)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    detail = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return _problem(request, 422, detail, _as_of(request))


async def _unavailable(request: Request, error: Exception) -> Response:
    hub = request.app.state.hub
    blind = unknown(hub.as_of, UnknownReason.DATABASE_UNREACHABLE, hub.reader.catalogue)
    detail = "The database does not answer. Every state is unknown until it does."
    return _problem(request, 503, detail, wire.as_of_json(blind))


async def _too_slow(request: Request, error: Exception) -> Response:
    detail = "This takes longer than the feed allows. Ask for a shorter range, or again when it is less busy."
    return _problem(request, 503, detail, _as_of(request))


async def _failed(request: Request, error: Exception) -> Response:
    log.error("request_failed", extra={"path": request.url.path}, exc_info=error)
    return _problem(request, 500, "This is our fault. It has been logged.", _as_of(request))


def _as_of(request: Request) -> wire.Json:
    return wire.as_of_json(request.app.state.hub.as_of)


def _problem(
    request: Request,
    status: int,
    detail: str,
    as_of: wire.Json,
    headers: Mapping[str, str] | None = None,
    more: wire.Json | None = None,
) -> Response:
    body = {
        **(more or {}),
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "as_of": as_of,
    }
    again = {"Retry-After": RETRY_AFTER_S} if status == 503 else {}
    return Response(wire.encode(body), status, again | dict(headers or {}), MEDIA_TYPE)
