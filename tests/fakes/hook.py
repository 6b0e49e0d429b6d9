"""A system that receives webhooks over real HTTP, on a thread of its own: it can refuse, hang, move, be down.

`seen` has every request whose signature is right, `unique` the events by their id in the order in which each
first came: what a receiver that counts each once has got.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def signed_by(self, key: bytes) -> bool:
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{right}" in self.headers["webhook-signature"].split()


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    after_s: float = 0.0


class Hook:
    """The receiver's side. `answer` may be replaced while it runs."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.answer: Callable[[Request], Answer] = lambda request: Answer()
        self.port = 0

    @property
    def unique(self) -> dict[str, Any]:
        first: dict[str, Request] = {}
        for request in self.seen:
            first.setdefault(request.id, request)
        return {event_id: json.loads(request.body) for event_id, request in first.items()}

    @property
    def numbers(self) -> list[int]:
        """Event numbers in the order in which each was first accepted."""
        return list(dict.fromkeys(json.loads(request.body)["seq"] for request in self.seen))

    @contextmanager
    def serving(self, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Hook]:
        server = _Server(("127.0.0.1", port), _handler(self))
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever did not wait for the answer is no fault of ours."""


def _handler(hook: Hook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, body)
            answer = hook.answer(request)
            time.sleep(answer.after_s)
            if answer.status < 300:
                hook.seen.append(request)
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
