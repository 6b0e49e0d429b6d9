"""The console: one page and its files, served from the packages, read once.

Promises: only files that ship with the package, and plotly.js from its own wheel, are served, each with its
type and an ETag, compressed for who takes that. Called by the application factory.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import msgspec
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from alerts.tiles import Tiles

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
PAGE = "index.html"
SETTINGS = "settings.json"
CHARTS = "plotly.min.js"  # 5 MB, 1.5 MB packed: read when somebody first asks for it


class File(NamedTuple):
    body: bytes
    packed: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> File:
        tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        return cls(body, gzip.compress(body, mtime=0), media_type, tag)


def console_files() -> dict[str, File]:
    """Every console file by name."""
    folder = files("alerts") / "console"
    found = {}
    for item in folder.iterdir():
        media_type = TYPES.get(item.name.rpartition(".")[2])
        if media_type:
            found[item.name] = File.of(item.read_bytes(), media_type)
    return found


@cache
def charts() -> File:
    """plotly.js as its wheel carries it."""
    return File.of((files("plotly") / "package_data" / CHARTS).read_bytes(), TYPES["js"])


def console_router(tiles: Tiles | None = None) -> APIRouter:
    """`/` and `/console/<file>`."""
    router = APIRouter(include_in_schema=False)
    known = console_files() | {SETTINGS: _settings(tiles)}

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        return _serve(known[PAGE], request)

    @router.api_route("/console/{name}", methods=["GET", "HEAD"])
    async def file(name: str, request: Request) -> Response:
        if name == CHARTS:
            return _serve(await asyncio.to_thread(charts), request)
        if name not in known:
            raise HTTPException(404, "The console has no such file.")
        return _serve(known[name], request)

    return router


def _settings(tiles: Tiles | None) -> File:
    """What the page must know of how the feed is set; nothing of it is a secret."""
    shown = {"tiles": tiles and tiles.template, "credit": tiles and tiles.credit}
    return File.of(msgspec.json.encode(shown), "application/json")


def _serve(file: File, request: Request) -> Response:
    headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(file.packed, headers=headers, media_type=file.media_type)
    return Response(file.body, headers=headers, media_type=file.media_type)
