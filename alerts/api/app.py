"""The HTTP application: health, API, event stream and console over one hub.

Promises: every JSON answer says how far it can see, every error is a problem document, and what is answered
is told by one OpenAPI document. It opens nothing and starts nothing: `serve` runs the hub and the server, and
wraps this in `SecurityHeaders`.
"""

from __future__ import annotations

from fastapi import FastAPI

from alerts.api import documents, handling, problems, quiet, session, shifts, status, v1
from alerts.api.cap_feed import cap_router
from alerts.api.door import Door
from alerts.api.files import Exports
from alerts.api.hub import Hub
from alerts.api.open_data import Publication
from alerts.api.pages import console_router
from alerts.api.writer import Writer
from alerts.tiles import Tiles

DESCRIPTION = """Water, rain and air of Huế: what is measured, what is alerted, how far we can see.

Read `as_of` first. While its `state` is `unknown` nothing may be claimed about now, however new the numbers
look; while it is `blind` readings may be missing. The header `Huewatch-As-Of` says the same, also of an
answer 304.

Times are RFC 3339 in UTC, numbers have a point, names and headlines are in Vietnamese and English. What is
not known is null and a word says why; no number stands for a missing one. `nature` tells what is real
(`Actual`) from an exercise or a test.

Answers with pages have `next` and a `Link` header. A cursor is good for the question that it was given for.
Errors are problem documents (RFC 9457) whose `detail` says what to do."""


class Application(FastAPI):
    """FastAPI with our own document."""

    def openapi(self) -> documents.Json:
        return documents.document(self)


def create_app(
    hub: Hub,
    door: Door,
    writer: Writer,
    publication: Publication | None = None,
    tiles: Tiles | None = None,
) -> FastAPI:
    """The application over a hub and a door that somebody runs."""
    app = Application(
        title="Huewatch feed",
        version="1",
        description=DESCRIPTION,
        docs_url=None,  # its page loads from elsewhere, which the policy forbids
        redoc_url=None,
        openapi_url=None,  # `reference` serves the document, to whoever may read
    )
    app.state.hub, app.state.door, app.state.writer = hub, door, writer
    app.state.exports = Exports()
    app.state.publication = publication or Publication()
    problems.install(app)
    app.include_router(status.health)
    app.include_router(session.router, tags=["access"])
    app.include_router(handling.router, tags=["alerts"])
    app.include_router(v1.router)
    app.include_router(cap_router())
    app.include_router(shifts.router, tags=["shifts"])
    app.include_router(quiet.router, tags=["quiet"])
    app.include_router(console_router(tiles))
    return app
