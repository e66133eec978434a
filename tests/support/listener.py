"""A small HTTP server of this machine that answers as the test says and remembers what it got."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from msgspec import Struct


class Heard(Struct):
    """One request as it came in."""

    method: str
    path: str
    fields: dict[str, str]
    body: bytes


class Listener:
    """`answer(heard)` gives (status, body); `heard` = all requests so far."""

    def __init__(self, answer: Callable[[Heard], tuple[int, bytes]], url: str) -> None:
        self.answer = answer
        self.url = url
        self.heard: list[Heard] = []


@contextmanager
def listening(answer: Callable[[Heard], tuple[int, bytes]]) -> Iterator[Listener]:
    """A server until the block ends."""
    made = Listener(answer, "")

    class Page(BaseHTTPRequestHandler):
        def _said(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            fields = {name.lower(): value for name, value in self.headers.items()}
            heard = Heard(self.command, self.path, fields, self.rfile.read(length))
            made.heard.append(heard)
            status, body = made.answer(heard)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _said

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
