"""What stands between a command and a real server, and misbehaves when a test says so."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HTML = b"<html><body><h1>Sign in</h1></body></html>"


class Proxy(ThreadingHTTPServer):
    """Passes requests on to `target`, as `mode` says.

    `pass`; `slow`: one second later; `hang`: never; `500`, `403`: refused in JSON; `html`: a page.
    `trigger` is part of a path, with the mode that a request for it brings about.
    """

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target)
        self.mode = "pass"
        self.trigger: tuple[str, str] | None = None
        self.over = threading.Event()

    @property
    def address(self) -> str:
        """Where commands find it."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Say nothing of a command that has hung up."""


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trigger = self.server.trigger
        if trigger is not None and trigger[0] in self.path:
            self.server.mode = trigger[1]
        mode = self.server.mode
        if mode == "hang":
            self.server.over.wait(600)
            return
        if mode in ("500", "403"):
            self._answer(int(mode), "application/json", b'{"error_code": "X", "message": "no"}')
        elif mode == "html":
            self._answer(200, "text/html", HTML)
        else:
            if mode == "slow":
                time.sleep(1)
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        target = self.server.target
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=120)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        headers["Host"] = target.netloc
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        self._answer(answer.status, answer.headers.get("Content-Type", ""), answer.read())
        connection.close()

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 (the library's names)

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests quiet."""


@contextmanager
def proxy_to(target: str) -> Iterator[Proxy]:
    """A `Proxy` on a free port of this machine."""
    proxy = Proxy(target)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.over.set()
        proxy.shutdown()
        proxy.server_close()
