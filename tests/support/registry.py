"""Which part of an OCI registry do pushing and pulling need, and what if it lies?

Over real HTTP, as OCI distribution-spec 1.1 has it.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Lie = Callable[[str, bytes], bytes]


def digest_of(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


class Registry:
    """`lie` alters what is sent: given the path and the true bytes. `status` = for all, if set."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.lie: Lie = lambda path, data: data
        self.status = 0
        self.asked: list[str] = []

    def place(self, name: str) -> str:
        return f"oci+http://127.0.0.1:{self.port}/{name}"

    def find(self, path: str) -> bytes | None:
        kind, _, name = path.rpartition("/")
        return (self.blobs if kind.endswith("/blobs") else self.manifests).get(name)


def _answers(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the test's stderr."""

        def _send(self, status: int, data: bytes = b"", **fields: str) -> None:
            self.send_response(registry.status or status)
            for name, value in fields.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            registry.asked.append(f"{self.command} {path}")
            found = registry.find(path)
            if found is None:
                self._send(404, b'{"errors": []}')
                return
            data = registry.lie(path, found)
            self._send(200, data, Docker_Content_Digest=digest_of(found))

        do_HEAD = do_GET

        def do_POST(self) -> None:
            self._body()
            self._send(202, Location=f"{self.path}one")

        def do_PUT(self) -> None:
            parts, body = urlsplit(self.path), self._body()
            said = parse_qs(parts.query).get("digest")
            if said:
                is_right = digest_of(body) == said[0]
                registry.blobs.update({said[0]: body} if is_right else {})
                self._send(201 if is_right else 400)
            elif re.search(r"/manifests/[^/]+$", parts.path):
                registry.manifests[parts.path.rpartition("/")[2]] = body
                registry.manifests[digest_of(body)] = body
                self._send(201)
            else:
                self._send(404)

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    return Answers


@contextmanager
def registry_server() -> Iterator[Registry]:
    """A registry on a free port of this machine."""
    made = Registry(0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answers(made))
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
