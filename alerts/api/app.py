"""The HTTP application: health, API, event stream and console over one hub.

Promises: every JSON answer says how far it can see, every error is a problem document. It opens nothing and
starts nothing: `serve` runs the hub and the server, and wraps this in `SecurityHeaders`.
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from alerts import wire
from alerts.api import problems, shifts, stream, v1
from alerts.api.hub import Hub
from alerts.api.pages import console_router

health = APIRouter()


@health.get("/healthz")
async def healthz(request: Request) -> Response:
    """The process answers."""
    body = {"alive": True, "as_of": wire.as_of_json(request.app.state.hub.as_of)}
    return Response(wire.encode(body), media_type="application/json")


@health.get("/readyz")
async def readyz(request: Request) -> Response:
    """The path works: commits are recent and this process can read them. 503 otherwise."""
    as_of = request.app.state.hub.as_of
    body = {"ready": as_of.known, "as_of": wire.as_of_json(as_of)}
    return Response(wire.encode(body), 200 if as_of.known else 503, media_type="application/json")


def create_app(hub: Hub) -> FastAPI:
    """The application over a hub that somebody runs."""
    app = FastAPI(
        title="Huewatch feed",
        version="1",
        description="Water, rain and air of Huế: what is measured, what is alerted, how far we can see.",
        docs_url=None,  # its page loads from elsewhere, which the policy forbids
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.hub = hub
    problems.install(app)
    app.include_router(health)
    app.include_router(stream.router, prefix="/api/v1")
    app.include_router(v1.router)
    app.include_router(shifts.router)
    app.include_router(console_router())
    return app
