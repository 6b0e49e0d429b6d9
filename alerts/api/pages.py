"""The console: one page and its files, served from the package, read once at start.

Promises: only files that ship with the package are served, each with its type and an ETag. Called by the
application factory.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
PAGE = "index.html"


class File(NamedTuple):
    body: bytes
    media_type: str
    etag: str


def console_files() -> dict[str, File]:
    """Every console file by name."""
    folder = files("alerts") / "console"
    found = {}
    for item in folder.iterdir():
        media_type = TYPES.get(item.name.rpartition(".")[2])
        if media_type:
            body = item.read_bytes()
            found[item.name] = File(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"')
    return found


def console_router() -> APIRouter:
    """`/` and `/console/<file>`."""
    router = APIRouter(include_in_schema=False)
    known = console_files()

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        return _serve(known[PAGE], request)

    @router.api_route("/console/{name}", methods=["GET", "HEAD"])
    async def file(name: str, request: Request) -> Response:
        if name not in known:
            raise HTTPException(404, "The console has no such file.")
        return _serve(known[name], request)

    return router


def _serve(file: File, request: Request) -> Response:
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.body, headers=headers, media_type=file.media_type)
