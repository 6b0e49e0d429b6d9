"""The headers that every answer carries: a strict content policy and no guessing of types.

Nothing is loaded from elsewhere, nothing inline runs, no other site may frame or read the feed (CORS stays
off). ASVS 5.0 3.2.1 and 3.4.3. Outermost, so that error answers carry them too. And no request may fill our
memory. Called by `serve`.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alerts.tiles import Tiles

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


ONLY_TLS = {"Strict-Transport-Security": "max-age=31536000"}  # a year, as ASVS 5.0 3.4.1 wants


def policy(tiles: Tiles | None = None) -> str:
    """What the page may load. Tiles open it to pictures of one named server, and to nothing else.

    plotly.js needs no more: it is kept from its own style sheets (`alerts/console/plot.js`), and what it
    draws here evaluates no code and starts no worker.
    """
    pictures = "img-src 'self' data:" + (f" {tiles.origin}" if tiles else "")
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            pictures,
            "base-uri 'none'",
            "object-src 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


LONGEST_BODY = 64 * 1024  # bytes; what people write is a few lines


class BodyLimit:
    """ASGI middleware that takes no more of a request's body than `LONGEST_BODY`: 413, known or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0

        async def receive_some() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LONGEST_BODY:
                raise HTTPException(413, f"A request has at most {LONGEST_BODY // 1024} kB.")
            return message

        await self._app(scope, receive_some, send)


class SecurityHeaders:
    """ASGI middleware that adds `HEADERS` and the policy; streams pass through untouched.

    `https`: for ever by TLS only.
    """

    def __init__(self, app: ASGIApp, tiles: Tiles | None = None, *, https: bool = False) -> None:
        self._app = app
        self._headers = HEADERS | {"Content-Security-Policy": policy(tiles)} | (ONLY_TLS if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)
