"""`/metrics`, `/healthz` and `/readyz` of the ingest process, on a port of their own.

`/readyz` tests the path, not the port: it is green only while commits are recent and nothing that the
promise rests on is switched off. Called by `huewatch run`; serves from daemon threads.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ingest.metrics import READY

CLIENT_SECONDS = 10.0  # a client that neither asks nor reads is let go

Readiness = Callable[[], tuple[bool, dict[str, object]]]


class CannotListen(Exception):
    """Fatal: an address of ours is taken or not this machine's; says what to change."""

    def __init__(self, host: str, port: int, change: str, error: OSError) -> None:
        super().__init__(
            f"Cannot listen on {host}:{port} ({error.strerror or error}): stop what uses it, or change"
            f" {change}."
        )


def serve_health(host: str, port: int, change: str, readiness: Readiness) -> ThreadingHTTPServer:
    """Start serving and return the server; `shutdown()` ends it. Port 0 takes a free one.

    Raises `CannotListen`, which names the settings to `change`.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_SECONDS

        def do_GET(self) -> None:
            if self.path == "/metrics":
                READY.set(readiness()[0])
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
            elif self.path == "/healthz":
                self._answer(200, "application/json", b'{"alive": true}')
            elif self.path == "/readyz":
                ready, why = readiness()
                self._answer(200 if ready else 503, "application/json", json.dumps(why).encode())
            else:
                self._answer(404, "text/plain", b"try /metrics, /healthz or /readyz\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Requests of a prober are not events worth a line."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise CannotListen(host, port, change, error) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
